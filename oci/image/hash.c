/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hash {
	EVP_MD_CTX *ctx;
	const char *prefix;
};

static bool is_sha512(const char *algorithm)
{
	return strncmp(algorithm, "sha512", strlen("sha512")) == 0;
}

struct hash *hash_new(const char *algorithm)
{
	bool sha512 = is_sha512(algorithm);
	struct hash *h = calloc(1, sizeof(*h));

	/* A confined process opens no files, and needs nothing of openssl.cnf. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (h)
		h->ctx = EVP_MD_CTX_new();
	if (!h || !h->ctx ||
	    EVP_DigestInit_ex(h->ctx, sha512 ? EVP_sha512() : EVP_sha256(), NULL) != 1)
		_exit(255);
	h->prefix = sha512 ? "sha512:" : "sha256:";
	return h;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
	if (EVP_DigestUpdate(h->ctx, data, len) != 1)
		_exit(255);
}

void hash_finish(struct hash *h, char ret[DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	size_t at = strlen(h->prefix);

	if (EVP_DigestFinal_ex(h->ctx, md, &len) != 1)
		_exit(255);
	memcpy(ret, h->prefix, at);
	for (unsigned int i = 0; i < len; i++) {
		ret[at++] = digits[md[i] >> 4];
		ret[at++] = digits[md[i] & 15];
	}
	ret[at] = '\0';
	hash_free(h);
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hash_bytes(const void *data, size_t len, char ret[DIGEST_SIZE])
{
	struct hash *h = hash_new("sha256");

	hash_add(h, data, len);
	hash_finish(h, ret);
}

void hash_chain(const char *below, const char *diff_id, char ret[DIGEST_SIZE])
{
	struct hash *h;

	if (!below) {
		memcpy(ret, diff_id, strlen(diff_id) + 1);
		return;
	}
	h = hash_new("sha256");
	hash_add(h, below, strlen(below));
	hash_add(h, " ", 1);
	hash_add(h, diff_id, strlen(diff_id));
	hash_finish(h, ret);
}

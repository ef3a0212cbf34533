/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/digest.h"

#include "lib/cleanup.h"

#include <string.h>

static const struct {
	const char *prefix;
	size_t digits;
} algorithms[] = {
	{ "sha256:", 64 },
	{ "sha512:", 128 },
};

bool digest_valid(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		size_t len = strlen(algorithms[i].prefix);

		if (strncmp(text, algorithms[i].prefix, len) == 0)
			return strspn(text + len, "0123456789abcdef") == algorithms[i].digits &&
			       !text[len + algorithms[i].digits];
	}
	return false;
}

const char *digest_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

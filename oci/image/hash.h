/* SPDX-License-Identifier: Apache-2.0 */
/* Computing digests, by libcrypto (it uses the processor's instructions for SHA, which makes it
 * four times as fast). */
#ifndef OCI_IMAGE_HASH_H
#define OCI_IMAGE_HASH_H

#include "oci/image/digest.h"

#include <stddef.h>

struct hash; /* one that is being computed */

/* algorithm: of a valid digest ("sha256:..." or "sha256" alone). On the heap; ends the process when
 * memory is out. */
struct hash *hash_new(const char *algorithm);
void hash_add(struct hash *h, const void *data, size_t len);
/* Ends it and frees h: "sha256:...". */
void hash_finish(struct hash *h, char ret[DIGEST_SIZE]);
void hash_free(struct hash *h);

/* Of bytes at hand, sha256. */
void hash_bytes(const void *data, size_t len, char ret[DIGEST_SIZE]);
/* The chain ID of a layer on top of others (image-spec config.md, "Layer ChainID"); below NULL: the
 * lowest. */
void hash_chain(const char *below, const char *diff_id, char ret[DIGEST_SIZE]);

#endif

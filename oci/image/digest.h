/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests as text ("sha256:0123..."), judged before one becomes a path. Everything of oci/image/
 * passes them as strings that were judged; computing them is oci/image/hash.h.
 */
#ifndef OCI_IMAGE_DIGEST_H
#define OCI_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE 136 /* of a buffer that holds any of them: "sha512:", 128 digits, NUL */

/*
 * image-spec descriptor.md, "Digests": an algorithm that is registered and that we compute (sha256,
 * sha512), with as many lower-case hexadecimal digits as it has.
 */
bool digest_valid(const char *text);

/* The digits behind the colon of a valid one. */
const char *digest_hex(const char *digest);

#endif

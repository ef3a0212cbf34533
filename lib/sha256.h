/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) of a few bytes at hand, for programs that need nothing else of libcrypto and
 * stay small without it: the shim names its sockets so. Of libcrypto even its oldest, deprecated
 * interface links 23 KiB and a constructor. For images, where speed counts: oci/image/hash.h.
 */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stddef.h>

#define SHA256_TEXT_SIZE 65

/* As 64 hexadecimal digits and a NUL. */
void sha256_text(const void *data, size_t len, char ret_text[SHA256_TEXT_SIZE]);

#endif

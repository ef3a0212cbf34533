/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. lib/json*.c
 * checks with it. */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character that s starts with (1 to 4), or 0 when its first len (> 0) bytes are not
 * one. */
size_t utf8_char(const char *s, size_t len);
/* True when len bytes are UTF-8 throughout. */
bool utf8_valid(const char *s, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf messages in and out, without the heap: what is unpacked lives until the end of the
 * request in one area that is used again for the next. shim.proto has the messages.
 */
#ifndef SHIM_WIRE_H
#define SHIM_WIRE_H

#include "lib/buf.h"
#include "shim/shim.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A short message needs a few hundred bytes; what does not fit is taken from the heap and given
 * back by wire_reset(). */
#define WIRE_AREA_SIZE 8192
/* More than that is not taken: of two bytes on the wire a decoder can make sixty. A request of the
 * largest size (4 MiB, ttrpc.h) that is one long string in another message fits. */
#define WIRE_HEAP_MAX (16u << 20)

/* NULL: not a message of that kind, or a string in it is not UTF-8. Valid until wire_reset(). */
void *wire_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t len);
/* Forgets everything that was unpacked. */
void wire_reset(void);

/* Appends the packed message. Strings must be valid UTF-8: see wire_text(). */
void wire_pack(const ProtobufCMessage *message, struct buf *out);

/*
 * The text with what is no UTF-8 replaced by "?" and cut at max bytes, in the area of
 * wire_unpack(): containerd drops whole messages for one bad byte.
 */
char *wire_text(const char *text, size_t max);
/* The same in place, for text that is not of one request. */
void wire_clean(char *text, size_t max);

/* Nanoseconds since 1970 as a message, and the time that stands for "not yet" (Go's zero time,
 * which has to be sent: containerd takes a missing one for 1970). */
Shim__Timestamp wire_time(int64_t unix_ns);
#define WIRE_NO_TIME INT64_MIN

/* Whether an Any is of the type, with or without a "/" path in front. NULL is of none. */
bool wire_any_is(const Shim__Any *any, const char *type);

#endif

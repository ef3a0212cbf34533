/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/wire.h"

#include "lib/list.h"
#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN 16
/* Go's time.Time{}: the first of January of the year 1. */
#define NO_TIME_SECONDS INT64_C(-62135596800)
#define SECOND_NS INT64_C(1000000000)

static union {
	max_align_t align;
	char bytes[WIRE_AREA_SIZE];
} area;
static size_t area_used;

/* What did not fit. */
struct block {
	struct block *next, *prev;
	size_t size; /* with this */
	max_align_t data[];
};
static struct block *blocks;
static size_t blocks_size;

static void *block_alloc(size_t len)
{
	size_t size = sizeof(struct block) + len;
	struct block *b;

	if (size > WIRE_HEAP_MAX - blocks_size)
		return NULL;
	b = malloc(size);
	if (!b)
		return NULL;
	b->size = size;
	b->prev = NULL;
	b->next = blocks;
	if (blocks)
		blocks->prev = b;
	blocks = b;
	blocks_size += size;
	return b->data;
}

static void block_free(struct block *b)
{
	if (b->next)
		b->next->prev = b->prev;
	if (b->prev)
		b->prev->next = b->next;
	else
		blocks = b->next;
	blocks_size -= b->size;
	free(b);
}

static void *area_alloc(void *data, size_t size)
{
	size_t all;

	(void)data;
	if (size > SIZE_MAX - ALIGN)
		return NULL;
	all = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (all > sizeof(area) - area_used)
		return block_alloc(all);
	area_used += all;
	return area.bytes + area_used - all;
}

/* Large ones are given back at once: they are mostly the decoder's notes. */
static void area_free(void *data, void *p)
{
	(void)data;
	if (p && ((char *)p < area.bytes || (char *)p >= area.bytes + sizeof(area)))
		block_free(container_of(p, struct block, data));
}

static ProtobufCAllocator allocator = { area_alloc, area_free, NULL };

void wire_reset(void)
{
	area_used = 0;
	while (blocks)
		block_free(blocks);
}

static bool strings_valid(const ProtobufCMessage *message);

static bool item_valid(const ProtobufCFieldDescriptor *field, void *const *item)
{
	const char *s = *item;

	if (!s)
		return true;
	if (field->type == PROTOBUF_C_TYPE_STRING)
		return utf8_valid(s, strlen(s));
	return strings_valid(*item);
}

static bool field_valid(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *at = (const char *)message + field->offset;
	size_t count = 1;

	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		count = *(const size_t *)((const char *)message + field->quantifier_offset);
		at = *(const char *const *)at;
	}
	for (size_t i = 0; i < count; i++)
		if (!item_valid(field, (void *const *)at + i))
			return false;
	return true;
}

/* proto3: a string is UTF-8, or else the message is none. protobuf-c does not look. */
static bool strings_valid(const ProtobufCMessage *message)
{
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++)
		if (!field_valid(message, &message->descriptor->fields[i]))
			return false;
	return true;
}

void *wire_unpack(const ProtobufCMessageDescriptor *type, const void *data, size_t len)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, len, data);

	return message && strings_valid(message) ? message : NULL;
}

void wire_pack(const ProtobufCMessage *message, struct buf *out)
{
	size_t size = protobuf_c_message_get_packed_size(message);

	protobuf_c_message_pack(message, (uint8_t *)buf_reserve(out, size));
	out->len += size;
	out->data[out->len] = '\0';
}

void wire_clean(char *text, size_t max)
{
	size_t len = strlen(text), at = 0;

	while (at < len && at < max) {
		size_t n = utf8_char(text + at, len - at);

		if (!n) {
			text[at] = '?';
			n = 1;
		}
		if (at + n > max)
			break;
		at += n;
	}
	text[at] = '\0';
}

char *wire_text(const char *text, size_t max)
{
	/* A character that begins before max may end behind it. */
	size_t len = strnlen(text, max + 3);
	char *copy = area_alloc(NULL, len + 1);

	if (!copy)
		return (char *)protobuf_c_empty_string;
	memcpy(copy, text, len);
	copy[len] = '\0';
	wire_clean(copy, max);
	return copy;
}

Shim__Timestamp wire_time(int64_t unix_ns)
{
	Shim__Timestamp t = SHIM__TIMESTAMP__INIT;

	t.seconds = unix_ns / SECOND_NS;
	t.nanos = (int32_t)(unix_ns % SECOND_NS);
	if (t.nanos < 0) {
		t.seconds--;
		t.nanos += SECOND_NS;
	}
	if (unix_ns == WIRE_NO_TIME) {
		t.seconds = NO_TIME_SECONDS;
		t.nanos = 0;
	}
	return t;
}

bool wire_any_is(const Shim__Any *any, const char *type)
{
	size_t len, have;

	if (!any || !any->type_url)
		return false;
	len = strlen(type);
	have = strlen(any->type_url);
	if (have < len || strcmp(any->type_url + have - len, type) != 0)
		return false;
	return have == len || any->type_url[have - len - 1] == '/';
}

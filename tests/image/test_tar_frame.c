/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/tar_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum magic { USTAR, GNU, V7 };

static void header(unsigned char *h, const char *name, char type, const char *size,
		   enum magic magic)
{
	static const char *const magics[] = { "ustar\00000", "ustar  ", "" };
	unsigned int sum = 0;

	memset(h, 0, TAR_BLOCK);
	strncpy((char *)h, name, 100);
	memcpy(h + 124, size, strnlen(size, 12));
	h[156] = (unsigned char)type;
	memcpy(h + 257, magics[magic], 8 * (magic != V7));
	memset(h + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

static void sum_again(unsigned char *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
}

/* Bytes that are data of a pax header, or the like, in blocks. */
static enum tar_event feed(struct tar_frame *f, const char *data, size_t len)
{
	enum tar_event e = TAR_MORE;

	for (size_t at = 0; at < len && e == TAR_MORE; at += TAR_BLOCK) {
		unsigned char block[TAR_BLOCK] = { 0 };

		memcpy(block, data + at, len - at < TAR_BLOCK ? len - at : TAR_BLOCK);
		e = tar_frame_block(f, block);
	}
	return e;
}

static enum tar_event meta(struct tar_frame *f, char type, const char *data, size_t len)
{
	unsigned char h[TAR_BLOCK];
	char size[32];
	enum tar_event e;

	snprintf(size, sizeof(size), "%011zo", len);
	header(h, "meta", type, size, type == 'L' || type == 'K' ? GNU : USTAR);
	e = tar_frame_block(f, h);
	return e == TAR_MORE && len ? feed(f, data, len) : e;
}

static void pax(struct tar_frame *f, const char *records)
{
	assert_int_equal(meta(f, 'x', records, strlen(records)), TAR_MORE);
}

static enum tar_event member(struct tar_frame *f, const char *name, char type, const char *size,
			     enum magic magic)
{
	unsigned char h[TAR_BLOCK];

	header(h, name, type, size, magic);
	return tar_frame_block(f, h);
}

static void every_kind_of_regular_file_is_one(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;

	(void)state;
	for (const char *type = "07"; *type; type++) {
		assert_int_equal(member(&f, "a/b", *type, "00000001750", USTAR), TAR_MEMBER);
		assert_int_equal(f.type, '0');
		assert_int_equal(f.size, 1000);
		assert_string_equal(buf_str(&f.name), "a/b");
		assert_false(f.sparse);
	}
	assert_int_equal(member(&f, "a", '\0', "  17 ", V7), TAR_MEMBER);
	assert_int_equal(f.type, '0');
	assert_int_equal(f.size, 15);
	assert_int_equal(member(&f, "a/", '\0', "0", V7), TAR_MEMBER);
	assert_int_equal(f.type, '5');
	tar_frame_done(&f);
}

static void what_has_no_data_has_none(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;

	(void)state;
	for (const char *type = "123456"; *type; type++) {
		assert_int_equal(member(&f, "a", *type, "00000001750", USTAR), TAR_MEMBER);
		assert_int_equal(f.type, *type);
		assert_int_equal(f.size, 0);
	}
	/* unknown kinds are skipped with what they bring */
	assert_int_equal(member(&f, "a", 'Z', "00000001750", USTAR), TAR_MEMBER);
	assert_int_equal(f.type, 'Z');
	assert_int_equal(f.size, 1000);
	/* pax allows data behind a hard link */
	pax(&f, "10 path=x\n");
	assert_int_equal(member(&f, "a", '1', "00000001750", USTAR), TAR_MEMBER);
	assert_int_equal(f.size, 1000);
	tar_frame_done(&f);
}

static void names_come_from_prefix_long_name_or_pax(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;
	unsigned char h[TAR_BLOCK];
	char name[1501], full[151 + 100 + 1];

	(void)state;
	header(h, "", '0', "0", USTAR);
	memset(h, 'n', 100);
	memset(h + 345, 'p', 155);
	sum_again(h);
	assert_int_equal(tar_frame_block(&f, h), TAR_MEMBER);
	assert_int_equal(f.name.len, 155 + 1 + 100);
	assert_int_equal(f.name.data[155], '/');
	header(h, "n", '0', "0", GNU);
	memset(h + 345, 'p', 12);
	sum_again(h);
	assert_int_equal(tar_frame_block(&f, h), TAR_MEMBER);
	assert_string_equal(buf_str(&f.name), "n");
	memset(name, 'l', sizeof(name) - 1);
	name[1500] = '\0';
	assert_int_equal(meta(&f, 'K', name, sizeof(name)), TAR_MORE);
	assert_int_equal(meta(&f, 'L', name, sizeof(name)), TAR_MORE);
	assert_int_equal(member(&f, "short", '0', "0", GNU), TAR_MEMBER);
	assert_string_equal(buf_str(&f.name), name);
	assert_int_equal(member(&f, "short", '0', "0", GNU), TAR_MEMBER);
	assert_string_equal(buf_str(&f.name), "short");
	snprintf(full, sizeof(full), "13 comment=x\n20 path=pax/name \xc3\xa9\n");
	pax(&f, full);
	assert_int_equal(member(&f, "short", '0', "0", USTAR), TAR_MEMBER);
	assert_string_equal(buf_str(&f.name), "pax/name \xc3\xa9");
	/* of all that follow, which nobody uses */
	assert_int_equal(meta(&f, 'g', "13 path=glob\n", 13), TAR_MORE);
	assert_int_equal(member(&f, "short", '0', "0", USTAR), TAR_MEMBER);
	assert_string_equal(buf_str(&f.name), "short");
	tar_frame_done(&f);
}

static void sizes_may_be_of_pax_or_binary(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;
	unsigned char h[TAR_BLOCK];

	(void)state;
	pax(&f, "19 size=8589934593\n");
	assert_int_equal(member(&f, "a", '0', "0", USTAR), TAR_MEMBER);
	assert_int_equal(f.size, 8589934593);
	assert_int_equal(member(&f, "a", '0', "5", USTAR), TAR_MEMBER);
	assert_int_equal(f.size, 5);
	header(h, "a", '0', "", GNU);
	memcpy(h + 124, "\200\0\0\0\0\0\0\2\0\0\0\1", 12);
	sum_again(h);
	assert_int_equal(tar_frame_block(&f, h), TAR_MEMBER);
	assert_int_equal(f.size, 8589934593);
	/* negative, or too large */
	memcpy(h + 124, "\377\377\377\377\377\377\377\377\377\377\377\377", 12);
	sum_again(h);
	assert_int_equal(tar_frame_block(&f, h), TAR_BROKEN);
	memcpy(h + 124, "\200\0\0\0\377\377\377\377\377\377\377\377", 12);
	sum_again(h);
	assert_int_equal(tar_frame_block(&f, h), TAR_BROKEN);
	tar_frame_done(&f);
	f = (struct tar_frame)TAR_FRAME_INIT;
	assert_int_equal(meta(&f, 'x', "29 size=99999999999999999999\n", 29), TAR_BROKEN);
	tar_frame_done(&f);
	f = (struct tar_frame)TAR_FRAME_INIT;
	assert_int_equal(meta(&f, 'x', "11 size=-1\n", 11), TAR_BROKEN);
	tar_frame_done(&f);
}

static void sparse_files_of_any_kind_are_told(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;
	unsigned char h[TAR_BLOCK], map[TAR_BLOCK] = { 0 };

	(void)state;
	pax(&f, "22 GNU.sparse.major=1\n");
	assert_int_equal(member(&f, "a", '0', "1000", USTAR), TAR_MEMBER);
	assert_true(f.sparse);
	assert_int_equal(member(&f, "a", '0', "1000", USTAR), TAR_MEMBER);
	assert_false(f.sparse);
	/* old GNU: the map goes on behind the header */
	header(h, "a", 'S', "1000", GNU);
	memcpy(h + 386, "00000000000", 11);
	h[482] = 1;
	sum_again(h);
	map[504] = 1;
	assert_int_equal(tar_frame_block(&f, h), TAR_MORE);
	assert_int_equal(tar_frame_block(&f, map), TAR_MORE);
	map[504] = 0;
	assert_int_equal(tar_frame_block(&f, map), TAR_MEMBER);
	assert_true(f.sparse);
	assert_int_equal(f.size, 512);
	assert_int_equal(member(&f, "b", '0', "1000", USTAR), TAR_MEMBER);
	assert_false(f.sparse);
	tar_frame_done(&f);
}

static void zeros_end_and_anything_else_is_broken(void **state)
{
	struct tar_frame f = TAR_FRAME_INIT;
	unsigned char h[TAR_BLOCK], zeros[TAR_BLOCK] = { 0 };

	(void)state;
	header(h, "a", '0', "1", USTAR);
	h[0] = 'b';
	assert_int_equal(tar_frame_block(&f, h), TAR_BROKEN);
	h[0] = 'a';
	assert_int_equal(tar_frame_block(&f, h), TAR_MEMBER);
	assert_int_equal(tar_frame_block(&f, zeros), TAR_END);
	assert_int_equal(tar_frame_block(&f, h), TAR_END);
	tar_frame_done(&f);
	/* a name of 2 MiB is none */
	f = (struct tar_frame)TAR_FRAME_INIT;
	assert_int_equal(member(&f, "a", 'L', "00010000000", GNU), TAR_BROKEN);
	tar_frame_done(&f);
	/* the sum of signed bytes */
	f = (struct tar_frame)TAR_FRAME_INIT;
	header(h, "\xff", '0', "1", USTAR);
	sum_again(h);
	snprintf((char *)h + 148, 8, "%06lo", strtoul((char *)h + 148, NULL, 8) - 256);
	assert_int_equal(tar_frame_block(&f, h), TAR_MEMBER);
	tar_frame_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_regular_file_is_one),
		cmocka_unit_test(what_has_no_data_has_none),
		cmocka_unit_test(names_come_from_prefix_long_name_or_pax),
		cmocka_unit_test(sizes_may_be_of_pax_or_binary),
		cmocka_unit_test(sparse_files_of_any_kind_are_told),
		cmocka_unit_test(zeros_end_and_anything_else_is_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static int reset(void **state)
{
	(void)state;
	wire_reset();
	return 0;
}

/* As seen between containerd and a shim. */
static void known_bytes(void **state)
{
	static const uint8_t bytes[] = { 0x08, 0xc9, 0x1f, 0x10, 0x87, 0x20 };
	Shim__ConnectResponse out = SHIM__CONNECT_RESPONSE__INIT;
	Shim__ConnectResponse *in;
	autobuf b = BUF_INIT;

	(void)state;
	out.shim_pid = 4041;
	out.task_pid = 4103;
	buf_adds(&b, "x");
	wire_pack(&out.base, &b);
	assert_int_equal(b.len, 1 + sizeof(bytes));
	assert_memory_equal(b.data + 1, bytes, sizeof(bytes));
	assert_int_equal(b.data[b.len], 0);
	in = wire_unpack(&shim__connect_response__descriptor, bytes, sizeof(bytes));
	assert_non_null(in);
	assert_int_equal(in->shim_pid, 4041);
	assert_int_equal(in->task_pid, 4103);
	assert_string_equal(in->version, "");
}

static void nothing(void **state)
{
	Shim__Empty out = SHIM__EMPTY__INIT;
	autobuf b = BUF_INIT;
	Shim__WaitRequest *in;

	(void)state;
	wire_pack(&out.base, &b);
	assert_int_equal(b.len, 0);
	in = wire_unpack(&shim__wait_request__descriptor, NULL, 0);
	assert_non_null(in);
	assert_string_equal(in->id, "");
}

static void broken(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\x0a", 1 },			   /* no length */
		{ "\x0a\x05xx", 4 },		   /* shorter than it says */
		{ "\x0a\xff\xff\xff\xff\x0f", 6 }, /* much shorter */
		{ "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
		{ "\x0a\x02\xff\xfe", 4 },     /* id: not UTF-8 */
		{ "\x1a\x03\x0a\x01\xff", 5 }, /* rootfs[0].type */
		{ "\x1a\x03\x22\x01\xff", 5 }, /* rootfs[0].options[0] */
		{ "\x52\x03\x0a\x01\xff", 5 }, /* options.type_url */
		{ "\x07", 1 },		       /* no such wire type */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_null(wire_unpack(&shim__create_request__descriptor, cases[i].bytes,
					cases[i].len));
	/* Bytes are not strings. */
	assert_non_null(wire_unpack(&shim__any__descriptor, "\x12\x01\xff", 3));
}

/* Fields that a newer containerd may send are skipped. */
static void unknown_fields(void **state)
{
	Shim__WaitRequest *in;

	(void)state;
	in = wire_unpack(&shim__wait_request__descriptor, "\xfa\x01\x02hi\x0a\x01x\xf0\x07\x05",
			 11);
	assert_non_null(in);
	assert_string_equal(in->id, "x");
}

static Shim__UpdateRequest *long_one(struct buf *b, size_t len)
{
	Shim__UpdateRequest out = SHIM__UPDATE_REQUEST__INIT;
	autofree char *id = malloc(len + 1);

	memset(id, 'x', len);
	id[len] = '\0';
	out.id = id;
	buf_reset(b);
	wire_pack(&out.base, b);
	return wire_unpack(&shim__update_request__descriptor, b->data, b->len);
}

/* What does not fit in the area is as good, and nothing overlaps. Leaks are found by the
 * sanitizers' build. */
static void beyond_the_area(void **state)
{
	autobuf b = BUF_INIT;
	Shim__UpdateRequest *a, *c;

	(void)state;
	a = long_one(&b, WIRE_AREA_SIZE / 2);
	c = long_one(&b, WIRE_AREA_SIZE / 2);
	assert_non_null(a);
	assert_non_null(c);
	assert_int_equal(strspn(a->id, "x"), WIRE_AREA_SIZE / 2);
	memset(c->id, 'y', WIRE_AREA_SIZE / 2);
	assert_int_equal(strspn(a->id, "x"), WIRE_AREA_SIZE / 2);
	assert_non_null(long_one(&b, 4u << 20));
	assert_non_null(long_one(&b, 4u << 20));
	/* The same over and over, without a reset, comes to its limit. */
	assert_non_null(long_one(&b, 4u << 20));
	assert_null(long_one(&b, 4u << 20));
	wire_reset();
	assert_non_null(long_one(&b, 4u << 20));
}

/* Many tiny items: the decoder needs many times their size, and is not given it. */
static void bombs(void **state)
{
	static uint8_t bytes[4u << 20];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i += 2)
		bytes[i] = 0x1a; /* rootfs: an empty mount */
	assert_null(wire_unpack(&shim__create_request__descriptor, bytes, sizeof(bytes)));
	wire_reset();
	assert_non_null(wire_unpack(&shim__create_request__descriptor, bytes, 20000));
}

static void texts(void **state)
{
	char clean[] = "a\xc3\xa4\xff\xe2\x82";

	(void)state;
	assert_string_equal(wire_text("plain", 100), "plain");
	assert_string_equal(wire_text("", 100), "");
	assert_string_equal(wire_text("plain", 3), "pla");
	assert_string_equal(wire_text("plain", 0), "");
	assert_string_equal(wire_text("a\xff\xc3\xa4", 100), "a?\xc3\xa4");
	/* No half characters: not at the limit, not at the end. */
	assert_string_equal(wire_text("a\xc3\xa4", 2), "a");
	assert_string_equal(wire_text("a\xc3\xa4z", 3), "a\xc3\xa4");
	assert_string_equal(wire_text("\xf0\x9f\x98\x80", 3), "");
	assert_string_equal(wire_text("a\xc3", 100), "a?");
	wire_clean(clean, 100);
	assert_string_equal(clean, "a\xc3\xa4???");
}

static void times(void **state)
{
	Shim__Timestamp t = wire_time(INT64_C(1700000000123456789));

	(void)state;
	assert_int_equal(t.seconds, 1700000000);
	assert_int_equal(t.nanos, 123456789);
	t = wire_time(-1);
	assert_int_equal(t.seconds, -1);
	assert_int_equal(t.nanos, 999999999);
	t = wire_time(WIRE_NO_TIME);
	assert_int_equal(t.seconds, -62135596800);
	assert_int_equal(t.nanos, 0);
}

static void any_types(void **state)
{
	Shim__Any any = SHIM__ANY__INIT;

	(void)state;
	assert_false(wire_any_is(NULL, "a.B"));
	assert_false(wire_any_is(&any, "a.B"));
	any.type_url = (char *)"a.B";
	assert_true(wire_any_is(&any, "a.B"));
	assert_false(wire_any_is(&any, "a.C"));
	assert_false(wire_any_is(&any, "B"));
	assert_false(wire_any_is(&any, "x/a.B"));
	any.type_url = (char *)"type.googleapis.com/a.B";
	assert_true(wire_any_is(&any, "a.B"));
	any.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/Process";
	assert_true(wire_any_is(&any, "types.containerd.io/opencontainers/runtime-spec/1/Process"));
	assert_true(wire_any_is(&any, "Process"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(known_bytes, reset),
		cmocka_unit_test_teardown(nothing, reset),
		cmocka_unit_test_teardown(broken, reset),
		cmocka_unit_test_teardown(unknown_fields, reset),
		cmocka_unit_test_teardown(beyond_the_area, reset),
		cmocka_unit_test_teardown(bombs, reset),
		cmocka_unit_test_teardown(texts, reset),
		cmocka_unit_test_teardown(times, reset),
		cmocka_unit_test_teardown(any_types, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/options.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static int decode(const char *type, const ProtobufCMessage *message, struct arena *a,
		  struct shim_options *ret, struct err *err)
{
	Shim__Any any = SHIM__ANY__INIT;
	autobuf packed = BUF_INIT;
	int r;

	wire_pack(message, &packed);
	any.type_url = (char *)type;
	any.value.data = (uint8_t *)packed.data;
	any.value.len = packed.len;
	r = options_decode(&any, a, ret, err);
	/* What it returns must not be what this throws away. */
	wire_reset();
	memset(wire_unpack(&shim__any__descriptor, "", 0), 0x55, sizeof(any));
	wire_reset();
	return r;
}

static int decode_text(const char *text, size_t len, struct arena *a, struct shim_options *ret,
		       struct err *err)
{
	Shim__GenericOptions o = SHIM__GENERIC_OPTIONS__INIT;

	o.config_body.data = (uint8_t *)text;
	o.config_body.len = len;
	return decode("runtimeoptions.v1.Options", &o.base, a, ret, err);
}

/* Everything in one line. */
static void show(const struct shim_options *o, struct buf *out)
{
	buf_addf(out, "%s%s%s%u %u <%s> <%s> <%s>", o->no_pivot ? "no-pivot " : "",
		 o->no_new_keyring ? "no-keyring " : "", o->systemd_cgroup ? "systemd " : "",
		 o->io_uid, o->io_gid, o->root, o->binary_name, o->shim_cgroup);
}

#define NOTHING "0 0 <> <> <>"

static void expect(const struct shim_options *o, const char *text)
{
	autobuf out = BUF_INIT;

	show(o, &out);
	assert_string_equal(buf_str(&out), text);
}

static void test_none(void **state)
{
	Shim__RuncOptions runc = SHIM__RUNC_OPTIONS__INIT;
	Shim__Any any = SHIM__ANY__INIT;
	autoarena a = ARENA_INIT;
	struct shim_options o;
	struct err err;

	(void)state;
	assert_int_equal(options_decode(NULL, &a, &o, &err), 0);
	expect(&o, NOTHING);
	assert_int_equal(options_decode(&any, &a, &o, &err), 0);
	expect(&o, NOTHING);
	/* A type without a value, and a type that is not ours. */
	any.type_url = (char *)"containerd.runc.v1.Options";
	assert_int_equal(options_decode(&any, &a, &o, &err), 0);
	expect(&o, NOTHING);
	runc.systemd_cgroup = true;
	assert_int_equal(decode("some.runc.v1.Options", &runc.base, &a, &o, &err), 0);
	expect(&o, NOTHING);
}

static void test_runc(void **state)
{
	Shim__RuncOptions runc = SHIM__RUNC_OPTIONS__INIT;
	autoarena a = ARENA_INIT;
	struct shim_options o;
	struct err err;

	(void)state;
	runc.no_pivot_root = runc.no_new_keyring = runc.systemd_cgroup = true;
	runc.io_uid = 7;
	runc.io_gid = UINT32_MAX;
	runc.root = (char *)"/run/x";
	runc.binary_name = (char *)"tote";
	runc.shim_cgroup = (char *)"/shims";
	assert_int_equal(decode("containerd.runc.v1.Options", &runc.base, &a, &o, &err), 0);
	expect(&o, "no-pivot no-keyring systemd 7 4294967295 </run/x> <tote> </shims>");
	assert_int_equal(
		decode("type.googleapis.com/containerd.runc.v1.Options", &runc.base, &a, &o, &err),
		0);
	expect(&o, "no-pivot no-keyring systemd 7 4294967295 </run/x> <tote> </shims>");
	runc.root = (char *)"x";
	assert_int_equal(decode("containerd.runc.v1.Options", &runc.base, &a, &o, &err), -EINVAL);
	assert_string_equal(err.msg, "options: root \"x\" is no absolute path");
}

static void test_legacy(void **state)
{
	Shim__LegacyOptions legacy = SHIM__LEGACY_OPTIONS__INIT;
	autoarena a = ARENA_INIT;
	struct shim_options o;
	struct err err;

	(void)state;
	legacy.no_new_keyring = true;
	legacy.io_uid = legacy.io_gid = 1000;
	legacy.shim_cgroup = (char *)"/s";
	assert_int_equal(decode("containerd.linux.runc.CreateOptions", &legacy.base, &a, &o, &err),
			 0);
	expect(&o, "no-keyring 1000 1000 <> <> </s>");
}

static const struct {
	const char *text, *options;
} good[] = {
	{ "SystemdCgroup = true\n", "systemd " NOTHING },
	{ "SystemdCgroup=true", "systemd " NOTHING },
	{ "\n# a comment\r\n\t systemdcgroup\t=  true # yes\r\n", "systemd " NOTHING },
	{ "\"SystemdCgroup\" = true\n'NoPivotRoot' = false\n", "systemd " NOTHING },
	{ "SystemdCgroup = true\nSystemdCgroup = false\n", NOTHING },
	{ "IoUid = 0\nIoGid = 4294967295\n", "0 4294967295 <> <> <>" },
	{ "Root = \"/run/x\"\nBinaryName = '/usr/bin/a\\b'\nShimCgroup = \"\"\n",
	  "0 0 </run/x> </usr/bin/a\\b> <>" },
	{ "Root = \"/\\u00fc\\t\\\"\\\\\\U0001F600#\" # and more\n", "0 0 </ü\t\"\\😀#> <> <>" },
	/* What a table of options of containerd's looks like when it is written out. */
	{ "BinaryName = \"\"\nCriuImagePath = \"\"\nCriuPath = \"\"\nIoGid = 0\n"
	  "NoNewKeyring = false\nNoPivotRoot = false\nRoot = \"\"\nShimCgroup = \"\"\n"
	  "SystemdCgroup = true\n",
	  "systemd " NOTHING },
	/* Keys of others: anything. */
	{ "x = 1979-05-27T07:32:00Z\ny = -1.5e3\nIoUid = 1", "1 0 <> <> <>" },
	{ "x = [ 1, # ]\n \"]\",\n [ 2 ]\n]\nIoUid = 1\n", "1 0 <> <> <>" },
	{ "x = { a = \"}\", b = [ { } ] }\nIoUid = 1\n", "1 0 <> <> <>" },
	{ "x = \"\"\"\nIoUid = 2\n\\\"\"\"\" # x\nIoUid = 1\n", "1 0 <> <> <>" },
	{ "x = '''\nIoUid = 2\n\\''' # x\nIoUid = 1\n", "1 0 <> <> <>" },
	{ "x = \"\"\nIoUid = 1\n", "1 0 <> <> <>" },
	{ "a.SystemdCgroup = true\na . \"b c\" = 2\nIoUid = 1\n", "1 0 <> <> <>" },
	/* Only what is above the tables is ours. */
	{ "IoUid = 1\n[table]\nIoUid = 2\n= broken", "1 0 <> <> <>" },
};

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		autoarena a = ARENA_INIT;
		struct shim_options o;
		struct err err;

		if (decode_text(good[i].text, strlen(good[i].text), &a, &o, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		expect(&o, good[i].options);
	}
}

static const struct {
	const char *text, *message;
} bad[] = {
	{ "SystemdCgroup", "options: line 1: expected \"=\"" },
	{ "\n\nSystemdCgroup = yes\n", "options: line 3: expected true or false" },
	{ "SystemdCgroup = truer\n", "options: line 1: unexpected text behind a value" },
	{ "SystemdCgroup = true IoUid = 1\n", "options: line 1: unexpected text behind a value" },
	{ "SystemdCgroup = \n", "options: line 1: expected true or false" },
	{ "= 1\n", "options: line 1: expected a key" },
	{ "a. = 1\n", "options: line 1: expected a key" },
	{ "ü = 1\n", "options: line 1: expected a key" },
	{ "x =\nIoUid = 1\n", "options: line 1: expected a value" },
	{ "x = # nothing\n", "options: line 1: expected a value" },
	{ "IoUid = -1\n", "options: line 1: expected a number below 2^32" },
	{ "IoUid = 4294967296\n", "options: line 1: expected a number below 2^32" },
	{ "IoUid = \"1\"\n", "options: line 1: expected a number below 2^32" },
	{ "Root = /run\n", "options: line 1: expected a string" },
	{ "Root = \"/run\n\"", "options: line 1: a string has no end" },
	{ "Root = \"/run", "options: line 1: a string has no end" },
	{ "Root = \"\\", "options: line 1: unknown escape in a string" },
	{ "Root = \"\\x41\"", "options: line 1: unknown escape in a string" },
	{ "Root = \"\\u12\"", "options: line 1: invalid character in a string" },
	{ "Root = \"\\ud800\"", "options: line 1: invalid character in a string" },
	{ "Root = \"\\U00110000\"", "options: line 1: invalid character in a string" },
	{ "Root = \"\\u0000\"", "options: line 1: invalid character in a string" },
	{ "Root = \"\"\"/run\"\"\"\n", "options: line 1: unexpected text behind a value" },
	{ "Root = \"run\"\n", "options: root \"run\" is no absolute path" },
	{ "x = [\n1\n", "options: line 3: a bracket is not closed" },
	{ "x = ]\n", "options: line 1: unexpected bracket" },
	{ "x = \"\"\"\n\\\"\"\"", "options: line 2: a string has no end" },
	{ "x = '\n'", "options: line 1: a string has no end" },
};

static void test_bad_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct shim_options o;
		struct err err = { 0 };

		if (decode_text(bad[i].text, strlen(bad[i].text), &a, &o, &err) != -EINVAL)
			fail_msg("case %zu: taken", i);
		assert_string_equal(err.msg, bad[i].message);
	}
}

static void test_bytes(void **state)
{
	static const char text[] = "IoUid = 1\n\0IoUid = 2\n";
	autoarena a = ARENA_INIT;
	struct shim_options o;
	struct err err;

	(void)state;
	assert_int_equal(decode_text(text, sizeof(text), &a, &o, &err), -EINVAL);
	assert_string_equal(err.msg, "options: not a text");
	/* It ends where its length says, not at a NUL. */
	assert_int_equal(decode_text(text, strlen("IoUid = "), &a, &o, &err), -EINVAL);
}

/* Every part of a text ends well, whatever it ends in. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (size_t len = 1; len < strlen(good[i].text); len++) {
			autoarena a = ARENA_INIT;
			autofree char *exact = malloc(len);
			struct shim_options o;
			struct err err = { 0 };
			int r;

			assert_non_null(exact);
			memcpy(exact, good[i].text, len);
			r = decode_text(exact, len, &a, &o, &err);
			assert_true(r == 0 || (r == -EINVAL && *err.msg));
		}
	}
}

static void test_file(void **state)
{
	Shim__GenericOptions o = SHIM__GENERIC_OPTIONS__INIT;
	char path[] = "/tmp/test_options.XXXXXX";
	autofd fd = mkstemp(path);
	autoarena a = ARENA_INIT;
	struct shim_options options;
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "IoUid = 5\n", 10), 10);
	o.config_path = path;
	assert_int_equal(decode("runtimeoptions.v1.Options", &o.base, &a, &options, &err), 0);
	expect(&options, "5 0 <> <> <>");
	/* What is there as text comes first. */
	o.config_body.data = (uint8_t *)"IoUid = 6\n";
	o.config_body.len = 10;
	assert_int_equal(decode("runtimeoptions.v1.Options", &o.base, &a, &options, &err), 0);
	expect(&options, "6 0 <> <> <>");
	o.config_body.len = 0;
	assert_int_equal(write(fd, "IoUid\n", 6), 6);
	assert_int_equal(decode("runtimeoptions.v1.Options", &o.base, &a, &options, &err), -EINVAL);
	assert_non_null(strstr(err.msg, path));
	assert_non_null(strstr(err.msg, ": line 2: expected \"=\""));
	unlink(path);
	assert_int_equal(decode("runtimeoptions.v1.Options", &o.base, &a, &options, &err), -ENOENT);
	o.config_path = (char *)"shim.toml";
	assert_int_equal(decode("runtimeoptions.v1.Options", &o.base, &a, &options, &err), -EINVAL);
	assert_string_equal(err.msg, "options: \"shim.toml\" is no absolute path");
}

static void test_broken_message(void **state)
{
	static const char *const types[] = {
		"containerd.runc.v1.Options",
		"runtimeoptions.v1.Options",
		"containerd.linux.runc.CreateOptions",
	};
	autoarena a = ARENA_INIT;
	struct shim_options o;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		Shim__Any any = SHIM__ANY__INIT;

		any.type_url = (char *)types[i];
		/* A string of 100 bytes, of which there is one. */
		any.value.data = (uint8_t *)"\x0a\x64x";
		any.value.len = 3;
		assert_int_equal(options_decode(&any, &a, &o, &err), -EINVAL);
		assert_non_null(strstr(err.msg, types[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_runc),
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_broken_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/args.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define MAX_WORDS 16

static int parse(const char *const *words, struct arena *a, struct shim_args *ret, struct err *err)
{
	char *argv[MAX_WORDS + 2] = { (char *)"containerd-shim-tote-v2" };
	int argc = 1;

	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)words[argc - 1];
	return args_parse(argc, argv, a, ret, err);
}

/* All of these say the same: namespace k8s.io, id p1, address /c.sock, debug, action start. */
static const char *const same[][MAX_WORDS] = {
	{ "-namespace", "k8s.io", "-address", "/c.sock", "-publish-binary", "/usr/bin/containerd",
	  "-id", "p1", "-debug", "start" },
	{ "--namespace", "k8s.io", "--address", "/c.sock", "--id", "p1", "--debug", "start" },
	{ "-namespace=k8s.io", "-address=/c.sock", "--id=p1", "-debug=true", "start" },
	{ "-debug", "-id", "p1", "-namespace", "k8s.io", "-address", "/c.sock", "start", "more",
	  "-id", "words" },
	/* Flags of later versions, with and without values. */
	{ "-namespace", "k8s.io", "-id", "p1", "-address", "/c.sock", "-new", "-debug", "start" },
	{ "-new", "value", "-namespace", "k8s.io", "-id", "p1", "-address", "/c.sock", "-debug",
	  "-newer", "start" },
	{ "-new=value", "-namespace", "k8s.io", "-id", "p1", "-address", "/c.sock", "-debug", "--",
	  "start" },
	/* The last one counts, and a value may look like a flag. */
	{ "-id", "-x", "-namespace", "a", "-namespace", "k8s.io", "-id", "p1", "-address",
	  "/c.sock", "-debug", "start" },
};

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		autoarena a = ARENA_INIT;
		struct shim_args args;
		struct err err;

		if (parse(same[i], &a, &args, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_string_equal(args.namespace, "k8s.io");
		assert_string_equal(args.id, "p1");
		assert_string_equal(args.grpc_address, "/c.sock");
		assert_string_equal(args.action, "start");
		assert_string_equal(args.socket_dir, "/run/containerd/s");
		assert_true(args.debug);
		assert_false(args.info || args.version || args.new_reply);
	}
}

static const struct {
	const char *words[MAX_WORDS], *message;
} bad[] = {
	{ { "-namespace", "n", "-id" }, "flag needs an argument: -id" },
	{ { "-namespace", "n", "-debug=maybe", "start" }, "invalid boolean value \"maybe\"" },
	{ { "-id", "x", "delete" }, "no namespace" },
	{ { "-namespace", "", "-id", "x", "delete" }, "no namespace" },
	{ { "-namespace", "n", "delete" }, "no container id" },
	{ { "-namespace", "n", "-id", "x" }, "no action: \"start\" or \"delete\" is missing" },
	{ { NULL }, "no action: \"start\" or \"delete\" is missing" },
	{ { "-namespace", "n", "-id", "../x", "delete" }, "invalid container id \"../x\"" },
	{ { "-namespace", "n", "-id", "..", "delete" }, "invalid container id \"..\"" },
	{ { "-namespace", "a/b", "-id", "x", "delete" }, "invalid namespace \"a/b\"" },
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct shim_args args;
		struct err err;

		assert_int_equal(parse(bad[i].words, &a, &args, &err), -EINVAL);
		assert_string_equal(err.msg, bad[i].message);
	}
}

static void test_long_id(void **state)
{
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;
	char id[301] = { 0 };
	const char *words[] = { "-namespace", "n", "-id", id, "delete", NULL };

	(void)state;
	memset(id, 'x', 76);
	assert_int_equal(parse(words, &a, &args, &err), 0);
	memset(id, 'x', 300);
	assert_int_equal(parse(words, &a, &args, &err), -EINVAL);
	assert_string_equal(err.msg, "the container id is longer than 76 bytes");
	id[77] = '\0';
	assert_int_equal(parse(words, &a, &args, &err), -EINVAL);
	words[1] = id;
	words[3] = "x";
	assert_int_equal(parse(words, &a, &args, &err), -EINVAL);
	assert_string_equal(err.msg, "the namespace is longer than 76 bytes");
	id[76] = '\0';
	assert_int_equal(parse(words, &a, &args, &err), 0);
}

/* They need nothing else. */
static void test_alone(void **state)
{
	static const char *const info[] = { "-info", NULL }, *const version[] = { "-v", NULL };
	static const char *const help[][2] = { { "-h" }, { "-help" }, { "--help" } };
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_int_equal(parse(info, &a, &args, &err), 0);
	assert_true(args.info);
	assert_int_equal(parse(version, &a, &args, &err), 0);
	assert_true(args.version && !args.info);
	for (size_t i = 0; i < ARRAY_SIZE(help); i++) {
		assert_int_equal(parse(help[i], &a, &args, &err), 0);
		assert_true(args.help && !args.version && !args.info);
	}
}

static void test_environment(void **state)
{
	static const char *const words[] = { "-namespace", "n", "-id", "x", "delete", NULL };
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_int_equal(parse(words, &a, &args, &err), 0);
	assert_null(args.ttrpc_address);
	assert_string_equal(args.grpc_address, "");
	setenv("TTRPC_ADDRESS", "/c.sock.ttrpc", 1);
	setenv("GRPC_ADDRESS", "/c.sock", 1);
	assert_int_equal(parse(words, &a, &args, &err), 0);
	assert_string_equal(args.ttrpc_address, "/c.sock.ttrpc");
	assert_string_equal(args.grpc_address, "/c.sock");
	setenv("TTRPC_ADDRESS", "unix:///c.sock.ttrpc", 1);
	assert_int_equal(parse(words, &a, &args, &err), 0);
	assert_string_equal(args.ttrpc_address, "/c.sock.ttrpc");
	unsetenv("TTRPC_ADDRESS");
	unsetenv("GRPC_ADDRESS");
}

static void test_bundle(void **state)
{
	static const char *const start[] = { "-namespace", "n", "start", NULL };
	static const char *const by_id[] = { "-namespace", "n", "-id", "x", "delete", NULL };
	static const char *const given[] = { "-namespace", "n",	 "-id",	   "x",
					     "-bundle",	   "/b", "delete", NULL };
	static const char *const relative[] = { "-namespace", "n",  "-id",    "x",
						"-bundle",    "b2", "delete", NULL };
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_int_equal(chdir("/usr/bin"), 0);
	assert_int_equal(parse(start, &a, &args, &err), 0);
	assert_string_equal(args.bundle, "/usr/bin");
	assert_int_equal(parse(by_id, &a, &args, &err), 0);
	assert_string_equal(args.bundle, "/usr/x");
	assert_int_equal(parse(given, &a, &args, &err), 0);
	assert_string_equal(args.bundle, "/b");
	assert_int_equal(parse(relative, &a, &args, &err), 0);
	assert_string_equal(args.bundle, "/usr/bin/b2");
}

static void test_bundle_gone(void **state)
{
	static const char *const start[] = { "-namespace", "n", "start", NULL };
	static const char *const by_id[] = { "-namespace", "n", "-id", "x", "delete", NULL };
	char dir[] = "/tmp/test_args.XXXXXX";
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(parse(start, &a, &args, &err), -ENOENT);
	assert_int_equal(parse(by_id, &a, &args, &err), 0);
	assert_string_equal(args.bundle, "");
	assert_int_equal(chdir("/"), 0);
}

/* stdin */

static int take(const char *namespace, const char *id, const struct buf *in, struct arena *a,
		struct shim_args *ret, struct err *err)
{
	const char *words[] = { "-namespace", namespace,    "-id",   id,
				"-address",   "/flag.sock", "start", NULL };

	if (!namespace)
		words[0] = "start", words[1] = NULL;
	assert_int_equal(parse(words, a, ret, err), 0);
	return args_take_stdin(ret, buf_str(in), in->len, a, err);
}

static void pack_runc(struct buf *out, const char *shim_cgroup)
{
	Shim__RuncOptions o = SHIM__RUNC_OPTIONS__INIT;

	o.shim_cgroup = (char *)shim_cgroup;
	wire_pack(&o.base, out);
}

static void pack_any(struct buf *out, const char *type, const struct buf *value)
{
	Shim__Any any = SHIM__ANY__INIT;

	any.type_url = (char *)type;
	any.value.data = (uint8_t *)value->data;
	any.value.len = value->len;
	wire_pack(&any.base, out);
}

static void test_stdin_empty(void **state)
{
	autobuf in = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_int_equal(take("n", "x", &in, &a, &args, &err), 0);
	assert_false(args.new_reply);
	assert_int_equal(take(NULL, NULL, &in, &a, &args, &err), -EINVAL);
	assert_string_equal(err.msg, "no namespace");
}

static void test_stdin_any(void **state)
{
	autobuf in = BUF_INIT, options = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	pack_runc(&options, "/shims");
	pack_any(&in, "containerd.runc.v1.Options", &options);
	assert_int_equal(take("n", "x", &in, &a, &args, &err), 0);
	assert_false(args.new_reply);
	assert_string_equal(args.shim_cgroup, "/shims");
	buf_reset(&in);
	pack_any(&in, "some.other.Options", &options);
	assert_int_equal(take("n", "x", &in, &a, &args, &err), 0);
	assert_null(args.shim_cgroup);
}

/* An Any that could be read as parameters: its type is our id. */
static void test_stdin_any_like_params(void **state)
{
	autobuf in = BUF_INIT, options = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	buf_adds(&options, "other");
	pack_any(&in, "some.Options", &options);
	assert_int_equal(take("n", "some.Options", &in, &a, &args, &err), 0);
	assert_false(args.new_reply);
	assert_string_equal(args.namespace, "n");
}

static void pack_params(struct buf *out, const char *socket_dir, int32_t level)
{
	Shim__BootstrapParams p = SHIM__BOOTSTRAP_PARAMS__INIT;
	Shim__Extension other = SHIM__EXTENSION__INIT, runc = SHIM__EXTENSION__INIT,
			empty = SHIM__EXTENSION__INIT;
	Shim__Extension *extensions[] = { &empty, &other, &runc };
	Shim__Any other_any = SHIM__ANY__INIT, runc_any = SHIM__ANY__INIT;
	autobuf options = BUF_INIT;

	pack_runc(&options, "/shims");
	other_any.type_url = (char *)"some.Extension";
	runc_any.type_url = (char *)"containerd.runc.v1.Options";
	runc_any.value.data = (uint8_t *)options.data;
	runc_any.value.len = options.len;
	other.value = &other_any;
	runc.value = &runc_any;
	p.instance_id = (char *)"x";
	p.namespace_ = (char *)"n";
	p.log_level = level;
	p.containerd_ttrpc_address = (char *)"/new.sock.ttrpc";
	p.containerd_grpc_address = (char *)"/new.sock";
	p.socket_dir = (char *)socket_dir;
	p.n_extensions = 3;
	p.extensions = extensions;
	wire_pack(&p.base, out);
}

static void test_stdin_params(void **state)
{
	static const char *const namespaces[] = { "n", NULL };

	(void)state;
	/* With the flags, and without, as it may be one day. */
	for (size_t i = 0; i < 2; i++) {
		autobuf in = BUF_INIT;
		autoarena a = ARENA_INIT;
		struct shim_args args;
		struct err err;

		pack_params(&in, "/run/s", -4);
		assert_int_equal(take(namespaces[i], "x", &in, &a, &args, &err), 0);
		assert_true(args.new_reply && args.debug);
		assert_string_equal(args.namespace, "n");
		assert_string_equal(args.id, "x");
		assert_string_equal(args.grpc_address, "/new.sock");
		assert_string_equal(args.ttrpc_address, "/new.sock.ttrpc");
		assert_string_equal(args.socket_dir, "/run/s");
		assert_string_equal(args.shim_cgroup, "/shims");
	}
}

static void test_stdin_params_defaults(void **state)
{
	autobuf in = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	pack_params(&in, "", 8);
	assert_int_equal(take("n", "x", &in, &a, &args, &err), 0);
	assert_false(args.debug);
	assert_string_equal(args.socket_dir, "/run/containerd/s");
}

static void test_socket_dir(void **state)
{
	/* 42 bytes and 43. */
	static const char fits[] = "/23456789012345678901234567890123456789012";
	static const char *const others[] = { "/234567890123456789012345678901234567890123", "s" };
	autobuf in = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct shim_args args;
	struct err err;

	(void)state;
	assert_int_equal(strlen(fits), 42);
	pack_params(&in, fits, 0);
	assert_int_equal(take("n", "x", &in, &a, &args, &err), 0);
	assert_string_equal(args.socket_dir, fits);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		buf_reset(&in);
		pack_params(&in, others[i], 0);
		assert_int_equal(take("n", "x", &in, &a, &args, &err), -EINVAL);
	}
}

/* Cut anywhere, and with any byte changed, it is refused or understood, nothing else. */
static void test_stdin_broken(void **state)
{
	autobuf in = BUF_INIT;
	unsigned int refused = 0;

	(void)state;
	pack_params(&in, "/run/s", 0);
	for (size_t at = 0; at < in.len; at++) {
		autobuf cut = BUF_INIT, changed = BUF_INIT;
		autoarena a = ARENA_INIT;
		struct shim_args args;
		struct err err;

		buf_add(&cut, in.data, at);
		refused += take("n", "x", &cut, &a, &args, &err) < 0;
		buf_add(&changed, in.data, in.len);
		changed.data[at] ^= 0x55;
		refused += take("n", "x", &changed, &a, &args, &err) < 0;
	}
	assert_in_range(refused, in.len / 2, 2 * in.len);
}

/* In a child whose stdin is that. */
static int slurp(int fd)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		autobuf out = BUF_INIT;
		struct err err;

		if (fd >= 0)
			dup2(fd, STDIN_FILENO);
		else
			close(STDIN_FILENO);
		if (args_slurp_stdin(&out, &err) < 0)
			_exit(err.code == -ETIMEDOUT ? 100 : 101);
		_exit(out.len < 100 ? (int)out.len : 102);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_slurp(void **state)
{
	int p[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC), tty = posix_openpt(O_RDWR);

	(void)state;
	assert_int_equal(slurp(-1), 0);
	assert_int_equal(slurp(null), 0);
	assert_int_equal(slurp(tty), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "12345", 5), 5);
	/* Nobody closes it. */
	assert_int_equal(slurp(p[0]), 100);
	assert_int_equal(write(p[1], "12345", 5), 5);
	close(p[1]);
	assert_int_equal(slurp(p[0]), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	     cmocka_unit_test(test_bad),
		cmocka_unit_test(test_long_id),	     cmocka_unit_test(test_alone),
		cmocka_unit_test(test_environment),  cmocka_unit_test(test_bundle),
		cmocka_unit_test(test_bundle_gone),  cmocka_unit_test(test_stdin_empty),
		cmocka_unit_test(test_stdin_any),    cmocka_unit_test(test_stdin_any_like_params),
		cmocka_unit_test(test_stdin_params), cmocka_unit_test(test_stdin_params_defaults),
		cmocka_unit_test(test_socket_dir),   cmocka_unit_test(test_stdin_broken),
		cmocka_unit_test(test_slurp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

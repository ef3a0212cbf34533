/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-cni/request.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "netns/exec_plugin.h"
#include "netns/ns.h"
#include "netns/record.h"
#include "netns/repair.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LATEST "1.1.0"

static const char usage[] =
	"Usage: CNI_COMMAND=ADD|DEL|CHECK|STATUS|GC|VERSION ... tote-cni < CONFIGURATION\n"
	"       tote-cni --help | --version\n"
	"\n"
	"A CNI plugin, and all of those that tote has in one process; see tote-cni(8).\n";

static int add(struct request *q, struct attach *at)
{
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r = repair_add(at, &q->network, false);

	if (r < 0)
		return r;
	json_writer_init(&w, &text, false);
	cni_result_write(&at->result, q->network.version, &w);
	json_writer_done(&w);
	buf_adds(&text, "\n");
	r = fd_write_full(STDOUT_FILENO, text.data, text.len);
	if (r == 0)
		return 0;
	/* Nobody has seen the result: then there must be nothing either. */
	cni_del(at, &q->network);
	return err_code(q->err, EIO, "write the result");
}

static int del(struct request *q, struct attach *at)
{
	return cni_del(at, &q->network);
}

static int check(struct request *q, struct attach *at)
{
	return cni_check(at, &q->network);
}

static int status(struct request *q, struct attach *at)
{
	return cni_status(at, &q->network);
}

static int gc(struct request *q, struct attach *at)
{
	static const struct json_field fields[] = {
		{ "containerID", json_string, offsetof(struct cni_valid, container),
		  JSON_REQUIRED },
		{ "ifname", json_string, offsetof(struct cni_valid, ifname), JSON_REQUIRED },
	};
	static const struct json_table table = { fields, ARRAY_SIZE(fields),
						 sizeof(struct cni_valid) };
	static const struct json_list_of list = { json_object, sizeof(struct cni_valid), &table };
	/* The second is what libcni 1.2.0 to 1.2.2 sent by mistake. One without any is null in Go. */
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };
	LIST(struct cni_valid) valid = { NULL, 0 };
	const char *key = keys[json_get(q->network.whole, keys[0]) ? 0 : 1];
	const struct json_field whole_field = { key, json_list, 0, 0, &list };
	const struct json_table whole = { &whole_field, 1, sizeof(valid) };
	int r;

	if (!json_get(q->network.whole, key))
		return err_set(q->err, EINVAL, "%s: missing", keys[0]);
	r = json_decode(q->network.whole, &whole, q->arena, &valid, q->err);
	return r < 0 ? r : cni_gc(at, &q->network, valid.items, valid.count);
}

static const struct command commands[] = {
	{ "ADD", add, CONTAINER | IFNAME | NETNS, "0.1.0" },
	{ "DEL", del, CONTAINER | IFNAME, "0.1.0" },
	{ "CHECK", check, CONTAINER | IFNAME | NETNS, "0.4.0" },
	{ "STATUS", status, 0, "1.1.0" },
	{ "GC", gc, 0, "1.1.0" },
	{ "VERSION", NULL, 0, "0.1.0" },
};

/* The version a document claims, if it is one of ours: answers are to be in it. */
static void note_version(struct request *q, const struct json_value *whole)
{
	const struct json_value *v = json_get(whole, "cniVersion");

	if (v && v->kind == JSON_STRING && cni_version_known(v->text))
		q->version = v->text;
}

static int read_conf(struct request *q, struct json_value **ret_whole)
{
	char *text;
	size_t len;
	int r = file_read_fd(STDIN_FILENO, "the configuration on stdin", JSON_MAX_SIZE, q->arena,
			     &text, &len, q->err);

	if (r < 0)
		return q->err->code = -EIO;
	/* People ask for the versions by hand, without anything to answer in the version of. */
	if (!len && !q->command->run)
		return 0;
	r = json_parse(text, len, q->arena, ret_whole, q->err);
	if (r < 0)
		return q->err->code = -EBADMSG;
	note_version(q, *ret_whole);
	return 0;
}

static int print_versions(struct request *q)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_pair_string(&w, "cniVersion", q->version);
	json_key(&w, "supportedVersions");
	json_begin_array(&w);
	for (const char *const *v = cni_versions; *v; v++)
		json_put_string(&w, *v);
	json_end_array(&w);
	json_end_object(&w);
	json_writer_done(&w);
	buf_adds(&text, "\n");
	return fd_write_full(STDOUT_FILENO, text.data, text.len) < 0
		       ? err_set(q->err, EIO, "write the versions")
		       : 0;
}

static int check_conf(struct request *q, const struct json_value *whole)
{
	int r = cni_network_from_value(whole, q->arena, &q->network, q->err);

	if (r < 0)
		return r;
	q->version = q->network.version;
	if (cni_version_compare(q->network.version, q->command->since) < 0)
		return err_set(q->err, EPROTONOSUPPORT,
			       "cniVersion: %s came with %s, the configuration is of %s",
			       q->command->name, q->command->since, q->network.version);
	return 0;
}

/* Whether the container would get what is meant for the host: libcni has plugins look, and this
 * variable to stop them. */
static int check_own_netns(const struct request *q, int netns_fd)
{
	const char *override = getenv("CNI_NETNS_OVERRIDE");
	struct stat own, given;

	if (override && *override && strcmp(override, "0") != 0 && strcmp(override, "false") != 0)
		return 0;
	if (fstat(netns_fd, &given) < 0 || stat("/proc/thread-self/ns/net", &own) < 0)
		return err_errno(q->err, "CNI_NETNS");
	if (own.st_dev != given.st_dev || own.st_ino != given.st_ino)
		return 0;
	return err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
		       "CNI_NETNS: %s is the network namespace of the host (set "
		       "CNI_NETNS_OVERRIDE=1 if that is meant)",
		       q->netns);
}

/* Leaves ret_fd alone when there is none and DEL can do without. */
static int open_netns(const struct request *q, int *ret_fd)
{
	bool may_be_gone = !(q->command->needs & NETNS);
	autofd fd = -1;
	int r;

	if (!(q->command->needs & CONTAINER) || !q->netns || !*q->netns)
		return 0;
	fd = ns_open(q->netns, q->err);
	/* -EINVAL: the path of a namespace is a plain file before and after it is mounted there. */
	if (fd < 0 && may_be_gone)
		return 0;
	if (fd < 0) {
		err_prefix(q->err, "CNI_NETNS");
		return q->err->code = fd == -ENOENT ? -ESRCH : -CNI_ERROR(CNI_BAD_ENVIRONMENT);
	}
	r = check_own_netns(q, fd);
	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

static int take_result(struct request *q, struct attach *at)
{
	const struct json_value *result = json_get(q->network.whole, "prevResult");
	int r;

	if (!result || result->kind == JSON_NULL || !(q->command->needs & CONTAINER))
		return 0;
	r = cni_result_parse(result, q->network.version, q->arena, &at->result, q->err);
	if (r < 0)
		return err_prefix(q->err, "prevResult");
	at->has_result = true;
	return 0;
}

static int run(struct request *q)
{
	const char *held = getenv(CNI_HELD_ENV), *dir = getenv("TOTE_NET_DIR");
	autofd run_fd = -1, netns_fd = -1;
	struct attach at = {
		.container = q->container,
		.ifname = q->ifname,
		.netns_path = q->netns,
		.args = q->args,
		.plugin_path = q->path,
		.run_dir = dir && *dir ? dir : NET_RUN_DIR,
		.no_record = held && q->container && strcmp(held, q->container) == 0,
		.runtime = json_get(q->network.whole, "runtimeConfig"),
		.arena = q->arena,
		.err = q->err,
	};
	int r = open_netns(q, &netns_fd);

	if (r == 0)
		r = take_result(q, &at);
	if (r < 0)
		return r;
	run_fd = record_dir_open(at.run_dir, q->err);
	if (run_fd < 0)
		return run_fd;
	at.netns_fd = netns_fd;
	at.run_fd = run_fd;
	r = q->command->run(q, &at);
	attach_close(&at);
	return r;
}

static int handle(struct request *q)
{
	struct json_value *whole;
	int r = request_read_environment(q, commands, ARRAY_SIZE(commands));

	if (r == 0)
		r = read_conf(q, &whole);
	if (r < 0)
		return r;
	if (!q->command->run)
		return print_versions(q);
	r = check_conf(q, whole);
	return r < 0 ? r : run(q);
}

/* Section 5, "Error". */
static int answer_error(const struct request *q)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_pair_string(&w, "cniVersion", q->version);
	json_pair_u64(&w, "code", cni_code(q->err));
	json_pair_string(&w, "msg", q->err->msg);
	json_end_object(&w);
	json_writer_done(&w);
	buf_adds(&text, "\n");
	fd_write_full(STDOUT_FILENO, text.data, text.len);
	return 1;
}

int main(int argc, char **argv)
{
	autoarena arena = ARENA_INIT;
	struct err err = { 0 };
	struct request q = { .arena = &arena, .err = &err, .version = LATEST };
	const char *word = argc > 1 ? argv[1] : "";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return fputs(usage, stdout) < 0;
	if (strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
		return printf("tote-cni version %s\n", TOTE_VERSION) < 0;
	/* A runtime that is gone must not keep us from undoing. */
	signal(SIGPIPE, SIG_IGN);
	return handle(&q) < 0 ? answer_error(&q) : 0;
}

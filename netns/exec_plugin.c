/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/exec_plugin.h"

#include "lib/cleanup.h"
#include "netns/cni.h"
#include "netns/exec_run.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* dhcp waits for a server; runtimes give up on a network after two minutes or more. */
#define TIME_LIMIT_MS 90000

struct call {
	const char *type, *command;
	const struct cni_valid *valid;
	size_t valid_count;
};

static bool for_container(const struct call *call)
{
	return strcmp(call->command, "STATUS") != 0 && strcmp(call->command, "GC") != 0;
}

/* A link of that name to tote-cni would execute itself for ever. */
static bool is_ourselves(const struct stat *st)
{
	struct stat self;

	return stat("/proc/self/exe", &self) == 0 && self.st_dev == st->st_dev &&
	       self.st_ino == st->st_ino;
}

int cni_exec_find(const struct attach *at, const char *type, char **ret_path)
{
	const char *dirs = at->plugin_path && *at->plugin_path ? at->plugin_path : CNI_PLUGIN_PATH;
	const char *dir = dirs;

	while (*dir) {
		size_t len = strcspn(dir, ":");
		char *path = arena_printf(at->arena, "%.*s/%s", (int)len, dir, type);
		struct stat st;

		if (len && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0 &&
		    !is_ourselves(&st)) {
			*ret_path = path;
			return 0;
		}
		dir += len;
		dir += *dir == ':';
	}
	return err_set(at->err, ENOENT, "the plugin \"%s\" is neither built in nor a program in %s",
		       type, dirs);
}

static bool is_ours(const char *key)
{
	static const char *const keys[] = {
		"cniVersion",	       "name",	     "capabilities",
		"runtimeConfig",       "prevResult", "cni.dev/valid-attachments",
		"cni.dev/attachments",
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* "cni.dev/attachments" is what libcni 1.2.0 to 1.2.2 sent by mistake, and plugins came to expect. */
static void put_valid(struct json_writer *w, const struct call *call)
{
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		json_key(w, keys[k]);
		json_begin_array(w);
		for (size_t i = 0; i < call->valid_count; i++) {
			json_begin_object(w);
			json_pair_string(w, "containerID", call->valid[i].container);
			json_pair_string(w, "ifname", call->valid[i].ifname);
			json_end_object(w);
		}
		json_end_array(w);
	}
}

/* Chains came with 0.3.0; DEL gets the result since 0.4.0. */
static bool wants_result(const struct attach *at, const struct call *call)
{
	const char *since = strcmp(call->command, "ADD") == 0 ? "0.3.0" : "0.4.0";

	return at->has_result && for_container(call) &&
	       cni_version_compare(at->version, since) >= 0;
}

/* Section 4, "Deriving execution configuration from plugin configuration". */
static void put_conf(const struct attach *at, const struct call *call, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "cniVersion", at->version);
	json_pair_string(&w, "name", at->network);
	for (const struct json_value *v = at->conf->first; v; v = v->next) {
		if (is_ours(v->key))
			continue;
		json_key(&w, v->key);
		json_put_value(&w, v);
	}
	if (at->runtime && at->runtime->count) {
		json_key(&w, "runtimeConfig");
		json_put_value(&w, at->runtime);
	}
	if (wants_result(at, call)) {
		json_key(&w, "prevResult");
		cni_result_write(&at->result, at->version, &w);
	}
	if (strcmp(call->command, "GC") == 0)
		put_valid(&w, call);
	json_end_object(&w);
	json_writer_done(&w);
}

/* A path that means the same in another process. */
static const char *netns_path(const struct attach *at)
{
	if (at->netns_fd >= 0 && (!at->netns_path || !*at->netns_path ||
				  strncmp(at->netns_path, "/proc/self/", 11) == 0 ||
				  strncmp(at->netns_path, "/dev/fd/", 8) == 0))
		return arena_printf(at->arena, "/proc/%d/fd/%d", getpid(), at->netns_fd);
	return at->netns_path ? at->netns_path : "";
}

/* Ours without its CNI_*, and the plugin's. */
static char **environment(const struct attach *at, const struct call *call)
{
	size_t count = 0, n = 0;
	char **env;

	while (environ[count])
		count++;
	env = arena_calloc(at->arena, count + 8, sizeof(*env));
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "CNI_", 4) != 0)
			env[n++] = environ[i];
	env[n++] = arena_printf(at->arena, "CNI_COMMAND=%s", call->command);
	env[n++] = arena_printf(at->arena, "CNI_PATH=%s",
				at->plugin_path && *at->plugin_path ? at->plugin_path
								    : CNI_PLUGIN_PATH);
	if (!for_container(call))
		return env;
	env[n++] = arena_printf(at->arena, "CNI_CONTAINERID=%s", at->container);
	env[n++] = arena_printf(at->arena, "CNI_IFNAME=%s", at->ifname);
	env[n++] = arena_printf(at->arena, "CNI_NETNS=%s", netns_path(at));
	env[n++] = arena_printf(at->arena, "CNI_ARGS=%s", at->args ? at->args : "");
	env[n++] = arena_printf(at->arena, CNI_HELD_ENV "=%s", at->container);
	return env;
}

/* Its error object as an error of ours; false when it answered none. */
static bool take_error(struct attach *at, const struct buf *out)
{
	static const struct json_field fields[] = {
		{ "code", json_u32, 0, JSON_REQUIRED },
	};
	static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(uint32_t) };
	const struct json_value *msg, *details;
	struct json_value *v;
	struct err unused;
	uint32_t code;

	if (json_parse(buf_str(out), out->len, at->arena, &v, &unused) < 0 ||
	    json_decode(v, &table, at->arena, &code, &unused) < 0)
		return false;
	msg = json_get(v, "msg");
	details = json_get(v, "details");
	if (!code || code > INT_MAX - CNI_ERROR(0))
		code = 100;
	err_set(at->err, CNI_ERROR((int)code), "%s%s%s",
		msg && msg->kind == JSON_STRING ? msg->text : "failed without a message",
		details && details->kind == JSON_STRING && *details->text ? "; " : "",
		details && details->kind == JSON_STRING ? details->text : "");
	/* Plugins hand on what several lines of other programs said. */
	for (char *c = at->err->msg; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	return true;
}

static int failed(struct attach *at, const char *path, int status, const struct buf *out,
		  const struct buf *said)
{
	int len = (int)strcspn(buf_str(said), "\n");

	if (take_error(at, out))
		return at->err->code;
	return err_set(at->err, EIO, "%s ended with code %d%s%.*s", path, status, len ? ": " : "",
		       len, buf_str(said));
}

static int take_result(struct attach *at, const char *path, const struct buf *out,
		       struct cni_result *ret_result)
{
	struct json_value *v;
	int r = json_parse(buf_str(out), out->len, at->arena, &v, at->err);

	if (r == 0 && v->kind != JSON_OBJECT)
		r = err_set(at->err, EINVAL, "expected an object");
	if (r == 0)
		r = cni_result_parse(v, at->version, at->arena, ret_result, at->err);
	if (r == 0)
		return 0;
	err_prefix(at->err, "the result of %s", path);
	return at->err->code = -EBADMSG;
}

static int call_plugin(struct attach *at, const struct call *call, struct cni_result *ret_result)
{
	autobuf conf = BUF_INIT, out = BUF_INIT, said = BUF_INIT;
	char *path;
	int r = cni_exec_find(at, call->type, &path);

	if (r < 0)
		return r;
	put_conf(at, call, &conf);
	r = exec_run(path, environment(at, call), &conf, TIME_LIMIT_MS, &out, &said);
	if (r == -ETIMEDOUT)
		return err_set(at->err, ETIMEDOUT, "%s took longer than %d seconds and was killed",
			       path, TIME_LIMIT_MS / 1000);
	if (r < 0)
		return err_code(at->err, r, "run %s", path);
	if (r > 0)
		return failed(at, path, r, &out, &said);
	return ret_result ? take_result(at, path, &out, ret_result) : 0;
}

int cni_exec(struct attach *at, const char *type, const char *command,
	     struct cni_result *ret_result)
{
	struct call call = { .type = type, .command = command };

	return call_plugin(at, &call, strcmp(command, "ADD") == 0 ? ret_result : NULL);
}

int cni_exec_gc(struct attach *at, const char *type, const struct cni_valid *valid, size_t count)
{
	struct call call = { .type = type, .command = "GC", .valid = valid, .valid_count = count };

	return call_plugin(at, &call, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/exec.h"

#include "cmd/tote/streams.h"
#include "cmd/tote/tote.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exec_options {
	const char *process, *user, *cwd, *pid_file, *pidfd_socket, *console_socket, *label,
		*apparmor, *cgroup;
	struct option_list env, caps, groups;
	bool detach, tty, no_new_privs, ignore_paused;
	unsigned int preserve_fds;
};

#define ITEM(name, letter, kind, member, value, help)                                              \
	{                                                                                          \
		name, letter, kind, offsetof(struct exec_options, member), value, help             \
	}

static const struct option items[] = {
	ITEM("process", 'p', OPT_STRING, process, "FILE",
	     "the process as JSON (process of the runtime-spec)"),
	ITEM("detach", 'd', OPT_FLAG, detach, NULL, "return when the program runs"),
	ITEM("tty", 't', OPT_FLAG, tty, NULL, "with a terminal of its own"),
	ITEM("user", 'u', OPT_STRING, user, "UID[:GID]", "as this user"),
	ITEM("env", 'e', OPT_LIST, env, "NAME=VALUE", "an environment variable; may be repeated"),
	ITEM("cap", 'c', OPT_LIST, caps, "CAP", "a capability to add; may be repeated"),
	ITEM("cwd", 0, OPT_STRING, cwd, "DIR", "the working directory"),
	ITEM("additional-gids", 'g', OPT_LIST, groups, "GID", "a group to add; may be repeated"),
	ITEM("pid-file", 0, OPT_STRING, pid_file, "FILE", "write the pid of the process to FILE"),
	ITEM("pidfd-socket", 0, OPT_STRING, pidfd_socket, "PATH",
	     "send its pidfd to this unix socket"),
	ITEM("console-socket", 0, OPT_STRING, console_socket, "PATH",
	     "send the terminal to this unix socket"),
	ITEM("process-label", 0, OPT_STRING, label, "LABEL", "the SELinux label"),
	ITEM("apparmor", 0, OPT_STRING, apparmor, "PROFILE", "the AppArmor profile"),
	ITEM("no-new-privs", 0, OPT_FLAG, no_new_privs, NULL, "no new privileges by execve"),
	ITEM("preserve-fds", 0, OPT_UINT, preserve_fds, "N", "pass on N descriptors from 3 on"),
	ITEM("cgroup", 0, OPT_STRING, cgroup, "PATH", "a group below the container's own"),
	ITEM("ignore-paused", 0, OPT_FLAG, ignore_paused, NULL,
	     "also in a paused container; runs after resume"),
	{ "no-subreaper", 0, OPT_IGNORED, 0, NULL, "accepted, has no effect" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), true };

static void append(struct strv *v, const char *const *more, size_t count, struct arena *a)
{
	char **joined = arena_calloc(a, v->count + count + 1, sizeof(*joined));

	if (v->count)
		memcpy(joined, v->items, v->count * sizeof(*joined));
	for (size_t i = 0; i < count; i++)
		joined[v->count + i] = arena_strdup(a, more[i]);
	v->items = joined;
	v->count += count;
}

static int parse_id(const char *text, size_t len, uint32_t *ret)
{
	char number[16], *end;
	unsigned long long n;

	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len);
	number[len] = '\0';
	n = strtoull(number, &end, 10);
	if (*end || number[0] == '-' || number[0] == '+' || n >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

/* Numbers only, as in runc: names are the business of whoever knows the image. */
static int set_user(struct spec_process *p, const char *text, struct err *err)
{
	size_t len = strcspn(text, ":");

	if (parse_id(text, len, &p->user.uid) < 0 ||
	    (text[len] && parse_id(text + len + 1, strlen(text + len + 1), &p->user.gid) < 0))
		return err_set(err, EINVAL, "exec: --user: expected UID[:GID], found \"%s\"", text);
	return 0;
}

static int add_groups(struct spec_process *p, const struct option_list *groups, struct arena *a,
		      struct err *err)
{
	uint32_t *all =
		arena_calloc(a, p->user.additional_gids.count + groups->count, sizeof(*all));
	size_t n = p->user.additional_gids.count;

	if (n)
		memcpy(all, p->user.additional_gids.items, n * sizeof(*all));
	for (size_t i = 0; i < groups->count; i++)
		if (parse_id(groups->items[i], strlen(groups->items[i]), &all[n++]) < 0)
			return err_set(err, EINVAL,
				       "exec: --additional-gids: \"%s\" is no group id",
				       groups->items[i]);
	p->user.additional_gids.items = all;
	p->user.additional_gids.count = n;
	return 0;
}

/* A capability that is asked for is one that the program shall have: in all sets but the ambient
 * and inheritable ones. */
static void add_caps(struct spec_process *p, const struct option_list *caps, struct arena *a)
{
	if (!caps->count)
		return;
	p->capabilities = p->capabilities
				  ? arena_memdup(a, p->capabilities, sizeof(*p->capabilities))
				  : arena_alloc(a, sizeof(*p->capabilities));
	append(&p->capabilities->bounding, caps->items, caps->count, a);
	append(&p->capabilities->effective, caps->items, caps->count, a);
	append(&p->capabilities->permitted, caps->items, caps->count, a);
}

/* The container's own process, changed by the options. */
static int process_from_options(struct container *c, const struct exec_options *o, char **args,
				struct spec_process **ret, struct err *err)
{
	struct spec_process *p = arena_memdup(&c->arena, c->spec->process, sizeof(*p));
	size_t n = 0;
	int r = 0;

	while (args[n])
		n++;
	p->args = (struct strv){ NULL, 0 };
	append(&p->args, (const char *const *)args, n, &c->arena);
	for (size_t i = 0; i < o->env.count; i++)
		process_set_env(p, o->env.items[i], &c->arena);
	add_caps(p, &o->caps, &c->arena);
	p->terminal = o->tty;
	p->console_size = o->tty ? p->console_size : NULL;
	p->cwd = o->cwd ? arena_strdup(&c->arena, o->cwd) : p->cwd;
	p->no_new_privileges |= o->no_new_privs;
	if (o->label)
		p->selinux_label = arena_strdup(&c->arena, o->label);
	if (o->apparmor)
		p->apparmor_profile = arena_strdup(&c->arena, o->apparmor);
	if (p->cwd[0] != '/')
		r = err_set(err, EINVAL, "exec: --cwd: \"%s\" is not an absolute path", p->cwd);
	if (r == 0 && o->user)
		r = set_user(p, o->user, err);
	if (r == 0)
		r = add_groups(p, &o->groups, &c->arena, err);
	*ret = p;
	return r;
}

static int process_from_file(struct container *c, const struct exec_options *o,
			     struct spec_process **ret, struct err *err)
{
	char *text;
	size_t len;
	int r = file_read(AT_FDCWD, o->process, JSON_MAX_SIZE, &c->arena, &text, &len, err);

	if (r == 0)
		r = spec_parse_process(text, len, &c->arena, ret, err);
	if (r < 0)
		return err_prefix(err, "exec: --process");
	(*ret)->terminal |= o->tty;
	return 0;
}

/* As run does with a container's own; a bundle's are its caller's business. */
static void lend_streams(const struct container *c, const struct exec_options *o,
			 const struct spec_process *p, struct lent_streams *ret)
{
	const struct spec_id_mappings *ids = &c->spec->linux_.uid_mappings;

	if (c->st.store && ids->count && ids->items[0].container_id == 0 && !p->terminal &&
	    !o->detach && geteuid() == 0)
		streams_lend(ids->items[0].host_id, ret);
}

static int start(struct container *c, const struct exec_options *o, char **args, int *ret_pidfd,
		 int *ret_terminal, struct lent_streams *ret_lent, struct err *err)
{
	struct exec_opts opts = {
		.console_socket = o->console_socket,
		.pid_file = o->pid_file,
		.pidfd_socket = o->pidfd_socket,
		.cgroup = o->cgroup,
		.ignore_paused = o->ignore_paused,
	};
	unsigned int listen;
	int r = container_spec(c, err);

	if (r == 0 && !c->spec->process)
		r = err_set(err, EINVAL, "container %s has no process to take after", c->st.id);
	if (r == 0 && o->cgroup && !o->cgroup[0])
		r = err_set(err, EINVAL,
			    "exec: --cgroup: an empty path (\"/\" is the container's own group)");
	if (r == 0 && o->cgroup && strstr(o->cgroup, ".."))
		r = err_set(err, EINVAL, "exec: --cgroup: must not hold \"..\"");
	if (r == 0)
		r = inherited_fds(o->preserve_fds, &listen, &opts.preserve_fds, err);
	if (r == 0)
		r = o->process ? process_from_file(c, o, &opts.process, err)
			       : process_from_options(c, o, args, &opts.process, err);
	if (r == 0 && o->detach && opts.process->terminal && !o->console_socket)
		r = err_set(err, EINVAL, "exec: a detached terminal needs --console-socket");
	if (r < 0)
		return r;
	if (opts.process->terminal && !o->console_socket)
		process_take_size(opts.process, &c->arena);
	lend_streams(c, o, opts.process, ret_lent);
	return container_exec(c, &opts, ret_pidfd, ret_terminal, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct exec_options *o = opts;
	autocontainer c = CONTAINER_INIT;
	autofd root = -1, pidfd = -1, terminal = -1;
	struct lent_streams lent = { 0 };
	struct err err;
	int r;

	if (!o->process && count < 2) {
		err_set(&err, EINVAL, "exec: missing argument: tote exec ID COMMAND [ARGUMENT...]");
		fail(&err);
		return EXIT_EXEC_FAILED;
	}
	r = open_container(args[0], false, &c, &root, &err);
	if (r == 0)
		r = start(&c, o, args + 1, &pidfd, &terminal, &lent, &err);
	log_warnings(&c);
	if (r == 0 && !o->detach)
		r = attend(pidfd, take_fd(&terminal), &err);
	streams_take_back(&lent);
	if (r < 0) {
		fail(&err);
		return EXIT_EXEC_FAILED;
	}
	return r;
}

const struct verb verb_exec = { "exec",
				"ID COMMAND [ARGUMENT...]",
				"run a further process in a running container",
				&table,
				1,
				(size_t)-1,
				run,
				sizeof(struct exec_options),
				EXIT_EXEC_FAILED };

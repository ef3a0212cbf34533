/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/program.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct globals globals;

struct global_options {
	const char *root, *store, *log, *log_format, *log_level, *manager, *rootless;
	bool debug, systemd_cgroup, version;
};

#define GLOBAL(name, letter, kind, member, value, help)                                            \
	{                                                                                          \
		name, letter, kind, offsetof(struct global_options, member), value, help           \
	}

static const struct option global_option_items[] = {
	GLOBAL("root", 0, OPT_STRING, root, "DIR",
	       "where containers are recorded (default /run/tote)"),
	GLOBAL("store", 0, OPT_STRING, store, "DIR",
	       "where images are kept (default TOTE_STORE, else /var/lib/tote)"),
	GLOBAL("log", 0, OPT_STRING, log, "FILE", "append messages to FILE, or journald:ID"),
	GLOBAL("log-format", 0, OPT_STRING, log_format, "FORMAT", "text (default) or json"),
	GLOBAL("log-level", 0, OPT_STRING, log_level, "LEVEL", "error, warning (default) or debug"),
	GLOBAL("debug", 0, OPT_FLAG, debug, NULL, "the same as --log-level debug"),
	GLOBAL("cgroup-manager", 0, OPT_STRING, manager, "NAME",
	       "cgroupfs (default), systemd or disabled"),
	GLOBAL("systemd-cgroup", 0, OPT_FLAG, systemd_cgroup, NULL,
	       "the same as --cgroup-manager systemd"),
	GLOBAL("rootless", 0, OPT_STRING, rootless, "BOOL", "true, false or auto (default)"),
	{ "criu", 0, OPT_IGNORED_VALUE, 0, "PATH", "accepted, has no effect" },
	GLOBAL("version", 'v', OPT_FLAG, version, NULL, "print the version"),
};
static const struct option_table global_options = { global_option_items,
						    ARRAY_SIZE(global_option_items), true };

static void print_usage(const struct program *p)
{
	if (p->group)
		printf("usage: tote %s", p->group);
	else
		printf("usage: %s", p->name);
	printf(" [OPTION...] COMMAND [ARGUMENT...]\n\n%s\n\ncommands:\n", p->help);
	for (size_t i = 0; i < p->count; i++)
		if (p->verbs[i]->help)
			printf("  %-10s %s\n", p->verbs[i]->name, p->verbs[i]->help);
	for (size_t i = 0; i < p->delegation_count; i++)
		for (size_t k = 0; k < p->delegations[i].count; k++)
			printf("  %-10s %s\n", p->delegations[i].verbs[k].name,
			       p->delegations[i].verbs[k].help);
	printf("\noptions:\n");
	options_print(&global_options);
	if (p->group)
		printf("\n\"tote %s COMMAND --help\" tells more, tote-%s(8) all.\n", p->group,
		       p->group);
	else
		printf("\n\"tote COMMAND --help\" tells more, tote(8) and tote-COMMAND(8) all.\n");
}

/* What comes before a verb's name when somebody types it. */
static const char *group_of(const struct program *p)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s", p->group ? p->group : "", p->group ? " " : "");
	return text;
}

static void print_verb_usage(const struct program *p, const struct verb *v)
{
	printf("usage: tote %s%s [OPTION...]%s%s\n\n%s\n\noptions:\n", group_of(p), v->name,
	       v->arguments[0] ? " " : "", v->arguments, v->help);
	options_print(v->options);
}

/*
 * A user who is not root, or only root of a user namespace that belongs to somebody else: one who
 * is not called root, or not called anything, as podman's monitor leaves it.
 */
static bool detect_rootless(void)
{
	char map[64];
	const char *user = getenv("USER");

	if (geteuid() != 0)
		return true;
	/* The whole range mapped onto itself is the initial namespace. */
	if (file_peek(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) > 0 &&
	    strstr(map, "4294967295"))
		return false;
	return !user || strcmp(user, "root") != 0;
}

static int set_rootless(const char *value, struct err *err)
{
	if (!value || strcmp(value, "auto") == 0)
		globals.rootless = detect_rootless();
	else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		globals.rootless = value[0] == 't';
	else
		return err_set(err, EINVAL,
			       "--rootless: expected true, false or auto, found \"%s\"", value);
	return 0;
}

static int set_root(const char *root, bool optional, struct err *err)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	static char path[4096];

	if (!root && globals.rootless && runtime_dir && runtime_dir[0]) {
		snprintf(path, sizeof(path), "%s/tote", runtime_dir);
		root = path;
	}
	if (!root && globals.rootless && geteuid() != 0 && !optional)
		return err_set(err, EINVAL, "--root: needed, as XDG_RUNTIME_DIR is not set");
	globals.root = root ? absolute(root) : "/run/tote";
	return globals.root[strspn(globals.root, "/")]
		       ? 0
		       : err_set(err, EINVAL, "--root: must not be /");
}

static int set_manager(const struct global_options *o, struct err *err)
{
	const char *name = o->systemd_cgroup ? "systemd" : o->manager ? o->manager : "cgroupfs";

	if (strcmp(name, "cgroupfs") == 0)
		globals.manager = CGROUP_FS;
	else if (strcmp(name, "disabled") == 0)
		globals.manager = CGROUP_DISABLED;
	else if (strcmp(name, "systemd") == 0)
		globals.manager = CGROUP_SYSTEMD;
	else
		return err_set(
			err, EINVAL,
			"--cgroup-manager: expected cgroupfs, systemd or disabled, found \"%s\"",
			name);
	return 0;
}

static int set_log(const struct global_options *o, struct err *err)
{
	bool json = o->log_format && strcmp(o->log_format, "json") == 0;
	const char *level = o->debug ? "debug" : o->log_level ? o->log_level : "warning";
	enum log_level l;

	if (strcmp(level, "error") == 0)
		l = LOG_LEVEL_ERROR;
	else if (strcmp(level, "warning") == 0 || strcmp(level, "warn") == 0 ||
		 strcmp(level, "info") == 0)
		l = LOG_LEVEL_WARNING;
	else if (strcmp(level, "debug") == 0)
		l = LOG_LEVEL_DEBUG;
	else
		return err_set(err, EINVAL,
			       "--log-level: expected error, warning or debug, found \"%s\"",
			       level);
	if (!json && o->log_format && strcmp(o->log_format, "text") != 0)
		return err_set(err, EINVAL, "--log-format: expected text or json, found \"%s\"",
			       o->log_format);
	return log_open(o->log, json, l, err);
}

static const struct verb *find_verb(const struct program *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->verbs[i]->name, name) == 0)
			return p->verbs[i];
	return NULL;
}

/* Another program has it: it gets our arguments as they are. Returns only when it has not, or could
 * not be executed. */
static int delegate(const struct program *p, const char *verb, char **argv, struct err *err)
{
	const char *program = NULL;
	char path[PATH_MAX];
	int r;

	for (size_t i = 0; i < p->delegation_count; i++)
		for (size_t k = 0; k < p->delegations[i].count; k++)
			if (strcmp(p->delegations[i].verbs[k].name, verb) == 0)
				program = p->delegations[i].program;
	if (!program)
		return err_set(err, EINVAL, "unknown command \"%s\" (%s%s --help lists them)", verb,
			       p->group ? "tote " : "", p->group ? p->group : p->name);
	r = proc_sibling(program, path, sizeof(path));
	if (r < 0)
		return err_code(err, r, "find %s", program);
	execv(path, argv);
	return err_errno(err, "execute %s", path);
}

/* A full disk or a closed pipe behind stdout must not pass for success. */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	log_error("write to stdout: %s", err_text(errno));
	return code ? code : 1;
}

static int run_verb(const struct program *p, const struct verb *v, char **argv)
{
	autofree void *opts = calloc(1, v->opts_size ? v->opts_size : 1);
	bool help = false;
	struct err err;
	size_t count = 0;
	int r = opts ? options_parse(v->options, argv, opts, &count, &help, &err)
		     : err_code(&err, ENOMEM, "options");

	if (help) {
		print_verb_usage(p, v);
		return 0;
	}
	if (r == 0 && count < v->min_args)
		r = err_set(&err, EINVAL, "missing argument: tote %s%s %s", group_of(p), v->name,
			    v->arguments);
	if (r == 0 && count > v->max_args)
		r = err_set(&err, EINVAL, "unexpected argument \"%s\": tote %s%s %s",
			    argv[v->max_args], group_of(p), v->name, v->arguments);
	if (r < 0) {
		err_prefix(&err, "%s%s", group_of(p), v->name);
		fail(&err);
		return v->failure ? v->failure : 1;
	}
	return finish_output(v->run(argv, count, opts));
}

/*
 * A caller may start us with stdio closed: then our own first descriptors would be the container's
 * stdin and stdout.
 */
static void open_stdio(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
}

int fail(const struct err *err)
{
	log_error("%s", err->msg);
	return 1;
}

char *absolute(const char *path)
{
	char cwd[PATH_MAX], *text = NULL;

	while (path && path[0] == '.' && (path[1] == '/' || !path[1]))
		path += path[1] ? 2 : 1;
	if (path && path[0] == '/')
		text = strdup(path);
	else if (!getcwd(cwd, sizeof(cwd)) ||
		 asprintf(&text, path && path[0] ? "%s/%s" : "%s%s", cwd, path ? path : "") < 0)
		text = NULL;
	if (!text) {
		log_error("working directory: %s", err_text(errno));
		exit(1);
	}
	return text;
}

int program_main(const struct program *p, int argc, char **argv)
{
	struct global_options o = { 0 };
	const struct verb *v;
	bool help = false;
	struct err err;
	size_t count = 0;
	char **given;
	int r;

	open_stdio();
	/* Executed by its own name it is no part of tote to who did that. */
	if (p->group && argc > 0 && strcmp(basename(argv[0]), p->name) == 0)
		log_name(p->name);
	/* options_parse() moves them about. */
	given = calloc((size_t)argc + 1, sizeof(*given));
	if (!given)
		return 1;
	memcpy(given, argv, (size_t)argc * sizeof(*given));
	argv += argc > 0;
	r = options_parse(&global_options, argv, &o, &count, &help, &err);
	/* Options may stand on either side of it. */
	if (r == 0 && p->group && count && strcmp(argv[0], p->group) == 0)
		r = options_parse(&global_options, ++argv, &o, &count, &help, &err);
	if (r == 0)
		r = set_log(&o, &err);
	if (r == 0 && o.version) {
		p->print_version();
		free(given);
		return 0;
	}
	if (r == 0 && (help || !count)) {
		print_usage(p);
		free(given);
		return help ? 0 : 1;
	}
	v = r < 0 ? NULL : find_verb(p, argv[0]);
	if (r == 0 && !v)
		r = delegate(p, argv[0], given, &err);
	if (r == 0)
		r = set_rootless(o.rootless, &err);
	if (r == 0)
		r = set_root(o.root, p->without_root, &err);
	if (r == 0)
		r = set_manager(&o, &err);
	globals.store = o.store;
	free(given);
	return r < 0 ? fail(&err) : run_verb(p, v, argv + 1);
}

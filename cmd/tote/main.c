/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct globals globals;

static const struct verb *const verbs[] = {
	&verb_create, &verb_run,      &verb_start,  &verb_state,  &verb_kill,
	&verb_delete, &verb_exec,     &verb_list,   &verb_ps,	  &verb_pause,
	&verb_resume, &verb_update,   &verb_events, &verb_stats,  &verb_metrics,
	&verb_spec,   &verb_features, &verb_plan,   &verb_doctor,
};

struct global_options {
	const char *root, *log, *log_format, *log_level, *manager, *rootless;
	bool debug, systemd_cgroup, version;
};

#define GLOBAL(name, letter, kind, member, value, help)                                            \
	{                                                                                          \
		name, letter, kind, offsetof(struct global_options, member), value, help           \
	}

static const struct option global_option_items[] = {
	GLOBAL("root", 0, OPT_STRING, root, "DIR",
	       "where containers are recorded (default /run/tote)"),
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

static void print_usage(void)
{
	printf("usage: tote [OPTION...] COMMAND [ARGUMENT...]\n\nruns OCI "
	       "containers\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-10s %s\n", verbs[i]->name, verbs[i]->help);
	printf("\noptions:\n");
	options_print(&global_options);
	printf("\n\"tote COMMAND --help\" tells more, tote(8) and tote-COMMAND(8) all.\n");
}

static void print_verb_usage(const struct verb *v)
{
	printf("usage: tote %s [OPTION...]%s%s\n\n%s\n\noptions:\n", v->name,
	       v->arguments[0] ? " " : "", v->arguments, v->help);
	options_print(v->options);
}

/* A user who is not root, or only root of a user namespace that belongs to somebody else. */
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
	return user && strcmp(user, "root") != 0;
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

static int set_root(const char *root, struct err *err)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	static char path[4096];

	if (!root && globals.rootless && runtime_dir && runtime_dir[0]) {
		snprintf(path, sizeof(path), "%s/tote", runtime_dir);
		root = path;
	}
	if (!root && globals.rootless && geteuid() != 0)
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

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

/* A full disk or a closed pipe behind stdout must not pass for success. */
static int finish_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	log_error("write to stdout: %s", err_text(errno));
	return code ? code : 1;
}

static int run_verb(const struct verb *v, char **argv)
{
	autofree void *opts = calloc(1, v->opts_size ? v->opts_size : 1);
	bool help = false;
	struct err err;
	size_t count = 0;
	int r = opts ? options_parse(v->options, argv, opts, &count, &help, &err)
		     : err_code(&err, ENOMEM, "options");

	if (help) {
		print_verb_usage(v);
		return 0;
	}
	if (r == 0 && count < v->min_args)
		r = err_set(&err, EINVAL, "missing argument: tote %s %s", v->name, v->arguments);
	if (r == 0 && count > v->max_args)
		r = err_set(&err, EINVAL, "unexpected argument \"%s\": tote %s %s",
			    argv[v->max_args], v->name, v->arguments);
	if (r < 0) {
		err_prefix(&err, "%s", v->name);
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

int main(int argc, char **argv)
{
	struct global_options o = { 0 };
	const struct verb *v;
	bool help = false;
	struct err err;
	size_t count = 0;
	int r;

	open_stdio();
	argv += argc > 0;
	r = options_parse(&global_options, argv, &o, &count, &help, &err);
	if (r == 0)
		r = set_log(&o, &err);
	if (r == 0 && o.version) {
		print_version();
		return 0;
	}
	if (r == 0 && (help || !count)) {
		print_usage();
		return help ? 0 : 1;
	}
	if (r == 0)
		r = set_rootless(o.rootless, &err);
	if (r == 0)
		r = set_root(o.root, &err);
	if (r == 0)
		r = set_manager(&o, &err);
	if (r < 0)
		return fail(&err);
	v = find_verb(argv[0]);
	if (!v) {
		err_set(&err, EINVAL, "unknown command \"%s\" (tote --help lists them)", argv[0]);
		return fail(&err);
	}
	return run_verb(v, argv + 1);
}

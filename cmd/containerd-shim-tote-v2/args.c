/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/args.h"

#include "lib/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What flags say, before it is judged. */
struct words {
	const char *namespace, *id, *bundle, *address, *unused;
	bool debug, info, version, help;
};

struct flag {
	const char *name;
	size_t offset;
	bool is_bool;
};

static const struct flag flags[] = {
	{ "namespace", offsetof(struct words, namespace), false },
	{ "id", offsetof(struct words, id), false },
	{ "bundle", offsetof(struct words, bundle), false },
	{ "address", offsetof(struct words, address), false },
	{ "publish-binary", offsetof(struct words, unused), false },
	{ "socket", offsetof(struct words, unused), false },
	{ "debug-socket", offsetof(struct words, unused), false },
	{ "debug", offsetof(struct words, debug), true },
	{ "info", offsetof(struct words, info), true },
	{ "v", offsetof(struct words, version), true },
	{ "version", offsetof(struct words, version), true },
	{ "h", offsetof(struct words, help), true },
	{ "help", offsetof(struct words, help), true },
};

static const struct flag *flag_find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0)
			return &flags[i];
	return NULL;
}

/* The spellings of Go's strconv.ParseBool. */
static int read_bool(const char *text, bool *ret, struct err *err)
{
	static const char *const words[2][6] = {
		{ "0", "f", "F", "false", "FALSE", "False" },
		{ "1", "t", "T", "true", "TRUE", "True" },
	};

	for (size_t i = 0; i < 12; i++) {
		if (strcmp(text, words[i / 6][i % 6]) == 0) {
			*ret = i / 6;
			return 0;
		}
	}
	return err_set(err, EINVAL, "invalid boolean value \"%s\"", text);
}

/* Whether the word behind a flag that we do not know is its value. */
static bool is_value(const char *word)
{
	return word && word[0] != '-' && strcmp(word, "start") != 0 && strcmp(word, "delete") != 0;
}

/* One flag at argv[*at]; *at ends at its last word. */
static int take_flag(char **argv, int *at, struct words *ret, struct err *err)
{
	const char *name = argv[*at] + (argv[*at][1] == '-' ? 2 : 1);
	const char *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct flag *flag = flag_find(name, len);
	void *out = flag ? (char *)ret + flag->offset : NULL;

	if (value)
		value++;
	if (!flag) {
		if (!value && is_value(argv[*at + 1]))
			(*at)++;
		return 0;
	}
	if (flag->is_bool)
		return read_bool(value ? value : "true", out, err);
	if (!value && !argv[*at + 1])
		return err_set(err, EINVAL, "flag needs an argument: -%s", flag->name);
	*(const char **)out = value ? value : argv[++*at];
	return 0;
}

static int take_flags(char **argv, struct words *ret, const char **ret_action, struct err *err)
{
	int i = argv[0] ? 1 : 0;

	for (; argv[i] && argv[i][0] == '-' && argv[i][1]; i++) {
		int r;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		r = take_flag(argv, &i, ret, err);
		if (r < 0)
			return r;
	}
	/* Behind the action newer versions may say more. */
	*ret_action = argv[i] ? argv[i] : "";
	return 0;
}

/* Both become names of directories; containerd's own rule for what they consist of is stricter. */
static int check_name(const char *what, const char *name, struct err *err)
{
	if (!name || !*name)
		return err_set(err, EINVAL, "no %s", what);
	if (strlen(name) > ARGS_NAME_MAX)
		return err_set(err, EINVAL, "the %s is longer than %d bytes", what, ARGS_NAME_MAX);
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(c == name ? "_+-" : "_+.-", *c))
			return err_set(err, EINVAL, "invalid %s \"%.80s\"", what, name);
	return 0;
}

int args_check(const struct shim_args *args, struct err *err)
{
	int r = check_name("namespace", args->namespace, err);

	return r < 0 ? r : check_name("container id", args->id, err);
}

static const char *without_scheme(const char *address)
{
	static const char scheme[] = "unix://";

	if (address && strncmp(address, scheme, strlen(scheme)) == 0)
		address += strlen(scheme);
	return address && *address ? address : NULL;
}

/* What the daemon told by a flag, or by the environment. */
static const char *or_env(const char *flag, const char *variable)
{
	const char *env = getenv(variable);

	if (flag && *flag)
		return flag;
	return env ? env : "";
}

/* The working directory is the bundle of start; that of delete, if it is not told, lies next to
 * it. */
static int find_bundle(struct shim_args *args, const char *flag, struct arena *a, struct err *err)
{
	autofree char *cwd = getcwd(NULL, 0);

	/* The kernel's "(unreachable)/...", too, is no path. */
	if (cwd && cwd[0] != '/')
		cwd[0] = '\0';
	if (flag && flag[0] == '/')
		args->bundle = flag;
	else if (!cwd || !*cwd)
		args->bundle = "";
	else if (flag && *flag)
		args->bundle = arena_printf(a, "%s/%s", cwd, flag);
	else if (strcmp(args->action, "delete") == 0)
		args->bundle =
			arena_printf(a, "%.*s/%s", (int)(strrchr(cwd, '/') - cwd), cwd, args->id);
	else
		args->bundle = arena_strdup(a, cwd);
	if (!args->bundle[0] && strcmp(args->action, "delete") != 0)
		return err_set(err, ENOENT, "the working directory, which is the bundle, is gone");
	return 0;
}

int args_parse(int argc, char **argv, struct arena *a, struct shim_args *ret, struct err *err)
{
	struct words words = { 0 };
	int r;

	(void)argc;
	*ret = (struct shim_args){ .socket_dir = ARGS_SOCKET_DIR };
	r = take_flags(argv, &words, &ret->action, err);
	if (r < 0)
		return r;
	ret->namespace = words.namespace;
	ret->id = words.id;
	ret->debug = words.debug;
	ret->info = words.info;
	ret->version = words.version;
	ret->help = words.help;
	ret->grpc_address = or_env(words.address, "GRPC_ADDRESS");
	ret->ttrpc_address = without_scheme(getenv("TTRPC_ADDRESS"));
	ret->bundle = "";
	if (ret->info || ret->version || ret->help)
		return 0;
	if (!*ret->action)
		return err_set(err, EINVAL, "no action: \"start\" or \"delete\" is missing");
	if (strcmp(ret->action, "start") != 0) {
		r = args_check(ret, err);
		if (r < 0)
			return r;
	}
	return find_bundle(ret, words.bundle, a, err);
}

void args_complain(const struct err *err)
{
	fprintf(stderr, "io.containerd.tote.v2: %s%s", err->msg, isatty(STDERR_FILENO) ? "\n" : "");
}

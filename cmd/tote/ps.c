/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct ps_options {
	const char *format;
};

static const struct option items[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct ps_options, format), "FORMAT",
	  "table (default) or json" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), true };

static void print_json(const struct cg_pids *pids)
{
	printf("[");
	for (size_t i = 0; i < pids->count; i++)
		printf("%s%d", i ? "," : "", pids->items[i]);
	printf("]\n");
}

static bool listed(const struct cg_pids *pids, long pid)
{
	for (size_t i = 0; i < pids->count; i++)
		if (pids->items[i] == pid)
			return true;
	return false;
}

/* Which column of ps's heading is the pid. */
static int pid_column(char *heading)
{
	char *save = NULL;
	int n = 0;

	for (char *w = strtok_r(heading, " \n", &save); w; w = strtok_r(NULL, " \n", &save), n++)
		if (strcmp(w, "PID") == 0)
			return n;
	return -1;
}

static long pid_of(const char *line, int column)
{
	for (; column >= 0; column--) {
		line += strspn(line, " ");
		if (column)
			line += strcspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

/* ps(1) with the caller's arguments, "-ef" without, as a shell takes them. */
static void make_command(char **args, struct buf *out)
{
	buf_adds(out, "command -v ps >/dev/null || exit 127; exec ps");
	if (!args[0])
		buf_adds(out, " -ef");
	for (; args[0]; args++) {
		buf_adds(out, " '");
		for (const char *p = args[0]; *p; p++)
			*p == '\'' ? buf_adds(out, "'\\''") : buf_add(out, p, 1);
		buf_adds(out, "'");
	}
}

/* The heading and the lines of our processes. -EINVAL when the heading has no PID. */
static int print_lines(FILE *ps, const struct cg_pids *pids)
{
	autofree char *line = NULL, *heading = NULL;
	size_t size = 0;
	int column;

	if (getline(&line, &size, ps) < 0)
		return -ENODATA;
	heading = strdup(line);
	column = heading ? pid_column(heading) : -1;
	if (column < 0)
		return -EINVAL;
	fputs(line, stdout);
	while (getline(&line, &size, ps) >= 0)
		if (listed(pids, pid_of(line, column)))
			fputs(line, stdout);
	return 0;
}

static int print_table(char **args, const struct cg_pids *pids, struct err *err)
{
	autobuf command = BUF_INIT;
	int r, ended;
	FILE *ps;

	make_command(args, &command);
	ps = popen(buf_str(&command), "re");
	if (!ps)
		return err_errno(err, "ps: run sh");
	r = print_lines(ps, pids);
	ended = pclose(ps);
	if (WIFEXITED(ended) && WEXITSTATUS(ended) == 127)
		return err_set(err, ENOENT, "ps: ps(1) is missing (Debian package procps)");
	if (r == -EINVAL)
		return err_set(err, EINVAL, "ps: the arguments must keep the column PID");
	return r < 0 ? err_set(err, EINVAL, "ps: ps(1) does not take these arguments") : 0;
}

static int run(char **args, size_t count, void *opts)
{
	struct ps_options *o = opts;
	bool json = o->format && strcmp(o->format, "json") == 0;
	autocontainer c = CONTAINER_INIT;
	autocg cg = CG_INIT;
	struct cg_tree tree;
	struct cg_pids pids;
	autofd root = -1;
	struct err err;
	int r = open_container(args[0], false, &c, &root, &err);

	(void)count;
	if (r == 0 && o->format && !json && strcmp(o->format, "table") != 0)
		r = err_set(&err, EINVAL, "ps: --format: expected table or json, found \"%s\"",
			    o->format);
	if (r == 0)
		r = container_cgroup(&c, &tree, &cg, &err);
	if (r == 0) {
		r = cg_pids(&cg, &c.arena, &pids, &err);
		cg_tree_close(&tree);
	}
	if (r == 0 && json)
		print_json(&pids);
	else if (r == 0)
		r = print_table(args + 1, &pids, &err);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_ps = { "ps",
			      "ID [PS-ARGUMENT...]",
			      "list the processes of a container",
			      &table,
			      1,
			      (size_t)-1,
			      run,
			      sizeof(struct ps_options),
			      0 };

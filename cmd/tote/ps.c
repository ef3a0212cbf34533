/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* ps(1) with the caller's arguments, "-ef" without; the heading and the lines of our processes. */
static int print_table(char **args, const struct cg_pids *pids, struct err *err)
{
	autobuf command = BUF_INIT;
	char line[4096], heading[4096];
	int column;
	FILE *ps;

	buf_adds(&command, "exec ps");
	if (!args[0])
		buf_adds(&command, " -ef");
	for (; args[0]; args++) {
		buf_adds(&command, " '");
		for (const char *p = args[0]; *p; p++)
			*p == '\'' ? buf_adds(&command, "'\\''") : buf_add(&command, p, 1);
		buf_adds(&command, "'");
	}
	ps = popen(buf_str(&command), "re");
	if (!ps || !fgets(line, sizeof(line), ps)) {
		if (ps)
			pclose(ps);
		return err_set(err, ENOENT, "ps: cannot run ps(1) (Debian package procps)");
	}
	snprintf(heading, sizeof(heading), "%s", line);
	column = pid_column(heading);
	fputs(line, stdout);
	while (column >= 0 && fgets(line, sizeof(line), ps))
		if (listed(pids, pid_of(line, column)))
			fputs(line, stdout);
	pclose(ps);
	return column < 0 ? err_set(err, EINVAL, "ps: the arguments must keep the column PID") : 0;
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

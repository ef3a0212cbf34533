/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/doctor_private.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX ((size_t)8 << 20)

const char *doctor_status_name(enum doctor_status status)
{
	static const char *const names[] = { "ok", "warn", "fail" };

	return names[status];
}

enum doctor_status doctor_say(struct doctor *d, enum doctor_status status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->result->detail = arena_strdup(d->a, text);
	return status;
}

const char *doctor_read(struct doctor *d, const char *path)
{
	struct err ignored;
	char *text;

	return file_read(AT_FDCWD, path, FILE_MAX, d->a, &text, NULL, &ignored) < 0 ? "" : text;
}

/* Global or local, but lasting names of the features' entry points. */
static const char *const symbols[] = {
	"cgroup_kill_write", "cgroup_freeze_write", "nft_register_chain_type",
	"veth_setup",	     "br_dev_setup",
};

/* Lines "address type name [module]". The table is large, so it is read once, line by line. */
static int read_symbols(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[1024];
	int found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		const char *name = strrchr(strtok(line, "\t\n"), ' ');

		if (!name++)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
			if (strcmp(name, symbols[i]) == 0)
				found |= 1 << i;
	}
	if (f)
		fclose(f);
	return found;
}

bool doctor_symbol(struct doctor *d, const char *name)
{
	if (d->symbols < 0)
		d->symbols = read_symbols();
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (strcmp(name, symbols[i]) == 0)
			return d->symbols >> i & 1;
	return false;
}

static void run_table(struct doctor *d, const struct doctor_table *table,
		      struct doctor_report *report)
{
	for (size_t i = 0; i < table->count; i++) {
		struct doctor_result *result = &report->items[report->count++];

		d->check = &table->items[i];
		d->result = result;
		result->check = d->check->name;
		result->remedy = d->check->remedy;
		result->status = d->check->run(d);
		if (result->status == DOCTOR_OK)
			result->remedy = NULL;
	}
}

void doctor_run(const struct doctor_opts *opts, struct arena *a, struct doctor_report *ret_report)
{
	static const struct doctor_table *const tables[] = { &doctor_kernel, &doctor_cgroups,
							     &doctor_host };
	struct doctor d = { .opts = opts, .a = a, .tree = { .fd = -1 }, .symbols = -1 };
	struct doctor_report report = { NULL, 0 };
	struct err ignored;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		count += tables[i]->count;
	report.items = arena_calloc(a, count, sizeof(*report.items));
	cg_tree_find(&d.tree, &ignored);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		run_table(&d, tables[i], &report);
	cg_tree_close(&d.tree);
	*ret_report = report;
}

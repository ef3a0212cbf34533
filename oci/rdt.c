/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/rdt.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define RESCTRL "/sys/fs/resctrl"
#define MADE_PREFIX                                                                                \
	"tote-" /* groups of this name are ours to remove; a closID given by the user is not */

void rdt_name(const struct spec *spec, struct state *st, struct arena *a)
{
	const struct spec_intel_rdt *rdt = spec->linux_.intel_rdt;

	if (rdt)
		st->clos = rdt->clos_id ? rdt->clos_id : arena_printf(a, MADE_PREFIX "%s", st->id);
}

static int open_group(const struct state *st)
{
	autofd root = fd_open(AT_FDCWD, RESCTRL, O_RDONLY | O_DIRECTORY);

	return root < 0 ? -1 : fd_open(root, st->clos, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

static int write_schema(int group, const char *schema, struct err *err)
{
	char line[512];
	int r;

	if (!schema)
		return 0;
	if (snprintf(line, sizeof(line), "%s\n", schema) >= (int)sizeof(line))
		return err_set(err, EINVAL, "linux.intelRdt: a schema is too long");
	r = file_poke(group, "schemata", line);
	return r < 0 ? err_code(err, r, "linux.intelRdt: write schema %s", schema) : 0;
}

static int write_schemata(int group, const struct spec_intel_rdt *rdt, struct err *err)
{
	int r = write_schema(group, rdt->l3_cache_schema, err);

	if (r == 0)
		r = write_schema(group, rdt->mem_bw_schema, err);
	for (size_t i = 0; r == 0 && i < rdt->schemata.count; i++)
		r = write_schema(group, rdt->schemata.items[i], err);
	return r;
}

int rdt_make(const struct spec *spec, struct state *st, struct err *err)
{
	const struct spec_intel_rdt *rdt = spec->linux_.intel_rdt;
	autofd root = -1, group = -1;

	if (!rdt)
		return 0;
	root = fd_open(AT_FDCWD, RESCTRL, O_RDONLY | O_DIRECTORY);
	if (root < 0 || faccessat(root, "schemata", F_OK, 0) < 0)
		return err_set(err, EOPNOTSUPP,
			       "linux.intelRdt: this host has no resctrl file system at " RESCTRL);
	if (mkdirat(root, st->clos, 0755) < 0 && errno != EEXIST)
		return err_errno(err, "linux.intelRdt: make group %s", st->clos);
	group = open_group(st);
	if (group < 0)
		return err_errno(err, "linux.intelRdt: open group %s", st->clos);
	return write_schemata(group, rdt, err);
}

int rdt_update(const struct state *st, const char *l3_cache_schema, const char *mem_bw_schema,
	       struct err *err)
{
	autofd group = -1;
	int r;

	if (!l3_cache_schema && !mem_bw_schema)
		return 0;
	if (!st->clos)
		return err_set(
			err, EOPNOTSUPP,
			"the container has no resctrl group: its config lacks linux.intelRdt");
	group = open_group(st);
	if (group < 0)
		return err_errno(err, "linux.intelRdt: open group %s", st->clos);
	r = write_schema(group, l3_cache_schema, err);
	return r < 0 ? r : write_schema(group, mem_bw_schema, err);
}

int rdt_add(const struct state *st, pid_t pid, struct err *err)
{
	autofd group = -1;
	char text[16];
	int r;

	if (!st->clos)
		return 0;
	group = open_group(st);
	snprintf(text, sizeof(text), "%d", pid);
	r = group < 0 ? -ENOENT : file_poke(group, "tasks", text);
	return r < 0 ? err_code(err, r, "linux.intelRdt: add process %d to %s", pid, st->clos) : 0;
}

void rdt_remove(const struct state *st)
{
	autofd root = -1;

	if (!st->clos || strncmp(st->clos, MADE_PREFIX, strlen(MADE_PREFIX)) != 0)
		return;
	root = fd_open(AT_FDCWD, RESCTRL, O_RDONLY | O_DIRECTORY);
	if (root >= 0)
		unlinkat(root, st->clos, AT_REMOVEDIR);
}

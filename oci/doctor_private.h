/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the doctor: a check is a row of a table, its function says what it found. */
#ifndef OCI_DOCTOR_PRIVATE_H
#define OCI_DOCTOR_PRIVATE_H

#include "cgroups/cg.h"
#include "oci/doctor.h"

/* What a check sees. */
struct doctor {
	const struct doctor_opts *opts;
	struct arena *a;
	const struct doctor_check *check; /* the row at hand */
	struct doctor_result *result;	  /* of it */
	struct cg_tree tree;		  /* fd -1: no cgroup2 */
	int symbols; /* what the kernel's symbol table has, see doctor_symbol(); -1: not read */
};

struct doctor_check {
	const char *name;
	/* Ends with doctor_say(); may set result->remedy where the row's is not what helps. */
	enum doctor_status (*run)(struct doctor *d);
	const void *arg;
	const char *remedy;
};

struct doctor_table {
	const struct doctor_check *items;
	size_t count;
};

extern const struct doctor_table doctor_kernel, doctor_cgroups, doctor_host;

/* Sets the detail, returns the status. */
enum doctor_status doctor_say(struct doctor *d, enum doctor_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* For what hits only root, or only ordinary users. */
static inline enum doctor_status doctor_if_root(const struct doctor *d, enum doctor_status bad)
{
	return d->opts->rootless ? DOCTOR_OK : bad;
}

static inline enum doctor_status doctor_if_user(const struct doctor *d, enum doctor_status bad)
{
	return d->opts->rootless ? bad : DOCTOR_OK;
}

/* A whole text file, "" when it cannot be read; in the arena. */
const char *doctor_read(struct doctor *d, const char *path);

/*
 * Whether code of the kernel is there, built in or loaded, for features that show in no other way
 * as long as nobody uses them. name is one of the list in doctor.c.
 */
bool doctor_symbol(struct doctor *d, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host can and cannot do for containers, and what to do about it: `tote doctor` prints
 * it. Features are found by asking the kernel for them, not by its version, as distributions carry
 * some back and switch others off. Nothing on the host is changed, no module loaded; an ordinary
 * user gets the answers that hold for that user.
 */
#ifndef OCI_DOCTOR_H
#define OCI_DOCTOR_H

#include "lib/arena.h"
#include "lib/types.h"

enum doctor_status {
	DOCTOR_OK,   /* there, or only told for information */
	DOCTOR_WARN, /* containers run, those that need it do not */
	DOCTOR_FAIL, /* no container runs for this user */
};

/* "ok", "warn", "fail" */
const char *doctor_status_name(enum doctor_status status);

struct doctor_result {
	const char *check; /* a stable name: "controller-memory" */
	enum doctor_status status;
	const char *detail; /* one line: what was found */
	const char *remedy; /* what helps; NULL when ok */
};

struct doctor_opts {
	const char *root; /* the directory of all containers, which may be missing */
	bool rootless;	  /* judge as for an ordinary user */
};

struct doctor_report {
	struct doctor_result *items;
	size_t count;
};

/* Runs every check. The report lives in the arena. */
void doctor_run(const struct doctor_opts *opts, struct arena *a, struct doctor_report *ret_report);

#endif

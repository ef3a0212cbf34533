/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of container_create() share: oci/create.c and oci/create_cgroup.c. */
#ifndef OCI_CREATE_PRIVATE_H
#define OCI_CREATE_PRIVATE_H

#include "oci/ahead.h"
#include "oci/container.h"
#include "oci/launch.h"
#include "oci/plan.h"
#include "oci/scope.h"

/* Everything create holds while it works. */
struct making {
	const struct create_opts *opts;
	struct container *c;
	struct plan_opts plan_opts;
	struct plan plan;
	struct launch launch;
	struct cg_tree tree;
	struct cg cg;
	struct scope scope; /* with the systemd manager */
	pid_t holder;	    /* keeps it until the container is in; 0: none */
	bool unit_made;	    /* or perhaps made: undone by name */
	bool foreign;	    /* the group turned out to be another container's */
	char pids_max[24];  /* the limit that the holder must not count for; "": none */
	char *config;	    /* the text of config.json */
	size_t config_len;
	/* Namespaces made while we decide: by our caller, else by ourselves. */
	struct ahead own_ahead, *ahead;
	int start_fd;
	bool pid_written;
	bool began; /* there was a process: poststop hooks are owed */
};

/*
 * Names the group in the state: where the spec says, else one of the container's own below the
 * root, or for an ordinary user below the group it is in.
 */
int create_choose_cgroup(struct making *mk, struct err *err);
/*
 * Notes in the state how much of its path is still to be made, and how its limits may be changed.
 * -EEXIST when the unit it shall have is somebody's already.
 */
int create_note_cgroup(struct making *mk, struct err *err);
/* Makes and limits it, for the clone. */
int create_make_cgroup(struct making *mk, struct err *err);
/* Once the container's process is in it. */
int create_settle_cgroup(struct making *mk, struct err *err);
/* Kills what is in it and removes it. */
int create_undo_cgroup(struct making *mk, struct err *err);
/* Loads the device program of the spec. */
int create_attach_devices(struct making *mk, struct err *err);

#endif

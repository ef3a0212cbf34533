/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a container between commands: one directory ROOT/ID with state.json,
 * config.json (as it was when created) and, until it is started, the socket that `start` connects
 * to. The directory is the claim on the id, a flock on it serialises commands. state.json is
 * written before what it names is made, so that delete always finds it.
 */
#ifndef OCI_STATE_H
#define OCI_STATE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/proc.h"

#define STATE_FILE "state.json"
#define STATE_CONFIG "config.json"
#define STATE_COPY "state.copy.json" /* of a process that no cgroup leads to */
#define STATE_START_SOCKET "start"
#define STATE_NOTIFY_DIR "notify"
#define STATE_CACHE_DIR ".seccomp" /* below the root, next to the containers */

struct state {
	char *oci_version, *id, *bundle, *rootfs, *created, *owner;
	struct key_value_list annotations;
	bool made;		 /* false while create or run has not come to its end */
	struct proc_id init;	 /* pid 0 before the clone */
	char *cgroup_path;	 /* below the cgroup2 mount; NULL: none of its own */
	uint32_t cgroup_levels;	 /* how many trailing parts of it are the container's to remove */
	char *unit;		 /* of systemd, which has that group; NULL: it is tote's own */
	bool user_bus;		 /* the unit is of the user's systemd, not the system's */
	bool private_pids;	 /* has a pid namespace of its own: killing init kills all */
	struct strv net_devices; /* "inside=host", as tote-net netdev-out takes them */
	char *network;		 /* where tote-net has noted what it set up; NULL: nothing */
	char *names;		 /* the directory of its hosts and resolv.conf; NULL: none */
	char *clos;		 /* the resctrl group that was made for it */
	bool check_memory;	 /* no update may set a limit below what is in use */
	uint32_t restarts;	 /* how often a supervisor started it anew under this id */
	char *store, *store_container; /* of images, and the container's directory in it; NULL: it
					  runs from none */
	bool store_keep;	       /* which is not removed with it */
};

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };

/* "running" */
const char *status_name(enum status status);

/* Refuses ids that are no plain name: [A-Za-z0-9_+-][A-Za-z0-9_+.-]*, at most 255 bytes (a file
 * name). */
int state_check_id(const char *id, struct err *err);

/*
 * Opens the directory of all containers, made (0700) when create is set and it is missing. Refused
 * when owned by somebody else or writable by others. Returns a descriptor or -errno.
 */
int state_root_open(const char *path, bool create, bool sticky, struct err *err);

/* Claims an id: makes and locks its directory. -EEXIST when it is taken. Returns the locked
 * descriptor. */
int state_claim(int root_fd, const char *id, struct err *err);

/*
 * Opens the directory of a container; -ENOENT "container does not exist". lock_ms: waits so long
 * for its flock (-1: for ever, 0: does not lock) and looks again if it was deleted meanwhile;
 * -EBUSY when another command keeps it.
 */
int state_open(int root_fd, const char *id, int lock_ms, struct err *err);

/* Reads state.json. -ENOENT when create died before it wrote one. */
int state_load(int dir_fd, struct arena *a, struct state *ret_state, struct err *err);
/* The same by the container's name, without opening its directory: for who reads many. root_fd may
 * be -1, below which there is none. */
int state_peek(int root_fd, const char *id, struct arena *a, struct state *ret_state,
	       struct err *err);

/* What state_save() has left for when that cannot be read: of containers without a cgroup alone. */
int state_load_copy(int dir_fd, struct arena *a, struct state *ret_state, struct err *err);

/* Writes state.json in one step. */
int state_save(int dir_fd, const struct state *st, struct err *err);

/* Removes the directory and all in it. Works with a full disk. */
int state_remove(int root_fd, const char *id, struct err *err);

/* The ids below a root, sorted. */
int state_list(int root_fd, struct arena *a, struct strv *ret_ids, struct err *err);

/* The state of the runtime-spec (runtime.md, "State") for hooks and the seccomp agent, appended to
 * out. */
void state_write_oci(const struct state *st, enum status status, pid_t pid, struct json_writer *w);

#endif

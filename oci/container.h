/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as the commands know them: create (or run), start, state, kill, pause, delete. Every
 * function that changes one holds its lock. Nothing here prints; warnings are collected for the
 * caller to log.
 */
#ifndef OCI_CONTAINER_H
#define OCI_CONTAINER_H

#include "cgroups/cg.h"
#include "lib/arena.h"
#include "lib/deadline.h"
#include "lib/err.h"
#include "oci/network.h"
#include "oci/rootfs.h"
#include "oci/spec.h"
#include "oci/state.h"

/* CGROUP_BY_PATH: systemd where linux.cgroupsPath has its form ("slice:prefix:name"). */
enum cgroup_manager { CGROUP_FS, CGROUP_SYSTEMD, CGROUP_DISABLED, CGROUP_BY_PATH };

struct container_root {
	int fd; /* the directory of all containers; -1: there is none yet, so there are no
		   containers */
};

struct container {
	int root_fd; /* borrowed */
	int dir_fd;  /* its directory, locked when opened so */
	bool locked;
	struct state st;
	struct spec *spec; /* loaded on demand: container_spec() */
	char *config;	   /* the text it was read from */
	struct arena arena;
	LIST(char *) warnings;	      /* to be logged by the caller */
	int notify_fd;		      /* the socket of oci/notify.h after start or run, -1: none */
	struct deadline deadline;     /* by which container_delete() has to be done */
	struct network_setup network; /* of one that its maker attends to */
};

struct siblings; /* oci/spawn.h */
struct ahead;	 /* oci/ahead.h */

struct create_opts {
	const char *id, *bundle; /* bundle: absolute */
	const char *config;	 /* file name in the bundle or absolute path; NULL: config.json */
	bool run;		 /* go straight on to the program */
	bool attended; /* the caller stays and serves a terminal that goes to no console socket */
	bool no_pivot, no_new_keyring;
	struct siblings *siblings;  /* its process is a child of our parent; NULL: of ours */
	unsigned int preserve_fds;  /* from descriptor 3 on */
	const char *console_socket; /* where the terminal goes; NULL: kept, see ret_terminal */
	const char *pid_file, *pidfd_socket;
	const char *root;	   /* the path behind root_fd; only needed with notify_socket and
				      network */
	const char *notify_socket; /* the host's NOTIFY_SOCKET, NULL: none */
	unsigned int listen_fds;   /* of the preserved ones, the first so many are announced by
				      LISTEN_FDS */
	enum cgroup_manager manager;
	bool measured; /* what it uses is asked for: controllers are on where they can be */
	bool rootless;
	const char *config_text;     /* in place of the file; NULL: that */
	const struct rootfs *rootfs; /* in place of root.path; NULL: that. On failure its directory
					is removed unless rootfs->keep; else by container_delete()
				      */
	struct ahead *ahead;	     /* who made namespaces; ended by container_create(), or by the
				      caller after a failure. NULL: none was made ahead */
	const struct network_wish *network; /* NULL: as the spec has it */
};

/*
 * Makes a container; with run, its program runs when this returns. *ret_pidfd (may be NULL) and
 * *ret_terminal (the master, -1 when there is none or it went to the console socket) are the
 * caller's. On failure nothing is left.
 */
int container_create(int root_fd, const struct create_opts *opts, struct container *ret_c,
		     int *ret_pidfd, int *ret_terminal, struct err *err);

/* The plan of a bundle in words, without making anything. */
int container_plan(const struct create_opts *opts, struct buf *ret_text, struct err *err);

/* Opens an existing one; -ENOENT: "container does not exist". Without lock only for looking at it.
 */
int container_open(int root_fd, const char *id, bool lock, struct container *ret_c,
		   struct err *err);
/* The same, waiting for the lock for lock_ms (-1: for ever, 0: without); then -EBUSY. */
int container_open_within(int root_fd, const char *id, int lock_ms, struct container *ret_c,
			  struct err *err);
void container_close(struct container *c);
#define autocontainer __attribute__((cleanup(container_close))) struct container
#define CONTAINER_INIT                                                                             \
	{                                                                                          \
		.root_fd = -1, .dir_fd = -1, .notify_fd = -1                                       \
	}

enum status container_status(const struct container *c);
/* The same for who has its cgroup open already (CG_INIT: it has none). */
enum status container_status_in(const struct container *c, const struct cg *cg);
/* Its config as it was created with; owned by c. */
int container_spec(struct container *c, struct err *err);

/* Runs the program of a created container and waits until it does. start.c */
int container_start(struct container *c, struct err *err);

/* Sends a signal to init, or with all to every process. Signal 0 asks whether it is there. */
int container_kill(struct container *c, int sig, bool all, struct err *err);

int container_pause(struct container *c, struct err *err);
int container_resume(struct container *c, struct err *err);

/* Opens its cgroup; -ENOENT with a message when it has none. tree is for cg_tree_close()
 * afterwards. */
int container_cgroup(const struct container *c, struct cg_tree *ret_tree, struct cg *ret_cg,
		     struct err *err);

/*
 * Removes a stopped container, with force any; runs the poststop hooks. Its waits are bounded, by
 * the deadline as well if there is one; then -EBUSY or -ETIMEDOUT says what is left. delete.c
 */
int container_delete(struct container *c, bool force, struct err *err);
/* Gives up addresses and ports of a stopped container that is kept. */
int container_leave_network(struct container *c, struct err *err);
/* Of delete --force, which promises ten seconds. */
#define CONTAINER_DELETE_MS 9000
/*
 * Removes whatever there is of a container, in any state, also one whose create died before it wrote a
 * state or whose state cannot be read; none is no error. It waits, also for hooks, until ret_c's
 * deadline, or for CONTAINER_DELETE_MS. ret_c (but for that CONTAINER_INIT before) is left open for its
 * warnings.
 */
int container_delete_any(int root_fd, const char *id, struct container *ret_c, struct err *err);

void container_warn(struct container *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Sends fd with the message name to a unix stream socket at path: consoles, pidfds. console.c */
int send_fd_to_socket(const char *path, const char *name, int fd, struct err *err);
/* Writes pid to path, decimal without newline, by renaming a new file into place. */
int write_pid_file(const char *path, pid_t pid, struct err *err);
/* Sets a variable ("NAME=VALUE", which is copied) in a process's environment, in place of any of
 * that name. */
void process_set_env(struct spec_process *p, const char *assignment, struct arena *a);
/* Its terminal begins with the size of the one that we have on stdin, if we do: before who attends passes that on,
 * the program may have looked. */
void process_take_size(struct spec_process *p, struct arena *a);
/* Adds HOME from the image's passwd where the environment lacks it, as shells and runc do. root_fd:
 * the root. */
void process_add_home(struct spec_process *p, int root_fd, struct arena *a);

#endif

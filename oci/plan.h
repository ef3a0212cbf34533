/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: everything that will be done for a container, decided before any process exists.
 * plan_build() turns a spec into one (plan_build_exec() a process for a running container),
 * plan_text() prints it, plan_encode() writes the form that tote-init walks. Building needs no root
 * and touches no kernel object; what only the host can open is marked STEP_ON_HOST and opened by
 * oci/launch.c.
 */
#ifndef OCI_PLAN_H
#define OCI_PLAN_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "oci/plan_format.h"
#include "oci/rootfs.h"
#include "oci/spec.h"

#include <sys/types.h>

/* One step on the host's side; what op, flags and args mean is in oci/plan_format.h. */
struct step {
	enum step_op op;
	unsigned int flags;
	int fd; /* set by launch */
	const char *path, *source, *type;
	const void *data;
	size_t data_len;     /* of data; a string's without its NUL */
	char **argv, **envp; /* STEP_HOOK */
	uint64_t arg[STEP_ARGS];
	const struct spec_mount
		*idmap; /* STEP_BIND: mapped by this mount's (or the container's) id mappings */
	bool idmap_recursive;
	dev_t node; /* STEP_BIND of a device: what it must be on the host, with node_type; 0:
		       anything */
	unsigned int node_type;	     /* S_IFCHR or S_IFBLK */
	const struct rootfs *rootfs; /* STEP_ROOT: made of these layers */
	bool simple;		     /* it may be a bind mount: rootfs_open() */
};

/* A namespace that exists and is entered. */
struct plan_join {
	enum ns_kind kind;
	const char *path;
};

struct plan {
	unsigned long clone_flags; /* CLONE_NEW* of the namespaces to make; cgroup is a step, time a
				      flag below */
	LIST(struct plan_join) joins; /* entered by steps */
	bool staged;  /* tote-init starts in the host's namespaces and clones its successor into
			 others */
	bool user_ns; /* new or joined: the process becomes uid 0 there first */
	bool new_user_ns;
	const struct spec_id_mappings *uid_mappings, *gid_mappings; /* of a new user namespace */
	bool new_time_ns;
	char *time_offsets; /* as /proc/PID/timens_offsets takes them, NULL for none */
	const char *root;   /* absolute; NULL for exec */
	LIST(struct step) steps;
	size_t steps_size;
	char **argv, **envp;
	/* Applied by the host, as the process may lack the privilege in its user namespace. */
	struct opt_i32 oom_score_adj;
	const struct spec_process *host_rlimits; /* NULL: they are steps */
	bool terminal;
	uint64_t dev_later; /* attributes /dev gets when it is filled: devices and the terminal's
			       /dev/console */
	bool listener;	    /* a seccomp listener will be fetched */
	bool host_work;	    /* there is a STEP_HOST: the host's hooks, devices and oom_score_adj */
	bool ready; /* there is a STEP_READY: `create` reports, or limits are set from outside */
	LIST(const char *) warnings; /* what the spec lets us leave out, to be logged */
};

struct plan_opts {
	const char *id;
	const char *bundle; /* absolute path */
	bool create;	    /* waits for start */
	bool announced;	    /* its pid is known before it runs, though it does not wait for start */
	bool privileged;    /* CAP_SYS_ADMIN on the host: mount trees are opened there */
	uint64_t caps_missing; /* capabilities that the host's side does not have itself */
	bool no_pivot;
	bool no_new_keyring;
	unsigned int preserve_fds; /* descriptors from 3 on that the program inherits */
	const char *exec_root; /* exec: the root of the container's init, as the host names it */
	const struct plan_join *joins; /* exec: the container's namespaces */
	size_t join_count;
	bool no_setgroups;	 /* the user namespace has setgroups(2) denied */
	const char *config;	 /* the text the spec was read from, for tote-seccomp */
	int seccomp_cache;	 /* directory descriptor for compiled filters, -1: none */
	const char *cgroup_path; /* below the cgroup2 mount; for a cgroup mount without a cgroup
				    namespace */
	const char *cgroup_root; /* where cgroup2 is mounted on the host */
	const char *notify_dir;	 /* host directory of the sd_notify socket to mount, NULL: none */
	const struct rootfs *rootfs; /* in place of root.path, NULL: that */
	bool host_work;		     /* the host has more to do at STEP_HOST than the spec says */
};

/* Where the directory of the notify socket appears inside. */
#define NOTIFY_MOUNT "/run/notify"
#define NOTIFY_SOCKET_NAME "notify.sock"

/*
 * Builds the plan of a container in the arena. The spec must outlive the plan. -EINVAL: the message
 * names the field; -EOPNOTSUPP: this build or kernel cannot do what it asks.
 */
int plan_build(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
	       struct plan *ret_plan, struct err *err);

/* Builds the plan of one more process in a running container. seccomp is the container's profile or
 * NULL. */
int plan_build_exec(const struct spec *spec, const struct spec_process *process,
		    const struct plan_opts *opts, struct arena *a, struct plan *ret_plan,
		    struct err *err);

/* The plan in words, a line a step. */
void plan_text(const struct plan *plan, struct buf *out);
/*
 * The same with what the host does around it: cgroup (below the mount, NULL for none) and its
 * limits, devices, hooks. Errors are those of limits_translate().
 */
int plan_describe(const struct plan *plan, const struct spec *spec, const char *cgroup,
		  struct arena *a, struct buf *out, struct err *err);
/* One step in words, for error messages: "mount proc on /proc". */
void step_text(const struct step *step, struct buf *out);

/* The plan as tote-init wants it, appended to out (which must be empty). */
void plan_encode(const struct plan *plan, int sync_fd, struct buf *out);

/* For the builders: a new step at the end, to be filled in. Valid until the next one is added. */
struct step *plan_add(struct plan *plan, struct arena *a, enum step_op op);
/* The same with a path or data. */
struct step *plan_add_path(struct plan *plan, struct arena *a, enum step_op op, const char *path);
struct step *plan_add_data(struct plan *plan, struct arena *a, enum step_op op, const char *data);
/* A step for each hook of a list. */
void plan_hooks(const struct spec_hook_list *hooks, struct arena *a, struct plan *plan);
void plan_warn(struct plan *plan, struct arena *a, const char *text);

/* plan_mounts.c: root, mounts, devices, masks. */
int plan_root(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
	      struct plan *plan, struct err *err);
int plan_mounts(const struct spec *spec, const struct plan_opts *opts, struct arena *a,
		struct plan *plan, struct err *err);
/* plan_process.c: from the session to the exec. seccomp may be NULL. */
struct plan_process_opts {
	const struct spec_process *process;
	const struct spec_seccomp *seccomp;
	const struct spec_hooks *hooks;	 /* startContainer hooks, NULL for exec */
	const struct spec_linux *linux_; /* personality and memory policy, NULL for exec */
	bool exec, init;		 /* init: the program is the child of an init */
};
int plan_process_early(const struct plan_process_opts *pp, const struct plan_opts *opts,
		       struct arena *a, struct plan *plan, struct err *err);
int plan_process_late(const struct plan_process_opts *pp, const struct plan_opts *opts,
		      struct arena *a, struct plan *plan, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form in which a plan reaches tote-init: one block of memory, mapped from a memfd. Strings and
 * arrays are offsets from its start (0: none), so that nothing needs to be parsed. Written by
 * oci/plan_encode.c, walked by cmd/tote-init. Host and tote-init are always of one build and one
 * architecture. Freestanding.
 */
#ifndef OCI_PLAN_FORMAT_H
#define OCI_PLAN_FORMAT_H

#include <stdint.h>

/* What a step does. oci/plan_text.c holds the same list in words. */
enum step_op {
	STEP_TIME_NAMESPACE = 1, /* a new one for the children; data: its offsets */
	STEP_ENTER,		 /* fd: a namespace, then closed; path; arg0: its CLONE_NEW* flag */
	STEP_CLONE,		 /* arg0: CLONE_NEW* flags; the child goes on with the plan */
	STEP_BECOME_ROOT,	 /* uid 0 of the user namespace; arg0: once its ids are mapped */
	STEP_CHROOT,		 /* fd: the root directory, entered by exec */
	STEP_HOST, /* tells the host that the namespaces are there and waits until it has done its
		      part */
	STEP_UNSHARE,	 /* arg0: CLONE_NEW* flags */
	STEP_HOSTNAME,	 /* data */
	STEP_DOMAINNAME, /* data */
	STEP_LOOPBACK_UP,
	STEP_ROOT,  /* the working directory becomes a mount and the root of later paths; arg0: MS_*
		       for it. type: a file system is mounted there, fd or data: its options; arg1:
		       where in data those of mount(2) are, source: the directory they count from */
	STEP_MOUNT, /* type, data: options (see below); path; arg0: MOUNT_ATTR_*; arg1: MS_*
		       propagation */
	STEP_BIND, /* source or fd; path; arg0/arg1: attributes set/cleared, arg2/arg3: recursively,
		      arg4: MS_* */
	STEP_REMOUNT,  /* path; arg0 to arg4 as BIND's */
	STEP_DEVICE,   /* path; arg0: mode with type; arg1: device number; arg2: uid; arg3: gid */
	STEP_SYMLINK,  /* path, source: what it points to */
	STEP_SYSCTL,   /* path below /proc/sys, data */
	STEP_WORK_DIR, /* path: made, with what leads there, where it is missing */
	STEP_MASK,     /* path */
	STEP_READONLY, /* path */
	STEP_TERMINAL, /* arg0: rows << 16 | columns; arg1: uid of the owner */
	STEP_HOOK, /* path; source: argv; type: envp; arg0: seconds or 0; fd: the container's state
		    */
	STEP_ROOT_READONLY,
	STEP_ROOT_PROPAGATION, /* arg0: MS_* propagation of the new root */
	STEP_PIVOT,
	STEP_SETSID,
	STEP_KEYRING,	    /* data: name */
	STEP_RLIMIT,	    /* arg0: resource; arg1: soft; arg2: hard */
	STEP_SCHEDULER,	    /* data: struct sched_attr */
	STEP_IO_PRIORITY,   /* arg0: as ioprio_set takes it */
	STEP_PERSONALITY,   /* arg0 */
	STEP_MEMORY_POLICY, /* arg0: mode and flags; data: node mask; arg1: its bits */
	STEP_AFFINITY,	    /* data: CPU mask */
	STEP_LABEL,	    /* path below /proc/thread-self; data */
	STEP_UMASK,	    /* arg0 */
	STEP_BOUNDING,	    /* arg0: mask of capabilities kept */
	STEP_USER,	    /* arg0: uid; arg1: gid; data: additional gids (uint32_t) */
	STEP_CWD,	    /* path */
	STEP_FIND_PROGRAM,  /* path: argv[0]; data: PATH; arg0: effective capabilities to judge with
			     */
	STEP_READY,	    /* tells the host; used by create */
	STEP_RELEASE,	    /* waits until the host has recorded the container */
	STEP_START,	    /* fd: listening socket; waits for `tote start` */
	STEP_NO_NEW_PRIVS,
	STEP_SECCOMP,	   /* data: BPF; arg0: SECCOMP_FILTER_FLAG_* */
	STEP_CAPABILITIES, /* arg0: effective; arg1: permitted; arg2: inheritable; arg3: ambient */
	STEP_CLOSE,	   /* arg0: first descriptor that the program does not get */
	STEP_INIT, /* a child goes on with the plan; this process waits for it, passes signals on and
		      reaps. arg0: 1 + the place in envp of PLAN_LISTEN_PID, or 0 */
	STEP_EXEC, /* the program of STEP_FIND_PROGRAM with the plan's argv and envp */
	STEP_OPS
};

/* step flags */
enum {
	STEP_RECURSIVE = 1, /* BIND: with the mounts below */
	STEP_ON_HOST = 2, /* BIND, ROOT: the host prepares the tree before the clone and passes its
			     descriptor */
	STEP_PLAIN_PATH =
		4,	   /* MOUNT, BIND: no symbolic link may be part of the path (/proc, /sys) */
	STEP_COPY_UP = 8,  /* MOUNT: what the directory held is copied into the new mount */
	STEP_OR_BIND = 16, /* MOUNT: where the kernel refuses, bind `source` instead */
	STEP_REPLACE = 32, /* SYMLINK: remove what is there */
	STEP_NO_PIVOT = 64,	/* PIVOT: MS_MOVE and chroot, for a root on initramfs */
	STEP_NO_GROUPS = 128,	/* USER: setgroups is denied in this user namespace */
	STEP_CONSOLE = 256,	/* TERMINAL: also mounted on /dev/console */
	STEP_LISTENER = 512,	/* SECCOMP: the host fetches the notify descriptor */
	STEP_IF_MISSING = 1024, /* DEVICE, SYMLINK: what exists stays */
	STEP_OR_LATER = 2048,	/* ENTER: when refused, another step tries it again */
	STEP_BY_PATH = 4096,	/* ROOT: found by path, in the mount namespace that was entered */
};

/* A hook that ended with code N fails its step with -(HOOK_FAILED + N); 128 + signal when it was
 * killed. */
#define HOOK_FAILED 4096

#define STEP_ARGS 5

struct wire_step {
	uint16_t op;
	uint16_t flags;
	int32_t fd;
	uint32_t path, source, type, data, data_len;
	uint64_t arg[STEP_ARGS];
};

/* The variable that names the program by its pid. */
#define PLAN_LISTEN_PID "LISTEN_PID="

#define PLAN_MAGIC 0x45544f54u

struct wire_plan {
	uint32_t magic;
	uint32_t size; /* of the whole block */
	int32_t sync_fd;
	uint32_t step_count;
	uint32_t steps; /* struct wire_step[] */
	uint32_t argv,
		envp; /* uintptr_t[] of offsets, 0-terminated: tote-init turns them into pointers */
};

/*
 * Mount options in the data of STEP_MOUNT and STEP_ROOT: for each 'f' KEY NUL (a flag) or 's' KEY
 * NUL VALUE NUL, then a NUL; as fsconfig(2) wants them. A hook's argv and envp are arrays of
 * offsets like the plan's own.
 */

#endif

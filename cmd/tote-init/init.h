/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tote-init: the only code of tote that runs inside a container's namespaces. It maps the plan that
 * the host wrote, walks its steps and becomes the program. It has no libc, allocates nothing,
 * parses nothing; an error is reported as {step, errno} and put into words by the host.
 *
 * Descriptors are opened close-on-exec and mostly left to the final execve, which closes them all
 * at once.
 */
#ifndef CMD_TOTE_INIT_INIT_H
#define CMD_TOTE_INIT_INIT_H

#include "lib/sys.h"
#include "oci/plan_format.h"
#include "oci/sync.h"

#include <stdbool.h>

#define AT_FDCWD (-100)
#define AT_EMPTY_PATH 0x1000
#define AT_RECURSIVE 0x8000
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS 0x200

struct init {
	unsigned char *base; /* the mapped plan */
	const struct wire_plan *plan;
	int sync;	     /* to the host */
	uint64_t entered;    /* CLONE_NEW* of namespaces entered so far */
	int root;	     /* the container's root directory */
	int proc;	     /* a detached procfs of our own, -1 until needed */
	int null_tree;	     /* a mount of /dev/null for masks, -1 until needed */
	int empty_tree;	     /* a mount of an empty read-only tmpfs for masks, -1 until needed */
	const char *program; /* the path that STEP_FIND_PROGRAM found */
	uint64_t permitted;  /* capabilities, from STEP_USER on */
	int parent;	     /* the directory of the last node made, and its path */
	char parent_path[4096];
	char program_path[4096];
	char listen_pid[32]; /* a variable of the program's environment */
};

/* Every step is one function: 0 or -errno. */
typedef int step_fn(struct init *in, const struct wire_step *s);

step_fn step_time_namespace, step_enter, step_clone, step_become_root, step_chroot, step_host,
	step_unshare, step_hostname, step_domainname, step_loopback_up, step_root, step_mount,
	step_bind, step_remount, step_device, step_symlink, step_sysctl, step_work_dir, step_mask,
	step_readonly, step_terminal, step_hook, step_root_readonly, step_root_propagation,
	step_pivot, step_setsid, step_keyring, step_rlimit, step_scheduler, step_io_priority,
	step_personality, step_memory_policy, step_affinity, step_label, step_umask, step_bounding,
	step_user, step_cwd, step_find_program, step_ready, step_release, step_start,
	step_no_new_privs, step_seccomp, step_capabilities, step_close, step_init, step_exec;

/* A string of the plan; NULL when there is none. */
static inline const char *plan_string(const struct init *in, uint32_t offset)
{
	return offset ? (const char *)in->base + offset : NULL;
}

/* mem.c: what the compiler may call for, and a few of their kin. */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* path.c: paths below the container's root, whatever links lie in it. All return a descriptor or
 * -errno. */
int in_root(const struct init *in, const char *path, int open_flags, uint64_t resolve);
/* An O_PATH descriptor of a mount point, made (directory or file) when missing. */
int target_open(const struct init *in, const char *path, bool directory, uint64_t resolve);
/* The directory in which path's last component is made (itself made when missing), and that
 * component. */
int parent_open(struct init *in, const char *path, const char **ret_leaf);

/* sync.c: messages to and from the host. */
int sync_send(const struct init *in, enum sync_what what, int step, int value);
int sync_wait(int sock, enum sync_what what);
/* A message that carries a descriptor. */
int sync_send_fd(const struct init *in, enum sync_what what, int step, int value, int fd);

/* mounts.c: a write to a file of our own procfs. */
int proc_write(struct init *in, const char *prefix, const char *path, const char *data, size_t len);

/* copy_up.c: copies what a directory holds, with owners, modes and times. */
int copy_up(int from, int to);

/* An array of offsets in the plan becomes an array of pointers, in place and once. */
char **relocate(struct init *in, uint32_t array);

_Noreturn void quit(int code);

int step_index(const struct init *in, const struct wire_step *s);

#endif

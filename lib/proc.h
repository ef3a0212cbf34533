/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which process is meant: a pid alone is reused, so identity is pid + start time + boot id, and
 * what acts on it holds a pidfd. Used wherever a pid was stored.
 */
#ifndef LIB_PROC_H
#define LIB_PROC_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_id {
	pid_t pid;	     /* 0: none */
	uint64_t start_time; /* clock ticks since boot, field 22 of /proc/PID/stat */
	char boot_id[37];
};

/* The running kernel's boot id. 0 or -errno. */
int proc_boot_id(char ret[37]);

/* Identifies a process, also one that has ended but is not reaped. -ESRCH when there is none. */
int proc_identify(pid_t pid, struct proc_id *ret_id);

/* True when it was of another boot: then nothing of what was noted with it exists any more. */
bool proc_other_boot(const struct proc_id *id);

/*
 * Opens the process that was identified, and only that one. -ESRCH when it is gone, a zombie, or of
 * another boot. Returns a pidfd (Linux 5.3), close-on-exec.
 */
int proc_open(const struct proc_id *id);

/* False when it is known to be gone (a zombie is). What cannot be looked at counts as alive. */
bool proc_alive(const struct proc_id *id);

/* Sends a signal by pidfd (Linux 5.1); 0 or -errno. */
int proc_signal(int pidfd, int sig);

/* Waits for a child by its pidfd (Linux 5.4) and returns its exit code, 128 + signal when it was
 * killed, or -errno. */
int proc_wait(int pidfd);

/* Waits until any process ends, child or not: 1, or 0 after timeout_ms, or -errno. */
int proc_wait_gone(int pidfd, int timeout_ms);

/*
 * Runs the program at path and waits; envp NULL means ours. input goes to its stdin (NULL:
 * /dev/null). Its stdout is appended to ret_out (NULL: /dev/null). timeout_ms -1: no limit. With an
 * exit code other than 0, err says so (-EIO) with the first line of its stderr. Returns the exit
 * code (127: it could not be executed), or -errno; -ETIMEDOUT after it was killed.
 */
int proc_run(const char *path, char *const argv[], char *const envp[], const char *input,
	     int timeout_ms, struct buf *ret_out, struct err *err);

/* The same in the directory dir, or in "/" when that cannot be entered. */
int proc_run_in(const char *dir, const char *path, char *const argv[], char *const envp[],
		const char *input, int timeout_ms, struct buf *ret_out, struct err *err);

/* A program that runs while we go on. */
struct proc_helper {
	const char *path; /* the caller's */
	pid_t pid;	  /* 0: none */
	int out, said;	  /* what it writes to stdout and stderr */
};

/* Starts it; in_fd is its stdin (-1: /dev/null) and stays the caller's. 0 or -errno. */
int proc_start(const char *path, char *const argv[], char *const envp[], int in_fd, bool want_out,
	       struct proc_helper *ret, struct err *err);
/* Waits for its end; as proc_run() from there on. Nothing of it is left afterwards. */
int proc_end(struct proc_helper *h, int timeout_ms, struct buf *ret_out, struct err *err);

/* An executable file of that name on PATH (without one: where a system has them), in the arena; NULL:
 * there is none. */
char *proc_find(const char *name, struct arena *a);

/* The path of another of our programs: it lies next to the running one. 0 or -errno. */
int proc_sibling(const char *name, char *ret_path, size_t size);

#endif

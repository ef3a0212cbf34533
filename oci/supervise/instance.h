/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container of a service, as RUN/i/INSTANCE/ has it. INSTANCE is "PROJECT-SERVICE-N", and
 * "PROJECT-SERVICE-N.b" while its predecessor has that name (an update makes the new one beside the
 * old one); it is the container's ID as well. The directory is all that supervisor and monitor know
 * of each other: either may be killed at any time, the other goes on, and who comes back reads on.
 *
 *	made.json     what it was made from: a desired_service (written by the supervisor before
 *	              it starts a monitor)
 *	record.json   the supervisor's memory: restarts, back-off, last exits (struct record)
 *	files/        copies of secrets and configs (RUN is a tmpfs)
 *	monitor       identity of the monitor; it holds a flock on it for as long as it lives
 *	status.json   struct instance_status, by the monitor, replaced at each change
 *	exit.json     struct instance_exit, by the monitor before it leaves
 *	control       the monitor's socket (SOCK_SEQPACKET)
 *	in, out, err  FIFOs that the container's streams are, so that they outlive a monitor
 *
 * Every start of the container is a run, counted from 1. exit.json names its run: what the
 * supervisor has taken into record.json it does not take twice.
 *
 * Packets to the monitor's socket, one a packet; "ok" or "error WORDS" comes back:
 *	start                     a container that was made with --wait
 *	stop SIGNAL GRACE_MS      signal, then SIGKILL to all of it when the time is over
 *	kill SIGNAL
 *	resize COLUMNS ROWS
 *	freeze, thaw
 *	reopen                    the log files, after somebody renamed them
 *	attach                    from then on packets are data: to us, first byte 1 or 2 (stream) or
 *	                          'x' (the container has ended); from us, 0 (stdin), 'e' (its end: ^D for
 *	                          a terminal; a FIFO has none), 'r' ("COLUMNS ROWS"). Who does not read
 *	                          misses something and is told how much
 */
#ifndef OCI_SUPERVISE_INSTANCE_H
#define OCI_SUPERVISE_INSTANCE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/proc.h"
#include "oci/supervise/desired.h"

#define INSTANCE_MADE "made.json"
#define INSTANCE_RECORD "record.json"
#define INSTANCE_FILES "files"
#define INSTANCE_MONITOR "monitor"
#define INSTANCE_STATUS "status.json"
#define INSTANCE_EXIT "exit.json"
#define INSTANCE_CONTROL "control"

enum instance_state {
	INSTANCE_CREATING, /* tote create runs */
	INSTANCE_CREATED,  /* waits for "start", or for a connection */
	INSTANCE_RUNNING,
	INSTANCE_FROZEN,
	INSTANCE_STOPPING, /* was told to end */
	INSTANCE_EXITED,   /* exit.json is there; what the container had is being removed */
};

struct instance_status {
	int state; /* enum instance_state */
	uint32_t run;
	struct proc_id init; /* pid 0: none yet */
	int64_t since;	     /* CLOCK_BOOTTIME ms of the last change */
	int64_t started;     /* CLOCK_BOOTTIME ms of this run's start; 0: not yet */
	int64_t started_at;  /* the same, seconds since 1970, for people */
	int64_t start_ms; /* what creating and starting this run took, without waiting in between */
	uint64_t log_dropped; /* bytes that were not logged: disk full, journal gone */
	uint64_t connections; /* open ones, of an activated service */
	uint64_t activations; /* cold starts and thaws so far */
};

enum exit_reason {
	EXIT_ENDED,	  /* by itself */
	EXIT_ASKED,	  /* after "stop" or "kill" */
	EXIT_IDLE,	  /* nobody connected any more */
	EXIT_NOT_CREATED, /* tote create failed; message says why */
	EXIT_NOT_STARTED, /* tote start failed */
	EXIT_UNKNOWN,	  /* its monitor was killed, and nobody else could know */
};

struct instance_exit {
	uint32_t run;
	int reason;	  /* enum exit_reason */
	int32_t code;	  /* as a shell has it: 128 + signal; -1: unknown */
	int32_t signal;	  /* 0: none */
	bool oom;	  /* the kernel killed a process of it for lack of memory in this run */
	int64_t ended;	  /* CLOCK_BOOTTIME ms */
	int64_t ended_at; /* seconds since 1970 */
	int64_t ran_ms;	  /* 0: it never ran */
	char *message;	  /* in words, for people; may be NULL */
};

/* Project, service and number together make it; ".b" with second. In the arena. */
char *instance_name(const char *project, const char *service, uint32_t number, bool second,
		    struct arena *a);

/* Opens RUN/i/INSTANCE, with create makes it (0700). */
int instance_open(int run_fd, const char *name, bool create, struct err *err);

/* Missing files are -ENOENT without words worth showing. */
int instance_read_status(int dir_fd, struct arena *a, struct instance_status *ret, struct err *err);
int instance_write_status(int dir_fd, const struct instance_status *s, struct err *err);
int instance_read_exit(int dir_fd, struct arena *a, struct instance_exit *ret, struct err *err);
int instance_write_exit(int dir_fd, const struct instance_exit *e, struct err *err);
const char *instance_state_name(enum instance_state s); /* "running" */
const char *exit_reason_name(enum exit_reason r);	/* "ended" */

/* The claim of a monitor: locks and fills the file. Returns the descriptor to keep, -EBUSY: another one
 * has it. */
int instance_claim(int dir_fd, struct err *err);
/* A pidfd of the monitor that has the claim; -ESRCH: none lives. */
int instance_open_monitor(int dir_fd);

/* Sends one packet to its monitor and waits for the answer for at most timeout_ms. 0, or -errno with the
 * monitor's own words; -ESRCH: no monitor. The socket's path may be too long for sockaddr_un: by
 * /proc/self/fd. */
int instance_tell(int dir_fd, int timeout_ms, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A connected socket to it. */
int instance_connect(int dir_fd, struct err *err);
/* The same, non-blocking: -EAGAIN when as many wait for the monitor as the kernel lets wait. */
int instance_try_connect(int dir_fd, struct err *err);

/* Removes the directory and all in it. */
int instance_remove(int run_fd, const char *name, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor of one container: what all files of the program share. machine.c decides by a table
 * (state x event), run.c has the container's processes, streams.c their streams, logs*.c the log,
 * control.c and attach.c the socket, activate.c the scale to zero. There is one struct monitor in a
 * process; it lives as long as that.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "cmd/options.h"
#include "cmd/tote-monitor/logs.h"
#include "lib/loop.h"
#include "lib/proc.h"
#include "oci/supervise/instance.h"

/* What the command line says; the strings are argv's. */
struct monitor_options {
	const char *dir, *root, *tote, *id, *run_text;
	bool adopt, wait, tty, in;
	const char *log_driver, *log_file, *log_size;
	unsigned int log_files;
	struct option_list listen;		/* --listen, in their order */
	unsigned int port, idle_ms, stop_grace; /* the latter two in ms */
	const char *stop_signal; /* for ME_IDLE, and when we are told to end; NULL: SIGTERM */
	const char *mode;	 /* "start", "thaw" */
};

enum monitor_state {
	MS_NONE,     /* between runs, before the first and after the last */
	MS_CREATING, /* tote create runs */
	MS_CREATED,  /* waits for ME_START */
	MS_STARTING, /* tote start runs */
	MS_RUNNING,
	MS_FROZEN,
	MS_STOPPING, /* was told to end */
	MS_CLEARING, /* exit.json is there; tote delete runs */
	MS_STATES
};

enum monitor_event {
	ME_CREATE,	/* begin a run */
	ME_CREATED,	/* tote create has ended well */
	ME_NOT_CREATED, /* or not */
	ME_START,   /* the container may be started: by a request, or by somebody who connected */
	ME_STARTED, /* tote start has ended well */
	ME_NOT_STARTED, /* or not */
	ME_FREEZE,
	ME_THAW, /* also by somebody who connected */
	ME_STOP, /* monitor_ask.signal, .grace_ms */
	ME_KILL, /* monitor_ask.signal */
	ME_IDLE, /* nobody is connected any more, for long enough: as ME_STOP, but another run follows */
	ME_LATE,    /* what was waited for takes too long */
	ME_ENDED,   /* init is gone */
	ME_CLEARED, /* tote delete has ended */
	MONITOR_EVENTS
};

struct monitor_ask {
	int signal; /* 0: SIGTERM */
	int64_t grace_ms;
};

struct activate; /* activate.c's own */
struct client;	 /* control.c's own */

/* One of the container's streams, as we read it. */
struct stream {
	struct loop_source source;
	struct loop_timer rest; /* the end of a line is waited for */
	struct monitor *m;
	struct log_stream log;
};

struct monitor {
	struct loop loop;
	const struct monitor_options *o;
	char **words; /* tote create ..., NULL-terminated */
	int dir_fd, claim_fd;
	char *tote;

	enum monitor_state state;
	int64_t entered;	       /* when it came to that, by loop_now() */
	struct instance_status status; /* as status.json has it; run is the one at hand */
	struct monitor_ask ask;	       /* the last one, of ME_STOP and ME_IDLE */
	struct {		       /* of the event at hand */
		const struct monitor_ask *ask;
		struct err *err;
	} now;
	bool wait;	  /* ME_START comes from outside */
	bool asked, idle; /* it ends since somebody said so; since nobody needs it */
	struct loop_timer late;
	struct loop_timer unsaved; /* status.json could not be written */
	int then;		   /* an event that follows the one at hand; -1: none */
	int retry;		   /* one whose files could not be written, for later; -1: none */
	bool again;		   /* another run follows */

	/* run.c */
	struct loop_source signals;
	pid_t create_pid;	     /* 0: does not run */
	int create_code;	     /* of its end, as a shell has it */
	struct proc_helper helper;   /* tote start or tote delete; pid 0: none */
	int init_fd;		     /* init's pidfd; -1: none */
	struct loop_source init;     /* the same, of an init that is not our child */
	struct loop_timer init_gone; /* its exit status is waited for */
	int64_t init_patience;
	bool init_ended;
	int init_status;   /* as of wait(2); -1: unknown */
	char *cgroup;	   /* NULL: none of its own */
	bool private_pids; /* killing init kills all */
	uint64_t oom_before;
	char said[256]; /* the end of what tote create, start or delete wrote to stderr */
	size_t said_len;

	/* streams.c */
	struct stream out, err;	    /* out: the terminal's as well */
	int out_fd, err_fd, in_fd;  /* our ends; -1: none. Of a terminal out_fd and in_fd are it */
	int held_fd;		    /* the container's end of a terminal; -1: none */
	struct loop_source in;	    /* while somebody waits for in_fd to take more */
	struct loop_source console; /* the socket that a terminal comes by */

	struct logs logs;
	struct loop_timer log_timer; /* writes status.json for what was dropped */

	/* control.c */
	struct loop_source control;
	struct list clients;
	unsigned int client_count, attached; /* of them */

	struct activate *activate; /* NULL: no --listen */
};

/* machine.c */

/*
 * Something has happened. 0, or -errno with words for whoever asked when it does not fit the state
 * or cannot be done; then nothing has changed. ask may be NULL.
 */
int monitor_event(struct monitor *m, enum monitor_event event, const struct monitor_ask *ask,
		  struct err *err);
/* The same for what nobody waits for an answer to. */
void monitor_tell(struct monitor *m, enum monitor_event event);
/* What there is to do when nobody says how to stop. */
struct monitor_ask monitor_default_ask(const struct monitor *m);
/* Writes status.json, for whoever changed a number in m->status. */
void monitor_save(struct monitor *m);
const char *monitor_state_name(enum monitor_state s);
const char *monitor_event_name(enum monitor_event e);
/* As lib/signals.h reads it, but 0: that asks for nothing. A number, or -EINVAL. */
int monitor_signal(const char *text);

/*
 * activate.c: scale to zero. The monitor calls these, and gets ME_START, ME_THAW, ME_FREEZE and
 * ME_IDLE by monitor_tell() in return. m->status.connections and .activations are activate.c's to
 * count (monitor_save() writes them).
 */

/* With --listen, before the first run or, for one that is adopted, when its init is known: makes the
 * listening sockets and m->activate. 0 or -errno. */
int activate_open(struct monitor *m, struct err *err);
/*
 * The sockets that the container is to inherit from descriptor 3 on (LISTEN_FDS is set for tote
 * create): how many, and in *ret_fds where they stand (activate.c's memory). 0 when it listens
 * itself.
 */
size_t activate_fds(struct monitor *m, const int **ret_fds);
/*
 * m->state has changed (from is what it was), for good: CREATED: connections may be waited for, in
 * mode thaw it is started at once; RUNNING, FROZEN; STOPPING and what follows: nothing may be handed
 * to it any more. After CLEARING come NONE and CREATING again when it ended by ME_IDLE. Only with
 * m->activate. It is called after status.json was written, and may call monitor_tell().
 */
void activate_changed(struct monitor *m, enum monitor_state from);
/* At the end. */
void activate_close(struct monitor *m);

/* run.c: the processes of a run, and those that make and remove it. */

/* Becomes the parent of what is left by its children, and takes SIGCHLD and SIGTERM by the loop. */
int run_init(struct monitor *m, struct err *err);
int run_create(struct monitor *m, struct err *err);
int run_start(struct monitor *m, struct err *err);
int run_delete(struct monitor *m, struct err *err);
/* Notes the end of what tote create, start or delete said, as far as it is of use to people. */
void run_note_said(struct monitor *m, const char *data, size_t len);
/* The last line of it, or NULL. */
char *run_said(struct monitor *m);
/* SIGKILL to tote create, start or delete: it takes too long. */
void run_kill_helper(struct monitor *m);
/* Forgets what this run had, streams included. */
void run_reset(struct monitor *m);

/* init.c: the container itself. */

/* Once tote create has made it: who init is and what belongs to it, of tote's own state. -ESRCH: it
 * lives no more, -ENOENT: there is no such container. */
int init_take(struct monitor *m, struct err *err);
/* What tote says of it: enum status, -ENOENT. */
int init_status(struct monitor *m, struct err *err);
/* exit.json is of this run: the supervisor has written it, as it was init's parent. */
bool init_exit_is_there(const struct monitor *m);
/* It was reaped, with this status of wait(2). */
void init_reaped(struct monitor *m, int status);
/* Waits for the end of one that is not our child. */
int init_watch(struct monitor *m, struct err *err);
int init_signal(struct monitor *m, int sig);
/* SIGKILL to all of it; no error when it is gone. */
void init_kill_all(struct monitor *m);
/* -EOPNOTSUPP: it has no cgroup. */
int init_freeze(struct monitor *m, bool freeze, struct err *err);
/* Processes killed for lack of memory so far. */
uint64_t init_oom_kills(struct monitor *m);

/* adopt.c: goes on with a container whose monitor was killed. */
int adopt(struct monitor *m, struct err *err);

/* streams.c */

/* fresh: for a new run; else those that the container has. */
int streams_open(struct monitor *m, bool fresh, struct err *err);
/* The ends for tote create's descriptors 0 to 2, all of them the caller's. */
int streams_for_child(struct monitor *m, int ret_fds[3], struct err *err);
/* Reads what is there still. */
void streams_drain(struct monitor *m);
void streams_close(struct monitor *m);
/* Bytes for stdin: how many were taken, which may be 0; -EPIPE: there is no stdin. */
ssize_t streams_write(struct monitor *m, const char *data, size_t len);
/* Whether attach_in_free() is to be called when stdin takes more. */
void streams_want_in(struct monitor *m, bool want);
int streams_resize(struct monitor *m, unsigned int columns, unsigned int rows, struct err *err);

/* control.c: requests */
int control_socket_open(struct monitor *m, struct err *err);
/* A listening socket of a type in the instance's directory, for us and root alone. */
int control_listen_at(const struct monitor *m, int type, const char *name, struct err *err);
/* Those who are connected are told that there is nothing more. */
void control_socket_close(struct monitor *m);

/* attach.c: those who have become a part of its streams */
struct client;
bool attach_begin(struct client *c);
/* A packet from one of them. False: it is of no use any more. */
bool attach_packet(struct client *c, char *data, size_t len);
/* What is read of the container, for all of them: 1 or 2 and data; 'x': it has ended. */
void attach_send(struct monitor *m, char what, const char *data, size_t len);
/* stdin takes data again. */
void attach_in_free(struct monitor *m);
void attach_end(struct client *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's model: projects have services, services have instances, and of each it holds what
 * is wanted (STATE) and what was last read (RUN/i). Both can be read again at any time: nothing here
 * is the truth. Everything happens in one thread:
 *
 *	something happens (inotify, a pidfd, a timer, a request, a probe)
 *	  -> what it changes is read again (seen.c)
 *	  -> supervisor_settle() soon: wants of each number (rollout.c), then one action for each
 *	     instance (decide.c), which act.c does
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include "cmd/tote-supervise/decide.h"
#include "lib/list.h"
#include "lib/loop.h"
#include "oci/supervise/desired.h"
#include "oci/supervise/instance.h"
#include "oci/supervise/paths.h"

struct health;	/* of health.c: its timers and probes of one instance */
struct metrics; /* of metrics.c: its socket */
struct server;	/* of server.c: the control socket */
struct network; /* of network.c */

enum health_state {
	HEALTH_STATE_NONE, /* it has no check, or does not run */
	HEALTH_STATE_STARTING,
	HEALTH_STATE_HEALTHY,
	HEALTH_STATE_UNHEALTHY,
};
const char *health_state_name(enum health_state s); /* "healthy" */

#define RECORD_EXITS 8
/* Being made for so long, by a disk or a plug-in that hangs: others need not wait for it. */
#define STARTING_SLOW_MS 120000

/* record.json. Times are CLOCK_BOOTTIME in ms, 0: never. */
struct instance_record {
	uint32_t run;	   /* the last one whose exit is among ours */
	uint32_t tried;	   /* the last one that a monitor was started for */
	uint32_t held;	   /* a run whose container waits for our \"start\" */
	uint32_t restarts; /* starts after the first, whoever wanted them */
	uint32_t failures; /* ends in a row that were not asked for */
	uint32_t oom_kills;
	uint32_t again; /* this run, and those before, are to be followed by another: a command or
			       a failed health check wants it, whatever the policy says */
	uint32_t unhealthy;    /* the run that was ended for its health */
	int64_t due;	       /* not started before */
	int64_t update_due;    /* by then it has to be healthy, or the update is taken back */
	int64_t healthy_since; /* of run health_run; without a check: since it runs */
	uint32_t health_run;
	int health; /* enum health_state of that run */
	bool degraded;
	uint32_t reaped_run; /* an adopted run that we reaped, as its monitor cannot */
	int32_t reaped_status;
	char *note;			  /* an update that was taken back, in words; or NULL */
	LIST(struct instance_exit) exits; /* the last ones, oldest first */
};

/* What is under way with an instance and ends by itself. */
enum errand { ERRAND_NONE, ERRAND_CLEAN, ERRAND_TELL };

struct instance {
	struct list link; /* of service->instances */
	struct service *service;
	char *name; /* heap */
	uint32_t number;
	bool second; /* ".b" */
	int dir;
	int watch; /* inotify */

	/* Read from its directory. */
	struct arena made_arena;      /* of made */
	struct desired_service *made; /* NULL: it has no (readable) made.json */
	struct arena record_arena;    /* of record */
	struct instance_record record;
	struct arena seen_arena; /* of all below; a new one at each look */
	bool has_status, has_exit;
	struct instance_status status;
	struct instance_exit exit;
	uint32_t run; /* the current or last one */
	enum phase phase;

	struct loop_source monitor; /* its pidfd; ready NULL: none lives */
	pid_t monitor_pid;	    /* when it is our child, until it is reaped */

	enum errand errand;
	pid_t errand_pid;	 /* ERRAND_CLEAN: `tote delete --force` */
	struct loop_source tell; /* ERRAND_TELL: the monitor's socket */
	struct loop_timer errand_timer;
	uint32_t stop_run, start_run; /* the runs that were told to */
	uint32_t hard_run;	      /* the one that was told to stop without grace */
	int64_t stop_by;	      /* force it when it is not gone then */
	char errand_words[300];	      /* how the last errand failed, or "" */
	int errand_tries;
	int silences;	  /* packets in a row that its monitor did not answer */
	int64_t starting; /* since when it is PHASE_STARTING, as far as we know; else 0 */

	enum want want;
	struct decision decision; /* the last one; status shows it */
	struct loop_timer timer;  /* for what depends on time alone */

	enum health_state health_state;
	const char *health_why; /* health.c's, or NULL: what the last probe said */
	struct health *health;	/* health.c's; NULL: no probes */
	bool health_on;		/* between health_begin() and health_end() */
};

struct service {
	struct list link; /* of project->services */
	struct project *project;
	char *name;		      /* heap */
	struct desired_service *want; /* in project->arena; NULL: it is to go */
	struct list instances;	      /* struct instance, by number, then second */
	bool settled;		      /* as wanted: nothing to do but to wait for the next event */
	bool updating;
	bool leaving_hard; /* down --force */
	bool was_degraded; /* for the event */
	uint32_t mark;	   /* of walks */
	char why[256];	   /* what it waits for, or "" */
	char note[400];	   /* an update that was taken back, or "" */
};

struct project {
	struct list link; /* of supervisor->projects */
	struct supervisor *supervisor;
	char *name; /* heap */
	struct arena arena;
	struct desired_project *want; /* NULL: it is to go */
	bool unsaved;		      /* want is not on disk yet (full?); tried again */
	bool damaged;		      /* its file cannot be read: nothing of it is touched */
	bool seen;		      /* while reading STATE */
	struct list services;
};

struct event {
	int64_t time_ms; /* since 1970 */
	char *line;	 /* a JSON object */
};
#define EVENTS_KEPT 256

struct supervisor {
	struct loop loop;
	struct supervise_paths paths;
	struct arena arena;	    /* as long as the process */
	int state, run, instances;  /* STATE, RUN, RUN/i */
	char *root, *store;	    /* --root, --store for children; store may be NULL */
	const char *tote, *monitor; /* paths of the programs */
	const char *metrics_listen; /* --metrics ADDR:PORT, or NULL */
	bool rootless;
	struct list projects;

	struct loop_source signals, inotify;
	struct loop_timer settle_timer, save_timer, sweep_timer;
	bool stopping; /* SIGTERM: all stop, stay wanted */
	bool hurry;    /* a second Ctrl-C: without grace */
	int limit;     /* creates at the same time */
	int creating;
	int64_t started_at; /* seconds since 1970 */
	char trouble[512];  /* "STATE cannot be written: ...", or "" */

	struct event events[EVENTS_KEPT];
	size_t event_next; /* counts all there ever were */

	struct server *server;
	struct metrics *metrics;
	struct network *network;
};

/* supervisor.c: soon, at most once for all that happens until then. */
void supervisor_settle(struct supervisor *sup);

/*
 * health*.c. Begin: a run of an instance with made->health.kind began (or goes on, and we came back:
 * health_state is then the one of record.json). End: it does not run any more; what is under way is
 * ended, instance->health freed and NULL. Probes of a container enter its network namespace by
 * status.init.
 */
void health_begin(struct supervisor *sup, struct instance *i);
void health_end(struct supervisor *sup, struct instance *i);
/* What health.c found out, to be called when it changes only; why is kept by it in health_why. Restarts
 * it where made->health.restart says so. */
void instance_health(struct supervisor *sup, struct instance *i, enum health_state s);
/* A child of health.c's has ended (`tote exec`); true: it was one. status as of waitpid(2). */
bool health_reaped(struct supervisor *sup, pid_t pid, int status);

/* metrics*.c: RUN/metrics and what else it listens on. 0 or -errno; failures are told, no more. */
int metrics_open(struct supervisor *sup, struct err *err);
void metrics_close(struct supervisor *sup);

/* spawn.c: a child with stdin from /dev/null, stdout to out_fd (-1: /dev/null), stderr to err_fd (-1:
 * ours), no other descriptor, default signals, its own session. The pid, or -errno. It is reaped by
 * the supervisor, which tells who waits for it (health_reaped() and others). */
pid_t spawn(const char *path, char *const argv[], int out_fd, int err_fd);
/* The same for a monitor: it keeps what the kernel was told of us about lack of memory. */
pid_t spawn_important(const char *path, char *const argv[]);
/* As many descriptors as we may have, for us but not for them. */
void spawn_more_files(void);

/* event.c: remembered, and sent to who follows. i or s may be NULL. name: "started", "exited",
 * "healthy", ...; detail: words, or NULL. */
void event(struct supervisor *sup, const struct project *p, const struct service *s,
	   const struct instance *i, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* say.c: one line to stderr, with "<N>" in front where journald reads it. priority: syslog(3). */
void say(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* From now on stderr is this file, of which at most two MiB are kept (path and "path.1"). path has to
 * stay. False: it cannot be opened. */
bool say_to_file(const char *path);

/* model.c */
struct project *project_find(struct supervisor *sup, const char *name);
struct service *service_find(struct project *p, const char *name);
/* The definition: what is wanted, or else what one of its instances was made from. May be NULL. */
const struct desired_service *service_definition(const struct service *s);
/* Runs, whatever its health: container alive and started. */
bool instance_runs(const struct instance *i);
/* "running", "starting", ... for people, as status has it. */
const char *instance_state_text(const struct instance *i);
const char *service_state_text(const struct service *s);
/* The health of all of its instances: the worst. */
enum health_state service_health(const struct service *s);
/* Starts after the first, of those instances that are there. */
uint32_t service_restarts(const struct service *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do next, as pure functions of what is wanted, what is seen and the time: no system call,
 * no allocation, nothing remembered. The supervisor asks them after every event and does what they
 * say; being killed between the two costs nothing, as the next one is told the same.
 */
#ifndef SUPERVISE_DECIDE_H
#define SUPERVISE_DECIDE_H

#include "oci/supervise/desired.h"
#include "oci/supervise/instance.h"

/* What an instance is found to be in. */
enum phase {
	PHASE_ABSENT,	/* no directory */
	PHASE_REST,	/* nothing of it lives; it never ran, or its last exit was taken */
	PHASE_STARTING, /* a monitor lives, which makes the container */
	PHASE_CREATED,	/* waits for "start" */
	PHASE_IDLE,	/* waits for a connection */
	PHASE_RUNNING,
	PHASE_STOPPING, /* was told to end */
	PHASE_LEAVING,	/* has ended; its monitor removes what it had */
	PHASE_ENDED,	/* no monitor; its exit was not taken yet */
	PHASE_ORPHAN,	/* the container lives without a monitor */
	PHASE_HALF,	/* neither, and no exit: somebody was killed in between */
	PHASE_COUNT,
};

enum want {
	WANT_RUN,
	WANT_CREATED, /* made, and waiting for its predecessor to be gone */
	WANT_KEEP,    /* as it is: runs until its successor is good */
	WANT_REST,    /* ended, remembered */
	WANT_GONE,
	WANT_COUNT,
};

enum action {
	ACT_NOTHING,
	ACT_MAKE,	/* directory, made.json, files */
	ACT_START,	/* a monitor */
	ACT_START_WAIT, /* a monitor whose container waits */
	ACT_GO,		/* tell it to start */
	ACT_STOP,	/* tell it to stop, with grace */
	ACT_FORCE,	/* it did not: tote delete --force */
	ACT_ADOPT,	/* a new monitor for a living container */
	ACT_TAKE,	/* the exit into record.json */
	ACT_CLEAN,	/* what a killed monitor left: tote delete --force, exit unknown */
	ACT_REMOVE,	/* the directory */
};

/* Why nothing is done, or not yet. */
enum reason {
	REASON_NONE,
	REASON_DEPENDS,	    /* what it depends on is not as it has to be */
	REASON_BACK_OFF,    /* until due */
	REASON_SLOT,	    /* enough others are being made */
	REASON_ORDER,	    /* what depends on it has to end first */
	REASON_DONE,	    /* has ended, and its policy leaves it there */
	REASON_GIVEN_UP,    /* on-failure:max is used up */
	REASON_STOPPED,	    /* somebody wants it so */
	REASON_PREDECESSOR, /* the one before it still runs */
	REASON_ERRAND,	    /* something is under way */
};

struct decision {
	enum action action;
	enum reason reason;
	int64_t due; /* ask again then, CLOCK_BOOTTIME ms; 0: only after an event */
};

/* One instance as decide() wants it. */
struct seen {
	enum phase phase;
	uint32_t run;	   /* the current or last; 0: never ran */
	uint32_t again;	   /* record.again */
	uint32_t failures; /* in a row */
	int64_t due;
	int restart; /* enum restart_policy */
	uint32_t restart_max;
	int exit_reason; /* of the last run: enum exit_reason */
	int32_t exit_code;
	bool stop_told;	      /* this run */
	int64_t stop_by;      /* when told: force it then */
	bool hard, hard_told; /* without grace: somebody wants it so, and this run was told */
	bool go_told;
	bool busy;    /* an errand is under way */
	bool depends; /* all conditions hold */
	bool ordered; /* nothing that depends on it has to end first */
	bool slot;    /* one more may be made now */
};

struct decision decide(enum want want, const struct seen *s, int64_t now);

/* Whether a run that ended is followed by another: REASON_NONE: yes. */
enum reason decide_restart(const struct seen *s);

#define BACK_OFF_FIRST_MS 100
#define BACK_OFF_MAX_MS 300000
#define HEALTHY_RESET_MS 600000 /* healthy for so long: failures are forgotten */
#define CRASH_LOOP 5		/* so many failures in a row are one */

/* Milliseconds until the next try after so many failures in a row, +-10 % by random (any bits). */
int64_t decide_back_off(uint32_t failures, uint32_t random);

/*
 * Replacing: one number of a service has at most two instances, of which one is of the wanted hash
 * ("fresh") and the other is not ("stale").
 */
struct pair {
	bool has_fresh, has_stale;
	enum phase fresh, stale;
	bool fresh_good;  /* healthy, or without a check running for long enough; or completed */
	bool may_begin;	  /* it is this number's turn, and what it depends on is as it has to be */
	bool start_first; /* wanted */
	bool collides;	  /* both cannot be there at the same time: ports, addresses */
	bool stopped;	  /* nothing is to run */
};

struct pair_wants {
	enum want fresh, stale;
	bool make_fresh; /* it is not there and should be */
};

struct pair_wants decide_pair(const struct pair *p);

/* True when a new one has had its chance: late, or failed too often. tries: failures of it. */
#define UPDATE_TRIES 3
bool decide_take_back(const struct seen *fresh, bool good, int64_t update_due, int64_t now);

/* One condition of depends_on, of a service as it is. */
struct depend_on {
	bool exists;
	uint32_t wanted;    /* instances */
	uint32_t started;   /* of them run, or ran and ended by themselves */
	uint32_t healthy;   /* run and are healthy, or run and have no check */
	uint32_t completed; /* ended with exit code 0 and stay so */
	uint32_t failed;    /* ended otherwise and stay so, or crash again and again */
};
bool decide_depend(const struct desired_depend *d, const struct depend_on *on);

const char *phase_name(enum phase p);
const char *action_name(enum action a);

#endif

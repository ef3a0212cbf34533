/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks, inside: health.c has the one of an instance and its timer, health_rule.c says what a
 * result means, health_net.c and health_exec.c are the probes. Others want supervise.h only.
 */
#ifndef SUPERVISE_HEALTH_H
#define SUPERVISE_HEALTH_H

#include "cmd/tote-supervise/supervise.h"

/* What a check without these values gets; as Docker has them. */
#define HEALTH_INTERVAL_MS 30000
#define HEALTH_TIMEOUT_MS 30000
#define HEALTH_START_INTERVAL_MS 5000
#define HEALTH_RETRIES 3

#define HEALTH_PID_FILE "health.pid"
#define HEALTH_LINE 256

/* The rule's memory. */
struct health_tally {
	int state;	   /* enum health_state */
	uint32_t failures; /* in a row */
};

/*
 * A probe that began at this time has ended. As in Docker, failures within the start period do not
 * count until the first success, which ends it; and what has been good or bad stays so until there is a
 * success or enough failures in a row. True when the state has changed.
 */
bool health_judge(const struct desired_health *check, struct health_tally *tally, bool good,
		  int64_t began, int64_t started);
/* Milliseconds from the end of one probe (or the start) to the next. random, any bits, makes it up to
 * an eighth shorter, so that many checks do not stay together. */
int64_t health_pause(const struct desired_health *check, const struct health_tally *tally,
		     int64_t started, int64_t now, uint32_t random);
/* The first one of a run that goes on since before we came: soon, but not all at once. */
int64_t health_pause_again(const struct desired_health *check, uint32_t random);
uint32_t health_timeout(const struct desired_health *check);

struct health {
	struct supervisor *sup;
	struct instance *instance;
	const struct desired_health *check;
	struct health_tally tally;
	int64_t began; /* of the probe that is under way; 0: none is */
	struct loop_timer timer;
	struct loop_source source; /* a socket, or what `tote exec` writes */
	int fd;			   /* of source; -1: none */
	pid_t pid;		   /* `tote exec`; 0: none */
	char line[HEALTH_LINE];	   /* the first that it said */
	size_t len;
	bool line_done;
	char why[HEALTH_LINE + 64]; /* behind instance->health_why */
};

/* The probe is over: its words if it is not good, or NULL. h may be gone afterwards. */
void health_done(struct health *h, bool good, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Begin a probe, which ends by health_done(), maybe before these return. */
void health_net_begin(struct health *h);
void health_exec_begin(struct health *h);
/* End what is under way, without a word. */
void health_exec_kill(struct health *h);
/* `tote exec` has ended. */
void health_exec_ended(struct health *h, int status);
/* Ends what a supervisor before us left there. */
void health_exec_leftover(struct health *h);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/rules.h"

struct refusal {
	enum ttrpc_code code; /* 0: allowed */
	const char *words;
};

#define REFUSED(text)                                                                              \
	{                                                                                          \
		TTRPC_UNKNOWN, text                                                                \
	}
#define FINISHED                                                                                   \
	{                                                                                          \
		TTRPC_NOT_FOUND, "process already finished: not found"                             \
	}

/* Pausing is running for whoever comes meanwhile. */
static const struct refusal of_init[RULES][TASK_STATUSES] = {
	[RULE_START] = { [TASK_RUNNING] = REFUSED("cannot start a running process"),
			 [TASK_PAUSED] = REFUSED("cannot start a paused process"),
			 [TASK_STOPPED] = REFUSED("cannot start a stopped process") },
	[RULE_DELETE] = { [TASK_RUNNING] = REFUSED("cannot delete a running process"),
			  [TASK_PAUSED] = REFUSED("cannot delete a paused process") },
	[RULE_PAUSE] = { [TASK_CREATED] = REFUSED("cannot pause task in created state"),
			 [TASK_PAUSED] = REFUSED("cannot pause a paused container"),
			 [TASK_STOPPED] = REFUSED("cannot pause a stopped container") },
	[RULE_RESUME] = { [TASK_CREATED] = REFUSED("cannot resume task in created state"),
			  [TASK_RUNNING] = REFUSED("cannot resume a running process"),
			  [TASK_STOPPED] = REFUSED("cannot resume a stopped container") },
	[RULE_UPDATE] = { [TASK_STOPPED] = REFUSED("cannot update a stopped container") },
	[RULE_CHECKPOINT] = { [TASK_CREATED] = REFUSED("cannot checkpoint a task in created state"),
			      [TASK_PAUSED] = REFUSED("cannot checkpoint a paused container"),
			      [TASK_STOPPED] = REFUSED("cannot checkpoint a stopped container") },
	[RULE_EXEC] = { [TASK_PAUSED] = REFUSED("cannot exec in a paused state"),
			[TASK_STOPPED] = REFUSED("cannot exec in a stopped state") },
	[RULE_KILL] = { [TASK_STOPPED] = FINISHED },
};

static const struct refusal of_exec[RULES][TASK_STATUSES] = {
	[RULE_START] = { [TASK_RUNNING] = REFUSED("cannot start a running process"),
			 [TASK_STOPPED] = REFUSED("cannot start a stopped process") },
	[RULE_DELETE] = { [TASK_RUNNING] = REFUSED("cannot delete a running process") },
	[RULE_KILL] = { [TASK_CREATED] = { TTRPC_FAILED_PRECONDITION,
					   "process not created: failed precondition" },
			[TASK_STOPPED] = FINISHED },
};

/* One whose end is not told yet has ended all the same, except for Delete, which is to come behind
 * that. */
static enum task_status status_of(const struct process *p, enum rule rule)
{
	if (p->reaped && rule != RULE_DELETE)
		return TASK_STOPPED;
	return p->status == TASK_PAUSING ? TASK_RUNNING : p->status;
}

bool rules_allow(enum rule rule, const struct process *p, struct ttrpc_call *call)
{
	bool init = p == &p->task->init;
	enum task_status status = status_of(p, rule);
	const struct refusal *refusal = &(init ? of_init : of_exec)[rule][status];

	if (!refusal->code)
		return true;
	ttrpc_fail(call, refusal->code, "%s", refusal->words);
	return false;
}

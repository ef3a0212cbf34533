/* SPDX-License-Identifier: Apache-2.0 */
/* Which request fits which state, as a table; the words are those that clients of containerd know.
 */
#ifndef SHIM_RULES_H
#define SHIM_RULES_H

#include "cmd/containerd-shim-tote-v2/task.h"
#include "cmd/containerd-shim-tote-v2/ttrpc.h"

enum rule {
	RULE_CREATE,
	RULE_START,
	RULE_DELETE,
	RULE_PAUSE,
	RULE_RESUME,
	RULE_UPDATE,
	RULE_CHECKPOINT,
	RULE_EXEC,
	RULE_KILL,
	RULES
};

/* True when it may; else the call is answered. */
bool rules_allow(enum rule rule, const struct process *p, struct ttrpc_call *call);

#endif

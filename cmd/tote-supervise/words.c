/* SPDX-License-Identifier: Apache-2.0 */
/* Why something is not up, for people. */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"

#include <stdio.h>
#include <string.h>

void time_words(int64_t ms, char *ret, size_t size)
{
	if (ms < 0)
		ms = 0;
	if (ms < 60000)
		snprintf(ret, size, "%lld.%lld s", (long long)(ms / 1000),
			 (long long)(ms / 100 % 10));
	else
		snprintf(ret, size, "%lld min %lld s", (long long)(ms / 60000),
			 (long long)(ms / 1000 % 60));
}

void exit_words(const struct instance_exit *e, char *ret, size_t size)
{
	const char *message = e->message && e->message[0] ? e->message : NULL;

	if (e->reason == EXIT_NOT_CREATED || e->reason == EXIT_NOT_STARTED)
		snprintf(ret, size, "could not be %s%s%s",
			 e->reason == EXIT_NOT_CREATED ? "created" : "started", message ? ": " : "",
			 message ? message : "");
	else if (e->oom)
		snprintf(ret, size, "out of memory (exit code %d)", (int)e->code);
	else if (e->reason == EXIT_UNKNOWN || e->code < 0)
		snprintf(ret, size, "ended while nobody watched, exit code unknown");
	else if (e->signal)
		snprintf(ret, size, "killed by signal %d", (int)e->signal);
	else
		snprintf(ret, size, "exit code %d", (int)e->code);
}

static void rest_why(const struct instance *i, int64_t now, char *ret, size_t size)
{
	const struct instance_exit *e = instance_record_last(&i->record);
	char last[300] = "", left[32];

	if (e)
		exit_words(e, last, sizeof(last));
	switch (i->decision.reason) {
	case REASON_DEPENDS:
		depends_hold(i->service, i->service->want ? i->service->want : i->made, ret, size);
		break;
	case REASON_BACK_OFF:
		time_words(i->decision.due - now, left, sizeof(left));
		snprintf(ret, size, "%s%s, next try in %s",
			 i->record.degraded ? "crash loop: " : "", last, left);
		break;
	case REASON_SLOT:
		snprintf(ret, size, "waiting until others are made");
		break;
	case REASON_DONE:
		if (e && e->code != 0)
			snprintf(ret, size, "%s, not started again (its restart policy)", last);
		break;
	case REASON_GIVEN_UP:
		snprintf(ret, size, "%s, given up after %u failures", last, i->record.failures);
		break;
	default:
		break;
	}
}

void instance_why(const struct instance *i, int64_t now, char *ret, size_t size)
{
	char left[32];

	ret[0] = 0;
	switch (i->phase) {
	case PHASE_ABSENT:
	case PHASE_REST:
		if (i->errand_words[0] &&
		    (i->decision.reason == REASON_NONE || i->decision.reason == REASON_ERRAND))
			snprintf(ret, size, "%s", i->errand_words);
		else
			rest_why(i, now, ret, size);
		break;
	case PHASE_HALF:
		snprintf(ret, size, "%s",
			 i->errand_words[0] ? i->errand_words : "being cleaned up");
		break;
	case PHASE_CREATED:
		if (i->errand_words[0])
			snprintf(ret, size, "%s", i->errand_words);
		else if (i->want == WANT_CREATED)
			snprintf(ret, size, "waiting for the one before it to end");
		else if (i->decision.reason == REASON_DEPENDS)
			depends_hold(i->service, i->made, ret, size);
		break;
	case PHASE_STARTING:
		time_words(now - i->starting, left, sizeof(left));
		if (i->errand_words[0])
			snprintf(ret, size, "%s", i->errand_words);
		else if (now - i->starting >= STARTING_SLOW_MS)
			snprintf(ret, size, "being made for %s", left);
		break;
	case PHASE_RUNNING:
		if (i->errand_words[0])
			snprintf(ret, size, "%s", i->errand_words);
		else if (i->health_state == HEALTH_STATE_UNHEALTHY)
			snprintf(ret, size, "unhealthy%s%s", i->health_why ? ": " : "",
				 i->health_why ? i->health_why : "");
		else if (i->decision.reason == REASON_ORDER)
			snprintf(ret, size, "to end after what depends on it");
		else if (i->want == WANT_KEEP && i->service->want)
			depends_hold(i->service, i->service->want, ret, size);
		break;
	default:
		snprintf(ret, size, "%s", i->errand_words);
		break;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/health.h"

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

static bool in_start_period(const struct desired_health *check, int64_t started, int64_t now)
{
	return now - started < (int64_t)check->start_period_ms;
}

bool health_judge(const struct desired_health *check, struct health_tally *tally, bool good,
		  int64_t began, int64_t started)
{
	int before = tally->state;

	if (good) {
		tally->failures = 0;
		tally->state = HEALTH_STATE_HEALTHY;
		return before != tally->state;
	}
	if (before == HEALTH_STATE_STARTING && in_start_period(check, started, began))
		return false;
	if (tally->failures < UINT32_MAX)
		tally->failures++;
	if (tally->failures >= or_default(check->retries, HEALTH_RETRIES))
		tally->state = HEALTH_STATE_UNHEALTHY;
	return before != tally->state;
}

int64_t health_pause(const struct desired_health *check, const struct health_tally *tally,
		     int64_t started, int64_t now, uint32_t random)
{
	uint32_t pause = or_default(check->interval_ms, HEALTH_INTERVAL_MS);

	if (tally->state == HEALTH_STATE_STARTING && in_start_period(check, started, now))
		pause = or_default(check->start_interval_ms, HEALTH_START_INTERVAL_MS);
	return pause - random % (pause / 8 + 1);
}

int64_t health_pause_again(const struct desired_health *check, uint32_t random)
{
	uint32_t pause = or_default(check->interval_ms, HEALTH_INTERVAL_MS);
	uint32_t start = or_default(check->start_interval_ms, HEALTH_START_INTERVAL_MS);

	return random % ((pause < start ? pause : start) + 1);
}

uint32_t health_timeout(const struct desired_health *check)
{
	return or_default(check->timeout_ms, HEALTH_TIMEOUT_MS);
}

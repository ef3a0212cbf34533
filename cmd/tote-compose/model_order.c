/* SPDX-License-Identifier: Apache-2.0 */
/* When a service runs: what it depends on, restarts, replicas and updates. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"
#include "lib/signals.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct read_enum_value conditions[] = {
	{ "service_started", DEPEND_STARTED },
	{ "service_healthy", DEPEND_HEALTHY },
	{ "service_completed_successfully", DEPEND_COMPLETED },
	{ NULL, 0 },
};

#define DEPEND(member) offsetof(struct compose_depend, member)

static const struct read_key depend_keys[] = {
	{ "condition", read_enum, DEPEND(condition), conditions },
	{ "required", read_bool, DEPEND(required) },
	{ "restart", read_bool, DEPEND(restart) },
};
static const struct read_table depend_table = { depend_keys, ARRAY_SIZE(depend_keys),
						sizeof(struct compose_depend) };

static int read_depend(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_depend *d = out;

	d->node = n;
	d->required = true;
	return read_map(r, n, out, arg);
}

static int read_depend_name(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_depend *d = out;

	(void)arg;
	d->node = n;
	d->required = true;
	d->service = (char *)read_scalar(r, n);
	return d->service ? 0 : -EINVAL;
}

int read_depends(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_list_of names = { read_depend_name, sizeof(struct compose_depend),
						   NULL };
	static const struct read_list_of maps = { read_depend, sizeof(struct compose_depend),
						  &depend_table };

	(void)arg;
	return n->kind == YAML_MAP ? read_named_list(r, n, out, &maps)
				   : read_list(r, n, out, &names);
}

/* "on-failure:3" */
int read_restart(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const struct read_enum_value policies[] = {
		{ "no", RESTART_NO },
		{ "always", RESTART_ALWAYS },
		{ "unless-stopped", RESTART_UNLESS_STOPPED },
		{ "on-failure", RESTART_ON_FAILURE },
		{ NULL, 0 },
	};
	static const char counted[] = "on-failure:";
	struct compose_restart *restart = out;
	const char *text = read_scalar(r, n);
	uint64_t max;

	(void)arg;
	restart->set = true;
	if (!text || strncmp(text, counted, strlen(counted)) != 0)
		return text ? read_enum(r, n, &restart->policy, policies) : -EINVAL;
	if (parse_integer(text + strlen(counted), false, &max) < 0 || max > UINT32_MAX)
		return read_error(r, n, "expected on-failure:NUMBER, found \"%.40s\"", text);
	restart->policy = RESTART_ON_FAILURE;
	restart->max = (uint32_t)max;
	return 0;
}

#define LIMIT(member) offsetof(struct compose_limits, member)

static const struct read_key limit_keys[] = {
	{ "cpus", read_decimal, LIMIT(cpus) },
	{ "memory", read_bytes, LIMIT(memory) },
	{ "pids", read_number, LIMIT(pids) },
};
static const struct read_table limit_table = { limit_keys, ARRAY_SIZE(limit_keys),
					       sizeof(struct compose_limits) };
static const struct read_key reservation_keys[] = {
	{ "cpus", read_refuse, 0, "no processors can be reserved: write cpu_shares" },
	{ "devices", read_refuse, 0, "write devices of the service" },
	{ "generic_resources", read_refuse, 0, "there is no cluster" },
	{ "memory", read_bytes, LIMIT(memory) },
};
static const struct read_table reservation_table = { reservation_keys, ARRAY_SIZE(reservation_keys),
						     sizeof(struct compose_limits) };
static const struct read_key resource_keys[] = {
	{ "limits", read_map, offsetof(struct compose_deploy, limits), &limit_table },
	{ "reservations", read_map, offsetof(struct compose_deploy, reservations),
	  &reservation_table },
};
static const struct read_table resource_table = { resource_keys, ARRAY_SIZE(resource_keys),
						  sizeof(struct compose_deploy) };

static const struct read_enum_value restart_conditions[] = {
	{ "none", RESTART_NO },
	{ "on-failure", RESTART_ON_FAILURE },
	{ "any", RESTART_ALWAYS },
	{ NULL, 0 },
};

#define BACK_OFF "the time between two starts grows from 100 ms to 5 min by itself"

static const struct read_key restart_keys[] = {
	{ "condition", read_enum, offsetof(struct compose_restart_policy, condition),
	  restart_conditions },
	{ "delay", read_refuse, 0, BACK_OFF },
	{ "max_attempts", read_opt_u32, offsetof(struct compose_restart_policy, max_attempts) },
	{ "window", read_refuse, 0, BACK_OFF },
};

static int check_restart(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_restart_policy *p = out;

	if (p->max_attempts.set && p->condition != RESTART_ON_FAILURE)
		return read_error(r, n, "max_attempts is for condition: on-failure");
	return 0;
}

static const struct read_table restart_table = { restart_keys, ARRAY_SIZE(restart_keys),
						 sizeof(struct compose_restart_policy),
						 check_restart };

static int read_restart_policy(struct reader *r, const struct yaml_node *n, void *out,
			       const void *arg)
{
	struct compose_restart_policy *p = out;

	p->set = true;
	p->condition = RESTART_ALWAYS;
	return read_map(r, n, out, arg);
}

static const struct read_enum_value orders[] = {
	{ "stop-first", ORDER_STOP_FIRST },
	{ "start-first", ORDER_START_FIRST },
	{ NULL, 0 },
};

static const char *const rollback_words[] = { "rollback", NULL };
static const struct read_words rollback_only = {
	rollback_words, "what was there before comes back, always: write rollback or nothing"
};
static const char *const one_word[] = { "1", NULL };
static const struct read_words one_only = { one_word, "only 1 at a time" };
static const struct read_enum_value modes[] = {
	{ "replicated", false },
	{ "global", true },
	{ NULL, 0 },
};

/* One on each box; on one box alone that is one. */
static int read_deploy_mode(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	int global = false, result = read_enum(r, n, &global, arg);

	*(bool *)out = global;
	return result;
}

static const struct read_key update_keys[] = {
	{ "delay", read_refuse, 0, "the next is replaced when the one before is healthy" },
	{ "failure_action", read_one_of, 0, &rollback_only },
	{ "max_failure_ratio", read_refuse, 0, "one failure is enough" },
	{ "monitor", read_duration, offsetof(struct compose_deploy, monitor) },
	{ "order", read_enum, offsetof(struct compose_deploy, order), orders },
	{ "parallelism", read_one_of, 0, &one_only },
};
static const struct read_table update_table = { update_keys, ARRAY_SIZE(update_keys),
						sizeof(struct compose_deploy) };

static const struct read_key deploy_keys[] = {
	{ "endpoint_mode", read_refuse, 0, "there is no cluster" },
	{ "labels", read_refuse, 0, "write labels of the service" },
	{ "mode", read_deploy_mode, offsetof(struct compose_deploy, global), modes },
	{ "placement", read_refuse, 0, "there is no cluster" },
	{ "replicas", read_opt_u32, offsetof(struct compose_deploy, replicas) },
	{ "resources", read_map, 0, &resource_table },
	{ "restart_policy", read_restart_policy, offsetof(struct compose_deploy, restart_policy),
	  &restart_table },
	{ "rollback_config", read_refuse, 0, "what was there before is started as it was" },
	{ "update_config", read_map, 0, &update_table },
};
static const struct read_table deploy_table = { deploy_keys, ARRAY_SIZE(deploy_keys),
						sizeof(struct compose_deploy) };

int read_deploy(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	(void)arg;
	return read_map(r, n, out, &deploy_table);
}

/* x-tote.replace_order: as deploy.update_config.order. */
int read_order(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	return read_enum(r, n, out, arg ? arg : orders);
}

char *signal_word(const char *text, struct arena *a)
{
	int n = signal_parse(text);
	const char *known = n > 0 && n < 32 ? sigabbrev_np(n) : NULL;
	bool prefix = strncasecmp(text, "SIG", 3) == 0;
	char *word;

	if (known)
		return arena_printf(a, "SIG%s", known);
	/* Real-time ones have names alone: their numbers are the C library's to shift. */
	if (n <= 0 || (text[0] >= '0' && text[0] <= '9'))
		return NULL;
	word = arena_printf(a, "SIG%s", text + (prefix ? 3 : 0));
	for (char *p = word; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	return word;
}

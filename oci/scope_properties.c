/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/scope.h"

#include "lib/bitlist.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/number.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define USEC_PER_SEC 1000000
/* A percent of one CPU: all that "CPUQuota=" in systemd's own files can say. */
#define QUOTA_STEP_USEC 10000
#define WEIGHT_IDLE 0 /* systemd 252 and newer */
#define WEIGHT_DEFAULT 100
#define LONG_BYTES sizeof(unsigned long)

void scope_words_add(struct scope_words *w, char *word)
{
	if (w->list.count + 1 >= w->room) {
		char **items = arena_calloc(w->a, w->room = w->room * 2 + 32, sizeof(*items));

		if (w->list.count)
			memcpy(items, w->list.items, w->list.count * sizeof(*items));
		w->list.items = items;
	}
	w->list.items[w->list.count++] = word;
}

void scope_words_base(struct scope_words *w, const struct scope *scope, const char *id, pid_t pid)
{
	/* TasksMax: systemd's default is a share of what the system may have. CollectMode: also a
	 * container that ran out of memory leaves nothing. */
	static const char *const fixed[] = {
		"Delegate=b:true",
		"DefaultDependencies=b:false",
		"CollectMode=s:inactive-or-failed",
		"?CPUAccounting=b:true",
		"?MemoryAccounting=b:true",
		"?TasksAccounting=b:true",
		"?IOAccounting=b:true",
		"?TasksMax=t:18446744073709551615",
	};

	scope_words_add(w, arena_printf(w->a, "PIDs=au:%d", pid));
	scope_words_add(w, arena_printf(w->a, "Slice=s:%s", scope->slice));
	scope_words_add(w, arena_printf(w->a, "Description=s:tote container %s", id));
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		scope_words_add(w, (char *)fixed[i]);
}

/* Systemd might refuse it: then the file alone holds it. */
static void add_number(struct scope_words *w, const char *property, uint64_t n)
{
	scope_words_add(w, arena_printf(w->a, "?%s=t:%" PRIu64, property, n));
}

/* A value of a v2 file: "max", or a number as the kernel takes it ("64M"). Moves *text behind it.
 */
static bool read_amount(const char **text, uint64_t *ret)
{
	static const char units[] = "KMGTPE";
	const char *unit;

	if (strncmp(*text, "max", 3) == 0) {
		*ret = UINT64_MAX;
		*text += 3;
		return true;
	}
	if (!number_scan(text, ret))
		return false;
	unit = isalpha((unsigned char)**text) ? strchr(units, toupper(**text)) : NULL;
	if (!unit)
		return true;
	++*text;
	return !__builtin_mul_overflow(*ret, UINT64_C(1) << 10 * (unit - units + 1), ret);
}

static void put_amount(struct scope_words *w, const char *property, const char *value,
		       const struct scope_now *now)
{
	uint64_t n;

	(void)now;
	if (read_amount(&value, &n) && !*value)
		add_number(w, property, n);
}

/* "default 100" is the same as "100"; a line for one device is not the group's weight. */
static void put_weight(struct scope_words *w, const char *property, const char *value,
		       const struct scope_now *now)
{
	static const char word[] = "default ";

	if (strncmp(value, word, strlen(word)) == 0)
		value += strlen(word);
	if (strcmp(value, "max") != 0)
		put_amount(w, property, value, now);
}

/* It is a weight to systemd. Leaving idle sets the kernel's weight to the default, staying out of
 * it does not. */
static void put_idle(struct scope_words *w, const char *property, const char *value,
		     const struct scope_now *now)
{
	if (strcmp(value, "1") == 0)
		add_number(w, property, WEIGHT_IDLE);
	else if (strcmp(value, "0") == 0 && now->idle)
		add_number(w, property, WEIGHT_DEFAULT);
}

static void put_quota(struct scope_words *w, const char *property, const char *value,
		      const struct scope_now *now)
{
	const char *old = now->cpu_max;
	uint64_t unused, quota, period, rate = UINT64_MAX;

	if (!read_amount(&value, &quota) || !read_amount(&old, &unused) ||
	    !number_scan(*value ? &value : &old, &period) || *value || !period)
		return;
	if (quota != UINT64_MAX) {
		if (__builtin_mul_overflow(quota, USEC_PER_SEC, &rate))
			return;
		rate = (rate / period + QUOTA_STEP_USEC - 1) / QUOTA_STEP_USEC * QUOTA_STEP_USEC;
	}
	add_number(w, property, rate);
	add_number(w, "CPUQuotaPeriodUSec", period);
}

/* Scopes have it since systemd 253, some 252; others write 0 whenever they write a limit of memory.
 * It cannot be set later. */
static void put_oom_group(struct scope_words *w, const char *property, const char *value,
			  const struct scope_now *now)
{
	(void)now;
	if (strcmp(value, "1") == 0)
		scope_words_add(w, arena_printf(w->a, "?%s=s:kill", property));
}

/* Bit n is bit n % 8 of byte n / 8, on every processor. */
static void put_bits(struct scope_words *w, const char *property, const char *value,
		     const struct scope_now *now)
{
	unsigned long mask[BITLIST_MAX / CHAR_BIT / LONG_BYTES];
	int top = bitlist_parse(value, mask);
	autobuf hex = BUF_INIT;

	(void)now;
	if (top < 0)
		return;
	for (size_t i = 0; i < (size_t)top; i += CHAR_BIT)
		buf_addf(&hex, "%02x",
			 (unsigned int)(mask[i / CHAR_BIT / LONG_BYTES] >>
						i % (CHAR_BIT * LONG_BYTES) &
					0xff));
	scope_words_add(w, arena_printf(w->a, "?%s=ay:%s", property, buf_str(&hex)));
}

/* systemd.resource-control(5). What is not here has no property, or one by path of a device. */
static const struct {
	const char *file, *property;
	void (*put)(struct scope_words *w, const char *property, const char *value,
		    const struct scope_now *now);
} properties[] = {
	{ "memory.max", "MemoryMax", put_amount },
	{ "memory.high", "MemoryHigh", put_amount },
	{ "memory.low", "MemoryLow", put_amount },
	{ "memory.min", "MemoryMin", put_amount },
	{ "memory.swap.max", "MemorySwapMax", put_amount },
	{ "memory.oom.group", "OOMPolicy", put_oom_group },
	{ "cpu.weight", "CPUWeight", put_weight },
	{ "cpu.idle", "CPUWeight", put_idle },
	{ "cpu.max", "CPUQuotaPerSecUSec", put_quota },
	{ "cpuset.cpus", "AllowedCPUs", put_bits },
	{ "cpuset.mems", "AllowedMemoryNodes", put_bits },
	{ "pids.max", "TasksMax", put_amount },
	{ "io.weight", "IOWeight", put_weight },
};

void scope_words_limits(struct scope_words *w, const struct cg_writes *writes,
			const struct scope_now *now)
{
	for_each (write, writes) {
		const char *value = write->value;

		/* A period alone: the quota stays. */
		if (write->flags & CG_WRITE_KEEP_QUOTA)
			value = arena_printf(w->a, "%.*s %s", (int)strcspn(now->cpu_max, " "),
					     now->cpu_max, value);
		for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
			if (strcmp(properties[i].file, write->file) == 0)
				properties[i].put(w, properties[i].property, value, now);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/number.h"
#include "oci/resources.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct update_options {
	const char *resources, *l3_cache_schema, *mem_bw_schema;
	const char *memory, *memory_reservation, *memory_swap;
	const char *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_rt_period, *cpu_rt_runtime,
		*cpu_idle;
	const char *cpuset_cpus, *cpuset_mems, *pids_limit, *blkio_weight;
};

#define OPTION(name, letter, member, value, help)                                                  \
	{                                                                                          \
		name, letter, OPT_STRING, offsetof(struct update_options, member), value, help     \
	}

static const struct option items[] = {
	OPTION("resources", 'r', resources, "FILE",
	       "read linux.resources as JSON from FILE, or - for stdin"),
	OPTION("blkio-weight", 0, blkio_weight, "N", "share of block I/O, 10 to 1000"),
	OPTION("cpu-period", 0, cpu_period, "USEC", "period of the CPU quota"),
	OPTION("cpu-quota", 0, cpu_quota, "USEC", "CPU time in each period, -1 for no limit"),
	OPTION("cpu-burst", 0, cpu_burst, "USEC", "CPU time that may be saved up for bursts"),
	OPTION("cpu-share", 0, cpu_share, "N", "relative share of CPU time, 2 to 262144"),
	OPTION("cpu-rt-period", 0, cpu_rt_period, "USEC", "cgroup v1 only: an error"),
	OPTION("cpu-rt-runtime", 0, cpu_rt_runtime, "USEC", "cgroup v1 only: an error"),
	OPTION("cpu-idle", 0, cpu_idle, "0|1", "1: run only when nobody else wants the CPU"),
	OPTION("cpuset-cpus", 0, cpuset_cpus, "LIST", "CPUs that may be used, like 0-2,4"),
	OPTION("cpuset-mems", 0, cpuset_mems, "LIST", "memory nodes that may be used"),
	OPTION("memory", 0, memory, "BYTES", "memory limit like 512m or 1.5g, -1 for none"),
	OPTION("memory-reservation", 0, memory_reservation, "BYTES",
	       "memory that is kept from reclaim"),
	OPTION("memory-swap", 0, memory_swap, "BYTES",
	       "limit of memory and swap together, -1 for none"),
	OPTION("pids-limit", 0, pids_limit, "N",
	       "how many processes there may be, -1 for no limit"),
	{ "kernel-memory", 0, OPT_IGNORED_VALUE, 0, "BYTES", "obsolete, has no effect" },
	{ "kernel-memory-tcp", 0, OPT_IGNORED_VALUE, 0, "BYTES", "obsolete, has no effect" },
	OPTION("l3-cache-schema", 0, l3_cache_schema, "SCHEMA",
	       "shares of the L3 cache (Intel RDT)"),
	OPTION("mem-bw-schema", 0, mem_bw_schema, "SCHEMA",
	       "shares of memory bandwidth (Intel RDT)"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* A number in decimal, with a sign or without. */
static bool read_plain(const char *text, void *out)
{
	struct opt_i64 *v = out;
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return false;
	errno = 0;
	*v = (struct opt_i64){ true, strtoll(text, &end, 10) };
	return !*end && errno == 0;
}

static bool read_unsigned(const char *text, void *out)
{
	struct opt_u64 *v = out;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*v = (struct opt_u64){ true, strtoull(text, &end, 10) };
	return !*end && errno == 0;
}

static bool read_u16(const char *text, void *out)
{
	struct opt_u64 v;

	if (!read_unsigned(text, &v) || v.value > UINT16_MAX)
		return false;
	*(struct opt_u16 *)out = (struct opt_u16){ true, (uint16_t)v.value };
	return true;
}

static bool read_bytes(const char *text, void *out)
{
	struct opt_i64 *v = out;
	uint64_t n;

	v->set = true;
	if (strcmp(text, "-1") == 0) {
		v->value = -1;
		return true;
	}
	if (!number_bytes(text, &n))
		return false;
	v->value = (int64_t)n;
	return true;
}

static bool read_text(const char *text, void *out)
{
	*(char **)out = (char *)text;
	return true;
}

#define LIMIT(option, reader, expected, member)                                                    \
	{                                                                                          \
		offsetof(struct update_options, option), reader, expected,                         \
			offsetof(struct cg_limits, member)                                         \
	}

/* Which option sets which limit. */
static const struct {
	size_t option;
	bool (*read)(const char *text, void *out);
	const char *expected;
	size_t limit;
} limits[] = {
	LIMIT(memory, read_bytes, "a size like 512m or -1", memory.limit),
	LIMIT(memory_reservation, read_bytes, "a size like 512m or -1", memory.reservation),
	LIMIT(memory_swap, read_bytes, "a size like 512m or -1", memory.swap),
	LIMIT(cpu_period, read_unsigned, "microseconds", cpu.period),
	LIMIT(cpu_quota, read_plain, "microseconds or -1", cpu.quota),
	LIMIT(cpu_burst, read_unsigned, "microseconds", cpu.burst),
	LIMIT(cpu_share, read_unsigned, "a number", cpu.shares),
	LIMIT(cpu_rt_period, read_unsigned, "microseconds", cpu.realtime_period),
	LIMIT(cpu_rt_runtime, read_plain, "microseconds", cpu.realtime_runtime),
	LIMIT(cpu_idle, read_plain, "0 or 1", cpu.idle),
	LIMIT(cpuset_cpus, read_text, "", cpu.cpus),
	LIMIT(cpuset_mems, read_text, "", cpu.mems),
	LIMIT(pids_limit, read_plain, "a number or -1", pids_limit),
	LIMIT(blkio_weight, read_u16, "a number", block_io.weight),
};

static const char *option_name(size_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (items[i].kind == OPT_STRING && items[i].offset == offset)
			return items[i].name;
	return "";
}

static int read_flags(const struct update_options *o, struct cg_limits *ret_limits, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const char *text = *(const char *const *)((const char *)o + limits[i].option);

		if (text && !limits[i].read(text, (char *)ret_limits + limits[i].limit))
			return err_set(err, EINVAL, "--%s: expected %s, found \"%s\"",
				       option_name(limits[i].option), limits[i].expected, text);
	}
	return 0;
}

static int read_resources(const char *file, struct arena *a, struct cg_limits *ret_limits,
			  struct err *err)
{
	size_t len;
	char *text;
	int r;

	if (strcmp(file, "-") == 0)
		r = file_read_fd(STDIN_FILENO, "stdin", JSON_MAX_SIZE, a, &text, &len, err);
	else
		r = file_read(AT_FDCWD, file, JSON_MAX_SIZE, a, &text, &len, err);
	if (r == 0)
		r = spec_parse_resources(text, len, a, ret_limits, err);
	return r < 0 ? err_prefix(err, "--resources") : 0;
}

/* Options come on top of the file. */
static int read_change(const struct update_options *o, struct arena *a,
		       struct resources_change *change, struct err *err)
{
	int r = o->resources ? read_resources(o->resources, a, &change->limits, err) : 0;

	change->l3_cache_schema = o->l3_cache_schema;
	change->mem_bw_schema = o->mem_bw_schema;
	change->rootless = globals.rootless;
	return r < 0 ? r : read_flags(o, &change->limits, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct resources_change change = { 0 };
	autocontainer c = CONTAINER_INIT;
	autoarena a = ARENA_INIT;
	autofd root = -1;
	struct err err;
	int r = read_change(opts, &a, &change, &err);

	(void)count;
	if (r < 0)
		err_prefix(&err, "update");
	if (r == 0)
		r = open_container(args[0], true, &c, &root, &err);
	if (r == 0)
		r = resources_update(&c, &change, &err);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_update = { "update",
				  "ID",
				  "change the resource limits of a container",
				  &table,
				  1,
				  1,
				  run,
				  sizeof(struct update_options),
				  0 };

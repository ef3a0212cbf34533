/* SPDX-License-Identifier: Apache-2.0 */
/* What it may use: memory, processors, processes; system calls. */
#include "oci/image/convert_private.h"

#include "lib/bitlist.h"
#include "lib/cleanup.h"
#include "lib/number.h"
#include "oci/seccomp_default.h"
#include "oci/spec_tables.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define DEFAULT_PIDS 512
#define CPU_PERIOD 100000  /* microseconds, the kernel's default */
#define CPU_MIN_QUOTA 1000 /* of the kernel */
#define MAX_CPUS 65536
/* What cgroup v1 took, by which people and the runtime-spec still count. */
#define CPU_SHARES_MIN 2
#define CPU_SHARES_MAX 262144
#define IO_WEIGHT_MIN 10
#define IO_WEIGHT_MAX 1000

bool convert_bytes(const char *text, int64_t *ret)
{
	uint64_t n;

	if (!number_bytes(text, &n) || n == 0)
		return false;
	*ret = (int64_t)n;
	return true;
}

/* "2", "0.5", ".25" to microseconds of a period; digits that it cannot hold are cut off. */
static bool read_cpus(const char *text, int64_t *ret)
{
	uint64_t whole = 0, scale = CPU_PERIOD / 10, quota;

	if (*text != '.' && (!isdigit((unsigned char)*text) || !number_scan(&text, &whole)))
		return false;
	if (whole > MAX_CPUS)
		return false;
	quota = whole * CPU_PERIOD;
	if (*text == '.' && isdigit((unsigned char)text[1])) {
		for (text++; isdigit((unsigned char)*text); text++, scale /= 10)
			quota += (uint64_t)(*text - '0') * scale;
	}
	*ret = (int64_t)quota;
	return !*text && quota >= CPU_MIN_QUOTA;
}

/* An ordinary user may have no cgroup to set limits in: there the default gives way. */
static void set_pids(const struct convert_opts *opts, struct cg_limits *limits)
{
	if (opts->pids_limit > 0)
		limits->pids_limit = (struct opt_i64){ true, opts->pids_limit };
	else if (opts->pids_limit == 0 && !opts->rootless)
		limits->pids_limit = (struct opt_i64){ true, DEFAULT_PIDS };
}

static int set_bytes(const char *option, const char *text, struct opt_i64 *ret, struct err *err)
{
	if (!text)
		return 0;
	ret->set = convert_bytes(text, &ret->value);
	return ret->set ? 0
			: err_set(err, EINVAL, "%s \"%.40s\" is no size like 64m", option, text);
}

/* As docker has them: memory.swap of the runtime-spec also counts both together. */
static int set_memory(const struct convert_opts *opts, struct cg_memory *m, struct err *err)
{
	bool any_swap = opts->memory_swap && strcmp(opts->memory_swap, "-1") == 0;
	int r = set_bytes("memory", opts->memory, &m->limit, err);

	if (r == 0)
		r = set_bytes("memory reservation", opts->memory_reservation, &m->reservation, err);
	if (r == 0 && any_swap)
		m->swap = (struct opt_i64){ true, -1 };
	else if (r == 0)
		r = set_bytes("memory swap", opts->memory_swap, &m->swap, err);
	if (r < 0)
		return r;
	if (m->swap.set && !m->limit.set)
		return err_set(err, EINVAL, "memory swap \"%.40s\": memory is not limited",
			       opts->memory_swap);
	if (m->swap.set && m->swap.value >= 0 && m->swap.value < m->limit.value)
		return err_set(err, EINVAL,
			       "memory swap \"%.40s\": less than memory, which it includes",
			       opts->memory_swap);
	if (m->reservation.set && m->limit.set && m->reservation.value > m->limit.value)
		return err_set(err, EINVAL, "memory reservation \"%.40s\": more than memory",
			       opts->memory_reservation);
	return 0;
}

/* "0" is what nobody asked for, as docker and Compose have it. 1 when it is a number of the range. */
static int read_share(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret, struct err *err)
{
	const char *rest = text;

	if (!text)
		return 0;
	if (!isdigit((unsigned char)*text) || !number_scan(&rest, ret) || *rest ||
	    (*ret && (*ret < min || *ret > max)))
		return err_set(err, EINVAL, "%s \"%.40s\" is no number from %llu to %llu", option,
			       text, (unsigned long long)min, (unsigned long long)max);
	return *ret != 0;
}

static int set_shares(const struct convert_opts *opts, struct cg_limits *limits, struct err *err)
{
	unsigned long mask[BITLIST_MAX / (8 * sizeof(long))];
	uint64_t n = 0;
	int r = read_share("cpu shares", opts->cpu_shares, CPU_SHARES_MIN, CPU_SHARES_MAX, &n, err);

	if (r > 0)
		limits->cpu.shares = (struct opt_u64){ true, n };
	if (r >= 0)
		r = read_share("blkio weight", opts->blkio_weight, IO_WEIGHT_MIN, IO_WEIGHT_MAX, &n,
			       err);
	if (r > 0)
		limits->block_io.weight = (struct opt_u16){ true, (uint16_t)n };
	if (r < 0 || !opts->cpuset_cpus)
		return r < 0 ? r : 0;
	if (bitlist_parse(opts->cpuset_cpus, mask) <= 0)
		return err_set(err, EINVAL, "cpuset \"%.80s\" is no list of processors like 0-2,5",
			       opts->cpuset_cpus);
	limits->cpu.cpus = (char *)opts->cpuset_cpus;
	return 0;
}

int convert_limits(const struct convert_opts *opts, struct cg_limits *limits, struct err *err)
{
	int r = set_memory(opts, &limits->memory, err);

	if (r == 0)
		r = set_shares(opts, limits, err);
	if (r < 0)
		return r;
	if (opts->cpus) {
		if (!read_cpus(opts->cpus, &limits->cpu.quota.value))
			return err_set(
				err, EINVAL,
				"cpus \"%.40s\" is no number of processors like 0.5 (0.01 to "
				"%d)",
				opts->cpus, MAX_CPUS);
		limits->cpu.quota.set = true;
		limits->cpu.period = (struct opt_u64){ true, CPU_PERIOD };
	}
	if (opts->pids_limit < -1)
		return err_set(err, EINVAL, "pids limit %lld is neither positive nor -1",
			       (long long)opts->pids_limit);
	set_pids(opts, limits);
	return 0;
}

/* Docker's files tie rules to capabilities, processors and kernels. To pass over that would allow
 * more than is meant. */
static bool has_conditions(const struct json_value *rule)
{
	static const char *const keys[] = { "includes", "excludes" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct json_value *v = json_get(rule, keys[i]);

		if (v && v->count)
			return true;
	}
	return false;
}

static int read_profile(const char *text, struct arena *a, struct spec_seccomp **ret,
			struct err *err)
{
	const struct json_value *rules;
	struct json_value *root;
	int r = json_parse(text, strlen(text), a, &root, err);

	if (r < 0)
		return r;
	rules = json_get(root, "syscalls");
	for (const struct json_value *v = rules ? rules->first : NULL; v; v = v->next)
		if (has_conditions(v))
			return err_set(err, EOPNOTSUPP,
				       "a rule with conditions (\"includes\", \"excludes\"): only "
				       "profiles of the runtime-spec are supported");
	*ret = arena_alloc(a, sizeof(**ret));
	return json_decode(root, &spec_seccomp_table, a, *ret, err);
}

static struct spec_seccomp *name_builtin(struct arena *a)
{
	struct spec_seccomp *seccomp = arena_alloc(a, sizeof(*seccomp));

	*seccomp = (struct spec_seccomp){ .builtin = true, .default_action = SPEC_ACT_ERRNO };
	return seccomp;
}

int convert_seccomp(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err)
{
	int r;

	if (!opts->seccomp) {
		l->seccomp = opts->portable ? seccomp_default_profile(a) : name_builtin(a);
		return 0;
	}
	if (strcmp(opts->seccomp, "unconfined") == 0)
		return 0;
	r = read_profile(opts->seccomp, a, &l->seccomp, err);
	return r < 0 ? err_prefix(err, "seccomp profile") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What it may use: memory, processors, processes; system calls. */
#include "oci/image/convert_private.h"

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

/* "67108864", "64k", "64M", "2g", "2gb", "2GiB": powers of 1024. */
static bool read_bytes(const char *text, int64_t *ret)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t n;

	if (!isdigit((unsigned char)*text) || !number_scan(&text, &n))
		return false;
	unit = *text ? strchr(units, tolower((unsigned char)*text)) : NULL;
	if (unit) {
		if (__builtin_mul_overflow(n, UINT64_C(1) << 10 * (unit - units + 1), &n))
			return false;
		text++;
		text += tolower((unsigned char)text[0]) == 'i';
	}
	text += tolower((unsigned char)text[0]) == 'b';
	*ret = (int64_t)n;
	return !*text && n > 0 && n <= INT64_MAX;
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

int convert_limits(const struct convert_opts *opts, struct cg_limits *limits, struct err *err)
{
	if (opts->memory) {
		if (!read_bytes(opts->memory, &limits->memory.limit.value))
			return err_set(err, EINVAL, "memory \"%.40s\" is no size like 64m",
				       opts->memory);
		limits->memory.limit.set = true;
	}
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

int convert_seccomp(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err)
{
	int r;

	if (!opts->seccomp) {
		l->seccomp = seccomp_default_profile(a);
		return 0;
	}
	if (strcmp(opts->seccomp, "unconfined") == 0)
		return 0;
	r = read_profile(opts->seccomp, a, &l->seccomp, err);
	return r < 0 ? err_prefix(err, "seccomp profile") : 0;
}

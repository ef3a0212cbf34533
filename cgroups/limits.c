/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/limits.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A translation under way. */
struct list {
	struct arena *a;
	struct buf writes; /* of struct cg_write */
	struct err *err;
};

static void add(struct list *l, const char *field, unsigned int flags, const char *file,
		const char *value)
{
	struct cg_write w = { .file = file, .value = value, .field = field, .flags = flags };

	buf_add(&l->writes, &w, sizeof(w));
}

static void addf(struct list *l, const char *field, unsigned int flags, const char *file,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void addf(struct list *l, const char *field, unsigned int flags, const char *file,
		 const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(l, field, flags, file, arena_strdup(l->a, text));
}

/*
 * "max" is what a new group has, so no controller is needed for saying it; where there is one, an
 * update says it.
 */
static void add_max(struct list *l, const char *field, const char *file)
{
	add(l, field, CG_WRITE_OPTIONAL, file, "max");
}

static int invalid(struct list *l, const char *field, const char *why)
{
	return err_set(l->err, EINVAL, "linux.resources.%s: %s", field, why);
}

/* 0 is "not set" for byte counts and shares: what Docker, podman and runc mean by it. */
static bool given(struct opt_i64 v)
{
	return v.set && v.value != 0;
}

static int check_v1_only(const struct cg_limits *limits, struct err *err)
{
	const struct cg_memory *m = &limits->memory;
	const struct cg_cpu *c = &limits->cpu;
	const struct {
		bool used;
		const char *field;
	} fields[] = {
		{ given(m->kernel) && m->kernel.value > 0, "memory.kernel" },
		{ given(m->kernel_tcp) && m->kernel_tcp.value > 0, "memory.kernelTCP" },
		{ m->swappiness.set, "memory.swappiness" },
		{ m->disable_oom_killer.set && m->disable_oom_killer.value,
		  "memory.disableOOMKiller" },
		{ m->use_hierarchy.set && !m->use_hierarchy.value, "memory.useHierarchy=false" },
		{ given(c->realtime_runtime), "cpu.realtimeRuntime" },
		{ c->realtime_period.set && c->realtime_period.value, "cpu.realtimePeriod" },
		{ limits->block_io.leaf_weight.set && limits->block_io.leaf_weight.value,
		  "blockIO.leafWeight" },
		{ limits->network.class_id.set && limits->network.class_id.value,
		  "network.classID" },
		{ limits->network.priorities.count > 0, "network.priorities" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].used)
			return err_set(err, EOPNOTSUPP,
				       "linux.resources.%s: cgroup v2 has no such thing",
				       fields[i].field);
	}
	return 0;
}

static int put_bytes(struct list *l, const char *field, const char *file, struct opt_i64 v)
{
	if (!given(v))
		return 0;
	if (v.value < -1)
		return invalid(l, field, "less than -1");
	if (v.value == -1)
		add_max(l, field, file);
	else
		addf(l, field, 0, file, "%" PRId64, v.value);
	return 0;
}

/* The spec counts memory and swap together (as v1 did), v2 counts swap alone. */
static int put_swap(struct list *l, const struct cg_memory *m)
{
	static const char field[] = "memory.swap", file[] = "memory.swap.max";

	if (!given(m->swap)) {
		/* Memory without a limit, swap not mentioned: swap is not limited either. */
		if (m->limit.set && m->limit.value == -1)
			add_max(l, field, file);
		return 0;
	}
	if (m->swap.value == -1) {
		add_max(l, field, file);
		return 0;
	}
	if (m->swap.value < -1)
		return invalid(l, field, "less than -1");
	if (!given(m->limit) || m->limit.value < 0)
		return invalid(l, field,
			       "is memory and swap together, it needs memory.limit as well");
	if (m->swap.value < m->limit.value)
		return invalid(l, field,
			       "is memory and swap together, it is less than memory.limit");
	/* A kernel without swap accounting swaps nothing of a group either. */
	addf(l, field, m->swap.value == m->limit.value ? CG_WRITE_OPTIONAL : 0, file, "%" PRId64,
	     m->swap.value - m->limit.value);
	return 0;
}

static int put_memory(struct list *l, const struct cg_memory *m)
{
	int r = put_swap(l, m);

	if (r == 0)
		r = put_bytes(l, "memory.high", "memory.high", m->high);
	if (r == 0)
		r = put_bytes(l, "memory.limit", "memory.max", m->limit);
	if (r == 0)
		r = put_bytes(l, "memory.reservation", "memory.low", m->reservation);
	if (m->oom_group.set)
		add(l, "memory.oom.group", 0, "memory.oom.group", m->oom_group.value ? "1" : "0");
	return r;
}

/*
 * From 2..262144 to 1..10000 on the quadratic-in-the-logarithm curve that runc 1.3.2 and crun 1.23
 * moved to: the defaults of both scales, 1024 shares and weight 100, fall together. On the straight
 * line before it, a container that asked for nothing weighed 39 against the host's services at 100.
 */
static uint64_t weight_from_shares(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

/*
 * An idle group has a weight of its own: the kernel refuses another, and forgets the one before. So
 * idle is left before, and shares mean nothing where it is entered.
 */
static void put_weight(struct list *l, const struct cg_cpu *c)
{
	if (c->idle.set && c->idle.value) {
		add(l, "cpu.idle", 0, "cpu.idle", "1");
		return;
	}
	if (c->idle.set)
		add(l, "cpu.idle", CG_WRITE_OPTIONAL, "cpu.idle", "0");
	/*
	 * containerd writes 1024 into every configuration. That is what a group weighs when nothing
	 * is said, but only if the controller is on at all: so it is asked for where there is one.
	 */
	if (c->shares.set && c->shares.value)
		addf(l, "cpu.shares", c->shares.value == 1024 ? CG_WRITE_USUAL : 0, "cpu.weight",
		     "%" PRIu64, weight_from_shares(c->shares.value));
}

static void put_quota(struct list *l, const struct cg_cpu *c)
{
	static const char file[] = "cpu.max";
	bool period = c->period.set && c->period.value;

	if (given(c->quota) && c->quota.value < 0 && !period)
		add_max(l, "cpu.quota", file);
	else if (given(c->quota) && c->quota.value < 0)
		addf(l, "cpu.period", 0, file, "max %" PRIu64, c->period.value);
	else if (given(c->quota) && period)
		addf(l, "cpu.quota", 0, file, "%" PRId64 " %" PRIu64, c->quota.value,
		     c->period.value);
	else if (given(c->quota))
		addf(l, "cpu.quota", 0, file, "%" PRId64, c->quota.value);
	else if (period)
		addf(l, "cpu.period", CG_WRITE_KEEP_QUOTA, file, "%" PRIu64, c->period.value);
}

/* A burst above the quota is refused: the old one must not stand in a smaller quota's way. */
static void put_bandwidth(struct list *l, const struct cg_cpu *c)
{
	static const char field[] = "cpu.burst", file[] = "cpu.max.burst";

	if (c->burst.set && (given(c->quota) || !c->burst.value))
		add(l, field, CG_WRITE_OPTIONAL, file, "0");
	put_quota(l, c);
	if (c->burst.set && c->burst.value)
		addf(l, field, 0, file, "%" PRIu64, c->burst.value);
}

/* The kernel reads lists up to the end of the line. */
static int put_list(struct list *l, const char *field, const char *file, const char *text)
{
	if (!text || !text[0])
		return 0;
	if (strchr(text, '\n'))
		return invalid(l, field, "is not one line");
	add(l, field, 0, file, text);
	return 0;
}

static int put_cpu(struct list *l, const struct cg_cpu *c)
{
	int r = put_list(l, "cpu.cpus", "cpuset.cpus", c->cpus);

	if (r == 0)
		r = put_list(l, "cpu.mems", "cpuset.mems", c->mems);
	if (r < 0)
		return r;
	if (c->idle.set && c->idle.value != 0 && c->idle.value != 1)
		return invalid(l, "cpu.idle", "is neither 0 nor 1");
	if (c->burst.set && given(c->quota) && c->quota.value > 0 &&
	    c->burst.value > (uint64_t)c->quota.value)
		return invalid(l, "cpu.burst", "is more than cpu.quota");
	put_weight(l, c);
	put_bandwidth(l, c);
	return 0;
}

static void put_pids(struct list *l, struct opt_i64 limit)
{
	if (limit.set && limit.value > 0)
		addf(l, "pids.limit", 0, "pids.max", "%" PRId64, limit.value);
	else if (limit.set)
		add_max(l, "pids.limit", "pids.max");
}

/* BFQ takes the spec's 10..1000 as it is; io.weight (iocost) runs from 1 to 10000. */
static int put_block_weight(struct list *l, const char *field, const char *device,
			    struct opt_u16 weight)
{
	unsigned int w = weight.value;

	if (!weight.set || !w)
		return 0;
	if (w < 10 || w > 1000)
		return invalid(l, field, "is not in 10..1000");
	addf(l, field, CG_WRITE_OPTIONAL, "io.bfq.weight", "%s%u", device, w);
	addf(l, field, CG_WRITE_ALTERNATIVE, "io.weight", "%s%u", device,
	     1 + (w - 10) * 9999 / 990);
	return 0;
}

static int put_device_weights(struct list *l, const struct cg_block_io *b)
{
	for (size_t i = 0; i < b->weight_device.count; i++) {
		const struct cg_block_weight *d = &b->weight_device.items[i];
		const char *device =
			arena_printf(l->a, "%" PRId64 ":%" PRId64 " ", d->major, d->minor);
		int r = put_block_weight(l, "blockIO.weightDevice", device, d->weight);

		if (!d->weight.set && !d->leaf_weight.set)
			r = invalid(l, "blockIO.weightDevice", "has no weight");
		if (r == 0 && d->leaf_weight.set && d->leaf_weight.value)
			r = err_set(l->err, EOPNOTSUPP,
				    "linux.resources.blockIO.weightDevice.leafWeight: cgroup v2 "
				    "has no such thing");
		if (r < 0)
			return r;
	}
	return 0;
}

static void put_throttles(struct list *l, const char *field, const char *key,
			  const struct cg_block_throttles *throttles)
{
	for (size_t i = 0; i < throttles->count; i++) {
		const struct cg_block_throttle *t = &throttles->items[i];
		if (t->rate)
			addf(l, field, 0, "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64, t->major,
			     t->minor, key, t->rate);
		else
			addf(l, field, 0, "io.max", "%" PRId64 ":%" PRId64 " %s=max", t->major,
			     t->minor, key);
	}
}

static int put_block_io(struct list *l, const struct cg_block_io *b)
{
	int r = put_block_weight(l, "blockIO.weight", "", b->weight);

	if (r == 0)
		r = put_device_weights(l, b);
	if (r < 0)
		return r;
	put_throttles(l, "blockIO.throttleReadBpsDevice", "rbps", &b->throttle_read_bps);
	put_throttles(l, "blockIO.throttleWriteBpsDevice", "wbps", &b->throttle_write_bps);
	put_throttles(l, "blockIO.throttleReadIOPSDevice", "riops", &b->throttle_read_iops);
	put_throttles(l, "blockIO.throttleWriteIOPSDevice", "wiops", &b->throttle_write_iops);
	return 0;
}

/* Pages are counted when used and, since 5.7, when reserved: both, or mmap() succeeds too far. */
static int put_hugepages(struct list *l, const struct cg_limits *limits)
{
	static const char field[] = "hugepageLimits";

	for (size_t i = 0; i < limits->hugepages.count; i++) {
		const struct cg_hugepage *h = &limits->hugepages.items[i];
		if (!h->page_size || !h->page_size[0] || strchr(h->page_size, '/'))
			return invalid(l, field, "pageSize is not like \"2MB\"");
		addf(l, field, 0, arena_printf(l->a, "hugetlb.%s.max", h->page_size), "%" PRIu64,
		     h->limit);
		addf(l, field, CG_WRITE_OPTIONAL,
		     arena_printf(l->a, "hugetlb.%s.rsvd.max", h->page_size), "%" PRIu64, h->limit);
	}
	return 0;
}

static int put_rdma(struct list *l, const struct cg_limits *limits)
{
	for (size_t i = 0; i < limits->rdma.count; i++) {
		const struct cg_rdma *d = &limits->rdma.items[i];
		autobuf text = BUF_INIT;

		if (!d->device || !d->device[0] || strpbrk(d->device, " \n"))
			return invalid(l, "rdma", "not the name of a device");
		if (!d->hca_handles.set && !d->hca_objects.set)
			return invalid(l, "rdma", "has neither hcaHandles nor hcaObjects");
		buf_adds(&text, d->device);
		if (d->hca_handles.set)
			buf_addf(&text, " hca_handle=%" PRIu32, d->hca_handles.value);
		if (d->hca_objects.set)
			buf_addf(&text, " hca_object=%" PRIu32, d->hca_objects.value);
		add(l, "rdma", 0, "rdma.max", arena_strdup(l->a, buf_str(&text)));
	}
	return 0;
}

/* One write for each line: files such as io.max take one device at a time. The kernel takes an
 * empty one, and does nothing. */
static int put_lines(struct list *l, const char *field, const char *file, const char *text)
{
	do {
		size_t len = strcspn(text, "\n");

		if (!len)
			return invalid(l, field, "an empty line");
		add(l, field, 0, file, arena_strndup(l->a, text, len));
		text += len;
		text += *text == '\n';
	} while (*text);
	return 0;
}

/* What a group is and does, which is ours to say: a frozen one never lets its first process run. */
static bool is_no_limit(const char *file)
{
	static const char *const files[] = { "cgroup.freeze",	       "cgroup.kill",
					     "cgroup.procs",	       "cgroup.threads",
					     "cgroup.subtree_control", "cgroup.type" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!strcmp(file, files[i]))
			return true;
	}
	return false;
}

static int put_unified(struct list *l, const struct key_value_list *unified)
{
	for (size_t i = 0; i < unified->count; i++) {
		const struct key_value *u = &unified->items[i];
		const char *field = arena_printf(l->a, "unified[\"%s\"]", u->key);
		int r;

		if (!u->key[0] || strchr(u->key, '/') || !strcmp(u->key, ".") ||
		    !strcmp(u->key, ".."))
			return invalid(l, field, "not the name of a file in a cgroup");
		if (is_no_limit(u->key))
			return invalid(l, field, "is not a limit");
		r = put_lines(l, field, u->key, u->value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int translate(struct list *l, const struct cg_limits *limits)
{
	int r = check_v1_only(limits, l->err);

	if (r == 0)
		r = put_memory(l, &limits->memory);
	if (r == 0)
		r = put_cpu(l, &limits->cpu);
	if (r < 0)
		return r;
	put_pids(l, limits->pids_limit);
	r = put_block_io(l, &limits->block_io);
	if (r == 0)
		r = put_hugepages(l, limits);
	if (r == 0)
		r = put_rdma(l, limits);
	/* Last, as the spec lets it override. */
	if (r == 0)
		r = put_unified(l, &limits->unified);
	return r;
}

int limits_translate(const struct cg_limits *limits, struct arena *a, struct cg_writes *ret_writes,
		     struct err *err)
{
	struct list l = { .a = a, .writes = BUF_INIT, .err = err };
	int r = translate(&l, limits);

	if (r == 0) {
		ret_writes->count = l.writes.len / sizeof(struct cg_write);
		ret_writes->items = NULL;
		if (ret_writes->count)
			ret_writes->items = arena_memdup(a, l.writes.data, l.writes.len);
	}
	buf_done(&l.writes);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_tables.h"

#include <string.h>

static const struct json_field device_rule_fields[] = {
	REQUIRED(cg_device_rule, "allow", allow, json_bool),
	FIELD(cg_device_rule, "type", type, json_string),
	FIELD(cg_device_rule, "major", major, json_opt_i64),
	FIELD(cg_device_rule, "minor", minor, json_opt_i64),
	FIELD(cg_device_rule, "access", access, json_string),
};

static int check_device_number(struct json_ctx *ctx, const char *member, struct opt_i64 n)
{
	if (n.set && (n.value < -1 || n.value > UINT32_MAX))
		return member_error(ctx, member, "%lld is out of range (-1 to %u)",
				    (long long)n.value, UINT32_MAX);
	return 0;
}

/* Fills in the defaults too: all types, every access (config-linux.md, "Allowed Device list"). */
static int check_device_rule(struct json_ctx *ctx, void *out)
{
	struct cg_device_rule *rule = out;
	int r;

	if (!rule->type)
		rule->type = arena_strdup(json_arena(ctx), "a");
	if (!rule->access)
		rule->access = arena_strdup(json_arena(ctx), "rwm");
	if (strlen(rule->type) != 1 || !strchr("abc", rule->type[0]))
		return member_error(ctx, "type", "is not one of a, b, c");
	if (!rule->access[0] || rule->access[strspn(rule->access, "rwm")])
		return member_error(ctx, "access", "must be made of the letters r, w and m");
	r = check_device_number(ctx, "major", rule->major);
	return r < 0 ? r : check_device_number(ctx, "minor", rule->minor);
}

static const struct json_table device_rule_table =
	TABLE(cg_device_rule, device_rule_fields, check_device_rule);
static const struct json_list_of device_rule_list = { json_object, sizeof(struct cg_device_rule),
						      &device_rule_table };

static const struct json_field memory_fields[] = {
	FIELD(cg_memory, "limit", limit, json_opt_i64),
	FIELD(cg_memory, "reservation", reservation, json_opt_i64),
	FIELD(cg_memory, "swap", swap, json_opt_i64),
	FIELD(cg_memory, "kernel", kernel, json_opt_i64),
	FIELD(cg_memory, "kernelTCP", kernel_tcp, json_opt_i64),
	FIELD(cg_memory, "swappiness", swappiness, json_opt_u64),
	FIELD(cg_memory, "disableOOMKiller", disable_oom_killer, json_opt_bool),
	FIELD(cg_memory, "useHierarchy", use_hierarchy, json_opt_bool),
	FIELD(cg_memory, "checkBeforeUpdate", check_before_update, json_opt_bool),
};

static const struct json_table memory_table = TABLE(cg_memory, memory_fields, NULL);

static const struct json_field cpu_fields[] = {
	FIELD(cg_cpu, "shares", shares, json_opt_u64),
	FIELD(cg_cpu, "quota", quota, json_opt_i64),
	FIELD(cg_cpu, "burst", burst, json_opt_u64),
	FIELD(cg_cpu, "period", period, json_opt_u64),
	FIELD(cg_cpu, "realtimeRuntime", realtime_runtime, json_opt_i64),
	FIELD(cg_cpu, "realtimePeriod", realtime_period, json_opt_u64),
	FIELD(cg_cpu, "idle", idle, json_opt_i64),
	FIELD(cg_cpu, "cpus", cpus, json_string),
	FIELD(cg_cpu, "mems", mems, json_string),
};

static const struct json_table cpu_table = TABLE(cg_cpu, cpu_fields, NULL);

static const struct json_field pids_fields[] = {
	FIELD(cg_limits, "limit", pids_limit, json_opt_i64), /* required before 1.3 */
};

static const struct json_table pids_table = TABLE(cg_limits, pids_fields, NULL);

static const struct json_field block_weight_fields[] = {
	REQUIRED(cg_block_weight, "major", major, json_i64),
	REQUIRED(cg_block_weight, "minor", minor, json_i64),
	FIELD(cg_block_weight, "weight", weight, json_opt_u16),
	FIELD(cg_block_weight, "leafWeight", leaf_weight, json_opt_u16),
};

static const struct json_table block_weight_table =
	TABLE(cg_block_weight, block_weight_fields, NULL);
static const struct json_list_of block_weight_list = { json_object, sizeof(struct cg_block_weight),
						       &block_weight_table };

static const struct json_field block_throttle_fields[] = {
	REQUIRED(cg_block_throttle, "major", major, json_i64),
	REQUIRED(cg_block_throttle, "minor", minor, json_i64),
	FIELD(cg_block_throttle, "rate", rate, json_u64),
};

static const struct json_table block_throttle_table =
	TABLE(cg_block_throttle, block_throttle_fields, NULL);
static const struct json_list_of block_throttle_list = { json_object,
							 sizeof(struct cg_block_throttle),
							 &block_throttle_table };

static const struct json_field block_io_fields[] = {
	FIELD(cg_block_io, "weight", weight, json_opt_u16),
	FIELD(cg_block_io, "leafWeight", leaf_weight, json_opt_u16),
	FIELD_ARG(cg_block_io, "weightDevice", weight_device, json_list, &block_weight_list),
	FIELD_ARG(cg_block_io, "throttleReadBpsDevice", throttle_read_bps, json_list,
		  &block_throttle_list),
	FIELD_ARG(cg_block_io, "throttleWriteBpsDevice", throttle_write_bps, json_list,
		  &block_throttle_list),
	FIELD_ARG(cg_block_io, "throttleReadIOPSDevice", throttle_read_iops, json_list,
		  &block_throttle_list),
	FIELD_ARG(cg_block_io, "throttleWriteIOPSDevice", throttle_write_iops, json_list,
		  &block_throttle_list),
};

static const struct json_table block_io_table = TABLE(cg_block_io, block_io_fields, NULL);

static const struct json_field hugepage_fields[] = {
	REQUIRED(cg_hugepage, "pageSize", page_size, json_string),
	REQUIRED(cg_hugepage, "limit", limit, json_u64),
};

/* config-linux.md, "Huge page limits": a number, then KB, MB or GB. The kernel names its files so.
 */
static int check_hugepage(struct json_ctx *ctx, void *out)
{
	const struct cg_hugepage *h = out;
	const char *unit = h->page_size + strspn(h->page_size, "0123456789");

	if (unit == h->page_size || h->page_size[0] == '0' ||
	    (strcmp(unit, "KB") != 0 && strcmp(unit, "MB") != 0 && strcmp(unit, "GB") != 0))
		return member_error(ctx, "pageSize", "expected a size like 64KB, 2MB or 1GB");
	return 0;
}

static const struct json_table hugepage_table = TABLE(cg_hugepage, hugepage_fields, check_hugepage);
static const struct json_list_of hugepage_list = { json_object, sizeof(struct cg_hugepage),
						   &hugepage_table };

static const struct json_field rdma_fields[] = {
	FIELD(cg_rdma, "hcaHandles", hca_handles, json_opt_u32),
	FIELD(cg_rdma, "hcaObjects", hca_objects, json_opt_u32),
};

static const struct json_table rdma_table = TABLE(cg_rdma, rdma_fields, NULL);
static const struct json_list_of rdma_list = { json_object, sizeof(struct cg_rdma), &rdma_table };

static const struct json_field priority_fields[] = {
	REQUIRED(cg_net_priority, "name", name, json_string),
	REQUIRED(cg_net_priority, "priority", priority, json_u32),
};

static const struct json_table priority_table = TABLE(cg_net_priority, priority_fields, NULL);
static const struct json_list_of priority_list = { json_object, sizeof(struct cg_net_priority),
						   &priority_table };

static const struct json_field network_fields[] = {
	FIELD(cg_network, "classID", class_id, json_opt_u32),
	FIELD_ARG(cg_network, "priorities", priorities, json_list, &priority_list),
};

static const struct json_table network_table = TABLE(cg_network, network_fields, NULL);

static const struct json_field resources_fields[] = {
	FIELD_ARG(cg_limits, "memory", memory, json_object, &memory_table),
	FIELD_ARG(cg_limits, "cpu", cpu, json_object, &cpu_table),
	{ "pids", json_object, 0, 0, &pids_table },
	FIELD_ARG(cg_limits, "blockIO", block_io, json_object, &block_io_table),
	FIELD_ARG(cg_limits, "hugepageLimits", hugepages, json_list, &hugepage_list),
	FIELD_ARG(cg_limits, "rdma", rdma, json_map_list, &rdma_list),
	FIELD_ARG(cg_limits, "network", network, json_object, &network_table),
	FIELD(cg_limits, "unified", unified, json_map),
	FIELD_ARG(cg_limits, "devices", devices, json_list, &device_rule_list),
};

/* Keys become names of files in the cgroup, and the RDMA device a word of a line: neither may reach
 * further. */
static int check_resources(struct json_ctx *ctx, void *out)
{
	const struct cg_limits *limits = out;

	for (size_t i = 0; i < limits->unified.count; i++) {
		if (is_file_name(limits->unified.items[i].key))
			continue;
		json_push(ctx, "unified", 0);
		return member_error(ctx, limits->unified.items[i].key,
				    "is not the name of a cgroup file");
	}
	for (size_t i = 0; i < limits->rdma.count; i++) {
		const char *device = limits->rdma.items[i].device;

		if (*device && !device[strcspn(device, " \t\n")])
			continue;
		json_push(ctx, "rdma", 0);
		return member_error(ctx, device, "is not the name of an RDMA device");
	}
	return 0;
}

const struct json_table spec_resources_table = TABLE(cg_limits, resources_fields, check_resources);

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_write.h"

#include "lib/json.h"
#include "oci/seccomp_names.h"

static void begin_object(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_object(w);
}

static void begin_array(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_array(w);
}

static void pair_optional(struct json_writer *w, const char *key, const char *s)
{
	if (s)
		json_pair_string(w, key, s);
}

static void pair_strv_optional(struct json_writer *w, const char *key, const struct strv *v)
{
	if (v->count)
		json_pair_strv(w, key, v);
}

static void write_user(struct json_writer *w, const struct spec_user *user)
{
	begin_object(w, "user");
	json_pair_u64(w, "uid", user->uid);
	json_pair_u64(w, "gid", user->gid);
	if (user->additional_gids.count) {
		begin_array(w, "additionalGids");
		for_each (gid, &user->additional_gids)
			json_put_u64(w, *gid);
		json_end_array(w);
	}
	json_end_object(w);
}

/* Empty sets too: runtimes differ in what they take a missing one for. */
static void write_capabilities(struct json_writer *w, const struct spec_capabilities *c)
{
	begin_object(w, "capabilities");
	json_pair_strv(w, "bounding", &c->bounding);
	json_pair_strv(w, "effective", &c->effective);
	json_pair_strv(w, "permitted", &c->permitted);
	pair_strv_optional(w, "inheritable", &c->inheritable);
	pair_strv_optional(w, "ambient", &c->ambient);
	json_end_object(w);
}

static void write_rlimits(struct json_writer *w, const struct spec_process *p)
{
	begin_array(w, "rlimits");
	for_each (limit, &p->rlimits) {
		json_begin_object(w);
		json_pair_string(w, "type", limit->type);
		json_pair_u64(w, "hard", limit->hard);
		json_pair_u64(w, "soft", limit->soft);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_process(struct json_writer *w, const struct spec_process *p)
{
	begin_object(w, "process");
	json_pair_bool(w, "terminal", p->terminal);
	write_user(w, &p->user);
	json_pair_strv(w, "args", &p->args);
	json_pair_strv(w, "env", &p->env);
	json_pair_string(w, "cwd", p->cwd);
	if (p->capabilities)
		write_capabilities(w, p->capabilities);
	if (p->rlimits.count)
		write_rlimits(w, p);
	json_pair_bool(w, "noNewPrivileges", p->no_new_privileges);
	pair_optional(w, "apparmorProfile", p->apparmor_profile);
	if (p->oom_score_adj.set)
		json_pair_i64(w, "oomScoreAdj", p->oom_score_adj.value);
	json_end_object(w);
}

static void write_root(struct json_writer *w, const struct spec_root *root)
{
	begin_object(w, "root");
	json_pair_string(w, "path", root->path);
	json_pair_bool(w, "readonly", root->readonly);
	json_end_object(w);
}

static void write_mappings(struct json_writer *w, const char *key, const struct spec_id_mappings *m)
{
	if (!m->count)
		return;
	begin_array(w, key);
	for_each (map, m) {
		json_begin_object(w);
		json_pair_u64(w, "containerID", map->container_id);
		json_pair_u64(w, "hostID", map->host_id);
		json_pair_u64(w, "size", map->size);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_mounts(struct json_writer *w, const struct spec *spec)
{
	begin_array(w, "mounts");
	for_each (m, &spec->mounts) {
		json_begin_object(w);
		json_pair_string(w, "destination", m->destination);
		pair_optional(w, "type", m->type);
		pair_optional(w, "source", m->source);
		pair_strv_optional(w, "options", &m->options);
		write_mappings(w, "uidMappings", &m->uid_mappings);
		write_mappings(w, "gidMappings", &m->gid_mappings);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_map(struct json_writer *w, const char *key, const struct key_value_list *list)
{
	if (!list->count)
		return;
	begin_object(w, key);
	for_each (kv, list)
		json_pair_string(w, kv->key, kv->value);
	json_end_object(w);
}

static void pair_i64_optional(struct json_writer *w, const char *key, struct opt_i64 n)
{
	if (n.set)
		json_pair_i64(w, key, n.value);
}

static void pair_u32_optional(struct json_writer *w, const char *key, struct opt_u32 n)
{
	if (n.set)
		json_pair_u64(w, key, n.value);
}

static void write_nodes(struct json_writer *w, const struct spec_linux *l)
{
	if (!l->devices.count)
		return;
	begin_array(w, "devices");
	for_each (d, &l->devices) {
		json_begin_object(w);
		json_pair_string(w, "path", d->path);
		json_pair_string(w, "type", d->type);
		pair_i64_optional(w, "major", d->major);
		pair_i64_optional(w, "minor", d->minor);
		pair_u32_optional(w, "fileMode", d->file_mode);
		pair_u32_optional(w, "uid", d->uid);
		pair_u32_optional(w, "gid", d->gid);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_devices(struct json_writer *w, const struct cg_limits *limits)
{
	begin_array(w, "devices");
	for_each (rule, &limits->devices) {
		json_begin_object(w);
		json_pair_bool(w, "allow", rule->allow);
		pair_optional(w, "type", rule->type);
		pair_i64_optional(w, "major", rule->major);
		pair_i64_optional(w, "minor", rule->minor);
		pair_optional(w, "access", rule->access);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_memory(struct json_writer *w, const struct cg_memory *m)
{
	if (!m->limit.set && !m->reservation.set && !m->swap.set)
		return;
	begin_object(w, "memory");
	pair_i64_optional(w, "limit", m->limit);
	pair_i64_optional(w, "reservation", m->reservation);
	pair_i64_optional(w, "swap", m->swap);
	json_end_object(w);
}

static void write_cpu(struct json_writer *w, const struct cg_cpu *cpu)
{
	if (!cpu->shares.set && !cpu->quota.set && !cpu->period.set && !cpu->cpus)
		return;
	begin_object(w, "cpu");
	if (cpu->shares.set)
		json_pair_u64(w, "shares", cpu->shares.value);
	pair_i64_optional(w, "quota", cpu->quota);
	if (cpu->period.set)
		json_pair_u64(w, "period", cpu->period.value);
	pair_optional(w, "cpus", cpu->cpus);
	json_end_object(w);
}

static void write_io(struct json_writer *w, struct opt_u16 weight)
{
	if (!weight.set)
		return;
	begin_object(w, "blockIO");
	json_pair_u64(w, "weight", weight.value);
	json_end_object(w);
}

static void write_pids(struct json_writer *w, struct opt_i64 n)
{
	if (!n.set)
		return;
	begin_object(w, "pids");
	json_pair_i64(w, "limit", n.value);
	json_end_object(w);
}

static bool has_resources(const struct cg_limits *l)
{
	return l->devices.count || l->memory.limit.set || l->memory.reservation.set ||
	       l->memory.swap.set || l->cpu.shares.set || l->cpu.quota.set || l->cpu.period.set ||
	       l->cpu.cpus || l->block_io.weight.set || l->pids_limit.set;
}

static void write_resources(struct json_writer *w, const struct cg_limits *limits)
{
	if (!has_resources(limits))
		return;
	begin_object(w, "resources");
	if (limits->devices.count)
		write_devices(w, limits);
	write_memory(w, &limits->memory);
	write_cpu(w, &limits->cpu);
	write_io(w, limits->block_io.weight);
	write_pids(w, limits->pids_limit);
	json_end_object(w);
}

static void write_namespaces(struct json_writer *w, const struct spec_linux *l)
{
	begin_array(w, "namespaces");
	for_each (ns, &l->namespaces) {
		json_begin_object(w);
		json_pair_string(w, "type", ns_kind_name((enum ns_kind)ns->type));
		pair_optional(w, "path", ns->path);
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_arg(struct json_writer *w, const struct spec_seccomp_arg *arg)
{
	json_begin_object(w);
	json_pair_u64(w, "index", arg->index);
	json_pair_u64(w, "value", arg->value);
	if (arg->value_two)
		json_pair_u64(w, "valueTwo", arg->value_two);
	json_pair_string(w, "op", seccomp_name(seccomp_op_names, arg->op));
	json_end_object(w);
}

static void write_rule(struct json_writer *w, const struct spec_seccomp_rule *rule)
{
	json_begin_object(w);
	json_pair_strv(w, "names", &rule->names);
	json_pair_string(w, "action", seccomp_name(seccomp_action_names, rule->action));
	if (rule->errno_ret.set)
		json_pair_u64(w, "errnoRet", rule->errno_ret.value);
	if (rule->args.count) {
		begin_array(w, "args");
		for_each (arg, &rule->args)
			write_arg(w, arg);
		json_end_array(w);
	}
	json_end_object(w);
}

static void write_filter_flags(struct json_writer *w, uint32_t flags)
{
	begin_array(w, "flags");
	for (const struct json_enum_value *f = seccomp_flag_names; f->name; f++)
		if (flags & (uint32_t)f->value)
			json_put_string(w, f->name);
	json_end_array(w);
}

static void write_seccomp(struct json_writer *w, const struct spec_seccomp *seccomp)
{
	begin_object(w, "seccomp");
	json_pair_string(w, "defaultAction",
			 seccomp_name(seccomp_action_names, seccomp->default_action));
	if (seccomp->builtin)
		json_pair_string(w, SPEC_TOTE_PROFILE, "builtin");
	if (seccomp->default_errno_ret.set)
		json_pair_u64(w, "defaultErrnoRet", seccomp->default_errno_ret.value);
	if (seccomp->has_flags)
		write_filter_flags(w, seccomp->flags);
	pair_optional(w, "listenerPath", seccomp->listener_path);
	pair_optional(w, "listenerMetadata", seccomp->listener_metadata);
	pair_strv_optional(w, "architectures", &seccomp->architectures);
	if (!seccomp->builtin) {
		begin_array(w, "syscalls");
		for_each (rule, &seccomp->syscalls)
			write_rule(w, rule);
		json_end_array(w);
	}
	json_end_object(w);
}

static void write_linux(struct json_writer *w, const struct spec_linux *l)
{
	begin_object(w, "linux");
	write_mappings(w, "uidMappings", &l->uid_mappings);
	write_mappings(w, "gidMappings", &l->gid_mappings);
	write_nodes(w, l);
	pair_optional(w, "cgroupsPath", l->cgroups_path);
	write_map(w, "sysctl", &l->sysctl);
	write_resources(w, &l->resources);
	write_namespaces(w, l);
	if (l->seccomp)
		write_seccomp(w, l->seccomp);
	pair_strv_optional(w, "maskedPaths", &l->masked_paths);
	pair_strv_optional(w, "readonlyPaths", &l->readonly_paths);
	json_end_object(w);
}

void spec_write(const struct spec *spec, bool pretty, struct buf *ret_json)
{
	struct json_writer w;

	json_writer_init(&w, ret_json, pretty);
	json_begin_object(&w);
	json_pair_string(&w, "ociVersion", spec->oci_version);
	if (spec->process)
		write_process(&w, spec->process);
	if (spec->root)
		write_root(&w, spec->root);
	pair_optional(&w, "hostname", spec->hostname);
	write_mounts(&w, spec);
	write_map(&w, "annotations", &spec->annotations);
	write_linux(&w, &spec->linux_);
	json_end_object(&w);
	json_writer_done(&w);
}

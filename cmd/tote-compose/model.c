/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a Compose file, and those of a service: all that the Compose specification has. */
#include "cmd/tote-compose/model.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

#define MAX_REPLICAS 1000

static int read_stop_signal(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)arg;
	if (!text)
		return -EINVAL;
	*(char **)out = signal_word(text, r->a);
	return *(char **)out ? 0 : read_error(r, n, "there is no signal \"%.40s\"", text);
}

/* What would need another container's name: its instance may be another one after an update. */
static int read_namespace(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const struct read_words *w = arg;
	int result = read_one_of(r, n, NULL, w);

	*(char **)out = n->text;
	return result;
}

static int read_network_mode(struct reader *r, const struct yaml_node *n, void *out,
			     const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)arg;
	if (!text)
		return -EINVAL;
	if (strncmp(text, "service:", 8) == 0)
		return read_error(r, n,
				  "an update gives a service's container another name: put "
				  "both on one network");
	*(const char **)out = *text ? text : NULL;
	return 0;
}

static int read_platform(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	static const char own[] = "linux/"
#if defined(__x86_64__)
				  "amd64";
#elif defined(__aarch64__)
				  "arm64";
#elif defined(__arm__)
				  "arm";
#else
				  "riscv64";
#endif
	const char *text = read_scalar(r, n);

	(void)out;
	(void)arg;
	if (!text)
		return -EINVAL;
	/* A variant may follow: linux/arm/v7. */
	if (strncmp(text, own, strlen(own)) != 0 || (text[strlen(own)] && text[strlen(own)] != '/'))
		return read_error(r, n, "\"%.40s\" does not run here, which is %s", text, own);
	return 0;
}

static int read_expose(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	const char *text = read_scalar(r, n);

	(void)out;
	(void)arg;
	if (!text)
		return -EINVAL;
	if (!*text || text[strspn(text, "0123456789-/tcpudsctp")])
		return read_error(r, n, "expected PORT[/PROTOCOL], found \"%.40s\"", text);
	return 0;
}

static const struct read_list_of port_list = { read_port, sizeof(struct compose_port), NULL };
static const struct read_list_of mount_list = { read_mount, sizeof(struct compose_mount), NULL };
static const struct read_list_of grant_list = { read_grant, sizeof(struct compose_grant), NULL };
static const struct read_list_of device_list = { read_device, sizeof(char *), NULL };
static const struct read_list_of expose_list = { read_expose, sizeof(char *), NULL };

static int read_exposed(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct strv ignored;

	(void)out;
	return read_list(r, n, &ignored, arg);
}

static const char *const private_words[] = { "private", NULL };
static const char *const isolation_words[] = { "default", NULL };
static const char *const pull_words[] = { "never", "missing", "if_not_present", NULL };
static const char *const host_words[] = { "host", NULL };
static const char *const ipc_words[] = { "host", "private", NULL };
static const struct read_words cgroup_only = { private_words,
					       "a container does not see the host's cgroups" };
static const struct read_words isolation_only = { isolation_words, "that is not of this system" };
static const struct read_words pull_only = {
	pull_words, "nothing is pulled here: `tote load` the image, and write never or missing"
};
static const struct read_words host_only = { host_words, "only host is possible here" };
static const struct read_words ipc_only = { ipc_words, "only host or private" };

#define OFFSET(member) offsetof(struct compose_service, member)

#define PER_DEVICE "only weight is possible: limits of a device need its numbers"

static const struct read_key blkio_keys[] = {
	{ "device_read_bps", read_refuse, 0, PER_DEVICE },
	{ "device_read_iops", read_refuse, 0, PER_DEVICE },
	{ "device_write_bps", read_refuse, 0, PER_DEVICE },
	{ "device_write_iops", read_refuse, 0, PER_DEVICE },
	{ "weight", read_number, OFFSET(blkio_weight) },
	{ "weight_device", read_refuse, 0, PER_DEVICE },
};
static const struct read_table blkio_table = { blkio_keys, ARRAY_SIZE(blkio_keys),
					       sizeof(struct compose_service) };

static const struct read_key service_keys[] = {
	{ "annotations", read_pairs, OFFSET(annotations) },
	{ "attach", read_false, 0, "`tote up` shows no output: `tote logs -f` does" },
	{ "blkio_config", read_map, 0, &blkio_table },
	{ "build", read_refuse, 0,
	  "tote builds no images: build it elsewhere, `tote load` it, and name it by image" },
	{ "cap_add", read_strv, OFFSET(cap_add) },
	{ "cap_drop", read_strv, OFFSET(cap_drop) },
	{ "cgroup", read_one_of, 0, &cgroup_only },
	{ "cgroup_parent", read_string, OFFSET(cgroup_parent) },
	{ "command", read_command, OFFSET(command) },
	{ "configs", read_list, OFFSET(configs), &grant_list },
	{ "container_name", read_refuse, 0,
	  "containers are called PROJECT-SERVICE-NUMBER; others find a service by its name" },
	{ "cpu_count", read_refuse, 0, "write cpus" },
	{ "cpu_percent", read_refuse, 0, "write cpus" },
	{ "cpu_period", read_refuse, 0, "write cpus, which is quota divided by period" },
	{ "cpu_quota", read_refuse, 0, "write cpus, which is quota divided by period" },
	{ "cpu_rt_period", read_refuse, 0, "cgroup v2 has no limit for real-time processes" },
	{ "cpu_rt_runtime", read_refuse, 0, "cgroup v2 has no limit for real-time processes" },
	{ "cpu_shares", read_number, OFFSET(cpu_shares) },
	{ "cpus", read_decimal, OFFSET(cpus) },
	{ "cpuset", read_string, OFFSET(cpuset) },
	{ "credential_spec", read_refuse, 0, "that is of Windows" },
	{ "depends_on", read_depends, OFFSET(depends_on) },
	{ "deploy", read_deploy, OFFSET(deploy) },
	{ "develop", read_refuse, 0, "tote watches no sources" },
	{ "device_cgroup_rules", read_refuse, 0, "write devices" },
	{ "devices", read_list, OFFSET(devices), &device_list },
	{ "dns", read_string_list, OFFSET(dns) },
	{ "dns_opt", read_strv, OFFSET(dns_opt) },
	{ "dns_search", read_string_list, OFFSET(dns_search) },
	{ "domainname", read_refuse, 0, "write the whole name as hostname" },
	{ "entrypoint", read_command, OFFSET(entrypoint) },
	{ "env_file", read_env_files, OFFSET(env_file) },
	{ "environment", read_pairs, OFFSET(environment) },
	{ "expose", read_exposed, 0, &expose_list },
	{ "extends", read_refuse, 0, "write it out, or use an anchor and \"<<\"" },
	{ "external_links", read_refuse, 0, "put both on an external network" },
	{ "extra_hosts", read_extra_hosts, OFFSET(extra_hosts) },
	{ "gpus", read_refuse, 0, "write devices" },
	{ "group_add", read_strv, OFFSET(group_add) },
	{ "healthcheck", read_health, OFFSET(healthcheck) },
	{ "hostname", read_string, OFFSET(hostname) },
	{ "image", read_string, OFFSET(image) },
	{ "init", read_bool, OFFSET(init) },
	{ "ipc", read_namespace, OFFSET(ipc), &ipc_only },
	{ "isolation", read_one_of, 0, &isolation_only },
	{ "label_file", read_refuse, 0, "write labels" },
	{ "labels", read_pairs, OFFSET(labels) },
	{ "links", read_refuse, 0,
	  "services of one network find each other by name; write depends_on for their order" },
	{ "logging", read_logging, OFFSET(logging) },
	{ "mac_address", read_string, OFFSET(mac_address) },
	{ "mem_limit", read_bytes, OFFSET(mem_limit) },
	{ "mem_reservation", read_bytes, OFFSET(mem_reservation) },
	{ "mem_swappiness", read_refuse, 0, "cgroup v2 has no swappiness; see memswap_limit" },
	{ "memswap_limit", read_bytes, OFFSET(memswap_limit) },
	{ "models", read_refuse, 0, "tote serves no models" },
	{ "network_mode", read_network_mode, OFFSET(network_mode) },
	{ "networks", read_attachments, OFFSET(networks) },
	{ "oom_kill_disable", read_false, 0, "cgroup v2 cannot do that" },
	{ "oom_score_adj", read_number, OFFSET(oom_score_adj) },
	{ "pid", read_namespace, OFFSET(pid), &host_only },
	{ "pids_limit", read_number, OFFSET(pids_limit) },
	{ "platform", read_platform, 0 },
	{ "ports", read_list, OFFSET(ports), &port_list },
	{ "post_start", read_refuse, 0, "tote has no such hooks" },
	{ "pre_stop", read_refuse, 0, "tote has no such hooks: let the program handle its signal" },
	{ "privileged", read_false, 0,
	  "no container has all rights: name what it needs by cap_add and devices" },
	{ "profiles", read_strv, OFFSET(profiles) },
	{ "provider", read_refuse, 0, "tote has no providers" },
	{ "pull_policy", read_one_of, 0, &pull_only },
	{ "pull_refresh_after", read_refuse, 0, "nothing is pulled here" },
	{ "read_only", read_bool, OFFSET(read_only) },
	{ "restart", read_restart, OFFSET(restart) },
	{ "runtime", read_refuse, 0, "tote is the runtime" },
	{ "scale", read_opt_u32, OFFSET(scale) },
	{ "secrets", read_list, OFFSET(secrets), &grant_list },
	{ "security_opt", read_strv, OFFSET(security_opt) },
	{ "shm_size", read_bytes, OFFSET(shm_size) },
	{ "stdin_open", read_bool, OFFSET(stdin_open) },
	{ "stop_grace_period", read_duration, OFFSET(stop_grace_period) },
	{ "stop_signal", read_stop_signal, OFFSET(stop_signal) },
	{ "storage_opt", read_refuse, 0, "tote limits no layers; see tmpfs" },
	{ "sysctls", read_pairs, OFFSET(sysctls) },
	{ "tmpfs", read_string_list, OFFSET(tmpfs) },
	{ "tty", read_bool, OFFSET(tty) },
	{ "ulimits", read_ulimits, OFFSET(ulimits) },
	{ "use_api_socket", read_false, 0, "tote has no such socket" },
	{ "user", read_string, OFFSET(user) },
	{ "userns_mode", read_namespace, OFFSET(userns_mode), &host_only },
	{ "uts", read_namespace, OFFSET(uts), &host_only },
	{ "volumes", read_list, OFFSET(volumes), &mount_list },
	{ "volumes_from", read_refuse, 0, "give the volume a name, and name it in both services" },
	{ "working_dir", read_string, OFFSET(working_dir) },
	{ "x-tote", read_extension, OFFSET(extension) },
};

/* Two keys for one limit may not differ. */
static int take_limit(struct reader *r, const struct yaml_node *n, const char *key, char **limit,
		      char *other)
{
	if (*limit && other && strcmp(*limit, other) != 0)
		return read_error(r, n, "%s says %s and deploy.resources %s", key, *limit, other);
	if (!*limit)
		*limit = other;
	return 0;
}

static int check_service(struct reader *r, const struct yaml_node *n, void *out)
{
	struct compose_service *s = out;
	int result;

	s->node = n;
	if (!desired_is_service_name(s->name))
		return read_error(r, n,
				  "this is no service's name: letters, digits, \"_\", \".\", "
				  "\"-\", at most 63");
	if (!s->image || !*s->image)
		return read_error(r, n, "no image");
	if (s->network_mode && s->networks.count)
		return read_error(r, n, "network_mode and networks exclude each other");
	if (s->network_mode && strcmp(s->network_mode, "bridge") != 0 && s->ports.count)
		return read_error(r, yaml_get(n, "ports"),
				  "with network_mode: %s there is no port to publish",
				  s->network_mode);
	if (s->command.set && !s->command.words.count && !s->entrypoint.words.count)
		return read_error(r, yaml_get(n, "command"),
				  "command is empty: leave it out for the image's own");
	if (s->scale.set && s->deploy.replicas.set && s->scale.value != s->deploy.replicas.value)
		return read_error(r, n, "scale says %u and deploy.replicas %u", s->scale.value,
				  s->deploy.replicas.value);
	if (!s->scale.set)
		s->scale = s->deploy.replicas;
	if (s->deploy.global && s->scale.set)
		return read_error(r, n, "deploy.mode: global is one on each box, not a number");
	if (!s->scale.set)
		s->scale.value = 1;
	if (s->scale.value > MAX_REPLICAS)
		return read_error(r, n, "more than %d replicas", MAX_REPLICAS);
	if (s->scale.value > 1 && s->ports.count)
		return read_error(r, yaml_get(n, "ports"),
				  "%u replicas cannot have one port of the host", s->scale.value);
	result = take_limit(r, n, "mem_limit", &s->mem_limit, s->deploy.limits.memory);
	if (result == 0)
		result = take_limit(r, n, "cpus", &s->cpus, s->deploy.limits.cpus);
	if (result == 0)
		result = take_limit(r, n, "pids_limit", &s->pids_limit, s->deploy.limits.pids);
	if (result == 0)
		result = take_limit(r, n, "mem_reservation", &s->mem_reservation,
				    s->deploy.reservations.memory);
	return result;
}

const struct read_table compose_service_table = { service_keys, ARRAY_SIZE(service_keys),
						  sizeof(struct compose_service), check_service };

static int read_service(struct reader *r, const struct yaml_node *n, void *out, const void *arg)
{
	struct compose_service *s = out;

	s->logging = (struct compose_logging){ LOG_LOCAL, DESIRED_LOG_SIZE, DESIRED_LOG_FILES };
	return read_map(r, n, out, arg);
}

static const struct read_list_of service_list = { read_service, sizeof(struct compose_service),
						  &compose_service_table };
static const struct read_list_of network_list = { read_top_network, sizeof(struct compose_network),
						  NULL };
static const struct read_list_of volume_list = { read_top_volume, sizeof(struct compose_volume),
						 NULL };
static const struct read_list_of secret_list = { read_top_secret, sizeof(struct compose_content),
						 NULL };
static const struct read_list_of config_list = { read_top_config, sizeof(struct compose_content),
						 NULL };

#define TOP(member) offsetof(struct compose_file, member)

static const struct read_key file_keys[] = {
	{ "configs", read_named_list, TOP(configs), &config_list },
	{ "include", read_refuse, 0, "name the files by -f" },
	{ "models", read_refuse, 0, "tote serves no models" },
	{ "name", read_string, TOP(name) },
	{ "networks", read_named_list, TOP(networks), &network_list },
	{ "secrets", read_named_list, TOP(secrets), &secret_list },
	{ "services", read_named_list, TOP(services), &service_list },
	/* Obsolete, and without a meaning since there is a specification. */
	{ "version", read_ignore, 0 },
	{ "volumes", read_named_list, TOP(volumes), &volume_list },
	{ "x-tote", read_refuse, 0, "it belongs in a service" },
};

static int check_file(struct reader *r, const struct yaml_node *n, void *out)
{
	const struct compose_file *f = out;

	return f->services.count ? 0 : read_error(r, n, "no services");
}

const struct read_table compose_file_table = { file_keys, ARRAY_SIZE(file_keys),
					       sizeof(struct compose_file), check_file };

int model_read(const struct yaml_node *root, struct arena *a, struct compose_file *ret,
	       struct err *err)
{
	struct compose_file file = { 0 };
	struct reader r = { .a = a, .err = err };
	int result = read_map(&r, root, &file, &compose_file_table);

	if (result == 0)
		*ret = file;
	return result;
}

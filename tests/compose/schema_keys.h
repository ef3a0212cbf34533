/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of compose-spec.json (the Compose specification's schema), by the places where they may
 * stand. %s in a document is replaced by each of them.
 */
static const struct {
	const char *place, *document, *keys;
} specified[] = {
	{ "top", "%s: \nservices: {web: {image: x}}",
	  "version name include services models networks volumes secrets configs" },
	{ "service", "services: {web: {%s: }}",
	  "develop deploy annotations attach build blkio_config cap_add cap_drop cgroup "
	  "cgroup_parent command configs container_name cpu_count cpu_percent cpu_shares cpu_quota "
	  "cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset credential_spec depends_on "
	  "device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file "
	  "label_file environment expose extends provider external_links extra_hosts gpus "
	  "group_add healthcheck hostname image init ipc isolation labels links logging "
	  "mac_address mem_limit mem_reservation mem_swappiness memswap_limit network_mode models "
	  "networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start "
	  "pre_stop privileged profiles pull_policy pull_refresh_after read_only restart runtime "
	  "scale security_opt shm_size secrets sysctls stdin_open stop_grace_period stop_signal "
	  "storage_opt tmpfs tty ulimits use_api_socket user uts userns_mode volumes volumes_from "
	  "working_dir" },
	{ "healthcheck", "services: {web: {image: x, healthcheck: {%s: }}}",
	  "disable interval retries test timeout start_period start_interval" },
	{ "deploy", "services: {web: {image: x, deploy: {%s: }}}",
	  "mode endpoint_mode replicas labels rollback_config update_config resources "
	  "restart_policy placement" },
	{ "deploy.resources", "services: {web: {image: x, deploy: {resources: {%s: }}}}",
	  "limits reservations" },
	{ "limits", "services: {web: {image: x, deploy: {resources: {limits: {%s: }}}}}",
	  "cpus memory pids" },
	{ "reservations",
	  "services: {web: {image: x, deploy: {resources: {reservations: {%s: }}}}}",
	  "cpus memory generic_resources devices" },
	{ "restart_policy", "services: {web: {image: x, deploy: {restart_policy: {%s: }}}}",
	  "condition delay max_attempts window" },
	{ "update_config", "services: {web: {image: x, deploy: {update_config: {%s: }}}}",
	  "parallelism delay failure_action monitor max_failure_ratio order" },
	{ "logging", "services: {web: {image: x, logging: {%s: }}}", "driver options" },
	{ "ports", "services: {web: {image: x, ports: [{%s: }]}}",
	  "name mode host_ip target published protocol app_protocol" },
	{ "volumes", "services: {web: {image: x, volumes: [{%s: }]}}",
	  "type source target read_only consistency bind volume tmpfs image" },
	{ "volumes.bind", "services: {web: {image: x, volumes: [{bind: {%s: }}]}}",
	  "propagation create_host_path recursive selinux" },
	{ "volumes.volume", "services: {web: {image: x, volumes: [{volume: {%s: }}]}}",
	  "labels nocopy subpath" },
	{ "volumes.tmpfs", "services: {web: {image: x, volumes: [{tmpfs: {%s: }}]}}", "size mode" },
	{ "networks", "services: {web: {image: x, networks: {default: {%s: }}}}",
	  "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address driver_opts "
	  "priority gw_priority" },
	{ "depends_on", "services: {web: {image: x, depends_on: {web: {%s: }}}}",
	  "restart required condition" },
	{ "env_file", "services: {web: {image: x, env_file: [{%s: }]}}", "path format required" },
	{ "secrets", "services: {web: {image: x, secrets: [{%s: }]}}",
	  "source target uid gid mode" },
	{ "configs", "services: {web: {image: x, configs: [{%s: }]}}",
	  "source target uid gid mode" },
	{ "devices", "services: {web: {image: x, devices: [{%s: }]}}",
	  "source target permissions" },
	{ "blkio_config", "services: {web: {image: x, blkio_config: {%s: }}}",
	  "device_read_bps device_read_iops device_write_bps device_write_iops weight "
	  "weight_device" },
	{ "ulimits", "services: {web: {image: x, ulimits: {nofile: {%s: }}}}", "hard soft" },
	{ "network", "services: {web: {image: x}}\nnetworks: {n: {%s: }}",
	  "name driver driver_opts ipam external internal enable_ipv4 enable_ipv6 attachable "
	  "labels" },
	{ "ipam", "services: {web: {image: x}}\nnetworks: {n: {ipam: {%s: }}}",
	  "driver config options" },
	{ "ipam.config", "services: {web: {image: x}}\nnetworks: {n: {ipam: {config: [{%s: }]}}}",
	  "subnet ip_range gateway aux_addresses" },
	{ "volume", "services: {web: {image: x}}\nvolumes: {n: {%s: }}",
	  "name driver driver_opts external labels" },
	{ "secret", "services: {web: {image: x}}\nsecrets: {n: {%s: }}",
	  "name environment file external labels driver driver_opts template_driver" },
	{ "config", "services: {web: {image: x}}\nconfigs: {n: {%s: }}",
	  "name content environment file external labels template_driver" },
};

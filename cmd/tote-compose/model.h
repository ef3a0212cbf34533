/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Compose file says, as structs: names as in the Compose specification, in snake case.
 * model*.c read it and judge what one place can be judged by; translate*.c make a desired project
 * of it.
 */
#ifndef CMD_TOTE_COMPOSE_MODEL_H
#define CMD_TOTE_COMPOSE_MODEL_H

#include "cmd/tote-compose/reader.h"
#include "oci/supervise/desired.h"

struct compose_depend {
	char *service; /* first: read_named_list */
	const struct yaml_node *node;
	int condition;
	bool required, restart;
};

struct compose_env_file {
	const struct yaml_node *node;
	char *path, *format;
	bool required;
};

/* Published: host..host_end becomes target..target_end. */
struct compose_port {
	const struct yaml_node *node;
	char *host_ip, *protocol, *published, *target;
	uint16_t host, host_end, first, last;
};

enum mount_kind { MOUNT_VOLUME, MOUNT_BIND, MOUNT_TMPFS };

struct compose_mount {
	const struct yaml_node *node;
	int type; /* enum mount_kind */
	char *source, *target;
	char *options; /* of mount(2) and tmpfs, with commas between them; NULL: none */
	bool read_only, create_host_path;
	char *size;
	struct opt_u32 mode;
};

/* A service on a network. */
struct compose_attachment {
	char *network; /* first: read_named_list */
	const struct yaml_node *node;
	struct strv aliases;
	char *ipv4_address, *ipv6_address, *mac_address;
	char *priority;
};

/* A secret or a config in a service. */
struct compose_grant {
	const struct yaml_node *node;
	char *source, *target;
	uint32_t uid, gid;
	uint32_t mode;
};

struct compose_health {
	const struct yaml_node *node; /* NULL: the file has none */
	bool disable;
	struct strv test; /* "CMD", "CMD-SHELL" or "NONE" in front */
	struct opt_u32 interval, timeout, start_period, start_interval, retries; /* ms */
	/* x-tote.health */
	struct desired_health probe; /* HEALTH_TCP, HEALTH_HTTP; else none */
	int action;		     /* enum health_action */
};

enum health_action { ACTION_UNSAID, ACTION_RESTART, ACTION_NONE };

struct compose_limits {
	char *cpus, *memory, *pids;
};

struct compose_restart_policy {
	bool set;
	int condition; /* enum restart_policy */
	struct opt_u32 max_attempts;
};

struct compose_deploy {
	struct opt_u32 replicas;
	bool global; /* one on each box */
	struct compose_limits limits, reservations;
	struct compose_restart_policy restart_policy;
	int order; /* enum replace_order */
	struct opt_u32 monitor;
};

enum replace_order { ORDER_UNSAID, ORDER_STOP_FIRST, ORDER_START_FIRST };

struct compose_restart {
	bool set;
	int policy; /* enum restart_policy */
	uint32_t max;
};

struct compose_activate {
	struct strv listen;
	uint16_t port;
	struct opt_u32 idle;
	int mode;
};

struct compose_extension {
	int order;
	struct opt_u32 update_timeout;
	struct compose_health health;
	struct compose_activate *activate;
	char *address; /* "10.0.0.5/24" */
};

struct compose_logging {
	int driver;
	uint64_t max_size;
	uint32_t max_file;
};

struct compose_service {
	char *name; /* first: read_named_list */
	const struct yaml_node *node;
	char *image;
	struct read_command command, entrypoint;
	struct key_value_list environment, labels, annotations, sysctls;
	LIST(struct compose_env_file) env_file;
	LIST(struct compose_port) ports;
	LIST(struct compose_mount) volumes;
	LIST(struct compose_attachment) networks;
	LIST(struct compose_grant) secrets, configs;
	LIST(struct compose_depend) depends_on;
	struct compose_health healthcheck;
	struct compose_deploy deploy;
	struct compose_restart restart;
	struct compose_logging logging;
	struct compose_extension extension; /* x-tote */
	struct strv profiles;
	/* As options of `tote create` take them. */
	struct strv cap_add, cap_drop, dns, dns_opt, dns_search, security_opt, group_add,
		extra_hosts, devices, tmpfs, ulimits;
	char *user, *working_dir, *hostname, *network_mode, *userns_mode, *pid, *ipc, *uts,
		*cgroup_parent, *mac_address, *cpuset, *cpus, *cpu_shares, *mem_limit,
		*mem_reservation, *memswap_limit, *pids_limit, *shm_size, *oom_score_adj,
		*stop_signal, *blkio_weight;
	struct opt_u32 stop_grace_period, scale;
	bool init, read_only, tty, stdin_open;
};

struct compose_subnet {
	char *subnet, *gateway, *ip_range;
};

struct compose_ipam {
	LIST(struct compose_subnet) config;
};

struct compose_network {
	char *name_in_file; /* first: read_named_list */
	const struct yaml_node *node;
	char *name, *driver;
	struct key_value_list driver_opts;
	struct compose_ipam ipam;
	bool external, internal;
};

struct compose_volume {
	char *name_in_file; /* first: read_named_list */
	const struct yaml_node *node;
	char *name;
	bool external;
};

/* A secret or a config: one of the three. */
struct compose_content {
	char *name_in_file; /* first: read_named_list */
	const struct yaml_node *node;
	char *name, *file, *environment, *content;
};

struct compose_file {
	char *name;
	LIST(struct compose_service) services;
	LIST(struct compose_network) networks;
	LIST(struct compose_volume) volumes;
	LIST(struct compose_content) secrets, configs;
};

/* Strings stay in the tree's arena. 0, or -EINVAL: "FILE:LINE: PATH: what is wrong". */
int model_read(const struct yaml_node *root, struct arena *a, struct compose_file *ret,
	       struct err *err);

/* The tables of keys, for tests: every key of the specification is in them. */
extern const struct read_table compose_service_table, compose_file_table;

/* model_ports.c, model_mounts.c, ...: elements of the lists of a service. */
read_value read_port, read_mount, read_grant, read_depends, read_attachments, read_health,
	read_deploy, read_extension, read_restart, read_logging, read_env_files, read_device,
	read_ulimits, read_extra_hosts, read_top_network, read_top_volume, read_top_secret,
	read_top_config, read_order;

/* "15", "TERM" and "SIGTERM" as "SIGTERM"; NULL: there is no such signal. */
char *signal_word(const char *text, struct arena *a);

#endif

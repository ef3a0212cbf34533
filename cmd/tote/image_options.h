/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container of an image is asked to be: options that `run IMAGE` and `create --image` share, with
 * the names that people know from docker and podman. A Compose file's keys become these.
 * cmd/tote/run_image_*.c read them; tote-run(8) explains them.
 */
#ifndef CMD_TOTE_IMAGE_OPTIONS_H
#define CMD_TOTE_IMAGE_OPTIONS_H

#include "cmd/options.h"

#include <stddef.h>

struct image_options {
	bool interactive, tty, init, remove, read_only, privileged;
	const char *entrypoint, *user, *workdir, *hostname, *stop_signal, *image_volumes, *shm_size,
		*memory, *memory_reservation, *memory_swap, *cpus, *cpu_shares, *cpuset_cpus,
		*blkio_weight, *pids_limit, *oom_score_adj, *cgroup_parent, *seccomp, *userns, *pid,
		*ipc, *uts;
	struct option_list env, env_files, groups, labels, annotations, volumes, mounts, tmpfs,
		devices, ulimits, sysctls, cap_add, cap_drop, security, aliases, hosts, dns,
		dns_search, dns_options;
};

#define IMAGE_OPTION(name, letter, kind, member, value, help)                                      \
	{                                                                                          \
		name, letter, kind, offsetof(struct run_options, image.member), value,             \
			"image: " help                                                             \
	}

#define IMAGE_OPTIONS                                                                              \
	IMAGE_OPTION("interactive", 'i', OPT_FLAG, interactive, NULL, "keep stdin open"),          \
		IMAGE_OPTION("tty", 't', OPT_FLAG, tty, NULL, "give it a terminal"),               \
		IMAGE_OPTION("init", 0, OPT_FLAG, init, NULL,                                      \
			     "pid 1 is an init that runs the program and reaps"),                  \
		IMAGE_OPTION("rm", 0, OPT_FLAG, remove, NULL,                                      \
			     "remove the container after its end"),                                \
		IMAGE_OPTION("entrypoint", 0, OPT_STRING, entrypoint, "PROGRAM",                   \
			     "in place of its entrypoint"),                                        \
		IMAGE_OPTION("env", 'e', OPT_LIST, env, "NAME[=VALUE]", "set a variable"),         \
		IMAGE_OPTION("env-file", 0, OPT_LIST, env_files, "FILE",                           \
			     "set variables, one a line"),                                         \
		IMAGE_OPTION("user", 'u', OPT_STRING, user, "USER[:GROUP]", "run as"),             \
		IMAGE_OPTION("group-add", 0, OPT_LIST, groups, "GROUP",                            \
			     "a further group of the user"),                                       \
		IMAGE_OPTION("workdir", 'w', OPT_STRING, workdir, "PATH",                          \
			     "the working directory"),                                             \
		IMAGE_OPTION("hostname", 0, OPT_STRING, hostname, "NAME", "the host name"),        \
		IMAGE_OPTION("stop-signal", 0, OPT_STRING, stop_signal, "SIGNAL",                  \
			     "noted in its annotations"),                                          \
		IMAGE_OPTION("label", 0, OPT_LIST, labels, "KEY=VALUE",                            \
			     "a note in its annotations"),                                         \
		IMAGE_OPTION("annotation", 0, OPT_LIST, annotations, "KEY=VALUE",                  \
			     "an annotation"),                                                     \
		IMAGE_OPTION("volume", 'v', OPT_LIST, volumes, "SOURCE:PATH[:ro]",                 \
			     "mount a directory or a named volume"),                               \
		IMAGE_OPTION("mount", 0, OPT_LIST, mounts, "KEY=VALUE,...",                        \
			     "the same, or a tmpfs, in docker's words"),                           \
		IMAGE_OPTION("tmpfs", 0, OPT_LIST, tmpfs, "PATH[:OPTIONS]", "mount a tmpfs"),      \
		IMAGE_OPTION("image-volumes", 0, OPT_STRING, image_volumes, "HOW",                 \
			     "what it declares: dir (default), tmpfs or ignore"),                  \
		IMAGE_OPTION("read-only", 0, OPT_FLAG, read_only, NULL,                            \
			     "nothing of it can be written"),                                      \
		IMAGE_OPTION("shm-size", 0, OPT_STRING, shm_size, "BYTES",                         \
			     "size of /dev/shm (default 64m)"),                                    \
		IMAGE_OPTION("device", 0, OPT_LIST, devices, "HOST[:PATH][:rwm]",                  \
			     "a device of the host"),                                              \
		IMAGE_OPTION("memory", 'm', OPT_STRING, memory, "BYTES",                           \
			     "limit memory (k, m, g)"),                                            \
		IMAGE_OPTION("memory-reservation", 0, OPT_STRING, memory_reservation, "BYTES",     \
			     "memory that is its own as far as can be"),                           \
		IMAGE_OPTION("memory-swap", 0, OPT_STRING, memory_swap, "BYTES",                   \
			     "limit memory and swap together (-1: any)"),                          \
		IMAGE_OPTION("cpus", 0, OPT_STRING, cpus, "N",                                     \
			     "limit processor time (0.5: half a processor)"),                      \
		IMAGE_OPTION("cpu-shares", 0, OPT_STRING, cpu_shares, "N",                         \
			     "its weight for processor time (2 to 262144)"),                       \
		IMAGE_OPTION("cpuset-cpus", 0, OPT_STRING, cpuset_cpus, "CPUS",                    \
			     "the processors that it may use"),                                    \
		IMAGE_OPTION("blkio-weight", 0, OPT_STRING, blkio_weight, "N",                     \
			     "its weight for disks (10 to 1000)"),                                 \
		IMAGE_OPTION("pids-limit", 0, OPT_STRING, pids_limit, "N",                         \
			     "limit processes (default 512, -1: none)"),                           \
		IMAGE_OPTION("oom-score-adj", 0, OPT_STRING, oom_score_adj, "N",                   \
			     "who is killed first without memory (-1000 to 1000)"),                \
		IMAGE_OPTION("ulimit", 0, OPT_LIST, ulimits, "NAME=SOFT[:HARD]",                   \
			     "a limit of its processes"),                                          \
		IMAGE_OPTION("sysctl", 0, OPT_LIST, sysctls, "NAME=VALUE",                         \
			     "a sysctl of its namespaces"),                                        \
		IMAGE_OPTION("cgroup-parent", 0, OPT_STRING, cgroup_parent, "CGROUP",              \
			     "the group that its group is made in"),                               \
		IMAGE_OPTION("cap-add", 0, OPT_LIST, cap_add, "CAP", "add a capability"),          \
		IMAGE_OPTION("cap-drop", 0, OPT_LIST, cap_drop, "CAP", "take one away, or ALL"),   \
		IMAGE_OPTION("security-opt", 0, OPT_LIST, security, "OPTION",                      \
			     "no-new-privileges, seccomp=, apparmor="),                            \
		IMAGE_OPTION("seccomp", 0, OPT_STRING, seccomp, "PROFILE",                         \
			     "a profile's file, or unconfined"),                                   \
		IMAGE_OPTION("privileged", 0, OPT_FLAG, privileged, NULL, "refused"),              \
		IMAGE_OPTION("userns", 0, OPT_STRING, userns, "HOW",                               \
			     "auto (default): ids of its own; host"),                              \
		IMAGE_OPTION("pid", 0, OPT_STRING, pid, "host", "share the host's processes"),     \
		IMAGE_OPTION("ipc", 0, OPT_STRING, ipc, "HOW", "private (default), or host"),      \
		IMAGE_OPTION("uts", 0, OPT_STRING, uts, "host", "share the host's name"),          \
		IMAGE_OPTION("network-alias", 0, OPT_LIST, aliases, "NAME",                        \
			     "a further name on its networks"),                                    \
		IMAGE_OPTION("add-host", 0, OPT_LIST, hosts, "NAME:ADDRESS",                       \
			     "a line in /etc/hosts"),                                              \
		IMAGE_OPTION("dns", 0, OPT_LIST, dns, "ADDRESS", "a name server"),                 \
		IMAGE_OPTION("dns-search", 0, OPT_LIST, dns_search, "DOMAIN",                      \
			     "a domain to look names up in"),                                      \
		IMAGE_OPTION("dns-option", 0, OPT_LIST, dns_options, "OPTION",                     \
			     "an option of resolv.conf")

#endif

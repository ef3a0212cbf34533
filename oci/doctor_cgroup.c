/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup tree: is it there, what does it hold, may this user have groups in it. */
#include "oci/doctor_private.h"

#include "lib/cleanup.h"
#include "lib/proc.h"
#include "oci/doctor_parse.h"
#include "oci/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USE_V2 "boot with systemd.unified_cgroup_hierarchy=1, or cgroup_no_v1=all without systemd"
#define USE_MEMORY                                                                                 \
	"boot with cgroup_enable=memory cgroup_memory=1 (Raspberry Pi: in the one line of "        \
	"/boot/firmware/cmdline.txt)"

static enum doctor_status check_layout(struct doctor *d)
{
	switch (doctor_cgroup_layout(doctor_read(d, "/proc/self/mountinfo"))) {
	case DOCTOR_CGROUP_V2:
		return doctor_say(d, DOCTOR_OK, "cgroup2 is mounted");
	case DOCTOR_CGROUP_HYBRID:
		d->result->remedy = USE_V2;
		return doctor_say(d, DOCTOR_WARN,
				  "hybrid: cgroup2 is mounted, but cgroup v1 holds controllers");
	case DOCTOR_CGROUP_V1:
		d->result->remedy = USE_V2;
		return doctor_say(d, d->opts->rootless ? DOCTOR_WARN : DOCTOR_FAIL,
				  "only cgroup v1 is mounted");
	default:
		return doctor_say(d, d->opts->rootless ? DOCTOR_WARN : DOCTOR_FAIL,
				  "cgroup2 is not mounted");
	}
}

struct controller {
	enum cg_controller controller;
	const char *config; /* the kernel's build option */
};

static enum doctor_status missing_controller(struct doctor *d, const struct controller *c)
{
	const char *name = cg_controller_name(c->controller);
	bool memory = c->controller == CG_MEMORY;

	switch (doctor_controller(doctor_read(d, "/proc/cgroups"), name)) {
	case DOCTOR_CONTROLLER_DISABLED:
		d->result->remedy =
			memory ? USE_MEMORY
			       : arena_printf(d->a, "boot without cgroup_disable=%s", name);
		return doctor_say(d, DOCTOR_WARN, "switched off at boot: no %s limits", name);
	case DOCTOR_CONTROLLER_ON_V1:
		d->result->remedy = USE_V2;
		return doctor_say(d, DOCTOR_WARN, "held by cgroup v1: no %s limits", name);
	case DOCTOR_CONTROLLER_FREE:
		d->result->remedy = "mount cgroup2 on /sys/fs/cgroup";
		return doctor_say(d, DOCTOR_WARN,
				  "in the kernel, but in no cgroup2 tree: no %s limits", name);
	default:
		d->result->remedy = arena_printf(d->a, "a kernel built with %s%s", c->config,
						 memory ? ", and " USE_MEMORY : "");
		return doctor_say(d, DOCTOR_WARN, "not in this kernel: no %s limits", name);
	}
}

static enum doctor_status check_controller(struct doctor *d)
{
	const struct controller *c = d->check->arg;

	if (d->tree.fd >= 0 && cg_available(&d->tree) & 1u << c->controller)
		return doctor_say(d, DOCTOR_OK, "on cgroup v2");
	return missing_controller(d, c);
}

static const struct controller memory = { CG_MEMORY, "CONFIG_MEMCG" },
			       cpu = { CG_CPU, "CONFIG_CGROUP_SCHED" },
			       pids = { CG_PIDS, "CONFIG_CGROUP_PIDS" },
			       io = { CG_IO, "CONFIG_BLK_CGROUP" },
			       cpuset = { CG_CPUSET, "CONFIG_CPUSETS" },
			       hugetlb = { CG_HUGETLB, "CONFIG_CGROUP_HUGETLB" };

/* A group other than the root, which lacks the files that we look for: our own, or any. -1 when
 * there is none. */
static int open_some_group(const struct doctor *d)
{
	char own[PATH_MAX];
	struct err ignored;
	struct dirent *de;
	int group = -1, fd;
	DIR *dir;

	if (cg_path_of(0, own, sizeof(own), &ignored) == 0 && own[1])
		return openat(d->tree.fd, own + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(d->tree.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		cleanup_fd(&fd);
		return -1;
	}
	while (group < 0 && (de = readdir(dir)))
		if (de->d_type == DT_DIR && de->d_name[0] != '.')
			group = openat(d->tree.fd, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	closedir(dir);
	return group;
}

/* A file of every group but the root, and the kernel's function behind it. */
struct group_file {
	const char *name, *symbol;
	enum doctor_status missing;
	const char *use;
};

static enum doctor_status check_group_file(struct doctor *d)
{
	const struct group_file *f = d->check->arg;
	autofd group = d->tree.fd < 0 ? -1 : open_some_group(d);
	bool there =
		group >= 0 ? faccessat(group, f->name, F_OK, 0) == 0 : doctor_symbol(d, f->symbol);

	if (there)
		return doctor_say(d, DOCTOR_OK, "present");
	return doctor_say(d, f->missing, "this kernel has no %s: %s", f->name, f->use);
}

static const struct group_file kill_file = { "cgroup.kill", "cgroup_kill_write", DOCTOR_WARN,
					     "processes are killed one by one, which is slower" },
			       freeze_file = { "cgroup.freeze", "cgroup_freeze_write", DOCTOR_WARN,
					       "containers cannot be paused" };

/* Ordinary users get groups below the one they are in, when that is theirs. */
static enum doctor_status check_delegation(struct doctor *d)
{
	char own[PATH_MAX];
	struct err ignored;
	autofd group = -1;

	if (!d->opts->rootless)
		return doctor_say(d, DOCTOR_OK, "not needed by root");
	if (d->tree.fd >= 0 && cg_delegated_path(&d->tree, own, sizeof(own), &ignored) == 0)
		group = openat(d->tree.fd, own[1] ? own + 1 : ".",
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group >= 0 && faccessat(group, "cgroup.procs", W_OK, AT_EACCESS) == 0)
		return doctor_say(d, DOCTOR_OK, "%s is this user's", own);
	return doctor_say(d, DOCTOR_WARN,
			  "this user has no cgroup of its own: no limits, no pause");
}

/* A user has one while logged in, or lingering. */
static bool users_systemd(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/systemd/private", dir ? dir : "");
	return dir && access(path, F_OK) == 0;
}

/* Nothing but --cgroup-manager systemd needs it. */
static enum doctor_status check_systemd(struct doctor *d)
{
	char path[PATH_MAX];
	struct err absent;
	int r = proc_sibling("tote-systemd", path, sizeof(path));

	if (scope_available(&absent) < 0)
		return doctor_say(d, DOCTOR_OK, "not running: no --systemd-cgroup on this host");
	if (r < 0 || access(path, X_OK) < 0)
		return doctor_say(d, DOCTOR_WARN, "running, but %s: %s; no --systemd-cgroup",
				  r < 0 ? "tote-systemd" : path, err_text(r < 0 ? r : errno));
	if (scope_of_user() && !users_systemd()) {
		d->result->remedy = "log in through PAM, or loginctl enable-linger";
		return doctor_say(d, DOCTOR_WARN,
				  "running, but none for this user: no --systemd-cgroup");
	}
	return doctor_say(d, DOCTOR_OK, "running, --systemd-cgroup can be used");
}

#define CONTROLLER(c)                                                                              \
	{                                                                                          \
		"controller-" #c, check_controller, &c, NULL                                       \
	}

static const struct doctor_check checks[] = {
	{ "cgroup", check_layout, NULL, "mount -t cgroup2 none /sys/fs/cgroup" },
	CONTROLLER(memory),
	CONTROLLER(cpu),
	CONTROLLER(pids),
	CONTROLLER(io),
	CONTROLLER(cpuset),
	CONTROLLER(hugetlb),
	{ "cgroup-kill", check_group_file, &kill_file, "Linux 5.14 or newer" },
	{ "cgroup-freeze", check_group_file, &freeze_file, "Linux 5.2 or newer" },
	{ "systemd", check_systemd, NULL, "install tote-systemd beside tote" },
	{ "cgroup-delegation", check_delegation, NULL,
	  "run in a scope of one's own: systemd-run --user --scope -p Delegate=yes tote ..." },
};

const struct doctor_table doctor_cgroups = { checks, ARRAY_SIZE(checks) };

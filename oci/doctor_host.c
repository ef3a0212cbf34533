/* SPDX-License-Identifier: Apache-2.0 */
/* What is set up around the kernel: modules, subordinate ids, security modules, directories,
 * limits. */
#include "oci/doctor_private.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "oci/caps.h"
#include "oci/doctor_parse.h"
#include "oci/probe.h"
#include "oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ENOUGH_FILES 1024
#define ENOUGH_IDS 65536 /* what images expect: 0 to 65535 */

/* Something that may be built in, loaded, or waiting in a file to be loaded when it is used. */
struct module {
	const char *name;
	bool file_system; /* /proc/filesystems lists it when it is there */
	const char *symbol;
	const char *use;
};

/* The kernel's own lists of modules, as depmod(8) wrote them. */
static bool in_module_list(struct doctor *d, const char *list, const char *module)
{
	struct utsname u;

	uname(&u);
	return doctor_has_module(
		doctor_read(d, arena_printf(d->a, "/lib/modules/%s/%s", u.release, list)), module);
}

static const char *where_is(struct doctor *d, const struct module *m)
{
	if (m->file_system && doctor_last_word(doctor_read(d, "/proc/filesystems"), m->name))
		return "present";
	if (doctor_first_word(doctor_read(d, "/proc/modules"), m->name))
		return "loaded";
	if (in_module_list(d, "modules.builtin", m->name))
		return "built in";
	if (in_module_list(d, "modules.dep", m->name))
		return "a module, not loaded";
	return m->symbol && doctor_symbol(d, m->symbol) ? "built in" : NULL;
}

static enum doctor_status check_module(struct doctor *d)
{
	const struct module *m = d->check->arg;
	const char *where = where_is(d, m);

	if (where)
		return doctor_say(d, DOCTOR_OK, "%s", where);
	return doctor_say(d, DOCTOR_WARN, "not in this kernel: no %s", m->use);
}

static const struct module overlay = { "overlay", true, NULL, "containers from images" },
			   nf_tables = { "nf_tables", false, "nft_register_chain_type",
					 "published ports" },
			   veth = { "veth", false, "veth_setup", "container networks" },
			   bridge = { "bridge", false, "br_dev_setup", "container networks" };

static const char *user_name(struct doctor *d)
{
	char name[256];

	return doctor_user_name(doctor_read(d, "/etc/passwd"), geteuid(), name, sizeof(name))
		       ? arena_strdup(d->a, name)
		       : arena_printf(d->a, "%u", geteuid());
}

static enum doctor_status check_subids(struct doctor *d)
{
	const char *path = d->check->arg, *user = user_name(d);
	uint64_t count = doctor_subids(doctor_read(d, path), user, geteuid());

	if (count >= ENOUGH_IDS || !d->opts->rootless)
		return doctor_say(d, DOCTOR_OK, "%" PRIu64 " ids for user %s%s", count, user,
				  d->opts->rootless ? "" : ", who needs none");
	d->result->remedy = arena_printf(d->a, "usermod --add-sub%ss 100000-165535 %s",
					 path + strlen("/etc/sub"), user);
	return doctor_say(d, DOCTOR_WARN, "%" PRIu64 " ids for user %s: containers get a single id",
			  count, user);
}

static enum doctor_status check_id_helper(struct doctor *d)
{
	const char *path = d->check->arg;
	struct stat st;

	if (stat(path, &st) < 0)
		return doctor_say(d, doctor_if_user(d, DOCTOR_WARN), "%s is not there", path);
	if (st.st_mode & S_ISUID || getxattr(path, "security.capability", NULL, 0) > 0)
		return doctor_say(d, DOCTOR_OK, "%s", path);
	d->result->remedy = arena_printf(d->a, "chmod u+s %s", path);
	return doctor_say(d, doctor_if_user(d, DOCTOR_WARN),
			  "%s has neither the setuid bit nor file capabilities", path);
}

static enum doctor_status check_apparmor(struct doctor *d)
{
	return doctor_say(d, DOCTOR_OK, probe_apparmor() ? "active" : "not active");
}

static enum doctor_status check_selinux(struct doctor *d)
{
	return doctor_say(d, DOCTOR_OK, probe_selinux() ? "active" : "not active");
}

static enum doctor_status check_state(struct doctor *d)
{
	struct err err;
	autofd fd = state_root_open(d->opts->root, false, d->opts->rootless, &err);
	struct stat st;

	if (fd == -ENOENT)
		return doctor_say(d, DOCTOR_OK, "%s does not exist yet, it is made when needed",
				  d->opts->root);
	if (fd < 0)
		return doctor_say(d, DOCTOR_FAIL, "%s", err.msg);
	fstat(fd, &st);
	return doctor_say(d, DOCTOR_OK, "%s belongs to user %u, mode %04o", d->opts->root,
			  st.st_uid, st.st_mode & 07777);
}

static enum doctor_status check_sys_admin(struct doctor *d)
{
	if (caps_effective() >> CAP_SYS_ADMIN & 1)
		return doctor_say(d, DOCTOR_OK, "CAP_SYS_ADMIN is there");
	if (d->opts->rootless)
		return doctor_say(
			d, DOCTOR_OK,
			"not there, an ordinary user's containers have a user namespace instead");
	return doctor_say(d, DOCTOR_WARN,
			  "CAP_SYS_ADMIN is missing: only containers with a user namespace run");
}

static enum doctor_status check_tote_net(struct doctor *d)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("tote-net"));
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "tote-net");
	if (access(path, X_OK) == 0)
		return doctor_say(d, DOCTOR_OK, "%s", path);
	return doctor_say(d, DOCTOR_WARN, "%s: %s; no network set-up, no linux.netDevices", path,
			  err_text(errno));
}

static enum doctor_status check_ip_forward(struct doctor *d)
{
	char value[8];

	if (file_peek(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", value, sizeof(value)) <= 0)
		return doctor_say(d, DOCTOR_OK, "no IPv4 in this kernel");
	return doctor_say(d, DOCTOR_OK, "%s",
			  value[0] == '1' ? "on"
					  : "off: containers on a bridge reach this host only "
					    "(net.ipv4.ip_forward=1 lets them out)");
}

static enum doctor_status check_files(struct doctor *d)
{
	struct rlimit l = { 0 };

	getrlimit(RLIMIT_NOFILE, &l);
	return doctor_say(d, l.rlim_cur < ENOUGH_FILES ? DOCTOR_WARN : DOCTOR_OK,
			  "%ju open files, at most %ju", (uintmax_t)l.rlim_cur,
			  (uintmax_t)l.rlim_max);
}

#define MODULE(name, module, config)                                                               \
	{                                                                                          \
		name, check_module, &module, "a kernel built with " config                         \
	}

static const struct doctor_check checks[] = {
	MODULE("overlay", overlay, "CONFIG_OVERLAY_FS, and its modules in /lib/modules"),
	MODULE("nf_tables", nf_tables, "CONFIG_NF_TABLES, and its modules in /lib/modules"),
	MODULE("veth", veth, "CONFIG_VETH, and its modules in /lib/modules"),
	MODULE("bridge", bridge, "CONFIG_BRIDGE, and its modules in /lib/modules"),
	{ "subuid", check_subids, "/etc/subuid", NULL },
	{ "subgid", check_subids, "/etc/subgid", NULL },
	{ "newuidmap", check_id_helper, "/usr/bin/newuidmap", "install the package uidmap" },
	{ "newgidmap", check_id_helper, "/usr/bin/newgidmap", "install the package uidmap" },
	{ "apparmor", check_apparmor, NULL, NULL },
	{ "selinux", check_selinux, NULL, NULL },
	{ "state-directory", check_state, NULL,
	  "chown it to this user and chmod go-w it, after a look at who put it there, or name "
	  "another with --root" },
	{ "sys-admin", check_sys_admin, NULL,
	  "run as root of the host, or in a container that is given CAP_SYS_ADMIN" },
	{ "tote-net", check_tote_net, NULL, "install tote-net beside tote" },
	{ "ip-forward", check_ip_forward, NULL, NULL },
	{ "open-files", check_files, NULL, "ulimit -n 4096, or LimitNOFILE= in the service" },
};

const struct doctor_table doctor_host = { checks, ARRAY_SIZE(checks) };

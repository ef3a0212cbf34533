/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/mount_options.h"

#include <string.h>
#include <sys/mount.h>

#define ATTR(name, set, clear)                                                                     \
	{ name, OPTION_ATTR, set, clear },                                                         \
	{                                                                                          \
		"r" name, OPTION_ATTR_RECURSIVE, set, clear                                        \
	}

const struct mount_option mount_options[] = {
	ATTR("ro", MOUNT_ATTR_RDONLY, 0),
	ATTR("rw", 0, MOUNT_ATTR_RDONLY),
	ATTR("nosuid", MOUNT_ATTR_NOSUID, 0),
	ATTR("suid", 0, MOUNT_ATTR_NOSUID),
	ATTR("nodev", MOUNT_ATTR_NODEV, 0),
	ATTR("dev", 0, MOUNT_ATTR_NODEV),
	ATTR("noexec", MOUNT_ATTR_NOEXEC, 0),
	ATTR("exec", 0, MOUNT_ATTR_NOEXEC),
	ATTR("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0),
	ATTR("symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW),
	ATTR("nodiratime", MOUNT_ATTR_NODIRATIME, 0),
	ATTR("diratime", 0, MOUNT_ATTR_NODIRATIME),
	/* The atime modes are one field: relatime is its zero. */
	ATTR("noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
	ATTR("strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
	ATTR("relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
	ATTR("atime", 0, MOUNT_ATTR__ATIME),
	ATTR("norelatime", 0, MOUNT_ATTR__ATIME),
	ATTR("nostrictatime", 0, MOUNT_ATTR__ATIME),
	{ "private", OPTION_PROPAGATION, MS_PRIVATE, 0 },
	{ "rprivate", OPTION_PROPAGATION, MS_PRIVATE | MS_REC, 0 },
	{ "shared", OPTION_PROPAGATION, MS_SHARED, 0 },
	{ "rshared", OPTION_PROPAGATION, MS_SHARED | MS_REC, 0 },
	{ "slave", OPTION_PROPAGATION, MS_SLAVE, 0 },
	{ "rslave", OPTION_PROPAGATION, MS_SLAVE | MS_REC, 0 },
	{ "unbindable", OPTION_PROPAGATION, MS_UNBINDABLE, 0 },
	{ "runbindable", OPTION_PROPAGATION, MS_UNBINDABLE | MS_REC, 0 },
	{ "bind", OPTION_BIND, 0, 0 },
	{ "rbind", OPTION_BIND, MS_REC, 0 },
	{ "remount", OPTION_REMOUNT, 0, 0 },
	{ "tmpcopyup", OPTION_COPY_UP, 0, 0 },
	{ "idmap", OPTION_IDMAP, 0, 0 },
	{ "ridmap", OPTION_IDMAP, MS_REC, 0 },
	{ "sync", OPTION_SUPER, 1, 0 },
	{ "async", OPTION_SUPER, 0, 0 },
	{ "dirsync", OPTION_SUPER, 1, 0 },
	{ "lazytime", OPTION_SUPER, 1, 0 },
	{ "nolazytime", OPTION_SUPER, 0, 0 },
	{ "mand", OPTION_SUPER, 1, 0 },
	{ "nomand", OPTION_SUPER, 0, 0 },
	{ "acl", OPTION_SUPER, 0, 0 },
	{ "noacl", OPTION_SUPER, 1, 0 },
	/* File systems that count versions do so unasked, and fsconfig(2) has no name for it. */
	{ "iversion", OPTION_NONE, 0, 0 },
	{ "noiversion", OPTION_NONE, 0, 0 },
	{ "defaults", OPTION_NONE, 0, 0 },
	{ "silent", OPTION_NONE, 0, 0 },
	{ "loud", OPTION_NONE, 0, 0 },
};
const size_t mount_option_count = sizeof(mount_options) / sizeof(mount_options[0]);

const struct mount_option *mount_option_find(const char *name)
{
	for (size_t i = 0; i < mount_option_count; i++)
		if (strcmp(mount_options[i].name, name) == 0)
			return &mount_options[i];
	return NULL;
}

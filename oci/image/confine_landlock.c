/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/confine_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>

/* What the headers of Debian 12 (6.1) do not know yet. */
#define FS_TRUNCATE (1u << 14)
#define FS_IOCTL_DEV (1u << 15)
#define NET_BIND_TCP (1u << 0)
#define NET_CONNECT_TCP (1u << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1u << 0)
#define SCOPE_SIGNAL (1u << 1)

struct ruleset {
	uint64_t fs, net, scoped;
};

/* Each version of the interface: the size of its attributes, and all that it can deny. */
static const struct {
	uint64_t fs, net, scoped;
	size_t size;
} abis[] = {
	{ (1u << 13) - 1, 0, 0, 8 },				 /* 1: 5.13 */
	{ LANDLOCK_ACCESS_FS_REFER, 0, 0, 8 },			 /* 2: 5.19 */
	{ FS_TRUNCATE, 0, 0, 8 },				 /* 3: 6.2 */
	{ 0, NET_BIND_TCP | NET_CONNECT_TCP, 0, 16 },		 /* 4: 6.7 */
	{ FS_IOCTL_DEV, 0, 0, 16 },				 /* 5: 6.10 */
	{ 0, 0, SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL, 24 }, /* 6: 6.12 */
};

/* Nobody who extracts reads a file, nobody who reads writes one, and nobody executes any. */
#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXTRACTING                                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                             \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)

static int allow_root(int ruleset, int root_fd, uint64_t allowed, struct err *err)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = allowed,
						   .parent_fd = root_fd };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_errno(err, "landlock_add_rule");
	return 0;
}

int confine_landlock(int root_fd, bool read, struct err *err)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset attr = { 0 };
	size_t size = 0;
	autofd fd = -1;

	/* The first version denies every hard link to another directory. */
	if (abi < 1 || (abi == 1 && root_fd >= 0))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(abis) && (long)i < abi; i++) {
		attr.fs |= abis[i].fs;
		attr.net |= abis[i].net;
		attr.scoped |= abis[i].scoped;
		size = abis[i].size;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return err_errno(err, "landlock_create_ruleset");
	if (root_fd >= 0) {
		int r = allow_root(fd, root_fd, attr.fs & (read ? READING : EXTRACTING), err);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return err_errno(err, "landlock_restrict_self");
	return 0;
}

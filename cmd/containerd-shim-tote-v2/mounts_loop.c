/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/mounts_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#define TRIES 100

/* 0, -EBUSY when somebody else was faster, or another -errno with words. */
static int configure(int device, int file, const struct mounts_one *m, struct err *err)
{
	struct loop_config config = { .fd = (uint32_t)file };

	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (m->flags & MS_RDONLY)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", m->source);
	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	return errno == EBUSY ? -EBUSY
			      : err_errno(err, "set up a loop device (needs Linux >= 5.8)");
}

int mounts_loop(const struct mounts_one *m, const char **ret_path, struct err *err)
{
	int access = m->flags & MS_RDONLY ? O_RDONLY : O_RDWR;
	autofd control = fd_open(AT_FDCWD, "/dev/loop-control", O_RDWR);
	autofd file = fd_open(AT_FDCWD, m->source, access);

	if (file < 0)
		return err_errno(err, "open %s", m->source);
	if (control < 0)
		return err_errno(err, "open /dev/loop-control");
	for (int i = 0; i < TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE), r;
		autofd device = -1;
		char path[32];

		if (number < 0)
			return err_errno(err, "find a free loop device");
		snprintf(path, sizeof(path), "/dev/loop%d", number);
		device = fd_open(AT_FDCWD, path, access);
		if (device < 0)
			return err_errno(err, "open %s", path);
		r = configure(device, file, m, err);
		if (r == 0) {
			*ret_path = arena_strdup(m->a, path);
			return take_fd(&device);
		}
		if (r != -EBUSY)
			return r;
	}
	return err_set(err, EBUSY, "find a free loop device: others were faster each time");
}

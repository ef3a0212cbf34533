/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's terminal: made from its own devpts instance, its master handed to the host, its
 * other end this process's stdio. The peer is taken by TIOCGPTPEER and never by a path
 * (CVE-2025-52565).
 */
#include "cmd/tote-init/init.h"

#include <asm/fcntl.h>
#include <asm/ioctls.h>
#include <asm/termios.h>
#include <linux/errno.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#ifdef __NR_fchown32
#define NR_fchown __NR_fchown32
#else
#define NR_fchown __NR_fchown
#endif
#define PTMX_MAJOR 5
#define PTMX_MINOR 2
#define PTS_MAJOR_FIRST 136
#define PTS_MAJOR_LAST 143

static int is_device(int fd, unsigned int first_major, unsigned int last_major, int minor)
{
	struct statx st;
	sys_t r = sys(__NR_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);

	if (r < 0)
		return (int)r;
	if ((st.stx_mode & S_IFMT) != S_IFCHR || st.stx_rdev_major < first_major ||
	    st.stx_rdev_major > last_major ||
	    (minor >= 0 && st.stx_rdev_minor != (unsigned int)minor))
		return -ENODEV;
	return 0;
}

/*
 * Looked at through an O_PATH descriptor before it is opened: opening an unknown device can have
 * effects. The second open names the same inode, by a descriptor's directory, and is checked again.
 */
static int open_ptmx(const struct init *in)
{
	static const char *const paths[] = { "dev/pts/ptmx", "dev/ptmx" };
	int fd = -ENOENT;

	for (int i = 0; i < 2; i++) {
		int r;

		fd = in_root(in, paths[i], O_PATH, 0);
		if (fd < 0)
			continue;
		r = is_device(fd, PTMX_MAJOR, PTMX_MAJOR, PTMX_MINOR);
		sys(__NR_close, fd);
		if (r < 0)
			return r;
		fd = in_root(in, paths[i], O_RDWR | O_NOCTTY | O_NONBLOCK, 0);
		if (fd < 0)
			return fd;
		r = is_device(fd, PTMX_MAJOR, PTMX_MAJOR, PTMX_MINOR);
		if (r < 0)
			return r;
		sys(__NR_fcntl, fd, F_SETFL, O_RDWR);
		return fd;
	}
	return fd;
}

static int mount_console(const struct init *in, int peer)
{
	sys_t tree = sys(__NR_open_tree, peer, "",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH),
	      r;
	int target;

	if (tree < 0)
		return (int)tree;
	target = target_open(in, "/dev/console", false, RESOLVE_NO_SYMLINKS);
	if (target < 0)
		return target;
	r = sys(__NR_move_mount, tree, "", target, "",
		MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	sys(__NR_close, tree);
	sys(__NR_close, target);
	return (int)r;
}

int step_terminal(struct init *in, const struct wire_step *s)
{
	struct winsize size = { .ws_row = (unsigned short)(s->arg[0] >> 16),
				.ws_col = (unsigned short)s->arg[0] };
	int master = open_ptmx(in), unlock = 0, peer;
	sys_t r;

	if (master < 0)
		return master;
	r = sys(__NR_ioctl, master, TIOCSPTLCK, &unlock);
	if (r < 0)
		return (int)r;
	peer = (int)sys(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0)
		return peer;
	r = is_device(peer, PTS_MAJOR_FIRST, PTS_MAJOR_LAST, -1);
	if (r == 0 && (size.ws_row || size.ws_col))
		r = sys(__NR_ioctl, peer, TIOCSWINSZ, &size);
	if (r == 0)
		r = sys(NR_fchown, peer, (uint32_t)s->arg[1], (uint32_t)-1);
	if (r == 0 && s->flags & STEP_CONSOLE)
		r = mount_console(in, peer);
	if (r == 0)
		r = sync_send_fd(in, SYNC_TERMINAL, step_index(in, s), 0, master);
	for (int fd = 0; r >= 0 && fd < 3; fd++)
		r = sys(__NR_dup3, peer, fd, 0);
	if (r >= 0)
		r = sys(__NR_ioctl, 0, TIOCSCTTY, 0);
	sys(__NR_close, master);
	sys(__NR_close, peer);
	return r < 0 ? (int)r : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/confine.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"
#include "oci/image/confine_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* AddressSanitizer ends the process where malloc(3) would return NULL. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define BIT(cap) (1ull << (cap))
#define EXTRACTING                                                                                 \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |              \
	 BIT(CAP_SETFCAP) | BIT(CAP_MKNOD))

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Standard streams become /dev/null: what a library prints must never land in a file that got the
 * number of one. */
static int null_streams(const struct confine_opts *opts, struct err *err)
{
	autofd null = fd_open(AT_FDCWD, "/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2 && null >= 0; fd++) {
		bool kept = fd == opts->root_fd;

		for (size_t i = 0; i < opts->keep_count; i++)
			kept = kept || opts->keep[i] == fd;
#if defined(__SANITIZE_ADDRESS__)
		kept = kept || fd == STDERR_FILENO;
#endif
		if (!kept && null != fd && dup2(null, fd) < 0)
			return err_errno(err, "dup2");
	}
	if (null >= 0 && null <= 2)
		take_fd(&null);
	return 0;
}

static int close_others(const struct confine_opts *opts, struct err *err)
{
	autofree int *keep = calloc(opts->keep_count + 1, sizeof(int));
	unsigned from = 3;
	size_t n = 0;

	if (!keep)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < opts->keep_count; i++)
		keep[n++] = opts->keep[i];
	keep[n++] = opts->root_fd;
	qsort(keep, n, sizeof(int), by_value);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from &&
		    syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0) < 0)
			return err_errno(err, "close_range (Linux 5.9)");
		from = (unsigned)keep[i] + 1;
	}
	if (syscall(SYS_close_range, from, ~0u, 0) < 0)
		return err_errno(err, "close_range (Linux 5.9)");
	return 0;
}

/* Taken while /proc can be seen. */
static size_t mapped_now(void)
{
	char text[128];
	const char *p = text;
	uint64_t pages;

	if (file_peek(AT_FDCWD, "/proc/self/statm", text, sizeof(text)) < 0 ||
	    !number_scan(&p, &pages))
		return 0;
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A detached copy of the root's mount, without set-user-ID, programs and devices. -1: not allowed,
 * or of another mount namespace. */
static int clone_tree(int root_fd)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC };
	int fd = (int)syscall(SYS_open_tree, root_fd, "",
			      AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd >= 0)
		syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	return fd;
}

/* Only where it is the root of the namespace that "/" is a mount that pivot_root takes. */
static int pivot(int tree)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(tree) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}

/* The old descriptor leads out through "..", the new one ends at "/". */
static int reopen(int root_fd, struct err *err)
{
	autofd fd = fd_open(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);

	if (fd < 0 || dup3(fd, root_fd, O_CLOEXEC) < 0)
		return err_errno(err, "open the new root");
	return 0;
}

static int enter_root(int root_fd, struct err *err)
{
	autofd tree = clone_tree(root_fd);

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0) {
		if (errno != EPERM && errno != EINVAL && errno != ENOSPC)
			return err_errno(err, "unshare");
	} else if (tree >= 0 && pivot(tree) == 0) {
		return reopen(root_fd, err);
	}
	if (fchdir(root_fd) < 0)
		return err_errno(err, "enter the root");
	if (chroot(".") < 0)
		return errno == EPERM ? 0 : err_errno(err, "chroot");
	return reopen(root_fd, err);
}

static int limit(int resource, rlim_t value, const char *name, struct err *err)
{
	struct rlimit old, l = { value, value };

	if (getrlimit(resource, &old) < 0)
		return err_errno(err, "getrlimit %s", name);
	if (l.rlim_max > old.rlim_max)
		l.rlim_max = l.rlim_cur = old.rlim_max;
	return setrlimit(resource, &l) < 0 ? err_errno(err, "setrlimit %s", name) : 0;
}

static int drop_capabilities(uint64_t keep, struct err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return err_errno(err, "capget");
	/* EINVAL ends the list of those the kernel knows; EPERM: an ordinary user has none to drop.
	 */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep & BIT(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) < 0 ? err_errno(err, "capset") : 0;
}

int confine(const struct confine_opts *opts, struct err *err)
{
	bool files = opts->root_fd >= 0;
	size_t mapped = mapped_now();
	int r = null_streams(opts, err);

	if (r == 0)
		r = close_others(opts, err);
	if (r == 0 && files)
		r = enter_root(opts->root_fd, err);
	if (r == 0)
		r = limit(RLIMIT_CORE, 0, "core", err);
	if (r == 0 && opts->memory && mapped && !SANITIZED)
		r = limit(RLIMIT_AS, mapped + opts->memory, "as", err);
	if (r == 0)
		r = drop_capabilities(!files	   ? 0
				      : opts->read ? BIT(CAP_DAC_READ_SEARCH)
						   : EXTRACTING,
				      err);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(err, "prctl");
	r = confine_landlock(opts->root_fd, opts->read, err);
	return r < 0 ? r : confine_seccomp(files, opts->threads, err);
}

int confine_failed(int code, const struct err *said, struct err *err)
{
	*err = *said;
	err->msg[sizeof(err->msg) - 1] = '\0';
	err->code = code < 0 && code > -4096 ? code : -EBADMSG;
	return err->code;
}

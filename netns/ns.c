/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ns.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define OWN "/proc/thread-self/ns/net"

int ns_open(const char *path, struct err *err)
{
	/* A fifo would wait for its writer, a terminal become ours. */
	autofd fd = fd_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == ESRCH || errno == ENOTDIR))
		errno = ENOENT;
	if (fd < 0)
		return err_errno(err, "cannot open the network namespace %s", path);
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(err, EINVAL, "%s is not a network namespace", path);
	return take_fd(&fd);
}

int ns_open_own(struct err *err)
{
	int fd = fd_open(AT_FDCWD, OWN, O_RDONLY);

	return fd < 0 ? err_errno(err, "cannot open " OWN) : fd;
}

int ns_id(int netns_fd, char ret_id[NS_ID_SIZE], struct err *err)
{
	struct stat st;

	if (fstat(netns_fd, &st) < 0)
		return err_errno(err, "cannot tell which network namespace it is");
	snprintf(ret_id, NS_ID_SIZE, "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return 0;
}

int ns_enter(int netns_fd, struct err *err)
{
	autofd home = ns_open_own(err);

	if (home < 0)
		return home;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_errno(err, "cannot enter the network namespace");
	return take_fd(&home);
}

void ns_leave(int home_fd)
{
	if (setns(home_fd, CLONE_NEWNET) < 0)
		_exit(255);
	close(home_fd);
}

/*
 * As sysctl(8) has it: the first separator decides. Behind a dot, a slash stands for a dot within a
 * part ("net.ipv4.conf.eth0/5.forwarding").
 */
static bool sysctl_path(const char *name, char *ret_path, size_t size)
{
	size_t first = strcspn(name, "./");
	int n = snprintf(ret_path, size, "/proc/sys/%s", name);
	char *part = ret_path + strlen("/proc/sys/");

	if (n >= (int)size || first != 3 || strncmp(name, "net", 3) != 0 || !name[first])
		return false;
	for (char *c = part; name[first] == '.' && *c; c++)
		if (*c == '.' || *c == '/')
			*c = *c == '.' ? '/' : '.';
	return !strstr(part, "/../") && !strstr(part, "//") && part[strlen(part) - 1] != '/' &&
	       part[strlen(part) - 1] != '.';
}

static int set(const char *name, const char *value, struct err *err)
{
	char path[PATH_MAX], now[256];
	ssize_t n;
	int rc;

	if (!sysctl_path(name, path, sizeof(path)))
		return err_set(err, EINVAL, "\"%s\" is not a setting below net", name);
	n = file_peek(AT_FDCWD, path, now, sizeof(now));
	if (n == -ENOENT)
		return err_set(err, ENOENT, "the kernel has no setting %s", name);
	if (n >= 0 && strcmp(now, value) == 0)
		return 0;
	rc = file_poke(AT_FDCWD, path, value);
	return rc < 0 ? err_code(err, rc, "cannot set %s to %s", name, value) : 0;
}

int ns_sysctl(int netns_fd, const char *name, const char *value, struct err *err)
{
	int home = -1;
	int rc;

	if (netns_fd >= 0) {
		home = ns_enter(netns_fd, err);
		if (home < 0)
			return home;
	}
	rc = set(name, value, err);
	if (home >= 0)
		ns_leave(home);
	return rc;
}

static int get(const char *name, char *ret_value, size_t size, struct err *err)
{
	char path[PATH_MAX];
	ssize_t n;

	if (!sysctl_path(name, path, sizeof(path)))
		return err_set(err, EINVAL, "\"%s\" is not a setting below net", name);
	n = file_peek(AT_FDCWD, path, ret_value, size);
	if (n == -ENOENT)
		return err_set(err, ENOENT, "the kernel has no setting %s", name);
	return n < 0 ? err_code(err, (int)n, "cannot read %s", name) : 0;
}

int ns_sysctl_read(int netns_fd, const char *name, char *ret_value, size_t size, struct err *err)
{
	int home = -1;
	int rc;

	if (netns_fd >= 0) {
		home = ns_enter(netns_fd, err);
		if (home < 0)
			return home;
	}
	rc = get(name, ret_value, size, err);
	if (home >= 0)
		ns_leave(home);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/link_delete.h"

#include "lib/cleanup.h"
#include "netns/ns.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE_MS 10000

void link_delete_now(struct rtnl *r, const struct link *link)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };

	rtnl_request(r, RTM_DELLINK, 0, &info, sizeof(info), "%s", link->name);
}

/* Events of the namespace that the socket is of, which need not be the caller's. */
static int events_of(struct rtnl *r, struct err *err)
{
	static const unsigned int group = RTNLGRP_LINK;
	autofd netns_fd = ioctl(r->fd, SIOCGSKNS);

	if (netns_fd < 0)
		return err_errno(err, "cannot tell the netlink socket's network namespace");
	return rtnl_events_open(netns_fd, &group, 1, 0, err);
}

/* The request, sent by a process that nobody waits for. It keeps nothing open but the socket: neither
 * a lock nor the pipe somebody reads our output from. */
static void send_and_exit(struct rtnl *r)
{
	unsigned int fd = (unsigned int)r->fd;

	if (fd > 0)
		close_range(0, fd - 1, 0);
	close_range(fd + 1, ~0U, 0);
	_exit(rtnl_send(r) < 0);
}

/*
 * Runs in the caller's memory while the caller waits, so that only one copy of that is made. A raw
 * system call: what glibc does around a fork is not for a process that is not one of its own.
 */
static int orphan(void *arg)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		send_and_exit(arg);
	return pid < 0;
}

/* No signal tells the caller of its end. */
static int send_elsewhere(struct rtnl *r)
{
	char stack[16384] __attribute__((aligned(16)));
	pid_t pid = clone(orphan, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, r);
	int status;

	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EAGAIN;
}

static bool tells_of(const struct buf *messages, int index)
{
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(messages, nlh));) {
		const struct ifinfomsg *info = nl_payload(nlh);

		/* A bridge tells of a port that leaves with AF_BRIDGE. */
		if (nlh->nlmsg_type == RTM_DELLINK && info->ifi_family == AF_UNSPEC &&
		    info->ifi_index == index)
			return true;
	}
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the kernel tells everybody that the interface is gone, or the request is answered: at once
 * when it is refused, else when all of it is over. */
static int wait_gone(struct rtnl *r, int events, const struct link *link, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = events, .events = POLLIN },
		{ .fd = r->fd, .events = POLLIN },
	};
	int64_t end = now_ms() + PATIENCE_MS;
	autobuf messages = BUF_INIT;

	for (int64_t left; (left = end - now_ms()) > 0;) {
		int n = poll(fds, ARRAY_SIZE(fds), (int)left);

		if (n < 0 && errno != EINTR)
			return err_errno(err, "cannot wait for the end of %s", link->name);
		if (n > 0 && fds[1].revents)
			return rtnl_receive(r, err);
		/* Of events that are lost the answer tells. */
		if (n > 0 && rtnl_events_read(events, 0, &messages, err) > 0 &&
		    tells_of(&messages, link->index)) {
			rtnl_forget(r);
			return 0;
		}
	}
	rtnl_forget(r);
	return err_set(err, ETIMEDOUT, "%s is still there after %d s", link->name,
		       PATIENCE_MS / 1000);
}

int link_delete_found(struct rtnl *r, const struct link *link, struct err *err)
{
	autofd events = events_of(r, err);
	int rc;

	link_delete_now(r, link);
	if (events >= 0 && send_elsewhere(r) == 0)
		rc = wait_gone(r, events, link, err);
	else
		rc = rtnl_run(r, NULL, err);
	return rc == -ENODEV ? 0 : rc;
}

void link_delete_all(const struct buf *indices)
{
	const int *index = (const void *)indices->data;
	struct err ignored;
	struct rtnl r;

	if (!indices->len || rtnl_open(&r, -1, &ignored) < 0)
		return;
	for (size_t i = 0; i < indices->len / sizeof(*index); i++) {
		const struct link link = { .index = index[i] };

		link_delete_now(&r, &link);
		rtnl_run(&r, NULL, &ignored);
	}
	rtnl_close(&r);
}

int link_delete(struct rtnl *r, const char *name, struct err *err)
{
	struct link link;
	int rc = link_find(r, name, &link, err);

	if (rc < 0)
		return rc == -ENODEV ? 0 : rc;
	return link_delete_found(r, &link, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/netdev.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define TEMPLATE_MAX 1024 /* numbers tried for "%d" */

static int check_inside(int host_fd, int inside_fd, struct err *err)
{
	struct stat host, inside;

	if (ioctl(inside_fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(err, EINVAL, "not a network namespace");
	if (fstat(host_fd, &host) < 0 || fstat(inside_fd, &inside) < 0)
		return err_errno(err, "cannot tell the network namespaces apart");
	if (host.st_dev == inside.st_dev && host.st_ino == inside.st_ino)
		return err_set(err, EINVAL, "this is the host's own network namespace");
	return 0;
}

int netdev_open(struct netdev_ends *ends, int inside_fd, struct err *err)
{
	autofd host_fd = fd_open(AT_FDCWD, "/proc/thread-self/ns/net", O_RDONLY);
	int rc;

	if (host_fd < 0)
		return err_errno(err, "cannot open /proc/thread-self/ns/net");
	rc = check_inside(host_fd, inside_fd, err);
	if (rc < 0)
		return rc;
	rc = rtnl_open(&ends->host, -1, err);
	if (rc < 0)
		return rc;
	rc = rtnl_open(&ends->inside, inside_fd, err);
	if (rc < 0) {
		rtnl_close(&ends->host);
		return rc;
	}
	ends->host_fd = take_fd(&host_fd);
	ends->inside_fd = inside_fd;
	return 0;
}

void netdev_close(struct netdev_ends *ends)
{
	rtnl_close(&ends->inside);
	rtnl_close(&ends->host);
	close(ends->host_fd);
}

/* 0 when the name is free, -EEXIST without a message, or -errno with one. */
static int check_free(struct rtnl *r, const char *name, struct err *err)
{
	struct link link;
	int rc = link_find(r, name, &link, err);

	return rc == -ENODEV ? 0 : rc < 0 ? rc : -EEXIST;
}

/* The spec's "%d": the kernel would choose as well, but would not say what. */
static int fill_template(struct netdev_ends *ends, const char *pattern, const char *mark,
			 char *ret_name, struct err *err)
{
	char name[IFNAMSIZ + 16];

	if (mark[1] != 'd' || strchr(mark + 1, '%'))
		return err_set(err, EINVAL, "\"%s\": a name takes no %% but one %%d", pattern);
	for (int i = 0; i < TEMPLATE_MAX; i++) {
		int rc;

		snprintf(name, sizeof(name), "%.*s%d%s", (int)(mark - pattern), pattern, i,
			 mark + 2);
		rc = check_free(&ends->inside, name, err);
		if (rc == 0)
			strcpy(ret_name, name);
		if (rc != -EEXIST)
			return rc;
	}
	return err_set(err, EEXIST, "every name like %s is taken", pattern);
}

static int choose_name(struct netdev_ends *ends, const char *wanted, char *ret_name,
		       struct err *err)
{
	const char *mark = strchr(wanted, '%');
	int rc;

	if (mark)
		return fill_template(ends, wanted, mark, ret_name, err);
	if (!link_name_ok(wanted))
		return err_set(err, EINVAL, "\"%s\" is not a name for a network interface", wanted);
	rc = check_free(&ends->inside, wanted, err);
	if (rc == -EEXIST)
		return err_set(err, EEXIST, "the network namespace has an interface %s already",
			       wanted);
	if (rc == 0)
		strcpy(ret_name, wanted);
	return rc;
}

/* Gives an interface that has just arrived what it had. */
static int settle(struct rtnl *r, const char *name, bool up, const struct netdev_move *move,
		  struct err *lost_route, struct err *err)
{
	struct link link;
	int rc = link_find(r, name, &link, err);

	if (rc < 0)
		return rc;
	if (up)
		link_up(r, &link);
	addr_add_all(r, &link, &move->addrs);
	rc = rtnl_run(r, NULL, err);
	if (rc < 0 || !up)
		return rc;
	route_add_all(r, &link, &move->routes);
	rtnl_run(r, NULL, lost_route);
	return 0;
}

static int back_to_host(struct netdev_ends *ends, const char *now, const struct netdev_move *move,
			struct err *err)
{
	struct err lost_route;
	struct link link;
	int rc = link_find(&ends->inside, now, &link, err);

	if (rc < 0)
		return rc;
	link_move(&ends->inside, &link, ends->host_fd, move->name);
	rc = rtnl_run(&ends->inside, NULL, err);
	if (rc < 0)
		return rc;
	return settle(&ends->host, move->name, move->was_up, move, &lost_route, err);
}

/* Takes back a move that failed half way, and returns the failure's code. */
static int recover(struct netdev_ends *ends, const char *now, const struct netdev_move *move,
		   struct err *err)
{
	struct err undo, first = *err;

	if (back_to_host(ends, now, move, &undo) < 0)
		err_set(err, first.code, "%.250s; it could not be moved back: %.200s", first.msg,
			undo.msg);
	return first.code;
}

static int move_and_settle(struct netdev_ends *ends, const struct link *link,
			   struct netdev_move *move, struct err *err)
{
	struct link still;
	struct err ignored;
	int rc;

	link_move(&ends->host, link, ends->inside_fd, move->inside);
	rc = rtnl_run(&ends->host, NULL, err);
	if (rc < 0) {
		/* See link_move(): gone from the host, it is inside under its old name. */
		if (link_find_index(&ends->host, link->index, &still, &ignored) == -ENODEV)
			return recover(ends, move->name, move, err);
		return rc;
	}
	rc = settle(&ends->inside, move->inside, true, move, &move->lost_route, err);
	return rc < 0 ? recover(ends, move->inside, move, err) : 0;
}

/* Reads what has to go along. */
static int pack(struct netdev_ends *ends, const struct link *link, struct arena *a,
		struct netdev_move *move, struct err *err)
{
	int rc;

	if (link->flags & IFF_LOOPBACK)
		return err_set(err, EINVAL,
			       "a loopback interface cannot leave its network namespace");
	strcpy(move->name, link->name);
	move->was_up = link->flags & IFF_UP;
	rc = addr_list_global(&ends->host, link, a, &move->addrs, err);
	if (rc < 0)
		return rc;
	return route_list_own(&ends->host, link, a, &move->routes, err);
}

int netdev_move_in(struct netdev_ends *ends, const char *name, const char *new_name,
		   struct arena *a, struct netdev_move *ret_move, struct err *err)
{
	struct netdev_move move = { 0 };
	struct link link = { 0 };
	int rc = link_find(&ends->host, name, &link, err);

	if (rc >= 0)
		rc = pack(ends, &link, a, &move, err);
	if (rc >= 0)
		rc = choose_name(ends, new_name ? new_name : link.name, move.inside, err);
	if (rc >= 0)
		rc = move_and_settle(ends, &link, &move, err);
	if (rc < 0)
		return err_prefix(err, "cannot move interface %s into the container as %s", name,
				  new_name ? new_name : name);
	*ret_move = move;
	return 0;
}

int netdev_undo(struct netdev_ends *ends, const struct netdev_move *move, struct err *err)
{
	int rc = back_to_host(ends, move->inside, move, err);

	return rc < 0 ? err_prefix(err, "cannot move interface %s back as %s", move->inside,
				   move->name)
		      : 0;
}

static int give_back(struct netdev_ends *ends, const char *inside, const char *original,
		     struct err *err)
{
	struct link link;
	int rc = link_find(&ends->inside, inside, &link, err);

	if (rc < 0)
		return rc;
	rc = check_free(&ends->host, original, err);
	if (rc == -EEXIST)
		return err_set(err, EEXIST, "the host has an interface %s already", original);
	if (rc < 0)
		return rc;
	link_move(&ends->inside, &link, ends->host_fd, original);
	return rtnl_run(&ends->inside, NULL, err);
}

int netdev_give_back(struct netdev_ends *ends, const char *inside, const char *original,
		     struct err *err)
{
	int rc = give_back(ends, inside, original, err);

	return rc < 0 ? err_prefix(err, "cannot give interface %s back as %s", inside, original)
		      : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ipam_lease.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/ns.h"
#include "netns/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LINK_SIZE (ATTACH_KEY_SIZE + 16)
#define SETS_MAX 1024 /* where looking for links ends in any case */

/* path is below dirfd; its own directory may be missing, too. */
static int make_path(int dirfd, char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdirat(dirfd, path, 0700);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -1;
	}
	return mkdirat(dirfd, path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static int open_directory(int dirfd, char *path, bool create)
{
	int fd = fd_open(dirfd, path, O_RDONLY | O_DIRECTORY);

	if (fd < 0 && errno == ENOENT && create && make_path(dirfd, path) == 0)
		fd = fd_open(dirfd, path, O_RDONLY | O_DIRECTORY);
	return fd;
}

/* `tote network rm` removes the directory: one that is not there any more is no place for leases. */
static int lock_directory(int fd)
{
	struct stat st;

	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink ? 0 : -ESTALE;
}

int leases_open(const struct attach *at, const char *data_dir, bool create, struct leases *ret)
{
	int dirfd = data_dir ? AT_FDCWD : at->run_fd, r = -ESTALE;
	char path[PATH_MAX];
	autofd fd = -1;

	ret->foreign = data_dir;
	snprintf(ret->path, sizeof(ret->path), "%s%s/%s", data_dir ? data_dir : at->run_dir,
		 data_dir ? "" : "/leases", at->network);
	if (snprintf(path, sizeof(path), "%s/%s", data_dir ? data_dir : "leases", at->network) >=
	    (int)sizeof(path))
		return err_code(at->err, ENAMETOOLONG, "open the leases in %s", data_dir);
	for (int tries = 0; r == -ESTALE && tries < 100; tries++) {
		cleanup_fd(&fd);
		fd = open_directory(dirfd, path, create);
		if (fd < 0)
			return err_errno(at->err, "open the leases in %s", ret->path);
		r = lock_directory(fd);
	}
	if (r < 0)
		return err_code(at->err, r, "lock the leases in %s", ret->path);
	ret->fd = take_fd(&fd);
	return 0;
}

void leases_close(struct leases *l)
{
	/* Not by closing alone: a process that was forked meanwhile may have a copy. */
	if (l->fd >= 0)
		flock(l->fd, LOCK_UN);
	cleanup_fd(&l->fd);
	l->fd = -1;
}

bool lease_exists(const struct leases *l, const struct ip *ip)
{
	char name[IP_TEXT_SIZE];

	return faccessat(l->fd, ip_text(ip, name), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

/* Cuts a line off, with the CR before its end. NULL when there is no whole line. */
static char *cut_line(char **text)
{
	char *line = *text, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*text = end + 1;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		end[-1] = '\0';
	return line;
}

static int parse(struct lease *lease, bool foreign)
{
	char *rest = lease->data, *ifname;

	lease->container = cut_line(&rest);
	if (!lease->container)
		return -EBADMSG;
	/* host-local ends with the interface's name, without a newline. */
	ifname = rest;
	lease->ifname = cut_line(&rest);
	lease->life = lease->ifname ? cut_line(&rest) : NULL;
	if (!lease->ifname && foreign && *ifname)
		lease->ifname = ifname;
	else if (!lease->life)
		return -EBADMSG;
	return 0;
}

/* What is there is a link, a socket or a directory. */
static bool not_a_file(int error)
{
	return error == ELOOP || error == ENXIO || error == EISDIR;
}

int lease_read(const struct leases *l, const struct ip *ip, struct lease *ret)
{
	char name[IP_TEXT_SIZE];
	autofd fd = fd_open(l->fd, ip_text(ip, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return not_a_file(errno) ? -EBADMSG : -errno;
	n = read(fd, ret->data, sizeof(ret->data) - 1);
	if (n < 0)
		return not_a_file(errno) ? -EBADMSG : -errno;
	ret->data[n] = '\0';
	return parse(ret, l->foreign);
}

bool lease_alive(const struct lease *lease)
{
	char netns[NS_ID_SIZE + 1] = "";
	struct record r = { 0 };
	const char *space;

	if (!lease->life)
		return true;
	if (strncmp(lease->life, "owner ", 6) == 0) {
		r.owner = (char *)lease->life + 6;
	} else if (strncmp(lease->life, "netns ", 6) == 0 &&
		   (space = strchr(lease->life + 6, ' ')) &&
		   (size_t)(space - lease->life) - 6 < sizeof(netns)) {
		memcpy(netns, lease->life + 6, (size_t)(space - lease->life) - 6);
		r.netns_id = netns;
		r.netns_path = (char *)space + 1;
	} else {
		return true;
	}
	return record_alive(&r);
}

bool lease_is_of(const struct lease *lease, const struct attach *at)
{
	return strcmp(lease->container, at->container) == 0 &&
	       strcmp(lease->ifname, at->ifname) == 0;
}

/* The text of a lease of the attachment's. */
static int write_text(const struct attach *at, char text[LEASE_MAX])
{
	char id[NS_ID_SIZE], *life;
	struct err err;
	int n = snprintf(text, LEASE_MAX, "%s\r\n%s\n", at->container, at->ifname);

	life = text + n;
	if (at->owner)
		n += snprintf(life, LEASE_MAX - (size_t)n, "owner %s", at->owner);
	else if (at->netns_path && at->netns_fd >= 0 && ns_id(at->netns_fd, id, &err) == 0)
		n += snprintf(life, LEASE_MAX - (size_t)n, "netns %s %s", id, at->netns_path);
	/* Nobody could read a path of several lines: it lives until it is freed. */
	if (n >= LEASE_MAX - 1 || !*life || strpbrk(life, "\r\n"))
		n = (int)(life - text) + sprintf(life, "unknown");
	text[n] = '\n';
	return n + 1;
}

static void link_name(const struct attach *at, unsigned int set, char ret[LINK_SIZE])
{
	char key[ATTACH_KEY_SIZE];

	attach_key(at, key);
	snprintf(ret, LINK_SIZE, ".%s.%u", key, set);
}

/* The address that a link leads to: 0, -ENOENT when there is no link, -EBADMSG when it leads to
 * none, another -errno when that cannot be known. */
static int read_link(int fd, const char *link, struct ip *ret)
{
	char text[IP_TEXT_SIZE];
	ssize_t n = readlinkat(fd, link, text, sizeof(text) - 1);

	if (n < 0)
		return errno == EINVAL ? -EBADMSG : -errno;
	text[n] = '\0';
	return ip_parse(text, ret) < 0 ? -EBADMSG : 0;
}

int lease_own(const struct leases *l, const struct attach *at, unsigned int set, struct ip *ret_ip)
{
	char link[LINK_SIZE];
	struct lease lease;
	struct ip ip;
	int r;

	link_name(at, set, link);
	r = read_link(l->fd, link, &ip);
	if (r == 0)
		r = lease_read(l, &ip, &lease);
	if (r == -EBADMSG || (r == 0 && !lease_is_of(&lease, at)))
		return -ENOENT;
	if (r == 0)
		*ret_ip = ip;
	return r;
}

int lease_drop(const struct leases *l, const struct ip *ip, struct err *err)
{
	char name[IP_TEXT_SIZE];

	if (unlinkat(l->fd, ip_text(ip, name), 0) < 0 && errno != ENOENT)
		return err_errno(err, "free %s in %s", name, l->path);
	return 0;
}

/* One that stays after a crash is replaced. */
static int make_link(const struct leases *l, struct attach *at, unsigned int set, const char *name)
{
	char link[LINK_SIZE], held[IP_TEXT_SIZE];
	struct ip ip;
	int r;

	link_name(at, set, link);
	if (symlinkat(name, l->fd, link) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(at->err, "lease %s in %s", name, l->path);
	r = lease_own(l, at, set, &ip);
	if (r == 0)
		return err_set(at->err, EEXIST,
			       "container %s has %s on %s of network %s already: delete that first",
			       at->container, ip_text(&ip, held), at->ifname, at->network);
	if (r != -ENOENT)
		return err_code(at->err, r, "read the lease that %s/%s is of", l->path, link);
	unlinkat(l->fd, link, 0);
	if (symlinkat(name, l->fd, link) == 0)
		return 0;
	return err_errno(at->err, "lease %s in %s", name, l->path);
}

int lease_take(const struct leases *l, struct attach *at, unsigned int set, const struct ip *ip)
{
	char name[IP_TEXT_SIZE], link[LINK_SIZE], text[LEASE_MAX];
	autofd fd = -1;
	int r = make_link(l, at, set, ip_text(ip, name)), n;

	if (r < 0)
		return r;
	fd = fd_create(l->fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	r = fd < 0 ? -errno : 0;
	n = write_text(at, text);
	if (r == 0) {
		r = fd_write_full(fd, text, (size_t)n);
		if (r < 0)
			unlinkat(l->fd, name, 0);
	}
	if (r == 0)
		return 0;
	link_name(at, set, link);
	unlinkat(l->fd, link, 0);
	return err_code(at->err, r, "lease %s in %s", name, l->path);
}

static int free_held(const struct leases *l, struct attach *at, const struct ip *ip)
{
	char name[IP_TEXT_SIZE];
	struct lease lease;
	int r = lease_read(l, ip, &lease);

	if (r == -ENOENT || (r == 0 && !lease_is_of(&lease, at)))
		return 0;
	/* What is half written is nobody's, and ours as likely as not. */
	if (r == 0 || r == -EBADMSG)
		return lease_drop(l, ip, at->err);
	return err_code(at->err, r, "read the lease %s in %s", ip_text(ip, name), l->path);
}

/* 0, or -ENOENT when there is no such link. By the link the next try finds what this one cannot free. */
static int free_set(const struct leases *l, struct attach *at, unsigned int set)
{
	char link[LINK_SIZE];
	struct ip ip;
	int r;

	link_name(at, set, link);
	r = read_link(l->fd, link, &ip);
	if (r == -ENOENT)
		return r;
	if (r < 0 && r != -EBADMSG)
		return err_code(at->err, r, "read %s/%s", l->path, link);
	r = r == 0 ? free_held(l, at, &ip) : 0;
	if (r == 0 && unlinkat(l->fd, link, 0) < 0)
		r = err_errno(at->err, "free the addresses of container %s in %s", at->container,
			      l->path);
	return r;
}

static bool is_others(const struct lease *lease, const void *arg)
{
	return !lease_is_of(lease, arg);
}

int lease_free(const struct leases *l, struct attach *at, unsigned int first)
{
	unsigned int end = first;
	char link[LINK_SIZE];
	struct ip ip;
	int r = 0;

	for (; end < SETS_MAX; end++) {
		link_name(at, end, link);
		if (read_link(l->fd, link, &ip) == -ENOENT)
			break;
	}
	/* From the last one back and none after a failure, so that there is never a gap. */
	while (end-- > first && r == 0) {
		r = free_set(l, at, end);
		if (r == -ENOENT)
			r = 0;
	}
	/* host-local makes no links. */
	if (l->foreign && !first && r == 0)
		r = leases_sweep(l, at, is_others, at);
	return r < 0 ? r : 0;
}

static void last_name(unsigned int set, char ret[32])
{
	snprintf(ret, 32, "last_reserved_ip.%u", set);
}

bool lease_last(const struct leases *l, unsigned int set, struct ip *ret_ip)
{
	char name[32], text[IP_TEXT_SIZE];
	ssize_t n;
	int fd;

	last_name(set, name);
	fd = fd_open(l->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	cleanup_fd(&fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return ip_parse(text, ret_ip) == 0;
}

void lease_set_last(const struct leases *l, unsigned int set, const struct ip *ip)
{
	char name[32], text[IP_TEXT_SIZE];
	autofd fd = -1;

	last_name(set, name);
	fd = fd_create(l->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		fd_write_full(fd, ip_text(ip, text), strlen(ip_text(ip, text)));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "netns/ipam_lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Calls each() for every name in the directory, until it fails. */
static int walk(const struct leases *l, struct err *err,
		int (*each)(const struct leases *l, const char *name, void *arg), void *arg)
{
	int fd = fd_open(l->fd, ".", O_RDONLY | O_DIRECTORY), r = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	if (!dir) {
		err_errno(err, "read the directory %s", l->path);
		cleanup_fd(&fd);
		return err->code;
	}
	while (r >= 0 && (d = readdir(dir)))
		r = each(l, d->d_name, arg);
	closedir(dir);
	return r;
}

struct sweep {
	bool (*keep)(const struct lease *lease, const void *arg);
	const void *arg;
	const struct attach *at;
	int freed;
};

static int sweep_lease(const struct leases *l, const char *name, void *arg)
{
	struct sweep *s = arg;
	struct lease lease;
	struct ip ip;
	int r;

	if (ip_parse(name, &ip) < 0)
		return 0;
	r = lease_read(l, &ip, &lease);
	if (r == -ENOENT || (r == 0 && s->keep(&lease, s->arg)))
		return 0;
	if (r < 0 && r != -EBADMSG)
		return err_code(s->at->err, r, "read the lease %s in %s", name, l->path);
	r = lease_drop(l, &ip, s->at->err);
	s->freed += r == 0;
	return r;
}

/* A link is of use while it leads to a lease of the attachment whose key it has. */
static int sweep_link(const struct leases *l, const char *name, void *arg)
{
	struct sweep *s = arg;
	struct attach holder = { .network = s->at->network };
	char key[ATTACH_KEY_SIZE], text[IP_TEXT_SIZE];
	struct lease lease;
	struct ip ip;
	ssize_t n;
	int r;

	if (name[0] != '.')
		return 0;
	n = readlinkat(l->fd, name, text, sizeof(text) - 1);
	if (n < 0)
		return 0;
	text[n] = '\0';
	r = ip_parse(text, &ip) == 0 ? lease_read(l, &ip, &lease) : -EBADMSG;
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return err_code(s->at->err, r, "read the lease %s in %s", text, l->path);
	if (r == 0) {
		holder.container = lease.container;
		holder.ifname = lease.ifname;
		attach_key(&holder, key);
		if (strncmp(name + 1, key, strlen(key)) == 0)
			return 0;
	}
	unlinkat(l->fd, name, 0);
	return 0;
}

int leases_sweep(const struct leases *l, const struct attach *at,
		 bool (*keep)(const struct lease *lease, const void *arg), const void *arg)
{
	struct sweep s = { keep, arg, at, 0 };
	int r = walk(l, at->err, sweep_lease, &s);

	if (r == 0)
		r = walk(l, at->err, sweep_link, &s);
	return r < 0 ? r : s.freed;
}

struct listing {
	void (*each)(const struct ip *ip, const struct lease *lease, void *arg);
	void *arg;
};

static int list_lease(const struct leases *l, const char *name, void *arg)
{
	struct listing *listing = arg;
	struct lease lease;
	struct ip ip;
	int r;

	if (ip_parse(name, &ip) < 0)
		return 0;
	r = lease_read(l, &ip, &lease);
	if (r != -ENOENT)
		listing->each(&ip, r == 0 ? &lease : NULL, listing->arg);
	return 0;
}

int leases_list(const struct leases *l,
		void (*each)(const struct ip *ip, const struct lease *lease, void *arg), void *arg,
		struct err *err)
{
	struct listing listing = { each, arg };

	return walk(l, err, list_lease, &listing);
}

int leases_remove(struct leases *l, const struct attach *at)
{
	autofd parent = fd_open(l->fd, "..", O_RDONLY | O_DIRECTORY);
	int r = parent < 0 ? -errno : tree_remove(parent, at->network);

	return r < 0 ? err_code(at->err, r, "remove the leases in %s", l->path) : 0;
}

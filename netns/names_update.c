/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/names_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

/* What its maker left beside its files: "" when there is nothing. */
static char *kept(int dir, const char *container, const char *name, struct arena *a)
{
	char *text;
	struct err ignored;

	return file_read(dir, arena_printf(a, "%s/%s", container, name), NAMES_TEXT_MAX, a, &text,
			 NULL, &ignored) == 0
		       ? text
		       : arena_strdup(a, "");
}

static void add_aliases(struct buf *out, char *aliases)
{
	char *word;

	while ((word = strsep(&aliases, "\n")))
		if (names_ok(word))
			buf_addf(out, " %s", word);
}

static void add_record(int dir, struct buf *out, const struct record *r, struct arena *a)
{
	bool named = r->hostname && names_ok(r->hostname);
	char text[IP_TEXT_SIZE];

	for_each (ip, &r->result.ips) {
		buf_addf(out, "%s\t%s", ip_text(&ip->address.ip, text),
			 named ? r->hostname : r->container);
		if (named && strcmp(r->hostname, r->container) != 0)
			buf_addf(out, " %s", r->container);
		add_aliases(out, kept(dir, r->container, NAMES_ALIASES, a));
		buf_adds(out, "\n");
	}
}

static bool is_neighbour(const struct records *all, const char *container,
			 const struct record *other)
{
	if (strcmp(other->container, container) == 0)
		return false;
	for_each (r, all)
		if (strcmp(r->container, container) == 0 &&
		    strcmp(r->network.name, other->network.name) == 0)
			return true;
	return false;
}

static const char *gateway_of(const struct records *all, const char *container,
			      char ret[IP_TEXT_SIZE])
{
	for_each (r, all) {
		if (!r->done || strcmp(r->container, container) != 0)
			continue;
		for_each (ip, &r->result.ips)
			if (ip->gateway.family)
				return ip_text(&ip->gateway, ret);
	}
	return NULL;
}

/* What was asked for first, then its own names: what it resolves its host name to should be the address
 * others see. */
static void hosts_of(int dir, const struct records *all, const char *container, struct arena *a,
		     struct buf *out)
{
	char gateway[IP_TEXT_SIZE];

	buf_adds(out, names_localhost);
	names_add_more(out, kept(dir, container, NAMES_MORE, a),
		       gateway_of(all, container, gateway));
	for_each (r, all)
		if (r->done && strcmp(r->container, container) == 0)
			add_record(dir, out, r, a);
	for_each (r, all)
		if (r->done && is_neighbour(all, container, r))
			add_record(dir, out, r, a);
}

static bool has_record(const struct records *all, const char *container)
{
	for_each (r, all)
		if (r->done && strcmp(r->container, container) == 0)
			return true;
	return false;
}

static int update_one(int dir, const struct records *all, const char *container, struct err *err)
{
	autofd fd = fd_open(dir, container, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	autobuf text = BUF_INIT;
	autoarena a = ARENA_INIT;
	char *now;
	size_t len;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open %s", container);
	hosts_of(dir, all, container, &a, &text);
	if (file_read(fd, NAMES_HOSTS, NAMES_TEXT_MAX, &a, &now, &len, err) == 0 &&
	    len == text.len && memcmp(now, text.data, len) == 0)
		return 0;
	return names_write(fd, NAMES_HOSTS, &text, err);
}

int names_update(int run_fd, struct err *err)
{
	autofd dir = names_open_dir(run_fd, err);
	autoarena a = ARENA_INIT;
	struct records all = { 0 };
	struct strv containers = { 0 };
	struct err failed;
	int r = dir;

	/* Who comes last has read all that went before. */
	if (r >= 0 && flock(dir, LOCK_EX) < 0)
		r = err_errno(err, "lock the directory of hosts files");
	if (r >= 0)
		r = file_list(dir, ".", &a, &containers, err);
	if (r >= 0 && containers.count)
		r = record_list(run_fd, NULL, &a, &all, err);
	if (r < 0)
		return r;
	r = 0;
	for_each (name, &containers)
		if (has_record(&all, *name) && update_one(dir, &all, *name, &failed) < 0 &&
		    r == 0) {
			*err = failed;
			r = failed.code;
		}
	return r;
}

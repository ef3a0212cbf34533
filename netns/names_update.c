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

/* A record, with what is asked of it for every container worked out once: with 200 containers on a
 * network everybody's lines are in everybody's file. */
struct known {
	const struct record *record;
	size_t container, network; /* numbers that equal names have in common */
	const char *lines;
};

struct all {
	LIST(struct known) known;
	const struct records *records;
	int dir;
	struct arena *a;
};

static const char *lines_of(const struct all *all, const struct record *r)
{
	bool named = r->hostname && names_ok(r->hostname);
	const char *aliases = kept(all->dir, r->container, NAMES_ALIASES, all->a);
	autobuf out = BUF_INIT;
	char text[IP_TEXT_SIZE];

	for_each (ip, &r->result.ips) {
		buf_addf(&out, "%s\t%s", ip_text(&ip->address.ip, text),
			 named ? r->hostname : r->container);
		if (named && strcmp(r->hostname, r->container) != 0)
			buf_addf(&out, " %s", r->container);
		add_aliases(&out, arena_strdup(all->a, aliases));
		buf_adds(&out, "\n");
	}
	return arena_strdup(all->a, buf_str(&out));
}

/* The index of the first record that has the same. */
static size_t number_of_container(const struct records *records, const char *name)
{
	size_t i = 0;

	while (i < records->count && strcmp(records->items[i].container, name) != 0)
		i++;
	return i;
}

static size_t number_of_network(const struct records *records, const char *name)
{
	size_t i = 0;

	while (i < records->count && strcmp(records->items[i].network.name, name) != 0)
		i++;
	return i;
}

static void know(struct all *all)
{
	all->known.items = arena_calloc(all->a, all->records->count, sizeof(*all->known.items));
	for_each (r, all->records)
		all->known.items[all->known.count++] = (struct known){
			.record = r,
			.container = number_of_container(all->records, r->container),
			.network = number_of_network(all->records, r->network.name),
			.lines = r->done ? lines_of(all, r) : "",
		};
}

static bool is_on(const struct all *all, size_t container, size_t network)
{
	for_each (k, &all->known)
		if (k->container == container && k->network == network)
			return true;
	return false;
}

static const char *gateway_of(const struct all *all, size_t container, char ret[IP_TEXT_SIZE])
{
	for_each (k, &all->known) {
		if (!k->record->done || k->container != container)
			continue;
		for_each (ip, &k->record->result.ips)
			if (ip->gateway.family)
				return ip_text(&ip->gateway, ret);
	}
	return NULL;
}

/* What was asked for first, then its own names: what it resolves its host name to should be the address
 * others see. */
static void hosts_of(const struct all *all, const char *container, size_t number, struct buf *out)
{
	char gateway[IP_TEXT_SIZE];
	size_t network = SIZE_MAX;
	bool on = false;

	buf_adds(out, names_localhost);
	names_add_more(out, kept(all->dir, container, NAMES_MORE, all->a),
		       gateway_of(all, number, gateway));
	for_each (k, &all->known)
		if (k->container == number)
			buf_adds(out, k->lines);
	for_each (k, &all->known) {
		/* Records come by network: seldom another than the last. */
		if (k->network != network)
			on = is_on(all, number, network = k->network);
		if (on && k->container != number)
			buf_adds(out, k->lines);
	}
}

static bool has_record(const struct all *all, size_t container)
{
	for_each (k, &all->known)
		if (k->record->done && k->container == container)
			return true;
	return false;
}

static int update_one(const struct all *all, const char *container, struct err *err)
{
	autofd fd = fd_open(all->dir, container, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	size_t len, number = number_of_container(all->records, container);
	autobuf text = BUF_INIT;
	autoarena a = ARENA_INIT;
	char *now;

	if (!has_record(all, number))
		return 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open %s", container);
	hosts_of(all, container, number, &text);
	if (file_read(fd, NAMES_HOSTS, NAMES_TEXT_MAX, &a, &now, &len, err) == 0 &&
	    len == text.len && memcmp(now, text.data, len) == 0)
		return 0;
	return names_write(fd, NAMES_HOSTS, &text, err);
}

int names_update(int run_fd, struct err *err)
{
	autofd dir = names_open_dir(run_fd, err);
	autoarena a = ARENA_INIT;
	struct records records = { 0 };
	struct all all = { .records = &records, .dir = dir, .a = &a };
	struct strv containers = { 0 };
	struct err failed;
	int r = dir;

	/* Who comes last has read all that went before. */
	if (r >= 0 && flock(dir, LOCK_EX) < 0)
		r = err_errno(err, "lock the directory of hosts files");
	if (r >= 0)
		r = file_list(dir, ".", &a, &containers, err);
	if (r >= 0 && containers.count)
		r = record_list(run_fd, NULL, &a, &records, err);
	if (r < 0)
		return r;
	know(&all);
	r = 0;
	for_each (name, &containers)
		if (update_one(&all, *name, &failed) < 0 && r == 0) {
			*err = failed;
			r = failed.code;
		}
	return r;
}

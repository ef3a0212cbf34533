/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/names_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_DIR "names"
#define LOCAL_GATEWAY "127.0.0.1"

const char names_localhost[] = "127.0.0.1\tlocalhost\n"
			       "::1\tlocalhost ip6-localhost ip6-loopback\n";

/* Made for whoever reads /etc/hosts inside, under any id. */
int names_open_dir(int run_fd, struct err *err)
{
	int fd;

	if (mkdirat(run_fd, NAMES_DIR, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "make the directory of hosts files");
	fd = fd_open(run_fd, NAMES_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, "open the directory of hosts files") : fd;
}

/* An old text that is longer is overwritten with empty lines first: nobody shall read its end. */
int names_write(int dir, const char *name, struct buf *text, struct err *err)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
	size_t len = text->len;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "open %s", name);
	/* What is longer than any of ours somebody else wrote. */
	if (st.st_size > (off_t)NAMES_TEXT_MAX && ftruncate(fd, 0) < 0)
		return err_errno(err, "shorten %s", name);
	while (st.st_size <= (off_t)NAMES_TEXT_MAX && text->len < (size_t)st.st_size)
		buf_adds(text, "\n");
	r = fd_write_full(fd, text->data, text->len);
	if (r == 0 && text->len > len && ftruncate(fd, (off_t)len) < 0)
		r = -errno;
	/* Whatever the caller's umask: it is read by ids of the container. */
	if (r == 0 && (st.st_mode & 0777) != 0644 && fchmod(fd, 0644) < 0)
		r = -errno;
	return r < 0 ? err_code(err, r, "write %s", name) : 0;
}

static bool is_loopback(const char *server, size_t len)
{
	return (len >= 4 && strncmp(server, "127.", 4) == 0) ||
	       (len == 3 && strncmp(server, "::1", 3) == 0);
}

/* The host's file but for servers on its loopback; returns how many servers are left. */
static size_t copy_resolv(const char *path, struct arena *a, struct buf *out)
{
	struct err ignored;
	size_t servers = 0;
	char *text, *line;

	if (file_read(AT_FDCWD, path, NAMES_TEXT_MAX, a, &text, NULL, &ignored) < 0)
		return 0;
	while ((line = strsep(&text, "\n"))) {
		const char *rest = line + strcspn(line, " \t");
		bool server = strncmp(line, "nameserver", 10) == 0 && rest == line + 10;

		rest += strspn(rest, " \t");
		if (!*line || (server && is_loopback(rest, strcspn(rest, " \t"))))
			continue;
		servers += server;
		buf_addf(out, "%s\n", line);
	}
	return servers;
}

/* Where a resolver runs on the host's loopback, systemd's tells which servers it asks itself. */
static void host_resolv(struct buf *out)
{
	autoarena a = ARENA_INIT;

	if (copy_resolv("/etc/resolv.conf", &a, out))
		return;
	buf_reset(out);
	copy_resolv("/run/systemd/resolve/resolv.conf", &a, out);
}

static int open_container(int run_fd, const char *container, bool create, struct err *err)
{
	autofd dir = names_open_dir(run_fd, err);
	int fd;

	if (dir < 0)
		return dir;
	if (create && mkdirat(dir, container, 0755) < 0 && errno != EEXIST)
		return err_errno(err, "make the directory of %s's hosts file", container);
	fd = fd_open(dir, container, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, "open the directory of %s's hosts file", container) : fd;
}

void names_add_more(struct buf *hosts, char *more, const char *gateway)
{
	char *line;

	while ((line = strsep(&more, "\n"))) {
		const char *address = strsep(&line, " ");

		if (strcmp(address, NAMES_GATEWAY) == 0)
			address = gateway;
		if (line && address)
			buf_addf(hosts, "%s\t%s\n", address, line);
	}
}

/* A wish for the same key takes its place; a domain is a search list of one. */
static bool is_wished(const char *wish, const char *line)
{
	const char *key = strncmp(line, "domain", 6) == 0 ? "search" : line;
	size_t len = strcspn(key, " \t");

	for (; *wish; wish += strcspn(wish, "\n"), wish += *wish == '\n')
		if (strncmp(wish, key, len) == 0 && wish[len] == ' ')
			return true;
	return false;
}

static void add_resolv(struct buf *out, char *base, const char *wish)
{
	char *line;

	while ((line = strsep(&base, "\n")))
		if (*line && !is_wished(wish, line))
			buf_addf(out, "%s\n", line);
	for (const char *p = wish; *p;) {
		size_t len = strcspn(p, "\n");

		if (len != strlen("search .") || strncmp(p, "search .", len) != 0)
			buf_addf(out, "%.*s\n", (int)len, p);
		p += len + (p[len] == '\n');
	}
}

static int write_lines(int dir, const char *name, const struct strv *lines, struct err *err)
{
	autobuf text = BUF_INIT;

	for_each (line, lines)
		buf_addf(&text, "%s\n", *line);
	if (text.len)
		return names_write(dir, name, &text, err);
	/* Of one of the same id that did not come to its end. */
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? err_errno(err, "remove %s", name)
							     : 0;
}

static void add_list(struct buf *out, const char *key, const struct strv *words);

static int write_resolv(int dir, const struct names_wish *wish, struct err *err)
{
	autobuf asked = BUF_INIT, base = BUF_INIT, resolv = BUF_INIT, kept = BUF_INIT;
	autoarena a = ARENA_INIT;
	const struct strv none = { 0 };
	char *line;
	int r;

	for_each (server, &wish->servers)
		buf_addf(&asked, "nameserver %s\n", *server);
	add_list(&asked, "search", &wish->search);
	add_list(&asked, "options", &wish->options);
	if (wish->of_host &&
	    file_read(AT_FDCWD, "/etc/resolv.conf", NAMES_TEXT_MAX, &a, &line, NULL, err) == 0)
		buf_adds(&base, line);
	else
		host_resolv(&base);
	add_resolv(&resolv, arena_strdup(&a, buf_str(&base)), buf_str(&asked));
	buf_adds(&kept, buf_str(&asked));
	r = asked.len ? names_write(dir, NAMES_RESOLV_WISH, &kept, err)
		      : write_lines(dir, NAMES_RESOLV_WISH, &none, err);
	return r < 0 ? r : names_write(dir, NAMES_RESOLV, &resolv, err);
}

static int write_hosts(int dir, const struct names_wish *wish, struct err *err)
{
	autobuf hosts = BUF_INIT, more = BUF_INIT;
	autoarena a = ARENA_INIT;
	struct err ignored;
	char *text;

	if (wish->of_host &&
	    file_read(AT_FDCWD, "/etc/hosts", NAMES_TEXT_MAX, &a, &text, NULL, &ignored) == 0)
		buf_addf(&hosts, "%s\n", text);
	else
		buf_adds(&hosts, names_localhost);
	if (!wish->of_host && wish->hostname && names_ok(wish->hostname))
		buf_addf(&hosts, "127.0.1.1\t%s\n", wish->hostname);
	for_each (line, &wish->hosts)
		buf_addf(&more, "%s\n", *line);
	names_add_more(&hosts, arena_strdup(&a, buf_str(&more)),
		       wish->of_host ? LOCAL_GATEWAY : NULL);
	return names_write(dir, NAMES_HOSTS, &hosts, err);
}

int names_make(int run_fd, const char *container, const struct names_wish *wish, struct err *err)
{
	autofd dir = open_container(run_fd, container, true, err);
	int r = dir < 0 ? dir : write_lines(dir, NAMES_MORE, &wish->hosts, err);

	if (r == 0)
		r = write_lines(dir, NAMES_ALIASES, &wish->aliases, err);
	if (r == 0)
		r = write_hosts(dir, wish, err);
	return r < 0 ? r : write_resolv(dir, wish, err);
}

bool names_ok(const char *word)
{
	for (const char *p = word; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '#' || *p == ';')
			return false;
	return *word && strlen(word) <= NAMES_WORD_MAX;
}

/* Plugins and files say what they like: a word that would be more than one is left out. */
static void add_word(struct buf *out, const char *key, const char *word)
{
	if (names_ok(word))
		buf_addf(out, "%s %s\n", key, word);
}

static void add_list(struct buf *out, const char *key, const struct strv *words)
{
	autobuf line = BUF_INIT;

	for_each (word, words)
		if (names_ok(*word))
			buf_addf(&line, " %s", *word);
	if (line.len)
		buf_addf(out, "%s%s\n", key, buf_str(&line));
}

static void add_result(struct buf *out, const struct cni_dns *dns)
{
	for_each (server, &dns->nameservers)
		add_word(out, "nameserver", *server);
	if (!dns->nameservers.count)
		host_resolv(out);
	if (dns->domain)
		add_word(out, "domain", dns->domain);
	add_list(out, "search", &dns->search);
	add_list(out, "options", &dns->options);
}

int names_resolve(int run_fd, const char *container, const struct cni_dns *dns, struct err *err)
{
	autobuf base = BUF_INIT, text = BUF_INIT;
	autoarena a = ARENA_INIT;
	autofd dir = -1;
	struct err ignored;
	char *wish;

	if (!dns->nameservers.count && !dns->search.count && !dns->options.count && !dns->domain)
		return 0;
	dir = open_container(run_fd, container, false, err);
	if (dir < 0)
		return dir;
	if (file_read(dir, NAMES_RESOLV_WISH, NAMES_TEXT_MAX, &a, &wish, NULL, &ignored) < 0)
		wish = arena_strdup(&a, "");
	add_result(&base, dns);
	add_resolv(&text, arena_strdup(&a, buf_str(&base)), wish);
	return names_write(dir, NAMES_RESOLV, &text, err);
}

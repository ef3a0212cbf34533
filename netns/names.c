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
#define TEXT_MAX ((size_t)1 << 20)

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
	if (st.st_size > (off_t)TEXT_MAX && ftruncate(fd, 0) < 0)
		return err_errno(err, "shorten %s", name);
	while (st.st_size <= (off_t)TEXT_MAX && text->len < (size_t)st.st_size)
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

	if (file_read(AT_FDCWD, path, TEXT_MAX, a, &text, NULL, &ignored) < 0)
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

int names_make(int run_fd, const char *container, const char *hostname, struct err *err)
{
	autofd dir = open_container(run_fd, container, true, err);
	autobuf hosts = BUF_INIT, resolv = BUF_INIT;
	int r;

	if (dir < 0)
		return dir;
	buf_adds(&hosts, names_localhost);
	if (hostname && names_ok(hostname))
		buf_addf(&hosts, "127.0.1.1\t%s\n", hostname);
	host_resolv(&resolv);
	r = names_write(dir, NAMES_HOSTS, &hosts, err);
	return r < 0 ? r : names_write(dir, NAMES_RESOLV, &resolv, err);
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

int names_resolve(int run_fd, const char *container, const struct cni_dns *dns, struct err *err)
{
	autofd dir = -1;
	autobuf text = BUF_INIT;

	if (!dns->nameservers.count && !dns->search.count && !dns->options.count && !dns->domain)
		return 0;
	dir = open_container(run_fd, container, false, err);
	if (dir < 0)
		return dir;
	for_each (server, &dns->nameservers)
		add_word(&text, "nameserver", *server);
	if (!dns->nameservers.count)
		host_resolv(&text);
	if (dns->domain)
		add_word(&text, "domain", dns->domain);
	add_list(&text, "search", &dns->search);
	add_list(&text, "options", &dns->options);
	return names_write(dir, NAMES_RESOLV, &text, err);
}

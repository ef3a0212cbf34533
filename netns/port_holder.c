/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/port_holder.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define SEARCH_MS 500 /* a name in a message is not worth more */
#define HOLDER_SIZE 96

struct protocol {
	const char *name;
	uint8_t number;
	int type;
	const char *files[2]; /* below /proc/net: IPv4, IPv6 */
	unsigned int listening;
};

static const struct protocol protocols[] = {
	{ "tcp", IPPROTO_TCP, SOCK_STREAM, { "tcp", "tcp6" }, 10 },
	{ "udp", IPPROTO_UDP, SOCK_DGRAM, { "udp", "udp6" }, 7 },
	{ "sctp", IPPROTO_SCTP, SOCK_STREAM, { NULL, NULL }, 0 },
};

static const struct protocol *find_protocol(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].number == number)
			return &protocols[i];
	return NULL;
}

/* 0 when the port could be had, -EADDRINUSE, or 0 for what says nothing about that. */
static int probe(const struct protocol *p, const struct ip *ip, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	autofd sock = socket(ip->family, p->type | SOCK_CLOEXEC, p->number);
	int one = 1;
	int rc;

	if (sock < 0)
		return 0;
	if (ip->family == AF_INET) {
		memcpy(&in4.sin_addr, ip->bytes, sizeof(in4.sin_addr));
		rc = bind(sock, (const struct sockaddr *)&in4, sizeof(in4));
	} else {
		setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		memcpy(&in6.sin6_addr, ip->bytes, sizeof(in6.sin6_addr));
		rc = bind(sock, (const struct sockaddr *)&in6, sizeof(in6));
	}
	return rc < 0 && errno == EADDRINUSE ? -EADDRINUSE : 0;
}

/* Reads hexadecimal digits; false when there is none. */
static bool scan_hex(const char **text, uint64_t *ret)
{
	const char *start = *text;

	for (*ret = 0;; (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9')
			*ret = *ret << 4 | (uint64_t)(c - '0');
		else if (c >= 'A' && c <= 'F')
			*ret = *ret << 4 | (uint64_t)(c - 'A' + 10);
		else
			return *text > start;
	}
}

/* An address: words of four bytes, each printed as a number of the host's byte order. */
static bool scan_ip(const char **text, struct ip *ret_ip)
{
	size_t digits = strspn(*text, "0123456789ABCDEF");

	if (digits != 8 && digits != 32)
		return false;
	*ret_ip = (struct ip){ .family = digits == 8 ? AF_INET : AF_INET6 };
	for (size_t i = 0; i < digits / 8; i++) {
		char word[9];
		const char *at = word;
		uint64_t value;
		uint32_t raw;

		memcpy(word, *text + i * 8, 8);
		word[8] = '\0';
		scan_hex(&at, &value);
		raw = (uint32_t)value;
		memcpy(ret_ip->bytes + i * 4, &raw, sizeof(raw));
	}
	*text += digits;
	return true;
}

static void skip_field(const char **text)
{
	*text += strspn(*text, " ");
	*text += strcspn(*text, " ");
}

/* "sl local:port remote:port state queues timer retransmissions uid timeout inode ..." */
bool port_listener_parse(const char *line, struct port_listener *ret)
{
	uint64_t port, state;

	skip_field(&line);
	line += strspn(line, " ");
	if (!scan_ip(&line, &ret->ip) || *line++ != ':' || !scan_hex(&line, &port))
		return false;
	skip_field(&line);
	line += strspn(line, " ");
	if (!scan_hex(&line, &state))
		return false;
	for (int i = 0; i < 5; i++)
		skip_field(&line);
	line += strspn(line, " ");
	if (*line < '0' || *line > '9')
		return false;
	ret->inode = strtoull(line, NULL, 10);
	ret->port = (uint16_t)port;
	ret->state = (unsigned int)state;
	return true;
}

static bool is_unspecified(const struct ip *ip)
{
	static const uint8_t zero[sizeof(ip->bytes)];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

/* A wildcard socket of IPv6 takes IPv4 as well, unless it was told not to: the probe has found out. */
static bool overlaps(const struct port_listener *l, const struct ip *ip)
{
	return is_unspecified(&l->ip) || ip_equal(&l->ip, ip) ||
	       (is_unspecified(ip) && l->ip.family == ip->family);
}

/* Finds the listener in one file. 1, 0. */
static int find_listener(const char *file, const struct protocol *p, const struct ip *ip,
			 uint16_t port, struct port_listener *ret)
{
	char path[32], line[512];
	FILE *f;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (!found && fgets(line, sizeof(line), f))
		found = port_listener_parse(line, ret) && ret->port == port &&
			ret->state == p->listening && overlaps(ret, ip);
	fclose(f);
	return found;
}

static bool has_socket(int proc, const char *pid, const char *wanted, const struct deadline *end)
{
	char path[300], target[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/fd", pid);
	fd = fd_open(proc, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && !deadline_passed(end) && (entry = readdir(dir))) {
		ssize_t n = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	closedir(dir);
	return found;
}

/* "NAME (pid N)" of a process that has the socket open. */
static void find_process(uint64_t inode, char ret_holder[HOLDER_SIZE])
{
	struct deadline end = deadline_in(SEARCH_MS);
	char wanted[40], path[300], name[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	snprintf(ret_holder, HOLDER_SIZE, "the kernel or a process out of sight");
	if (!proc)
		return;
	snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
	while (!deadline_passed(&end) && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !has_socket(dirfd(proc), entry->d_name, wanted, &end))
			continue;
		snprintf(path, sizeof(path), "%s/comm", entry->d_name);
		if (file_peek(dirfd(proc), path, name, sizeof(name)) < 0)
			snprintf(name, sizeof(name), "a process");
		snprintf(ret_holder, HOLDER_SIZE, "%s (pid %.16s)", name, entry->d_name);
		break;
	}
	closedir(proc);
}

/* A probe fails for others than listeners, too: connections that go out by that port, and some that
 * have just ended. Where the files tell, only listeners count. */
static int name_holder(const struct protocol *p, const struct ip *ip, uint16_t port,
		       struct err *err)
{
	struct port_listener l = { .port = port };
	char holder[HOLDER_SIZE], text[IP_TEXT_SIZE];
	bool v6;

	if (!p->files[0])
		return err_set(err, EADDRINUSE, "port %u/%s of the host is in use", port, p->name);
	if (!find_listener(p->files[ip->family == AF_INET6], p, ip, port, &l) &&
	    !(ip->family == AF_INET && find_listener(p->files[1], p, ip, port, &l)))
		return 0;
	find_process(l.inode, holder);
	v6 = l.ip.family == AF_INET6;
	return err_set(err, EADDRINUSE,
		       "port %u/%s of the host is in use: %s listens on %s%s%s:%u; stop it, "
		       "publish another "
		       "port, or give an address of the host on which it does not listen",
		       port, p->name, holder, v6 ? "[" : "", ip_text(&l.ip, text), v6 ? "]" : "",
		       port);
}

static int check_ip(const struct port_map *map, const struct protocol *p, const struct ip *ip,
		    struct err *err)
{
	for (unsigned int i = 0; i < map->count; i++) {
		uint16_t port = (uint16_t)(map->host_port + i);
		int rc = probe(p, ip, port) < 0 ? name_holder(p, ip, port, err) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

int port_holder_check(const struct port_map *map, int family, struct err *err)
{
	static const struct ip all[] = { { AF_INET, { 0 } }, { AF_INET6, { 0 } } };
	const struct protocol *p = find_protocol(map->protocol);
	int rc = 0;

	if (!p)
		return err_set(err, EINVAL, "protocol %u has no ports to publish", map->protocol);
	if (map->host_ip.family)
		return check_ip(map, p, &map->host_ip, err);
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(all); i++)
		if (family == AF_UNSPEC || family == all[i].family)
			rc = check_ip(map, p, &all[i], err);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/dial_http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PATH_MAX_SENT 1024

int dial_http_ask(int fd, const char *host, uint16_t port, const char *path)
{
	const char *name = host ? host : "localhost", *what = path && path[0] ? path : "/";
	bool bare = strchr(name, ':') && name[0] != '[';
	char text[PATH_MAX_SENT + 512];
	int len = snprintf(text, sizeof(text),
			   "GET %s%.*s HTTP/1.0\r\nHost: %s%.255s%s:%u\r\n"
			   "User-Agent: tote/" TOTE_VERSION "\r\nAccept: */*\r\n"
			   "Connection: close\r\n\r\n",
			   what[0] == '/' ? "" : "/", PATH_MAX_SENT, what, bare ? "[" : "", name,
			   bare ? "]" : "", port);
	ssize_t sent = send(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent == len ? 0 : sent < 0 ? -errno : -EAGAIN;
}

static int number(const char *text, size_t len, size_t digits)
{
	int n = 0;

	for (size_t i = 0; i < digits; i++) {
		if (i >= len)
			return -EAGAIN;
		if (text[i] < '0' || text[i] > '9')
			return -EPROTO;
		n = n * 10 + text[i] - '0';
	}
	return n;
}

int dial_http_status(const char *text, size_t len)
{
	static const char start[] = "HTTP/1.";
	size_t known = sizeof(start) - 1;
	int minor;

	if (memcmp(text, start, len < known ? len : known) != 0)
		return -EPROTO;
	if (len < known)
		return -EAGAIN;
	minor = number(text + known, len - known, 1);
	if (minor < 0)
		return minor;
	if (len < known + 2)
		return -EAGAIN;
	if (text[known + 1] != ' ')
		return -EPROTO;
	return number(text + known + 2, len - known - 2, 3);
}

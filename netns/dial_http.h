/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of HTTP/1.0 as a health probe needs, over a connection of dial.h: every server answers it without
 * keeping the connection. The supervisor's probes and `tote probe` call this.
 */
#ifndef NETNS_DIAL_HTTP_H
#define NETNS_DIAL_HTTP_H

#include <stddef.h>
#include <stdint.h>

/* What an answer has to begin with fits in so many bytes. */
#define DIAL_HTTP_STATUS 256

/*
 * Sends a GET for path (NULL and "": "/") over a new connection. host is for the Host line (NULL:
 * "localhost"). Without blocking: it fits into the empty buffer of a socket. 0, or -errno.
 */
int dial_http_ask(int fd, const char *host, uint16_t port, const char *path);

/* The code of a status line, "HTTP/1.1 200 OK"; -EAGAIN while it may still become one, -EPROTO. */
int dial_http_status(const char *text, size_t len);

#endif

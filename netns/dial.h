/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections to programs inside a network namespace, made without going there for longer than
 * one system call: health probes of the supervisor and relays of the monitors call this. The thread
 * must be the process's only one.
 */
#ifndef NETNS_DIAL_H
#define NETNS_DIAL_H

#include "lib/err.h"
#include "netns/ip.h"

#include <stdbool.h>
#include <sys/types.h>

/* A socket address of an IP and a port: its size. */
socklen_t dial_address(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);

/*
 * The address that people mean: an IPv4 or IPv6 one, also in brackets, "localhost" or NULL for
 * 127.0.0.1. Names are not asked for, as that may take seconds: -EINVAL.
 */
int dial_parse(const char *host, struct ip *ret_ip);

/*
 * Where to listen: "8080", "127.0.0.1:8080", "[::1]:8080", ":8080". The family is 0 where no address is
 * said. 0 or -EINVAL, also for port 0.
 */
int dial_parse_listen(const char *text, struct ip *ret_ip, uint16_t *ret_port);

/*
 * The network namespace that a process is in. A descriptor; -ESRCH: the process is gone, -EPERM or
 * -EACCES: we may not. That it is still the right process is for the caller to know, by its pidfd
 * looked at afterwards.
 */
int dial_namespace(pid_t pid, struct err *err);

/*
 * A non-blocking, close-on-exec socket of the namespace (-1: our own), whose connect(2) has begun:
 * it becomes writable when that is over, and dial_result() says how. -errno: -EPERM when the namespace may
 * not be entered.
 */
int dial_begin(int netns_fd, const struct ip *ip, uint16_t port, struct err *err);
/* 0, or -errno: -ECONNREFUSED when nobody listens. Only once: asking forgets it. */
int dial_result(int fd);

#endif

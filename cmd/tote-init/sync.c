/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-init/init.h"

#include <linux/errno.h>
#include <linux/sockios.h>

#define MSG_NOSIGNAL 0x4000
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define AF_INET 2
#define SOCK_DGRAM 2
#define IFF_UP 1
#define IFF_RUNNING 0x40

/* linux/if.h needs a C library's headers. */
struct ifreq {
	char name[16];
	union {
		short flags;
		char space[24];
	};
};

int sync_send(const struct init *in, enum sync_what what, int step, int value)
{
	const struct wire_step *s = (const struct wire_step *)(in->base + in->plan->steps) + step;
	struct sync_msg m = {
		.what = (uint16_t)what, .step = (uint16_t)step, .op = s->op, .value = value
	};
	sys_t r;

	do {
		r = sys(__NR_sendto, in->sync, &m, sizeof(m), MSG_NOSIGNAL, 0, 0);
	} while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

int sync_send_fd(const struct init *in, enum sync_what what, int step, int value, int fd)
{
	struct sync_msg m = { .what = (uint16_t)what, .step = (uint16_t)step, .value = value };
	struct {
		size_t len;
		int level, type;
		int fd;
	} __attribute__((aligned(sizeof(size_t)))) control = {
		.len = offsetof(__typeof__(control), fd) + sizeof(int),
		.level = SOL_SOCKET,
		.type = SCM_RIGHTS,
		.fd = fd,
	};
	struct {
		void *base;
		size_t len;
	} iov = { &m, sizeof(m) };
	struct {
		void *name;
		int name_len;
		void *iov;
		size_t iov_len;
		void *control;
		size_t control_len;
		unsigned int flags;
	} msg = { .iov = &iov, .iov_len = 1, .control = &control, .control_len = control.len };
	sys_t r;

	do {
		r = sys(__NR_sendmsg, in->sync, &msg, MSG_NOSIGNAL);
	} while (r == -EINTR);
	return r < 0 ? (int)r : 0;
}

/* The end of the connection means that the host is gone: then the container must not come to life.
 */
int sync_wait(int sock, enum sync_what what)
{
	struct sync_msg m;
	sys_t r;

	do {
		r = sys(__NR_recvfrom, sock, &m, sizeof(m), 0, 0, 0);
	} while (r == -EINTR);
	if (r < 0)
		return (int)r;
	return r == sizeof(m) && m.what == what ? 0 : -ECANCELED;
}

int step_host(struct init *in, const struct wire_step *s)
{
	int r = sync_send(in, SYNC_HOST, step_index(in, s), 0);

	return r < 0 ? r : sync_wait(in->sync, SYNC_HOST_DONE);
}

int step_ready(struct init *in, const struct wire_step *s)
{
	return sync_send(in, SYNC_READY, step_index(in, s), 0);
}

int step_release(struct init *in, const struct wire_step *s)
{
	(void)s;
	return sync_wait(in->sync, SYNC_RELEASE);
}

/*
 * Waits for `tote start`: whoever can reach the socket (0600 in a 0700 directory of the host) may
 * start the container. From here on that connection is the way back: it closes at execve, and takes
 * the failure if there is one.
 */
int step_start(struct init *in, const struct wire_step *s)
{
	sys(__NR_close, in->sync);
	for (;;) {
		sys_t conn = sys(__NR_accept4, s->fd, 0, 0, SOCK_CLOEXEC);

		if (conn == -EINTR || conn == -ECONNABORTED)
			continue;
		if (conn < 0)
			return (int)conn;
		if (sync_wait((int)conn, SYNC_START) == 0) {
			in->sync = (int)conn;
			sys(__NR_close, s->fd);
			return 0;
		}
		/* A starter that died before it said so leaves the container startable. */
		sys(__NR_close, conn);
	}
}

int step_loopback_up(struct init *in, const struct wire_step *s)
{
	struct ifreq ifr;
	sys_t fd = sys(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sys_t r;

	(void)in;
	(void)s;
	if (fd < 0)
		return (int)fd;
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.name, "lo", 3);
	ifr.flags = IFF_UP | IFF_RUNNING;
	r = sys(__NR_ioctl, fd, SIOCSIFFLAGS, &ifr);
	sys(__NR_close, fd);
	return (int)r;
}

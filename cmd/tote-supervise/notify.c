/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3) and sd_listen_fds(3) by hand: a few lines each, where libsystemd is no static library. */
#include "cmd/tote-supervise/supervisor.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define LISTEN_FIRST 3

static struct {
	struct loop_timer timer;
	struct supervisor *sup;
	int64_t every_ms;
} watchdog;

void notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	autofd fd = -1;

	if (!len || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	/* "@" stands for the NUL of an abstract address. */
	if (path[0] == '@')
		addr.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&addr,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		say(LOG_WARNING, "NOTIFY_SOCKET: %s", err_text(errno));
}

/* We may be spared the restart only as long as we can do our work: see directories, hear of ends. */
static bool is_well(struct supervisor *sup)
{
	return fcntl(sup->instances, F_GETFD) >= 0 && fcntl(sup->inotify.fd, F_GETFD) >= 0 &&
	       fcntl(sup->signals.fd, F_GETFD) >= 0 && sup->inotify.ready && sup->signals.ready &&
	       access("/proc/self/stat", R_OK) == 0;
}

static void bark(struct loop_timer *timer)
{
	if (is_well(watchdog.sup))
		notify_send("WATCHDOG=1");
	else
		say(LOG_CRIT, "the self-check failed: the watchdog is not told");
	loop_timer_set(&watchdog.sup->loop, timer, watchdog.every_ms, bark);
}

/* 0: no watchdog, or not for us. */
static int64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (!usec || !number_scan(&usec, &n) || *usec)
		return 0;
	if (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid())
		return 0;
	return n < 2000 ? 1 : n > INT32_MAX ? INT32_MAX / 2000 : (int64_t)(n / 2000);
}

void notify_ready(struct supervisor *sup)
{
	notify_send("READY=1\nSTATUS=supervising");
	watchdog.sup = sup;
	watchdog.every_ms = watchdog_ms();
	if (watchdog.every_ms)
		loop_timer_set(&sup->loop, &watchdog.timer, 0, bark);
}

int notify_listen_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int fd = -1;

	if (pid && fds && strtoul(pid, NULL, 10) == (unsigned long)getpid() &&
	    strtoul(fds, NULL, 10) >= 1)
		fd = LISTEN_FIRST;
	/* Not for our children, who look at them, too. */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

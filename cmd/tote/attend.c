/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"
#include "lib/proc.h"
#include "lib/relay.h"
#include "oci/notify.h"

#include <stdlib.h>
#include <unistd.h>

int attend(int pidfd, int terminal, struct err *err)
{
	int r = terminal >= 0 ? relay_terminal(pidfd, terminal, err) : relay_signals(pidfd, err);

	return r < 0 ? r : proc_wait(pidfd);
}

int relay_notify(struct container *c, bool wait, struct err *err)
{
	const char *host = getenv("NOTIFY_SOCKET");
	autofd pidfd = -1;
	pid_t pid = 0;

	if (c->notify_fd < 0 || !host || !host[0])
		return 0;
	pidfd = proc_open(&c->st.init);
	if (pidfd < 0)
		return 0; /* it has ended already */
	if (!wait)
		pid = fork();
	if (pid < 0)
		return err_errno(err, "relay notifications");
	if (pid == 0) {
		int r = notify_relay(c->notify_fd, pidfd, c->st.init.pid, host, err);

		if (!wait)
			_exit(r < 0);
		return r;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/proc.h"
#include "lib/relay.h"

int attend(int pidfd, int terminal, struct err *err)
{
	int r = terminal >= 0 ? relay_terminal(pidfd, terminal, err) : relay_signals(pidfd, err);

	return r < 0 ? r : proc_wait(pidfd);
}

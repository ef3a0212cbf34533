/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/watch.h"

#include "lib/deadline.h"

#include <errno.h>
#include <sys/file.h>

int watch_begin(const struct cg *cg)
{
	return flock(cg->fd, LOCK_SH | LOCK_NB) < 0 ? -errno : 0;
}

void watch_wait(const struct cg *cg, int timeout_ms)
{
	struct deadline_pauses pauses = deadline_pauses_in(timeout_ms);
	struct timespec pause;

	while (flock(cg->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
	       deadline_pause(&pauses, &pause))
		nanosleep(&pause, NULL);
}

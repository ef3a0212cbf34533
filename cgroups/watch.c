/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/watch.h"

#include "cgroups/cg_wait.h"

#include <errno.h>
#include <sys/file.h>

int watch_begin(const struct cg *cg)
{
	return flock(cg->fd, LOCK_SH | LOCK_NB) < 0 ? -errno : 0;
}

void watch_wait(const struct cg *cg, int timeout_ms)
{
	struct cg_wait w = cg_wait_for(timeout_ms);
	struct timespec pause;

	while (flock(cg->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
	       cg_wait_next(&w, &pause))
		nanosleep(&pause, NULL);
}

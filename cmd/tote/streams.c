/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs open their standard streams again by name, /dev/stderr above all. What they are belongs
 * to an id of the host that a user namespace does not have: so they are lent to its root. A
 * terminal or a file has been somebody's before, and is given back at the end; pipes are seen to by
 * oci/idmap.c.
 */
#include "cmd/tote/streams.h"

#include "cmd/log.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* oci/image/store_ids.c: the container's that had it first keeps it. */
#define OWN_IDS ((uid_t)1 << 31)

/* Of a file that is read its mode decides, as ever. */
static bool is_lent(int fd, const struct stat *st)
{
	if (st->st_uid >= OWN_IDS)
		return false;
	return isatty(fd) || (fd != STDIN_FILENO && S_ISREG(st->st_mode));
}

void streams_lend(unsigned int id, struct lent_streams *ret)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && is_lent(fd, &st) && fchown(fd, id, (gid_t)-1) == 0) {
			ret->lent[fd] = true;
			ret->owner[fd] = st.st_uid;
		}
	}
}

void streams_take_back(struct lent_streams *s)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (s->lent[fd] && fchown(fd, s->owner[fd], (gid_t)-1) < 0)
			log_debug("give descriptor %d back to %u: %s", fd, s->owner[fd],
				  err_text(errno));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Standard streams that are given to the root of a user namespace, for `run` and `exec`. */
#ifndef CMD_TOTE_STREAMS_H
#define CMD_TOTE_STREAMS_H

#include <stdbool.h>

struct lent_streams {
	bool lent[3];
	unsigned int owner[3];
};

/* id: of the host. Those that cannot be given to anybody else stay as they are. */
void streams_lend(unsigned int id, struct lent_streams *ret);
void streams_take_back(struct lent_streams *s);

#endif

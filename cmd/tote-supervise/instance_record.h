/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor remembers of an instance, RUN/i/INSTANCE/record.json. It is written before
 * what it rests on is forgotten, so that a supervisor that is killed loses nothing and counts nothing
 * twice.
 */
#ifndef SUPERVISE_INSTANCE_RECORD_H
#define SUPERVISE_INSTANCE_RECORD_H

#include "cmd/tote-supervise/supervise.h"

/* In the arena; none, or one that cannot be read, is an empty one: -ENOENT, -EINVAL. */
int instance_record_load(int dir_fd, struct arena *a, struct instance_record *ret, struct err *err);
int instance_record_save(int dir_fd, const struct instance_record *r, struct err *err);

/*
 * Takes an exit in: counts, back-off, the list. a is the record's arena, which is replaced by one that
 * holds what is left. An exit of a run that is in it changes nothing.
 */
void instance_record_take(struct instance_record *r, struct arena *a, const struct instance_exit *e,
			  int64_t now, uint32_t random);
/* The health of a run has changed. */
void instance_record_health(struct instance_record *r, uint32_t run, enum health_state s,
			    int64_t now);
/* Whether it has been well for so long that its failures are forgotten. */
bool instance_record_recovered(const struct instance_record *r, uint32_t run, int64_t now);
const struct instance_exit *
instance_record_last(const struct instance_record *r); /* NULL: none yet */
void instance_record_write_exit(const struct instance_exit *e, struct json_writer *w);

#endif

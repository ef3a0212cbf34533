/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's manager object on the bus: the five calls that a scope's life takes. */
#ifndef CMD_TOTE_SYSTEMD_BUS_H
#define CMD_TOTE_SYSTEMD_BUS_H

#include "cmd/tote-systemd/words.h"
#include "lib/deadline.h"

/* A connection, the unit that it is about and until when. */
struct bus {
	sd_bus *sd;
	const char *unit;
	char *path; /* the unit's object */
	struct deadline deadline;
	char *job; /* the job whose end is waited for */
	char result[16];
};

/*
 * Connects to the system's or the user's bus, or past a bus that does not run to systemd itself.
 * bus->unit and bus->deadline are set by the caller. -ENOTCONN when nobody is there.
 */
int bus_open(struct bus *bus, bool user, struct err *err);
void bus_close(struct bus *bus);

/* Makes the unit and waits until it is there. -EEXIST when there is one of the name, -EOPNOTSUPP
 * when a property is refused. */
int bus_start(struct bus *bus, const struct word *words, size_t count, enum words_kind kind,
	      struct err *err);
/* Changes properties until the unit is gone. -EOPNOTSUPP when one is refused: then none is set. */
int bus_set(struct bus *bus, const struct word *words, size_t count, struct err *err);
/* Kills what is in the unit, stops it and waits until it is gone. No such unit is success. */
int bus_stop(struct bus *bus, struct err *err);
/* Forgets a failed unit. */
void bus_reset(struct bus *bus);
/* A string property; the caller frees it. */
int bus_get(struct bus *bus, const char *interface, const char *name, char **ret, struct err *err);

#define BUS_SCOPE "org.freedesktop.systemd1.Scope"
#define BUS_UNIT "org.freedesktop.systemd1.Unit"

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pressure triggers: a descriptor that becomes ready when the processes of a group have waited too
 * long for a resource (the kernel's psi.rst, "Monitoring for pressure thresholds"; Linux 5.2). For
 * the supervisor that acts before a container starves; averages and totals are in stats.h.
 */
#ifndef CGROUPS_PRESSURE_H
#define CGROUPS_PRESSURE_H

#include "cgroups/cg.h"
#include "lib/err.h"

enum pressure_resource {
	PRESSURE_CPU,
	PRESSURE_MEMORY,
	PRESSURE_IO,
	PRESSURE_IRQ, /* Linux 6.1 with CONFIG_IRQ_TIME_ACCOUNTING; full only */
};

/* The kernel has had no lower bound since 6.3, but this one keeps older ones working. */
#define PRESSURE_WINDOW_MIN 500000u
#define PRESSURE_WINDOW_MAX 10000000u
/* A window that is a multiple of this needs no privilege since 6.4. */
#define PRESSURE_WINDOW_UNPRIVILEGED 2000000u

/* Ready when threshold of the last window were lost; at most once a window. Microseconds. */
struct pressure_trigger {
	enum pressure_resource resource;
	bool full; /* all processes waited, not only some; of cpu since 5.13 */
	uint32_t threshold, window;
};

#define PRESSURE_TEXT_SIZE 32

/* What is written to the kernel, "some 150000 1000000". No system call. -EINVAL for a window or
 * threshold that cannot be. */
int pressure_text(const struct pressure_trigger *trigger, char ret_text[PRESSURE_TEXT_SIZE],
		  struct err *err);

/*
 * Makes a trigger on a group. Returns a descriptor (close-on-exec) to poll for POLLPRI: an event;
 * POLLERR: the group is gone. It needs no reading. Closing it ends the trigger; it can have no
 * second one (-EBUSY from write(2), where before 5.17 the second took the first one's place).
 *
 * -EPERM when the window is no multiple of PRESSURE_WINDOW_UNPRIVILEGED, or the kernel is older
 * than 6.4, and CAP_SYS_RESOURCE is missing; -EOPNOTSUPP when the kernel does not measure pressure,
 * or not this one; -ENODEV when the group is gone.
 */
int pressure_open(const struct cg *cg, const struct pressure_trigger *trigger, struct err *err);

#endif

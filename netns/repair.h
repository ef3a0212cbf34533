/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts back what attachments have lost: nf_tables rules that were flushed, a bridge that was removed,
 * an interface that went with the network card it lay on. The records (record.h) say what there was.
 * `tote network repair` and `gc` call this, and watch.c when it hears of a loss.
 */
#ifndef NETNS_REPAIR_H
#define NETNS_REPAIR_H

#include "netns/record.h"

struct repair {
	const char *run_dir, *plugin_path; /* as in struct attach */
	int run_fd;
	/* Is told what was done, and what could not be, a line each. */
	void (*tell)(void *arg, bool failed, const char *line);
	void *arg;
	/* An attachment that another process works on is left for later, instead of waiting. */
	bool no_wait;
};

/* Deletes attachments whose owner is gone, leases and nf_tables elements that have none. What fails
 * is told; the number of failures, or -errno. */
int repair_gc(const struct repair *rp, struct err *err);

/* cni_add(), where a port or address may still be that of a container that ended while nobody waited for
 * it, or a moment ago (leftover.h): when it is in use, elements that are nobody's are removed, and then once
 * more. With gc it is tried a last time behind repair_gc(), which may wait for others' plugins. */
int repair_add(struct attach *at, const struct cni_network *network, bool gc);

/* One attachment: what it has on the host, and its interface when that is gone; no more, since what
 * else there is inside is the container's. 0, also when there is nothing to repair or the attachment
 * is gone by now; a failure is told and returned, but -EAGAIN: with no_wait, and to be tried again. */
int repair_attachment(const struct repair *rp, const struct record *r);

/* The nf_tables table, then all attachments that live, after repair_gc(). The number of failures, or
 * -errno. */
int repair_all(const struct repair *rp, struct err *err);
/* The table alone, with what attachments have in it, when it is not whole. As repair_all(). */
int repair_table(const struct repair *rp, struct err *err);

/* An arranged printf() for tell(). */
void repair_tell(const struct repair *rp, bool failed, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of CNI (spec 1.1 sections 2 to 4) on a network's whole list of plugins. tote-cni
 * (one process of somebody's runtime) and tote-net (`tote network`, `tote run --network`) call this.
 *
 * ADD writes a record of the attachment before anything is made (record.h): DEL needs neither a
 * result nor a runtimeConfig given again, and what a crash left can be found.
 */
#ifndef NETNS_CNI_H
#define NETNS_CNI_H

#include "netns/conf.h"
#include "netns/plugin.h"

#define CNI_PLUGIN_PATH "/opt/cni/bin:/usr/lib/cni"

/*
 * `at` names who (container to run_fd); network and what belongs to a plugin is filled in here.
 * ADD: the plugins in order, each with the result so far; the result is at->result. When one fails
 * those before it and itself are deleted in reverse order; the error is the first.
 */
int cni_add(struct attach *at, const struct cni_network *network);
/* DEL: in reverse order, all of them, whatever fails; the first error. 0 when there was nothing. With
 * network NULL it is that of the record. */
int cni_del(struct attach *at, const struct cni_network *network);
/*
 * The first half of DEL by the record, for a caller whom somebody waits for: nothing is left in nf_tables,
 * addresses are free, the record is gone, and the rest is leftover.h's (at->network is filled in). 1, or 0
 * when DEL cannot be halved: nothing was done then. After -errno cni_del() does what can be done.
 */
int cni_give_back(struct attach *at);
/* -ENOENT and others when something is not as ADD left it. */
int cni_check(struct attach *at, const struct cni_network *network);
int cni_status(struct attach *at, const struct cni_network *network);
int cni_gc(struct attach *at, const struct cni_network *network, const struct cni_valid *valid,
	   size_t count);

/*
 * Errors of the spec (section 5, "Error") for which there is no errno, and those of plugins that were
 * executed: err_set(err, CNI_ERROR(7), ...). No errno is as large.
 */
#define CNI_ERROR(code) (0x10000 + (code))
enum { CNI_BAD_ENVIRONMENT = 4, CNI_NOT_AVAILABLE = 50 };

/* The number of an error as the spec has it: 1 to 11, 50, 51, 100 and above. tote-cni(8) has the
 * table. */
unsigned int cni_code(const struct err *err);

#endif

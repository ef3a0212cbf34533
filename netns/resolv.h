/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf(5), read: host-local's "resolvConf". */
#ifndef NETNS_RESOLV_H
#define NETNS_RESOLV_H

#include "netns/result.h"

/* All that a file of at most 64 KiB says, in the arena; what is not known in it is passed over. 0 or
 * -errno. */
int resolv_read(const char *path, struct arena *a, struct cni_dns *ret, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which interface of the host "host-device" lends: by name, hardware address or place in sysfs. */
#ifndef NETNS_HOST_DEVICE_H
#define NETNS_HOST_DEVICE_H

#include "netns/plugin.h"

/* One of the first three, or has_mac. Strings are the configuration's. */
struct host_device {
	char *name;
	char *kernel_path; /* a directory of sysfs with a directory "net" in it */
	char *pci_id;	   /* "0000:00:1f.6" */
	char *mac_text;
	bool has_mac;
	uint8_t mac[LINK_MAC_SIZE];
};

/* From a plugin's configuration; runtimeConfig's "deviceID" is a PCI address as well. -EINVAL unless
 * just one is said. */
int host_device_read(struct attach *at, struct host_device *ret_device);
/* The interface, in the namespace of the socket and of the calling thread's /sys. -ENODEV when there
 * is none. */
int host_device_find(struct rtnl *r, const struct host_device *device, struct arena *a,
		     struct link *ret_link, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* CNI's "bridge": its configuration, and the bridge itself with its addresses. bridge.c calls this. */
#ifndef NETNS_BRIDGE_H
#define NETNS_BRIDGE_H

#include "netns/plugin.h"

/* Keys as in a conflist. */
struct bridge_conf {
	char *bridge; /* "cni0" when it does not say */
	bool is_gateway, is_default_gateway, force_address;
	bool ip_masq, hairpin_mode, promisc_mode, port_isolation;
	bool macspoofchk, disable_container_interface;
	uint32_t mtu;  /* bytes; 0: the kernel's choice */
	uint16_t vlan; /* 0: none */
	struct opt_bool preserve_default_vlan;
	struct cni_dns dns;
};

/* Reads and judges at->conf. 0, -EINVAL, -EOPNOTSUPP for what tote does not do. */
int bridge_conf_read(struct attach *at, struct bridge_conf *ret_conf);

/* Finds the bridge or makes it; up. -EEXIST when the name is that of something else. */
int bridge_ensure(struct attach *at, const struct bridge_conf *conf, struct link *ret_bridge);

/*
 * What being a gateway means: addresses without a gateway get the first of their network, the host has
 * them all (on the bridge, or on the interface that stands for it in a VLAN) and forwards. With
 * isDefaultGateway the result gets default routes. Does nothing for a bridge that is none. mac: what the
 * bridge had before the container's port was in it. ret_gateway: what has the addresses, else the bridge.
 */
int bridge_gateways(struct attach *at, const struct bridge_conf *conf, const struct link *bridge,
		    const uint8_t mac[LINK_MAC_SIZE], struct link *ret_gateway);

/* Puts a port into the VLAN. It has to be in the bridge already. */
int bridge_port_vlan(struct attach *at, const struct bridge_conf *conf, const struct link *port);

#endif

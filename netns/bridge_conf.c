/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/bridge.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

#define VLAN_MAX 4094

#define FIELD(key, read, member)                                                                   \
	{                                                                                          \
		key, read, offsetof(struct bridge_conf, member)                                    \
	}

static const struct json_field fields[] = {
	FIELD("bridge", json_string, bridge),
	FIELD("isGateway", json_bool, is_gateway),
	FIELD("isDefaultGateway", json_bool, is_default_gateway),
	FIELD("forceAddress", json_bool, force_address),
	FIELD("ipMasq", json_bool, ip_masq),
	FIELD("hairpinMode", json_bool, hairpin_mode),
	FIELD("promiscMode", json_bool, promisc_mode),
	FIELD("portIsolation", json_bool, port_isolation),
	FIELD("macspoofchk", json_bool, macspoofchk),
	FIELD("disableContainerInterface", json_bool, disable_container_interface),
	FIELD("mtu", json_u32, mtu),
	FIELD("vlan", json_u16, vlan),
	FIELD("preserveDefaultVlan", json_opt_bool, preserve_default_vlan),
	{ "dns", json_object, offsetof(struct bridge_conf, dns), 0, &cni_dns_table },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct bridge_conf),
					 NULL };

static int refuse(struct attach *at, const char *what, const char *instead)
{
	return err_set(at->err, EOPNOTSUPP, "%s is not supported: %s", what, instead);
}

static int judge(struct attach *at, const struct bridge_conf *conf)
{
	const struct json_value *trunk = json_get(at->conf, "vlanTrunk");

	if (!link_name_ok(conf->bridge))
		return err_set(at->err, EINVAL,
			       "bridge: \"%s\" is not a name for a network interface",
			       conf->bridge);
	if (conf->vlan > VLAN_MAX)
		return err_set(at->err, EINVAL, "vlan: %u is not between 0 and %d", conf->vlan,
			       VLAN_MAX);
	if (conf->hairpin_mode && conf->promisc_mode)
		return err_set(at->err, EINVAL,
			       "hairpinMode and promiscMode exclude each other: set one of them");
	if (conf->macspoofchk)
		return refuse(at, "macspoofchk", "do without it, or use a macvlan network");
	if (conf->disable_container_interface)
		return refuse(at, "disableContainerInterface",
			      "the container's interface is always up");
	if (trunk && trunk->count)
		return refuse(at, "vlanTrunk", "give each VLAN a network of its own");
	return 0;
}

int bridge_conf_read(struct attach *at, struct bridge_conf *ret_conf)
{
	struct bridge_conf conf = { .bridge = NULL };
	int rc = json_decode(at->conf, &table, at->arena, &conf, at->err);

	if (rc < 0)
		return rc;
	if (!conf.bridge || !*conf.bridge)
		conf.bridge = arena_strdup(at->arena, "cni0");
	conf.is_gateway |= conf.is_default_gateway;
	rc = judge(at, &conf);
	if (rc >= 0)
		*ret_conf = conf;
	return rc;
}

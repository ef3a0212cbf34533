/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/pair.h"

#include "lib/cleanup.h"
#include "netns/inside.h"
#include "netns/ipam.h"
#include "netns/port_wish.h"

#include <errno.h>

int pair_lease(struct attach *at)
{
	int rc;

	if (!inside_has_ipam(at))
		return 0;
	rc = ipam_add(at);
	if (rc >= 0 && !at->result.ips.count)
		return err_set(at->err, EINVAL, "ipam gave no address");
	return rc;
}

static struct port_wish masquerade_wish(const struct attach *at, char key[ATTACH_KEY_SIZE])
{
	struct port_wish wish = { .owner = key, .masquerade = true };
	struct ip_net *nets = arena_calloc(at->arena, at->result.ips.count, sizeof(*nets));

	for_each (ip, &at->result.ips)
		nets[wish.address_count++] = ip->address;
	attach_key(at, key);
	wish.addresses = nets;
	return wish;
}

int pair_masquerade(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish = masquerade_wish(at, key);

	return port_add(&wish, at->err);
}

void pair_dns(struct attach *at, const struct cni_dns *dns)
{
	if (dns->nameservers.count || dns->search.count || dns->options.count || dns->domain)
		at->result.dns = *dns;
}

static bool masquerades(const struct attach *at)
{
	const struct json_value *ip_masq = json_get(at->conf, "ipMasq");

	return ip_masq && ip_masq->boolean;
}

int pair_check_masquerade(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish = masquerade_wish(at, key);

	return masquerades(at) && wish.address_count ? port_check(&wish, at->err) : 0;
}

static int unmasquerade(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];

	if (at->rules_gone || !masquerades(at))
		return 0;
	attach_key(at, key);
	return masquerade_remove(key, at->err);
}

/* The configuration is not judged: what is refused by now may have been good when it was used. */
int pair_undo(struct attach *at)
{
	int (*const steps[])(struct attach *) = { unmasquerade, pair_delete, ipam_del };
	struct err first = { 0 };

	/* pair_check_free() comes before all that could be undone. */
	if (at->name_taken)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i](at) < 0 && !first.code)
			first = *at->err;
	if (first.code)
		*at->err = first;
	return first.code;
}

int pair_want(struct attach *at)
{
	char key[ATTACH_KEY_SIZE];
	struct port_wish wish = masquerade_wish(at, key);

	if (masquerades(at))
		port_want(&at->rules->ports, &wish);
	return 0;
}

int pair_give_back(struct attach *at)
{
	return ipam_del(at);
}

int pair_undo_failed(struct attach *at)
{
	struct err first = *at->err;

	pair_undo(at);
	*at->err = first;
	return first.code;
}

int pair_status(struct attach *at)
{
	return inside_has_ipam(at) ? ipam_status(at) : 0;
}

int pair_gc(struct attach *at, const struct cni_valid *valid, size_t count)
{
	return inside_has_ipam(at) ? ipam_gc(at, valid, count) : 0;
}

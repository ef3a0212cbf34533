/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ranges of addresses that host-local gives out: read from its configuration, judged, walked.
 * `tote network` asks for the subnets.
 */
#ifndef NETNS_IPAM_RANGE_H
#define NETNS_IPAM_RANGE_H

#include "lib/json.h"
#include "netns/ip.h"
#include "netns/result.h"

/* From start to end, both included; the subnet's own address, its broadcast address (IPv4) and the
 * gateway are never given out. */
struct ip_range {
	struct ip_net subnet;
	struct ip start, end, gateway;
};

/* One address comes out of each set. */
struct ip_range_set {
	struct ip_range *items;
	size_t count;
};

struct ip_range_sets {
	struct ip_range_set *items;
	size_t count;
};

struct host_local {
	struct ip_range_sets sets;
	struct ip_range single; /* subnet, rangeStart, rangeEnd, gateway of the object itself */
	LIST(struct cni_route) routes;
	char *resolv_conf, *data_dir;
};

/*
 * From an "ipam" object, with the sets that "ipRanges" of a runtimeConfig puts before its own
 * (NULL: none). Absent starts, ends and gateways are filled in: the second address, the last that is not
 * broadcast, the second address. -EINVAL when a range is not within its subnet, sets mix families or
 * overlap, or there are none.
 */
int host_local_parse(const struct json_value *ipam, const struct json_value *runtime,
		     struct arena *a, struct host_local *ret, struct err *err);

/* May it be given out, as far as the range goes? */
bool ip_range_usable(const struct ip_range *range, const struct ip *ip);
/* The range of a set that an address is in; NULL: none. */
const struct ip_range *ip_range_find(const struct ip_range_set *set, const struct ip *ip);
/* "10.88.0.1-10.88.0.254, ...", in the arena. */
const char *ip_range_text(const struct ip_range_set *set, struct arena *a);

/* Walks all addresses of a set once, in a ring. */
struct ip_cursor {
	const struct ip_range_set *set;
	size_t range, first_range;
	struct ip ip, first;
	bool done;
};

/* Begins behind `last`, or at the set's first address when that is in none of its ranges (NULL). */
void ip_cursor_init(struct ip_cursor *c, const struct ip_range_set *set, const struct ip *last);
/* False when it has been round. Gives usable addresses only. */
bool ip_cursor_next(struct ip_cursor *c, struct ip *ret_ip, const struct ip_range **ret_range);

#endif

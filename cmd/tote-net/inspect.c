/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/ipam_lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct option items[] = { PLACE_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void put_attachment(struct json_writer *w, const struct record *r)
{
	char text[IP_TEXT_SIZE];

	json_begin_object(w);
	json_pair_string(w, "container", r->container);
	json_pair_string(w, "interface", r->ifname);
	if (r->hostname)
		json_pair_string(w, "hostname", r->hostname);
	json_pair_string(w, "netns", r->netns_path);
	json_key(w, "addresses");
	json_begin_array(w);
	for_each (ip, &r->result.ips)
		json_put_string(w, ip_net_text(&ip->address, text));
	json_end_array(w);
	json_pair_bool(w, "alive", record_alive(r));
	json_pair_bool(w, "complete", r->done);
	json_end_object(w);
}

static void put_lease(const struct ip *ip, const struct lease *lease, void *arg)
{
	struct json_writer *w = arg;
	char text[IP_TEXT_SIZE];

	json_begin_object(w);
	json_pair_string(w, "address", ip_text(ip, text));
	json_pair_string(w, "container", lease ? lease->container : NULL);
	json_pair_string(w, "interface", lease ? lease->ifname : NULL);
	json_pair_bool(w, "alive", lease && lease_alive(lease));
	json_end_object(w);
}

static const char *data_dir(const struct cni_network *network)
{
	for (const struct json_value *p = network->plugins->first; p; p = p->next) {
		const struct json_value *ipam = json_get(p, "ipam");

		if (ipam && ipam->kind == JSON_OBJECT && *conf_text(ipam, "dataDir") == '/')
			return conf_text(ipam, "dataDir");
	}
	return NULL;
}

static int put_leases(struct json_writer *w, const struct place *p,
		      const struct cni_network *network, struct arena *a, struct err *err)
{
	struct attach at = place_attach(p, "", "", a, err);
	autoleases l = LEASES_INIT;
	int r;

	at.network = network->name;
	json_key(w, "leases");
	json_begin_array(w);
	r = leases_open(&at, data_dir(network), false, &l);
	if (r == 0)
		r = leases_list(&l, put_lease, w, err);
	json_end_array(w);
	return r == -ENOENT ? 0 : r;
}

static int put(struct json_writer *w, const struct place *p, const struct cni_network *network,
	       const struct records *records, struct arena *a, struct err *err)
{
	int r;

	json_begin_object(w);
	json_pair_string(w, "name", network->name);
	json_pair_string(w, "file",
			 network->file ? arena_printf(a, "%s/%s", p->conf_dir, network->file)
				       : NULL);
	json_key(w, "conflist");
	json_put_value(w, network->whole);
	json_key(w, "attachments");
	json_begin_array(w);
	for_each (record, records)
		if (strcmp(record->network.name, network->name) == 0)
			put_attachment(w, record);
	json_end_array(w);
	r = put_leases(w, p, network, a, err);
	json_end_object(w);
	return r;
}

static int run(char **args, size_t count, void *opts)
{
	struct records records = { NULL, 0 };
	struct cni_network network = { NULL };
	autoplace place = PLACE_INIT;
	autoarena a = ARENA_INIT;
	autobuf out = BUF_INIT;
	struct json_writer w;
	struct err err;
	int r = open_place(opts, &place, &err);

	(void)count;
	if (r == 0)
		r = cni_network_find(place.conf_dir, args[0], &a, &network, &err);
	if (r == 0)
		r = record_list(place.run_fd, NULL, &a, &records, &err);
	if (r < 0 || !network.plugins)
		return fail(&err);
	warn_broken(&records);
	json_writer_init(&w, &out, true);
	r = put(&w, &place, &network, &records, &a, &err);
	json_writer_done(&w);
	if (r < 0)
		return fail(&err);
	printf("%s", buf_str(&out));
	return 0;
}

const struct verb verb_inspect = { "inspect",
				   "NAME",
				   "print a network, who is on it and its leases as JSON",
				   &table,
				   1,
				   1,
				   run,
				   sizeof(struct place_options),
				   0 };

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/subnet.h"

#include <stdio.h>
#include <string.h>

struct ls_options {
	struct place_options place;
	const char *format;
	bool quiet;
};

static const struct option items[] = {
	PLACE_OPTIONS,
	{ "format", 'f', OPT_STRING, offsetof(struct ls_options, format), "FORMAT",
	  "table (default) or json" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct ls_options, quiet), NULL, "print names only" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* One line of the list. */
struct listed {
	const char *name, *driver, *device, *file;
	struct strv subnets;
	size_t attached;
};

static struct strv subnets_of(const struct cni_network *network, struct arena *a)
{
	struct cni_networks one = { (struct cni_network *)network, 1, { NULL, 0 } };
	struct subnet_uses uses = { NULL, 0 };
	struct strv list = { NULL, 0 };
	char text[IP_TEXT_SIZE];

	subnet_add_networks(&one, a, &uses);
	list.items = arena_calloc(a, uses.count + 1, sizeof(char *));
	for_each (use, &uses)
		list.items[list.count++] = arena_strdup(a, ip_net_text(&use->net, text));
	return list;
}

static struct listed describe(const struct cni_network *network, const struct records *records,
			      struct arena *a)
{
	const struct json_value *first = network->plugins->first;
	const char *bridge = conf_text(first, "bridge"), *master = conf_text(first, "master");
	struct listed l = {
		.name = network->name,
		.driver = conf_text(first, "type"),
		.device = *bridge ? bridge : master,
		.file = network->file,
		.subnets = subnets_of(network, a),
	};

	for_each (r, records)
		l.attached += strcmp(r->network.name, network->name) == 0;
	return l;
}

static void print_row(const struct listed *l)
{
	printf("%-16s %-10s %-16s %8zu  ", l->name, l->driver, *l->device ? l->device : "-",
	       l->attached);
	for_each (subnet, &l->subnets)
		printf("%s%s", subnet == l->subnets.items ? "" : ", ", *subnet);
	printf("%s\n", l->subnets.count ? "" : "-");
}

static void print_object(const struct listed *l, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "name", l->name);
	json_pair_string(w, "driver", l->driver);
	json_pair_string(w, "device", *l->device ? l->device : NULL);
	json_pair_strv(w, "subnets", &l->subnets);
	json_pair_u64(w, "attachments", l->attached);
	json_pair_string(w, "file", l->file);
	json_end_object(w);
}

static void print(const struct cni_networks *networks, const struct records *records,
		  const struct ls_options *o, bool json, struct arena *a)
{
	autobuf out = BUF_INIT;
	struct json_writer w;

	if (json) {
		json_writer_init(&w, &out, false);
		json_begin_array(&w);
	} else if (!o->quiet) {
		printf("%-16s %-10s %-16s %8s  %s\n", "NAME", "DRIVER", "DEVICE", "ATTACHED",
		       "SUBNETS");
	}
	for_each (network, networks) {
		struct listed l = describe(network, records, a);

		if (json)
			print_object(&l, &w);
		else if (o->quiet)
			printf("%s\n", l.name);
		else
			print_row(&l);
	}
	if (!json)
		return;
	json_end_array(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
}

/* The built-in one is listed as long as no file has its name: it can be used. */
static int load(const char *dir, struct arena *a, struct cni_networks *ret, struct err *err)
{
	struct cni_networks networks = { NULL, 0 };
	struct cni_network builtin;
	int r = cni_networks_load(dir, a, &networks, err);

	if (r < 0 || cni_network_builtin(a, &builtin, err) < 0)
		return err->code;
	*ret = networks;
	ret->items = arena_calloc(a, networks.count + 1, sizeof(*ret->items));
	if (networks.count)
		memcpy(ret->items, networks.items, networks.count * sizeof(*ret->items));
	for_each (network, &networks)
		if (strcmp(network->name, builtin.name) == 0)
			return 0;
	ret->items[ret->count++] = builtin;
	return 0;
}

static int run(char **args, size_t count, void *opts)
{
	struct ls_options *o = opts;
	struct records records = { NULL, 0 };
	struct cni_networks networks = { NULL, 0, { NULL, 0 } };
	autoplace place = PLACE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	bool json;
	int r = check_format(o->format, &json, &err);

	(void)args;
	(void)count;
	if (r == 0)
		r = load(conf_dir_of(&o->place), &a, &networks, &err);
	if (r == 0)
		r = open_place(&o->place, &place, &err);
	if (r == 0)
		r = record_list(place.run_fd, NULL, &a, &records, &err);
	if (r < 0)
		return fail(&err);
	for_each (broken, &networks.broken)
		log_warning("%s/%s", place.conf_dir, *broken);
	warn_broken(&records);
	print(&networks, &records, o, json, &a);
	return 0;
}

const struct verb verb_ls = { "ls", "",	 "list networks",	    &table, 0,
			      0,    run, sizeof(struct ls_options), 0 };

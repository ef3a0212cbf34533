/* SPDX-License-Identifier: Apache-2.0 */
/* The network of an image's container, and what its hosts and resolv.conf say. */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "netns/ip.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAME_SIZE 65

static int bad(struct imaging *im, const char *option, const char *text, const char *expected)
{
	return err_set(im->err, EINVAL, "%s \"%s\": expected %s", option, text, expected);
}

static int check_names(struct imaging *im, const char *option, const struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!names_ok(list->items[i]))
			return bad(im, option, list->items[i], "a name");
	return 0;
}

/* "NAME:ADDRESS", also with "=" as docker takes it, and an IPv6 address in brackets. */
static int add_host(struct imaging *im, const char *text, bool gateway)
{
	struct strv *hosts = &im->network.known.hosts;
	char *address = arena_strdup(&im->a, text),
	     *name = strsep(&address, strchr(text, '=') ? "=" : ":");
	struct ip ip;

	if (address && address[0] == '[' && strlen(address) > 2) {
		address[strlen(address) - 1] = '\0';
		address++;
	}
	if (!address || !names_ok(name))
		return bad(im, "--add-host", text, "NAME:ADDRESS");
	if (strcmp(address, NAMES_GATEWAY) == 0 && !gateway)
		return err_set(im->err, EINVAL,
			       "--add-host \"%s\": its network has no gateway to the host", text);
	if (strcmp(address, NAMES_GATEWAY) != 0 && ip_parse(address, &ip) < 0)
		return bad(im, "--add-host", text, "an address behind the name");
	hosts->items[hosts->count++] = arena_printf(&im->a, "%s %s", address, name);
	return 0;
}

static int choose_hosts(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	bool gateway = im->network.names.count || im->network.mode == NETWORK_HOST;
	int r = 0;

	im->network.known.hosts.items = arena_calloc(&im->a, o->hosts.count + 1, sizeof(char *));
	for (size_t i = 0; r == 0 && i < o->hosts.count; i++)
		r = add_host(im, o->hosts.items[i], gateway);
	return r;
}

static int choose_dns(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	struct names_wish *known = &im->network.known;
	struct ip ip;

	for (size_t i = 0; i < o->dns.count; i++)
		if (ip_parse(o->dns.items[i], &ip) < 0)
			return bad(im, "--dns", o->dns.items[i], "an address");
	known->servers = (struct strv){ (char **)o->dns.items, o->dns.count };
	known->search = (struct strv){ (char **)o->dns_search.items, o->dns_search.count };
	known->options = (struct strv){ (char **)o->dns_options.items, o->dns_options.count };
	if (check_names(im, "--dns-search", &o->dns_search) < 0)
		return im->err->code;
	return check_names(im, "--dns-option", &o->dns_options);
}

static int choose_aliases(struct imaging *im)
{
	const struct option_list *aliases = &im->o->image.aliases;

	if (aliases->count && !im->network.names.count)
		return err_set(im->err, EINVAL,
			       "--network-alias \"%s\": there is no network with others on it",
			       aliases->items[0]);
	im->network.known.aliases = (struct strv){ (char **)aliases->items, aliases->count };
	return check_names(im, "--network-alias", aliases);
}

/* The host's, which others then find it by as well. */
static int choose_name(struct imaging *im)
{
	char *name = arena_alloc(&im->a, HOST_NAME_SIZE);

	im->network.hostname = im->convert.hostname;
	if (im->convert.host_uts) {
		if (gethostname(name, HOST_NAME_SIZE) < 0)
			return err_errno(im->err, "gethostname");
		im->network.hostname = name;
	}
	im->network.known.hostname = im->network.hostname;
	return 0;
}

/* Those of the host or of another container will do when nothing is to be different. */
static bool wants_files(const struct imaging *im)
{
	const struct names_wish *known = &im->network.known;

	return im->network.mode == NETWORK_OWN || known->hosts.count || known->servers.count ||
	       known->search.count || known->options.count;
}

/* An ordinary user cannot make a network of his own without help: that is asked for by name. */
int imaging_choose_network(struct imaging *im, const char *id)
{
	int r = run_network(&im->o->network, globals.rootless ? "host" : "none", &im->a,
			    &im->network, im->err);

	if (r == 0)
		r = choose_name(im);
	if (r == 0)
		r = choose_hosts(im);
	if (r == 0)
		r = choose_dns(im);
	if (r == 0)
		r = choose_aliases(im);
	if (r < 0)
		return r;
	im->network.known.of_host = im->network.mode == NETWORK_HOST;
	if (wants_files(im))
		im->network.names_dir =
			arena_printf(&im->a, "%s/names/%s", im->network.run_dir, id);
	im->convert.ping = im->network.names.count;
	/* /sys shows the network of whoever mounts it, who has to own it. */
	im->convert.host_network = im->network.mode != NETWORK_OWN;
	return 0;
}

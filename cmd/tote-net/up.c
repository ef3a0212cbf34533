/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/join.h"
#include "netns/ns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct up_options {
	struct place_options place;
	struct option_list configs, publish, ips;
	const char *netns, *ifname, *mac, *hostname, *owner;
	unsigned int pid;
};

#define UP_OPTION(name, letter, kind, member, value, help)                                         \
	{                                                                                          \
		name, letter, kind, offsetof(struct up_options, member), value, help               \
	}

static const struct option items[] = {
	PLACE_OPTIONS,
	UP_OPTION("netns", 0, OPT_STRING, netns, "PATH",
		  "the container's network namespace; -: it comes over stdin, a socket"),
	UP_OPTION("pid", 0, OPT_UINT, pid, "PID", "the namespace is that of a process"),
	UP_OPTION("config", 0, OPT_LIST, configs, "NAME",
		  "the network (default: the first there is); again for eth1 and so on"),
	UP_OPTION("ifname", 0, OPT_STRING, ifname, "NAME",
		  "the interface's name in the container (default eth0)"),
	UP_OPTION("publish", 'p', OPT_LIST, publish, "PORTS",
		  "[HOSTIP:]HOST:CONTAINER[/tcp|udp|sctp], also with ranges"),
	UP_OPTION("ip", 0, OPT_LIST, ips, "ADDRESS", "the address it is to have"),
	UP_OPTION("mac-address", 0, OPT_STRING, mac, "ADDRESS", "the hardware address"),
	UP_OPTION("hostname", 0, OPT_STRING, hostname, "NAME", "what others find it by"),
	UP_OPTION("owner", 0, OPT_STRING, owner, "DIR",
		  "a directory that is there as long as the container is"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static bool is_handed_over(const struct up_options *o)
{
	return o->netns && strcmp(o->netns, "-") == 0;
}

static int open_netns(const struct up_options *o, struct join *j, struct err *err)
{
	if (!o->netns == !o->pid)
		return err_set(err, EINVAL, "give either --netns or --pid");
	if (is_handed_over(o))
		return join_receive(j, STDIN_FILENO, err) < 0 ? err_prefix(err, "--netns -") : 0;
	j->pid = (pid_t)o->pid;
	j->netns_path =
		o->netns ? absolute(o->netns) : arena_printf(j->arena, "/proc/%u/ns/net", o->pid);
	j->netns_fd = ns_open(j->netns_path, err);
	return j->netns_fd < 0 ? j->netns_fd : 0;
}

static void warn(const char *words)
{
	log_warning("%s", words);
}

static struct strv list(const struct option_list *l)
{
	return (struct strv){ (char **)l->items, l->count };
}

static int run(char **args, size_t count, void *opts)
{
	const struct up_options *o = opts;
	const struct join_wish wish = {
		.id = args[0],
		.networks = list(&o->configs),
		.publish = list(&o->publish),
		.ips = list(&o->ips),
		.ifname = o->ifname,
		.mac = o->mac,
		.hostname = o->hostname,
		.owner = o->owner ? absolute(o->owner) : NULL,
		.rootless = globals.rootless,
		.lo = !is_handed_over(o),
		.warn = warn,
	};
	autoarena a = ARENA_INIT;
	autojoin join = JOIN_INIT(&wish, &a);
	struct err err;
	int r;

	(void)count;
	r = join_prepare(&join, run_dir_of(&o->place), conf_dir_of(&o->place), &err);
	if (r == 0)
		r = open_netns(o, &join, &err);
	if (r == 0)
		r = join_networks(&join, &err);
	if (r < 0)
		return fail(&err);
	printf("%s", buf_str(&join.results));
	/* Whoever handed it over need not wait for the end of a process: 0.3 ms. */
	if (is_handed_over(o))
		send(STDIN_FILENO, "", 1, MSG_NOSIGNAL);
	return 0;
}

const struct verb verb_up = { "up", "ID", "attach a container to networks", &table, 1,
			      1,    run,  sizeof(struct up_options),	    0 };

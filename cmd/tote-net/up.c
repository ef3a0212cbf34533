/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/names.h"
#include "netns/ns.h"
#include "netns/port_text.h"
#include "netns/repair.h"
#include "netns/usermode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

struct up {
	const struct up_options *o;
	struct place place;
	struct port_list ports;
	struct cni_network *networks; /* name NULL: a program for ordinary users has it */
	const char **programs;	      /* of those: which one, NULL: any */
	size_t count;
	const char *netns_path;
	int netns_fd;
	pid_t pid;
	struct buf results; /* a line for each network */
	struct arena *arena;
};

/* Who gets the second network without having asked for one should know what is wrong with the first. */
static void warn_passed_over(const struct up *up, const struct cni_network *chosen)
{
	struct cni_networks networks;
	struct err unused;

	if (!chosen->file ||
	    cni_networks_load(up->place.conf_dir, up->arena, &networks, &unused) < 0)
		return;
	for_each (broken, &networks.broken)
		if (strcmp(*broken, chosen->file) < 0)
			log_warning("%s/%s: network %s is used instead", up->place.conf_dir,
				    *broken, chosen->name);
}

static int find_networks(struct up *up, struct err *err)
{
	static const char *const first[] = { "" };
	const char *const *names = up->o->configs.count ? up->o->configs.items : first;
	int r = 0;

	up->count = up->o->configs.count ? up->o->configs.count : 1;
	up->networks = arena_calloc(up->arena, up->count, sizeof(*up->networks));
	up->programs = arena_calloc(up->arena, up->count, sizeof(*up->programs));
	for (size_t i = 0; i < up->count && r == 0; i++) {
		const char *name = *names[i] ? names[i] : NULL;

		up->programs[i] = name;
		if (name && globals.rootless && !usermode_name(name))
			r = err_set(err, EPERM,
				    "network %s: only root can join it; pasta and slirp4netns are "
				    "for everybody",
				    name);
		else if (name ? !usermode_name(name) : !globals.rootless)
			r = cni_network_find(up->place.conf_dir, name, up->arena, &up->networks[i],
					     err);
		if (r == 0 && !name && up->networks[i].name)
			warn_passed_over(up, &up->networks[i]);
	}
	return r;
}

/* One message: the process's number, or 0, and the namespace. */
static int receive_netns(struct up *up, struct err *err)
{
	int32_t pid;
	ssize_t n = fd_recv(STDIN_FILENO, &pid, sizeof(pid), &up->netns_fd);

	if (n < 0)
		return err_code(err, (int)n, "--netns -: receive the namespace from stdin");
	if (n != sizeof(pid) || up->netns_fd < 0)
		return err_set(err, ECANCELED, "--netns -: no namespace came over stdin");
	up->pid = pid;
	/* Without a process yet it has a path for as long as we have it open: plugins of others
	 * want one. */
	up->netns_path =
		pid > 0 ? arena_printf(up->arena, "/proc/%d/ns/net", pid)
			: arena_printf(up->arena, "/proc/%d/fd/%d", getpid(), up->netns_fd);
	return 0;
}

static bool is_handed_over(const struct up *up)
{
	return up->o->netns && strcmp(up->o->netns, "-") == 0;
}

static int open_netns(struct up *up, struct err *err)
{
	const struct up_options *o = up->o;

	if (!o->netns == !o->pid)
		return err_set(err, EINVAL, "give either --netns or --pid");
	if (is_handed_over(up))
		return receive_netns(up, err);
	up->pid = (pid_t)o->pid;
	up->netns_path =
		o->netns ? absolute(o->netns) : arena_printf(up->arena, "/proc/%u/ns/net", o->pid);
	up->netns_fd = ns_open(up->netns_path, err);
	return up->netns_fd < 0 ? up->netns_fd : 0;
}

static int check_not_ours(const struct up *up, struct err *err)
{
	char theirs[NS_ID_SIZE], ours[NS_ID_SIZE];
	autofd own = ns_open_own(err);
	int r = own < 0 ? own : ns_id(own, ours, err);

	if (r == 0)
		r = ns_id(up->netns_fd, theirs, err);
	if (r == 0 && strcmp(ours, theirs) == 0)
		return err_set(err, EINVAL,
			       "this is the host's own network namespace, not a container's");
	return r;
}

/* What the first network is asked for. */
static int make_runtime(const struct up *up, const struct json_value **ret, struct err *err)
{
	const struct up_options *o = up->o;
	struct strv ips = { (char **)o->ips.items, o->ips.count };
	struct json_value *v;
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	if (up->ports.count) {
		json_key(&w, "portMappings");
		port_write(&up->ports, &w);
	}
	if (ips.count)
		json_pair_strv(&w, "ips", &ips);
	if (o->mac)
		json_pair_string(&w, "mac", o->mac);
	json_end_object(&w);
	json_writer_done(&w);
	r = json_parse(text.data, text.len, up->arena, &v, err);
	if (r == 0)
		*ret = v->count ? v : NULL;
	return r;
}

static const char *ifname_of(const struct up *up, size_t number)
{
	if (number == 0)
		return up->o->ifname ? up->o->ifname : IFNAME_DEFAULT;
	return arena_printf(up->arena, "eth%zu", number);
}

static void add_result(struct up *up, const struct attach *at, const struct cni_network *network)
{
	struct json_writer w;

	json_writer_init(&w, &up->results, false);
	cni_result_write(&at->result, network->version, &w);
	json_writer_done(&w);
	buf_adds(&up->results, "\n");
}

/* A container that tote runs has it up; others' runtimes and scripts expect it of whoever brings the
 * network. */
static int bring_loopback_up(struct attach *at)
{
	struct rtnl *inside;
	struct link lo = { .index = 0 };
	int r = attach_inside(at, &inside);

	if (r == 0)
		r = link_find(inside, "lo", &lo, at->err);
	if (r < 0 || lo.flags & IFF_UP)
		return r;
	link_up(inside, &lo);
	return rtnl_run(inside, NULL, at->err);
}

static int add_program(struct up *up, size_t number, struct err *err)
{
	if (number || up->count > 1)
		return err_set(err, EINVAL, "--config: \"%s\" goes with no other network",
			       up->programs[number] ? up->programs[number] : "");
	if (!up->pid)
		return err_set(err, EINVAL, "a process is needed: give --pid");
	return usermode_up(up->programs[number], up->pid, &up->ports, up->place.run_dir, err);
}

static void keep_quiet(void *arg, bool failed, const char *line)
{
	(void)arg;
	(void)failed;
	(void)line;
}

/* A port or address may belong to a container that ended while nobody waited for it. */
static bool free_the_dead(const struct up *up)
{
	const struct repair rp = { up->place.run_dir, up->place.plugin_path, up->place.run_fd,
				   keep_quiet, NULL };
	struct err unused;

	return repair_gc(&rp, &unused) == 0;
}

static int add_network(struct up *up, const char *id, size_t number, struct err *err)
{
	const struct cni_network *network = &up->networks[number];
	struct attach at = place_attach(&up->place, id, ifname_of(up, number), up->arena, err);
	struct err unused;
	int r = 0;

	if (!network->name)
		return add_program(up, number, err);
	at.netns_path = up->netns_path;
	at.netns_fd = up->netns_fd;
	at.owner = up->o->owner ? absolute(up->o->owner) : NULL;
	at.hostname = up->o->hostname;
	if (number == 0)
		r = make_runtime(up, &at.runtime, err);
	if (r == 0 && number == 0 && !is_handed_over(up))
		r = bring_loopback_up(&at);
	if (r == 0)
		r = cni_add(&at, network);
	if (r == -EADDRINUSE && free_the_dead(up)) {
		at.result = (struct cni_result){ 0 };
		at.has_result = false;
		r = cni_add(&at, network);
	}
	attach_close(&at);
	if (r < 0)
		return err_prefix(err, "network %s", network->name);
	/* Only containers that tote runs have a file of their own. */
	if (number == 0)
		names_resolve(up->place.run_fd, id, &at.result.dns, &unused);
	add_result(up, &at, network);
	return 0;
}

static void undo(struct up *up, const char *id, size_t count)
{
	while (count--) {
		struct err err;
		struct attach at =
			place_attach(&up->place, id, ifname_of(up, count), up->arena, &err);

		at.netns_path = up->netns_path;
		at.netns_fd = up->netns_fd;
		if (up->networks[count].name && cni_del(&at, &up->networks[count]) < 0)
			log_warning("%s", err.msg);
		attach_close(&at);
	}
}

static int add_all(struct up *up, const char *id, struct err *err)
{
	for (size_t i = 0; i < up->count; i++) {
		int r = add_network(up, id, i, err);

		if (r < 0) {
			undo(up, id, i);
			return r;
		}
	}
	return 0;
}

static int check_options(struct up *up, struct err *err)
{
	const struct up_options *o = up->o;
	struct strv publish = { (char **)o->publish.items, o->publish.count };
	uint8_t mac[LINK_MAC_SIZE];
	struct ip_net net;
	struct ip ip;

	if (o->ifname && !link_name_ok(o->ifname))
		return err_set(err, EINVAL,
			       "--ifname: \"%s\" is not a name for a network interface", o->ifname);
	if (o->mac && link_mac_parse(o->mac, mac) < 0)
		return err_set(
			err, EINVAL,
			"--mac-address: \"%s\" is not a hardware address such as 02:42:0a:58:00:05",
			o->mac);
	if (o->hostname && !names_ok(o->hostname))
		return err_set(err, EINVAL, "--hostname: \"%s\" is no host name", o->hostname);
	for (size_t i = 0; i < o->ips.count; i++)
		if (ip_parse(o->ips.items[i], &ip) < 0 && ip_net_parse(o->ips.items[i], &net) < 0)
			return err_set(err, EINVAL, "--ip: \"%s\" is not an IP address",
				       o->ips.items[i]);
	return port_parse_all(&publish, up->arena, &up->ports, err);
}

static int run(char **args, size_t count, void *opts)
{
	autoarena a = ARENA_INIT;
	struct up up = { .o = opts, .place = PLACE_INIT, .netns_fd = -1, .arena = &a };
	struct err err;
	int r;

	(void)count;
	r = check_id(args[0], &err);
	if (r == 0)
		r = check_options(&up, &err);
	if (r == 0)
		r = place_open(&up.o->place, &up.place, &err);
	if (r == 0)
		r = find_networks(&up, &err);
	if (r == 0)
		r = open_netns(&up, &err);
	if (r == 0)
		r = check_not_ours(&up, &err);
	if (r == 0)
		r = add_all(&up, args[0], &err);
	if (r == 0) {
		update_names(&up.place);
		printf("%s", buf_str(&up.results));
		/* Whoever handed it over need not wait for the end of a process: 0.3 ms. */
		if (is_handed_over(&up))
			send(STDIN_FILENO, "", 1, MSG_NOSIGNAL);
	}
	buf_done(&up.results);
	cleanup_fd(&up.netns_fd);
	place_close(&up.place);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_up = { "up", "ID", "attach a container to networks", &table, 1,
			      1,    run,  sizeof(struct up_options),	    0 };

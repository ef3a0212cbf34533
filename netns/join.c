/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/join.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "netns/cni.h"
#include "netns/link.h"
#include "netns/names.h"
#include "netns/ns.h"
#include "netns/repair.h"
#include "netns/usermode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void warn(const struct join *j, const char *fmt, ...)
{
	char words[sizeof(((struct err *)0)->msg)];
	va_list ap;

	if (!j->wish->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	j->wish->warn(words);
}

/* Who gets the second network without having asked for one should know what is wrong with the first. */
static void warn_passed_over(const struct join *j, const struct cni_network *chosen)
{
	struct cni_networks networks;
	struct err unused;

	if (!chosen->file || cni_networks_load(j->place.conf_dir, j->arena, &networks, &unused) < 0)
		return;
	for_each (broken, &networks.broken)
		if (strcmp(*broken, chosen->file) < 0)
			warn(j, "%s/%s: network %s is used instead", j->place.conf_dir, *broken,
			     chosen->name);
}

static int find_networks(struct join *j, struct err *err)
{
	static char *first[] = { (char *)"" };
	const struct strv *named = &j->wish->networks;
	char *const *names = named->count ? named->items : first;
	bool rootless = j->wish->rootless;
	int r = 0;

	j->count = named->count ? named->count : 1;
	j->networks = arena_calloc(j->arena, j->count, sizeof(*j->networks));
	j->programs = arena_calloc(j->arena, j->count, sizeof(*j->programs));
	for (size_t i = 0; i < j->count && r == 0; i++) {
		const char *name = *names[i] ? names[i] : NULL;

		j->programs[i] = name;
		if (name && rootless && !usermode_name(name))
			r = err_set(err, EPERM,
				    "network %s: only root can join it; pasta and slirp4netns are "
				    "for everybody",
				    name);
		else if (name ? !usermode_name(name) : !rootless)
			r = cni_network_find(j->place.conf_dir, name, j->arena, &j->networks[i],
					     err);
		if (r == 0 && !name && j->networks[i].name)
			warn_passed_over(j, &j->networks[i]);
	}
	return r;
}

static int check_wish(struct join *j, struct err *err)
{
	const struct join_wish *w = j->wish;
	uint8_t mac[LINK_MAC_SIZE];
	struct ip_net net;
	struct ip ip;

	if (w->ifname && !link_name_ok(w->ifname))
		return err_set(err, EINVAL,
			       "--ifname: \"%s\" is not a name for a network interface", w->ifname);
	if (w->mac && link_mac_parse(w->mac, mac) < 0)
		return err_set(
			err, EINVAL,
			"--mac-address: \"%s\" is not a hardware address such as 02:42:0a:58:00:05",
			w->mac);
	if (w->hostname && !names_ok(w->hostname))
		return err_set(err, EINVAL, "--hostname: \"%s\" is no host name", w->hostname);
	for_each (text, &w->ips)
		if (ip_parse(*text, &ip) < 0 && ip_net_parse(*text, &net) < 0)
			return err_set(err, EINVAL, "--ip: \"%s\" is not an IP address", *text);
	return port_parse_all(&w->publish, j->arena, &j->ports, err);
}

int join_check_id(const char *id, struct err *err)
{
	if (record_id_ok(id))
		return 0;
	return err_set(err, EINVAL,
		       "\"%s\" is no container's id: only letters, digits and _ + - . are allowed, "
		       "no . first",
		       id);
}

int join_prepare(struct join *j, const char *run_dir, const char *conf_dir, struct err *err)
{
	int r = join_check_id(j->wish->id, err);

	if (r == 0)
		r = check_wish(j, err);
	if (r == 0)
		r = place_open(run_dir, conf_dir, &j->place, err);
	return r < 0 ? r : find_networks(j, err);
}

static char *process_path(const struct join *j, pid_t pid)
{
	return arena_printf(j->arena, "/proc/%d/ns/net", pid);
}

int join_receive(struct join *j, int sock, struct err *err)
{
	int32_t pid;
	ssize_t n = fd_recv(sock, &pid, sizeof(pid), &j->netns_fd);

	if (n < 0)
		return err_code(err, (int)n, "receive the namespace from stdin");
	if (n != sizeof(pid) || j->netns_fd < 0)
		return err_set(err, ECANCELED, "no namespace came over stdin");
	j->pid = pid;
	/* Without a process yet it has a path for as long as we have it open: plugins of others
	 * want one. */
	j->netns_path = pid > 0 ? process_path(j, pid)
				: arena_printf(j->arena, "/proc/%d/fd/%d", getpid(), j->netns_fd);
	return 0;
}

static int check_not_ours(const struct join *j, struct err *err)
{
	char theirs[NS_ID_SIZE], ours[NS_ID_SIZE];
	autofd own = ns_open_own(err);
	int r = own < 0 ? own : ns_id(own, ours, err);

	if (r == 0)
		r = ns_id(j->netns_fd, theirs, err);
	if (r == 0 && strcmp(ours, theirs) == 0)
		return err_set(err, EINVAL,
			       "this is the host's own network namespace, not a container's");
	return r;
}

/* What the first network is asked for. */
static int make_runtime(const struct join *j, const struct json_value **ret, struct err *err)
{
	const struct join_wish *w = j->wish;
	struct json_value *v;
	autobuf text = BUF_INIT;
	struct json_writer writer;
	int r;

	json_writer_init(&writer, &text, false);
	json_begin_object(&writer);
	if (j->ports.count) {
		json_key(&writer, "portMappings");
		port_write(&j->ports, &writer);
	}
	if (w->ips.count)
		json_pair_strv(&writer, "ips", &w->ips);
	if (w->mac)
		json_pair_string(&writer, "mac", w->mac);
	json_end_object(&writer);
	json_writer_done(&writer);
	r = json_parse(text.data, text.len, j->arena, &v, err);
	if (r == 0)
		*ret = v->count ? v : NULL;
	return r;
}

static const char *ifname_of(const struct join *j, size_t number)
{
	if (number == 0)
		return j->wish->ifname ? j->wish->ifname : JOIN_IFNAME;
	return arena_printf(j->arena, "eth%zu", number);
}

static void add_result(struct join *j, const struct attach *at, const struct cni_network *network)
{
	struct json_writer w;

	json_writer_init(&w, &j->results, false);
	cni_result_write(&at->result, network->version, &w);
	json_writer_done(&w);
	buf_adds(&j->results, "\n");
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

/* 0 also when it is known. */
static int await_process(struct join *j, struct err *err)
{
	int32_t pid;
	int fd = -1;
	ssize_t n;

	if (j->pid || j->sock < 0)
		return 0;
	n = fd_recv(j->sock, &pid, sizeof(pid), &fd);
	cleanup_fd(&fd);
	if (n < 0)
		return err_code(err, (int)n, "wait for the container's process");
	if (n != sizeof(pid) || pid <= 0)
		return err_set(err, ECANCELED, "the container's process did not come");
	j->pid = pid;
	j->netns_path = process_path(j, pid);
	return 0;
}

static const char *lasting_path(struct attach *at)
{
	struct join *j = at->await_arg;

	return await_process(j, at->err) < 0 ? NULL : j->netns_path;
}

/* 0 also when it is there. */
static int await_namespace(struct join *j, struct err *err)
{
	int r = j->netns_fd < 0 && j->sock >= 0 ? join_receive(j, j->sock, err) : 0;

	return r < 0 ? r : check_not_ours(j, err);
}

static int await_netns(struct attach *at)
{
	struct join *j = at->await_arg;
	int r = await_namespace(j, at->err);

	at->netns_path = j->netns_path;
	at->netns_fd = j->netns_fd;
	return r;
}

static int add_program(struct join *j, size_t number, struct err *err)
{
	int r = await_namespace(j, err);

	if (r == 0)
		r = await_process(j, err);
	if (r < 0)
		return r;
	if (number || j->count > 1)
		return err_set(err, EINVAL, "--config: \"%s\" goes with no other network",
			       j->programs[number] ? j->programs[number] : "");
	if (!j->pid)
		return err_set(err, EINVAL, "a process is needed: give --pid");
	return usermode_up(j->programs[number], j->pid, &j->ports, j->place.run_dir, err);
}

static int add_network(struct join *j, size_t number, struct err *err)
{
	const struct cni_network *network = &j->networks[number];
	const char *id = j->wish->id;
	struct attach at = place_attach(&j->place, id, ifname_of(j, number), j->arena, err);
	struct err unused;
	int r = 0;

	if (!network->name)
		return add_program(j, number, err);
	at.netns_path = j->netns_path;
	at.netns_fd = j->netns_fd;
	at.await_netns = j->netns_fd < 0 ? await_netns : NULL;
	at.lasting_path = j->pid || j->sock < 0 ? NULL : lasting_path;
	at.await_arg = j;
	at.owner = j->wish->owner;
	at.hostname = j->wish->hostname;
	if (number == 0)
		r = make_runtime(j, &at.runtime, err);
	if (r == 0 && number == 0 && j->wish->lo)
		r = bring_loopback_up(&at);
	if (r == 0)
		r = repair_add(&at, network, true);
	attach_close(&at);
	if (r < 0)
		return err_prefix(err, "network %s", network->name);
	/* Only containers that tote runs have a file of their own. */
	if (number == 0)
		names_resolve(j->place.run_fd, id, &at.result.dns, &unused);
	add_result(j, &at, network);
	return 0;
}

static void undo(struct join *j, size_t count)
{
	while (count--) {
		struct err err;
		struct attach at =
			place_attach(&j->place, j->wish->id, ifname_of(j, count), j->arena, &err);

		at.netns_path = j->netns_path;
		at.netns_fd = j->netns_fd;
		if (j->networks[count].name && cni_del(&at, &j->networks[count]) < 0)
			warn(j, "%s", err.msg);
		attach_close(&at);
	}
}

int join_networks(struct join *j, struct err *err)
{
	struct err failed;
	int r = j->netns_fd < 0 ? 0 : check_not_ours(j, err);

	for (size_t i = 0; r == 0 && i < j->count; i++) {
		r = add_network(j, i, err);
		if (r < 0)
			undo(j, i);
	}
	if (r == 0 && names_update(j->place.run_fd, &failed) < 0)
		warn(j, "%s", failed.msg);
	return r;
}

void join_done(struct join *j)
{
	buf_done(&j->results);
	cleanup_fd(&j->netns_fd);
	place_close(&j->place);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/network.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "netns/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Plugins of others may have to wait for somebody's answer (DHCP). */
#define SETUP_MS 60000
/* What comes after it in delete --force needs time as well. */
#define REMOVAL_MS 4000

const char *network_run_dir(bool rootless, struct arena *a)
{
	const char *given = getenv("TOTE_NET_DIR"), *user = getenv("XDG_RUNTIME_DIR");

	if (given && *given)
		return given;
	if (rootless && user && *user)
		return arena_printf(a, "%s/tote-net", user);
	return NET_RUN_DIR;
}

static struct spec_namespace *find_network(struct spec *spec)
{
	for_each (ns, &spec->linux_.namespaces)
		if (ns->type == NS_NETWORK)
			return ns;
	return NULL;
}

static struct spec_namespace *add_network(struct spec *spec, struct arena *a)
{
	size_t n = spec->linux_.namespaces.count;
	struct spec_namespace *items = arena_calloc(a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, spec->linux_.namespaces.items, n * sizeof(*items));
	items[n].type = NS_NETWORK;
	spec->linux_.namespaces.items = items;
	spec->linux_.namespaces.count = n + 1;
	return &items[n];
}

static void drop_network(struct spec *spec)
{
	struct spec_namespace *ns = find_network(spec), *last = spec->linux_.namespaces.items +
								spec->linux_.namespaces.count - 1;

	if (!ns)
		return;
	memmove(ns, ns + 1, (size_t)(last - ns) * sizeof(*ns));
	spec->linux_.namespaces.count--;
}

int network_apply(const struct network_wish *wish, struct spec *spec, struct arena *a,
		  struct err *err)
{
	struct spec_namespace *ns = find_network(spec);

	if (!wish || wish->mode == NETWORK_AS_SPEC)
		return 0;
	if (wish->mode == NETWORK_HOST) {
		drop_network(spec);
		return 0;
	}
	if (wish->mode == NETWORK_OWN && ns && ns->path)
		return err_set(err, EINVAL,
			       "--network: config.json joins the network namespace %s, which is "
			       "somebody else's to set up",
			       ns->path);
	if (!ns)
		ns = add_network(spec, a);
	ns->path = wish->mode == NETWORK_PATH ? arena_strdup(a, wish->path) : NULL;
	return 0;
}

int network_make_names(const struct network_wish *wish, const char *id, struct err *err)
{
	autofd run = -1;

	if (!wish || !wish->names_dir)
		return 0;
	run = file_private_dir(wish->run_dir, true, 0700, "run directory of networks", err);
	return run < 0 ? run : names_make(run, id, wish->hostname, err);
}

static void add_option(struct arena *a, struct strv *argv, const char *option, const char *value)
{
	if (value)
		argv->items[argv->count++] = arena_printf(a, "--%s=%s", option, value);
}

static void fill_up(struct arena *a, struct strv *argv, const struct network_wish *wish,
		    const char *id, const char *owner)
{
	argv->items = arena_calloc(a, wish->names.count + wish->publish.count + 12, sizeof(char *));
	argv->items[argv->count++] = (char *)"tote-net";
	argv->items[argv->count++] = (char *)"network";
	argv->items[argv->count++] = (char *)"up";
	argv->items[argv->count++] = (char *)"--netns=-";
	add_option(a, argv, "owner", owner);
	add_option(a, argv, "hostname", wish->hostname);
	add_option(a, argv, "run-dir", wish->run_dir);
	add_option(a, argv, "ip", wish->ip);
	add_option(a, argv, "mac-address", wish->mac);
	for_each (name, &wish->names)
		add_option(a, argv, "config", *name);
	for_each (ports, &wish->publish)
		add_option(a, argv, "publish", *ports);
	argv->items[argv->count++] = (char *)"--"; /* an id may begin with "-" */
	argv->items[argv->count++] = arena_strdup(a, id);
}

/* With a socket to it as its stdin. */
static int start(struct network_setup *n, const struct strv *argv, struct err *err)
{
	autofd theirs = -1;
	int pair[2], r = proc_sibling("tote-net", n->program, sizeof(n->program));

	if (r < 0)
		return err_code(err, r, "find tote-net");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "socketpair");
	n->sock = pair[0];
	theirs = pair[1];
	r = proc_start(n->program, argv->items, NULL, theirs, false, &n->helper, err);
	if (r < 0)
		close(n->sock);
	return r;
}

int network_begin(struct network_setup *n, const struct network_wish *wish, const char *id,
		  const char *owner, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv argv = { 0 };

	if (!wish || !wish->names.count)
		return 0;
	fill_up(&a, &argv, wish, id, owner);
	return start(n, &argv, err);
}

bool network_waits(const struct network_setup *n)
{
	return n->helper.pid && n->sock >= 0 && !n->handed;
}

int network_hand_over(struct network_setup *n, int netns_fd, pid_t pid, struct err *err)
{
	int32_t number = pid;
	int r;

	if (!network_waits(n))
		return 0;
	r = fd_send(n->sock, &number, sizeof(number), netns_fd);
	n->handed = r == 0;
	/* One that is gone has said why. */
	return r == -EPIPE || r == -ECONNRESET ? network_end(n, err)
	       : r < 0 ? err_code(err, r, "hand the network namespace to tote-net")
		       : 0;
}

/* Whether it has said that it is done. It is a process for a little longer. */
static bool is_done(struct network_setup *n, int timeout_ms)
{
	char byte;

	return n->sock >= 0 && fd_wait_readable(n->sock, timeout_ms) > 0 &&
	       recv(n->sock, &byte, 1, MSG_DONTWAIT) == 1;
}

static void close_sock(struct network_setup *n)
{
	if (n->helper.pid && n->sock >= 0)
		close(n->sock);
	n->sock = -1;
}

/* What tote-net says is for people to read: its name before it says nothing to them. */
static int in_words(int r, struct err *err)
{
	static const char mark[] = ": tote-net: ";
	const char *said = r > 0 ? strstr(err->msg, mark) : NULL;

	if (said)
		return err_set(err, EIO, "network: %s", said + sizeof(mark) - 1);
	return r > 0 ? err_prefix(err, "network") : r;
}

int network_end(struct network_setup *n, struct err *err)
{
	if (!n->helper.pid || (n->handed && is_done(n, SETUP_MS)))
		return 0;
	close_sock(n);
	return in_words(proc_end(&n->helper, SETUP_MS, NULL, err), err);
}

void network_abandon(struct network_setup *n)
{
	struct err ignored;

	close_sock(n);
	if (n->helper.pid)
		proc_end(&n->helper, SETUP_MS, NULL, &ignored);
}

int network_begin_removal(struct network_setup *n, const struct state *st, struct err *err)
{
	char *items[] = { (char *)"tote-net",
			  (char *)"network",
			  (char *)"down",
			  (char *)"--answer",
			  (char *)"--run-dir",
			  st->network,
			  (char *)"--",
			  st->id,
			  NULL };
	struct strv argv = { items, ARRAY_SIZE(items) - 1 };

	/* A reboot has taken it along, and the id may be somebody else's since. */
	if (!st->network || proc_other_boot(&st->init))
		return 0;
	return start(n, &argv, err);
}

int network_end_removal(struct network_setup *n, const struct deadline *deadline, struct err *err)
{
	int r;

	if (!n->helper.pid)
		return 0;
	/* All is free then but for what the kernel does: who waits for the process's end as well waits
	 * 10 ms and more. It is init's to reap, as we are about to end. */
	if (is_done(n, deadline_left(deadline, REMOVAL_MS))) {
		close_sock(n);
		close(n->helper.out);
		close(n->helper.said);
		n->helper.pid = 0;
		return 0;
	}
	close_sock(n);
	r = proc_end(&n->helper, deadline_left(deadline, REMOVAL_MS), NULL, err);
	return in_words(r, err);
}

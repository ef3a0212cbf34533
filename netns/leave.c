/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/join.h"

#include "lib/cleanup.h"
#include "netns/cni.h"
#include "netns/leftover.h"
#include "netns/link_delete.h"
#include "netns/names.h"
#include "netns/nft_linger.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct leave {
	const struct place *place;
	const struct leave_wish *wish;
	struct arena *arena;
	size_t count; /* of attachments that there were */
};

/* network NULL: the record's. */
static int detach(const struct leave *l, const char *ifname, const struct cni_network *network,
		  struct err *err)
{
	const struct leave_wish *w = l->wish;
	struct attach at = place_attach(l->place, w->id, ifname, l->arena, err);
	struct err unused;
	autofd netns = w->netns ? ns_open(w->netns, &unused) : -1;
	int r;

	at.netns_path = w->netns;
	at.netns_fd = netns;
	at.later = w->later ? &w->later->links : NULL;
	r = cni_del(&at, network);
	attach_close(&at);
	return r;
}

/* What can be halved, in reverse order; whatever fails is detached as a whole. */
static void give_back(struct leave *l)
{
	const struct leave_wish *w = l->wish;
	struct err unused;
	autofd netns = w->netns ? ns_open(w->netns, &unused) : -1;
	struct strv ifnames;

	if (!w->later || w->config ||
	    record_ifnames(l->place->run_fd, w->id, l->arena, &ifnames, &unused) < 0)
		return;
	for (size_t i = ifnames.count; i--;) {
		struct attach at =
			place_attach(l->place, w->id, ifnames.items[i], l->arena, &unused);

		at.netns_path = w->netns;
		at.netns_fd = netns;
		if ((w->ifname && strcmp(ifnames.items[i], w->ifname) != 0) ||
		    cni_give_back(&at) <= 0)
			continue;
		leftover_note(&at, &w->later->leftovers);
		l->count++;
	}
}

static bool is_meant(const struct record *r, const struct leave_wish *w)
{
	return (!w->config || strcmp(r->network.name, w->config) == 0) &&
	       (!w->ifname || strcmp(r->ifname, w->ifname) == 0);
}

/* On which network it was is not to be found out: the configuration has to be named. */
static int detach_broken(struct leave *l, const struct records *records, struct err *err)
{
	const struct leave_wish *w = l->wish;
	struct cni_network network = { NULL };
	int r = 0;

	for_each (broken, &records->broken) {
		const char *ifname = broken->ifname;

		if (r < 0 || (w->ifname && ifname && strcmp(ifname, w->ifname) != 0))
			continue;
		if (!w->config || !ifname || !link_name_ok(ifname))
			return err_set(err, EBADMSG,
				       "%s: what it was attached to is not known; name the network "
				       "with --config",
				       broken->why);
		r = cni_network_find(l->place->conf_dir, w->config, l->arena, &network, err);
		if (r == 0)
			r = detach(l, ifname, &network, err);
		l->count++;
	}
	return r;
}

/* All that are known, in reverse order; the first error. */
static int detach_known(struct leave *l, struct err *err)
{
	struct records records;
	int r = record_list(l->place->run_fd, l->wish->id, l->arena, &records, err);

	if (r == 0)
		r = detach_broken(l, &records, err);
	for (size_t i = records.count; r >= 0 && i--;) {
		const struct record *record = &records.items[i];
		struct err failed;

		if (!is_meant(record, l->wish))
			continue;
		l->count++;
		if (detach(l, record->ifname, NULL, &failed) < 0 && r == 0) {
			*err = failed;
			r = 1;
		}
	}
	return r == 1 ? err->code : r;
}

/* Without a record the configuration says what there might be. */
static int detach_unknown(const struct leave *l, struct err *err)
{
	const struct leave_wish *w = l->wish;
	struct cni_network network = { NULL };
	int r = cni_network_find(l->place->conf_dir, w->config, l->arena, &network, err);

	return r < 0 ? r : detach(l, w->ifname ? w->ifname : JOIN_IFNAME, &network, err);
}

int leave_networks(const struct place *p, const struct leave_wish *wish, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct leave l = { p, wish, &a };
	int r = join_check_id(wish->id, err);

	if (r == 0) {
		give_back(&l);
		r = detach_known(&l, err);
	}
	if (r == 0 && !l.count)
		r = record_prune(p->run_fd, wish->id, err);
	if (r == 0 && !l.count && wish->config)
		r = detach_unknown(&l, err);
	return r;
}

void leave_later_done(struct leave_later *l)
{
	buf_done(&l->links);
	buf_done(&l->leftovers);
}

void leave_begin_answer(void)
{
	nft_linger_here();
}

static int say(void)
{
	return send(STDIN_FILENO, "", 1, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int leave_answer(struct place *p, struct leave_later *later)
{
	static const struct timespec a_moment = { .tv_nsec = 1000000 };
	struct err ignored;
	int r = 0, sock;

	say();
	names_update(p->run_fd, &ignored);
	place_close(p);
	sock = nft_linger_begin();
	setsid(); /* what ends our caller's terminal shall not end this */
	if (chdir("/") < 0 || say() < 0)
		r = -errno;
	/* Whoever waited may have been woken on this very processor, and goes first. */
	nanosleep(&a_moment, NULL);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	leftovers_links(p->run_dir, &later->leftovers, &later->links);
	link_delete_all(&later->links);
	nft_linger_end(sock);
	return r;
}

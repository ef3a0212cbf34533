/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/net.h"

#include "lib/cleanup.h"
#include "netns/link_delete.h"
#include "netns/nft_linger.h"
#include "netns/ns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct down_options {
	struct place_options place;
	const char *netns, *config, *ifname;
	bool answer;
};

static const struct option items[] = {
	PLACE_OPTIONS,
	{ "netns", 0, OPT_STRING, offsetof(struct down_options, netns), "PATH",
	  "the container's network namespace, as far as it is still there" },
	{ "config", 0, OPT_STRING, offsetof(struct down_options, config), "NAME",
	  "the network (default: all it is on)" },
	{ "ifname", 0, OPT_STRING, offsetof(struct down_options, ifname), "NAME",
	  "the interface (default: all)" },
	{ "answer", 0, OPT_FLAG, offsetof(struct down_options, answer), NULL,
	  "say so over stdin, a socket, before what takes the kernel long" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

struct down {
	const struct down_options *o;
	struct buf *later; /* see struct attach */
};

static int detach(const struct place *p, const char *id, const char *ifname, const struct down *d,
		  const struct cni_network *network, struct arena *a, struct err *err)
{
	const struct down_options *o = d->o;
	struct attach at = place_attach(p, id, ifname, a, err);
	struct err unused;
	autofd netns = o->netns ? ns_open(o->netns, &unused) : -1;
	int r;

	at.netns_path = o->netns;
	at.netns_fd = netns;
	at.later = d->o->answer ? d->later : NULL;
	r = cni_del(&at, network);
	attach_close(&at);
	return r;
}

static bool is_meant(const struct record *r, const struct down_options *o)
{
	return (!o->config || strcmp(r->network.name, o->config) == 0) &&
	       (!o->ifname || strcmp(r->ifname, o->ifname) == 0);
}

/* On which network it was is not to be found out: the configuration has to be named. */
static int detach_broken(const struct place *p, const char *id, const struct records *records,
			 const struct down *d, struct arena *a, size_t *ret_count, struct err *err)
{
	const struct down_options *o = d->o;
	struct cni_network network = { NULL };
	int r = 0;

	for_each (broken, &records->broken) {
		const char *ifname = broken->ifname;

		if (r < 0 || (o->ifname && ifname && strcmp(ifname, o->ifname) != 0))
			continue;
		if (!o->config || !ifname || !link_name_ok(ifname))
			return err_set(err, EBADMSG,
				       "%s: what it was attached to is not known; name the network "
				       "with --config",
				       broken->why);
		r = cni_network_find(p->conf_dir, o->config, a, &network, err);
		if (r == 0)
			r = detach(p, id, ifname, d, &network, a, err);
		++*ret_count;
	}
	return r;
}

/* All that are known, in reverse order; the first error. */
static int detach_known(const struct place *p, const char *id, const struct down *d,
			struct arena *a, size_t *ret_count, struct err *err)
{
	struct records records;
	int r = record_list(p->run_fd, id, a, &records, err);

	*ret_count = 0;
	if (r == 0)
		r = detach_broken(p, id, &records, d, a, ret_count, err);
	for (size_t i = records.count; r >= 0 && i--;) {
		const struct record *record = &records.items[i];
		struct err failed;

		if (!is_meant(record, d->o))
			continue;
		++*ret_count;
		if (detach(p, id, record->ifname, d, NULL, a, &failed) < 0 && r == 0) {
			*err = failed;
			r = 1;
		}
	}
	return r == 1 ? err->code : r;
}

/* Without a record the configuration says what there might be. */
static int detach_unknown(const struct place *p, const char *id, const struct down *d,
			  struct arena *a, struct err *err)
{
	const struct down_options *o = d->o;
	struct cni_network network = { NULL };
	int r = cni_network_find(p->conf_dir, o->config, a, &network, err);

	return r < 0 ? r
		     : detach(p, id, o->ifname ? o->ifname : IFNAME_DEFAULT, d, &network, a, err);
}

/*
 * Addresses, ports and names are free by now. The veth and the memory of what was in nf_tables take the
 * kernel 10 ms and more that nobody has to wait for, as the container's processes are gone. SIGKILL here
 * leaves the veth until its namespace goes, or the container comes again.
 */
static void answer(struct place *p, const struct buf *later)
{
	int sock = nft_linger_begin();

	place_close(p);
	setsid(); /* what ends our caller's terminal shall not end this */
	if (chdir("/") < 0 || send(STDIN_FILENO, "", 1, MSG_NOSIGNAL) < 0)
		log_warning("cannot answer");
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	link_delete_all(later);
	nft_linger_end(sock);
}

static int run(char **args, size_t count, void *opts)
{
	autobuf later = BUF_INIT;
	const struct down d = { opts, &later };
	const struct down_options *o = d.o;
	autoplace place = PLACE_INIT;
	autoarena a = ARENA_INIT;
	struct err err;
	size_t found = 0;
	int r = check_id(args[0], &err);

	(void)count;
	if (o->answer)
		nft_linger_here();
	if (r == 0)
		r = place_open(&o->place, &place, &err);
	if (r == 0)
		r = detach_known(&place, args[0], &d, &a, &found, &err);
	if (r == 0 && !found)
		r = record_prune(place.run_fd, args[0], &err);
	if (r == 0 && !found && o->config)
		r = detach_unknown(&place, args[0], &d, &a, &err);
	if (r < 0)
		return fail(&err);
	update_names(&place);
	if (o->answer)
		answer(&place, &later);
	return 0;
}

const struct verb verb_down = { "down", "ID", "detach a container from networks", &table, 1,
				1,	run,  sizeof(struct down_options),	  0 };

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/file.h"
#include "netns/cni.h"
#include "netns/ipam_lease.h"
#include "netns/port.h"
#include "netns/repair_private.h"

#include <errno.h>
#include <string.h>

static int delete_held(const struct repair *rp, const struct record *r, struct arena *a,
		       struct err *err)
{
	struct attach at = repair_attach_of(rp, r, a, err);
	int rc;

	at.netns_path = NULL;
	rc = cni_del(&at, &r->network);

	attach_close(&at);
	return rc < 0 ? rc : record_remove(rp->run_fd, r->container, r->ifname, err);
}

/* The id may be a living container's by the time we have the lock. */
static int delete_dead(const struct repair *rp, const struct record *r)
{
	struct err err = { 0 };
	autoarena a = ARENA_INIT;
	struct record now;
	int rc = 0, lock = record_lock(rp->run_fd, r->container, &err);

	if (lock < 0) {
		rc = lock;
	} else if (record_load(rp->run_fd, r->container, r->ifname, &a, &now, &err) == 0 &&
		   !record_alive(&now)) {
		rc = delete_held(rp, &now, &a, &err);
		if (rc == 0)
			repair_tell(rp, false, "container %s is gone: %s removed from network %s",
				    now.container, now.ifname, now.network.name);
	}
	record_unlock(rp->run_fd, r->container, lock);
	if (rc < 0)
		repair_tell(rp, true, "container %s is gone, but %s stays on network %s: %s",
			    r->container, r->ifname, r->network.name, err.msg);
	return rc;
}

static int delete_all_dead(const struct repair *rp, struct err *err)
{
	struct records records;
	autoarena a = ARENA_INIT;
	int r = record_list(rp->run_fd, NULL, &a, &records, err), failed = 0;

	if (r < 0)
		return r;
	for_each (record, &records)
		if (!record_alive(record))
			failed += delete_dead(rp, record) < 0;
	return failed;
}

static bool keep_living(const struct lease *lease, const void *arg)
{
	(void)arg;
	return lease_alive(lease);
}

static int free_leases(const struct repair *rp, const char *network, struct arena *a)
{
	struct err err;
	struct attach at = {
		.container = "",
		.ifname = "",
		.network = network,
		.netns_fd = -1,
		.run_dir = rp->run_dir,
		.run_fd = rp->run_fd,
		.arena = a,
		.err = &err,
	};
	autoleases l = LEASES_INIT;
	int r = leases_open(&at, NULL, false, &l);

	if (r == 0)
		r = leases_sweep(&l, &at, keep_living, NULL);
	if (r > 0)
		repair_tell(rp, false, "network %s: %d address%s free again", network, r,
			    r == 1 ? "" : "es");
	if (r < 0 && r != -ENOENT)
		repair_tell(rp, true, "network %s: %s", network, err.msg);
	return r == -ENOENT ? 0 : r;
}

static int free_all_leases(const struct repair *rp, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv networks;
	int r = file_list(rp->run_fd, "leases", &a, &networks, err), failed = 0;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for_each (network, &networks)
		failed += free_leases(rp, *network, &a) < 0;
	return failed;
}

/* Whose elements these are is not known while one of them cannot be read: all of them stay. */
static int tell_broken(const struct repair *rp, const struct records *records)
{
	for_each (broken, &records->broken)
		repair_tell(rp, true, "container %s: %s; delete it with tote network down --config",
			    broken->container, broken->why);
	return (int)records->broken.count;
}

struct forgetting {
	const struct repair *rp;
	const char *owner;
	bool again;
};

/* Whether a record says so by now; what cannot be read may say so. */
static bool came_again(void *arg)
{
	struct forgetting *f = arg;
	struct records records;
	autoarena a = ARENA_INIT;
	struct err ignored;

	f->again = record_list(f->rp->run_fd, NULL, &a, &records, &ignored) < 0 ||
		   records.broken.count || record_of_key(&records, f->owner);
	return f->again;
}

/* Owners first: an attachment has its record before it has an element. */
static int forget_ports(const struct repair *rp, struct err *err)
{
	struct records records;
	autoarena a = ARENA_INIT;
	struct strv owners;
	int failed = 0, r = port_owners(&a, &owners, err);

	if (r == 0)
		r = record_list(rp->run_fd, NULL, &a, &records, err);
	if (r < 0)
		return r;
	if (records.broken.count)
		return tell_broken(rp, &records);
	for_each (owner, &owners) {
		struct forgetting f = { rp, *owner, false };

		if (record_of_key(&records, *owner))
			continue;
		r = port_forget_unless(*owner, AF_UNSPEC, came_again, &f, err);
		if (r == 0 && f.again)
			continue;
		failed += r < 0;
		repair_tell(rp, r < 0, "table inet tote: %s %s%s%s",
			    r < 0 ? "cannot remove" : "removed", *owner,
			    r < 0 ? ": " : ", which is nobody's", r < 0 ? err->msg : "");
	}
	return failed;
}

static int prune_rules(const struct repair *rp, struct err *err)
{
	(void)rp;
	return port_prune(err);
}

static int prune_records(const struct repair *rp, struct err *err)
{
	return record_prune(rp->run_fd, NULL, err);
}

int repair_gc(const struct repair *rp, struct err *err)
{
	int (*const parts[])(const struct repair *rp, struct err *err) = {
		delete_all_dead, free_all_leases, forget_ports, prune_rules, prune_records,
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r = parts[i](rp, err);

		if (r < 0)
			return r;
		failed += r;
	}
	return failed;
}

static void keep_quiet(void *arg, bool failed, const char *line)
{
	(void)arg;
	(void)failed;
	(void)line;
}

static int add_again(struct attach *at, const struct cni_network *network,
		     const struct attach *first)
{
	at->result = first->result;
	at->has_result = first->has_result;
	return cni_add(at, network);
}

int repair_add(struct attach *at, const struct cni_network *network, bool gc)
{
	const struct repair rp = { at->run_dir, at->plugin_path, at->run_fd, keep_quiet, NULL };
	const struct attach first = *at;
	struct err unused;
	int r = cni_add(at, network);

	/* That waits for nobody. What it could not do, for one owner, says nothing of the one in our way. */
	if (r == -EADDRINUSE) {
		forget_ports(&rp, &unused);
		r = add_again(at, network, &first);
	}
	if (r == -EADDRINUSE && gc) {
		repair_gc(&rp, &unused);
		r = add_again(at, network, &first);
	}
	return r;
}

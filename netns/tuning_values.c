/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/tuning.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_NAME "tuning"
#define SAVED_MAX 4096

static const struct json_field value_fields[] = {
	{ "mac", json_string, offsetof(struct tuning_values, mac) },
	{ "mtu", json_opt_u32, offsetof(struct tuning_values, mtu) },
	{ "txQLen", json_opt_u32, offsetof(struct tuning_values, queue_length) },
	{ "promisc", json_opt_bool, offsetof(struct tuning_values, promisc) },
	{ "allmulti", json_opt_bool, offsetof(struct tuning_values, allmulti) },
};
const struct json_table tuning_values_table = { value_fields, ARRAY_SIZE(value_fields),
						sizeof(struct tuning_values), NULL };

bool tuning_values_any(const struct tuning_values *v)
{
	return v->mac || v->mtu.set || v->queue_length.set || v->promisc.set || v->allmulti.set;
}

/* The transmit queue's length is nothing that others care for. */
static int find(struct rtnl *r, const char *name, struct link *ret_link, uint32_t *ret_queue,
		struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	const struct nlattr *attrs[IFLA_TXQLEN + 1];
	autobuf replies = BUF_INIT;
	struct nlmsghdr *ask = rtnl_request(r, RTM_GETLINK, 0, &info, sizeof(info), "%s", name);
	const struct nlmsghdr *nlh;
	int rc;

	nl_put_text(ask, IFLA_IFNAME, name);
	nl_put_u32(ask, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	rc = rtnl_run(r, &replies, err);
	if (rc < 0)
		return rc;
	nlh = rtnl_next(&replies, NULL);
	if (!nlh || !link_read(nlh, ret_link))
		return err_set(err, EPROTO, "the kernel does not say what %s is", name);
	rtnl_attrs(nlh, sizeof(info), attrs, ARRAY_SIZE(attrs));
	*ret_queue = attrs[IFLA_TXQLEN] ? nl_u32(attrs[IFLA_TXQLEN]) : 0;
	return 0;
}

int tuning_values_read(struct attach *at, struct rtnl *r, const char *name,
		       const struct tuning_values *only, struct link *ret_link,
		       struct tuning_values *ret_values)
{
	struct tuning_values v = { 0 };
	char mac[LINK_MAC_TEXT_SIZE];
	uint32_t queue = 0;
	int rc = find(r, name, ret_link, &queue, at->err);

	if (rc < 0)
		return rc;
	if (only->mac && ret_link->has_mac)
		v.mac = arena_strdup(at->arena, link_mac_text(ret_link->mac, mac));
	if (only->mtu.set)
		v.mtu = (struct opt_u32){ true, ret_link->mtu };
	if (only->queue_length.set)
		v.queue_length = (struct opt_u32){ true, queue };
	if (only->promisc.set)
		v.promisc = (struct opt_bool){ true, ret_link->flags & IFF_PROMISC };
	if (only->allmulti.set)
		v.allmulti = (struct opt_bool){ true, ret_link->flags & IFF_ALLMULTI };
	*ret_values = v;
	return 0;
}

int tuning_values_set(struct rtnl *r, const struct link *link, const struct tuning_values *v,
		      struct err *err)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = link->index };
	uint8_t mac[LINK_MAC_SIZE];

	if (v->mac && link_mac_parse(v->mac, mac) < 0)
		return err_set(err, EINVAL, "\"%s\" is not a hardware address", v->mac);
	if (v->mac)
		link_set_mac(r, link, mac);
	if (v->mtu.set)
		link_set_mtu(r, link, v->mtu.value);
	if (v->promisc.set)
		link_set_promisc(r, link, v->promisc.value);
	if (v->allmulti.set) {
		info.ifi_change = IFF_ALLMULTI;
		info.ifi_flags = v->allmulti.value ? IFF_ALLMULTI : 0;
		rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info), "%s allmulti", link->name);
		info.ifi_change = info.ifi_flags = 0;
	}
	if (v->queue_length.set)
		nl_put_u32(rtnl_request(r, RTM_NEWLINK, 0, &info, sizeof(info),
					"%s with a queue of %u", link->name, v->queue_length.value),
			   IFLA_TXQLEN, v->queue_length.value);
	return 0;
}

/* The directory of all, or -errno with a message; -ENOENT without one. */
static int open_dir(struct attach *at, bool make)
{
	int fd;

	if (make && mkdirat(at->run_fd, DIR_NAME, 0700) < 0 && errno != EEXIST)
		return err_errno(at->err, "cannot make %s/" DIR_NAME, at->run_dir);
	fd = fd_open(at->run_fd, DIR_NAME, O_RDONLY | O_DIRECTORY);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	return fd < 0 ? err_errno(at->err, "cannot open %s/" DIR_NAME, at->run_dir) : fd;
}

static void put(struct json_writer *w, const char *network, const struct tuning_values *v)
{
	json_begin_object(w);
	json_pair_string(w, "network", network);
	if (v->mac)
		json_pair_string(w, "mac", v->mac);
	if (v->mtu.set)
		json_pair_u64(w, "mtu", v->mtu.value);
	if (v->queue_length.set)
		json_pair_u64(w, "txQLen", v->queue_length.value);
	if (v->promisc.set)
		json_pair_bool(w, "promisc", v->promisc.value);
	if (v->allmulti.set)
		json_pair_bool(w, "allmulti", v->allmulti.value);
	json_end_object(w);
}

int tuning_save(struct attach *at, const struct tuning_values *v)
{
	autofd dir = open_dir(at, true);
	char key[ATTACH_KEY_SIZE];
	autobuf text = BUF_INIT;
	struct json_writer w;

	if (dir < 0)
		return dir;
	attach_key(at, key);
	if (faccessat(dir, key, F_OK, 0) == 0)
		return 0;
	json_writer_init(&w, &text, false);
	put(&w, at->network, v);
	json_writer_done(&w);
	return file_replace(dir, key, text.data, text.len, 0600, at->err);
}

static int load(struct attach *at, int dir, const char *key, struct json_value **ret_root)
{
	char *text;
	size_t len;
	int rc = file_read(dir, key, SAVED_MAX, at->arena, &text, &len, at->err);

	return rc < 0 ? rc : json_parse(text, len, at->arena, ret_root, at->err);
}

int tuning_load(struct attach *at, struct tuning_values *ret_values)
{
	autofd dir = open_dir(at, false);
	char key[ATTACH_KEY_SIZE];
	struct json_value *root;
	int rc;

	if (dir < 0)
		return dir;
	attach_key(at, key);
	memset(ret_values, 0, sizeof(*ret_values));
	rc = load(at, dir, key, &root);
	return rc < 0 ? rc
		      : json_decode(root, &tuning_values_table, at->arena, ret_values, at->err);
}

int tuning_forget(struct attach *at)
{
	autofd dir = open_dir(at, false);
	char key[ATTACH_KEY_SIZE], unfinished[ATTACH_KEY_SIZE + 8];

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	attach_key(at, key);
	/* file_replace()'s, of an ADD that was killed. */
	snprintf(unfinished, sizeof(unfinished), ".%s.tmp", key);
	unlinkat(dir, unfinished, 0);
	if (unlinkat(dir, key, 0) < 0 && errno != ENOENT)
		return err_errno(at->err, "cannot remove %s/" DIR_NAME "/%s", at->run_dir, key);
	return 0;
}

/* Whether a file belongs to the network and to none of these. */
static bool is_stale(struct attach *at, int dir, const char *name, const struct cni_valid *valid,
		     size_t count)
{
	struct attach other = { .network = at->network };
	const struct json_value *network;
	char key[ATTACH_KEY_SIZE];
	struct json_value *root;

	if (load(at, dir, name, &root) < 0)
		return false;
	network = json_get(root, "network");
	if (!network || network->kind != JSON_STRING || strcmp(network->text, at->network) != 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		other.container = valid[i].container;
		other.ifname = valid[i].ifname;
		attach_key(&other, key);
		if (strcmp(key, name) == 0)
			return false;
	}
	return true;
}

int tuning_gc(struct attach *at, const struct cni_valid *valid, size_t count)
{
	autofd dir = open_dir(at, false);
	struct strv names;
	int rc;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	rc = file_list(dir, ".", at->arena, &names, at->err);
	if (rc < 0)
		return rc;
	for_each (name, &names)
		if (is_stale(at, dir, *name, valid, count))
			unlinkat(dir, *name, 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-net/create.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define CREATE_OPTION(name, kind, member, value, help)                                             \
	{                                                                                          \
		name, 0, kind, offsetof(struct create_options, member), value, help                \
	}

static const struct option items[] = {
	PLACE_OPTIONS,
	CREATE_OPTION("subnet", OPT_LIST, subnets, "CIDR",
		      "its addresses, once for IPv4, once for IPv6 (default: a free 10.88.N.0/24)"),
	CREATE_OPTION("gateway", OPT_LIST, gateways, "IP",
		      "the host's address in a subnet (default: its first)"),
	CREATE_OPTION("ip-range", OPT_LIST, ranges, "CIDR",
		      "the part of a subnet that containers get addresses of"),
	CREATE_OPTION("driver", OPT_STRING, driver, "NAME",
		      "bridge (default), macvlan, ipvlan or ptp"),
	CREATE_OPTION("parent", OPT_STRING, parent, "NIC",
		      "the network interface that macvlan or ipvlan shares"),
	CREATE_OPTION("bridge", OPT_STRING, bridge, "NAME",
		      "the bridge; one that is there is used and stays"),
	CREATE_OPTION("mtu", OPT_UINT, mtu, "BYTES", "largest packet"),
	CREATE_OPTION("internal", OPT_FLAG, internal, NULL,
		      "no way out: no default route, no masquerading, no ports"),
	CREATE_OPTION("route", OPT_LIST, routes, "CIDR[=GW]", "a further route in the containers"),
	CREATE_OPTION("dns", OPT_LIST, dns, "IP", "a name server for the containers"),
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* Open and locked: two that choose a subnet at the same time must not choose the same one. */
static int open_conf_dir(const char *path, struct err *err)
{
	autofd root = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY), fd = -1;
	const char *full = absolute(path);

	if (root < 0 || fd_make_path_in_root(root, full, 0755) < 0)
		return err_errno(err, "make the directory %s", path);
	fd = fd_open(AT_FDCWD, full, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_errno(err, "open the directory %s", path);
	return take_fd(&fd);
}

static int write_temporary(int dir, const char *name, const struct buf *text, struct err *err)
{
	autofd fd = -1;
	int r;

	unlinkat(dir, name, 0);
	fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return err_errno(err, "create %s", name);
	r = fd_write_full(fd, text->data, text->len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? err_code(err, r, "write %s", name) : 0;
}

/* Whole, on disk, and never over another file. */
static int write_file(int dir, const char *network, const struct buf *text, struct err *err)
{
	char name[300], temporary[320];
	int r;

	snprintf(name, sizeof(name), "%s.conflist", network);
	snprintf(temporary, sizeof(temporary), ".%s.tmp", name);
	r = write_temporary(dir, temporary, text, err);
	if (r == 0 && linkat(dir, temporary, dir, name, 0) < 0)
		r = errno == EEXIST ? err_set(err, EEXIST,
					      "the file %s exists already and is not network %s's: "
					      "move it away, or choose another name",
					      name, network)
				    : err_errno(err, "create %s", name);
	unlinkat(dir, temporary, 0);
	if (r == 0 && fsync(dir) < 0)
		r = err_errno(err, "sync the directory of %s", name);
	return r;
}

static int check_new(const struct cni_networks *networks, const char *conf_dir, const char *name,
		     struct err *err)
{
	for_each (network, networks)
		if (strcmp(network->name, name) == 0)
			return err_set(err, EEXIST, "network %s exists already: %s/%s", name,
				       conf_dir, network->file);
	return 0;
}

static int create(const struct create_options *o, struct create_wish *wish, struct arena *a,
		  struct err *err)
{
	const char *conf_dir = conf_dir_of(&o->place);
	autofd dir = open_conf_dir(conf_dir, err);
	struct cni_networks networks;
	autobuf text = BUF_INIT;
	int r = dir < 0 ? dir : cni_networks_load(conf_dir, a, &networks, err);

	if (r == 0)
		r = check_new(&networks, conf_dir, wish->name, err);
	if (r == 0)
		r = create_choose(&networks, a, wish, err);
	if (r < 0)
		return r;
	create_write(wish, &text);
	return write_file(dir, wish->name, &text, err);
}

static int run(char **args, size_t count, void *opts)
{
	struct create_wish wish;
	autoarena a = ARENA_INIT;
	struct err err;

	(void)count;
	if (create_read(args[0], opts, &a, &wish, &err) < 0 || create(opts, &wish, &a, &err) < 0)
		return fail(&err);
	printf("%s\n", wish.name);
	return 0;
}

const struct verb verb_create = {
	"create", "NAME", "make a network", &table, 1, 1, run, sizeof(struct create_options), 0
};

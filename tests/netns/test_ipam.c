/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"
#include "netns/ipam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define PROCESSES 50

/* Run directories are in memory. */
static char dir_path[] = "/dev/shm/test_ipam.XXXXXX";
static char owners[64];
static int dir = -1;
static struct arena arena;
static struct err err;
/* It has the socket of all: one that asks whether the host has an address. */
static struct attach asks = { .err = &err };

static int set_up(void **state)
{
	(void)state;
	if (access("/dev/shm", W_OK) < 0)
		strcpy(dir_path, "/tmp/test_ipam.XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* What addresses the machine has is no matter, where that can be had. */
	if ((unshare(CLONE_NEWNET) < 0 && errno != EPERM) || attach_host(&asks, &asks.host) < 0)
		return -1;
	snprintf(owners, sizeof(owners), "%s/owners", dir_path);
	return dir < 0 || mkdir(owners, 0700) < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	attach_close(&asks);
	close(dir);
	return tree_remove(AT_FDCWD, dir_path);
}

/* Each test has leases and owners of its own. */
static int clear(void **state)
{
	(void)state;
	arena_done(&arena);
	arena = (struct arena)ARENA_INIT;
	memset(&err, 0, sizeof(err));
	if (tree_remove(dir, "leases") < 0 || tree_remove(dir, "owners") < 0)
		return -1;
	return mkdir(owners, 0700);
}

static struct json_value *json(const char *text)
{
	struct json_value *v;

	if (json_parse(text, strlen(text), &arena, &v, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

#define HOST_LOCAL(rest) "{\"ipam\": {\"type\": \"host-local\", " rest "}}"
#define SMALL HOST_LOCAL("\"subnet\": \"10.1.2.0/29\"")
#define DUAL                                                                                       \
	HOST_LOCAL("\"ranges\": [[{\"subnet\": \"10.1.2.0/29\"}], [{\"subnet\": \"fd00::/64\"}]]")

/* An attachment of a container that lives as long as a directory of its name. */
static struct attach attach(const char *conf, const char *container)
{
	char *owner = arena_printf(&arena, "%s/%s", owners, container);

	mkdir(owner, 0700);
	return (struct attach){
		.container = container,
		.ifname = "eth0",
		.netns_fd = -1,
		.run_dir = dir_path,
		.run_fd = dir,
		.owner = owner,
		.host = asks.host,
		.network = "shop",
		.conf = json(conf),
		.arena = &arena,
		.err = &err,
	};
}

static void kill_owner(const char *container)
{
	assert_int_equal(rmdir(arena_printf(&arena, "%s/%s", owners, container)), 0);
}

static const char *addresses(const struct attach *at)
{
	char text[IP_TEXT_SIZE], gateway[IP_TEXT_SIZE];
	const char *all = "";

	for_each (ip, &at->result.ips)
		all = arena_printf(&arena, "%s%s%s via %s", all, *all ? ", " : "",
				   ip_net_text(&ip->address, text),
				   ip->gateway.family ? ip_text(&ip->gateway, gateway) : "none");
	return all;
}

static void must(struct attach *at, int r)
{
	if (r < 0)
		fail_msg("%s: %d, %s", at->container, r, err.msg);
}

static const char *added(const char *conf, const char *container)
{
	struct attach at = attach(conf, container);

	must(&at, ipam_add(&at));
	return addresses(&at);
}

static void deleted(const char *conf, const char *container)
{
	struct attach at = attach(conf, container);

	must(&at, ipam_del(&at));
}

static void refused(struct attach *at, int code, const char *words)
{
	int r = ipam_add(at);

	if (r != -code || err.code != -code || !strstr(err.msg, words))
		fail_msg("%d, \"%s\" instead of %d, \"%s\"", r, err.msg, -code, words);
	assert_int_equal(at->result.ips.count, 0);
}

/* Leases, without last_reserved_ip; with links also what leads to them. */
static int count(const char *path, bool links)
{
	DIR *d = opendir(arena_printf(&arena, "%s/%s", dir_path, path));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_type == DT_REG ? strncmp(e->d_name, "last_", 5) != 0
					 : links && e->d_type == DT_LNK;
	if (d)
		closedir(d);
	return n;
}

static void put(const char *path, const char *text)
{
	autofd fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static const char *get(const char *path)
{
	char *text;

	if (file_read(dir, path, 65536, &arena, &text, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return text;
}

static bool exists(const char *path)
{
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void first_addresses(void **state)
{
	(void)state;
	assert_string_equal(added(SMALL, "c1"), "10.1.2.2/29 via 10.1.2.1");
	assert_string_equal(added(SMALL, "c2"), "10.1.2.3/29 via 10.1.2.1");
	assert_string_equal(get("leases/shop/10.1.2.3"),
			    arena_printf(&arena, "c2\r\neth0\nowner %s/c2\n", owners));
	assert_string_equal(get("leases/shop/last_reserved_ip.0"), "10.1.2.3");
}

static void a_freed_address_rests_for_a_round(void **state)
{
	(void)state;
	added(SMALL, "c1");
	deleted(SMALL, "c1");
	assert_string_equal(added(SMALL, "c2"), "10.1.2.3/29 via 10.1.2.1");
	added(SMALL, "c3");
	added(SMALL, "c4");
	assert_string_equal(added(SMALL, "c5"), "10.1.2.6/29 via 10.1.2.1");
	assert_string_equal(added(SMALL, "c6"), "10.1.2.2/29 via 10.1.2.1");
}

static void where_it_goes_on_may_be_lost(void **state)
{
	(void)state;
	added(SMALL, "c1");
	put("leases/shop/last_reserved_ip.0", "");
	assert_string_equal(added(SMALL, "c2"), "10.1.2.3/29 via 10.1.2.1");
	put("leases/shop/last_reserved_ip.0", "192.0.2.1");
	assert_string_equal(added(SMALL, "c3"), "10.1.2.4/29 via 10.1.2.1");
}

static void both_families(void **state)
{
	struct attach at = attach(DUAL, "c1");

	(void)state;
	assert_string_equal(added(DUAL, "c1"), "10.1.2.2/29 via 10.1.2.1, fd00::2/64 via fd00::1");
	assert_int_equal(count("leases/shop", true), 4);
	assert_int_equal(ipam_check(&at), 0);
	deleted(DUAL, "c1");
	assert_int_equal(count("leases/shop", true), 0);
	assert_int_equal(ipam_check(&at), -ENOENT);
	deleted(DUAL, "c1");
}

static void ranges(void **state)
{
	static const char conf[] = HOST_LOCAL(
		"\"ranges\": [[{\"subnet\": \"10.1.2.0/24\", \"rangeStart\": \"10.1.2.10\", "
		"\"rangeEnd\": \"10.1.2.11\", \"gateway\": \"10.1.2.254\"},"
		"{\"subnet\": \"10.1.9.0/24\", \"rangeStart\": \"10.1.9.0\", "
		"\"rangeEnd\": \"10.1.9.2\"}]]");

	(void)state;
	assert_string_equal(added(conf, "c1"), "10.1.2.10/24 via 10.1.2.254");
	assert_string_equal(added(conf, "c2"), "10.1.2.11/24 via 10.1.2.254");
	/* Neither the subnet's own address nor the gateway. */
	assert_string_equal(added(conf, "c3"), "10.1.9.2/24 via 10.1.9.1");
	deleted(conf, "c1");
	assert_string_equal(added(conf, "c4"), "10.1.2.10/24 via 10.1.2.254");
}

static void the_broadcast_address_is_nobodys(void **state)
{
	static const char conf[] = HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", "
					      "\"rangeStart\": \"10.1.2.254\", "
					      "\"rangeEnd\": \"10.1.2.255\"");
	struct attach at = attach(conf, "c2");

	(void)state;
	assert_string_equal(added(conf, "c1"), "10.1.2.254/24 via 10.1.2.1");
	refused(&at, ENOSPC, "all 1 of 10.1.2.254-10.1.2.255");
}

static void bad_configurations(void **state)
{
	static const struct {
		const char *conf, *words;
	} cases[] = {
		{ HOST_LOCAL("\"subnet\": \"10.1.2.5/29\""),
		  "ipam: subnet: 10.1.2.5/29 is an address within a subnet, which is 10.1.2.0/29" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/31\""), "no room" },
		{ HOST_LOCAL("\"subnet\": \"fd00::/127\""), "no room" },
		{ HOST_LOCAL("\"subnet\": \"ten\""), "not a subnet" },
		{ HOST_LOCAL("\"subnet\": 10"), "expected a string" },
		{ HOST_LOCAL("\"ranges\": []"), "no range" },
		{ HOST_LOCAL("\"ranges\": [[{\"rangeStart\": \"10.1.2.1\"}]]"),
		  "ranges[0][0]: a range without a subnet" },
		{ HOST_LOCAL("\"ranges\": [[{\"subnet\": \"10.1.2.0/24\"}], [{\"subnet\": "
			     "\"10.1.2.128/25\"}]]"),
		  "10.1.2.1-10.1.2.254 and 10.1.2.129-10.1.2.254 overlap" },
		{ HOST_LOCAL("\"ranges\": [[{\"subnet\": \"10.1.2.0/24\", \"rangeEnd\": "
			     "\"10.1.2.20\"}, {\"subnet\": \"10.1.2.0/24\", \"rangeStart\": "
			     "\"10.1.2.20\"}]]"),
		  "overlap" },
		{ HOST_LOCAL("\"ranges\": [[{\"subnet\": \"10.1.2.0/24\"}, {\"subnet\": "
			     "\"fd00::/64\"}]]"),
		  "IPv4 and IPv6 need a set each" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", \"rangeStart\": \"10.1.3.1\""),
		  "rangeStart 10.1.3.1 is not in the subnet 10.1.2.0/24" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", \"rangeEnd\": \"10.1.3.1\""),
		  "rangeEnd 10.1.3.1 is not in the subnet" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", \"rangeStart\": \"10.1.2.9\", "
			     "\"rangeEnd\": \"10.1.2.3\""),
		  "behind" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", \"gateway\": \"x\""),
		  "ipam: gateway: \"x\" is not an IP address" },
		{ HOST_LOCAL("\"subnet\": \"10.1.2.0/24\", \"routes\": [{\"dst\": \"x\"}]"),
		  "routes[0].dst" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attach at = attach(cases[i].conf, "c1");

		refused(&at, EINVAL, cases[i].words);
	}
	assert_false(exists("leases"));
}

static void a_full_pool(void **state)
{
	struct attach at = attach(SMALL, "c9");

	(void)state;
	for (int i = 1; i <= 5; i++)
		added(SMALL, arena_printf(&arena, "c%d", i));
	refused(&at, ENOSPC, "network shop has no address left: all 5 of 10.1.2.1-10.1.2.6");
	assert_int_equal(ipam_status(&at), -ENOSPC);
	deleted(SMALL, "c3");
	assert_int_equal(ipam_status(&at), 0);
	assert_string_equal(added(SMALL, "c9"), "10.1.2.4/29 via 10.1.2.1");
	assert_int_equal(count("leases/shop", true), 10);
}

static void the_dead_make_room(void **state)
{
	(void)state;
	for (int i = 1; i <= 5; i++)
		added(SMALL, arena_printf(&arena, "c%d", i));
	kill_owner("c2");
	kill_owner("c4");
	assert_string_equal(added(SMALL, "c6"), "10.1.2.3/29 via 10.1.2.1");
	assert_string_equal(added(SMALL, "c7"), "10.1.2.5/29 via 10.1.2.1");
	assert_int_equal(count("leases/shop", true), 10);
	/* DEL of the dead comes late: the address is another's by now. */
	deleted(SMALL, "c2");
	assert_int_equal(count("leases/shop", false), 5);
	assert_string_equal(get("leases/shop/10.1.2.3"),
			    arena_printf(&arena, "c6\r\neth0\nowner %s/c6\n", owners));
}

static void one_set_full_leaves_nothing_of_the_other(void **state)
{
	static const char conf[] = HOST_LOCAL("\"ranges\": [[{\"subnet\": \"fd00::/64\"}], "
					      "[{\"subnet\": \"10.1.2.0/30\"}]]");
	struct attach at = attach(conf, "c2");

	(void)state;
	added(conf, "c1");
	refused(&at, ENOSPC, "10.1.2.1-10.1.2.2");
	assert_int_equal(count("leases/shop", true), 4);
}

static void asked_for(void **state)
{
	struct attach at = attach(SMALL, "c1");

	(void)state;
	at.runtime = json("{\"ips\": [\"10.1.2.5/29\"]}");
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.5/29 via 10.1.2.1");
	at = attach(SMALL, "c2");
	at.args = "A=b;IP=10.1.2.3;K8S=1";
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.3/29 via 10.1.2.1");
	at = attach("{\"args\": {\"cni\": {\"ips\": [\"10.1.2.6\"]}}, \"ipam\": "
		    "{\"type\": \"host-local\", \"subnet\": \"10.1.2.0/29\"}}",
		    "c3");
	at.runtime = json("{\"ips\": [\"10.1.2.6\"]}");
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.6/29 via 10.1.2.1");
	/* Where the others go on has not changed. */
	assert_string_equal(added(SMALL, "c4"), "10.1.2.2/29 via 10.1.2.1");
	at = attach(DUAL, "c5");
	at.args = "IP=fd00::77,10.1.2.4";
	at.network = "dual";
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.4/29 via 10.1.2.1, fd00::77/64 via fd00::1");
}

static void asked_for_in_vain(void **state)
{
	static const struct {
		const char *ips;
		int code;
		const char *words;
	} cases[] = {
		{ "\"10.1.2.2\"", EADDRINUSE,
		  "10.1.2.2 on network shop is in use by container c1 (eth0)" },
		{ "\"10.1.2.1\"", EINVAL, "the gateway" },
		{ "\"10.1.3.1\"", EINVAL, "in no range of network shop (10.1.2.1-10.1.2.6)" },
		{ "\"10.1.2.7\"", EINVAL, "in no range" },
		{ "\"10.1.2.3\", \"10.1.2.4\"", EINVAL,
		  "10.1.2.3 and 10.1.2.4 are asked for, of which network shop can give one" },
		{ "\"x\"", EINVAL, "runtimeConfig.ips: \"x\" is not an IP address" },
		{ "3", EINVAL, "runtimeConfig.ips: expected addresses as strings" },
	};

	(void)state;
	added(SMALL, "c1");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attach at = attach(SMALL, "c2");

		at.runtime = json(arena_printf(&arena, "{\"ips\": [%s]}", cases[i].ips));
		refused(&at, cases[i].code, cases[i].words);
	}
	assert_int_equal(count("leases/shop", true), 2);
}

static void asked_for_and_dead(void **state)
{
	struct attach at = attach(SMALL, "c2");

	(void)state;
	added(SMALL, "c1");
	kill_owner("c1");
	at.args = "IP=10.1.2.2";
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.2/29 via 10.1.2.1");
}

static void twice_the_same(void **state)
{
	struct attach at = attach(SMALL, "c1");

	(void)state;
	added(SMALL, "c1");
	refused(&at, EEXIST, "container c1 has 10.1.2.2 on eth0 of network shop already");
	assert_int_equal(count("leases/shop", true), 2);
	/* Another interface is another attachment. */
	at.ifname = "eth1";
	must(&at, ipam_add(&at));
	deleted(SMALL, "c1");
	assert_int_equal(ipam_check(&at), 0);
	must(&at, ipam_del(&at));
	assert_int_equal(count("leases/shop", true), 0);
}

static void ranges_of_the_runtime(void **state)
{
	struct attach at = attach(SMALL, "c1");

	(void)state;
	at.runtime = json("{\"ipRanges\": [[{\"subnet\": \"10.9.9.0/24\"}]]}");
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.9.9.2/24 via 10.9.9.1, 10.1.2.2/29 via 10.1.2.1");
	deleted(SMALL, "c1");
	assert_int_equal(count("leases/shop", true), 0);
}

/* What a kill between any two calls leaves. */
static void half_written(void **state)
{
	struct attach at = attach(SMALL, "c1");

	(void)state;
	added(SMALL, "c1");
	put("leases/shop/10.1.2.2", "");
	assert_int_equal(ipam_check(&at), -ENOENT);
	deleted(SMALL, "c1");
	assert_int_equal(count("leases/shop", true), 0);

	put("leases/shop/10.1.2.3", "");
	put("leases/shop/10.1.2.4", "c8\r\net");
	put("leases/shop/10.1.2.5", "c8\r\neth0\n");
	put("leases/shop/10.1.2.6", "c8\r\neth0\nowner /ru");
	assert_string_equal(added(SMALL, "c1"), "10.1.2.2/29 via 10.1.2.1");
	for (int i = 2; i <= 5; i++)
		added(SMALL, arena_printf(&arena, "c%d", i));
	assert_int_equal(count("leases/shop", true), 10);
	put("leases/shop/10.1.2.4", "c8\r\net");
	at = attach(SMALL, "c9");
	at.args = "IP=10.1.2.4";
	must(&at, ipam_add(&at));
}

static void links_that_lead_nowhere(void **state)
{
	(void)state;
	added(SMALL, "c1");
	assert_int_equal(unlinkat(dir, "leases/shop/10.1.2.2", 0), 0);
	assert_string_equal(added(SMALL, "c1"), "10.1.2.3/29 via 10.1.2.1");
	assert_int_equal(unlinkat(dir, "leases/shop/10.1.2.3", 0), 0);
	deleted(SMALL, "c1");
	assert_int_equal(count("leases/shop", true), 0);
}

static void routes_and_dns(void **state)
{
	static const char conf[] = HOST_LOCAL(
		"\"subnet\": \"10.1.2.0/29\", \"resolvConf\": \"%s/resolv.conf\", \"routes\": "
		"[{\"dst\": \"0.0.0.0/0\"}, {\"dst\": \"10.7.0.0/16\", \"gw\": \"10.1.2.3\"}]");
	struct attach at = attach(arena_printf(&arena, conf, dir_path), "c1");
	char text[IP_TEXT_SIZE];

	(void)state;
	refused(&at, ENOENT, "resolv.conf");
	put("resolv.conf",
	    "# nameserver 1.2.3.4\n;x\nnameserver\t10.0.0.53 nameserver\n"
	    "nameserver fe80::1%eth0\ndomain shop.example\nsearch a.example b.example\n"
	    "options ndots:2 rotate\nsearch c.example\nsortlist x\nnameserver\n");
	must(&at, ipam_add(&at));
	assert_int_equal(at.result.routes.count, 2);
	assert_int_equal(at.result.routes.items[0].gw.family, 0);
	assert_string_equal(ip_text(&at.result.routes.items[1].gw, text), "10.1.2.3");
	assert_int_equal(at.result.dns.nameservers.count, 2);
	assert_string_equal(at.result.dns.nameservers.items[0], "10.0.0.53");
	assert_string_equal(at.result.dns.nameservers.items[1], "fe80::1%eth0");
	assert_string_equal(at.result.dns.domain, "shop.example");
	assert_int_equal(at.result.dns.search.count, 3);
	assert_string_equal(at.result.dns.search.items[2], "c.example");
	assert_int_equal(at.result.dns.options.count, 2);
}

static void only_the_valid_stay(void **state)
{
	static const struct cni_valid valid[] = { { "c1", "eth0" }, { "c3", "eth1" } };
	struct attach at = attach(SMALL, "c1");

	(void)state;
	for (int i = 1; i <= 4; i++)
		added(SMALL, arena_printf(&arena, "c%d", i));
	put("leases/shop/10.1.2.6", "");
	must(&at, ipam_gc(&at, valid, ARRAY_SIZE(valid)));
	assert_int_equal(count("leases/shop", true), 2);
	assert_true(exists("leases/shop/10.1.2.2"));
	must(&at, ipam_gc(&at, NULL, 0));
	assert_int_equal(count("leases/shop", true), 0);
	assert_int_equal(tree_remove(dir, "leases"), 0);
	must(&at, ipam_gc(&at, NULL, 0));
}

/* Of the plugin that was there before, which says "container CR LF interface" and no more. */
static void a_directory_of_the_plugins(void **state)
{
	const char *conf = arena_printf(&arena,
					HOST_LOCAL("\"subnet\": \"10.1.2.0/29\", \"dataDir\": "
						   "\"%s/leases/data\""),
					dir_path);
	struct attach at = attach(conf, "c9");

	(void)state;
	added(conf, "c1");
	assert_true(exists("leases/data/shop/10.1.2.2"));
	put("leases/data/shop/10.1.2.3", "old\r\neth0");
	for (int i = 2; i <= 4; i++)
		added(conf, arena_printf(&arena, "c%d", i));
	refused(&at, ENOSPC, "all 5");
	deleted(conf, "old");
	assert_false(exists("leases/data/shop/10.1.2.3"));
	assert_int_equal(count("leases/data/shop", true), 8);
	assert_false(exists("leases/shop"));
}

static void in_use_by_hand(void **state)
{
	struct attach at = attach(SMALL, "c1");

	(void)state;
	at.conf = json("{\"type\": \"bridge\"}");
	must(&at, ipam_add(&at));
	at.conf = json("{\"ipam\": {}}");
	must(&at, ipam_add(&at));
	assert_int_equal(at.result.ips.count, 0);
	must(&at, ipam_del(&at));
	must(&at, ipam_status(&at));
}

#define STATIC(rest) "{\"ipam\": {\"type\": \"static\"" rest "}}"

static void fixed(void **state)
{
	static const char conf[] = STATIC(
		", \"addresses\": [{\"address\": \"10.1.2.3/24\", \"gateway\": \"10.1.2.1\"}, "
		"{\"address\": \"fd00::3/64\"}], \"routes\": [{\"dst\": \"::/0\"}], "
		"\"dns\": {\"nameservers\": [\"10.0.0.53\"], \"domain\": \"d\"}");
	struct attach at = attach(conf, "c1");

	(void)state;
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.3/24 via 10.1.2.1, fd00::3/64 via none");
	assert_int_equal(at.result.routes.count, 1);
	assert_string_equal(at.result.dns.nameservers.items[0], "10.0.0.53");
	assert_string_equal(at.result.dns.domain, "d");
	must(&at, ipam_check(&at));
	must(&at, ipam_del(&at));
	at = attach(conf, "c1");
	at.args = "IP=10.2.2.2/24,10.2.3.4/16;GATEWAY=10.2.2.1";
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.1.2.3/24 via 10.1.2.1, fd00::3/64 via none, "
					    "10.2.2.2/24 via 10.2.2.1, 10.2.3.4/16 via 10.2.2.1");
	at.result.ips.count = 0;
	at.runtime = json("{\"ips\": [\"10.5.5.5/24\"]}");
	must(&at, ipam_add(&at));
	assert_string_equal(addresses(&at), "10.5.5.5/24 via none");
	assert_false(exists("leases"));
}

static void fixed_badly(void **state)
{
	static const struct {
		const char *conf, *args, *words;
	} cases[] = {
		{ STATIC(", \"addresses\": [{\"address\": \"10.1.2.3\"}]"), NULL,
		  "ipam: addresses[0].address: \"10.1.2.3\" is not an address with a prefix" },
		{ STATIC(", \"addresses\": [{}]"), NULL, "ipam: addresses[0].address: missing" },
		{ STATIC(", \"addresses\": [{\"address\": \"10.1.2.3/24\", \"gateway\": "
			 "\"fd00::1\"}]"),
		  NULL, "different kinds" },
		{ STATIC(), "IP=10.1.2.3", "CNI_ARGS IP: \"10.1.2.3\" is not an address with" },
		{ STATIC(), "IP=10.1.2.3/24;GATEWAY=x", "GATEWAY=x is not an IP address" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attach at = attach(cases[i].conf, "c1");

		at.args = cases[i].args;
		refused(&at, EINVAL, cases[i].words);
	}
}

/* In a process of its own: takes an address, notes it, goes. */
static void child(int number, uint32_t *ret_address, int ready)
{
	struct attach at = attach(HOST_LOCAL("\"subnet\": \"10.1.2.0/26\""),
				  arena_printf(&arena, "p%d", number));
	char byte;

	at.host = NULL;
	if (read(ready, &byte, 1) != 0 || ipam_add(&at) < 0)
		_exit(1);
	memcpy(ret_address, at.result.ips.items[0].address.ip.bytes, 4);
	_exit(0);
}

static void many_at_once(void **state)
{
	uint32_t *got = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[PROCESSES];
	int gate[2], status;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			close(gate[1]);
			child(i, &got[i], gate[0]);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		assert_int_not_equal(got[i], 0);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(got[i], got[k]);
	}
	assert_int_equal(count("leases/shop", true), 2 * PROCESSES);
	munmap(got, 4096);
}

/* A process that is killed at any moment leaves nothing that DEL and one more ADD do not mend. */
static void killed_anywhere(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct attach at = attach(SMALL, "c1");
		pid_t pid = fork();

		if (!pid)
			for (at.host = NULL;;) {
				at.result.ips.count = 0;
				if (ipam_add(&at) < 0 || ipam_del(&at) < 0)
					_exit(1);
			}
		usleep(1000 + (unsigned int)i * 7);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		must(&at, ipam_del(&at));
		assert_int_equal(count("leases/shop", true), 0);
		at.result.ips.count = 0;
		must(&at, ipam_add(&at));
		must(&at, ipam_del(&at));
	}
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* With a thousand others one more costs what the first did: nothing reads all of them. */
static void a_thousand(void **state)
{
	static const char conf[] = HOST_LOCAL("\"subnet\": \"10.1.0.0/16\"");
	int64_t begin, few, many;

	(void)state;
	begin = cpu_ns();
	for (int i = 0; i < 100; i++)
		added(conf, arena_printf(&arena, "f%d", i));
	few = cpu_ns() - begin;
	for (int i = 0; i < 1000; i++)
		added(conf, arena_printf(&arena, "c%d", i));
	begin = cpu_ns();
	for (int i = 0; i < 100; i++) {
		const char *name = arena_printf(&arena, "m%d", i);

		added(conf, name);
		deleted(conf, name);
	}
	many = cpu_ns() - begin;
	assert_int_equal(count("leases/shop", false), 1100);
	print_message("# the first 100: %lld us each; with 1,100 others, and DEL: %lld us each\n",
		      (long long)few / 100000, (long long)many / 100000);
	assert_true(many < few * 5 + 20000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(first_addresses, clear),
		cmocka_unit_test_setup(a_freed_address_rests_for_a_round, clear),
		cmocka_unit_test_setup(where_it_goes_on_may_be_lost, clear),
		cmocka_unit_test_setup(both_families, clear),
		cmocka_unit_test_setup(ranges, clear),
		cmocka_unit_test_setup(the_broadcast_address_is_nobodys, clear),
		cmocka_unit_test_setup(bad_configurations, clear),
		cmocka_unit_test_setup(a_full_pool, clear),
		cmocka_unit_test_setup(the_dead_make_room, clear),
		cmocka_unit_test_setup(one_set_full_leaves_nothing_of_the_other, clear),
		cmocka_unit_test_setup(asked_for, clear),
		cmocka_unit_test_setup(asked_for_in_vain, clear),
		cmocka_unit_test_setup(asked_for_and_dead, clear),
		cmocka_unit_test_setup(twice_the_same, clear),
		cmocka_unit_test_setup(ranges_of_the_runtime, clear),
		cmocka_unit_test_setup(half_written, clear),
		cmocka_unit_test_setup(links_that_lead_nowhere, clear),
		cmocka_unit_test_setup(routes_and_dns, clear),
		cmocka_unit_test_setup(only_the_valid_stay, clear),
		cmocka_unit_test_setup(a_directory_of_the_plugins, clear),
		cmocka_unit_test_setup(in_use_by_hand, clear),
		cmocka_unit_test_setup(fixed, clear),
		cmocka_unit_test_setup(fixed_badly, clear),
		cmocka_unit_test_setup(many_at_once, clear),
		cmocka_unit_test_setup(killed_anywhere, clear),
		cmocka_unit_test_setup(a_thousand, clear),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

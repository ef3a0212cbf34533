/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces, addresses and routes in a network namespace of the test's own. */
#include "netns/link.h"

#include "lib/cleanup.h"
#include "lib/types.h"
#include "netns/addr.h"
#include "netns/link_add.h"
#include "netns/link_delete.h"
#include "netns/ns.h"
#include "netns/plugin.h"
#include "netns/route.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static bool alone; /* in a namespace of our own, with veth */

struct fixture {
	struct rtnl r;
	struct arena arena;
	struct err err;
};

static int open_fixture(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	static const struct link_add end = { .name = "end", .netns_fd = -1, .up = true };
	static const struct link_add other = { .name = "other", .netns_fd = -1 };

	*state = f;
	if (!alone)
		return 0;
	if (rtnl_open(&f->r, -1, &f->err) < 0)
		return -1;
	link_add_veth(&f->r, &end, &other);
	return rtnl_run(&f->r, NULL, &f->err);
}

static int close_fixture(void **state)
{
	struct fixture *f = *state;
	struct link link;

	if (alone) {
		if (link_find(&f->r, "end", &link, &f->err) == 0) {
			link_delete_now(&f->r, &link);
			rtnl_run(&f->r, NULL, &f->err);
		}
		rtnl_close(&f->r);
	}
	arena_done(&f->arena);
	free(f);
	return 0;
}

static struct link find(struct fixture *f, const char *name)
{
	struct link link = { 0 };

	if (link_find(&f->r, name, &link, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	return link;
}

static struct ip_net net_of(const char *text)
{
	struct ip_net net;

	assert_int_equal(ip_net_parse(text, &net), 0);
	return net;
}

static void hardware_addresses(void **state)
{
	static const char *const bad[] = { "",
					   "02:42:0a:58:00",
					   "02:42:0a:58:00:05:06",
					   "02:42:0a:58:00:0g",
					   "02420a580005",
					   "2:42:a:58:0:5",
					   "00:00:00:00:00:00",
					   "01:00:5e:00:00:01",
					   "ff:ff:ff:ff:ff:ff",
					   "02:42:0a:58:00:05 " };
	uint8_t mac[LINK_MAC_SIZE];
	char text[LINK_MAC_TEXT_SIZE];

	(void)state;
	assert_int_equal(link_mac_parse("02:42:0A:58:00:f5", mac), 0);
	assert_string_equal(link_mac_text(mac, text), "02:42:0a:58:00:f5");
	assert_int_equal(link_mac_parse("02-42-0a-58-00-f5", mac), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (link_mac_parse(bad[i], mac) != -EINVAL)
			fail_msg("%s is taken for a hardware address", bad[i]);
}

static void a_missing_module_is_named(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, EOPNOTSUPP, "netlink: RTM_NEWLINK v type vlan: Unknown device type");
	assert_int_equal(link_add_explain("vlan", &err), -EOPNOTSUPP);
	assert_string_equal(err.msg, "netlink: RTM_NEWLINK v type vlan: Unknown device type: the "
				     "kernel has no vlan interfaces; try: modprobe 8021q");
	err_set(&err, EEXIST, "taken");
	assert_int_equal(link_add_explain("vlan", &err), -EEXIST);
	assert_string_equal(err.msg, "taken");
}

static void an_unknown_kind(void **state)
{
	struct link_add add = { .name = "x0", .netns_fd = -1 };
	struct fixture *f = *state;

	if (!alone)
		skip();
	link_add_plain(&f->r, &add, "nosuchkind");
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), -EOPNOTSUPP);
	link_add_explain("nosuchkind", &f->err);
	assert_non_null(strstr(f->err.msg, "try: modprobe nosuchkind"));
}

static void names_stand_for_what_a_queue_makes(void **state)
{
	struct link_add bridge = { .name = "b0", .netns_fd = -1, .up = true };
	struct link port = { .name = "end" }, link;
	struct fixture *f = *state;
	autobuf replies = BUF_INIT;

	if (!alone)
		skip();
	link_add_bridge(&f->r, &bridge, false);
	link_ask(&f->r, "b0");
	assert_int_equal(rtnl_run(&f->r, &replies, &f->err), 0);
	assert_true(link_answer(&replies, "b0", &link));
	assert_string_equal(link.kind, "bridge");
	assert_false(link_answer(&replies, "b1", &link));
	link_set_master(&f->r, &port, find(f, "b0").index);
	link_set_hairpin(&f->r, &port, true);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), 0);
	link = find(f, "end");
	assert_int_equal(link.master, find(f, "b0").index);
	assert_true(link.has_hairpin && link.hairpin);
	assert_int_equal(link.other, find(f, "other").index);
	assert_int_equal(link_delete(&f->r, "b0", &f->err), 0);
}

static void a_list_of_links(void **state)
{
	struct fixture *f = *state;
	struct link_list list;

	if (!alone)
		skip();
	assert_int_equal(link_list(&f->r, 0, NULL, &f->arena, &list, &f->err), 0);
	assert_int_equal(list.count, 3);
	assert_int_equal(link_list(&f->r, 0, "veth", &f->arena, &list, &f->err), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(link_list(&f->r, 4711, NULL, &f->arena, &list, &f->err), 0);
	assert_int_equal(list.count, 0);
}

static void deleting_frees_the_name_at_once(void **state)
{
	static const struct link_add end = { .name = "end", .netns_fd = -1, .up = true };
	static const struct link_add other = { .name = "other", .netns_fd = -1 };
	struct fixture *f = *state;
	struct link link;

	if (!alone)
		skip();
	for (int i = 0; i < 5; i++) {
		if (link_delete(&f->r, "end", &f->err) < 0)
			fail_msg("%s", f->err.msg);
		assert_int_equal(link_find(&f->r, "other", &link, &f->err), -ENODEV);
		assert_int_equal(link_delete(&f->r, "end", &f->err), 0);
		link_add_veth(&f->r, &end, &other);
		if (rtnl_run(&f->r, NULL, &f->err) < 0)
			fail_msg("%s", f->err.msg);
	}
	/* Nobody of ours is left to be waited for. */
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void what_may_not_be_deleted_is_an_error(void **state)
{
	struct fixture *f = *state;

	if (!alone)
		skip();
	assert_int_equal(link_delete(&f->r, "lo", &f->err), -EOPNOTSUPP);
	assert_non_null(strstr(f->err.msg, "netlink: RTM_DELLINK lo: "));
	assert_int_equal(find(f, "lo").index, 1);
}

/* The socket's namespace counts, not the caller's. */
static void deleting_in_another_namespace(void **state)
{
	static const struct link_add end = { .name = "there", .netns_fd = -1, .up = true };
	static const struct link_add other = { .name = "there2", .netns_fd = -1 };
	struct fixture *f = *state;
	struct rtnl there;
	struct link link;
	int home;

	if (!alone)
		skip();
	assert_int_equal(rtnl_open(&there, -1, &f->err), 0);
	home = ns_open_own(&f->err);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	link_add_veth(&there, &end, &other);
	assert_int_equal(rtnl_run(&there, NULL, &f->err), 0);
	assert_int_equal(link_delete(&there, "there", &f->err), 0);
	assert_int_equal(link_find(&there, "there", &link, &f->err), -ENODEV);
	rtnl_close(&there);
	ns_leave(home);
}

static void addresses_are_added_and_removed(void **state)
{
	struct ip_net four = net_of("10.1.0.5/24"), six = net_of("fd00::5/64");
	struct fixture *f = *state;
	struct addr_list list;
	struct link end;

	if (!alone)
		skip();
	end = find(f, "end");
	addr_add(&f->r, &end, &four, 0);
	addr_add(&f->r, &end, &six, IFA_F_NODAD);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), 0);
	addr_add(&f->r, &end, &four, 0);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), -EEXIST);
	assert_int_equal(addr_list(&f->r, &end, &f->arena, &list, &f->err), 0);
	assert_non_null(addr_among(&list, &four));
	assert_true(addr_among(&list, &four)->has_broadcast);
	assert_non_null(addr_among(&list, &six));
	assert_int_equal(addr_among(&list, &six)->flags & IFA_F_TENTATIVE, 0);
	four.prefix_len = 25;
	assert_null(addr_among(&list, &four));
	four.prefix_len = 24;
	addr_delete(&f->r, &end, &four);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), 0);
	addr_delete(&f->r, &end, &four);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), -EADDRNOTAVAIL);
}

static void routes_are_added_checked_and_removed(void **state)
{
	struct route_wish wishes[] = {
		{ .dst = net_of("10.50.1.2/16"), .gw = net_of("10.1.0.1/32").ip },
		{ .dst = net_of("0.0.0.0/0"),
		  .gw = net_of("10.1.0.1/32").ip,
		  .priority = { true, 77 } },
		{ .dst = net_of("10.51.0.0/16"),
		  .gw = net_of("192.0.2.1/32").ip,
		  .onlink = true,
		  .table = { true, 1000 },
		  .mtu = { true, 1400 } },
		{ .dst = net_of("10.52.0.0/16"), .src = net_of("10.1.0.5/32").ip },
		{ .dst = net_of("fd01::/64"), .gw = net_of("fd00::1/128").ip },
		{ .dst = net_of("::/0"), .gw = net_of("fd00::1/128").ip },
	};
	struct ip_net four = net_of("10.1.0.5/24"), six = net_of("fd00::5/64");
	struct fixture *f = *state;
	struct link end;

	if (!alone)
		skip();
	end = find(f, "end");
	addr_add(&f->r, &end, &four, 0);
	addr_add(&f->r, &end, &six, IFA_F_NODAD);
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
		route_add(&f->r, &end, &wishes[i]);
	if (rtnl_run(&f->r, NULL, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		struct route_wish other = wishes[i];

		if (route_check(&f->r, &end, &wishes[i], &f->err) < 0)
			fail_msg("%s", f->err.msg);
		if (other.gw.family) {
			ip_next(&other.gw);
			assert_int_equal(route_check(&f->r, &end, &other, &f->err), -ENOENT);
		}
		route_add(&f->r, &end, &wishes[i]);
		assert_int_equal(rtnl_run(&f->r, NULL, &f->err), -EEXIST);
		route_delete(&f->r, &end, &wishes[i]);
		if (rtnl_run(&f->r, NULL, &f->err) < 0)
			fail_msg("%s", f->err.msg);
		assert_int_equal(route_check(&f->r, &end, &wishes[i], &f->err), -ENOENT);
	}
	assert_string_equal(f->err.msg, "end has no route default via fd00::1");
}

static void events_tell_what_happens(void **state)
{
	static const unsigned int group = RTNLGRP_LINK;
	struct fixture *f = *state;
	autobuf messages = BUF_INIT;
	autofd fd = -1;
	bool seen = false;
	struct link link;

	if (!alone)
		skip();
	fd = rtnl_events_open(-1, &group, 1, 1 << 20, &f->err);
	assert_true(fd >= 0);
	assert_int_equal(rtnl_events_read(fd, 0, &messages, &f->err), 0);
	link = find(f, "end");
	link_down(&f->r, &link);
	assert_int_equal(rtnl_run(&f->r, NULL, &f->err), 0);
	assert_int_equal(rtnl_events_read(fd, 1000, &messages, &f->err), 1);
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&messages, nlh));)
		seen |= link_read(nlh, &link) && strcmp(link.name, "end") == 0 &&
			!(link.flags & IFF_UP);
	assert_true(seen);
}

static void lost_events_are_told(void **state)
{
	static const unsigned int group = RTNLGRP_LINK;
	struct fixture *f = *state;
	autobuf messages = BUF_INIT;
	autofd fd = -1;
	struct link link;

	if (!alone)
		skip();
	fd = rtnl_events_open(-1, &group, 1, 2048, &f->err);
	assert_true(fd >= 0);
	link = find(f, "end");
	for (int i = 0; i < 20; i++) {
		link_down(&f->r, &link);
		link_up(&f->r, &link);
		assert_int_equal(rtnl_run(&f->r, NULL, &f->err), 0);
	}
	assert_int_equal(rtnl_events_read(fd, 0, &messages, &f->err), -ENOBUFS);
}

static void settings_of_the_network(void **state)
{
	struct fixture *f = *state;
	char now[8] = "";
	autofd fd = -1;

	if (!alone)
		skip();
	assert_int_equal(ns_sysctl(-1, "net/ipv4/conf/end/arp_notify", "1", &f->err), 0);
	assert_int_equal(ns_sysctl(-1, "net.ipv4.conf.end.arp_notify", "1", &f->err), 0);
	fd = open("/proc/sys/net/ipv4/conf/end/arp_notify", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, now, sizeof(now)), 2);
	assert_string_equal(now, "1\n");
	assert_int_equal(ns_sysctl(-1, "net.ipv4.conf.end.nothing", "1", &f->err), -ENOENT);
	assert_int_equal(ns_sysctl(-1, "net.ipv4.conf.end.arp_notify", "x", &f->err), -EINVAL);
}

static void only_settings_below_net(void **state)
{
	static const char *const bad[] = { "kernel.hostname",
					   "/proc/sys/net/ipv4/ip_forward",
					   "net",
					   "net/../kernel/hostname",
					   "network.x",
					   "net/ipv4/ip_forward/",
					   "net/ipv4/..",
					   "" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err.msg[0] = '\0';
		if (ns_sysctl(-1, bad[i], "1", &err) != -EINVAL)
			fail_msg("%s: %s", bad[i], err.msg);
	}
}

static void what_is_no_namespace(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(ns_open("/proc/self/ns/mnt", &err), -EINVAL);
	assert_int_equal(ns_open("/etc/passwd", &err), -EINVAL);
	assert_int_equal(ns_open("/dev/null", &err), -EINVAL);
	assert_int_equal(ns_open("/nonexistent/net", &err), -ENOENT);
	assert_int_equal(ns_open("/etc/passwd/net", &err), -ENOENT);
}

/* An update of tote must find what the version before it made. */
static void names_stay_what_they_are(void **state)
{
	struct attach at = { .network = "shop", .container = "one", .ifname = "eth0" };
	struct attach moved = { .network = "shopo", .container = "ne", .ifname = "eth0" };
	char key[ATTACH_KEY_SIZE], other[ATTACH_KEY_SIZE], name[IFNAMSIZ];

	(void)state;
	attach_key(&at, key);
	assert_string_equal(key, "06c1a0d9c70f92cfe84c9d5f");
	attach_name(&at, "veth", name);
	assert_string_equal(name, "veth06c1a0d9c70");
	attach_name(&at, "ifb", name);
	assert_string_equal(name, "ifb06c1a0d9c70");
	attach_key(&moved, other);
	assert_string_not_equal(key, other);
}

static void arguments_of_cni(void **state)
{
	struct fixture *f = *state;
	struct attach at = { .args = "IgnoreUnknown=1;;MAC=02:00;IP=;MACX=9;K=a=b",
			     .arena = &f->arena };

	assert_string_equal(attach_arg(&at, "MAC"), "02:00");
	assert_string_equal(attach_arg(&at, "K"), "a=b");
	assert_string_equal(attach_arg(&at, "IP"), "");
	assert_null(attach_arg(&at, "MA"));
	assert_null(attach_arg(&at, "X"));
	at.args = NULL;
	assert_null(attach_arg(&at, "MAC"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hardware_addresses),
		cmocka_unit_test(a_missing_module_is_named),
		TEST(an_unknown_kind),
		TEST(names_stand_for_what_a_queue_makes),
		TEST(a_list_of_links),
		TEST(deleting_frees_the_name_at_once),
		TEST(what_may_not_be_deleted_is_an_error),
		TEST(deleting_in_another_namespace),
		TEST(addresses_are_added_and_removed),
		TEST(routes_are_added_checked_and_removed),
		TEST(events_tell_what_happens),
		TEST(lost_events_are_told),
		TEST(settings_of_the_network),
		cmocka_unit_test(only_settings_below_net),
		cmocka_unit_test(what_is_no_namespace),
		cmocka_unit_test(names_stay_what_they_are),
		TEST(arguments_of_cni),
	};
	struct link_add probe = { .name = "b0", .netns_fd = -1 };
	struct rtnl r;
	struct err err;

	if (unshare(CLONE_NEWNET) == 0 && rtnl_open(&r, -1, &err) == 0) {
		/* Every test with one wants a bridge and veth. */
		link_add_bridge(&r, &probe, false);
		alone = rtnl_run(&r, NULL, &err) == 0 && link_delete(&r, "b0", &err) == 0;
		rtnl_close(&r);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

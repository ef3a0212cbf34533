/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/firewall.h"
#include "netns/port.h"
#include "netns/port_holder.h"
#include "netns/port_text.h"
#include "netns/port_wish.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static struct err err;

/* What one container wants: its addresses as text, ports as `tote run -p` has them. */
struct want {
	struct ip_net nets[2];
	struct port_map maps[2];
	struct port_wish wish;
};

static const struct port_wish *want(struct want *w, const char *owner, const char *address,
				    const char *ports)
{
	*w = (struct want){ .wish = { .owner = owner,
				      .addresses = w->nets,
				      .address_count = 1,
				      .masquerade = true,
				      .ports = { w->maps, ports ? 1 : 0 } } };
	assert_int_equal(ip_net_parse(address, &w->nets[0]), 0);
	if (ports)
		assert_int_equal(port_parse(ports, &w->maps[0], &err), 0);
	return &w->wish;
}

/* Each test has a network namespace of its own. */
static void own_network(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return;
	print_message("# skip: cannot make a network namespace\n");
	skip();
}

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void adds_checks_and_removes(void **state)
{
	struct want w;
	const struct port_wish *one = want(&w, "one", "10.88.0.5/16", "8080-8089:80-89/udp");

	(void)state;
	own_network();
	assert_int_equal(port_check(one, &err), -ENOENT);
	assert_int_equal(port_add(one, &err), 0);
	assert_int_equal(port_check(one, &err), 0);
	/* What is there already is fine, and stays. */
	assert_int_equal(port_add(one, &err), 0);
	assert_int_equal(port_check(one, &err), 0);
	assert_int_equal(port_remove("two", &err), 0);
	assert_int_equal(port_check(one, &err), 0);
	assert_int_equal(port_remove("one", &err), 0);
	assert_int_equal(port_check(one, &err), -ENOENT);
	assert_int_equal(port_check(want(&w, "one", "10.88.0.5/16", NULL), &err), 0);
	assert_int_equal(masquerade_remove("one", &err), 0);
	assert_int_equal(port_check(want(&w, "one", "10.88.0.5/16", NULL), &err), -ENOENT);
}

static void names_whose_a_port_is(void **state)
{
	struct want one, two;

	(void)state;
	own_network();
	assert_int_equal(port_add(want(&one, "one", "10.88.0.5/16", "8080-8089:80-89"), &err), 0);
	assert_int_equal(port_add(want(&two, "two", "10.88.0.6/16", "8085:80"), &err), -EADDRINUSE);
	assert_non_null(
		strstr(err.msg, "port 8085/tcp of the host is published for another container"));
	assert_non_null(strstr(err.msg, "key one "));
	/* Nothing of it is left. */
	assert_int_equal(port_check(want(&two, "two", "10.88.0.6/16", NULL), &err), -ENOENT);
	assert_int_equal(port_add(want(&two, "two", "10.88.0.6/16", "192.0.2.1:8085:80"), &err),
			 -EADDRINUSE);
	assert_int_equal(port_add(want(&two, "two", "10.88.0.6/16", "8085:80/udp"), &err), 0);
	assert_int_equal(port_add(want(&two, "three", "10.88.0.5/16", "9000:80"), &err),
			 -EADDRINUSE);
	assert_non_null(strstr(err.msg, "address 10.88.0.5 belongs to another container"));
}

static void refuses_what_makes_no_sense(void **state)
{
	struct want w;

	(void)state;
	own_network();
	want(&w, "one", "10.88.0.5/16", "8080:80");
	w.maps[1] = w.maps[0];
	w.wish.ports.count = 2;
	assert_int_equal(port_add(&w.wish, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "port 8080/tcp of the host is to be published twice"));
	assert_int_equal(port_add(want(&w, "one", "10.88.0.5/16", "[2001:db8::1]:8080:80"), &err),
			 -EINVAL);
	assert_int_equal(port_add(want(&w, "one", "fd88::5/64", "[::1]:8080:80"), &err), -EINVAL);
	want(&w, "one", "10.88.0.5/16", "8080:80");
	w.maps[0].count = 60000;
	assert_int_equal(port_add(&w.wish, &err), -EINVAL);
}

static void lists_owners_once(void **state)
{
	struct want w;
	struct firewall_wish f = { .owner = "wall", .addresses = w.nets, .address_count = 1 };
	autoarena a = ARENA_INIT;
	struct strv owners;

	(void)state;
	own_network();
	assert_int_equal(port_owners(&a, &owners, &err), 0);
	assert_int_equal(owners.count, 0);
	assert_int_equal(port_add(want(&w, "two", "10.88.0.6/16", "81:80"), &err), 0);
	assert_int_equal(port_add(want(&w, "one", "10.88.0.5/16", "80:80"), &err), 0);
	assert_int_equal(firewall_add(&f, &err), 0);
	assert_int_equal(port_owners(&a, &owners, &err), 0);
	assert_int_equal(owners.count, 3);
	assert_string_equal(owners.items[0], "one");
	assert_string_equal(owners.items[1], "two");
	assert_string_equal(owners.items[2], "wall");
	for (size_t i = 0; i < owners.count; i++)
		assert_int_equal(port_forget(owners.items[i], &err), 0);
	assert_int_equal(port_owners(&a, &owners, &err), 0);
	assert_int_equal(owners.count, 0);
}

/* Somebody else changes the ruleset while port_forget_unless() looks. */
struct meanwhile {
	const struct port_wish *adds;	/* the first time */
	unsigned int calls, again_from; /* from which call on the owner has come again; 0: never */
};

static bool came_again(void *arg)
{
	struct meanwhile *m = arg;

	if (++m->calls == 1 && m->adds)
		assert_int_equal(port_add(m->adds, &err), 0);
	return m->again_from && m->calls >= m->again_from;
}

static void forgets_unless_it_came_again(void **state)
{
	struct want one, other;
	const struct port_wish *wish = want(&one, "one", "10.88.0.5/16", "8080:80");
	struct meanwhile gone = { want(&other, "two", "10.88.0.6/16", "8081:80") };
	struct meanwhile again = { wish, .again_from = 2 }, there = { .again_from = 1 };

	(void)state;
	own_network();
	assert_int_equal(port_add(wish, &err), 0);
	assert_int_equal(port_forget_unless("one", AF_INET, came_again, &there, &err), 0);
	assert_int_equal(there.calls, 1);
	assert_int_equal(port_check(wish, &err), 0);
	/* It claims what it had before; that it was not there when we looked counts no more. */
	assert_int_equal(port_forget_unless("one", AF_INET, came_again, &again, &err), 0);
	assert_int_equal(again.calls, 2);
	assert_int_equal(port_check(wish, &err), 0);
	/* Another's change makes us look again, and is not touched. */
	assert_int_equal(port_forget_unless("one", AF_INET, came_again, &gone, &err), 0);
	assert_int_equal(gone.calls, 2);
	assert_int_equal(port_check(wish, &err), -ENOENT);
	assert_int_equal(port_check(&other.wish, &err), 0);
}

/* What an attachment has by its wishes, of two plugins. */
static void rules_of(const struct port_wish *w, const struct firewall_wish *f,
		     struct port_rules *ret_rules)
{
	*ret_rules = (struct port_rules){ { BUF_INIT }, { BUF_INIT } };
	port_want(&ret_rules->ports, w);
	firewall_want(&ret_rules->admitted, f);
}

static void forgets_what_was_asked_for(void **state)
{
	struct want one, other;
	const struct port_wish *wish = want(&one, "one", "10.88.0.5/16", "8080:80");
	const struct firewall_wish f = { .owner = "one",
					 .addresses = wish->addresses,
					 .address_count = wish->address_count };
	struct port_rules rules;

	(void)state;
	own_network();
	want(&other, "two", "10.88.0.6/16", "8081:80");
	rules_of(wish, &f, &rules);
	assert_int_equal(port_add(wish, &err), 0);
	assert_int_equal(firewall_add(&f, &err), 0);
	assert_int_equal(port_add(&other.wish, &err), 0);
	assert_int_equal(port_forget_rules("one", &rules, &err), 0);
	assert_int_equal(port_check(wish, &err), -ENOENT);
	assert_int_equal(firewall_check(&f, &err), -ENOENT);
	assert_int_equal(port_check(&other.wish, &err), 0);
	/* Some or all of it is gone already. */
	assert_int_equal(port_forget_rules("one", &rules, &err), 0);
	assert_int_equal(port_add(wish, &err), 0);
	assert_int_equal(port_forget_rules("one", &rules, &err), 0);
	assert_int_equal(port_check(wish, &err), -ENOENT);
	port_rules_done(&rules);
}

/* Somebody emptied the tables, and another container came to the port. */
static void leaves_a_port_that_is_anothers_by_now(void **state)
{
	struct want one, other;
	const struct port_wish *wish = want(&one, "one", "10.88.0.5/16", "8080:80");
	const struct port_wish *next = want(&other, "two", "10.88.0.6/16", "8080:80");
	const struct firewall_wish none = { .owner = "one" };
	struct port_rules rules;

	(void)state;
	own_network();
	rules_of(wish, &none, &rules);
	assert_int_equal(port_add(next, &err), 0);
	assert_int_equal(port_forget_rules("one", &rules, &err), 0);
	assert_int_equal(port_check(next, &err), 0);
	port_rules_done(&rules);
}

static void breaks_and_repairs(const char *command, bool kept)
{
	struct want w;
	const struct port_wish *one = want(&w, "one", "10.88.0.5/16", "8080:80");

	assert_int_equal(port_add(one, &err), 0);
	assert_int_equal(port_is_whole(&err), 1);
	assert_int_equal(port_repair(&err), 0);
	run(command);
	assert_int_equal(port_is_whole(&err), 0);
	assert_int_equal(port_repair(&err), 1);
	assert_int_equal(port_is_whole(&err), 1);
	assert_int_equal(port_check(one, &err), kept ? 0 : -ENOENT);
	assert_int_equal(port_add(one, &err), 0);
	assert_int_equal(port_check(one, &err), 0);
}

static void own_network_with_nft(void)
{
	own_network();
	if (system("command -v nft >/dev/null") == 0)
		return;
	print_message("# skip: needs nft\n");
	skip();
}

static void repairs_after_a_flush_of_all(void **state)
{
	(void)state;
	own_network_with_nft();
	breaks_and_repairs("nft flush ruleset", false);
}

static void repairs_after_the_table_is_gone(void **state)
{
	(void)state;
	own_network_with_nft();
	breaks_and_repairs("nft delete table inet tote", false);
}

static void repairs_rules_and_keeps_elements(void **state)
{
	(void)state;
	own_network_with_nft();
	breaks_and_repairs("nft flush table inet tote", true);
	assert_int_equal(port_forget("one", &err), 0);
	breaks_and_repairs("nft insert rule inet tote ports accept", true);
	assert_int_equal(port_forget("one", &err), 0);
	breaks_and_repairs("nft flush chain inet tote outside_10.88.0.0/16", true);
	assert_int_equal(port_forget("one", &err), 0);
	breaks_and_repairs("nft insert rule inet tote hairpin_10.88.0.0/16 accept", true);
	assert_int_equal(port_forget("one", &err), 0);
	breaks_and_repairs("nft add table inet tote '{ flags dormant; }'", true);
}

static void repairs_what_is_something_else(void **state)
{
	(void)state;
	own_network_with_nft();
	breaks_and_repairs(
		"nft delete table inet tote && nft add table inet tote && "
		"nft add set inet tote ports4 '{ type mark; }' && nft add chain inet tote guard",
		false);
}

/* A version that keeps addresses in other sets, pairs of them, and has no chain for a network. Its ports are kept. */
static void adds_to_a_table_of_another_version(void **state)
{
	struct want one, two;
	const struct port_wish *wish = want(&one, "one", "10.88.0.5/16", "8080:80");
	const struct port_wish *next = want(&two, "two", "10.88.0.6/16", "8081:80");

	(void)state;
	own_network_with_nft();
	run("nft 'table inet tote { "
	    "map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; "
	    "elements = { tcp . 8080 comment \"one\" : 10.88.0.5 . 80 }; }; "
	    "set hairpin4 { type ipv4_addr . ipv4_addr; flags interval; "
	    "elements = { 10.88.0.5 . 10.88.0.0/16 comment \"one\" }; }; "
	    "set masquerade4 { type ipv4_addr; elements = { 10.88.0.5 comment \"one\" }; }; "
	    "chain postrouting { type nat hook postrouting priority srcnat; "
	    "ip saddr @masquerade4 masquerade; }; }'");
	assert_int_equal(port_check(wish, &err), -ENOENT);
	assert_int_equal(port_add(next, &err), 0);
	assert_int_equal(port_check(next, &err), 0);
	assert_int_equal(port_is_whole(&err), 1);
	run("nft list map inet tote ports4 | grep -q 'tcp . 8080'");
	assert_int_equal(port_add(wish, &err), 0);
	assert_int_equal(port_check(wish, &err), 0);
}

/* Who adds does not remove what others have made, and says what does. */
static void adds_to_no_table_of_others(void **state)
{
	struct want w;
	const struct port_wish *wish = want(&w, "one", "10.88.0.5/16", "8080:80");

	(void)state;
	own_network_with_nft();
	run("nft 'table inet tote { set ports4 { type mark; }; }'");
	assert_true(port_add(wish, &err) < 0);
	assert_non_null(strstr(err.msg, "see `tote network repair`"));
	assert_int_equal(port_repair(&err), 1);
	assert_int_equal(port_add(wish, &err), 0);
	assert_int_equal(port_check(wish, &err), 0);
}

#define ROUNDS 25 /* of changes to the same chains, some of which the kernel refuses after 20 ms */

static void come_and_go(int number)
{
	char owner[16], address[32];
	struct want w;

	snprintf(owner, sizeof(owner), "c%d", number);
	snprintf(address, sizeof(address), "10.88.0.%d/24", number + 1);
	for (int i = 0; i < ROUNDS; i++)
		if (port_add(want(&w, owner, address, NULL), &err) < 0 ||
		    port_check(&w.wish, &err) < 0 || port_forget(owner, &err) < 0)
			fail_msg("%s", err.msg);
}

static void prune_all_the_time(int number)
{
	(void)number;
	for (int i = 0; i < ROUNDS * 10; i++)
		if (port_prune(&err) < 0)
			fail_msg("%s", err.msg);
}

/* The table is never found to be broken, which it is not. */
static void repair_all_the_time(int number)
{
	(void)number;
	for (int i = 0; i < ROUNDS * 10; i++)
		if (port_repair(&err) != 0)
			fail_msg("repaired: %s", err.msg);
}

static void comes_between_prune_and_repair(void **state)
{
	static void (*const parts[])(int) = { come_and_go, come_and_go, prune_all_the_time,
					      repair_all_the_time };
	pid_t pids[ARRAY_SIZE(parts)];
	int status;

	(void)state;
	own_network();
	assert_int_equal(port_repair(&err), 1);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			parts[i]((int)i);
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(port_is_whole(&err), 1);
}

static void prunes_networks_that_nobody_is_on(void **state)
{
	struct want one, two;
	struct firewall_wish f = { .owner = "two", .addresses = two.nets, .address_count = 1 };

	(void)state;
	own_network_with_nft();
	assert_int_equal(port_prune(&err), 0);
	assert_int_equal(port_add(want(&one, "one", "10.88.0.5/16", "8080:80"), &err), 0);
	assert_int_equal(port_add(want(&two, "two", "fd88::5/64", "8081:80"), &err), 0);
	assert_int_equal(firewall_add(&f, &err), 0);
	assert_int_equal(port_forget("one", &err), 0);
	run("nft list chain inet tote hairpin_10.88.0.0/16 >/dev/null");
	assert_int_equal(port_prune(&err), 0);
	run("! nft list ruleset | grep -q 10.88");
	assert_int_equal(port_check(&two.wish, &err), 0);
	assert_int_equal(port_is_whole(&err), 1);
	assert_int_equal(port_forget("two", &err), 0);
	assert_int_equal(port_prune(&err), 0);
	run("! nft list ruleset | grep -q fd88");
	assert_int_equal(port_is_whole(&err), 1);
}

/* Prefixes of every kind, also those that end within a byte, in both families. */
static void has_a_chain_for_each_network(void **state)
{
	static const struct {
		const char *address, *rule;
	} networks[] = {
		{ "10.88.77.5/0", "ip daddr != 0.0.0.0/0" },
		{ "10.88.77.5/13", "ip daddr != 10.88.0.0/13" },
		{ "10.88.77.5/32", "ip daddr != 10.88.77.5" },
		{ "fd88:1:2:3::5/61", "ip6 daddr != fd88:1:2::/61" },
		{ "::5/128", "ip6 daddr != ::5" },
	};
	char command[256];
	struct want w;

	(void)state;
	own_network_with_nft();
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		assert_int_equal(port_add(want(&w, "one", networks[i].address, NULL), &err), 0);
		snprintf(command, sizeof(command), "nft list ruleset | grep -qF '%s goto outside'",
			 networks[i].rule);
		run(command);
		assert_int_equal(port_forget("one", &err), 0);
	}
	/* What nft(8) says it can read. */
	run("nft list ruleset >dump.$PPID && nft flush ruleset && nft -f dump.$PPID && "
	    "nft list ruleset | cmp - dump.$PPID; e=$?; rm dump.$PPID; exit $e");
	assert_int_equal(port_is_whole(&err), 1);
}

static void adds_to_an_empty_table(void **state)
{
	struct want w;

	(void)state;
	own_network_with_nft();
	run("nft add table inet tote");
	assert_int_equal(port_add(want(&w, "one", "10.88.0.5/16", "8080:80"), &err), 0);
	assert_int_equal(port_check(&w.wish, &err), 0);
	assert_int_equal(port_is_whole(&err), 1);
}

static void repairs_the_way_through_a_firewall(void **state)
{
	struct want w;
	struct firewall_wish f = { .owner = "one", .addresses = w.nets, .address_count = 1 };

	(void)state;
	own_network_with_nft();
	run("nft add table inet admin && "
	    "nft add chain inet admin forward '{ type filter hook forward priority 0; policy drop; "
	    "}'");
	assert_int_equal(port_add(want(&w, "one", "10.88.0.5/16", "8080:80"), &err), 0);
	assert_int_equal(firewall_add(&f, &err), 0);
	assert_int_equal(firewall_check(&f, &err), 0);
	run("nft list chain inet admin forward | grep -q 0x10000000");
	run("nft flush chain inet admin forward");
	assert_int_equal(firewall_check(&f, &err), -ENOENT);
	assert_int_equal(port_is_whole(&err), 0);
	assert_int_equal(port_repair(&err), 1);
	assert_int_equal(port_is_whole(&err), 1);
	run("nft flush chain inet tote_firewall forward");
	assert_int_equal(port_is_whole(&err), 0);
	assert_int_equal(port_repair(&err), 1);
	assert_int_equal(firewall_check(&f, &err), 0);
	assert_int_equal(firewall_remove("one", &err), 0);
	run("! nft list chain inet admin forward | grep -q 0x10000000");
	run("! nft list table inet tote_firewall | grep -q elements");
}

static void reads_what_listens(void **state)
{
	struct port_listener l;
	struct ip expected;

	(void)state;
	assert_true(port_listener_parse(
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
		"00000000     0        0 12345 1 ffff 100 0 0 10 0\n",
		&l));
	assert_int_equal(l.port, 8080);
	assert_int_equal(l.state, 10);
	assert_int_equal(l.inode, 12345);
	assert_int_equal(ip_parse("127.0.0.1", &expected), 0);
	assert_true(ip_equal(&l.ip, &expected));
	assert_true(
		port_listener_parse("  12: B80D0120000000000000000001000000:0050 "
				    "00000000000000000000000000000000:0000 07 00000000:00000000 "
				    "00:00000000 00000000  1000        0 7 2 ffff 0\n",
				    &l));
	assert_int_equal(ip_parse("2001:db8::1", &expected), 0);
	assert_true(ip_equal(&l.ip, &expected));
	assert_int_equal(l.inode, 7);
	assert_false(port_listener_parse("  sl  local_address rem_address   st tx_queue", &l));
	assert_false(port_listener_parse("", &l));
	assert_false(port_listener_parse("0: 0100007F", &l));
	assert_false(port_listener_parse("0: 0100007F:1F90 00000000:0000 0A 0 0 0", &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_checks_and_removes),
		cmocka_unit_test(names_whose_a_port_is),
		cmocka_unit_test(refuses_what_makes_no_sense),
		cmocka_unit_test(lists_owners_once),
		cmocka_unit_test(forgets_unless_it_came_again),
		cmocka_unit_test(forgets_what_was_asked_for),
		cmocka_unit_test(leaves_a_port_that_is_anothers_by_now),
		cmocka_unit_test(repairs_after_a_flush_of_all),
		cmocka_unit_test(repairs_after_the_table_is_gone),
		cmocka_unit_test(repairs_rules_and_keeps_elements),
		cmocka_unit_test(repairs_what_is_something_else),
		cmocka_unit_test(adds_to_a_table_of_another_version),
		cmocka_unit_test(adds_to_no_table_of_others),
		cmocka_unit_test(comes_between_prune_and_repair),
		cmocka_unit_test(prunes_networks_that_nobody_is_on),
		cmocka_unit_test(has_a_chain_for_each_network),
		cmocka_unit_test(adds_to_an_empty_table),
		cmocka_unit_test(repairs_the_way_through_a_firewall),
		cmocka_unit_test(reads_what_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

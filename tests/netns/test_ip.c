/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/ip.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

static struct ip_net net_of(const char *text)
{
	struct ip_net net;

	assert_int_equal(ip_net_parse(text, &net), 0);
	return net;
}

static void addresses_are_read_and_written(void **state)
{
	static const char *const same[] = {
		"0.0.0.0", "10.88.0.5",		"255.255.255.255", "::",
		"fd00::5", "2001:db8::1:0:0:1", "fe80::ffff",	   "::1"
	};
	char text[IP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct ip ip = ip_of(same[i]);

		assert_string_equal(ip_text(&ip, text), same[i]);
		assert_int_equal(ip.family, strchr(same[i], ':') ? AF_INET6 : AF_INET);
	}
}

static void an_ipv4_address_within_ipv6_is_ipv4(void **state)
{
	struct ip ip = ip_of("::ffff:10.1.2.3"), plain = ip_of("10.1.2.3");
	struct ip_net net = net_of("::ffff:10.1.2.0/120");
	struct ip_net bad;
	char text[IP_TEXT_SIZE];

	(void)state;
	assert_memory_equal(&ip, &plain, sizeof(ip));
	assert_string_equal(ip_net_text(&net, text), "10.1.2.0/24");
	assert_int_equal(ip_net_parse("::ffff:10.1.2.0/24", &bad), -EINVAL);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	      "10.88.0",      "10.88.0.256", "10.88.0.5 ", " 10.88.0.5",
		"010.88.0.5", "10.88.0.5/24", "fd00::5::1",  "g::",	   "fd00::5%eth0",
		"1"
	};
	struct ip ip = { .family = 77 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ip_parse(bad[i], &ip) != -EINVAL)
			fail_msg("%s is taken for an address", bad[i]);
		assert_int_equal(ip.family, 77);
	}
}

static void what_is_no_prefix_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"10.88.0.5",
		"10.88.0.5/",
		"10.88.0.5/33",
		"10.88.0.5/ 24",
		"10.88.0.5/-1",
		"10.88.0.5/24 ",
		"10.88.0.5/24x",
		"fd00::/129",
		"/24",
		"10.88.0.5/99999999",
		"10.88.0/24",
		"fd00::5/+64",
		"10.88.0.5//24",
		"10.88.0.5/18446744073709551640",
	};
	struct ip_net net;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (ip_net_parse(bad[i], &net) != -EINVAL)
			fail_msg("%s is taken for a prefix", bad[i]);
}

static void a_prefix_has_a_first_and_a_last_address(void **state)
{
	static const struct {
		const char *net, *base, *last;
	} rows[] = {
		{ "10.88.3.5/24", "10.88.3.0/24", "10.88.3.255" },
		{ "10.88.3.5/20", "10.88.0.0/20", "10.88.15.255" },
		{ "10.88.3.5/32", "10.88.3.5/32", "10.88.3.5" },
		{ "10.88.3.5/31", "10.88.3.4/31", "10.88.3.5" },
		{ "10.88.3.5/0", "0.0.0.0/0", "255.255.255.255" },
		{ "fd00::1234/64", "fd00::/64", "fd00::ffff:ffff:ffff:ffff" },
		{ "fd00::1234/121", "fd00::1200/121", "fd00::127f" },
		{ "fd00::1/128", "fd00::1/128", "fd00::1" },
	};
	char text[IP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip_net net = net_of(rows[i].net), base = ip_net_base(&net);
		struct ip last = ip_net_last(&net);

		assert_string_equal(ip_net_text(&base, text), rows[i].base);
		assert_string_equal(ip_text(&last, text), rows[i].last);
		assert_true(ip_net_has(&net, &last));
		assert_true(ip_net_has(&base, &net.ip));
	}
}

static void addresses_are_counted(void **state)
{
	static const char *const rows[][2] = {
		{ "10.88.0.255", "10.88.1.0" },
		{ "10.255.255.255", "11.0.0.0" },
		{ "fd00::ffff", "fd00::1:0" },
		{ "::ffff:ffff", "::1:0:0" },
	};
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip before = ip_of(rows[i][0]), after = ip_of(rows[i][1]);

		ip = before;
		assert_true(ip_next(&ip));
		assert_memory_equal(&ip, &after, sizeof(ip));
		assert_true(ip_previous(&ip));
		assert_memory_equal(&ip, &before, sizeof(ip));
		assert_true(ip_compare(&before, &after) < 0);
		assert_true(ip_compare(&after, &before) > 0);
	}
}

static void there_is_nothing_beyond_the_ends(void **state)
{
	static const char *const first[] = { "0.0.0.0", "::" };
	static const char *const last[] = { "255.255.255.255",
					    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ip low = ip_of(first[i]), high = ip_of(last[i]);
		struct ip low_was = low, high_was = high;

		assert_false(ip_previous(&low));
		assert_true(ip_equal(&low, &low_was));
		assert_false(ip_next(&high));
		assert_true(ip_equal(&high, &high_was));
	}
}

static void families_do_not_mix(void **state)
{
	struct ip four = ip_of("255.0.0.1"), six = ip_of("::1");
	struct ip_net all = net_of("0.0.0.0/0"), all_six = net_of("::/0");

	(void)state;
	assert_true(ip_compare(&four, &six) < 0);
	assert_false(ip_equal(&four, &six));
	assert_false(ip_net_has(&all, &six));
	assert_false(ip_net_has(&all_six, &four));
	assert_false(ip_net_overlap(&all, &all_six));
}

static void prefixes_overlap_or_not(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "10.88.0.0/16", "10.88.7.0/24", true },
		{ "10.88.7.9/24", "10.88.7.200/24", true },
		{ "10.88.0.0/24", "10.88.1.0/24", false },
		{ "10.88.0.0/23", "10.88.1.0/24", true },
		{ "0.0.0.0/0", "192.0.2.0/24", true },
		{ "fd00::/64", "fd00:0:0:1::/64", false },
		{ "fd00::/48", "fd00:0:0:1::/64", true },
		{ "10.0.0.128/25", "10.0.0.0/25", false },
		{ "10.88.0.1/32", "10.88.0.1/32", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip_net a = net_of(rows[i].a), b = net_of(rows[i].b);

		assert_int_equal(ip_net_overlap(&a, &b), rows[i].overlap);
		assert_int_equal(ip_net_overlap(&b, &a), rows[i].overlap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(an_ipv4_address_within_ipv6_is_ipv4),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(a_prefix_has_a_first_and_a_last_address),
		cmocka_unit_test(addresses_are_counted),
		cmocka_unit_test(there_is_nothing_beyond_the_ends),
		cmocka_unit_test(families_do_not_mix),
		cmocka_unit_test(prefixes_overlap_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

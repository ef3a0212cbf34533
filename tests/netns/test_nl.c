/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/nl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NUMBER 1
#define TEXT 2
#define NEST 3

static char room[256] __attribute__((aligned(NLMSG_ALIGNTO)));

static const struct nlattr *first(const struct nlmsghdr *nlh, const struct nlattr *prev)
{
	return nl_next_attr(nl_payload(nlh), (const char *)nlh + nlh->nlmsg_len, prev);
}

static void what_is_put_is_read(void **state)
{
	struct nlmsghdr *nlh = nl_message(room);
	const struct nlattr *a, *inner;
	struct nlattr *nest;

	(void)state;
	memset(room + sizeof(*nlh), 0xff, sizeof(room) - sizeof(*nlh));
	nl_put_text(nlh, TEXT, "eth0");
	nest = nl_nest(nlh, NEST);
	nl_put_u8(nlh, NUMBER, 7);
	nl_put_u64(nlh, NUMBER, 1ULL << 40);
	nl_nest_end(nlh, nest);
	nl_put_u16(nlh, NUMBER, 0x102);
	assert_int_equal(nlh->nlmsg_len % NLMSG_ALIGNTO, 0);

	a = first(nlh, NULL);
	assert_int_equal(nl_type(a), TEXT);
	assert_int_equal(nl_size(a), 5);
	assert_string_equal(nl_text(a), "eth0");
	/* The kernel wants padding to be zero. */
	assert_memory_equal((const char *)nl_data(a) + 5, "\0\0\0", 3);
	a = first(nlh, a);
	assert_int_equal(nl_type(a), NEST);
	assert_true(a->nla_type & NLA_F_NESTED);
	inner = nl_next_nested(a, NULL);
	assert_int_equal(nl_u8(inner), 7);
	inner = nl_next_nested(a, inner);
	assert_true(nl_u64(inner) == 1ULL << 40);
	assert_null(nl_next_nested(a, inner));
	a = first(nlh, a);
	assert_int_equal(nl_u16(a), 0x102);
	assert_null(first(nlh, a));
}

static void what_is_too_short_or_absent_is_nothing(void **state)
{
	struct nlmsghdr *nlh = nl_message(room);
	const struct nlattr *a;

	(void)state;
	nl_put_u16(nlh, NUMBER, 0xffff);
	nl_put(nlh, TEXT, 3, "abc");
	nl_put(nlh, TEXT, 0, NULL);
	a = first(nlh, NULL);
	assert_int_equal(nl_u32(a), 0);
	assert_true(nl_u64(a) == 0);
	a = first(nlh, a);
	assert_null(nl_text(a));
	a = first(nlh, a);
	assert_null(nl_text(a));
	assert_int_equal(nl_u8(a), 0);
	assert_int_equal(nl_u32(NULL), 0);
	assert_null(nl_text(NULL));
	assert_null(nl_next_nested(NULL, NULL));
	assert_null(nl_next_attr(NULL, NULL, NULL));
}

static void an_attribute_that_leaves_its_message_ends_the_walk(void **state)
{
	struct nlmsghdr *nlh = nl_message(room);
	struct nlattr *a = (void *)(room + NLMSG_HDRLEN);

	(void)state;
	nl_put_u32(nlh, NUMBER, 1);
	assert_non_null(first(nlh, NULL));
	a->nla_len = 9;
	assert_null(first(nlh, NULL));
	a->nla_len = 3;
	assert_null(first(nlh, NULL));
}

static void messages_are_walked_to_the_last_whole_one(void **state)
{
	struct nlmsghdr *one = nl_message(room), *two;
	size_t size;

	(void)state;
	nl_put_u8(one, NUMBER, 1);
	two = nl_message(room + one->nlmsg_len);
	memset(nl_put_header(two, 6), 1, 6);
	assert_int_equal(nl_payload_size(two), 8);
	size = one->nlmsg_len + two->nlmsg_len;
	assert_ptr_equal(nl_next(room, size, NULL), one);
	assert_ptr_equal(nl_next(room, size, one), two);
	assert_null(nl_next(room, size, two));
	assert_null(nl_next(room, size - 1, one));
	assert_null(nl_next(room, sizeof(*one) - 1, NULL));
	assert_null(nl_next(room, 0, NULL));
	one->nlmsg_len = 4;
	assert_null(nl_next(room, size, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_read),
		cmocka_unit_test(what_is_too_short_or_absent_is_nothing),
		cmocka_unit_test(an_attribute_that_leaves_its_message_ends_the_walk),
		cmocka_unit_test(messages_are_walked_to_the_last_whole_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

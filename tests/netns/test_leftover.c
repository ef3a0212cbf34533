/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/leftover.h"

#include "lib/cleanup.h"
#include "netns/cni.h"
#include "netns/port.h"
#include "netns/record.h"
#include "netns/repair.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static char run_dir[] = "/tmp/test_leftover.XXXXXX";
static int run_fd;
static struct err err;

static int make_run_dir(void **state)
{
	(void)state;
	if (!mkdtemp(run_dir))
		return -1;
	run_fd = record_dir_open(run_dir, &err);
	return run_fd < 0 ? -1 : 0;
}

static int remove_run_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	return system(command);
}

/* What one attachment left: a veth, in a network namespace of the test's own. */
struct left {
	struct arena a;
	struct cni_network network;
	struct attach at;
	char veth[IFNAMSIZ];
	struct buf list, links;
};

static void leave_something(struct left *l)
{
	char command[128];

	*l = (struct left){ .a = ARENA_INIT };
	if (unshare(CLONE_NEWNET) < 0) {
		print_message("# skip: cannot make a network namespace\n");
		skip();
	}
	assert_int_equal(cni_network_builtin(&l->a, &l->network, &err), 0);
	l->at = (struct attach){ .container = "till",
				 .ifname = "eth0",
				 .network = l->network.name,
				 .arena = &l->a,
				 .err = &err };
	attach_name(&l->at, "veth", l->veth);
	snprintf(command, sizeof(command), "ip link add %s type veth peer name eth0", l->veth);
	assert_int_equal(system(command), 0);
	leftover_note(&l->at, &l->list);
}

static void came_again_to(struct left *l, const char *network)
{
	struct record r = { .container = (char *)"till", .ifname = (char *)"eth0" };

	r.network = l->network;
	r.network.name = (char *)network;
	assert_int_equal(record_save(run_fd, &r, &err), 0);
}

static void ends(struct left *l)
{
	assert_int_equal(record_remove(run_fd, "till", "eth0", &err), 0);
	buf_done(&l->list);
	buf_done(&l->links);
	arena_done(&l->a);
}

static void assert_removed(struct left *l)
{
	leftovers_links(run_dir, &l->list, &l->links);
	assert_int_equal(l->links.len, sizeof(int));
	ends(l);
}

static void what_is_nobodys_is_removed(void **state)
{
	struct left l;

	(void)state;
	leave_something(&l);
	assert_removed(&l);
}

static void what_the_next_one_has_stays(void **state)
{
	struct left l;

	(void)state;
	leave_something(&l);
	came_again_to(&l, l.network.name);
	leftovers_links(run_dir, &l.list, &l.links);
	assert_int_equal(l.links.len, 0);
	ends(&l);
}

/* There it has other names. */
static void one_that_comes_to_another_network_has_none_of_it(void **state)
{
	struct left l;

	(void)state;
	leave_something(&l);
	came_again_to(&l, "shop");
	assert_removed(&l);
}

static void a_directory_that_is_gone_knows_nobody(void **state)
{
	struct left l;

	(void)state;
	leave_something(&l);
	leftovers_links("/nonexistent", &l.list, &l.links);
	assert_int_equal(l.links.len, sizeof(int));
	ends(&l);
}

/* While gc removes what one container left, the other one comes again. */
struct coming {
	const char *const *keys; /* of two containers */
	int told;
};

static const char *const names[] = { "one", "two" };

static void other_comes_again(void *arg, bool failed, const char *line)
{
	struct coming *c = arg;
	struct record r = { .ifname = (char *)"eth0", .network = { .name = (char *)"shop" } };
	struct json_value none = { .kind = JSON_ARRAY };

	assert_false(failed);
	assert_int_equal(c->told++, 0);
	r.network.plugins = &none;
	r.container = (char *)(uintptr_t)names[strstr(line, c->keys[0]) != NULL];
	r.owner = (char *)"/";
	assert_int_equal(record_save(run_fd, &r, &err), 0);
}

static void gc_leaves_what_came_again(void **state)
{
	static const struct ip_net ips[] = { { { AF_INET, { 10, 88, 0, 5 } }, 16 },
					     { { AF_INET, { 10, 88, 0, 6 } }, 16 } };
	char keys[2][ATTACH_KEY_SIZE];
	struct coming coming = { (const char *[]){ keys[0], keys[1] }, 0 };
	const struct repair rp = { run_dir, "", run_fd, other_comes_again, &coming, false };
	struct port_wish wishes[2];
	int left = 0;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	for (int i = 0; i < 2; i++) {
		const struct attach at = { .container = names[i],
					   .ifname = "eth0",
					   .network = "shop" };

		attach_key(&at, keys[i]);
		wishes[i] = (struct port_wish){ .owner = keys[i],
						.addresses = &ips[i],
						.address_count = 1,
						.masquerade = true };
		assert_int_equal(port_add(&wishes[i], &err), 0);
	}
	assert_int_equal(repair_gc(&rp, &err), 0);
	assert_int_equal(coming.told, 1);
	for (int i = 0; i < 2; i++) {
		left += port_check(&wishes[i], &err) == 0;
		assert_int_equal(record_remove(run_fd, names[i], "eth0", &err), 0);
	}
	assert_int_equal(left, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_nobodys_is_removed),
		cmocka_unit_test(what_the_next_one_has_stays),
		cmocka_unit_test(one_that_comes_to_another_network_has_none_of_it),
		cmocka_unit_test(a_directory_that_is_gone_knows_nobody),
		cmocka_unit_test(gc_leaves_what_came_again),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/tree.h"
#include "netns/conf.h"
#include "netns/record.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static int parse(const char *text, struct arena *a, struct cni_network *ret, struct err *err)
{
	return cni_network_parse(text, strlen(text), a, ret, err);
}

/* The types in order, with blanks between. */
static char *types(const struct cni_network *network, struct arena *a)
{
	autobuf b = BUF_INIT;

	for (const struct json_value *p = network->plugins->first; p; p = p->next)
		buf_addf(&b, "%s%s", b.len ? " " : "", json_get(p, "type")->text);
	return arena_strdup(a, buf_str(&b));
}

static void lists_and_single_plugins(void **state)
{
	static const struct {
		const char *text, *version, *types;
		bool single, disable_check, disable_gc;
	} cases[] = {
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"a\"},{"
		  "\"type\":"
		  "\"b\"}]}",
		  "1.0.0", "a b", false, false, false },
		{ "{\"cniVersion\":\"0.3.1\",\"name\":\"n\",\"type\":\"bridge\",\"plugins\":null}",
		  "0.3.1", "bridge", true, false, false },
		{ "{\"name\":\"n\",\"type\":\"bridge\"}", "0.1.0", "bridge", true, false, false },
		{ "{\"cniVersion\":\"\",\"name\":\"n\",\"type\":\"bridge\"}", "0.1.0", "bridge",
		  true, false, false },
		{ "{\"cniVersion\":\"1.0.0\",\"cniVersions\":[\"1.1.0\",\"1.9.0\",\"0.4.0\"],"
		  "\"name\":"
		  "\"n\",\"disableCheck\":true,\"disableGC\":true,\"plugins\":[{\"type\":\"a\"}]}",
		  "1.1.0", "a", false, true, true },
		{ "{\"cniVersion\":\"1.9.0\",\"cniVersions\":[\"0.4.0\",\"0.3.0\"],\"name\":\"n\","
		  "\"plugins\":[{\"type\":\"a\"}]}",
		  "0.4.0", "a", false, false, false },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"tote-cni\",\"plugins\":[{"
		  "\"type\":\"bridge\"},{\"type\":\"portmap\"}]}",
		  "1.0.0", "bridge portmap", false, false, false },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"a\"},{"
		  "\"type\":"
		  "\"tote-cni\",\"plugins\":[{\"type\":\"b\"},{\"type\":\"c\"}]},{\"type\":\"d\"}]"
		  "}",
		  "1.0.0", "a b c d", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct cni_network n;
		struct err err = { 0 };

		assert_int_equal(parse(cases[i].text, &a, &n, &err), 0);
		assert_string_equal(n.name, "n");
		assert_string_equal(n.version, cases[i].version);
		assert_string_equal(types(&n, &a), cases[i].types);
		assert_int_equal(n.single, cases[i].single);
		assert_int_equal(n.disable_check, cases[i].disable_check);
		assert_int_equal(n.disable_gc, cases[i].disable_gc);
		assert_int_equal(n.plugins->kind, JSON_ARRAY);
	}
}

static void bad_networks(void **state)
{
	static const struct {
		const char *text, *message;
		int code;
	} cases[] = {
		{ "{", "invalid JSON: premature EOF in line 1", -EBADMSG },
		{ "[]", "a network's configuration has to be an object", -EINVAL },
		{ "{\"name\":7,\"type\":\"a\"}", "name: expected a string, found 7", -EINVAL },
		{ "{\"type\":\"a\"}", "name: missing", -EINVAL },
		{ "{\"name\":\"\",\"type\":\"a\"}", "name: missing", -EINVAL },
		{ "{\"name\":\"../x\",\"type\":\"a\"}",
		  "name: \"../x\": a network's name has letters, digits, \"_\", \".\" and \"-\", "
		  "begins "
		  "with a letter or digit, and has at most 255 of them",
		  -EINVAL },
		{ "{\"name\":\"n\"}", "plugins[0].type: missing", -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[]}", "plugins: there has to be one at least",
		  -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":{}}", "plugins: expected an array", -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"a\"},7]}",
		  "plugins[1]: expected an object", -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"a\"},{\"type\":7}]}",
		  "plugins[1].type: missing", -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"../../bin/sh\"}]}",
		  "plugins[0].type: \"../../bin/sh\" is no plugin's name", -EINVAL },
		{ "{\"name\":\"n\",\"type\":\"tote-cni\"}",
		  "plugins[0].type: tote-cni has to have \"plugins\", and none of them may be "
		  "tote-cni",
		  -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"tote-cni\",\"plugins\":[{\"type\":"
		  "\"tote-"
		  "cni\",\"plugins\":[{\"type\":\"a\"}]}]}]}",
		  "plugins[0].type: tote-cni has to have \"plugins\", and none of them may be "
		  "tote-cni",
		  -EINVAL },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"tote-cni\",\"plugins\":[]}]}",
		  "plugins: there has to be one at least", -EINVAL },
		{ "{\"cniVersion\":\"2.0.0\",\"name\":\"n\",\"type\":\"a\"}",
		  "cniVersion: 2.0.0 is unknown; 0.1.0 to 1.1.0 are spoken", -EPROTONOSUPPORT },
		{ "{\"cniVersions\":[\"2.0.0\"],\"name\":\"n\",\"type\":\"a\"}",
		  "cniVersions: none is known; 0.1.0 to 1.1.0 are spoken", -EPROTONOSUPPORT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct cni_network n;
		struct err err = { 0 };

		assert_int_equal(parse(cases[i].text, &a, &n, &err), cases[i].code);
		assert_int_equal(err.code, cases[i].code);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void names(void **state)
{
	char longest[257];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_false(cni_name_ok(longest));
	assert_true(cni_name_ok(longest + 1));
	assert_true(cni_name_ok("a"));
	assert_true(cni_name_ok("9.a_b-c"));
	assert_false(cni_name_ok(""));
	assert_false(cni_name_ok("-a"));
	assert_false(cni_name_ok(".a"));
	assert_false(cni_name_ok("a b"));
	assert_false(cni_name_ok("a/b"));
	assert_false(cni_name_ok("a\n"));
	assert_false(cni_name_ok("\xc3\xa9"));
}

static void ids(void **state)
{
	static const char *const good[] = { "a", "9.a_b-c", "_a", "-a", "+a", "a+.b" };
	static const char *const bad[] = { "", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa9" };
	char longest[257];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[256] = '\0';
	assert_false(record_id_ok(longest));
	assert_true(record_id_ok(longest + 1));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(record_id_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(record_id_ok(bad[i]));
}

static char dir_path[] = "/tmp/test_conf.XXXXXX";
static int dir = -1;

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir_path + sizeof(dir_path) - 7, "XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	dir = fd_open(AT_FDCWD, dir_path, O_RDONLY | O_DIRECTORY);
	return dir < 0 ? -1 : 0;
}

static int remove_dir(void **state)
{
	(void)state;
	close(dir);
	return tree_remove(AT_FDCWD, dir_path);
}

static void put(const char *name, const char *text)
{
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

#define PUT(name, network) put(name, "{\"name\":\"" network "\",\"type\":\"loopback\"}")

static void files_are_taken_in_lexical_order(void **state)
{
	autoarena a = ARENA_INIT;
	struct cni_networks all;
	struct cni_network n;
	struct err err = { 0 };

	(void)state;
	PUT("20-b.conf", "b");
	PUT("10-a.conflist", "a");
	PUT("30-c.json", "c");
	PUT("05-no.txt", "no");
	PUT(".00-hidden.conf", "hidden");
	PUT("40-b.conf", "b");
	put("15-broken.conflist", "{\"name\":\"x\"");
	put("16-empty.conf", "");
	assert_int_equal(mkdirat(dir, "17-dir.conf", 0700), 0);
	assert_int_equal(mkfifoat(dir, "18-fifo.conf", 0700), 0);
	assert_int_equal(cni_networks_load(dir_path, &a, &all, &err), 0);
	assert_int_equal(all.count, 3);
	assert_string_equal(all.items[0].name, "a");
	assert_string_equal(all.items[0].file, "10-a.conflist");
	assert_string_equal(all.items[1].file, "20-b.conf");
	assert_string_equal(all.items[2].name, "c");
	assert_int_equal(all.broken.count, 5);
	assert_string_equal(all.broken.items[4],
			    "40-b.conf: 20-b.conf has the network \"b\" already");
	assert_string_equal(all.broken.items[0],
			    "15-broken.conflist: invalid JSON: premature EOF in line 1");
	assert_int_equal(cni_network_find(dir_path, NULL, &a, &n, &err), 0);
	assert_string_equal(n.name, "a");
	assert_int_equal(cni_network_find(dir_path, "b", &a, &n, &err), 0);
	assert_string_equal(n.file, "20-b.conf");
	assert_int_equal(cni_network_find(dir_path, "x", &a, &n, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "; there are: a, b, c, bridge; cannot be used: 15-broken."
					"conflist: invalid JSON"));
}

static void bridge_needs_no_file(void **state)
{
	autoarena a = ARENA_INIT;
	struct cni_networks all;
	struct cni_network n;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(cni_networks_load("/nonexistent", &a, &all, &err), 0);
	assert_int_equal(all.count, 0);
	assert_int_equal(cni_network_find("/nonexistent", NULL, &a, &n, &err), 0);
	assert_string_equal(n.name, "bridge");
	assert_null(n.file);
	assert_string_equal(types(&n, &a), "bridge portmap firewall");
	assert_int_equal(cni_network_find("/nonexistent", "x", &a, &n, &err), -ENOENT);
	PUT("10-own.conf", "bridge");
	assert_int_equal(cni_network_find(dir_path, "bridge", &a, &n, &err), 0);
	assert_string_equal(types(&n, &a), "loopback");
}

static void a_broken_file_alone_is_an_error(void **state)
{
	autoarena a = ARENA_INIT;
	struct cni_network n;
	struct err err = { 0 };

	(void)state;
	put("10-x.conf", "{\"name\":\"x\",\"type\":\"/x\"}");
	assert_int_equal(cni_network_find(dir_path, NULL, &a, &n, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "10-x.conf: plugins[0].type"));
	assert_int_equal(cni_network_find(dir_path, "bridge", &a, &n, &err), 0);
}

static struct record sample(struct arena *a, const char *container, const char *ifname)
{
	static const char text[] = "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"disableGC\":true,"
				   "\"plugins\":[{\"type\":"
				   "\"a\",\"x\":[1,{}],\"prevResult\":{}},{\"type\":\"b\"}]}";
	static const char runtime[] = "{\"portMappings\":[{\"hostPort\":80}]}";
	struct record r = { .container = arena_strdup(a, container),
			    .ifname = arena_strdup(a, ifname),
			    .netns_path = arena_strdup(a, "/proc/self/ns/net"),
			    .done = true };
	struct json_value *v;
	struct ip_net net;
	struct err err;

	assert_int_equal(parse(text, a, &r.network, &err), 0);
	assert_int_equal(json_parse(runtime, strlen(runtime), a, &v, &err), 0);
	r.runtime = v;
	assert_int_equal(ip_net_parse("10.1.0.5/24", &net), 0);
	cni_add_ip(&r.result, a, &net);
	return r;
}

static void records_come_back(void **state)
{
	autoarena a = ARENA_INIT;
	struct record r = sample(&a, "web", "eth0"), again;
	struct records all;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(record_load(dir, "web", "eth0", &a, &again, &err), -ENOENT);
	assert_int_equal(record_save(dir, &r, &err), 0);
	assert_int_equal(record_load(dir, "web", "eth0", &a, &again, &err), 0);
	assert_string_equal(again.container, "web");
	assert_string_equal(again.network.name, "n");
	assert_true(again.network.disable_gc);
	assert_false(again.network.disable_check);
	assert_string_equal(types(&again.network, &a), "a b");
	assert_null(json_get(again.network.plugins->first, "prevResult"));
	assert_int_equal(json_get(again.network.plugins->first, "x")->count, 2);
	assert_non_null(json_get(again.runtime, "portMappings"));
	assert_int_equal(again.result.ips.count, 1);
	assert_true(again.done);
	assert_null(again.owner);

	/* A name that would be hidden, and what a killed writer leaves. */
	r = sample(&a, "web", ".eth1");
	assert_int_equal(record_save(dir, &r, &err), 0);
	put("attachments/web/.eth1.tmp", "{");
	r = sample(&a, "till", "eth0");
	assert_int_equal(record_save(dir, &r, &err), 0);
	put("attachments/till/eth9", "{");
	assert_int_equal(record_load(dir, "till", "eth9", &a, &again, &err), -EBADMSG);
	assert_int_equal(record_list(dir, NULL, &a, &all, &err), 0);
	assert_int_equal(all.count, 3);
	assert_string_equal(all.items[0].container, "till");
	assert_int_equal(all.broken.count, 1);
	assert_string_equal(all.broken.items[0].container, "till");
	assert_string_equal(all.broken.items[0].ifname, "eth9");
	assert_non_null(strstr(all.broken.items[0].why, "attachments/till/eth9: "));
	assert_int_equal(record_list(dir, "web", &a, &all, &err), 0);
	assert_int_equal(all.count, 2);
	assert_string_equal(all.items[0].ifname, ".eth1");
	assert_int_equal(record_remove(dir, "web", ".eth1", &err), 0);
	assert_int_equal(record_remove(dir, "web", ".eth1", &err), 0);
	assert_int_equal(record_list(dir, "web", &a, &all, &err), 0);
	assert_int_equal(all.count, 1);
	assert_int_equal(record_list(dir, "nobody", &a, &all, &err), 0);
	assert_int_equal(all.count, 0);
}

static void names_stay_below_the_directory(void **state)
{
	autoarena a = ARENA_INIT;
	struct record r = sample(&a, "../x", "eth0");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(record_save(dir, &r, &err), -EINVAL);
	assert_int_equal(record_lock(dir, "..", &err), -EINVAL);
	assert_int_equal(record_load(dir, "web", "../eth0", &a, &r, &err), -EINVAL);
	assert_int_equal(record_remove(dir, "web", "..", &err), -EINVAL);
}

/* The file of another attachment, copied: it must not lead a DEL to that. */
static void a_record_is_of_its_place(void **state)
{
	autoarena a = ARENA_INIT;
	struct record r = sample(&a, "web", "eth0");
	struct err err = { 0 };

	(void)state;
	assert_int_equal(record_save(dir, &r, &err), 0);
	assert_int_equal(renameat(dir, "attachments/web/eth0", dir, "attachments/web/eth1"), 0);
	assert_int_equal(record_load(dir, "web", "eth1", &a, &r, &err), -EBADMSG);
}

static void owners_and_namespaces_live(void **state)
{
	autoarena a = ARENA_INIT;
	struct record r = sample(&a, "web", "eth0");

	(void)state;
	assert_true(record_alive(&r));
	r.netns_id = arena_strdup(&a, "1:1");
	assert_false(record_alive(&r));
	/* Kept after its processes. */
	r.owner = dir_path;
	assert_false(record_alive(&r));
	r.netns_id = NULL;
	assert_true(record_alive(&r));
	r.owner = arena_strdup(&a, "/nonexistent/web");
	assert_false(record_alive(&r));
	r.owner = NULL;
	r.netns_path = arena_strdup(&a, "/nonexistent");
	assert_false(record_alive(&r));
	r.netns_path = NULL;
	assert_true(record_alive(&r));
}

static void a_lock_outlives_the_directory(void **state)
{
	struct err err = { 0 };
	struct stat st;
	int first, copy;

	(void)state;
	first = record_lock(dir, "web", &err);
	assert_true(first >= 0);
	assert_int_equal(fstatat(dir, "attachments/web", &st, 0), 0);
	copy = dup(first);
	record_unlock(dir, "web", first);
	/* Empty, so it is gone, and a forgotten copy does not hold the lock. */
	assert_int_equal(fstatat(dir, "attachments/web", &st, 0), -1);
	first = record_lock(dir, "web", &err);
	assert_true(first >= 0);
	assert_int_equal(fstatat(dir, "attachments/web", &st, 0), 0);
	record_unlock(dir, "web", first);
	close(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_and_single_plugins),
		cmocka_unit_test(bad_networks),
		cmocka_unit_test(names),
		cmocka_unit_test(ids),
		cmocka_unit_test_setup_teardown(files_are_taken_in_lexical_order, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(bridge_needs_no_file, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_broken_file_alone_is_an_error, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(records_come_back, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(names_stay_below_the_directory, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_record_is_of_its_place, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(owners_and_namespaces_live, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_lock_outlives_the_directory, make_dir,
						remove_dir),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "compose_test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define S(name, more)                                                                              \
	"{\"name\":\"" name "\",\"image\":\"i\",\"digest\":\"" TEST_DIGEST "\"" more "}"
#define P(services) "{\"name\":\"p\",\"services\":[" services "]}"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(const char *text, struct arena *a, struct desired_project *p, struct err *err)
{
	return desired_parse(text, strlen(text), a, p, err);
}

static void write_text(const struct desired_project *p, struct buf *b)
{
	struct json_writer w;

	json_writer_init(&w, b, false);
	desired_write(p, &w);
	json_writer_done(&w);
}

static void what_is_not_said_has_defaults(void **state)
{
	autoarena a = ARENA_INIT;
	struct desired_project p;
	struct desired_service *s;
	struct err err;

	(void)state;
	assert_int_equal(parse(P(S("a", "")), &a, &p, &err), 0);
	s = desired_find(&p, "a");
	assert_int_equal(s->replicas, 1);
	assert_string_equal(s->stop_signal, "SIGTERM");
	assert_int_equal(s->stop_grace_ms, DESIRED_STOP_GRACE_MS);
	assert_int_equal(s->update_ms, DESIRED_UPDATE_MS);
	assert_int_equal(s->log.max_size, DESIRED_LOG_SIZE);
	assert_int_equal(s->log.max_files, DESIRED_LOG_FILES);
	assert_string_equal(s->hash, desired_hash(s, &a));
	assert_null(desired_find(&p, "b"));
}

/* Everything that there is. */
static const char full[] = "{\"name\":\"p\",\"source\":\"/c.yaml\",\"services\":[" S(
	"db",
	"") ",{\"name\":\"web\","
	    "\"replicas\":2,\"image\":\"i\",\"digest\":\"" TEST_DIGEST "\","
	    "\"options\":[\"--env\",\"A=1\"],\"args\":[\"x\",\"\"],\"tty\":true,\"stdinOpen\":true,"
	    "\"stopSignal\":\"SIGRTMIN+3\",\"stopGraceMs\":1,\"restart\":\"on-failure\","
	    "\"restartMax\":3,"
	    "\"depends\":[{\"service\":\"db\",\"condition\":\"completed\",\"optional\":true,"
	    "\"restart\":true}],"
	    "\"health\":{\"kind\":\"http\",\"host\":\"::1\",\"port\":80,\"path\":\"/"
	    "x\",\"intervalMs\":1,"
	    "\"timeoutMs\":2,\"startPeriodMs\":3,\"startIntervalMs\":4,\"retries\":5,\"restart\":"
	    "true},"
	    "\"log\":{\"driver\":\"json-file\",\"maxSize\":6,\"maxFiles\":7},"
	    "\"files\":[{\"content\":\"" SHA "\",\"target\":\"/run/secrets/x\",\"uid\":8,\"gid\":9,"
	    "\"mode\":256}],"
	    "\"activate\":{\"listen\":[\"8080\"],\"port\":80,\"idleMs\":10,\"mode\":\"thaw\"},"
	    "\"global\":true,\"address\":\"10.0.0.5/24\","
	    "\"startFirst\":true,\"updateMs\":11,\"hash\":\"h\",\"stopped\":true,"
	    "\"previous\":" S("web", ",\"hash\":\"old\"") "}]}";

static void what_is_written_is_read_again(void **state)
{
	autoarena a = ARENA_INIT;
	autobuf once = BUF_INIT, twice = BUF_INIT;
	struct desired_project p, again;
	struct desired_service *s;
	struct err err = { 0, "" };

	(void)state;
	if (parse(full, &a, &p, &err) < 0)
		fail_msg("%s", err.msg);
	write_text(&p, &once);
	assert_int_equal(parse(buf_str(&once), &a, &again, &err), 0);
	write_text(&again, &twice);
	assert_string_equal(buf_str(&once), buf_str(&twice));
	s = desired_find(&again, "web");
	assert_int_equal(s->replicas, 2);
	assert_int_equal(s->options.count, 2);
	assert_string_equal(s->args.items[1], "");
	assert_true(s->tty && s->stdin_open && s->start_first && s->stopped);
	assert_string_equal(s->stop_signal, "SIGRTMIN+3");
	assert_int_equal(s->restart, RESTART_ON_FAILURE);
	assert_int_equal(s->restart_max, 3);
	assert_int_equal(s->depends.items[0].condition, DEPEND_COMPLETED);
	assert_true(s->depends.items[0].optional && s->depends.items[0].restart);
	assert_int_equal(s->health.kind, HEALTH_HTTP);
	assert_int_equal(s->health.start_interval_ms, 4);
	assert_true(s->health.restart);
	assert_int_equal(s->log.driver, LOG_JSON_FILE);
	assert_int_equal(s->files.items[0].mode, 0400);
	assert_int_equal(s->activate->mode, ACTIVATE_THAW);
	assert_int_equal(s->activate->idle_ms, 10);
	assert_string_equal(s->hash, "h");
	assert_string_equal(s->previous->hash, "old");
	assert_true(s->global);
	assert_string_equal(s->address, "10.0.0.5/24");
	/* A field that the writer forgets would be missed here. */
	for (const char *const *word =
		     (const char *const[]){ "restartMax", "optional", "stdinOpen", "source", NULL };
	     *word; word++)
		assert_non_null(strstr(buf_str(&once), *word));
}

static const struct {
	const char *text, *words;
} bad[] = {
	{ "", "invalid JSON" },
	{ "[]", "" },
	{ "{\"services\":[]}", "name: " },
	{ "{\"name\":\"P\"}", "\"P\" is no project's name" },
	{ "{\"name\":\"../x\"}", "\"../x\" is no project's name" },
	{ P(S("", "")), "services[0]: \"\" is no service's name" },
	{ P(S("a b", "")), "services[0]: \"a b\" is no service's name" },
	{ P(S(".a", "")), "services[0]: \".a\" is no service's name" },
	{ P(S("a", "") "," S("a", "")), "service \"a\" appears twice" },
	{ P("{\"name\":\"a\",\"image\":\"i\"}"), "services[0].digest: " },
	{ P("{\"name\":\"a\",\"image\":\"i\",\"digest\":\"x\"}"),
	  "services[0]: \"x\" is no digest" },
	{ P(S("a", ",\"replicas\":1001")), "services[0]: more than 1000 replicas" },
	{ P(S("a", ",\"stopSignal\":\"TERM\"")), "services[0]: \"TERM\" is no signal" },
	{ P(S("a", ",\"stopSignal\":\"SIG X\"")), "services[0]: \"SIG X\" is no signal" },
	{ P(S("a", ",\"stopSignal\":\"SIGFOO\"")), "services[0]: \"SIGFOO\" is no signal" },
	{ P(S("a", ",\"restart\":\"x\"")), "services[0].restart: " },
	{ P(S("a", ",\"health\":{\"kind\":\"tcp\"}")), "services[0].health: a probe by tcp" },
	{ P(S("a", ",\"health\":{\"kind\":\"exec\",\"intervalMs\":1}")),
	  "services[0].health: a probe by exec needs a command" },
	{ P(S("a", ",\"health\":{\"kind\":\"http\",\"port\":80,\"path\":\"x\"}")),
	  "services[0].health: a probe by http needs a path" },
	{ P(S("a", ",\"health\":{\"kind\":\"http\",\"port\":80,\"path\":\"/a\\r\\nb\"}")),
	  "services[0].health: blanks and control characters" },
	{ P(S("a", ",\"health\":{\"kind\":\"tcp\",\"port\":80,\"intervalMs\":1,\"timeoutMs\":1}")),
	  "services[0].health: intervalMs, timeoutMs and retries" },
	{ P(S("a", ",\"health\":{\"kind\":\"tcp\",\"port\":65536}")), "services[0].health.port: " },
	{ P(S("a", ",\"files\":[{\"content\":\"../x\",\"target\":\"/x\"}]")),
	  "services[0].files[0]: content is no SHA-256" },
	{ P(S("a", ",\"files\":[{\"content\":\"" SHA "\",\"target\":\"x\"}]")),
	  "services[0].files[0]: \"x\" is no absolute path" },
	{ P(S("a", ",\"files\":[{\"content\":\"" SHA "\",\"target\":\"/x\",\"mode\":4096}]")),
	  "services[0].files[0]: mode 10000" },
	{ P(S("a", ",\"activate\":{\"listen\":[]}")),
	  "services[0].activate: nothing to listen on" },
	{ P(S("a", ",\"previous\":" S("a", ",\"previous\":" S("a", "")))),
	  "services[0]: previous.previous" },
	{ P(S("a", ",\"depends\":[{\"service\":\"../b\"}]")),
	  "services[0].depends[0]: \"../b\" is no service's name" },
	{ P(S("a", ",\"depends\":[{\"service\":\"b\"}]")),
	  "service a depends on \"b\", which is not there" },
	{ P(S("a", ",\"depends\":[{\"service\":\"a\"}]")),
	  "services depend on each other: a -> a" },
	{ P(S("z", ",\"depends\":[{\"service\":\"a\"}]") "," S(
		  "a",
		  ",\"depends\":[{\"service\":\"b\"}]") "," S("b",
							      ",\"depends\":[{\"service\":"
							      "\"c\"}]") "," S("c",
									       ",\"depends\":[{"
									       "\"service\":"
									       "\"a\"}]")),
	  "services depend on each other: a -> b -> c -> a" },
};

static void bad_documents_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		struct desired_project p;
		struct err err = { 0, "" };
		int r = parse(bad[i].text, &a, &p, &err);

		if (r != -EINVAL || strncmp(err.msg, bad[i].words, strlen(bad[i].words)) != 0)
			fail_msg("%s: %d %s", bad[i].text, r, err.msg);
	}
}

static void services_are_sorted_and_else_stay(void **state)
{
	static const struct {
		const char *text, *order;
	} cases[] = {
		{ P(S("c", "") "," S("b", "") "," S("a", "")), "c b a " },
		{ P(S("c", ",\"depends\":[{\"service\":\"a\"},{\"service\":\"b\"}]") "," S(
			  "b", "") "," S("a", ",\"depends\":[{\"service\":\"b\"}]")),
		  "b a c " },
		{ P(S("a", ",\"depends\":[{\"service\":\"gone\",\"optional\":true}]")), "a " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct desired_project p;
		struct err err = { 0, "" };

		if (parse(cases[i].text, &a, &p, &err) < 0)
			fail_msg("%s", err.msg);
		for_each (s, &p.services)
			buf_addf(&b, "%s ", s->name);
		assert_string_equal(buf_str(&b), cases[i].order);
	}
}

/* A thousand services in a row, the last first: no stack grows with it. */
static void long_chains_are_sorted(void **state)
{
	autoarena a = ARENA_INIT;
	struct desired_project p = { .name = (char *)"p" };
	struct err err;

	(void)state;
	p.services.items = arena_calloc(&a, 1000, sizeof(*p.services.items));
	p.services.count = 1000;
	for (size_t i = 0; i < 1000; i++) {
		struct desired_service *s = &p.services.items[i];

		s->name = arena_printf(&a, "s%zu", i);
		s->depends.items = arena_alloc(&a, sizeof(*s->depends.items));
		s->depends.items->service = arena_printf(&a, "s%zu", i + 1);
		s->depends.count = i < 999;
	}
	assert_int_equal(desired_sort(&p, &a, &err), 0);
	assert_string_equal(p.services.items[0].name, "s999");
	assert_string_equal(p.services.items[999].name, "s0");
}

/* Each of these makes another container of it; those of the second list do not. */
static void the_hash_is_of_what_counts(void **state)
{
	static const char *const others[] = {
		",\"image\":\"j\"",
		",\"options\":[\"--init\"]",
		",\"args\":[\"x\"]",
		",\"tty\":true",
		",\"stopSignal\":\"SIGHUP\"",
		",\"stopGraceMs\":1",
		",\"restart\":\"always\"",
		",\"depends\":[{\"service\":\"b\",\"optional\":true}]",
		",\"health\":{\"kind\":\"tcp\",\"port\":1,\"intervalMs\":1,\"timeoutMs\":1,"
		"\"retries\":1}",
		",\"log\":{\"driver\":\"none\"}",
		",\"activate\":{\"listen\":[\"1\"]}",
		",\"files\":[{\"content\":\"" SHA "\",\"target\":\"/x\"}]",
		",\"startFirst\":true",
		",\"updateMs\":1",
	};
	static const char *const same[] = {
		",\"replicas\":7",   ",\"global\":true", ",\"address\":\"10.0.0.5/24\"",
		",\"stopped\":true", ",\"hash\":\"x\"",	 ",\"previous\":" S("a", ",\"tty\":true"),
	};
	autoarena a = ARENA_INIT;
	struct desired_project p;
	struct err err = { 0, "" };
	const char *hash;

	(void)state;
	assert_int_equal(parse(P("{\"name\":\"a\",\"digest\":\"" TEST_DIGEST "\",\"image\":\"i\"}"),
			       &a, &p, &err),
			 0);
	hash = desired_hash(p.services.items, &a);
	for (size_t i = 0; i < ARRAY_SIZE(others) + ARRAY_SIZE(same); i++) {
		bool other = i < ARRAY_SIZE(others);
		const char *more = other ? others[i] : same[i - ARRAY_SIZE(others)];
		const char *image = strncmp(more, ",\"image\"", 8) == 0 ? "" : ",\"image\":\"i\"";
		char *text = arena_printf(
			&a,
			"{\"name\":\"p\",\"services\":[{\"name\":\"a\",\"digest\":\"%s\"%s%s}]}",
			TEST_DIGEST, image, more);

		if (parse(text, &a, &p, &err) < 0)
			fail_msg("%s: %s", text, err.msg);
		if ((strcmp(desired_hash(p.services.items, &a), hash) != 0) != other)
			fail_msg("%s", more);
	}
}

static void projects_are_saved_and_loaded(void **state)
{
	char dir[] = "/tmp/tote-desired-XXXXXX";
	autoarena a = ARENA_INIT;
	struct desired_project p, again;
	struct stat st;
	struct err err = { 0, "" };
	autofd fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(desired_load(fd, "p", &a, &again, &err), -ENOENT);
	assert_int_equal(parse(full, &a, &p, &err), 0);
	assert_int_equal(desired_save(fd, &p, &err), 0);
	assert_int_equal(fstatat(fd, "p.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(desired_load(fd, "p", &a, &again, &err), 0);
	assert_int_equal(again.services.count, 2);
	assert_int_equal(renameat(fd, "p.json", fd, "q.json"), 0);
	assert_int_equal(desired_load(fd, "q", &a, &again, &err), -EINVAL);
	assert_string_equal(err.msg, "q.json: it is of the project \"p\"");
	assert_int_equal(desired_load(fd, "../q", &a, &again, &err), -EINVAL);
	unlinkat(fd, "q.json", 0);
	rmdir(dir);
}

static void names_are_judged(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'a', 64);
	longest[64] = '\0';
	assert_false(desired_is_project_name(longest));
	assert_false(desired_is_service_name(longest));
	longest[63] = '\0';
	assert_true(desired_is_project_name(longest));
	assert_true(desired_is_service_name(longest));
	assert_true(desired_is_project_name("0a_-"));
	assert_false(desired_is_project_name("_a"));
	assert_false(desired_is_project_name("a.b"));
	assert_false(desired_is_project_name("A"));
	assert_true(desired_is_service_name("A.b_c-1"));
	assert_false(desired_is_service_name("-a"));
	assert_false(desired_is_service_name("a/b"));
	assert_false(desired_is_service_name(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_defaults),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(bad_documents_are_told),
		cmocka_unit_test(services_are_sorted_and_else_stay),
		cmocka_unit_test(long_chains_are_sorted),
		cmocka_unit_test(the_hash_is_of_what_counts),
		cmocka_unit_test(projects_are_saved_and_loaded),
		cmocka_unit_test(names_are_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

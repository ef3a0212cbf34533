/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole files: tests/compose/golden/NAME.yaml becomes NAME.json, the desired project. After a
 * change that is meant, UPDATE=1 writes them anew, for `git diff` to show.
 */
#include "compose_test.h"

#include "lib/file.h"

#include <fcntl.h>
#include <stdlib.h>

#define GOLDEN "tests/compose/golden/"

static char *read_text(const char *path, struct arena *a)
{
	struct err err;
	char *text;

	if (file_read(AT_FDCWD, path, YAML_MAX_SIZE, a, &text, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return text;
}

static void compare(const char *name)
{
	autoarena a = ARENA_INIT;
	autobuf json = BUF_INIT;
	char *yaml = arena_printf(&a, GOLDEN "%s.yaml", name);
	char *golden = arena_printf(&a, GOLDEN "%s.json", name);
	struct translation t;
	struct json_writer w;
	struct err err;

	if (test_translate(read_text(yaml, &a), "", "", &a, &t, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	json_writer_init(&w, &json, true);
	desired_write(&t.project, &w);
	json_writer_done(&w);
	if (getenv("UPDATE") && *getenv("UPDATE")) {
		autofd dir = open(GOLDEN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(file_replace(dir, arena_printf(&a, "%s.json", name), json.data,
					      json.len, 0644, &err),
				 0);
	}
	assert_string_equal(buf_str(&json), read_text(golden, &a));
}

static void files_become_projects(void **state)
{
	autoarena a = ARENA_INIT;
	struct strv names;
	struct err err;
	size_t seen = 0;

	(void)state;
	assert_int_equal(file_list(AT_FDCWD, GOLDEN, &a, &names, &err), 0);
	for_each (name, &names) {
		char *end = strstr(*name, ".yaml");

		if (!end)
			continue;
		*end = '\0';
		compare(*name);
		seen++;
	}
	assert_true(seen >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(files_become_projects) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

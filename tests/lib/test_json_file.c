/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define NAME "pet.json"

struct pet {
	char *name;
	uint32_t legs;
};

static const struct json_field fields[] = {
	{ "name", json_string, offsetof(struct pet, name), JSON_REQUIRED },
	{ "legs", json_u32, offsetof(struct pet, legs), 0 },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct pet) };

static char dir_path[] = "/tmp/test_json_file.XXXXXX";
static int dir = -1;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir_path))
		return -1;
	dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlinkat(dir, NAME, 0);
	close(dir);
	return rmdir(dir_path);
}

static int decode(const char *text, size_t max, struct arena *a, struct pet *ret, struct err *err)
{
	autofd fd = openat(dir, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	return json_decode_file(dir, NAME, max, &table, a, ret, err);
}

static void reads_a_file(void **state)
{
	struct pet pet = { .legs = 4 };
	autoarena a = ARENA_INIT;
	struct err err;

	(void)state;
	assert_int_equal(decode("{\"name\": \"Rex\"}", 100, &a, &pet, &err), 0);
	assert_string_equal(pet.name, "Rex");
	/* What the file is silent about stays as it was. */
	assert_int_equal(pet.legs, 4);
}

/* Whatever is wrong with the file, the message names it. */
static void names_the_file(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		int code;
	} bad[] = {
		{ "{\"name\": \"Rex\"", 100, -EINVAL }, { "{\"legs\": 3}", 100, -EINVAL },
		{ "{\"name\": 3}", 100, -EINVAL },	{ "", 100, -EINVAL },
		{ "{\"name\": \"Rex\"}", 5, -EFBIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pet pet = { 0 };
		autoarena a = ARENA_INIT;
		struct err err;

		assert_int_equal(decode(bad[i].text, bad[i].max, &a, &pet, &err), bad[i].code);
		assert_non_null(strstr(err.msg, NAME));
	}
}

static void no_file(void **state)
{
	struct json_value *root;
	autoarena a = ARENA_INIT;
	struct err err;

	(void)state;
	assert_int_equal(json_read_file(dir, "none.json", 100, &a, &root, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "none.json"));
}

static void reads_a_text(void **state)
{
	static const char text[] = "{\"name\": \"Rex\", \"legs\": 3}";
	struct pet pet = { 0 };
	autoarena a = ARENA_INIT;
	struct err err;

	(void)state;
	assert_int_equal(json_decode_text(text, strlen(text), &table, &a, &pet, &err), 0);
	assert_int_equal(pet.legs, 3);
	assert_int_equal(json_decode_text(text, 3, &table, &a, &pet, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_file),
		cmocka_unit_test(names_the_file),
		cmocka_unit_test(no_file),
		cmocka_unit_test(reads_a_text),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Compose file all the way to what should run: whatever comes out has to be a project that
 * desired_parse() takes, and reads as the same again. Nothing of the host is looked at.
 */
#include "cmd/tote-compose/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find_image(void *arg, const char *name, struct arena *a, struct image_facts *ret,
		      struct err *err)
{
	(void)arg;
	(void)name;
	(void)err;
	*ret = (struct image_facts){
		.digest = arena_printf(a, "sha256:%064d", 0),
	};
	return 0;
}

static int read_file(void *arg, const char *path, struct arena *a, char **ret, size_t *ret_len,
		     struct err *err)
{
	static const char text[] = "A=1\nexport B=\"x$A\"\n";

	(void)arg;
	if (strlen(path) % 2)
		return err_set(err, ENOENT, "no such file");
	*ret = arena_strdup(a, text);
	*ret_len = sizeof(text) - 1;
	return 0;
}

static void write_text(const struct desired_project *p, struct buf *b)
{
	struct json_writer w;

	json_writer_init(&w, b, false);
	desired_write(p, &w);
	json_writer_done(&w);
}

/* JSON of more than 4 MiB is nothing that a supervisor would take, which is for up.c to say. */
static void check(const struct desired_project *p, struct arena *a)
{
	autobuf once = BUF_INIT;
	autobuf twice = BUF_INIT;
	struct desired_project again;
	struct err err;

	write_text(p, &once);
	if (once.len >= JSON_MAX_SIZE)
		return;
	if (desired_parse(once.data, once.len, a, &again, &err) < 0)
		abort();
	write_text(&again, &twice);
	if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0)
		abort();
}

/* With a "\0" in it, what is behind is a second file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct surroundings around = { NULL, find_image, read_file };
	const char *text = (const char *)data, *zero = memchr(text, '\0', size);
	size_t len = zero ? (size_t)(zero - text) : size;
	autoarena a = ARENA_INIT;
	struct variables v = { .a = &a };
	struct translate_options o = {
		.project = "p", .source = "f", .directory = "/d", .home = "/h", .variables = &v
	};
	struct yaml_node *root, *over;
	struct compose_file file;
	struct interpolation in;
	struct translation t;
	struct err err;

	variables_add(&v, "A", "1");
	if (yaml_load(text, len, "f", &a, &root, &err) < 0)
		return 0;
	if (zero && yaml_load(zero + 1, size - len - 1, "g", &a, &over, &err) == 0)
		merge_trees(root, over, &a);
	interpolation_init(&in, &v, &a);
	if (interpolate_tree(&in, root, &err) < 0 || model_read(root, &a, &file, &err) < 0)
		return 0;
	if (translate(&file, &o, &around, &a, &t, &err) == 0)
		check(&t.project, &a);
	return 0;
}

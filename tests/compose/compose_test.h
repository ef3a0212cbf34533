/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of tote-compose: cmocka, and surroundings that need no store. */
#ifndef TESTS_COMPOSE_COMPOSE_TEST_H
#define TESTS_COMPOSE_COMPOSE_TEST_H

#include "cmd/tote-compose/load.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define TEST_DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Every image is there but "missing"; "checked" has a HEALTHCHECK and a signal. */
static inline int test_find_image(void *arg, const char *name, struct arena *a,
				  struct image_facts *ret, struct err *err)
{
	static const struct yaml_node somewhere = { .kind = YAML_MAP };

	(void)arg;
	if (strcmp(name, "missing") == 0)
		return err_set(err, ENOENT, "no image \"%s\"", name);
	*ret = (struct image_facts){ .digest = arena_strdup(a, TEST_DIGEST) };
	if (strcmp(name, "checked") == 0) {
		ret->stop_signal = arena_strdup(a, "SIGQUIT");
		ret->health.node = &somewhere;
		strv_add(&ret->health.test, arena_strdup(a, "CMD"), a);
		strv_add(&ret->health.test, arena_strdup(a, "ok"), a);
		ret->health.interval = (struct opt_u32){ true, 7000 };
	}
	return 0;
}

/* /p/env, /p/env2 and /p/secret. */
static inline int test_read_file(void *arg, const char *path, struct arena *a, char **ret,
				 size_t *ret_len, struct err *err)
{
	static const char *const files[][2] = {
		{ "/p/env",
		  "# of the house\nA=file\nB='single $A'\nexport C=\"x\\ty\" # end\nHOME\n" },
		{ "/p/env2", "A=second\nD=${A}/${B:-none}\n" },
		{ "/p/raw", "Q=\"$A\"\n" },
		{ "/p/bad", "A=1\n=2\n" },
		{ "/p/secret", "geheim" },
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(files[i][0], path) == 0) {
			*ret = arena_strdup(a, files[i][1]);
			*ret_len = strlen(*ret);
			return 0;
		}
	return err_set(err, ENOENT, "open %s: No such file or directory", path);
}

static inline void test_variables(struct variables *v, struct arena *a)
{
	*v = (struct variables){ .a = a };
	variables_add(v, "SET", "value");
	variables_add(v, "EMPTY", "");
	variables_add(v, "N", "3");
	variables_add(v, "HOME", "/home/u");
}

/* A document from text to what should run; profiles and services are words with blanks between
 * them. */
static inline int test_translate(const char *text, const char *profiles, const char *services,
				 struct arena *a, struct translation *ret, struct err *err)
{
	static const struct surroundings around = { NULL, test_find_image, test_read_file };
	struct variables *v = arena_alloc(a, sizeof(*v));
	struct translate_options o = { .project = "shop",
				       .source = "c.yaml",
				       .directory = "/p",
				       .home = "/home/u",
				       .variables = v };
	struct compose_file file;
	struct interpolation in;
	struct yaml_node *root;
	int r = yaml_load(text, strlen(text), "c.yaml", a, &root, err);

	test_variables(v, a);
	split_words(profiles, a, &o.profiles);
	split_words(services, a, &o.services);
	interpolation_init(&in, v, a);
	if (r == 0)
		r = interpolate_tree(&in, root, err);
	if (r == 0)
		r = model_read(root, a, &file, err);
	return r < 0 ? r : translate(&file, &o, &around, a, ret, err);
}

#endif

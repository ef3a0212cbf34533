/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/resolve.h"

#include "lib/cleanup.h"
#include "oci/image/digest.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

/* Length of the name in NAME@DIGEST; 0: it is none. */
static size_t pin_name(const char *pin)
{
	const char *at = strrchr(pin, '@');

	return at && digest_valid(at + 1) ? (size_t)(at - pin) : 0;
}

static int check_pins(const struct project_options *o, struct err *err)
{
	for_each (pin, &o->pins)
		if (!pin_name(*pin))
			return err_set(err, EINVAL, "--pin: expected NAME@sha256:..., found \"%s\"",
				       *pin);
	return 0;
}

/* An image that nobody pinned would be whatever its name means on this box today. */
static const char *find_pin(const struct project_options *o, const char *name)
{
	for_each (pin, &o->pins) {
		size_t len = pin_name(*pin);

		if (strcmp(*pin, name) == 0 || (strncmp(*pin, name, len) == 0 && !name[len]))
			return *pin;
	}
	return NULL;
}

/* What an image that is not here could say: nothing of it is ever shown. */
static void assume(struct arena *a, struct image_facts *ret)
{
	static const struct yaml_node somewhere = { .kind = YAML_MAP };

	*ret = (struct image_facts){ .digest = arena_strdup(a, "") };
	ret->health.node = &somewhere;
	strv_add(&ret->health.test, (char *)"CMD", a);
	strv_add(&ret->health.test, (char *)"true", a);
}

static int find_image(void *arg, const char *name, struct arena *a, struct image_facts *ret,
		      struct err *err)
{
	struct resolution *r = arg;
	const char *pin = find_pin(r->o, name);
	int result;

	if (r->o->pins.count && !pin)
		return err_set(err, EINVAL, "no --pin says which \"%s\" it is", name);
	/* Of the manifest, or the image's ID: what a copy with other compression has as well. */
	result = r->host.find_image(r->host.arg, pin ? strrchr(pin, '@') + 1 : name, a, ret, err);
	if (result == -ENOENT && r->without_images) {
		assume(a, ret);
		return 0;
	}
	r->lacks_image |= result == -ENOENT;
	return result;
}

static int read_file(void *arg, const char *path, struct arena *a, char **ret, size_t *ret_len,
		     struct err *err)
{
	struct resolution *r = arg;

	return r->host.read_file(r->host.arg, path, a, ret, ret_len, err);
}

static int load(struct resolution *r, struct arena *a, struct err *err)
{
	int result = check_pins(r->o, err);

	if (result == 0)
		result = load_files(r->o, a, &r->c, err);
	if (result == 0)
		result = load_name(r->o, a, &r->c, err);
	if (result == 0)
		result = load_model(&r->c, a, &r->file, err);
	if (result == 0)
		result = host_open(a, &r->host, err);
	r->around = (struct surroundings){ r, find_image, read_file };
	return result;
}

/* The file, from wherever it is looked at later. */
static void name_source(struct resolution *r, struct arena *a)
{
	char *first = r->c.files.items[0];

	r->t.project.source = strcmp(first, "-") == 0
				      ? (char *)"stdin"
				      : arena_printf(a, "%s/%s", r->c.directory,
						     basename(arena_strdup(a, first)));
}

int resolve(struct resolution *r, char **services, size_t count, struct arena *a, struct err *err)
{
	struct translate_options o = { .order = r->order, .rootless = globals.rootless };
	int result = load(r, a, err);

	if (result < 0)
		return result;
	for_each (name, &r->c.missing)
		log_warning("the variable %s is not set: it is taken as empty", *name);
	o.project = r->c.project;
	o.source = r->c.root->file;
	o.directory = r->c.directory;
	o.home = variables_get(&r->c.variables, "HOME");
	o.variables = &r->c.variables;
	o.profiles = load_profiles(r->o, &r->c, a);
	o.services = (struct strv){ services, count };
	result = translate(&r->file, &o, &r->around, a, &r->t, err);
	for (size_t i = 0; result == 0 && i < r->t.warnings.count; i++)
		log_warning("%s", r->t.warnings.items[i]);
	if (result == 0)
		name_source(r, a);
	return result;
}

void resolution_print(const struct resolution *r)
{
	autobuf text = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &text, true);
	desired_write(&r->t.project, &w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&text));
}

void resolution_done(struct resolution *r)
{
	host_close(&r->host);
}

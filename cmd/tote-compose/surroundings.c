/* SPDX-License-Identifier: Apache-2.0 */
/* What a Compose file needs of this host to be understood: images of the store, files. */
#include "cmd/tote-compose/up.h"

#include "lib/file.h"
#include "lib/json.h"
#include "oci/image/manifest.h"
#include "oci/image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE ((size_t)1 << 20)

struct host {
	struct store store;
	char *store_path;
};

/* Docker's, in nanoseconds; the image-spec has no such thing. 0 is "not said". */
struct image_health {
	struct strv test;
	uint64_t interval, timeout, start_period, start_interval, retries;
};

#define HEALTH(member) offsetof(struct image_health, member)

static const struct json_field health_fields[] = {
	{ "Test", json_strv, HEALTH(test), JSON_ANY_CASE },
	{ "Interval", json_u64, HEALTH(interval), JSON_ANY_CASE },
	{ "Timeout", json_u64, HEALTH(timeout), JSON_ANY_CASE },
	{ "StartPeriod", json_u64, HEALTH(start_period), JSON_ANY_CASE },
	{ "StartInterval", json_u64, HEALTH(start_interval), JSON_ANY_CASE },
	{ "Retries", json_u64, HEALTH(retries), JSON_ANY_CASE },
};
static const struct json_table health_table = { health_fields, 6, sizeof(struct image_health) };

static struct opt_u32 milliseconds(uint64_t nanoseconds)
{
	uint64_t ms = nanoseconds / 1000000;

	return (struct opt_u32){ ms > 0, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms };
}

/* An image is somebody else's: a test that cannot be is as good as none. */
static void read_check(const char *text, size_t len, struct arena *a, struct compose_health *ret)
{
	static const struct yaml_node somewhere = { .kind = YAML_MAP };
	struct json_value *root;
	const struct json_value *v;
	struct image_health h = { 0 };
	struct err ignored;
	const char *kind;

	if (json_parse(text, len, a, &root, &ignored) < 0)
		return;
	v = json_get(root, "config");
	v = v ? json_get(v, "Healthcheck") : NULL;
	if (!v || json_decode(v, &health_table, a, &h, &ignored) < 0 || !h.test.count)
		return;
	kind = h.test.items[0];
	if (h.test.count < 2 || (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0))
		return;
	ret->node = &somewhere;
	ret->test = h.test;
	ret->interval = milliseconds(h.interval);
	ret->timeout = milliseconds(h.timeout);
	ret->start_period = milliseconds(h.start_period);
	ret->start_interval = milliseconds(h.start_interval);
	ret->retries = milliseconds(h.retries * 1000000);
}

static int find_image(void *arg, const char *name, struct arena *a, struct image_facts *ret,
		      struct err *err)
{
	struct host *h = arg;
	struct image_config config = { 0 };
	struct store_image image;
	char *text;
	size_t len;
	int r;

	if (h->store.fd < 0)
		return err_set(err, ENOENT, "no image \"%s\", and no store at %s", name,
			       h->store_path);
	r = store_find(&h->store, name, a, &image, err);
	if (r == 0)
		r = store_blob(&h->store, image.config, a, &text, &len, err);
	if (r == 0)
		r = image_config_parse(text, len, a, &config, err);
	if (r < 0)
		return r;
	*ret = (struct image_facts){ .digest = image.digest };
	if (config.process.stop_signal)
		ret->stop_signal = signal_word(config.process.stop_signal, a);
	read_check(text, len, a, &ret->health);
	return 0;
}

static int read_file(void *arg, const char *path, struct arena *a, char **ret, size_t *ret_len,
		     struct err *err)
{
	(void)arg;
	return file_read(AT_FDCWD, path, MAX_FILE, a, ret, ret_len, err);
}

int host_open(struct arena *a, struct surroundings *ret, struct err *err)
{
	struct host *h = arena_alloc(a, sizeof(*h));
	int r;

	h->store = (struct store)STORE_INIT;
	r = store_path(globals.store, globals.rootless, a, &h->store_path, err);
	if (r == 0)
		r = store_open(h->store_path, false, &h->store, err);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = (struct surroundings){ h, find_image, read_file };
	return 0;
}

void host_close(struct surroundings *s)
{
	struct host *h = s->arg;

	if (h)
		store_close(&h->store);
}

bool host_has_volume(const struct surroundings *s, const char *name)
{
	const struct host *h = s->arg;
	char path[sizeof("volumes/") + 128];

	if (h->store.fd < 0 || strchr(name, '/') || strlen(name) > 128)
		return false;
	snprintf(path, sizeof(path), "volumes/%s", name);
	return faccessat(h->store.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/address.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "lib/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define SCHEME "unix://"

const char *address_group_of(const struct key_value_list *annotations)
{
	static const char *const names[] = {
		"io.containerd.tote.v2.group",
		"io.containerd.runc.v2.group",
		"io.kubernetes.cri.sandbox-id",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for_each (it, annotations)
			if (strcmp(it->key, names[i]) == 0 && *it->value)
				return it->value;
	return NULL;
}

struct grouping {
	struct key_value_list annotations;
};

static const struct json_field fields[] = {
	{ "annotations", json_map, offsetof(struct grouping, annotations), 0 },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct grouping) };

int address_group(const char *bundle, const char *id, struct arena *a, const char **ret_group,
		  struct err *err)
{
	autoarena scratch = ARENA_INIT;
	struct grouping found = { { NULL, 0 } };
	const char *group, *path = arena_printf(&scratch, "%s/config.json", bundle);
	int r = json_decode_file(AT_FDCWD, path, JSON_MAX_SIZE, &table, &scratch, &found, err);

	if (r < 0)
		return r;
	group = address_group_of(&found.annotations);
	*ret_group = arena_strdup(a, group ? group : id);
	return 0;
}

/* Adds a path as Go's filepath.Clean spells it: without "//", "/./", "/../" and a "/" at the
 * end. */
static void add_clean(struct buf *out, const char *path)
{
	size_t start = out->len;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			while (out->len > start && out->data[--out->len] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			buf_adds(out, "/");
			buf_add(out, path, len);
		}
		path += len;
		path += *path == '/';
	}
}

/*
 * Only what the daemon is called is a path. Namespace and group are not joined to one: "a/../b"
 * would be "b" then, and somebody else's. No string contains the NUL between them. Our own name is
 * for the case that another runtime's shim is written the same way.
 */
char *address_make(const struct shim_args *args, const char *group, struct arena *a)
{
	autobuf name = BUF_INIT;
	char hash[SHA256_TEXT_SIZE];

	add_clean(&name, args->grpc_address);
	buf_add(&name, "", 1);
	buf_add(&name, args->namespace, strlen(args->namespace) + 1);
	buf_add(&name, group, strlen(group) + 1);
	buf_adds(&name, "tote");
	sha256_text(name.data, name.len, hash);
	return arena_printf(a, SCHEME "%s/%s", args->socket_dir, hash);
}

int address_write(const char *bundle, const char *address, struct err *err)
{
	autofd dir = fd_open(AT_FDCWD, bundle, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return err_errno(err, "open the bundle %s", bundle);
	if (file_replace(dir, "address", address, strlen(address), 0644, err) < 0)
		return err_prefix(err, "bundle %s", bundle);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/conf.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <fcntl.h>
#include <string.h>

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && strcmp(name + len - n, suffix) == 0;
}

/* Appends it; the first file of a name is the one that counts. */
static int load_file(int dirfd, const char *file, struct arena *a, struct cni_networks *networks,
		     struct err *err)
{
	struct cni_network *network = &networks->items[networks->count];
	char *text;
	size_t len;
	int r = file_read(dirfd, file, JSON_MAX_SIZE, a, &text, &len, err);

	if (r == 0)
		r = cni_network_parse(text, len, a, network, err);
	if (r < 0)
		return r;
	for_each (other, networks)
		if (strcmp(other->name, network->name) == 0)
			return err_set(err, EEXIST, "%s has the network \"%s\" already",
				       other->file, network->name);
	network->file = arena_strdup(a, file);
	networks->count++;
	return 0;
}

int cni_networks_load(const char *dir, struct arena *a, struct cni_networks *ret, struct err *err)
{
	autofd dirfd = fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY);
	struct cni_networks networks = { NULL };
	struct strv files = { NULL, 0 };
	int r;

	if (dirfd < 0 && errno != ENOENT)
		return err_errno(err, "read %s", dir);
	if (dirfd >= 0) {
		r = file_list(dirfd, ".", a, &files, err);
		if (r < 0)
			return err_prefix(err, "%s", dir);
	}
	networks.items = arena_calloc(a, files.count, sizeof(*networks.items));
	networks.broken.items = arena_calloc(a, files.count + 1, sizeof(*networks.broken.items));
	for_each (file, &files) {
		struct err why;

		if (!has_suffix(*file, ".conflist") && !has_suffix(*file, ".conf") &&
		    !has_suffix(*file, ".json"))
			continue;
		if (load_file(dirfd, *file, a, &networks, &why) < 0)
			networks.broken.items[networks.broken.count++] =
				arena_printf(a, "%s: %s", *file, why.msg);
	}
	*ret = networks;
	return 0;
}

/* Says what there is instead. */
static int not_found(const char *dir, const char *name, const struct cni_networks *networks,
		     struct err *err)
{
	autobuf text = BUF_INIT;
	bool builtin_named = false;

	for_each (network, networks) {
		buf_addf(&text, "%s%s", text.len ? ", " : "", network->name);
		builtin_named |= strcmp(network->name, "bridge") == 0;
	}
	if (!builtin_named)
		buf_addf(&text, "%sbridge", text.len ? ", " : "");
	for_each (broken, &networks->broken)
		buf_addf(&text, "; cannot be used: %s", *broken);
	return err_set(err, ENOENT, "no network \"%s\" in %s; there are: %s", name, dir,
		       buf_str(&text));
}

int cni_network_find(const char *dir, const char *name, struct arena *a, struct cni_network *ret,
		     struct err *err)
{
	struct cni_networks networks;
	int r = cni_networks_load(dir, a, &networks, err);

	if (r < 0)
		return r;
	for_each (network, &networks) {
		if (name && strcmp(network->name, name) != 0)
			continue;
		*ret = *network;
		return 0;
	}
	/* The built-in one is for hosts where nothing was configured. */
	if (!name && networks.broken.count)
		return err_set(err, EINVAL, "no network in %s can be used: %s", dir,
			       networks.broken.items[0]);
	if (!name || strcmp(name, "bridge") == 0)
		return cni_network_builtin(a, ret, err);
	return not_found(dir, name, &networks, err);
}

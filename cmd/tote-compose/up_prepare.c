/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/up.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "netns/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NETWORK_TIMEOUT_MS 30000
#define SUPERVISOR_TIMEOUT_MS 30000

static int make_network(const struct needed_network *n, struct arena *a, struct err *err)
{
	char path[PATH_MAX], **argv = arena_calloc(a, n->words.count + 3, sizeof(char *));
	int r = proc_sibling("tote-net", path, sizeof(path));

	if (r < 0)
		return err_code(err, r, "find tote-net");
	argv[0] = (char *)"tote-net";
	argv[1] = (char *)"create";
	memcpy(argv + 2, n->words.items, n->words.count * sizeof(char *));
	r = proc_run(path, argv, NULL, NULL, NETWORK_TIMEOUT_MS, NULL, err);
	if (r == 0)
		fprintf(stderr, "made the network %s\n", n->name);
	return r == 0 ? 0 : err_prefix(err, "network %s", n->name);
}

static int prepare_network(const struct needed_network *n, struct arena *a, struct err *err)
{
	struct cni_network found;
	int r = cni_network_find(place_conf_dir(), n->name, a, &found, err);

	if (r == 0 && !n->external)
		return up_compare_network(n, &found, a, err);
	if (r != -ENOENT)
		return r;
	if (n->external)
		return err_set(
			err, ENOENT,
			"%s:%u: the network \"%s\" is external, and not there: `tote network "
			"create` makes it",
			n->node->file, n->node->line, n->name);
	return make_network(n, a, err);
}

static int make_directory(const char *path, struct err *err)
{
	autofd root = fd_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY);

	if (access(path, F_OK) == 0)
		return 0;
	if (root < 0 || fd_make_path_in_root(root, path, 0755) < 0)
		return err_errno(err, "make %s, which a service mounts", path);
	fprintf(stderr, "made the directory %s, which a service mounts\n", path);
	return 0;
}

static int write_contents(const struct translation *t, const char *state, const char *path,
			  struct arena *a, struct err *err)
{
	autofd dir = -1, parent = -1;
	int r = 0;

	if (!t->contents.count)
		return 0;
	if (!path) {
		parent = file_private_dir(state, true, 0700, "state directory", err);
		if (parent < 0)
			return parent;
		path = arena_printf(a, "%s/files", state);
	}
	dir = file_private_dir(path, true, 0700, "directory of contents", err);
	if (dir < 0)
		return dir;
	for (size_t i = 0; r == 0 && i < t->contents.count; i++) {
		const struct needed_content *c = &t->contents.items[i];

		/* Whatever is there under a name has its contents; a new time keeps the supervisor
		 * from removing it as one that nobody needs. */
		if (utimensat(dir, c->sha256, NULL, AT_SYMLINK_NOFOLLOW) < 0)
			r = file_replace_durable(dir, c->sha256, c->data, c->len, 0600, err);
	}
	return r;
}

int up_prepare(const struct translation *t, const char *state, const char *contents,
	       const struct surroundings *host, struct err *err)
{
	autoarena a = ARENA_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < t->volumes.count; i++)
		if (!host_has_volume(host, t->volumes.items[i]))
			r = err_set(err, ENOENT,
				    "the volume \"%s\" is external, and not in the store",
				    t->volumes.items[i]);
	for (size_t i = 0; r == 0 && i < t->networks.count; i++)
		r = prepare_network(&t->networks.items[i], &a, err);
	for (size_t i = 0; r == 0 && i < t->directories.count; i++)
		r = make_directory(t->directories.items[i], err);
	return r == 0 ? write_contents(t, state, contents, &a, err) : r;
}

/* Where systemd was told of the supervisor it is systemd's to start. */
static bool is_systemds(void)
{
	static const char *const units[] = { "/etc/systemd/system/tote.service",
					     "/usr/local/lib/systemd/system/tote.service",
					     "/usr/lib/systemd/system/tote.service",
					     "/lib/systemd/system/tote.service" };

	/* sd_booted(3) */
	if (access("/run/systemd/system", F_OK) < 0 || globals.rootless ||
	    getenv("TOTE_SUPERVISE_DIR"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (access(units[i], F_OK) == 0)
			return true;
	return false;
}

static int start_supervisor(struct err *err)
{
	char path[PATH_MAX], *argv[] = { (char *)"tote-supervise",
					 (char *)"--root",
					 (char *)globals.root,
					 (char *)"--detach",
					 NULL,
					 NULL,
					 NULL };
	int r = proc_sibling("tote-supervise", path, sizeof(path));

	if (r < 0)
		return err_code(err, r, "find tote-supervise");
	if (globals.store) {
		argv[4] = (char *)"--store";
		argv[5] = (char *)globals.store;
	}
	r = proc_run(path, argv, NULL, NULL, SUPERVISOR_TIMEOUT_MS, NULL, err);
	if (r != 0)
		return err_prefix(err, "start the supervisor");
	fprintf(stderr, "started a supervisor: after a reboot it does not come back by itself "
			"(tote-supervise(8))\n");
	return 0;
}

int up_connect(const struct supervise_paths *paths, struct control *ret, struct err *err)
{
	int r = control_open(paths->run, ret, err);

	if (r != -ENOENT && r != -ECONNREFUSED)
		return r;
	if (is_systemds())
		return err_set(err, ECONNREFUSED,
			       "no supervisor runs: systemctl enable --now tote");
	r = start_supervisor(err);
	return r < 0 ? r : control_open(paths->run, ret, err);
}

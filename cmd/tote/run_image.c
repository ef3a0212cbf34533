/* SPDX-License-Identifier: Apache-2.0 */
/* `tote run IMAGE`: from an image and options to what container_create() takes. */
#include "cmd/tote/run_options.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/image/convert.h"
#include "oci/image/manifest.h"
#include "oci/image/reference.h"
#include "oci/image/store.h"
#include "oci/image/volumes.h"
#include "oci/rootfs.h"
#include "oci/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* sethostname(2) takes 64, DNS 63. */
#define DNS_NAME_MAX 63
#define TEXT_MAX ((size_t)1 << 20)

struct imaging {
	const char *name;
	const struct run_options *o;
	struct store store;
	struct store_image image;
	struct image_config config;
	struct rootfs rootfs;
	struct convert_opts convert;
	char *container;	  /* its directory in the store; NULL: none yet */
	bool own_ids;		  /* a user namespace with a range of its own */
	int container_fd, lookup; /* lookup: where users are looked up and volumes filled from */
	struct arena a;
	struct err *err;
};

static int open_image(struct imaging *im, const char *name)
{
	char *path, *text;
	size_t len;
	int r = store_path(globals.store, globals.rootless, &im->a, &path, im->err);

	if (r == 0)
		r = store_open(path, false, &im->store, im->err);
	if (r == 0)
		r = store_find(&im->store, name, &im->a, &im->image, im->err);
	if (r == 0)
		r = store_blob(&im->store, im->image.config, &im->a, &text, &len, im->err);
	return r < 0 ? r : image_config_parse(text, len, &im->a, &im->config, im->err);
}

int imaging_open(const char *image, struct imaging **ret, struct err *err)
{
	struct imaging *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_code(err, ENOMEM, "image");
	im->name = image;
	im->store = (struct store)STORE_INIT;
	im->rootfs = (struct rootfs)ROOTFS_INIT;
	im->container_fd = im->lookup = -1;
	im->err = err;
	r = open_image(im, image);
	if (r < 0)
		imaging_close(im);
	else
		*ret = im;
	return r;
}

void imaging_close(struct imaging *im)
{
	struct err ignored;

	if (!im)
		return;
	if (im->container)
		rootfs_remove(im->store.path, im->container, &ignored);
	cleanup_fd(&im->lookup);
	cleanup_fd(&im->container_fd);
	store_close(&im->store);
	arena_done(&im->a);
	free(im);
}

/* "pos-3f2a" for pos:1.2, where no name is given. */
static char *make_id(const char *image, struct arena *a)
{
	struct reference ref;
	struct err err;
	uint16_t n = 0;
	const char *base = reference_parse(image, a, &ref, &err) == 0 ? ref.name : "container",
		   *slash = strrchr(base, '/');

	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
		n = (uint16_t)getpid();
	return arena_printf(a, "%s-%04x", slash ? slash + 1 : base, n);
}

static void list_layers(struct imaging *im)
{
	size_t n = im->image.layers.count;
	struct strv *layers = &im->rootfs.layers;

	layers->items = arena_calloc(&im->a, n + 1, sizeof(*layers->items));
	for (size_t i = n; i-- > 0;) {
		layers->items[layers->count++] = im->image.layers.items[i].link;
		im->rootfs.user_xattr |= im->image.layers.items[i].user_xattr;
	}
}

/* Without the right to mount: the uppermost layer that has a passwd is as good as all of them in
 * nearly every image. */
static int open_layer_with_users(struct imaging *im)
{
	for_each (link, &im->rootfs.layers) {
		int fd = fd_open(im->store.fd, arena_printf(&im->a, "l/%s", *link),
				 O_PATH | O_DIRECTORY);

		if (fd >= 0 && faccessat(fd, "etc/passwd", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/*
 * A lone layer that is only read needs no overlay, if all that will be mounted on is there. Else
 * there is an upper layer for the mount points, and the root becomes read-only once they are made.
 */
static bool can_be_bound(const struct imaging *im)
{
	static const char *const mount_points[] = { "proc", "sys", "dev" };
	const struct image_options *o = &im->o->image;
	autofd layer = -1;

	if (!o->read_only || im->image.layers.count != 1 || o->volumes.count || o->tmpfs.count ||
	    im->config.process.volumes.count)
		return false;
	layer = fd_open(
		im->store.fd,
		arena_printf((struct arena *)&im->a, "l/%s", im->image.layers.items[0].link),
		O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++) {
		struct stat st;

		if (layer < 0 || fstatat(layer, mount_points[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			return false;
	}
	return true;
}

/* Who may mount could make a bound layer writable, and it is everybody's. */
static bool adds_mount_rights(const struct imaging *im)
{
	const struct option_list *caps = &im->o->image.cap_add;

	for (size_t i = 0; i < caps->count; i++)
		if (strcasecmp(caps->items[i], "all") == 0 ||
		    strcasecmp(caps->items[i], "sys_admin") == 0 ||
		    strcasecmp(caps->items[i], "cap_sys_admin") == 0)
			return true;
	return false;
}

static void map(struct arena *a, uint32_t first, struct spec_id_mappings *ret)
{
	ret->items = arena_calloc(a, 1, sizeof(*ret->items));
	ret->items[0] = (struct spec_id_mapping){ 0, first, STORE_IDS };
	ret->count = 1;
}

static int map_own_ids(struct imaging *im)
{
	uint32_t first;
	int r = store_ids_claim(&im->store, im->container, &first, im->err);

	if (r < 0)
		return r;
	map(&im->a, first, &im->convert.uid_mappings);
	map(&im->a, first, &im->convert.gid_mappings);
	return 0;
}

/* The root directory is the upper layer's: it has to look like the image's. */
static void copy_root_attributes(const struct imaging *im)
{
	const struct store_layer *top = &im->image.layers.items[im->image.layers.count - 1];
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "layers/%s/fs", top->id);
	if (fstatat(im->store.fd, path, &st, 0) < 0)
		return;
	snprintf(path, sizeof(path), "containers/%s/upper", im->container);
	/* An ordinary user's container shows it as root's, as he is that there. */
	if (fchownat(im->store.fd, path, st.st_uid, st.st_gid, 0) < 0 && !globals.rootless)
		log_debug("owner of %s: %s", path, err_text(errno));
	if (fchmodat(im->store.fd, path, st.st_mode & 07777, 0) < 0)
		log_debug("mode of %s: %s", path, err_text(errno));
}

static int make_root(struct imaging *im, const char *id)
{
	bool bound = can_be_bound(im);
	struct rootfs look;
	const struct store_container c = { id, globals.root, im->image.digest, bound };
	int r = store_container_new(&im->store, &c, &im->a, &im->container, &im->container_fd,
				    im->err);

	if (r < 0)
		return r;
	im->rootfs.store = im->store.path;
	im->rootfs.container = im->container;
	im->rootfs.read_only = bound;
	im->rootfs.discard = im->o->image.remove;
	list_layers(im);
	if (!bound && im->image.layers.count)
		copy_root_attributes(im);
	im->convert.root_path = rootfs_mount_point(&im->rootfs, &im->a);
	if (globals.rootless) {
		im->lookup = open_layer_with_users(im);
		return 0;
	}
	if (im->own_ids) {
		r = map_own_ids(im);
		if (r < 0)
			return r;
	}
	/*
	 * Looked into now, mounted later: one mount serves both, but for a container with ids of
	 * its own. Two at once cannot be volatile (overlayfs), and the first ends before the second
	 * begins.
	 */
	look = im->rootfs;
	look.discard &= !im->own_ids;
	r = im->lookup = rootfs_open(&look, -1, bound && !adds_mount_rights(im), im->err);
	im->rootfs.tree = im->own_ids ? -1 : im->lookup;
	return r < 0 ? r : 0;
}

static struct convert_mount *add_mount(struct imaging *im)
{
	size_t n = im->convert.mounts.count;
	struct convert_mount *items = arena_calloc(&im->a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, im->convert.mounts.items, n * sizeof(*items));
	im->convert.mounts.items = items;
	im->convert.mounts.count = n + 1;
	return &items[n];
}

static int fill_from(const struct imaging *im)
{
	return globals.rootless ? -1 : im->lookup;
}

/* "SOURCE:PATH[:OPTIONS]": a source with a slash is a path, else a volume's name. */
static int add_volume(struct imaging *im, const char *text)
{
	char *copy = arena_strdup(&im->a, text), *source = strsep(&copy, ":"),
	     *path = strsep(&copy, ":");
	struct convert_mount *m;
	int r = 0;

	if (!path || path[0] != '/' || !source[0])
		return err_set(im->err, EINVAL,
			       "--volume %s: expected SOURCE:PATH[:OPTIONS], the path absolute",
			       text);
	if (source[0] == '.' || strchr(source, '/'))
		source = absolute(source);
	else
		r = volume_named(&im->store, source, fill_from(im), path, &im->a, &source, im->err);
	if (r < 0)
		return r;
	m = add_mount(im);
	*m = (struct convert_mount){ .source = source, .destination = path, .options = copy };
	return 0;
}

static bool is_covered(const struct imaging *im, const char *path)
{
	for_each (m, &im->convert.mounts)
		if (strcmp(m->destination, path) == 0)
			return true;
	return false;
}

static int add_image_volumes(struct imaging *im)
{
	const char *how = im->o->image.image_volumes ? im->o->image.image_volumes : "dir";
	unsigned int n = 0;
	int r = 0;

	if (strcmp(how, "ignore") == 0)
		return 0;
	if (strcmp(how, "dir") != 0 && strcmp(how, "tmpfs") != 0)
		return err_set(im->err, EINVAL,
			       "--image-volumes: expected dir, tmpfs or ignore, found \"%s\"", how);
	for_each (path, &im->config.process.volumes) {
		char *source = NULL;
		struct convert_mount *m;

		if (r < 0 || (*path)[0] != '/' || is_covered(im, *path))
			continue;
		if (how[0] == 'd')
			r = volume_anonymous(&im->store, im->container, n++, fill_from(im), *path,
					     &im->a, &source, im->err);
		m = add_mount(im);
		*m = (struct convert_mount){ .source = source,
					     .destination = *path,
					     .tmpfs = !source };
	}
	return r;
}

/* Owners stay what they are: the files of a volume belong to ids of the host, and are seen as the
 * same ids inside. */
static void map_mounts(struct imaging *im)
{
	for_each (m, &im->convert.mounts)
		if (!m->tmpfs)
			m->options =
				m->options ? arena_printf(&im->a, "%s,idmap", m->options) : "idmap";
}

static int add_mounts(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->volumes.count; i++)
		r = add_volume(im, o->volumes.items[i]);
	for (size_t i = 0; r == 0 && i < o->tmpfs.count; i++) {
		char *copy = arena_strdup(&im->a, o->tmpfs.items[i]);
		struct convert_mount *m = add_mount(im);

		*m = (struct convert_mount){ .destination = strsep(&copy, ":"),
					     .options = copy,
					     .tmpfs = true };
		if (m->destination[0] != '/')
			r = err_set(im->err, EINVAL, "--tmpfs %s: expected an absolute path",
				    o->tmpfs.items[i]);
	}
	if (r == 0)
		r = add_image_volumes(im);
	if (im->own_ids)
		map_mounts(im);
	return r;
}

static struct strv words(char **items, size_t count)
{
	return (struct strv){ items, count };
}

/* Files first: what is on the command line wins. */
static int collect_env(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	size_t room = o->env.count;
	char *save = NULL;
	autobuf all = BUF_INIT;

	for (size_t i = 0; i < o->env_files.count; i++) {
		char *text;
		size_t len;
		int r = file_read(AT_FDCWD, o->env_files.items[i], TEXT_MAX, &im->a, &text, &len,
				  im->err);

		if (r < 0)
			return err_prefix(im->err, "--env-file");
		buf_adds(&all, text);
		buf_adds(&all, "\n");
	}
	for (const char *p = buf_str(&all); *p; p++)
		room += *p == '\n';
	im->convert.env.items = arena_calloc(&im->a, room + 1, sizeof(char *));
	for (char *line = strtok_r(arena_strdup(&im->a, buf_str(&all)), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (line[0] != '#')
			im->convert.env.items[im->convert.env.count++] = line;
	for (size_t i = 0; i < o->env.count; i++)
		im->convert.env.items[im->convert.env.count++] = (char *)o->env.items[i];
	return 0;
}

static int choose_seccomp(struct imaging *im)
{
	const char *given = im->o->image.seccomp;
	char *text;

	im->convert.seccomp = given;
	if (!given || strcmp(given, "unconfined") == 0)
		return 0;
	if (file_read(AT_FDCWD, given, JSON_MAX_SIZE, &im->a, &text, NULL, im->err) < 0)
		return err_prefix(im->err, "--seccomp");
	im->convert.seccomp = text;
	return 0;
}

static bool has_pids_controller(void)
{
	struct cg_tree tree;
	struct err ignored;
	bool has = false;

	if (globals.manager == CGROUP_DISABLED || cg_tree_find(&tree, &ignored) < 0)
		return false;
	has = cg_available(&tree) >> CG_PIDS & 1;
	cg_tree_close(&tree);
	return has;
}

static int choose_pids_limit(struct imaging *im)
{
	const char *text = im->o->image.pids_limit;
	char *end;

	/* What nobody asked for must not keep a container from running on a hybrid host. */
	if (!text)
		im->convert.pids_limit = has_pids_controller() ? 0 : -1;
	if (!text)
		return 0;
	im->convert.pids_limit = strtol(text, &end, 10);
	if (!*text || *end || im->convert.pids_limit < -1)
		return err_set(im->err, EINVAL, "--pids-limit: expected a number, found \"%s\"",
			       text);
	if (!im->convert.pids_limit)
		im->convert.pids_limit = -1;
	return 0;
}

static int choose_ids(struct imaging *im)
{
	const char *how = im->o->image.userns ? im->o->image.userns : "host";

	if (globals.rootless)
		subids_map(&im->a, &im->convert.uid_mappings, &im->convert.gid_mappings);
	else if (strcmp(how, "auto") != 0 && strcmp(how, "host") != 0)
		return err_set(im->err, EINVAL, "--userns: expected host or auto, found \"%s\"",
			       how);
	else
		im->own_ids = strcmp(how, "auto") == 0;
	return 0;
}

static int choose_network(struct imaging *im)
{
	/* An ordinary user cannot make another one that leads anywhere. */
	const char *name = im->o->image.network ? im->o->image.network
			   : globals.rootless	? "host"
						: "none";

	if (im->o->image.publish.count)
		return err_set(im->err, EOPNOTSUPP,
			       "--publish: this version of tote has no networks to publish from");
	if (strcmp(name, "none") != 0 && strcmp(name, "host") != 0)
		return err_set(im->err, EINVAL, "--network: expected none or host, found \"%s\"",
			       name);
	im->convert.host_network = strcmp(name, "host") == 0;
	return 0;
}

static int choose(struct imaging *im, const char *id, char **args)
{
	const struct image_options *o = &im->o->image;
	size_t count = 0;
	int r;

	while (args[count])
		count++;
	im->convert.args = words(args, count);
	im->convert.entrypoint = o->entrypoint;
	im->convert.user = o->user;
	im->convert.working_dir = o->workdir;
	im->convert.hostname =
		o->hostname ? o->hostname : arena_strndup(&im->a, id, strnlen(id, DNS_NAME_MAX));
	im->convert.read_only = o->read_only;
	im->convert.tty = o->tty;
	im->convert.rootless = globals.rootless;
	im->convert.memory = o->memory;
	im->convert.cpus = o->cpus;
	im->convert.cap_add = words((char **)o->cap_add.items, o->cap_add.count);
	im->convert.cap_drop = words((char **)o->cap_drop.items, o->cap_drop.count);
	r = collect_env(im);
	if (r == 0)
		r = choose_seccomp(im);
	if (r == 0)
		r = choose_pids_limit(im);
	if (r == 0)
		r = choose_network(im);
	if (r == 0)
		r = choose_ids(im);
	return r;
}

/*
 * As people know it: without -i nobody types, and with -d nobody listens. Returns stdout as it was,
 * to print the ID to, when it was put aside.
 */
static int set_streams(const struct run_options *o)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), out = -1;

	if (null < 0)
		return -1;
	if (o->make.detach)
		out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (!o->image.interactive || o->make.detach)
		dup2(null, STDIN_FILENO);
	if (o->make.detach) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	close(null);
	return out;
}

/* image-spec conversion.md, "config.WorkingDir": made where the image lacks it. */
static int make_working_dir(struct imaging *im)
{
	const char *dir =
		im->convert.working_dir ? im->convert.working_dir : im->config.process.working_dir;

	if (!dir || dir[0] != '/' || fill_from(im) < 0 || im->rootfs.read_only)
		return 0;
	return fd_make_path_in_root(im->lookup, dir, 0755) < 0
		       ? err_errno(im->err, "make the working directory %s", dir)
		       : 0;
}

static int make(struct imaging *im, const char *id, struct container *ret_c, int *ret_root,
		int *ret_pidfd, int *ret_terminal)
{
	struct make_options m = im->o->make;
	autobuf config = BUF_INIT;
	autofd err_before = -1, out = -1;
	int r = convert_spec(&im->config, &im->convert, im->lookup, &config, im->err);

	if (r < 0)
		return r;
	/* The container's own mount of the same directories comes now. */
	if (im->own_ids)
		close(take_fd(&im->lookup));
	m.bundle = arena_printf(&im->a, "%s/containers/%s", im->store.path, im->container);
	m.config_text = config.data;
	m.rootfs = &im->rootfs;
	err_before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	out = set_streams(im->o);
	r = make_container(id, &m, true, ret_c, ret_root, ret_pidfd, ret_terminal, im->err);
	if (im->o->make.detach) {
		dup2(err_before, STDERR_FILENO);
		dup2(out, STDOUT_FILENO);
	}
	/* container_create() removes what it was given, also when it fails. */
	im->container = NULL;
	return r;
}

int imaging_run(struct imaging *im, char **args, const struct run_options *o,
		struct container *ret_c, int *ret_root, int *ret_pidfd, int *ret_terminal,
		struct err *err)
{
	const char *id = o->image.name ? o->image.name : make_id(im->name, &im->a);
	int r = state_check_id(id, err);

	im->o = o;
	im->err = err;
	if (r == 0)
		r = choose(im, id, args);
	if (r == 0)
		r = make_root(im, id);
	if (r == 0)
		r = add_mounts(im);
	if (r == 0)
		r = make_working_dir(im);
	return r < 0 ? r : make(im, id, ret_c, ret_root, ret_pidfd, ret_terminal);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/convert.h"

#include "lib/cleanup.h"
#include "oci/default_spec.h"
#include "oci/image/convert_private.h"
#include "oci/spec_write.h"
#include "oci/users.h"

#include <errno.h>
#include <string.h>

#define ANNOTATION "org.opencontainers.image."
#define TTY_GID 5

/*
 * Labels that some runtime would obey if they became annotations: ours, those of systemd's scopes,
 * of crun, of runc, and of runtimes for WebAssembly. An image must never steer those.
 */
static const char *const steering[] = {
	"org.tote.", "org.systemd.property.", "run.oci.", "org.criu.", "module.wasm.image",
};

bool convert_steers(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(steering); i++)
		if (strncmp(key, steering[i], strlen(steering[i])) == 0)
			return true;
	return false;
}

static char *join(const struct strv *list, struct arena *a)
{
	autobuf b = BUF_INIT;

	for_each (s, list) {
		buf_adds(&b, b.len ? "," : "");
		buf_adds(&b, *s);
	}
	return arena_strdup(a, buf_str(&b));
}

void convert_annotations(const struct image_config *image, struct arena *a,
			 struct key_value_list *ret)
{
	const struct key_value_list *labels = &image->process.labels;
	const struct key_value fields[] = {
		{ (char *)ANNOTATION "os", image->platform.os },
		{ (char *)ANNOTATION "architecture", image->platform.architecture },
		{ (char *)ANNOTATION "variant", image->platform.variant },
		{ (char *)ANNOTATION "os.version", image->platform.os_version },
		{ (char *)ANNOTATION "os.features", join(&image->platform.os_features, a) },
		{ (char *)ANNOTATION "author", image->author },
		{ (char *)ANNOTATION "created", image->created },
		{ (char *)ANNOTATION "stopSignal", image->process.stop_signal },
		{ (char *)ANNOTATION "exposedPorts", join(&image->process.exposed_ports, a) },
	};

	*ret = (struct key_value_list){
		arena_calloc(a, ARRAY_SIZE(fields) + labels->count, sizeof(*ret->items)), 0
	};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].value && *fields[i].value && !annotation_get(labels, fields[i].key))
			ret->items[ret->count++] = fields[i];
	for_each (label, labels) {
		if (*label->key && !convert_steers(label->key))
			ret->items[ret->count++] = *label;
	}
}

static bool maps(const struct spec_id_mappings *mappings, uint32_t id)
{
	for_each (m, mappings) {
		if (id >= m->container_id && id - m->container_id < m->size)
			return true;
	}
	return false;
}

static unsigned int default_flags(const struct convert_opts *opts)
{
	bool user_ns = opts->rootless || opts->uid_mappings.count;
	unsigned int flags = DEFAULT_SPEC_IMAGE;

	if (opts->rootless)
		flags |= DEFAULT_SPEC_ROOTLESS;
	if (user_ns)
		flags |= DEFAULT_SPEC_USER_NS;
	if (user_ns && !maps(&opts->gid_mappings, TTY_GID))
		flags |= DEFAULT_SPEC_NO_TTY_GROUP;
	if (opts->host_network)
		flags |= DEFAULT_SPEC_HOST_NETWORK;
	return flags;
}

static int check_id(const char *kind, uint32_t id, const struct spec_id_mappings *mappings,
		    const struct convert_opts *opts, struct err *err)
{
	const struct spec_id_mapping *last;

	if (!mappings->count || maps(mappings, id))
		return 0;
	last = &mappings->items[mappings->count - 1];
	if (opts->rootless && mappings->count == 1 && last->size == 1)
		return err_set(err, EINVAL,
			       "%s %u cannot be had: without subordinate ids in /etc/subuid and "
			       "/etc/subgid there is only 0, as with --user 0",
			       kind, id);
	return err_set(err, EINVAL,
		       "%s %u cannot be had: the container's user namespace has 0 to %u%s", kind,
		       id, last->container_id + last->size - 1,
		       opts->rootless ? "" : "; --userns host does without one");
}

/* Better than EINVAL of setuid(2). */
static int check_user(const struct spec_user *user, const struct convert_opts *opts,
		      struct err *err)
{
	int r = check_id("user", user->uid, &opts->uid_mappings, opts, err);

	if (r == 0)
		r = check_id("group", user->gid, &opts->gid_mappings, opts, err);
	for_each (gid, &user->additional_gids)
		if (r == 0)
			r = check_id("group", *gid, &opts->gid_mappings, opts, err);
	return r;
}

static int convert_process(const struct image_process *image, const struct convert_opts *opts,
			   int root_fd, struct arena *a, struct spec_process *p, struct err *err)
{
	char *home;
	int r = users_resolve(root_fd, opts->user ? opts->user : image->user, a, &p->user, &home,
			      err);

	p->terminal = opts->tty;
	if (r == 0)
		r = convert_args(image, opts, a, p, err);
	if (r == 0)
		r = convert_env(image, opts, home, a, p, err);
	if (r == 0)
		r = convert_cwd(image, opts, a, p, err);
	if (r == 0)
		r = convert_settings(opts, root_fd, a, p, err);
	/* A bundle can be changed until it suits who runs it. */
	if (r == 0 && !opts->portable)
		r = check_user(&p->user, opts, err);
	return r < 0 ? r : convert_capabilities(opts, a, p, err);
}

/* Sockets for echo requests alone (icmp(7)) for every group that there is inside: what people expect
 * of ping, without a right to forge packets. */
static void allow_ping(const struct convert_opts *opts, struct arena *a, struct spec_linux *l)
{
	uint32_t last = INT32_MAX;

	for_each (m, &opts->gid_mappings)
		last = m == opts->gid_mappings.items ? m->container_id + m->size - 1 : last;
	if (opts->rootless && !opts->gid_mappings.count)
		last = 0;
	l->sysctl.items = arena_calloc(a, 1, sizeof(*l->sysctl.items));
	l->sysctl.items[0] = (struct key_value){ arena_strdup(a, "net.ipv4.ping_group_range"),
						 arena_printf(a, "0 %u", last) };
	l->sysctl.count = 1;
}

static int convert_linux(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
			 struct err *err)
{
	int r = convert_limits(opts, &l->resources, err);

	if (r < 0)
		return r;
	if (!opts->uid_mappings.count != !opts->gid_mappings.count)
		return err_set(err, EINVAL, "mappings of users and of groups come together");
	if (opts->uid_mappings.count) {
		l->uid_mappings = opts->uid_mappings;
		l->gid_mappings = opts->gid_mappings;
	}
	if (opts->ping)
		allow_ping(opts, a, l);
	l->cgroups_path = opts->cgroups_path ? arena_strdup(a, opts->cgroups_path) : NULL;
	r = convert_sysctls(opts, a, l, err);
	if (r == 0)
		r = convert_devices(opts, a, l, err);
	return r < 0 ? r : convert_seccomp(opts, a, l, err);
}

int convert_build(const struct image_config *image, const struct convert_opts *opts, int root_fd,
		  struct arena *a, struct spec *ret, struct err *err)
{
	int r;

	default_spec_fill(ret, default_flags(opts), a);
	ret->root->path = arena_strdup(a, opts->root_path);
	ret->root->readonly = opts->read_only;
	ret->hostname = opts->hostname ? arena_strdup(a, opts->hostname) : NULL;
	convert_annotations(image, a, &ret->annotations);
	r = convert_more_annotations(opts, a, &ret->annotations, err);
	if (r == 0)
		r = convert_process(&image->process, opts, root_fd, a, ret->process, err);
	if (r == 0)
		r = convert_shared(opts, a, ret, err);
	if (r == 0)
		r = convert_mounts(opts, a, ret, err);
	return r < 0 ? r : convert_linux(opts, a, &ret->linux_, err);
}

int convert_spec(const struct image_config *image, const struct convert_opts *opts, int root_fd,
		 struct buf *ret_json, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct spec spec;
	int r = convert_build(image, opts, root_fd, &a, &spec, err);

	if (r == 0)
		spec_write(&spec, opts->portable, ret_json);
	return r;
}

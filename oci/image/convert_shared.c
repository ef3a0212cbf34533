/* SPDX-License-Identifier: Apache-2.0 */
/* What it has in common with the host, and the memory that its processes share. */
#include "oci/image/convert_private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void drop_namespace(struct spec_linux *l, enum ns_kind kind)
{
	for (size_t i = 0; i < l->namespaces.count; i++) {
		struct spec_namespace *ns = &l->namespaces.items[i];

		if (ns->type != (int)kind)
			continue;
		memmove(ns, ns + 1, (--l->namespaces.count - i) * sizeof(*ns));
		return;
	}
}

static struct spec_mount *find_mount(struct spec *spec, const char *destination)
{
	for_each (m, &spec->mounts)
		if (strcmp(m->destination, destination) == 0)
			return m;
	return NULL;
}

static void drop_mount(struct spec *spec, struct spec_mount *m)
{
	const struct spec_mount *end = spec->mounts.items + spec->mounts.count--;

	memmove(m, m + 1, (size_t)(end - m - 1) * sizeof(*m));
}

/* Both show what is in an IPC namespace. Not every host has a message queue file system mounted. */
static void bind_from_host(struct spec *spec, const char *path, struct arena *a)
{
	static const char *const options[] = { "rbind", "nosuid", "noexec", "nodev" };
	struct spec_mount *m = find_mount(spec, path);
	size_t n = sizeof(options) / sizeof(options[0]);

	if (!m)
		return;
	if (access(path, F_OK) < 0) {
		drop_mount(spec, m);
		return;
	}
	m->type = arena_strdup(a, "bind");
	m->source = arena_strdup(a, path);
	m->options = (struct strv){ arena_calloc(a, n + 1, sizeof(char *)), n };
	for (size_t i = 0; i < n; i++)
		m->options.items[i] = arena_strdup(a, options[i]);
}

static int set_shm_size(const struct convert_opts *opts, struct arena *a, struct spec *spec,
			struct err *err)
{
	const struct spec_mount *m = find_mount(spec, "/dev/shm");
	int64_t size;

	if (!convert_bytes(opts->shm_size, &size))
		return err_set(err, EINVAL, "shm size \"%.40s\" is no size like 64m",
			       opts->shm_size);
	if (opts->host_ipc)
		return err_set(err, EINVAL,
			       "shm size \"%.40s\": with the IPC namespace it shares the host's",
			       opts->shm_size);
	for (size_t i = 0; m && i < m->options.count; i++)
		if (strncmp(m->options.items[i], "size=", 5) == 0)
			m->options.items[i] = arena_printf(a, "size=%lld", (long long)size);
	return 0;
}

int convert_shared(const struct convert_opts *opts, struct arena *a, struct spec *spec,
		   struct err *err)
{
	if (opts->host_pid)
		drop_namespace(&spec->linux_, NS_PID);
	if (opts->host_uts)
		drop_namespace(&spec->linux_, NS_UTS);
	/* It is the host's name then. */
	if (opts->host_uts)
		spec->hostname = NULL;
	if (opts->host_ipc) {
		drop_namespace(&spec->linux_, NS_IPC);
		bind_from_host(spec, "/dev/shm", a);
		bind_from_host(spec, "/dev/mqueue", a);
	}
	return opts->shm_size ? set_shm_size(opts, a, spec, err) : 0;
}

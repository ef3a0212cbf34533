/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/options.h"

#include "cmd/containerd-shim-tote-v2/options_private.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define FILE_MAX ((size_t)64 << 10)

static int decode_runc(const void *message, struct arena *a, struct shim_options *ret,
		       struct err *err)
{
	const Shim__RuncOptions *o = message;

	(void)err;
	ret->no_pivot = o->no_pivot_root;
	ret->no_new_keyring = o->no_new_keyring;
	ret->systemd_cgroup = o->systemd_cgroup;
	ret->io_uid = o->io_uid;
	ret->io_gid = o->io_gid;
	ret->root = arena_strdup(a, o->root);
	ret->binary_name = arena_strdup(a, o->binary_name);
	ret->shim_cgroup = arena_strdup(a, o->shim_cgroup);
	return 0;
}

static int decode_legacy(const void *message, struct arena *a, struct shim_options *ret,
			 struct err *err)
{
	const Shim__LegacyOptions *o = message;

	(void)err;
	ret->no_pivot = o->no_pivot_root;
	ret->no_new_keyring = o->no_new_keyring;
	ret->io_uid = o->io_uid;
	ret->io_gid = o->io_gid;
	ret->shim_cgroup = arena_strdup(a, o->shim_cgroup);
	return 0;
}

/* The text of the options, or a file with them. */
static int decode_generic(const void *message, struct arena *a, struct shim_options *ret,
			  struct err *err)
{
	const Shim__GenericOptions *o = message;
	autoarena file = ARENA_INIT;
	char *text;
	size_t len;
	int r;

	if (o->config_body.len)
		return options_read_toml((const char *)o->config_body.data, o->config_body.len, a,
					 ret, err) < 0
			       ? err_prefix(err, "options")
			       : 0;
	if (!*o->config_path)
		return 0;
	if (o->config_path[0] != '/')
		return err_set(err, EINVAL, "options: \"%.80s\" is no absolute path",
			       o->config_path);
	r = file_read(AT_FDCWD, o->config_path, FILE_MAX, &file, &text, &len, err);
	if (r < 0)
		return err_prefix(err, "options");
	r = options_read_toml(text, len, a, ret, err);
	return r < 0 ? err_prefix(err, "%.80s", o->config_path) : 0;
}

static const struct {
	const char *type;
	const ProtobufCMessageDescriptor *message;
	int (*decode)(const void *message, struct arena *a, struct shim_options *ret,
		      struct err *err);
} kinds[] = {
	{ "containerd.runc.v1.Options", &shim__runc_options__descriptor, decode_runc },
	{ "runtimeoptions.v1.Options", &shim__generic_options__descriptor, decode_generic },
	{ "containerd.linux.runc.CreateOptions", &shim__legacy_options__descriptor, decode_legacy },
};

static int decode_as(size_t kind, const Shim__Any *any, struct arena *a, struct shim_options *ret,
		     struct err *err)
{
	const void *message = wire_unpack(kinds[kind].message, any->value.data, any->value.len);

	if (!message)
		return err_set(err, EINVAL, "options: no message of type %s", kinds[kind].type);
	return kinds[kind].decode(message, a, ret, err);
}

int options_decode(const Shim__Any *any, struct arena *a, struct shim_options *ret, struct err *err)
{
	int r = 0;

	*ret = (struct shim_options){ .root = "", .binary_name = "", .shim_cgroup = "" };
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (wire_any_is(any, kinds[i].type))
			r = decode_as(i, any, a, ret, err);
	if (r == 0 && *ret->root && ret->root[0] != '/')
		return err_set(err, EINVAL, "options: root \"%.80s\" is no absolute path",
			       ret->root);
	return r;
}

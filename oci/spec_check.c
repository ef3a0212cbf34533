/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_tables.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#define MAX_SYSCTL_PATH 256

/*
 * Sysctls that belong to a namespace, so that writing one cannot reach the host. A path ending in
 * "/" stands for all below it.
 */
static const struct {
	const char *path;
	enum ns_kind kind;
} namespaced_sysctls[] = {
	{ "kernel/msgmax", NS_IPC }, { "kernel/msgmnb", NS_IPC },
	{ "kernel/msgmni", NS_IPC }, { "kernel/sem", NS_IPC },
	{ "kernel/shmall", NS_IPC }, { "kernel/shmmax", NS_IPC },
	{ "kernel/shmmni", NS_IPC }, { "kernel/shm_rmid_forced", NS_IPC },
	{ "fs/mqueue/", NS_IPC },    { "kernel/domainname", NS_UTS },
	{ "net/", NS_NETWORK },
};

/* semver.org: one number, without leading zeros. Returns what follows it, or NULL. */
static const char *semver_number(const char *s, unsigned int *ret_n)
{
	unsigned int n = 0;
	size_t digits = strspn(s, "0123456789");

	if (!digits || digits > 6 || (digits > 1 && *s == '0'))
		return NULL;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (unsigned int)(s[i] - '0');
	*ret_n = n;
	return s + digits;
}

/* Identifiers of letters, digits and "-", separated by dots: the part behind "-" or "+". */
static const char *semver_suffix(const char *s)
{
	for (;;) {
		size_t len = 0;

		while (isalnum((unsigned char)s[len]) || s[len] == '-')
			len++;
		if (!len)
			return NULL;
		s += len;
		if (*s != '.')
			return s;
		s++;
	}
}

static const char *semver_parse(const char *s, unsigned int n[3], bool *ret_pre_release)
{
	for (int i = 0; s && i < 3; i++) {
		if (i && *s++ != '.')
			return NULL;
		s = semver_number(s, &n[i]);
	}
	*ret_pre_release = s && *s == '-';
	if (s && *s == '-')
		s = semver_suffix(s + 1);
	if (s && *s == '+')
		s = semver_suffix(s + 1);
	return s && !*s ? s : NULL;
}

static int check_version(struct json_ctx *ctx, const char *version)
{
	unsigned int n[3] = { 0 };
	bool pre_release = false;

	if (!semver_parse(version, n, &pre_release))
		return member_error(ctx, "ociVersion", "\"%.32s\" is not a version (X.Y.Z)",
				    version);
	/* By semver's order 1.0.0-rc1 comes before 1.0.0, and was indeed another format. */
	if (n[0] != 1 || (pre_release && !n[1] && !n[2]))
		return member_error(ctx, "ociVersion",
				    "version %.32s is unsupported (1.0.0 and later 1.x are)",
				    version);
	return 0;
}

static int check_namespaces(struct json_ctx *ctx, const struct spec_linux *l)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < l->namespaces.count; i++) {
		int type = l->namespaces.items[i].type;

		if (seen & (1u << type)) {
			json_push(ctx, "namespaces", 0);
			json_push(ctx, NULL, i);
			return json_error(ctx, "the %s namespace is there twice",
					  ns_kind_name((enum ns_kind)type));
		}
		seen |= 1u << type;
	}
	return 0;
}

static int need_namespace(struct json_ctx *ctx, const struct spec *spec, const char *member,
			  enum ns_kind kind)
{
	if (spec_namespace(spec, kind))
		return 0;
	return member_error(ctx, member, "needs a namespace of type %s in linux.namespaces",
			    ns_kind_name(kind));
}

static int check_name(struct json_ctx *ctx, const struct spec *spec, const char *member,
		      const char *name)
{
	/* __NEW_UTS_LEN of the kernel, for both names. */
	if (!name || !*name)
		return 0;
	if (strlen(name) > HOST_NAME_MAX)
		return member_error(ctx, member, "longer than %d bytes", HOST_NAME_MAX);
	return need_namespace(ctx, spec, member, NS_UTS);
}

bool spec_sysctl_path(const char *key, char *ret_path, size_t size)
{
	char separator = key[strcspn(key, "./")];
	size_t start = 0, i = 0;

	for (;; i++) {
		char c = key[i];
		bool end = c == '\0' || c == separator;

		if (i + 1 > size || !(end || isalnum((unsigned char)c) || strchr("_-./", c)))
			return false;
		if (separator == '.' && !end && c == '/')
			c = '.';
		ret_path[i] = end ? '\0' : c;
		if (!end)
			continue;
		if (!is_file_name(ret_path + start))
			return false;
		if (key[i] == '\0')
			return true;
		ret_path[i] = '/';
		start = i + 1;
	}
}

static bool sysctl_matches(const char *path, const char *entry)
{
	size_t len = strlen(entry);

	if (entry[len - 1] == '/')
		return strncmp(path, entry, len) == 0;
	return strcmp(path, entry) == 0;
}

static int check_sysctl(struct json_ctx *ctx, const struct spec *spec, const char *key)
{
	char path[MAX_SYSCTL_PATH];

	if (!spec_sysctl_path(key, path, sizeof(path)))
		return member_error(ctx, key, "is not the name of a sysctl");
	if (strcmp(path, "kernel/hostname") == 0)
		return member_error(ctx, key, "is set by \"hostname\"");
	for (size_t i = 0; i < ARRAY_SIZE(namespaced_sysctls); i++)
		if (sysctl_matches(path, namespaced_sysctls[i].path))
			return need_namespace(ctx, spec, key, namespaced_sysctls[i].kind);
	return member_error(ctx, key, "belongs to no namespace and would change the host");
}

static int check_sysctls(struct json_ctx *ctx, const struct spec *spec)
{
	json_push(ctx, "sysctl", 0);
	for (size_t i = 0; i < spec->linux_.sysctl.count; i++) {
		int r = check_sysctl(ctx, spec, spec->linux_.sysctl.items[i].key);

		if (r < 0)
			return r;
	}
	json_pop(ctx);
	return 0;
}

/* What stands in linux.* and the namespace without which it would reach the host, or do nothing. */
static int check_linux_needs(struct json_ctx *ctx, const struct spec *spec)
{
	const struct spec_linux *l = &spec->linux_;
	const struct {
		bool present;
		const char *member;
		enum ns_kind kind;
	} needs[] = {
		{ l->uid_mappings.count, "uidMappings", NS_USER },
		{ l->gid_mappings.count, "gidMappings", NS_USER },
		{ l->net_devices.count, "netDevices", NS_NETWORK },
		{ l->masked_paths.count, "maskedPaths", NS_MOUNT },
		{ l->readonly_paths.count, "readonlyPaths", NS_MOUNT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		int r;

		if (!needs[i].present)
			continue;
		r = need_namespace(ctx, spec, needs[i].member, needs[i].kind);
		if (r < 0)
			return r;
	}
	/* The offsets of a namespace that somebody is in are fixed. */
	if ((l->time_offsets.monotonic || l->time_offsets.boottime) &&
	    !spec_new_namespace(spec, NS_TIME))
		return member_error(ctx, "timeOffsets", "needs a new time namespace");
	return 0;
}

static int check_annotations(struct json_ctx *ctx, const struct key_value_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!*list->items[i].key)
			return member_error(ctx, "annotations", "an empty key");
	return 0;
}

int spec_check(struct json_ctx *ctx, void *out)
{
	const struct spec *spec = out;
	int r;

	r = check_version(ctx, spec->oci_version);
	if (r < 0)
		return r;
	r = check_annotations(ctx, &spec->annotations);
	if (r < 0)
		return r;
	json_push(ctx, "linux", 0);
	r = check_namespaces(ctx, &spec->linux_);
	if (r == 0)
		r = check_linux_needs(ctx, spec);
	if (r == 0)
		r = check_sysctls(ctx, spec);
	if (r < 0)
		return r;
	json_pop(ctx);
	r = check_name(ctx, spec, "hostname", spec->hostname);
	return r < 0 ? r : check_name(ctx, spec, "domainname", spec->domainname);
}

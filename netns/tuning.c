/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI's "tuning", behind a plugin that made an interface: kernel settings of the container's namespace
 * below net, and the interface's hardware address, mtu, queue and modes. An interface that outlives
 * the container (host-device) gets the old ones back; settings end with their namespace.
 */
#include "netns/tuning.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "netns/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <string.h>

/* A regular expression a line, of settings that are allowed; without the file all are. The host's
 * administrator has it, while configurations may be others'. */
#define ALLOW_FILE "/etc/cni/tuning/allowlist.conf"
#define ALLOW_MAX 65536

static const char *text_of(const struct json_value *object, const char *key)
{
	const struct json_value *v = object ? json_get(object, key) : NULL;

	return v && v->kind == JSON_STRING && *v->text ? v->text : NULL;
}

static int read_conf(struct attach *at, struct tuning_values *ret_values)
{
	const struct json_value *args = json_get(at->conf, "args");
	const char *mac = text_of(at->runtime, "mac");
	struct tuning_values v = { 0 };
	char text[LINK_MAC_TEXT_SIZE];
	uint8_t bytes[LINK_MAC_SIZE];
	int rc = json_decode(at->conf, &tuning_values_table, at->arena, &v, at->err);

	if (rc < 0)
		return rc;
	if (!mac && args)
		mac = text_of(json_get(args, "cni"), "mac");
	if (!mac)
		mac = attach_arg(at, "MAC");
	if (mac)
		v.mac = (char *)mac;
	/* What is off, or no number, was never asked for. */
	v.mac = v.mac && *v.mac ? v.mac : NULL;
	/* However it is written, the result has it as others read it from the kernel. */
	if (v.mac && link_mac_parse(v.mac, bytes) == 0)
		v.mac = arena_strdup(at->arena, link_mac_text(bytes, text));
	v.mtu.set = v.mtu.set && v.mtu.value;
	v.promisc.set = v.promisc.set && v.promisc.value;
	v.allmulti.set = v.allmulti.set && v.allmulti.value;
	*ret_values = v;
	return 0;
}

static bool line_allows(const char *line, const char *key)
{
	regex_t pattern;
	bool allows;

	if (!*line || regcomp(&pattern, line, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	allows = regexec(&pattern, key, 0, NULL, 0) == 0;
	regfree(&pattern);
	return allows;
}

static bool is_allowed(struct attach *at, const char *list, const char *key)
{
	while (*list) {
		size_t len = strcspn(list, "\n");

		if (line_allows(arena_strndup(at->arena, list, len), key))
			return true;
		list += len + (list[len] == '\n');
	}
	return false;
}

/* NULL: no list. */
static int read_allowed(struct attach *at, char **ret_list)
{
	size_t len;
	int rc = file_read(AT_FDCWD, ALLOW_FILE, ALLOW_MAX, at->arena, ret_list, &len, at->err);

	if (rc == -ENOENT)
		*ret_list = NULL;
	return rc == -ENOENT ? 0 : rc;
}

/* The interface's own settings are written for every container alike. */
static const char *setting_name(struct attach *at, const char *key)
{
	const char *mark = strstr(key, "IFNAME");

	return mark ? arena_printf(at->arena, "%.*s%s%s", (int)(mark - key), key, at->ifname,
				   mark + strlen("IFNAME"))
		    : key;
}

typedef int use_setting(struct attach *at, const char *name, const char *value);

static int each_setting(struct attach *at, use_setting *use)
{
	const struct json_value *all = json_get(at->conf, "sysctl");
	char *allowed;
	int rc;

	if (!all || all->kind == JSON_NULL)
		return 0;
	if (all->kind != JSON_OBJECT)
		return err_set(at->err, EINVAL, "sysctl: expected an object");
	rc = read_allowed(at, &allowed);
	for (const struct json_value *v = all->first; v && rc >= 0; v = v->next) {
		if (v->kind != JSON_STRING)
			return err_set(at->err, EINVAL, "sysctl.%s: expected a string", v->key);
		if (allowed && !is_allowed(at, allowed, v->key))
			return err_set(at->err, EPERM, ALLOW_FILE " does not allow %s", v->key);
		rc = use(at, setting_name(at, v->key), v->text);
	}
	return rc;
}

static int write_setting(struct attach *at, const char *name, const char *value)
{
	return ns_sysctl(at->netns_fd, name, value, at->err);
}

/* The kernel puts tabs between several numbers. */
static bool same_words(const char *a, const char *b)
{
	static const char space[] = " \t\n";

	while (*a || *b) {
		size_t len;

		a += strspn(a, space);
		b += strspn(b, space);
		len = strcspn(a, space);
		if (len != strcspn(b, space) || memcmp(a, b, len) != 0)
			return false;
		a += len;
		b += len;
	}
	return true;
}

static int check_setting(struct attach *at, const char *name, const char *value)
{
	char now[256];
	int rc = ns_sysctl_read(at->netns_fd, name, now, sizeof(now), at->err);

	if (rc >= 0 && !same_words(now, value))
		return err_set(at->err, ENOENT, "%s is %s, not %s", name, now, value);
	return rc;
}

/* The result tells of the interface what is true now. */
static void update_result(struct attach *at, const struct tuning_values *v)
{
	for_each (interface, &at->result.interfaces) {
		if (strcmp(interface->name, at->ifname) != 0 || !interface->sandbox ||
		    !*interface->sandbox)
			continue;
		if (v->mac)
			interface->mac = v->mac;
		if (v->mtu.set && interface->mtu)
			interface->mtu = v->mtu.value;
	}
}

static int tune(struct attach *at, const struct tuning_values *wanted)
{
	struct tuning_values before;
	struct rtnl *inside;
	struct link link;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = tuning_values_read(at, inside, at->ifname, wanted, &link, &before);
	if (rc >= 0)
		rc = tuning_save(at, &before);
	if (rc >= 0)
		rc = tuning_values_set(inside, &link, wanted, at->err);
	if (rc >= 0)
		rc = rtnl_run(inside, NULL, at->err);
	if (rc >= 0)
		update_result(at, wanted);
	return rc;
}

static int add(struct attach *at)
{
	struct tuning_values wanted;
	int rc = read_conf(at, &wanted);

	if (rc >= 0 && !at->has_result)
		rc = err_set(at->err, EINVAL,
			     "there is no result of a plugin before it in the list");
	if (rc >= 0)
		rc = each_setting(at, write_setting);
	if (rc >= 0 && tuning_values_any(&wanted))
		rc = tune(at, &wanted);
	return rc;
}

static int restore(struct attach *at, const struct tuning_values *before)
{
	struct tuning_values ignored;
	struct rtnl *inside;
	struct link link;
	int rc = attach_inside(at, &inside);

	if (rc >= 0)
		rc = tuning_values_read(at, inside, at->ifname, before, &link, &ignored);
	if (rc == -ENODEV)
		return 0;
	if (rc >= 0)
		rc = tuning_values_set(inside, &link, before, at->err);
	return rc < 0 ? rc : rtnl_run(inside, NULL, at->err);
}

static int del(struct attach *at)
{
	struct tuning_values before;
	int rc = tuning_load(at, &before);

	if (rc == -ENOENT)
		return tuning_forget(at);
	/* What cannot be read cannot be given back, and must not stay in the way. */
	if (rc >= 0 && at->netns_fd >= 0)
		rc = restore(at, &before);
	else
		rc = 0;
	return rc < 0 ? rc : tuning_forget(at);
}

static bool same(const struct tuning_values *a, const struct tuning_values *b)
{
	return (!a->mac || (b->mac && strcasecmp(a->mac, b->mac) == 0)) &&
	       a->mtu.value == b->mtu.value && a->queue_length.value == b->queue_length.value &&
	       a->promisc.value == b->promisc.value && a->allmulti.value == b->allmulti.value;
}

static int check(struct attach *at)
{
	struct tuning_values wanted, now;
	struct rtnl *inside;
	struct link link;
	int rc = read_conf(at, &wanted);

	if (rc >= 0)
		rc = each_setting(at, check_setting);
	if (rc < 0 || !tuning_values_any(&wanted))
		return rc;
	rc = attach_inside(at, &inside);
	if (rc >= 0)
		rc = tuning_values_read(at, inside, at->ifname, &wanted, &link, &now);
	if (rc >= 0 && !same(&wanted, &now))
		rc = err_set(at->err, ENOENT,
			     "%s of container %s has another address, mtu, queue or mode "
			     "than ADD gave it",
			     at->ifname, at->container);
	return rc;
}

const struct plugin plugin_tuning = {
	.type = "tuning", .add = add, .del = del, .check = check, .gc = tuning_gc
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/conf.h"

#include "lib/cleanup.h"
#include "netns/result.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 255
#define NESTED_TYPE "tote-cni"
/* A version where none is given: the first that had the field. */
#define VERSION_BEFORE_ALL "0.1.0"

static const char builtin[] =
	"{\"cniVersion\":\"1.1.0\",\"name\":\"bridge\",\"plugins\":["
	"{\"type\":\"bridge\",\"bridge\":\"tote0\",\"isGateway\":true,\"ipMasq\":true,"
	"\"hairpinMode\":true,\"capabilities\":{\"ips\":true,\"mac\":true},"
	"\"ipam\":{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.87.0.0/16\"}]],"
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}},"
	"{\"type\":\"firewall\"}]}";

/* The members of a network that are judged here; plugins' own stay in the tree. */
struct document {
	char *name, *type, *version;
	struct strv versions;
	bool disable_check, disable_gc;
	const struct json_value *plugins;
};

static const struct json_field document_fields[] = {
	{ "name", json_string, offsetof(struct document, name) },
	{ "type", json_string, offsetof(struct document, type) },
	{ "cniVersion", json_string, offsetof(struct document, version) },
	{ "cniVersions", json_strv, offsetof(struct document, versions) },
	{ "disableCheck", json_bool, offsetof(struct document, disable_check) },
	{ "disableGC", json_bool, offsetof(struct document, disable_gc) },
	{ "plugins", json_value_raw, offsetof(struct document, plugins) },
};

static const struct json_table document_table = {
	document_fields,
	ARRAY_SIZE(document_fields),
	sizeof(struct document),
};

bool cni_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > NAME_MAX_LEN || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

/* Spec 1.1 has "cniVersions" besides "cniVersion": the runtime takes the highest it knows. */
static int choose_version(const struct document *doc, struct arena *a, char **ret_version,
			  struct err *err)
{
	char shown[CNI_SHOWN_SIZE];
	const char *best = NULL;

	for_each (version, &doc->versions)
		if (cni_version_known(*version) &&
		    (!best || cni_version_compare(*version, best) > 0))
			best = *version;
	if (doc->version && *doc->version && cni_version_known(doc->version) &&
	    (!best || cni_version_compare(doc->version, best) > 0))
		best = doc->version;
	if (!best && doc->version && *doc->version)
		return err_set(err, EPROTONOSUPPORT,
			       "cniVersion: %s is unknown; 0.1.0 to 1.1.0 are spoken",
			       cni_shown(doc->version, shown));
	if (!best && doc->versions.count)
		return err_set(err, EPROTONOSUPPORT,
			       "cniVersions: none is known; 0.1.0 to 1.1.0 are spoken");
	*ret_version = arena_strdup(a, best ? best : VERSION_BEFORE_ALL);
	return 0;
}

static struct json_value *array_new(struct arena *a)
{
	struct json_value *array = arena_alloc(a, sizeof(*array));

	array->kind = JSON_ARRAY;
	return array;
}

/* Returns where the next goes. Members are copied, as a value hangs in one list only. */
static struct json_value **array_add(struct json_value *array, struct json_value **end,
				     const struct json_value *v, struct arena *a)
{
	struct json_value *copy = arena_memdup(a, v, sizeof(*copy));

	copy->key = NULL;
	copy->next = NULL;
	*end = copy;
	array->count++;
	return &copy->next;
}

static const char *plugin_type(const struct json_value *plugin)
{
	const struct json_value *type = json_get(plugin, "type");

	return type && type->kind == JSON_STRING ? type->text : NULL;
}

/* The chain within one link of somebody's list. */
static const struct json_value *nested_plugins(const struct json_value *plugin)
{
	const char *type = plugin_type(plugin);
	const struct json_value *plugins = json_get(plugin, "plugins");

	return type && strcmp(type, NESTED_TYPE) == 0 && plugins && plugins->kind == JSON_ARRAY
		       ? plugins
		       : NULL;
}

static int check_ipam(const struct json_value *ipam, size_t index, struct err *err)
{
	const struct json_value *type;
	char shown[CNI_SHOWN_SIZE];

	if (!ipam || ipam->kind == JSON_NULL)
		return 0;
	if (ipam->kind != JSON_OBJECT)
		return err_set(err, EINVAL, "plugins[%zu].ipam: expected an object", index);
	type = json_get(ipam, "type");
	if (!type || type->kind == JSON_NULL)
		return 0;
	if (type->kind != JSON_STRING)
		return err_set(err, EINVAL, "plugins[%zu].ipam.type: expected a string", index);
	if (*type->text && !cni_name_ok(type->text))
		return err_set(err, EINVAL, "plugins[%zu].ipam.type: \"%s\" is no plugin's name",
			       index, cni_shown(type->text, shown));
	return 0;
}

/* The type is the name of a program below CNI_PATH: it must not lead elsewhere. */
static int check_plugin(const struct json_value *plugin, size_t index, struct err *err)
{
	const char *type = plugin_type(plugin);
	char shown[CNI_SHOWN_SIZE];

	if (plugin->kind != JSON_OBJECT)
		return err_set(err, EINVAL, "plugins[%zu]: expected an object", index);
	if (!type)
		return err_set(err, EINVAL, "plugins[%zu].type: missing", index);
	if (!cni_name_ok(type))
		return err_set(err, EINVAL, "plugins[%zu].type: \"%s\" is no plugin's name", index,
			       cni_shown(type, shown));
	if (strcmp(type, NESTED_TYPE) == 0)
		return err_set(err, EINVAL,
			       "plugins[%zu].type: " NESTED_TYPE
			       " has to have \"plugins\", and none of them may be " NESTED_TYPE,
			       index);
	return check_ipam(json_get(plugin, "ipam"), index, err);
}

/* One list without the nested ones. */
static int flatten(const struct json_value *plugins, struct arena *a, struct json_value **ret_flat,
		   struct err *err)
{
	struct json_value *flat = array_new(a);
	struct json_value **end = &flat->first;
	int r = 0;

	if (plugins->kind != JSON_ARRAY)
		return err_set(err, EINVAL, "plugins: expected an array");
	for (const struct json_value *p = plugins->first; p; p = p->next) {
		const struct json_value *nested = nested_plugins(p);

		for (const struct json_value *n = nested ? nested->first : NULL; n; n = n->next)
			end = array_add(flat, end, n, a);
		if (!nested)
			end = array_add(flat, end, p, a);
	}
	if (!flat->count)
		return err_set(err, EINVAL, "plugins: there has to be one at least");
	end = &flat->first;
	for (size_t i = 0; i < flat->count && r == 0; i++, end = &(*end)->next)
		r = check_plugin(*end, i, err);
	if (r == 0)
		*ret_flat = flat;
	return r;
}

static int check_name(const char *name, struct err *err)
{
	char shown[CNI_SHOWN_SIZE];

	if (!name || !*name)
		return err_set(err, EINVAL, "name: missing");
	if (!cni_name_ok(name))
		return err_set(
			err, EINVAL,
			"name: \"%s\": a network's name has letters, digits, \"_\", \".\" "
			"and \"-\", begins with a letter or digit, and has at most %d of them",
			cni_shown(name, shown), NAME_MAX_LEN);
	return 0;
}

int cni_network_from_value(const struct json_value *whole, struct arena *a, struct cni_network *ret,
			   struct err *err)
{
	struct cni_network network = { .whole = whole };
	struct document doc = { NULL };
	int r;

	if (whole->kind != JSON_OBJECT)
		return err_set(err, EINVAL, "a network's configuration has to be an object");
	r = json_decode(whole, &document_table, a, &doc, err);
	if (r == 0)
		r = choose_version(&doc, a, &network.version, err);
	if (r == 0)
		r = check_name(doc.name, err);
	if (r < 0)
		return r;
	network.name = doc.name;
	network.disable_check = doc.disable_check;
	network.disable_gc = doc.disable_gc;
	network.single = !doc.plugins;
	if (network.single) {
		struct json_value *one = array_new(a);

		array_add(one, &one->first, whole, a);
		r = flatten(one, a, &network.plugins, err);
	} else {
		r = flatten(doc.plugins, a, &network.plugins, err);
	}
	if (r == 0)
		*ret = network;
	return r;
}

int cni_network_parse(const char *text, size_t len, struct arena *a, struct cni_network *ret,
		      struct err *err)
{
	struct json_value *whole;
	int r = json_parse(text, len, a, &whole, err);

	if (r < 0)
		return err->code = r == -EINVAL ? -EBADMSG : r;
	return cni_network_from_value(whole, a, ret, err);
}

int cni_network_builtin(struct arena *a, struct cni_network *ret, struct err *err)
{
	return cni_network_parse(builtin, sizeof(builtin) - 1, a, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/ipam_types.h"

#include <errno.h>
#include <string.h>

static void append(struct ip_net_list *list, struct arena *a, const struct ip_net *net)
{
	struct ip_net *items;

	for_each (known, list)
		if (ip_equal(&known->ip, &net->ip))
			return;
	items = arena_calloc(a, list->count + 1, sizeof(*items));
	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	items[list->count++] = *net;
	list->items = items;
}

static int add_text(struct attach *at, const char *source, const char *text, bool need_prefix,
		    struct ip_net_list *list)
{
	struct ip_net net;

	if (ip_net_parse(text, &net) < 0) {
		if (need_prefix)
			return err_set(at->err, EINVAL,
				       "%s: \"%s\" is not an address with a prefix, such as "
				       "10.88.0.5/24",
				       source, text);
		if (ip_parse(text, &net.ip) < 0)
			return err_set(at->err, EINVAL, "%s: \"%s\" is not an IP address", source,
				       text);
		net.prefix_len = (uint8_t)(ip_size(&net.ip) * 8);
	}
	append(list, at->arena, &net);
	return 0;
}

static int add_array(struct attach *at, const char *source, const struct json_value *array,
		     bool need_prefix, struct ip_net_list *list)
{
	int r = 0;

	if (!array || array->kind == JSON_NULL)
		return 0;
	if (array->kind != JSON_ARRAY)
		return err_set(at->err, EINVAL, "%s: expected an array of addresses", source);
	for (const struct json_value *v = array->first; v && r == 0; v = v->next)
		r = v->kind == JSON_STRING
			    ? add_text(at, source, v->text, need_prefix, list)
			    : err_set(at->err, EINVAL, "%s: expected addresses as strings", source);
	return r;
}

static const struct json_value *member(const struct json_value *v, const char *key)
{
	return v && v->kind == JSON_OBJECT ? json_get(v, key) : NULL;
}

static int add_words(struct attach *at, bool need_prefix, struct ip_net_list *list)
{
	const char *value = attach_arg(at, "IP");
	char *text = value ? arena_strdup(at->arena, value) : NULL, *word;
	int r = 0;

	while (r == 0 && (word = strsep(&text, ",")))
		if (*word)
			r = add_text(at, "CNI_ARGS IP", word, need_prefix, list);
	return r;
}

int ipam_requested(struct attach *at, unsigned int sources, bool need_prefix,
		   struct ip_net_list *ret)
{
	struct ip_net_list list = { NULL, 0 };
	int r = 0;

	if (sources & IPAM_RUNTIME)
		r = add_array(at, "runtimeConfig.ips", member(at->runtime, "ips"), need_prefix,
			      &list);
	if (r == 0 && sources & IPAM_CONF_ARGS)
		r = add_array(at, "args.cni.ips",
			      member(member(member(at->conf, "args"), "cni"), "ips"), need_prefix,
			      &list);
	if (r == 0 && sources & IPAM_CNI_ARGS)
		r = add_words(at, need_prefix, &list);
	if (r == 0)
		*ret = list;
	return r;
}

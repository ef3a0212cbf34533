/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a runtime puts on a CNI plugin's stdin, as a network and as a result: it is refused with one
 * line, or every name in it is one that can safely be a file's, and a result means the same when it is
 * written in its version and read again.
 */
#include "lib/cleanup.h"
#include "netns/conf.h"
#include "netns/result.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_error(const struct err *err)
{
	check(err->code < 0 && err->msg[0] && !strchr(err->msg, '\n'));
}

static void check_network(const struct cni_network *n)
{
	size_t count = 0;

	check(cni_name_ok(n->name) && cni_version_known(n->version));
	for (const struct json_value *p = n->plugins->first; p; p = p->next, count++) {
		const struct json_value *type = json_get(p, "type");

		check(type && type->kind == JSON_STRING && cni_name_ok(type->text));
		check(!strchr(type->text, '/') && strcmp(type->text, "..") != 0);
	}
	check(count && count == n->plugins->count);
}

static const char *form(const struct cni_result *result, const char *version, struct arena *a)
{
	autobuf b = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &b, false);
	cni_result_write(result, version, &w);
	json_writer_done(&w);
	return arena_strdup(a, b.data);
}

static void check_result(const struct cni_result *r, const char *version, struct arena *a)
{
	const char *text = form(r, version, a);
	struct cni_result again;
	struct json_value *v;
	struct err err;

	for_each (ip, &r->ips)
		check(!ip->interface.set || ip->interface.value < r->interfaces.count);
	check(json_parse(text, strlen(text), a, &v, &err) == 0);
	check(cni_result_parse(v, "1.1.0", a, &again, &err) == 0);
	check(strcmp(form(&again, version, a), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	struct cni_network network;
	struct cni_result result;
	struct json_value *v;

	if (cni_network_parse((const char *)data, size, &a, &network, &err) < 0)
		check_error(&err);
	else
		check_network(&network);
	if (json_parse((const char *)data, size, &a, &v, &err) < 0)
		return 0;
	for (const char *const *version = cni_versions; *version; version++) {
		if (cni_result_parse(v, *version, &a, &result, &err) < 0)
			check_error(&err);
		else
			check_result(&result, *version, &a);
	}
	return 0;
}

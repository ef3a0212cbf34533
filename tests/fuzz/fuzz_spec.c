/* SPDX-License-Identifier: Apache-2.0 */
/* Every document either decodes to something that can be walked or fails with one line that says
 * why. */
#include "oci/spec.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_message(int r, const struct err *err)
{
	if (r < 0 && (!err->msg[0] || strchr(err->msg, '\n')))
		abort();
}

static void walk(const struct spec *spec)
{
	char path[256];

	if (spec->process && (!spec->process->args.count || spec->process->cwd[0] != '/'))
		abort();
	if (!spec->root->path[0])
		abort();
	for (size_t i = 0; i < spec->linux_.sysctl.count; i++)
		if (!spec_sysctl_path(spec->linux_.sysctl.items[i].key, path, sizeof(path)) ||
		    strstr(path, "..") == path || strstr(path, "/../"))
			abort();
	for (size_t i = 0; i < spec->linux_.namespaces.count; i++)
		ns_kind_name((enum ns_kind)spec->linux_.namespaces.items[i].type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	struct spec_process *process;
	struct cg_limits limits;
	struct spec *spec;
	int r;

	r = spec_parse(text, size, &a, &spec, &err);
	expect_message(r, &err);
	if (r == 0)
		walk(spec);
	r = spec_parse_process(text, size, &a, &process, &err);
	expect_message(r, &err);
	r = spec_parse_resources(text, size, &a, &limits, &err);
	expect_message(r, &err);
	return 0;
}

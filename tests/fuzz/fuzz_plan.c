/* SPDX-License-Identifier: Apache-2.0 */
/* Every spec that is accepted gives a plan that can be printed and encoded, or one line that says
 * why not. */
#include "oci/plan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_plan(const struct plan *plan)
{
	autobuf text = BUF_INIT, wire = BUF_INIT;
	struct wire_plan head;

	plan_text(plan, &text);
	plan_encode(plan, 3, &wire);
	memcpy(&head, wire.data, sizeof(head));
	if (head.size != wire.len || head.step_count != plan->steps.count || !plan->steps.count)
		abort();
	if (plan->steps.items[plan->steps.count - 1].op != STEP_EXEC)
		abort();
}

static void check(int r, const struct err *err)
{
	if (r < 0 && (!err->msg[0] || strchr(err->msg, '\n') || err->code != r))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct plan_opts opts[] = {
		{ .id = "f",
		  .bundle = "/b",
		  .privileged = true,
		  .seccomp_cache = -1,
		  .notify_dir = "/n" },
		{ .id = "f",
		  .bundle = "/b",
		  .create = true,
		  .no_setgroups = true,
		  .seccomp_cache = -1 },
	};
	autoarena a = ARENA_INIT;
	struct err err = { 0 };
	struct spec *spec;

	if (spec_parse((const char *)data, size, &a, &spec, &err) < 0)
		return 0;
	/* Filters have a fuzzer of their own and would be compiled by another program. */
	spec->linux_.seccomp = NULL;
	for (size_t i = 0; i < sizeof(opts) / sizeof(opts[0]); i++) {
		struct plan plan;
		int r = plan_build(spec, &opts[i], &a, &plan, &err);

		check(r, &err);
		if (r == 0)
			use_plan(&plan);
		if (!spec->process)
			continue;
		r = plan_build_exec(spec, spec->process, &opts[i], &a, &plan, &err);
		check(r, &err);
		if (r == 0)
			use_plan(&plan);
	}
	return 0;
}

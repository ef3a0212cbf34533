/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as tote-init reads it: see oci/plan_format.h. */
#include "oci/plan.h"

#include <string.h>

static void align(struct buf *out)
{
	static const char zeros[8];

	buf_add(out, zeros, -out->len & 7);
}

static uint32_t put(struct buf *out, const void *data, size_t len)
{
	uint32_t at;

	/* Filters and masks are read as words by the kernel. */
	align(out);
	at = (uint32_t)out->len;
	buf_add(out, data, len);
	return at;
}

static uint32_t put_string(struct buf *out, const char *s)
{
	uint32_t at = (uint32_t)out->len;

	if (!s)
		return 0;
	buf_add(out, s, strlen(s) + 1);
	return at;
}

/* Strings first, then the array of their offsets, in words as wide as the pointers they will
 * become. */
static uint32_t put_strings(struct buf *out, char *const *v)
{
	size_t count = 0;
	uint32_t text = (uint32_t)out->len, at;

	for (; v && v[count]; count++)
		put_string(out, v[count]);
	align(out);
	at = (uint32_t)out->len;
	for (size_t i = 0; i < count; i++) {
		uintptr_t offset = text;

		buf_add(out, &offset, sizeof(offset));
		text += (uint32_t)strlen(v[i]) + 1;
	}
	buf_add(out, &(uintptr_t){ 0 }, sizeof(uintptr_t));
	return at;
}

static void encode_step(const struct step *s, struct buf *out, size_t at)
{
	struct wire_step w = { .op = (uint16_t)s->op, .flags = (uint16_t)s->flags, .fd = s->fd };

	memcpy(w.arg, s->arg, sizeof(w.arg));
	w.path = put_string(out, s->path);
	w.source = s->op == STEP_HOOK ? put_strings(out, s->argv) : put_string(out, s->source);
	w.type = s->op == STEP_HOOK ? put_strings(out, s->envp) : put_string(out, s->type);
	if (s->data) {
		w.data = put(out, s->data, s->data_len);
		w.data_len = (uint32_t)s->data_len;
		buf_add(out, "", 1); /* so that a string ends */
	}
	memcpy(out->data + at, &w, sizeof(w));
}

void plan_encode(const struct plan *plan, int sync_fd, struct buf *out)
{
	size_t steps_len = plan->steps.count * sizeof(struct wire_step);
	struct wire_plan head = { .magic = PLAN_MAGIC,
				  .sync_fd = sync_fd,
				  .step_count = (uint32_t)plan->steps.count };

	head.steps = (sizeof(head) + 7) & ~7u;
	memset(buf_reserve(out, head.steps + steps_len), 0, head.steps + steps_len);
	out->len = head.steps + steps_len;
	for (size_t i = 0; i < plan->steps.count; i++)
		encode_step(&plan->steps.items[i], out, head.steps + i * sizeof(struct wire_step));
	head.argv = put_strings(out, plan->argv);
	head.envp = put_strings(out, plan->envp);
	head.size = (uint32_t)out->len;
	memcpy(out->data, &head, sizeof(head));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/spec_annotations.h"

#include "lib/cleanup.h"
#include "lib/number.h"

#include <errno.h>
#include <string.h>

static int bad_value(const struct key_value *kv, const char *expected, struct err *err)
{
	return err_set(err, EINVAL, "annotations[\"%s\"]: expected %s, found \"%s\"", kv->key,
		       expected, kv->value);
}

/* "90%". Divided first: the product of a large limit would overflow. */
static int read_high(const struct key_value *kv, struct cg_memory *m, struct err *err)
{
	const char *text = kv->value;
	uint64_t percent;

	if (*text == ' ' || !number_scan(&text, &percent) || strcmp(text, "%") != 0 || !percent ||
	    percent > 100)
		return bad_value(kv, "a share of the memory limit from 1% to 100%", err);
	if (!m->limit.set || !m->limit.value)
		return err_set(err, EINVAL,
			       "annotations[\"%s\"]: a share of linux.resources.memory.limit, "
			       "which is not set",
			       kv->key);
	m->high = m->limit;
	if (m->limit.value > 0)
		m->high.value = m->limit.value / 100 * (int64_t)percent +
				m->limit.value % 100 * (int64_t)percent / 100;
	return 0;
}

static int read_oom_group(const struct key_value *kv, struct cg_memory *m, struct err *err)
{
	m->oom_group = (struct opt_bool){ true, strcmp(kv->value, "true") == 0 };
	return m->oom_group.value || strcmp(kv->value, "false") == 0
		       ? 0
		       : bad_value(kv, "true or false", err);
}

static const struct {
	const char *key;
	int (*read)(const struct key_value *kv, struct cg_memory *m, struct err *err);
} annotations[] = {
	{ ANNOTATION_MEMORY_HIGH, read_high },
	{ ANNOTATION_MEMORY_OOM_GROUP, read_oom_group },
};

int spec_apply_annotations(const struct key_value_list *list, struct cg_limits *limits,
			   struct err *err)
{
	for_each (kv, list) {
		for (size_t i = 0; i < ARRAY_SIZE(annotations); i++) {
			int r;

			if (strcmp(kv->key, annotations[i].key) != 0)
				continue;
			r = annotations[i].read(kv, &limits->memory, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/supervise/desired.h"

#include "lib/buf.h"

#include <errno.h>
#include <string.h>

/* Of a service while the graph is walked. */
enum visit { NOT_YET, UNDER_WAY, DONE };

struct walk {
	struct desired_project *p;
	struct arena *a;
	struct err *err;
	unsigned char *visits;
	size_t *way; /* from the first to the one at hand */
	size_t *order, done;
};

static int report_cycle(struct walk *w, size_t depth, size_t again)
{
	autobuf text = BUF_INIT;
	size_t from = 0;

	while (w->way[from] != again)
		from++;
	for (; from < depth; from++)
		buf_addf(&text, "%s -> ", w->p->services.items[w->way[from]].name);
	return err_set(w->err, EINVAL, "services depend on each other: %s%s", buf_str(&text),
		       w->p->services.items[again].name);
}

/* The first of a service's that is not done, in *ret; 0 when there is none. */
static int next_of(struct walk *w, size_t at, size_t *ret)
{
	const struct desired_service *s = &w->p->services.items[at];

	for_each (d, &s->depends) {
		const struct desired_service *other = desired_find(w->p, d->service);

		if (!other && !d->optional)
			return err_set(w->err, EINVAL,
				       "service %s depends on \"%s\", which is not there", s->name,
				       d->service);
		if (!other || w->visits[other - w->p->services.items] == DONE)
			continue;
		*ret = (size_t)(other - w->p->services.items);
		return 1;
	}
	return 0;
}

/* Depth first, without recursion: a chain may be as long as there are services. */
static int visit(struct walk *w, size_t start)
{
	size_t depth = 1, next = 0;

	w->way[0] = start;
	w->visits[start] = UNDER_WAY;
	while (depth) {
		size_t at = w->way[depth - 1];
		int r = next_of(w, at, &next);

		if (r < 0)
			return r;
		if (r == 0) {
			w->visits[at] = DONE;
			w->order[w->done++] = at;
			depth--;
			continue;
		}
		if (w->visits[next] == UNDER_WAY)
			return report_cycle(w, depth, next);
		w->visits[next] = UNDER_WAY;
		w->way[depth++] = next;
	}
	return 0;
}

int desired_sort(struct desired_project *p, struct arena *a, struct err *err)
{
	size_t count = p->services.count;
	struct desired_service *sorted = arena_calloc(a, count + 1, sizeof(*sorted));
	struct walk w = {
		.p = p,
		.a = a,
		.err = err,
		.visits = arena_alloc(a, count + 1),
		.way = arena_calloc(a, count + 1, sizeof(size_t)),
		.order = arena_calloc(a, count + 1, sizeof(size_t)),
	};

	for (size_t i = 0; i < count; i++)
		if (w.visits[i] == NOT_YET) {
			int r = visit(&w, i);

			if (r < 0)
				return r;
		}
	for (size_t i = 0; i < count; i++)
		sorted[i] = p->services.items[w.order[i]];
	p->services.items = sorted;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/limits_undo.h"

#include "cgroups/cg.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct limits_before {
	const char *file, *value;
	struct limits_before *earlier;
};

/* "8:0 rbps=100" is about one device or word; the numbers of cpu.max and of a list of processors are one value. */
static size_t key_length(const struct cg_write *w)
{
	size_t len = strcspn(w->value, " ");

	return w->value[len] && strncmp(w->file, "cpu", 3) != 0 ? len : 0;
}

/* The line that is about the key, without one the first: of a weight that is the group's own. */
static const char *find_line(const char *text, const char *key, size_t len)
{
	while (text && len && (strncmp(text, key, len) != 0 || text[len] != ' ')) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text;
}

/* A device without a line has no limits: "8:0 rbps=max", "8:0 default" for a weight. */
static char *no_limit(const struct limits_undo *undo, const char *value, size_t key_len)
{
	autobuf line = BUF_INIT;
	const char *p = value + key_len;

	buf_add(&line, value, key_len);
	if (!strchr(p, '='))
		buf_adds(&line, " default");
	for (; (p = strchr(p, ' ')); p++)
		if (strchr(p, '='))
			buf_addf(&line, "%.*s=max", (int)strcspn(p, "="), p);
	return arena_strdup(undo->a, buf_str(&line));
}

/* A list of processors that is empty stands for the one above, and a group with processes does not
 * get it back: then for what it comes to. */
static ssize_t peek(const struct cg *cg, const char *file, char *text, size_t size)
{
	char effective[NAME_MAX + 1];
	ssize_t n = file_peek(cg->fd, file, text, size);

	if (n != 0)
		return n;
	snprintf(effective, sizeof(effective), "%s.effective", file);
	n = file_peek(cg->fd, effective, text, size);
	return n == -ENOENT ? 0 : n;
}

static void note(struct limits_undo *undo, const struct cg_write *w)
{
	size_t key_len = key_length(w);
	struct limits_before *before;
	const char *line;
	char text[4096];

	if (peek(undo->cg, w->file, text, sizeof(text)) < 0)
		return;
	line = find_line(text, w->value, key_len);
	before = arena_alloc(undo->a, sizeof(*before));
	before->file = w->file;
	before->value = line ? arena_strndup(undo->a, line, strcspn(line, "\n"))
			     : no_limit(undo, w->value, key_len);
	before->earlier = undo->last;
	undo->last = before;
}

void limits_undo_note(struct limits_undo *undo, const struct cg_write *w)
{
	/* The kernel forgets the weight when the group idles: written back after that. */
	if (strcmp(w->file, "cpu.idle") == 0)
		note(undo, &(struct cg_write){ .file = "cpu.weight", .value = "" });
	note(undo, w);
}

void limits_undo(const struct limits_undo *undo)
{
	for (const struct limits_before *b = undo->last; b; b = b->earlier)
		file_poke(undo->cg->fd, b->file, b->value);
}

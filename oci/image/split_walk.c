/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/split_private.h"

#include <limits.h>
#include <string.h>

const char *split_path(const struct tar_frame *frame)
{
	const char *name = buf_str(&frame->name);

	for (;;) {
		if (name[0] == '/')
			name++;
		else if (name[0] == '.' && name[1] == '/')
			name += 2;
		else
			return name;
	}
}

/* Whether an extracted layer has the content below its name: not for what the extractor takes for
 * something else, or refuses. */
static bool has_file(const struct tar_frame *f)
{
	const char *path = split_path(f), *leaf = strrchr(path, '/');

	leaf = leaf ? leaf + 1 : path;
	return f->type == '0' && !f->sparse && f->size && f->name.len < PATH_MAX &&
	       strlen(buf_str(&f->name)) == f->name.len && *leaf && strcmp(leaf, ".") != 0 &&
	       strcmp(leaf, "..") != 0 && strncmp(leaf, ".wh.", 4) != 0;
}

static void end_content(struct split_walk *w)
{
	w->in_file = false;
	w->left = w->padding;
	w->place = w->padding ? SPLIT_PADDING : SPLIT_HEADER;
}

static void take_block(struct split_walk *w)
{
	switch (tar_frame_block(&w->frame, w->block)) {
	case TAR_MORE:
		return;
	case TAR_MEMBER:
		if (!w->frame.size)
			return;
		w->place = SPLIT_CONTENT;
		w->left = w->frame.size;
		w->padding = -w->frame.size % TAR_BLOCK;
		w->in_file = has_file(&w->frame);
		return;
	case TAR_END:
	case TAR_BROKEN:
		w->place = SPLIT_REST;
	}
}

static size_t walk_header(struct split_walk *w, const void *data, size_t len)
{
	size_t n = TAR_BLOCK - w->block_len < len ? TAR_BLOCK - w->block_len : len;

	memcpy(w->block + w->block_len, data, n);
	w->block_len += n;
	if (w->block_len == TAR_BLOCK) {
		w->block_len = 0;
		take_block(w);
	}
	return n;
}

void split_walk_content(struct split_walk *w, uint64_t len)
{
	w->left -= len;
	if (!w->left)
		end_content(w);
}

size_t split_walk(struct split_walk *w, const void *data, size_t len)
{
	size_t n = w->left < len ? (size_t)w->left : len;

	switch (w->place) {
	case SPLIT_HEADER:
		return walk_header(w, data, len);
	case SPLIT_CONTENT:
		split_walk_content(w, n);
		return n;
	case SPLIT_PADDING:
		w->left -= n;
		if (!w->left)
			w->place = SPLIT_HEADER;
		return n;
	default:
		return len;
	}
}

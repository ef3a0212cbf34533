/* SPDX-License-Identifier: Apache-2.0 */
/* Where a range begins in files that may be large: they are read from their ends. */
#include "cmd/tote-compose/logs_source.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK ((size_t)64 << 10)
/* How far to go on for the beginning of a line that was written in parts. */
#define PARTS_MAX 256

/* One file from its end to its beginning. */
struct back {
	int fd;
	uint64_t start;	 /* of what is in data */
	struct buf data; /* up to where we are */
	struct buf spare;
};

static void back_done(struct back *b)
{
	buf_done(&b->data);
	buf_done(&b->spare);
}

/* Puts the block before in front. 0 or -errno. */
static int back_fill(struct back *b)
{
	size_t want = b->start < BLOCK ? (size_t)b->start : BLOCK;
	struct buf data = b->spare;
	ssize_t n;

	buf_reset(&data);
	n = fd_pread_full(b->fd, buf_reserve(&data, want), want, b->start - want);
	b->spare = data;
	if (n < 0)
		return (int)n;
	/* Shorter than it was: somebody cut it. */
	if ((size_t)n < want)
		return -ESTALE;
	data.len = want;
	buf_add(&data, b->data.data, b->data.len);
	b->start -= want;
	b->spare = b->data;
	b->data = data;
	return 0;
}

/* The line before, which starts at *ret_offset: 1; 0: there is none; -errno. It is valid until the next
 * call. */
static int back_line(struct back *b, const char **ret, size_t *ret_len, uint64_t *ret_offset)
{
	for (;;) {
		size_t len = b->data.len, from;
		/* The newline at its end is its own. */
		size_t body = len && b->data.data[len - 1] == '\n' ? len - 1 : len;
		const char *newline = body ? memrchr(b->data.data, '\n', body) : NULL;
		int r;

		if (!len && !b->start)
			return 0;
		if (newline || (len && !b->start) || body >= LOGS_LINE_MAX) {
			from = newline ? (size_t)(newline - b->data.data) + 1 : 0;
			*ret = b->data.data + from;
			*ret_len = body - from;
			*ret_offset = b->start + from;
			b->data.len = from;
			return 1;
		}
		r = back_fill(b);
		if (r < 0)
			return r;
	}
}

/* What has been seen on the way back. */
struct scan {
	const struct logs_range *range;
	uint64_t wanted; /* whole lines of the range */
	uint64_t skip;	 /* whole lines before these, as parts of the first are among them */
	bool full;	 /* only such parts are looked for now */
	/* A line of the stream was met, and not yet the end of the one before it. */
	bool unsure[2];
	int further;
};

/* True when the line at hand is before what is wanted. */
static bool scan_line(struct scan *s, const struct logs_line *line)
{
	bool early = line->timed && line->time < s->range->since;

	if (!s->full && (early || s->wanted == s->range->tail))
		s->full = true;
	if (s->full) {
		if (!line->partial)
			s->unsure[line->stream] = false;
		if ((!s->unsure[0] && !s->unsure[1]) || s->further++ == PARTS_MAX)
			return true;
		s->skip += !line->partial;
	} else {
		s->unsure[line->stream] = true;
		s->wanted += !line->partial && (!line->timed || line->time <= s->range->until);
	}
	return false;
}

/* Goes back through one file: 1 when the range begins in it, 0 when it begins before. */
static int scan_file(struct logs_file *f, struct scan *s, struct buf *scratch)
{
	__attribute__((cleanup(back_done))) struct back b = { .fd = f->fd };
	struct logs_line line;
	const char *bytes = NULL;
	struct stat st;
	size_t len = 0;
	uint64_t offset = 0;
	int r;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	b.start = f->at = (uint64_t)st.st_size;
	while ((r = back_line(&b, &bytes, &len, &offset)) > 0) {
		logs_line_read(bytes, len, scratch, &line);
		if (scan_line(s, &line))
			return 1;
		f->at = offset;
	}
	return r;
}

int logs_source_seek(struct logs_source *s, const struct logs_range *range, struct err *err)
{
	struct scan scan = { .range = range };
	int r = 0;

	for (size_t i = s->files.count; i-- > 0 && r == 0;) {
		s->current = i;
		r = scan_file(&s->files.items[i], &scan, &s->scratch);
	}
	if (r < 0)
		return err_code(err, r, "read %s", s->name);
	s->skip = scan.skip;
	s->label->lines += scan.wanted;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/logs_line.h"

#include "cmd/tote-compose/logs_time.h"

#include <string.h>

/* The next word before a blank; moves *p behind that. NULL when there is none. */
static const char *word(const char **p, const char *end, size_t *ret_len)
{
	const char *start = *p, *blank = memchr(start, ' ', (size_t)(end - start));

	if (!blank)
		return NULL;
	*ret_len = (size_t)(blank - start);
	*p = blank + 1;
	return start;
}

static bool is(const char *text, size_t len, const char *wanted)
{
	return text && len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

static bool read_stream(const char *text, size_t len, int *ret)
{
	if (!is(text, len, "stdout") && !is(text, len, "stderr"))
		return false;
	*ret = text[3] == 'e';
	return true;
}

static bool read_local(const char *line, size_t len, struct logs_line *ret)
{
	const char *p = line, *end = line + len, *text;
	size_t n;

	text = word(&p, end, &n);
	if (!text || !logs_time_scan(text, n, &ret->time))
		return false;
	text = word(&p, end, &n);
	if (!text || !read_stream(text, n, &ret->stream))
		return false;
	/* An empty line may have lost its last blank. */
	text = word(&p, end, &n);
	if (!text) {
		text = p;
		n = (size_t)(end - p);
		p = end;
	}
	if (n < 1 || (text[0] != 'F' && text[0] != 'P') || (n > 1 && text[1] != ':'))
		return false;
	ret->partial = text[0] == 'P';
	ret->text = p;
	ret->len = (size_t)(end - p);
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits; -1 for others. */
static int32_t hex4(const char *p, const char *end)
{
	int32_t n = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = hex_digit(p[i]);

		if (d < 0)
			return -1;
		n = n * 16 + d;
	}
	return n;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	char bytes[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	buf_add(out, bytes, n);
}

/* Behind "\u"; moves *p behind the digits, also those of a second surrogate. */
static bool read_unicode(const char **p, const char *end, struct buf *out)
{
	int32_t c = hex4(*p, end), low;

	if (c < 0)
		return false;
	*p += 4;
	if (c >= 0xd800 && c < 0xe000) {
		low = c < 0xdc00 && end - *p >= 6 && memcmp(*p, "\\u", 2) == 0 ? hex4(*p + 2, end)
									       : -1;
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			*p += 6;
		} else {
			c = 0xfffd;
		}
	}
	add_utf8(out, (uint32_t)c);
	return true;
}

/*
 * A string behind its first quote; moves *p behind the last one. Not json_parse(): a log may have NUL
 * bytes in it, which configuration may not.
 */
static bool read_string(const char **p, const char *end, struct buf *out)
{
	static const char plain[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";

	while (*p < end && **p != '"') {
		const char *start = *p, *at;

		while (*p < end && **p != '"' && **p != '\\')
			(*p)++;
		buf_add(out, start, (size_t)(*p - start));
		if (*p == end || **p == '"')
			break;
		if (end - *p < 2)
			return false;
		at = memchr(plain, (*p)[1], sizeof(plain) - 1);
		*p += 2;
		if (at)
			buf_add(out, &means[at - plain], 1);
		else if ((*p)[-1] != 'u' || !read_unicode(p, end, out))
			return false;
	}
	return *p < end && *(*p)++ == '"';
}

static void skip(const char **p, const char *end)
{
	while (*p < end && (**p == ' ' || **p == ',' || **p == ':' || **p == '\t'))
		(*p)++;
}

/* Past a value that is not ours: the object "attrs" of Docker has no others in it. */
static bool skip_value(const char **p, const char *end, struct buf *scratch)
{
	size_t keep = scratch->len;
	int depth = 0;

	do {
		bool good = true;

		if (*p >= end)
			return false;
		depth += (**p == '{' || **p == '[') - (**p == '}' || **p == ']');
		if (*(*p)++ == '"')
			good = read_string(p, end, scratch);
		scratch->len = keep;
		if (!good)
			return false;
	} while (depth > 0 || (*p < end && **p != ',' && **p != '}'));
	return true;
}

/* The members are read one after the other into scratch, the text first if it comes first. */
struct found {
	size_t log, log_len;
	bool has_log, has_time, has_stream;
};

static bool read_member(const char **p, const char *end, struct buf *scratch, struct found *f,
			struct logs_line *ret)
{
	size_t key = scratch->len, value, n;

	if (*p >= end || *(*p)++ != '"' || !read_string(p, end, scratch))
		return false;
	value = scratch->len;
	skip(p, end);
	if (*p >= end || **p != '"')
		return skip_value(p, end, scratch);
	(*p)++;
	if (!read_string(p, end, scratch))
		return false;
	n = scratch->len - value;
	if (is(scratch->data + key, value - key, "log")) {
		f->has_log = true;
		f->log = value;
		f->log_len = n;
	} else if (is(scratch->data + key, value - key, "stream")) {
		f->has_stream = read_stream(scratch->data + value, n, &ret->stream);
	} else if (is(scratch->data + key, value - key, "time")) {
		f->has_time = logs_time_scan(scratch->data + value, n, &ret->time);
	}
	return true;
}

static bool read_json(const char *line, size_t len, struct buf *scratch, struct logs_line *ret)
{
	const char *p = line + 1, *end = line + len;
	struct found f = { 0 };

	if (len < 2 || line[0] != '{')
		return false;
	for (skip(&p, end); p < end && *p != '}'; skip(&p, end))
		if (!read_member(&p, end, scratch, &f, ret))
			return false;
	if (!f.has_log || !f.has_stream || !f.has_time)
		return false;
	ret->partial = !f.log_len || scratch->data[f.log + f.log_len - 1] != '\n';
	ret->text = scratch->data + f.log;
	ret->len = f.log_len - !ret->partial;
	return true;
}

void logs_line_read(const char *line, size_t len, struct buf *scratch, struct logs_line *ret)
{
	*ret = (struct logs_line){ .timed = true };
	buf_reset(scratch);
	/* Never NULL below. */
	buf_adds(scratch, "");
	if (read_local(line, len, ret) || read_json(line, len, scratch, ret))
		return;
	*ret = (struct logs_line){ .text = line, .len = len };
}

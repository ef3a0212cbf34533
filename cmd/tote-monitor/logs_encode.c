/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/logs_private.h"

#include "lib/utf8.h"

#include <stdint.h>
#include <string.h>

struct out {
	char *at, *end;
};

static bool add(struct out *o, const char *data, size_t len)
{
	if ((size_t)(o->end - o->at) < len)
		return false;
	memcpy(o->at, data, len);
	o->at += len;
	return true;
}

static bool adds(struct out *o, const char *s)
{
	return add(o, s, strlen(s));
}

/* CRI's text form: "TIME STREAM F|P TEXT\n", P when the line goes on in the next record. */
static size_t encode_cri(const struct log_record *rec, char *to, size_t room, bool split,
			 size_t *ret_taken)
{
	struct out o = { to, to + room };
	size_t len = rec->len, left;
	bool fits;

	if (!adds(&o, rec->time) || !adds(&o, rec->err ? " stderr " : " stdout "))
		return 0;
	left = (size_t)(o.end - o.at);
	if (left < 4)
		return 0;
	left -= 3; /* "F ", newline */
	fits = len <= left;
	if (!fits && !split)
		return 0;
	if (!fits)
		len = left;
	adds(&o, fits && rec->last ? "F " : "P ");
	add(&o, rec->text, len);
	adds(&o, "\n");
	*ret_taken = len;
	return (size_t)(o.at - to);
}

/*
 * Eight bytes at once: a subtraction sets the upper bit of a byte that is less than what is taken from it.
 * The borrow that goes with it may set others, which does no harm, as then each is looked at.
 */
static bool plain_word(const char *text)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t w, quote, backslash;

	memcpy(&w, text, sizeof(w));
	quote = w ^ ones * '"';
	backslash = w ^ ones * '\\';
	return !((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & ones * 0x80);
}

/* How many bytes of text need no escape, from its start. */
static size_t plain(const char *text, size_t len)
{
	size_t i = 0;

	while (i + sizeof(uint64_t) <= len && plain_word(text + i))
		i += sizeof(uint64_t);
	for (; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
			break;
	}
	return i;
}

static size_t char_size(unsigned char lead)
{
	return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

size_t logs_whole_chars(const char *text, size_t len)
{
	for (size_t back = 1; back < 4 && back <= len; back++) {
		unsigned char c = (unsigned char)text[len - back];

		if (c >= 0xc0)
			return char_size(c) > back ? len - back : len;
		if (c < 0x80)
			break;
	}
	return len;
}

/* One character that is not plain, as JSON. */
static const char *escape(const char *text, size_t len, char form[8], size_t *ret_taken)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*text;
	size_t n;

	*ret_taken = 1;
	if (c == '"' || c == '\\') {
		form[0] = '\\';
		form[1] = (char)c;
		form[2] = 0;
		return form;
	}
	if (c < 0x20) {
		memcpy(form, "\\u00", 4);
		form[4] = hex[c >> 4];
		form[5] = hex[c & 15];
		form[6] = 0;
		return form;
	}
	n = utf8_char(text, len);
	if (!n)
		return "\xef\xbf\xbd"; /* U+FFFD */
	memcpy(form, text, n);
	form[n] = 0;
	*ret_taken = n;
	return form;
}

/* The text up to room; how much of it was taken. */
static size_t add_escaped(struct out *o, const char *text, size_t len)
{
	const char *at = text, *end = at + len;
	char form[8];

	while (at < end) {
		size_t n = plain(at, (size_t)(end - at)), left = (size_t)(o->end - o->at);

		if (n > left)
			n = left;
		add(o, at, n);
		at += n;
		if (at == end || n == left || !adds(o, escape(at, (size_t)(end - at), form, &n)))
			break;
		at += n;
	}
	return (size_t)(at - text);
}

/* Docker's: one object a line; a record whose "log" does not end in a newline goes on. */
static size_t encode_json(const struct log_record *rec, char *to, size_t room, bool split,
			  size_t *ret_taken)
{
	static const char head[] = "{\"log\":\"", out[] = "\",\"stream\":\"stdout\",\"time\":\"",
			  err[] = "\",\"stream\":\"stderr\",\"time\":\"", tail[] = "\"}\n";
	size_t time_len = strlen(rec->time), taken;
	size_t around = sizeof(err) - 1 + 2 + time_len + sizeof(tail) - 1;
	struct out o = { to, to + room };

	if (room < sizeof(head) + around + 8)
		return 0;
	o.end -= around;
	add(&o, head, sizeof(head) - 1);
	taken = add_escaped(&o, rec->text, rec->len);
	if (taken < rec->len && !split)
		return 0;
	o.end += around;
	if (rec->last && taken == rec->len)
		adds(&o, "\\n");
	add(&o, rec->err ? err : out, sizeof(out) - 1);
	add(&o, rec->time, time_len);
	add(&o, tail, sizeof(tail) - 1);
	*ret_taken = taken;
	return (size_t)(o.at - to);
}

size_t logs_encode(enum log_driver driver, const struct log_record *rec, char *to, size_t room,
		   bool split, size_t *ret_taken)
{
	return driver == LOG_JSON_FILE ? encode_json(rec, to, room, split, ret_taken)
				       : encode_cri(rec, to, room, split, ret_taken);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/progress.h"

#include "cmd/tote-image/image.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_WIDTH 24

static const char *const state_names[] = { [LOAD_WAITING] = "waiting",
					   [LOAD_RUNNING] = "unpacking",
					   [LOAD_DONE] = "done",
					   [LOAD_KNOWN] = "known" };

int progress_init(struct progress *p, const char *form, struct err *err)
{
	static const struct {
		const char *name;
		enum progress_form form;
	} forms[] = { { "none", PROGRESS_NONE },
		      { "plain", PROGRESS_PLAIN },
		      { "json", PROGRESS_JSON } };
	const char *terminal = getenv("TERM");
	bool bars = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;

	*p = (struct progress){ bars ? PROGRESS_BARS : PROGRESS_PLAIN, deadline_now_ms(), 0, 0,
				NULL };
	if (!form || strcmp(form, "auto") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (strcmp(forms[i].name, form) == 0) {
			p->form = forms[i].form;
			return 0;
		}
	return err_set(err, EINVAL, "--progress: expected auto, plain, json or none, found \"%s\"",
		       form);
}

static void add_bar(const struct progress *p, const struct load_layer *l, struct buf *out)
{
	int64_t ms = deadline_now_ms() - p->began_ms;
	char done[24], size[24], rate[24];
	int filled = l->size ? (int)(l->done * BAR_WIDTH / l->size) : BAR_WIDTH;

	buf_addf(out, "%.12s ", digest_hex(l->diff_id));
	if (l->state != LOAD_RUNNING) {
		buf_addf(out, "%-9s %s", state_names[l->state], size_text(l->size, size));
		return;
	}
	buf_adds(out, "[");
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_adds(out, i < filled ? "=" : i == filled ? ">" : " ");
	buf_addf(out, "] %s of %s", size_text(l->done, done), size_text(l->size, size));
	if (ms > 500 && l->done)
		buf_addf(out, ", %s/s, %llu s left", size_text(l->done * 1000 / (uint64_t)ms, rate),
			 (unsigned long long)((l->size - l->done) * (uint64_t)ms / l->done / 1000));
}

/* No more lines than the terminal has: what scrolls away cannot be written over. */
static size_t visible(size_t count)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row < 2)
		return count < 20 ? count : 20;
	return count < size.ws_row - 1U ? count : size.ws_row - 1U;
}

static bool is_interesting(const struct load_layer *l)
{
	return l->state == LOAD_RUNNING;
}

static void show_bars(struct progress *p, const struct load_progress *now)
{
	autobuf out = BUF_INIT;
	size_t room = visible(now->count), lines = 0;
	bool all = now->count <= room;

	if (p->lines)
		buf_addf(&out, "\033[%zuA", p->lines);
	for (size_t i = 0; i < now->count && lines < room; i++) {
		if (!all && !is_interesting(&now->layers[i]))
			continue;
		add_bar(p, &now->layers[i], &out);
		buf_adds(&out, "\033[K\n");
		lines++;
	}
	for (; lines < p->lines; lines++)
		buf_adds(&out, "\033[K\n");
	p->lines = lines;
	fd_write_full(STDERR_FILENO, buf_str(&out), out.len);
}

static void tell_plain(const struct load_layer *l, struct buf *out)
{
	char size[24];

	if (l->state == LOAD_DONE || l->state == LOAD_KNOWN)
		buf_addf(out, "layer %.12s %s, %s\n", digest_hex(l->diff_id),
			 l->state == LOAD_KNOWN ? "was there" : "unpacked",
			 size_text(l->size, size));
}

static void tell_json(const struct load_layer *l, struct buf *out)
{
	buf_addf(out, "{\"layer\":\"%s\",\"state\":\"%s\",\"size\":%llu,\"done\":%llu}\n",
		 l->diff_id, state_names[l->state], (unsigned long long)l->size,
		 (unsigned long long)l->done);
}

/* Each layer when its state changes; for programs also how far it is. */
static void tell_changes(struct progress *p, const struct load_progress *now)
{
	autobuf out = BUF_INIT;

	if (now->count > p->told_size) {
		p->told = realloc(p->told, now->count);
		if (!p->told)
			exit(255);
		memset(p->told + p->told_size, 0, now->count - p->told_size);
		p->told_size = now->count;
	}
	for (size_t i = 0; i < now->count; i++) {
		const struct load_layer *l = &now->layers[i];
		bool changed = p->told[i] != l->state + 1;

		p->told[i] = (unsigned char)(l->state + 1);
		if (p->form == PROGRESS_JSON && (changed || l->state == LOAD_RUNNING))
			tell_json(l, &out);
		else if (p->form == PROGRESS_PLAIN && changed)
			tell_plain(l, &out);
	}
	fd_write_full(STDERR_FILENO, buf_str(&out), out.len);
}

void progress_show(void *arg, const struct load_progress *now)
{
	struct progress *p = arg;

	if (p->form == PROGRESS_BARS)
		show_bars(p, now);
	else if (p->form != PROGRESS_NONE)
		tell_changes(p, now);
}

void progress_done(struct progress *p)
{
	free(p->told);
	p->told = NULL;
}

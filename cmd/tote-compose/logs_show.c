/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/logs.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

/* For what inotify does not see: a directory that is made later, a network file system. */
#define LOOK_MS 1000
#define SUFFIX ".log"
#define SUFFIX_LEN (sizeof(SUFFIX) - 1)

struct show {
	const struct logs_view *view;
	struct arena memory;
	int dir_fd; /* -1: not there yet */
	int inotify;
	LIST(struct logs_source *) sources; /* on the heap, as are labels */
	LIST(struct logs_label *) labels;
	int width;  /* of the widest label */
	bool begun; /* what comes now is new */
};

static void show_done(struct show *s)
{
	for_each (source, &s->sources) {
		logs_source_close(*source);
		free(*source);
	}
	for_each (label, &s->labels)
		free(*label);
	free(s->sources.items);
	free(s->labels.items);
	cleanup_fd(&s->dir_fd);
	cleanup_fd(&s->inotify);
	arena_done(&s->memory);
}

/* A pointer more at the end of an array on the heap. */
static int push(void *items, size_t *count, void *what)
{
	void **grown = reallocarray(*(void **)items, *count + 1, sizeof(void *));

	if (!grown)
		return -ENOMEM;
	grown[(*count)++] = what;
	*(void ***)items = grown;
	return 0;
}

static bool wanted(const struct logs_view *v, const char *service, const char *label)
{
	for (char **name = v->services; *name; name++)
		if (strcmp(*name, service) == 0 || strcmp(*name, label) == 0)
			return true;
	return !*v->services;
}

static struct logs_label *find_label(struct show *s, const char *name)
{
	struct logs_label *made;

	for_each (label, &s->labels)
		if (strcmp((*label)->name, name) == 0)
			return *label;
	made = calloc(1, sizeof(*made));
	if (!made || push(&s->labels.items, &s->labels.count, made) < 0) {
		free(made);
		return NULL;
	}
	made->name = arena_strdup(&s->memory, name);
	if (s->width < (int)strlen(name))
		s->width = (int)strlen(name);
	return made;
}

static int add_source(struct show *s, const char *file, const char *label, struct err *err)
{
	struct logs_source *source;
	int r;

	for_each (there, &s->sources)
		if (strcmp((*there)->name, file) == 0)
			return 0;
	source = calloc(1, sizeof(*source));
	if (!source || push(&s->sources.items, &s->sources.count, source) < 0) {
		free(source);
		return err_code(err, ENOMEM, "logs");
	}
	source->name = arena_strdup(&s->memory, file);
	source->dir_fd = s->dir_fd;
	source->label = find_label(s, label);
	if (!source->label)
		return err_code(err, ENOMEM, "logs");
	r = logs_source_open(source, err);
	/* Of a file that came later all is new. */
	if (r == 0 && !s->begun &&
	    (s->view->range.tail != UINT64_MAX || s->view->range.since != INT64_MIN))
		r = logs_source_seek(source, &s->view->range, err);
	return r;
}

/* "shop-web-1.log", or an older one of it where that is missing for a moment. */
static int consider(struct show *s, const char *name, struct err *err)
{
	const char *end = strstr(name, SUFFIX);
	char *instance, *service, *label;
	uint32_t number;
	bool second;

	/* A service's name may have it too. */
	while (end && strstr(end + 1, SUFFIX))
		end = strstr(end + 1, SUFFIX);
	if (!end || (end[SUFFIX_LEN] && end[SUFFIX_LEN] != '.'))
		return 0;
	instance = arena_strndup(&s->memory, name, (size_t)(end - name));
	if (!client_split_instance(instance, s->view->project, &s->memory, &service, &number,
				   &second))
		return 0;
	label = arena_printf(&s->memory, "%s-%u", service, number);
	if (!wanted(s->view, service, label))
		return 0;
	return add_source(s, arena_printf(&s->memory, "%s" SUFFIX, instance), label, err);
}

static int open_dir(struct show *s, struct err *err)
{
	s->dir_fd = fd_open(AT_FDCWD, s->view->dir, O_RDONLY | O_DIRECTORY);
	if (s->dir_fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "open %s", s->view->dir);
	/* Before the names are read: nothing is missed in between. */
	if (s->inotify >= 0 &&
	    inotify_add_watch(s->inotify, s->view->dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		log_debug("watch %s: %s", s->view->dir, err_text(errno));
	return 0;
}

/* What there is now, and more of what there was. */
static int look(struct show *s, struct err *err)
{
	struct strv names = { NULL, 0 };
	autoarena a = ARENA_INIT;
	int r = s->dir_fd < 0 ? open_dir(s, err) : 0;

	if (r < 0 || s->dir_fd < 0)
		return r;
	for_each (source, &s->sources)
		if (r == 0)
			r = logs_source_refresh(*source, err);
	if (r == 0)
		r = file_list(s->dir_fd, ".", &a, &names, err);
	for_each (name, &names)
		if (r == 0)
			r = consider(s, *name, err);
	return r;
}

static void print_line(const struct show *s, const struct logs_source *source)
{
	const struct logs_label *label = source->label;
	char text[TIME_TEXT_SIZE];
	struct timespec t = { source->time / 1000000000, source->time % 1000000000 };

	if (t.tv_nsec < 0) {
		t.tv_sec--;
		t.tv_nsec += 1000000000;
	}
	if (s->view->prefix)
		printf("%-*s | ", s->width, label->name);
	if (s->view->timestamps) {
		time_text(&t, true, text, sizeof(text));
		printf("%s ", text);
	}
	fwrite(buf_str(&source->text), 1, source->text.len, stdout);
	putchar('\n');
}

static void take_line(const struct show *s, struct logs_source *source)
{
	if (source->time > s->view->range.until)
		;
	else if (source->label->skip)
		source->label->skip--;
	else
		print_line(s, source);
	logs_source_drop(source);
}

/* All that there is, in the order of its times; lines of the same time in that of the sources. */
static int print_all(const struct show *s, bool last, struct err *err)
{
	for (;;) {
		struct logs_source *first = NULL;

		for_each (source, &s->sources) {
			int r = logs_source_next(*source, last, err);

			if (r < 0)
				return r;
			if (r > 0 && (!first || (*source)->time < first->time))
				first = *source;
		}
		if (!first)
			break;
		take_line(s, first);
		/* To a reader who is gone no more is written; main() says so. */
		if (ferror(stdout))
			break;
	}
	fflush(stdout);
	return 0;
}

/* A label has at most so many, whatever its two instances have together. */
static void set_skips(struct show *s)
{
	for_each (label, &s->labels) {
		uint64_t lines = (*label)->lines;

		(*label)->skip = lines > s->view->range.tail ? lines - s->view->range.tail : 0;
	}
}

static int check_found(const struct show *s, struct err *err)
{
	for (char **name = s->view->services; *name; name++) {
		size_t len = strlen(*name);
		bool found = false;

		for_each (label, &s->labels)
			found |= strncmp((*label)->name, *name, len) == 0 &&
				 (!(*label)->name[len] || (*label)->name[len] == '-');
		if (!found)
			return err_set(err, CLIENT_NO_SUCH, "%s has no log in %s", *name,
				       s->view->dir);
	}
	return 0;
}

/* Until something has happened, or long enough; what exactly does not matter. */
static void wait_for_change(const struct show *s)
{
	char events[4096] __attribute__((aligned(8)));
	struct pollfd p = { .fd = s->inotify, .events = POLLIN };

	if (poll(&p, 1, LOOK_MS) > 0)
		while (read(s->inotify, events, sizeof(events)) > 0)
			;
}

static int show(struct show *s, struct err *err)
{
	int r;

	if (s->view->follow)
		s->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = look(s, err);
	if (r == 0 && !s->view->follow)
		r = check_found(s, err);
	set_skips(s);
	s->begun = true;
	if (r == 0)
		r = print_all(s, !s->view->follow, err);
	while (r == 0 && s->view->follow && !ferror(stdout)) {
		wait_for_change(s);
		r = look(s, err);
		if (r == 0)
			r = print_all(s, false, err);
	}
	return r;
}

int logs_show(const struct logs_view *v, struct err *err)
{
	struct show s = { .view = v, .dir_fd = -1, .inotify = -1 };
	int r = show(&s, err);

	show_done(&s);
	return r;
}

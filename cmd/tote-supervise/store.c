/* SPDX-License-Identifier: Apache-2.0 */
/* Projects on disk. */
#include "cmd/tote-supervise/model.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SAVE_AGAIN_MS 10000
#define CONTENT_NEW_S 300

static void load(struct supervisor *sup, const char *name)
{
	struct arena a = ARENA_INIT;
	struct desired_project *want = arena_alloc(&a, sizeof(*want));
	struct project *p;
	struct err err;

	if (desired_load(sup->state, name, &a, want, &err) < 0) {
		/* What runs of it is left alone: a damaged file must not stop a shop. */
		say(LOG_ERR, "%s: %s", name, err.msg);
		snprintf(sup->trouble, sizeof(sup->trouble), "%s: %.400s", name, err.msg);
		arena_done(&a);
		p = project_get(sup, name);
		p->damaged = true;
		return;
	}
	p = project_get(sup, name);
	if (p->unsaved) {
		/* Ours is newer than the disk's. */
		arena_done(&a);
		return;
	}
	arena_done(&p->arena);
	p->arena = a;
	p->want = want;
	p->damaged = false;
	p->seen = true;
	project_bind(p);
}

void projects_load(struct supervisor *sup)
{
	autoarena a = ARENA_INIT;
	struct strv names;
	struct err err;
	int r = file_list(sup->state, ".", &a, &names, &err);

	if (r < 0) {
		say(LOG_ERR, "%s", err.msg);
		return;
	}
	for_list (p, &sup->projects, struct project, link)
		p->seen = p->unsaved || p->damaged;
	for (size_t n = 0; n < names.count; n++) {
		char *end = strrchr(names.items[n], '.');

		if (!end || strcmp(end, ".json") != 0)
			continue;
		*end = 0;
		if (desired_is_project_name(names.items[n]))
			load(sup, names.items[n]);
	}
	for_list (p, &sup->projects, struct project, link) {
		if (p->seen || p->damaged)
			continue;
		p->want = NULL;
		project_bind(p);
	}
	contents_sweep(sup);
}

int project_save(struct project *p, struct err *err)
{
	struct supervisor *sup = p->supervisor;
	int r = desired_save(sup->state, p->want, err);

	if (r < 0) {
		snprintf(sup->trouble, sizeof(sup->trouble), "%s cannot be written: %.400s",
			 sup->paths.state, err->msg);
		return r;
	}
	p->unsaved = false;
	sup->trouble[0] = 0;
	return 0;
}

static bool names_content(const struct desired_service *s, const char *content)
{
	for (; s; s = s->previous)
		for_each (f, &s->files)
			if (strcmp(f->content, content) == 0)
				return true;
	return false;
}

static bool is_needed(struct supervisor *sup, const char *content)
{
	for_list (p, &sup->projects, struct project, link)
		for (size_t n = 0; p->want && n < p->want->services.count; n++)
			if (names_content(&p->want->services.items[n], content))
				return true;
	return false;
}

/* `tote up` puts them there, and says only then which service needs them. */
static bool is_new(int files, const char *name)
{
	struct stat st;

	return fstatat(files, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	       time(NULL) - st.st_mtime < CONTENT_NEW_S;
}

static void sweep_again(struct loop_timer *timer)
{
	contents_sweep(container_of(timer, struct supervisor, sweep_timer));
}

void contents_sweep(struct supervisor *sup)
{
	autofd files = fd_open(sup->state, "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	autoarena a = ARENA_INIT;
	struct strv names;
	struct err err;

	/* What a description that cannot be read needs is not known. */
	for_list (p, &sup->projects, struct project, link)
		if (p->damaged)
			return;
	if (files < 0 || file_list(files, ".", &a, &names, &err) < 0)
		return;
	for (size_t n = 0; n < names.count; n++) {
		if (is_needed(sup, names.items[n]))
			continue;
		if (!is_new(files, names.items[n]))
			unlinkat(files, names.items[n], 0);
		else if (!sup->sweep_timer.link.next)
			loop_timer_set(&sup->loop, &sup->sweep_timer, 2 * CONTENT_NEW_S * 1000,
				       sweep_again);
	}
}

static void save_again(struct loop_timer *timer)
{
	struct supervisor *sup = container_of(timer, struct supervisor, save_timer);

	for_list (p, &sup->projects, struct project, link)
		if (p->unsaved && p->want)
			project_save_soon(p);
}

void project_save_soon(struct project *p)
{
	struct supervisor *sup = p->supervisor;
	struct err err;

	if (project_save(p, &err) == 0)
		return;
	if (!p->unsaved)
		event(sup, p, NULL, NULL, "trouble", "%s", sup->trouble);
	p->unsaved = true;
	loop_timer_set(&sup->loop, &sup->save_timer, SAVE_AGAIN_MS, save_again);
}

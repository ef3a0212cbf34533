/* SPDX-License-Identifier: Apache-2.0 */
/* An instance's directory, and the command line of its monitor. */
#include "cmd/tote-supervise/model.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Compose allows 500 KB for a config; a secret is as small as a key. */
#define CONTENT_MAX ((size_t)4 << 20)

static int copy_file(struct supervisor *sup, int files, size_t n, const struct desired_file *f,
		     struct err *err)
{
	autoarena a = ARENA_INIT;
	char *path = arena_printf(&a, "files/%s", f->content), *name = arena_printf(&a, "%zu", n);
	autofd fd = -1;
	size_t len;
	char *data;
	int r = file_read(sup->state, path, CONTENT_MAX, &a, &data, &len, err);

	if (r < 0)
		return err_prefix(err, "%s", f->target);
	unlinkat(files, name, 0);
	fd = fd_create(files, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return err_errno(err, "%s: create a copy", f->target);
	r = fd_write_full(fd, data, len);
	if (r < 0)
		return err_code(err, r, "%s: write a copy", f->target);
	/* An ordinary user has only its own id to give. */
	if (fchown(fd, f->uid, f->gid) < 0 && !sup->rootless)
		return err_errno(err, "%s: set the owner of a copy", f->target);
	return fchmod(fd, f->mode) < 0 ? err_errno(err, "%s: set the mode of a copy", f->target)
				       : 0;
}

static int copy_files(struct supervisor *sup, struct instance *i, struct err *err)
{
	const struct desired_service *d = i->service->want;
	autofd files = -1;
	int r = 0;

	if (!d->files.count)
		return 0;
	if (mkdirat(i->dir, INSTANCE_FILES, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "%s: make its directory of files", i->name);
	files = fd_open(i->dir, INSTANCE_FILES, O_RDONLY | O_DIRECTORY);
	if (files < 0)
		return err_errno(err, "%s: open its directory of files", i->name);
	for (size_t n = 0; r == 0 && n < d->files.count; n++)
		r = copy_file(sup, files, n, &d->files.items[n], err);
	return r;
}

static int fill(struct supervisor *sup, struct instance *i, struct err *err)
{
	struct desired_service made = *i->service->want;
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r;

	made.previous = NULL;
	made.stopped = false;
	json_writer_init(&w, &text, false);
	desired_write_service(&made, &w);
	json_writer_done(&w);
	r = copy_files(sup, i, err);
	if (r == 0)
		r = file_replace(i->dir, INSTANCE_MADE, text.data, text.len, 0600, err);
	if (r < 0)
		return r;
	instance_attach(sup, i);
	if (i->service->note[0])
		i->record.note = arena_strdup(&i->record_arena, i->service->note);
	return i->made ? instance_save_record(i)
		       : err_set(err, EIO, "%s: its description cannot be read", i->name);
}

/* A directory that was there already may hold another project's container of the same name. */
static int check_owner(const struct instance *i, struct err *err)
{
	const struct json_value *name;
	struct json_value *root;
	autoarena a = ARENA_INIT;
	struct err ignored;

	if (json_read_file(i->dir, INSTANCE_MADE, JSON_MAX_SIZE, &a, &root, &ignored) < 0)
		return 0;
	name = root->kind == JSON_OBJECT ? json_get(root, "name") : NULL;
	if (!name || name->kind != JSON_STRING || strcmp(name->text, i->service->name) == 0)
		return 0;
	return err_set(err, EEXIST, "%s is a container of the service %s of another project",
		       i->name, name->text);
}

int instance_make(struct supervisor *sup, struct instance *i, struct err *err)
{
	struct err ignored;
	int r;

	i->dir = instance_open(sup->run, i->name, true, err);
	if (i->dir < 0)
		return i->dir;
	r = check_owner(i, err);
	if (r < 0) {
		close(i->dir);
		i->dir = -1;
		return r;
	}
	r = fill(sup, i, err);
	if (r == 0)
		return 0;
	/* Without made.json it is nothing; the next try begins anew. */
	instance_detach(sup, i);
	instance_remove(sup->run, i->name, &ignored);
	return r;
}

struct words {
	struct arena *a;
	char **items;
	size_t count, room;
};

static void add(struct words *w, const char *word)
{
	/* One more stays for the NULL at the end. */
	if (w->count + 1 >= w->room) {
		char **items = arena_calloc(w->a, w->room = w->room * 2 + 64, sizeof(*items));

		if (w->count)
			memcpy(items, w->items, w->count * sizeof(*items));
		w->items = items;
	}
	w->items[w->count++] = (char *)word;
}

static void add2(struct words *w, const char *option, const char *value)
{
	add(w, option);
	add(w, value);
}

static void add_number(struct words *w, const char *option, uint64_t n)
{
	add2(w, option, arena_printf(w->a, "%llu", (unsigned long long)n));
}

static void add_log(struct supervisor *sup, const struct instance *i, struct words *w)
{
	static const char *const drivers[] = { "local", "json-file", "journald", "none" };
	const struct desired_log *log = &i->made->log;

	add2(w, "--log-driver", drivers[log->driver]);
	if (log->driver != LOG_LOCAL && log->driver != LOG_JSON_FILE)
		return;
	add2(w, "--log-file",
	     arena_printf(w->a, "%s/%s/%s.log", sup->paths.log, i->service->project->name,
			  i->name));
	if (log->max_size)
		add_number(w, "--log-size", log->max_size);
	if (log->max_files)
		add_number(w, "--log-files", log->max_files);
}

static void add_activate(const struct instance *i, struct words *w)
{
	const struct desired_activate *a = i->made->activate;

	if (!a)
		return;
	for_each (listen, &a->listen)
		add2(w, "--listen", *listen);
	if (a->port)
		add_number(w, "--port", a->port);
	add_number(w, "--idle-ms", a->idle_ms);
	add2(w, "--mode", a->mode == ACTIVATE_THAW ? "thaw" : "start");
	add2(w, "--stop-signal", i->made->stop_signal ? i->made->stop_signal : "SIGTERM");
	add_number(w, "--stop-grace-ms", i->made->stop_grace_ms);
}

/* tote [--root..] create --image DIGEST OPTION... ID ARGUMENT... */
static void add_create(struct supervisor *sup, const struct instance *i, struct words *w)
{
	const struct desired_service *d = i->made;
	const char *dir = arena_printf(w->a, "%s/i/%s", sup->paths.run, i->name);
	size_t n = 0;

	add(w, sup->tote);
	add2(w, "--root", sup->root);
	if (sup->store)
		add2(w, "--store", sup->store);
	add(w, "create");
	add2(w, "--image", d->digest);
	/* What systemd gave us is not for containers. */
	add2(w, "--oom-score-adj", "0");
	for_each (option, &d->options)
		add(w, *option);
	for_each (file, &d->files)
		add2(w, "--mount",
		     arena_printf(w->a,
				  "type=bind,source=%s/" INSTANCE_FILES
				  "/%zu,target=%s,readonly,lend",
				  dir, n++, file->target));
	if (d->tty)
		add2(w, "--console-socket", arena_printf(w->a, "%s/console", dir));
	add(w, i->name);
	for_each (arg, &d->args)
		add(w, *arg);
}

static void make_log_dir(struct supervisor *sup, const struct instance *i)
{
	autoarena a = ARENA_INIT;

	/* Failures show when the monitor opens the file. */
	mkdir(arena_printf(&a, "%s/%s", sup->paths.log, i->service->project->name), 0750);
}

int instance_start(struct supervisor *sup, struct instance *i, uint32_t run, bool adopt, bool wait,
		   struct err *err)
{
	autoarena a = ARENA_INIT;
	struct words w = { .a = &a };
	pid_t pid;

	add(&w, sup->monitor);
	add2(&w, "--dir", arena_printf(&a, "%s/i/%s", sup->paths.run, i->name));
	add_number(&w, "--run", run);
	add2(&w, "--tote", sup->tote);
	add2(&w, "--root", sup->root);
	if (adopt)
		add(&w, "--adopt");
	if (wait)
		add(&w, "--wait");
	if (i->made->tty)
		add(&w, "--tty");
	if (i->made->stdin_open)
		add(&w, "--stdin");
	add_log(sup, i, &w);
	add_activate(i, &w);
	add2(&w, "--id", i->name);
	add(&w, "--");
	add_create(sup, i, &w);
	make_log_dir(sup, i);
	pid = spawn_important(sup->monitor, w.items);
	if (pid < 0)
		return err_code(err, (int)pid, "%s: start its monitor", i->name);
	i->monitor_pid = pid;
	return 0;
}

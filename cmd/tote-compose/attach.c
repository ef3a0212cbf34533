/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/attach.h"
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* exit.json is there soon after the last packet. */
#define EXIT_MS 5000
#define MADE_MAX ((size_t)1 << 20)

struct attach_options {
	struct project_options project;
};

static const struct option items[] = { PROJECT_OPTIONS };
static const struct option_table table = { items, ARRAY_SIZE(items), false };

/* Which one it is: "web" is its first that runs, "web-2" that one. */
struct choice {
	const struct desired_service *service;
	uint32_t first, last;
};

static int choose(const struct client *c, const char *word, struct choice *ret, struct err *err)
{
	const char *dash = strrchr(word, '-');
	autoarena a = ARENA_INIT;
	char *service;
	uint32_t number;
	bool second;

	ret->service = desired_find(&c->project, word);
	ret->first = 1;
	ret->last = ret->service ? ret->service->replicas : 0;
	if (!ret->service && dash &&
	    client_split_instance(arena_printf(&a, "%s-%s", c->name, word), c->name, &a, &service,
				  &number, &second) &&
	    !second) {
		ret->service = desired_find(&c->project, service);
		ret->first = ret->last = number;
	}
	if (!ret->service)
		return err_set(err, CLIENT_NO_SUCH, "no such service: %s of project %s", word,
			       c->name);
	return 0;
}

/* A monitor lives there: its directory, or -ESRCH. */
static int open_live(int run_fd, const char *name)
{
	struct err unused;
	autofd dir = instance_open(run_fd, name, false, &unused), monitor = -1;

	if (dir < 0)
		return -ESRCH;
	monitor = instance_open_monitor(dir);
	return monitor < 0 ? -ESRCH : take_fd(&dir);
}

static int find_instance(struct client *c, const struct choice *choice, struct attach_session *s,
			 struct err *err)
{
	autofd run_fd = fd_open(AT_FDCWD, c->paths.run, O_RDONLY | O_DIRECTORY);

	for (uint32_t n = choice->first; run_fd >= 0 && n <= choice->last; n++)
		for (int second = 0; second < 2; second++) {
			s->name = instance_name(c->name, choice->service->name, n, second,
						&c->memory);
			s->dir_fd = open_live(run_fd, s->name);
			if (s->dir_fd >= 0)
				return 0;
		}
	return err_set(err, ESRCH, "service %s does not run", choice->service->name);
}

/* What it was made from, which may not be what the project says by now. */
static int read_made(struct client *c, struct attach_session *s, struct err *err)
{
	struct desired_service made = { 0 };
	struct instance_status status = { 0 };
	int r = json_decode_file(s->dir_fd, INSTANCE_MADE, MADE_MAX, &desired_service_table,
				 &c->memory, &made, err);

	if (r < 0)
		return err_prefix(err, "%s", s->name);
	s->tty = made.tty;
	s->wants_in = made.stdin_open;
	if (instance_read_status(s->dir_fd, &c->memory, &status, err) == 0)
		s->run = status.run;
	return 0;
}

/* The container's own, when it has ended in front of our eyes; 1 when nobody knows. */
static int exit_code(const struct attach_session *s)
{
	struct deadline_pauses pauses = deadline_pauses_in(EXIT_MS);
	struct instance_exit e;
	struct timespec pause;
	autoarena a = ARENA_INIT;
	struct err err;

	for (;;) {
		e = (struct instance_exit){ 0 };
		if (instance_read_exit(s->dir_fd, &a, &e, &err) == 0 && e.run >= s->run)
			return e.code >= 0 ? e.code : 1;
		if (!deadline_pause(&pauses, &pause))
			return 1;
		nanosleep(&pause, NULL);
	}
}

static int attach(struct client *c, const char *word, struct attach_session *s, struct err *err)
{
	struct choice choice;
	int r = choose(c, word, &choice, err);

	if (r == 0)
		r = find_instance(c, &choice, s, err);
	if (r == 0)
		r = read_made(c, s, err);
	return r < 0 ? r : attach_session_run(s, err);
}

static int run(char **args, size_t count, void *opts)
{
	const struct attach_options *o = opts;
	struct attach_session s = { .dir_fd = -1, .sock = -1, .signals = -1 };
	autoclient c = CLIENT_INIT;
	struct err err;
	int code = 0, r = client_find(&c, &o->project, false, &err);

	(void)count;
	if (r == 0)
		r = attach(&c, args[0], &s, &err);
	if (r == 0 && s.ended)
		code = exit_code(&s);
	if (r == 0 && s.signal)
		code = 128 + s.signal;
	attach_session_done(&s);
	if (r == 0 && s.detached)
		fprintf(stderr, "\n");
	return r < 0 ? client_fail(&err) : code;
}

const struct verb verb_attach = { "attach",
				  "SERVICE[-N]",
				  "connect stdin, stdout and stderr with those of a service",
				  &table,
				  1,
				  1,
				  run,
				  sizeof(struct attach_options),
				  0 };

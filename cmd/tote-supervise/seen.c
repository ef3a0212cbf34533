/* SPDX-License-Identifier: Apache-2.0 */
/* What is: an instance's directory read again, and the phase that follows from it. */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

/* What a forced delete may take, and a little more. */
#define SPOILT_MS 12000

#define MADE_MAX ((size_t)1 << 20)

int instance_save_record(struct instance *i)
{
	struct err err;
	int r = i->dir >= 0 ? instance_record_save(i->dir, &i->record, &err) : 0;

	/* RUN is a tmpfs: when that is full, what is in memory has to do. */
	if (r < 0)
		say(LOG_ERR, "%s: %s", i->name, err.msg);
	return r;
}

static int read_made(struct instance *i, struct err *err)
{
	struct desired_service *made;
	struct json_value *root;
	int r = json_read_file(i->dir, INSTANCE_MADE, MADE_MAX, &i->made_arena, &root, err);

	if (r < 0)
		return r;
	made = arena_alloc(&i->made_arena, sizeof(*made));
	made->replicas = 1;
	made->stop_signal = (char *)"SIGTERM";
	made->stop_grace_ms = DESIRED_STOP_GRACE_MS;
	r = json_decode(root, &desired_service_table, &i->made_arena, made, err);
	if (r < 0)
		return r;
	if (!made->hash)
		made->hash = desired_hash(made, &i->made_arena);
	i->made = made;
	return 0;
}

void instance_attach(struct supervisor *sup, struct instance *i)
{
	char path[64];
	struct err err;

	if (i->dir < 0)
		i->dir = instance_open(sup->run, i->name, false, &err);
	if (i->dir < 0)
		return;
	if (!i->made && read_made(i, &err) < 0)
		i->made = NULL;
	arena_done(&i->record_arena);
	if (instance_record_load(i->dir, &i->record_arena, &i->record, &err) < 0 &&
	    err.code != -ENOENT)
		say(LOG_WARNING, "%s: %s", i->name, err.msg);
	if (i->watch < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", i->dir);
		i->watch = inotify_add_watch(sup->inotify.fd, path, IN_MOVED_TO | IN_ONLYDIR);
		if (i->watch < 0)
			say(LOG_ERR, "%s: watch its directory: %s", i->name, err_text(errno));
	}
}

static void monitor_gone(struct loop_source *source, uint32_t events)
{
	struct instance *i = container_of(source, struct instance, monitor);
	struct supervisor *sup = service_supervisor(i->service);
	int fd = source->fd;

	(void)events;
	loop_remove(&sup->loop, source);
	close(fd);
	instance_look(sup, i);
	supervisor_settle(sup);
}

static void watch_monitor(struct supervisor *sup, struct instance *i)
{
	autofd fd = -1;

	if (i->monitor.ready || i->dir < 0)
		return;
	/* Ours, which may not have got as far as its claim; no pid is used again before we reaped
	 * it. */
	if (i->monitor_pid > 0)
		fd = pidfd_open(i->monitor_pid, 0);
	if (fd < 0)
		fd = instance_open_monitor(i->dir);
	if (fd >= 0 && loop_add(&sup->loop, &i->monitor, fd, EPOLLIN, monitor_gone) == 0)
		take_fd(&fd);
}

static bool container_lives(const struct instance *i)
{
	/* What was taken as an exit is over, whatever the pid is now. */
	return i->has_status && i->status.run > i->record.run && i->status.init.pid > 0 &&
	       proc_alive(&i->status.init);
}

static enum phase phase_with_monitor(const struct instance *i)
{
	bool activated = i->made && i->made->activate;

	if (!i->has_status || i->status.run < i->run)
		return PHASE_STARTING;
	switch (i->status.state) {
	case INSTANCE_CREATED:
		/* Without --wait the monitor starts it in the next moment. */
		return activated		  ? PHASE_IDLE
		       : i->record.held == i->run ? PHASE_CREATED
						  : PHASE_STARTING;
	case INSTANCE_RUNNING:
		return PHASE_RUNNING;
	case INSTANCE_FROZEN:
		return activated ? PHASE_IDLE : PHASE_RUNNING;
	case INSTANCE_STOPPING:
		return PHASE_STOPPING;
	case INSTANCE_EXITED:
		return PHASE_LEAVING;
	default:
		return PHASE_STARTING;
	}
}

/* Its monitor was killed before `tote delete` was through. */
static bool left_over(const struct instance *i)
{
	autoarena a = ARENA_INIT;

	return access(arena_printf(&a, "%s/%s", service_supervisor(i->service)->root, i->name),
		      F_OK) == 0;
}

static enum phase phase_alone(const struct instance *i)
{
	if (i->has_exit)
		return left_over(i) ? PHASE_HALF : PHASE_ENDED;
	if (container_lives(i))
		return PHASE_ORPHAN;
	return i->run > i->record.run ? PHASE_HALF : PHASE_REST;
}

/* Health is of one run and is looked after only while that runs. */
static void follow_health(struct supervisor *sup, struct instance *i, bool was_on, uint32_t old_run)
{
	bool runs = i->phase == PHASE_RUNNING && i->made;
	bool known = i->record.health_run == i->run;

	if (was_on && (!runs || old_run != i->run)) {
		i->health_on = false;
		if (i->made && i->made->health.kind != HEALTH_NONE)
			health_end(sup, i);
		i->health_state = HEALTH_STATE_NONE;
		i->health_why = NULL;
	}
	if (!runs || i->health_on)
		return;
	if (i->made->health.kind == HEALTH_NONE)
		i->health_state = HEALTH_STATE_NONE;
	else
		i->health_state =
			known ? (enum health_state)i->record.health : HEALTH_STATE_STARTING;
	if (!known) {
		instance_record_health(&i->record, i->run, i->health_state, loop_now());
		instance_save_record(i);
		event(sup, i->service->project, i->service, i, "started", NULL);
	}
	i->health_on = true;
	if (i->made->health.kind != HEALTH_NONE)
		health_begin(sup, i);
}

static void read_files(struct instance *i)
{
	struct err err;

	arena_done(&i->seen_arena);
	i->has_status = instance_read_status(i->dir, &i->seen_arena, &i->status, &err) == 0;
	i->has_exit = instance_read_exit(i->dir, &i->seen_arena, &i->exit, &err) == 0 &&
		      i->exit.run > i->record.run;
	i->run = i->record.tried > i->record.run ? i->record.tried : i->record.run;
	if (i->has_status && i->status.run > i->run)
		i->run = i->status.run;
	if (i->has_exit && i->exit.run > i->run)
		i->run = i->exit.run;
}

/* A monitor that listens lives over many runs, and each leaves an exit. */
static void take_on_the_way(struct supervisor *sup, struct instance *i)
{
	if (!i->has_exit || !i->monitor.ready || !i->has_status || i->status.run <= i->exit.run)
		return;
	instance_record_take(&i->record, &i->record_arena, &i->exit, loop_now(), (uint32_t)rand());
	instance_save_record(i);
	event(sup, i->service->project, i->service, i, "exited", "%s",
	      i->exit.reason == EXIT_IDLE ? "nobody connected any more" : "");
	i->has_exit = false;
}

void instance_look(struct supervisor *sup, struct instance *i)
{
	uint32_t old_run = i->run;
	enum phase old = i->phase;

	if (i->dir < 0) {
		i->phase = PHASE_ABSENT;
		i->run = 0;
		return;
	}
	/* In this order: a monitor that is gone now wrote all it ever will before we read. */
	watch_monitor(sup, i);
	read_files(i);
	take_on_the_way(sup, i);
	i->phase = i->monitor.ready ? phase_with_monitor(i) : phase_alone(i);
	if (i->phase != PHASE_STARTING)
		i->starting = 0;
	else if (!i->starting || i->run != old_run)
		i->starting = loop_now();
	if (i->phase != old && i->phase == PHASE_ORPHAN)
		event(sup, i->service->project, i->service, i, "monitor lost",
		      "its container runs on");
	follow_health(sup, i, i->health_on, old_run);
}

bool stop_is_hard(const struct instance *i)
{
	return service_supervisor(i->service)->hurry ||
	       (!i->service->want && i->service->leaving_hard);
}

void seen_of(const struct instance *i, struct seen *ret)
{
	const struct instance_exit *e = instance_record_last(&i->record);
	const struct desired_service *d = instance_fresh(i) ? i->service->want : i->made;

	*ret = (struct seen){
		.phase = i->phase,
		.run = i->run,
		.again = i->record.again,
		.failures = i->record.failures,
		.due = i->record.due,
		.restart = d ? d->restart : RESTART_NO,
		.restart_max = d ? d->restart_max : 0,
		.exit_reason = e ? e->reason : EXIT_ENDED,
		.exit_code = e ? e->code : 0,
		.stop_told = i->run && i->stop_run == i->run,
		.stop_by = i->stop_by,
		.hard = stop_is_hard(i),
		.hard_told = i->run && i->hard_run == i->run,
		.go_told = i->run && i->start_run == i->run,
		.busy = i->errand != ERRAND_NONE,
	};
}

/* "PROJECT-SERVICE-N" or "PROJECT-SERVICE-N.b": where SERVICE is known, what is left is the project. */
static bool split_name(const char *name, const char *service, char project[64],
		       uint32_t *ret_number, bool *ret_second)
{
	size_t len = strlen(name), service_len = strlen(service);
	const char *end = name + len, *digits;

	*ret_second = len > 2 && strcmp(end - 2, ".b") == 0;
	if (*ret_second)
		end -= 2;
	for (digits = end; digits > name && digits[-1] >= '0' && digits[-1] <= '9';)
		digits--;
	*ret_number = (uint32_t)strtoul(digits, NULL, 10);
	if (digits == end || !*ret_number || (size_t)(digits - name) < service_len + 3)
		return false;
	digits -= service_len + 2;
	if (digits[0] != '-' || strncmp(digits + 1, service, service_len) != 0 ||
	    digits[1 + service_len] != '-' || digits - name > 63)
		return false;
	snprintf(project, 64, "%.*s", (int)(digits - name), name);
	return desired_is_project_name(project);
}

/* Somebody has spoilt what says what it is; but there is a monitor, so the container of that name is
 * ours. It is made anew, if it is wanted. */
static void remove_spoilt(struct supervisor *sup, const char *name, int dir)
{
	char *const argv[] = { (char *)sup->tote, "--root", (char *)sup->root, "delete", "--force",
			       (char *)name,	  NULL };
	autofd monitor = instance_open_monitor(dir);
	struct err err;

	if (monitor < 0)
		return;
	proc_signal(monitor, SIGKILL);
	proc_wait_gone(monitor, SPOILT_MS);
	if (proc_run(sup->tote, argv, NULL, NULL, SPOILT_MS, NULL, &err) < 0)
		say(LOG_ERR, "%s: %s", name, err.msg);
}

static void find_one(struct supervisor *sup, const char *name)
{
	struct instance probe = { .dir = -1, .watch = -1, .name = (char *)name };
	char project[64];
	struct instance *i;
	struct err err;
	uint32_t number;
	bool second;

	probe.dir = instance_open(sup->run, name, false, &err);
	if (probe.dir < 0)
		return;
	if (read_made(&probe, &err) < 0 ||
	    !split_name(name, probe.made->name, project, &number, &second)) {
		/* made.json comes before all else: without one nothing ever ran from here. */
		remove_spoilt(sup, name, probe.dir);
		say(LOG_WARNING, "%s: removed, it was not made to the end", name);
		if (instance_remove(sup->run, name, &err) < 0)
			say(LOG_ERR, "%s", err.msg);
	} else {
		i = instance_get(service_get(project_get(sup, project), probe.made->name), number,
				 second);
		instance_attach(sup, i);
		instance_look(sup, i);
	}
	close(probe.dir);
	arena_done(&probe.made_arena);
}

void instances_find(struct supervisor *sup)
{
	autoarena a = ARENA_INIT;
	struct strv names;
	struct err err;

	if (file_list(sup->instances, ".", &a, &names, &err) < 0) {
		say(LOG_ERR, "%s", err.msg);
		return;
	}
	for (size_t n = 0; n < names.count; n++)
		find_one(sup, names.items[n]);
}

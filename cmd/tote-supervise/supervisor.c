/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's middle: after whatever happened, what is wanted and what is seen are compared. */
#include "cmd/tote-supervise/supervisor.h"
#include "cmd/tote-supervise/model.h"
#include "cmd/tote-supervise/server.h"

#include "cmd/tote-supervise/instance_record.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

/* What one pass makes possible the next one does; more than so many would be a mistake of ours, which
 * must not keep the loop from its other work. */
#define PASSES 8

static void instance_timer(struct loop_timer *timer)
{
	struct instance *i = container_of(timer, struct instance, timer);

	supervisor_settle(service_supervisor(i->service));
}

static int count_creating(struct supervisor *sup)
{
	int n = 0;

	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				n += i->phase == PHASE_STARTING &&
				     loop_now() - i->starting < STARTING_SLOW_MS;
	return n;
}

static void arm(struct supervisor *sup, struct instance *i, int64_t now)
{
	int64_t due = i->decision.due, reset = 0;

	/* The moment at which failures are forgotten is worth a look, too. */
	if (i->record.degraded && i->phase == PHASE_RUNNING && i->record.healthy_since)
		reset = i->record.healthy_since + HEALTHY_RESET_MS;
	if (i->phase == PHASE_STARTING)
		reset = i->starting + STARTING_SLOW_MS;
	if (reset > now && (!due || reset < due))
		due = reset;
	if (due && (!i->timer.link.next || i->timer.due > due))
		loop_timer_set(&sup->loop, &i->timer, due > now ? due - now : 0, instance_timer);
}

static void recover(struct supervisor *sup, struct instance *i, int64_t now)
{
	if (!i->record.degraded || i->phase != PHASE_RUNNING ||
	    !instance_record_recovered(&i->record, i->run, now))
		return;
	i->record.degraded = false;
	i->record.failures = 0;
	instance_save_record(i);
	event(sup, i->service->project, i->service, i, "recovered", NULL);
}

static bool settle_service(struct supervisor *sup, struct service *s, int64_t now)
{
	bool changed = false, ordered, depends;

	service_plan(s, now);
	ordered = may_stop(s);
	depends = !s->want || depends_hold(s, s->want, s->why, sizeof(s->why));
	if (depends)
		s->why[0] = 0;
	for_list (i, &s->instances, struct instance, link) {
		struct seen seen;

		recover(sup, i, now);
		seen_of(i, &seen);
		seen.ordered = ordered || i->want == WANT_RUN;
		seen.depends = depends;
		seen.slot = sup->creating < sup->limit;
		i->decision = decide(i->want, &seen, now);
		i->timer.fire = instance_timer;
		arm(sup, i, now);
		if (i->want == WANT_GONE && i->dir < 0 && i->errand == ERRAND_NONE)
			instance_drop(i);
		else
			changed |= act(sup, i, now);
	}
	return changed;
}

static bool settle_project(struct supervisor *sup, struct project *p, int64_t now)
{
	bool changed = false, empty = true;

	if (p->damaged)
		return false;
	for_list (s, &p->services, struct service, link) {
		changed |= settle_service(sup, s, now);
		if (!s->want && list_empty(&s->instances))
			service_drop(s);
		else
			empty = false;
	}
	if (!p->want && empty)
		project_drop(p);
	return changed;
}

static bool all_rest(struct supervisor *sup)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				if ((i->phase != PHASE_REST && i->phase != PHASE_ABSENT) ||
				    i->errand == ERRAND_CLEAN)
					return p->damaged;
	return true;
}

static void settle(struct loop_timer *timer)
{
	struct supervisor *sup = container_of(timer, struct supervisor, settle_timer);
	bool changed = true;

	for (int n = 0; changed && n < PASSES; n++) {
		changed = false;
		sup->creating = count_creating(sup);
		for_list (p, &sup->projects, struct project, link)
			changed |= settle_project(sup, p, loop_now());
	}
	if (changed)
		supervisor_settle(sup);
	server_settled(sup);
	if (sup->stopping && all_rest(sup))
		sup->loop.stop = true;
}

void supervisor_settle(struct supervisor *sup)
{
	if (!sup->settle_timer.link.next)
		loop_timer_set(&sup->loop, &sup->settle_timer, 0, settle);
}

void instance_health(struct supervisor *sup, struct instance *i, enum health_state s)
{
	bool again_starting = s == HEALTH_STATE_STARTING && i->record.health_run == i->run &&
			      i->record.health == HEALTH_STATE_HEALTHY;

	if (i->health_state == s)
		return;
	i->health_state = s;
	/* We came back and look again: how long it has been healthy is not forgotten by that. */
	if (!again_starting) {
		bool was = i->record.health_run == i->run && i->record.health == (int)s;

		instance_record_health(&i->record, i->run, s, loop_now());
		instance_save_record(i);
		if (!was && s != HEALTH_STATE_STARTING)
			event(sup, i->service->project, i->service, i, health_state_name(s), "%s",
			      i->health_why ? i->health_why : "");
	}
	if (s == HEALTH_STATE_UNHEALTHY && i->made && i->made->health.restart) {
		i->record.again = i->record.unhealthy = i->run;
		instance_save_record(i);
	}
	supervisor_settle(sup);
}

static void reap_container(struct supervisor *sup, pid_t pid, int status)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link) {
				if (!i->has_status || i->status.init.pid != pid ||
				    i->status.run <= i->record.run)
					continue;
				i->record.reaped_run = i->status.run;
				i->record.reaped_status = status;
				instance_save_record(i);
				instance_look(sup, i);
				supervisor_settle(sup);
				return;
			}
}

static bool reap_monitor(struct supervisor *sup, pid_t pid, int status)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link) {
				if (i->monitor_pid != pid)
					continue;
				i->monitor_pid = 0;
				if (status != 0)
					say(LOG_WARNING, "%s: its monitor ended with %s %d",
					    i->name, WIFSIGNALED(status) ? "signal" : "code",
					    WIFSIGNALED(status) ? WTERMSIG(status)
								: WEXITSTATUS(status));
				return true;
			}
	return false;
}

static void reap(struct supervisor *sup)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (act_reaped(sup, pid, status) || reap_monitor(sup, pid, status) ||
		    health_reaped(sup, pid, status))
			continue;
		reap_container(sup, pid, status);
	}
}

static void look_at_all(struct supervisor *sup)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				instance_look(sup, i);
	supervisor_settle(sup);
}

static void begin_stop(struct supervisor *sup)
{
	if (sup->stopping) {
		say(LOG_NOTICE, "stopping without grace");
		sup->hurry = true;
	} else {
		say(LOG_NOTICE, "stopping all services");
		notify_send("STOPPING=1\nSTATUS=stopping all services");
	}
	sup->stopping = true;
	supervisor_settle(sup);
}

static void signalled(struct loop_source *source, uint32_t events)
{
	struct supervisor *sup = container_of(source, struct supervisor, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(sup);
			break;
		case SIGHUP:
			projects_load(sup);
			supervisor_settle(sup);
			break;
		case SIGUSR2:
			say(LOG_NOTICE, "leaving, containers go on");
			sup->loop.stop = true;
			break;
		default:
			begin_stop(sup);
			break;
		}
	}
}

static struct instance *find_watch(struct supervisor *sup, int wd)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link)
				if (i->watch == wd)
					return i;
	return NULL;
}

static bool is_the_monitors(const char *name)
{
	return strcmp(name, INSTANCE_STATUS) == 0 || strcmp(name, INSTANCE_EXIT) == 0;
}

static void noticed(struct loop_source *source, uint32_t events)
{
	struct supervisor *sup = container_of(source, struct supervisor, inotify);
	char data[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(source->fd, data, sizeof(data));

	(void)events;
	for (const char *at = data; n > 0 && at < data + n;) {
		const struct inotify_event *e = (const struct inotify_event *)at;
		struct instance *i;

		at += sizeof(*e) + e->len;
		if (e->mask & IN_Q_OVERFLOW) {
			look_at_all(sup);
			return;
		}
		if (!e->len || !is_the_monitors(e->name))
			continue;
		i = find_watch(sup, e->wd);
		if (i)
			instance_look(sup, i);
		if (i)
			supervisor_settle(sup);
	}
}

int supervisor_watch(struct supervisor *sup, struct err *err)
{
	sigset_t set;
	int fd, r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(err, "signalfd");
	r = loop_add(&sup->loop, &sup->signals, fd, EPOLLIN, signalled);
	if (r < 0)
		return err_code(err, r, "watch signals");
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return err_errno(err, "inotify");
	r = loop_add(&sup->loop, &sup->inotify, fd, EPOLLIN, noticed);
	return r < 0 ? err_code(err, r, "watch directories") : 0;
}

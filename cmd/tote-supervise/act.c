/* SPDX-License-Identifier: Apache-2.0 */
/* Doing what decide() said. What takes time is an errand: a child, or a packet whose answer is waited
 * for in the loop. */
#include "cmd/tote-supervise/model.h"

#include "cmd/tote-supervise/instance_record.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define TELL_MS 5000   /* for a monitor's answer */
#define CLEAN_MS 60000 /* for tote delete --force */
#define RETRY_MS 1000  /* after an errand that failed, doubling */
#define RETRY_MAX_MS 60000
#define UPDATE_MS 60000 /* for an update that says nothing */
/* On top of the grace: the monitor sends SIGKILL by itself. */
#define FORCE_MS 10000
/* So many packets without an answer, TELL_MS for each: the monitor hangs. */
#define SILENCES 2

static void errand_over(struct loop_timer *timer)
{
	struct instance *i = container_of(timer, struct instance, errand_timer);

	i->errand = ERRAND_NONE;
	supervisor_settle(service_supervisor(i->service));
}

/* Not tried again at once. */
static void errand_failed(struct supervisor *sup, struct instance *i, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void errand_failed(struct supervisor *sup, struct instance *i, const char *fmt, ...)
{
	int64_t pause = RETRY_MS;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(i->errand_words, sizeof(i->errand_words), fmt, ap);
	va_end(ap);
	for (int n = 0; n < i->errand_tries && pause < RETRY_MAX_MS; n++)
		pause *= 2;
	i->errand_tries++;
	say(LOG_ERR, "%s: %s", i->name, i->errand_words);
	/* The last of it: until then it counts as under way. */
	i->errand = i->errand == ERRAND_NONE ? ERRAND_TELL : i->errand;
	loop_timer_set(&sup->loop, &i->errand_timer, pause, errand_over);
}

static void errand_forget(struct instance *i)
{
	i->errand_words[0] = 0;
	i->errand_tries = 0;
}

static void errand_done(struct supervisor *sup, struct instance *i)
{
	loop_timer_clear(&i->errand_timer);
	i->errand = ERRAND_NONE;
	errand_forget(i);
	instance_look(sup, i);
	supervisor_settle(sup);
}

static void tell_close(struct supervisor *sup, struct instance *i)
{
	int fd = i->tell.fd;

	if (!i->tell.ready)
		return;
	loop_remove(&sup->loop, &i->tell);
	close(fd);
}

/* Whatever was told was not heard: it is told again. */
static void tell_failed(struct supervisor *sup, struct instance *i, const char *words)
{
	tell_close(sup, i);
	i->stop_run = i->start_run = i->hard_run = 0;
	errand_failed(sup, i, "its monitor: %s", words);
}

static void tell_answered(struct loop_source *source, uint32_t events)
{
	struct instance *i = container_of(source, struct instance, tell);
	struct supervisor *sup = service_supervisor(i->service);
	char answer[256];
	ssize_t n = recv(source->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	answer[n > 0 ? n : 0] = 0;
	i->silences = 0;
	/* Gone without an answer: its end says the rest. */
	if (n <= 0 || strncmp(answer, "ok", 2) == 0) {
		tell_close(sup, i);
		errand_done(sup, i);
		return;
	}
	tell_failed(sup, i, strncmp(answer, "error ", 6) == 0 ? answer + 6 : answer);
}

/* A monitor that hangs would keep its container from ever being stopped. Killed, it costs none: the
 * next one adopts it, and is told again. */
static void silent(struct supervisor *sup, struct instance *i)
{
	tell_failed(sup, i, "does not answer");
	if (++i->silences < SILENCES || !i->monitor.ready)
		return;
	i->silences = 0;
	if (pidfd_send_signal(i->monitor.fd, SIGKILL, NULL, 0) == 0)
		event(sup, i->service->project, i->service, i, "monitor killed",
		      "it does not answer");
}

static void tell_late(struct loop_timer *timer)
{
	struct instance *i = container_of(timer, struct instance, errand_timer);

	silent(service_supervisor(i->service), i);
}

static void tell(struct supervisor *sup, struct instance *i, const char *packet)
{
	struct err err;
	autofd fd = instance_try_connect(i->dir, &err);
	int r;

	i->errand = ERRAND_TELL;
	if (fd == -EAGAIN) {
		loop_timer_set(&sup->loop, &i->errand_timer, TELL_MS, tell_late);
		return;
	}
	if (fd < 0) {
		tell_failed(sup, i, err.msg);
		return;
	}
	if (send(fd, packet, strlen(packet), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		tell_failed(sup, i, err_text(errno));
		return;
	}
	r = loop_add(&sup->loop, &i->tell, fd, EPOLLIN, tell_answered);
	if (r < 0) {
		tell_failed(sup, i, err_text(r));
		return;
	}
	take_fd(&fd);
	loop_timer_set(&sup->loop, &i->errand_timer, TELL_MS, tell_late);
}

static void clean_late(struct loop_timer *timer)
{
	struct instance *i = container_of(timer, struct instance, errand_timer);

	/* Its end comes by act_reaped(). */
	kill(i->errand_pid, SIGKILL);
}

static void clean(struct supervisor *sup, struct instance *i)
{
	char *const argv[] = { (char *)sup->tote, "--root", (char *)sup->root, "delete", "--force",
			       i->name,		  NULL };
	pid_t pid = spawn(sup->tote, argv, -1, -1);

	i->errand = ERRAND_CLEAN;
	if (pid < 0) {
		errand_failed(sup, i, "start tote delete: %s", err_text(pid));
		return;
	}
	i->errand_pid = pid;
	loop_timer_set(&sup->loop, &i->errand_timer, CLEAN_MS, clean_late);
}

/* What is known of a run without an exit.json. */
static void exit_unknown(const struct instance *i, struct instance_exit *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct instance_exit){
		.run = i->run,
		.reason = EXIT_UNKNOWN,
		.code = -1,
		.ended = loop_now(),
		.ended_at = now.tv_sec,
	};
	if (i->has_status && i->status.run == i->run && i->status.started)
		ret->ran_ms = ret->ended - i->status.started;
}

/* Of an adopted container that was our child the monitor may know nothing (before Linux 6.15). */
static void fill_in(const struct instance *i, struct instance_exit *e)
{
	int status = i->record.reaped_status;

	if (e->reason != EXIT_UNKNOWN || i->record.reaped_run != e->run)
		return;
	e->reason = i->stop_run == e->run ? EXIT_ASKED : EXIT_ENDED;
	e->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	e->code = e->signal ? 128 + e->signal : WEXITSTATUS(status);
}

static void take(struct supervisor *sup, struct instance *i, struct instance_exit *e, int64_t now)
{
	char words[300], left[32];

	fill_in(i, e);
	instance_record_take(&i->record, &i->record_arena, e, now, (uint32_t)random());
	instance_save_record(i);
	exit_words(e, words, sizeof(words));
	time_words(i->record.due - now, left, sizeof(left));
	event(sup, i->service->project, i->service, i, "exited", "%s%s", words,
	      e->reason == EXIT_ASKED ? ", as it was told to" : "");
	if (e->oom)
		event(sup, i->service->project, i->service, i, "oom",
		      "a process was killed for lack of memory");
	if (i->record.degraded && i->record.failures == CRASH_LOOP)
		event(sup, i->service->project, i->service, i, "degraded", "crash loop: %s", words);
	instance_look(sup, i);
}

static bool take_cleaned(struct supervisor *sup, struct instance *i)
{
	struct instance_exit e;

	if (i->phase != PHASE_HALF)
		return false;
	if (i->has_exit)
		e = i->exit;
	else
		exit_unknown(i, &e);
	take(sup, i, &e, loop_now());
	return true;
}

bool act_reaped(struct supervisor *sup, pid_t pid, int status)
{
	for_list (p, &sup->projects, struct project, link)
		for_list (s, &p->services, struct service, link)
			for_list (i, &s->instances, struct instance, link) {
				if (i->errand != ERRAND_CLEAN || i->errand_pid != pid)
					continue;
				i->errand_pid = 0;
				if (status != 0) {
					errand_failed(sup, i, "tote delete --force failed");
					return true;
				}
				i->stop_by = loop_now() + FORCE_MS;
				errand_done(sup, i);
				take_cleaned(sup, i);
				return true;
			}
	return false;
}

static void start(struct supervisor *sup, struct instance *i, bool wait, int64_t now)
{
	struct instance_record *r = &i->record;
	struct err err;
	uint32_t run = i->run + 1;
	int e;

	/* Before it is tried: so a start that is cut off by our end is found to have been one. */
	r->tried = run;
	r->held = wait ? run : 0;
	r->restarts += run > 1;
	if (!wait && i->service->want && i->service->want->previous)
		r->update_due = now + (i->service->want->update_ms ? i->service->want->update_ms
								   : UPDATE_MS);
	e = instance_record_save(i->dir, r, &err);
	if (e == 0)
		e = instance_start(sup, i, run, false, wait, &err);
	if (e < 0) {
		r->tried = run - 1;
		r->restarts -= run > 1;
		errand_failed(sup, i, "%s", err.msg);
		return;
	}
	sup->creating++;
	errand_forget(i);
	instance_look(sup, i);
	event(sup, i->service->project, i->service, i, "starting", NULL);
}

static void adopt(struct supervisor *sup, struct instance *i)
{
	struct err err;

	bool waits = i->record.held == i->run && i->status.state == INSTANCE_CREATED;

	/* Of the run that it is: record.tried may be behind an activated one. */
	if (instance_start(sup, i, i->run, true, waits, &err) < 0) {
		errand_failed(sup, i, "%s", err.msg);
		return;
	}
	errand_forget(i);
	event(sup, i->service->project, i->service, i, "adopted", NULL);
	instance_look(sup, i);
}

static void go(struct supervisor *sup, struct instance *i, int64_t now)
{
	i->start_run = i->run;
	if (i->service->want && i->service->want->previous) {
		i->record.update_due =
			now +
			(i->service->want->update_ms ? i->service->want->update_ms : UPDATE_MS);
		instance_save_record(i);
	}
	tell(sup, i, "start");
}

static void stop(struct supervisor *sup, struct instance *i, int64_t now)
{
	bool hard = stop_is_hard(i);
	uint32_t grace = hard ? 0 : i->made->stop_grace_ms;
	const char *sig = hard			 ? "SIGKILL"
			  : i->made->stop_signal ? i->made->stop_signal
						 : "SIGTERM";
	bool replaced = i->want == WANT_GONE && i->service->want && !instance_fresh(i);
	bool again = i->want == WANT_RUN && i->record.unhealthy != i->run;
	char packet[96];

	if (replaced || again)
		restart_dependents(i->service);
	if (sup->stopping && i->service->want && !i->service->want->stopped &&
	    i->record.again < i->run) {
		/* The next of us starts it, whatever its policy. */
		i->record.again = i->run;
		instance_save_record(i);
	}
	i->stop_run = i->run;
	i->hard_run = hard ? i->run : 0;
	i->stop_by = now + grace + FORCE_MS;
	event(sup, i->service->project, i->service, i, "stopping", "%s, %u ms grace", sig, grace);
	snprintf(packet, sizeof(packet), "stop %s %u", sig, grace);
	tell(sup, i, packet);
}

static void make(struct supervisor *sup, struct instance *i)
{
	struct err err;

	if (instance_make(sup, i, &err) < 0) {
		errand_failed(sup, i, "%s", err.msg);
	} else {
		errand_forget(i);
		event(sup, i->service->project, i->service, i, "made", "%s",
		      i->service->want->image);
	}
	instance_look(sup, i);
}

static void remove_it(struct supervisor *sup, struct instance *i)
{
	struct err err;

	if (i->dir >= 0 && instance_remove(sup->run, i->name, &err) < 0) {
		errand_failed(sup, i, "%s", err.msg);
		return;
	}
	event(sup, i->service->project, i->service, i, "removed", NULL);
	instance_drop(i);
}

bool act(struct supervisor *sup, struct instance *i, int64_t now)
{
	switch (i->decision.action) {
	case ACT_MAKE:
		make(sup, i);
		return true;
	case ACT_START:
	case ACT_START_WAIT:
		start(sup, i, i->decision.action == ACT_START_WAIT, now);
		return false;
	case ACT_GO:
		go(sup, i, now);
		return false;
	case ACT_STOP:
		stop(sup, i, now);
		return false;
	case ACT_ADOPT:
		adopt(sup, i);
		return false;
	case ACT_TAKE:
		take(sup, i, &i->exit, now);
		return true;
	case ACT_FORCE:
		event(sup, i->service->project, i->service, i, "forced", "it did not end in time");
		clean(sup, i);
		return false;
	case ACT_CLEAN:
		clean(sup, i);
		return false;
	case ACT_REMOVE:
		remove_it(sup, i);
		return true;
	default:
		return false;
	}
}

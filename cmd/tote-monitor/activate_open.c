/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/activate_private.h"
#include "cmd/tote-monitor/monitor.h"
#include "lib/cleanup.h"
#include "netns/ns.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

size_t activate_fds(struct monitor *m, const int **ret_fds)
{
	*ret_fds = m->activate->fds;
	return m->activate->hand_over ? m->activate->count : 0;
}

/* A container whose monitor was killed holds the sockets that it got. Where it has hidden them they are
 * its own from now on: it is not put to sleep any more. */
static int take_back(const struct activate *a, const struct listener *l, struct err *err)
{
	autoarena arena = ARENA_INIT;
	struct instance_status status;
	struct err ignored;
	int r = instance_read_status(a->m->dir_fd, &arena, &status, &ignored);

	if (r == 0 && proc_alive(&status.init))
		r = listen_take_back(status.init.pid, &l->at, 3, ACTIVATE_LISTENERS);
	return r < 0 ? err_code(err, r, "cannot take the container's socket back") : r;
}

static int open_listener(struct activate *a, const char *text, struct listener *l, struct err *err)
{
	int fd = listen_open(&l->at, text, !a->hand_over, err);

	if (fd != -EADDRINUSE || !a->hand_over || !a->m->o->adopt)
		return fd;
	fd = take_back(a, l, err);
	if (fd < 0)
		a->lame = true;
	return fd;
}

static int open_all(struct activate *a, struct err *err)
{
	const struct option_list *texts = &a->m->o->listen;

	if (texts->count > ACTIVATE_LISTENERS)
		return err_set(err, EINVAL, "--listen: at most %d addresses", ACTIVATE_LISTENERS);
	for (size_t i = 0; i < texts->count; i++) {
		struct listener *l = &a->listeners[i];
		int r = listen_parse(texts->items[i], &l->at, err);

		if (r < 0)
			return r;
		l->activate = a;
		l->fd = a->fds[i] = open_listener(a, texts->items[i], l, err);
		if (l->fd < 0 && !a->lame)
			return l->fd;
		a->count += l->fd >= 0;
	}
	return 0;
}

/* Whether connections can be made in other network namespaces: going to our own takes the same right. */
static int check_entering(struct err *err)
{
	autofd own = ns_open_own(err);
	int home = own < 0 ? own : ns_enter(own, err);

	if (home >= 0)
		ns_leave(home);
	return home < 0
		       ? err_set(err, -home,
				 "connections cannot be carried into a container by this user: "
				 "only "
				 "with --port 0, where its program takes the sockets of LISTEN_FDS")
		       : 0;
}

/* Better now than to find out when somebody comes, or when it should sleep. */
static int check(const struct activate *a, struct err *err)
{
	int r;

	if (!a->hand_over)
		return check_entering(err);
	r = a->m->o->idle_ms ? activate_flows(a) : 0;
	return r < 0 ? err_code(err, r, "the kernel does not tell connections (sock_diag)") : 0;
}

static int open_activation(struct monitor *m, struct err *err)
{
	struct activate *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(err, ENOMEM, "out of memory");
	a->m = m;
	a->hand_over = m->o->port == 0;
	relays_init(&a->relays, &m->loop, (uint16_t)m->o->port, activate_relay_ended);
	m->activate = a;
	if (m->o->port > UINT16_MAX)
		return err_set(err, EINVAL, "--port: %u is no port", m->o->port);
	r = open_all(a, err);
	return r < 0 ? r : check(a, err);
}

/* As tote create's own failures are told. One that runs has not ended for ours. */
static void tell_failure(const struct monitor *m, const struct err *why)
{
	struct instance_exit e = { .run = m->status.run,
				   .reason = EXIT_NOT_CREATED,
				   .code = 255,
				   .ended = loop_now(),
				   .ended_at = time(NULL),
				   .message = (char *)why->msg };
	struct err ignored;

	if (!m->o->adopt)
		instance_write_exit(m->dir_fd, &e, &ignored);
}

int activate_open(struct monitor *m, struct err *err)
{
	int r = open_activation(m, err);

	if (r < 0)
		tell_failure(m, err);
	return r;
}

void activate_close(struct monitor *m)
{
	struct activate *a = m->activate;

	if (!a)
		return;
	m->activate = NULL;
	loop_timer_clear(&a->idle);
	loop_timer_clear(&a->again);
	loop_timer_clear(&a->save);
	activate_listen(a, false);
	for (size_t i = 0; i < a->count; i++)
		close(a->fds[i]);
	relays_done(&a->relays);
	free(a);
}

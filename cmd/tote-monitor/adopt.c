/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/monitor.h"

#include "oci/container.h"

#include <errno.h>

/* The dead monitor's notes, where they are of this run. */
static bool read_notes(struct monitor *m)
{
	autoarena a = ARENA_INIT;
	struct instance_status st;
	struct err ignored;

	if (instance_read_status(m->dir_fd, &a, &st, &ignored) < 0 || st.run != m->status.run)
		return false;
	m->status = st;
	return true;
}

static int open_sockets(struct monitor *m, struct err *err)
{
	return m->o->listen.count && !m->activate ? activate_open(m, err) : 0;
}

/* The state that the runtime says, without what would lead there. */
static int enter(struct monitor *m, enum monitor_state state, struct err *err)
{
	bool stopping = m->status.state == INSTANCE_STOPPING;
	int r;

	m->state = state;
	r = open_sockets(m, err);
	if (r == 0)
		r = streams_open(m, false, err);
	if (r == 0)
		r = init_watch(m, err);
	if (r < 0)
		return r;
	m->status.state = state == MS_CREATED  ? INSTANCE_CREATED
			  : state == MS_FROZEN ? INSTANCE_FROZEN
					       : INSTANCE_RUNNING;
	if (!m->status.started && state != MS_CREATED)
		m->status.started = loop_now();
	monitor_save(m);
	if (m->activate)
		activate_changed(m, MS_NONE);
	/* How much of its time to end is over nobody knows; the supervisor asks again if it cares. */
	if (stopping) {
		struct monitor_ask ask = monitor_default_ask(m);

		return monitor_event(m, ME_STOP, &ask, err);
	}
	if (state == MS_CREATED && !m->wait)
		monitor_tell(m, ME_START);
	return 0;
}

/* Nothing runs: what is left is removed. */
static int clear(struct monitor *m, bool again, struct err *err)
{
	int r = open_sockets(m, err);

	if (r == 0)
		r = run_delete(m, err);
	if (r < 0)
		return r;
	m->state = MS_CLEARING;
	m->again = again;
	m->status.state = again ? INSTANCE_CREATING : INSTANCE_EXITED;
	monitor_save(m);
	return 0;
}

static int gone(struct monitor *m, struct err *err)
{
	/* The last words are in the FIFOs as long as somebody has them open. */
	if (streams_open(m, false, err) < 0)
		streams_close(m);
	m->state = MS_RUNNING;
	init_reaped(m, -1);
	return 0;
}

int adopt(struct monitor *m, struct err *err)
{
	static const enum monitor_state states[] = { [STATUS_CREATED] = MS_CREATED,
						     [STATUS_RUNNING] = MS_RUNNING,
						     [STATUS_PAUSED] = MS_FROZEN };
	bool begun = read_notes(m) && m->status.state != INSTANCE_CREATING;
	int r;

	if (init_exit_is_there(m))
		return clear(m, false, err);
	r = init_status(m, err);
	if (r < 0 && r != -ENOENT)
		return r;
	/* The create that was under way died with its monitor, and nothing had begun: once more. */
	if (r == STATUS_CREATING || (!begun && (r == -ENOENT || r == STATUS_STOPPED)))
		return clear(m, true, err);
	if (r == -ENOENT || r == STATUS_STOPPED)
		return gone(m, err);
	m->state = states[r];
	r = init_take(m, err);
	if (r < 0)
		return r;
	return m->init_fd < 0 ? gone(m, err) : enter(m, m->state, err);
}

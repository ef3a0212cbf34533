/* SPDX-License-Identifier: Apache-2.0 */
/* What `tote network watch` does, in our loop: networks of ours get back what they lose. */
#include "cmd/tote-supervise/supervisor.h"

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "netns/place.h"
#include "netns/watch.h"
#include "oci/network.h"

#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

/* Whether there are networks by now. */
#define LOOK_MS 30000

struct network {
	struct supervisor *sup;
	struct watch watch;
	struct place place;
	struct repair repair;
	struct loop_source source;
	struct loop_timer timer;
	const char *run_dir;
	bool open, failed;
};

static void tell(void *arg, bool failed, const char *line)
{
	(void)arg;
	say(failed ? LOG_ERR : LOG_NOTICE, "network: %s", line);
}

static void step(struct network *n);

static void timer_step(struct loop_timer *timer)
{
	step(container_of(timer, struct network, timer));
}

static void source_step(struct loop_source *source, uint32_t events)
{
	(void)events;
	step(container_of(source, struct network, source));
}

static void close_watch(struct network *n)
{
	loop_remove(&n->sup->loop, &n->source);
	watch_close(&n->watch);
	place_close(&n->place);
	n->open = false;
}

/* The directory is made with the first network; without one there is nothing to watch. */
static int open_watch(struct network *n, struct err *err)
{
	int r;

	if (access(n->run_dir, F_OK) < 0)
		return 0;
	r = place_open(n->run_dir, NULL, &n->place, err);
	if (r < 0)
		return r;
	n->repair = (struct repair){
		n->place.run_dir, n->place.plugin_path, n->place.run_fd, tell, NULL, true
	};
	n->watch = (struct watch)WATCH_INIT;
	r = watch_open(&n->watch, &n->repair, err);
	if (r == 0) {
		r = loop_add(&n->sup->loop, &n->source, watch_fd(&n->watch), EPOLLIN, source_step);
		if (r < 0)
			err_code(err, r, "watch networks");
	}
	n->open = true;
	if (r < 0) {
		close_watch(n);
		if (!n->failed)
			say(LOG_ERR, "network: %s", err->msg);
		n->failed = true;
	}
	return r;
}

static void step(struct network *n)
{
	struct err err;
	int wait = LOOK_MS;

	if (!n->open)
		open_watch(n, &err);
	if (n->open && watch_step(&n->watch, &err) < 0) {
		say(LOG_ERR, "network: %s", err.msg);
		close_watch(n);
	}
	if (n->open)
		wait = watch_timeout(&n->watch);
	loop_timer_set(&n->sup->loop, &n->timer, wait < 0 ? LOOK_MS : wait, timer_step);
}

void network_open(struct supervisor *sup)
{
	if (sup->rootless || geteuid() != 0)
		return;
	sup->network = calloc(1, sizeof(*sup->network));
	if (!sup->network)
		return;
	sup->network->sup = sup;
	sup->network->place = (struct place)PLACE_INIT;
	sup->network->run_dir = network_run_dir(false, &sup->arena);
	/* After the containers: it asks the kernel much. */
	loop_timer_set(&sup->loop, &sup->network->timer, 1000, timer_step);
}

void network_close(struct supervisor *sup)
{
	if (!sup->network)
		return;
	if (sup->network->open)
		close_watch(sup->network);
	loop_timer_clear(&sup->network->timer);
	free(sup->network);
	sup->network = NULL;
}

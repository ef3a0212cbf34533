/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor of one container: makes it, starts it, keeps what it writes and how it ended, stops
 * it, removes what is left of it. `tote supervise` starts one for each container; both survive the
 * other's death. See oci/supervise/instance.h for the files and the socket between them.
 */
#include "cmd/log.h"
#include "cmd/tote-monitor/monitor.h"
#include "lib/cleanup.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct monitor_options, field)

static const struct option items[] = {
	{ "dir", 0, OPT_STRING, AT(dir), "DIR", "the instance's directory" },
	{ "run", 0, OPT_STRING, AT(run_text), "N", "the number of this run" },
	{ "id", 0, OPT_STRING, AT(id), "ID", "the container's ID, as in the command" },
	{ "root", 0, OPT_STRING, AT(root), "DIR", "the directory of all containers" },
	{ "tote", 0, OPT_STRING, AT(tote), "PATH", "the program for start and delete" },
	{ "adopt", 0, OPT_FLAG, AT(adopt), NULL, "the container is there; its monitor was killed" },
	{ "wait", 0, OPT_FLAG, AT(wait), NULL, "start it when told so" },
	{ "tty", 0, OPT_FLAG, AT(tty), NULL, "it has a terminal, sent to DIR/console" },
	{ "stdin", 0, OPT_FLAG, AT(in), NULL, "keep its stdin open, for attach" },
	{ "stop-signal", 0, OPT_STRING, AT(stop_signal), "SIGNAL", "how it is stopped" },
	{ "stop-grace-ms", 0, OPT_UINT, AT(stop_grace), "MS", "for how long it may take to stop" },
	{ "log-driver", 0, OPT_STRING, AT(log_driver), "NAME",
	  "local, json-file, journald or none" },
	{ "log-file", 0, OPT_STRING, AT(log_file), "FILE", "the newest of them" },
	{ "log-size", 0, OPT_STRING, AT(log_size), "BYTES", "of one file" },
	{ "log-files", 0, OPT_UINT, AT(log_files), "N", "how many at most" },
	{ "listen", 0, OPT_LIST, AT(listen), "ADDR", "start it when somebody connects" },
	{ "port", 0, OPT_UINT, AT(port), "P", "where it listens itself" },
	{ "idle-ms", 0, OPT_UINT, AT(idle_ms), "MS", "stop it without connections for so long" },
	{ "mode", 0, OPT_STRING, AT(mode), "MODE", "start or thaw" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), true };

static int get_number(const char *text, uint64_t max, uint64_t *ret)
{
	const char *at = text;

	return number_scan(&at, ret) && !*at && *ret <= max ? 0 : -EINVAL;
}

static int check_options(struct monitor *m, const struct monitor_options *o, struct err *err)
{
	uint64_t run;
	int driver = logs_driver(o->log_driver ? o->log_driver : "local");

	if (!o->dir || !o->root || !o->id || !o->run_text || !m->words[0])
		return err_set(err, EINVAL,
			       "--dir, --root, --id, --run and the words of a command are needed");
	if (get_number(o->run_text, UINT32_MAX, &run) < 0)
		return err_set(err, EINVAL, "--run %s: no number", o->run_text);
	if (o->log_size && get_number(o->log_size, INT64_MAX, &m->logs.max_size) < 0)
		return err_set(err, EINVAL, "--log-size %s: no number", o->log_size);
	if (driver < 0)
		return err_set(err, EINVAL, "--log-driver %s: there is no such driver",
			       o->log_driver);
	if (o->stop_signal && monitor_signal(o->stop_signal) < 0)
		return err_set(err, EINVAL, "--stop-signal %s: no signal", o->stop_signal);
	m->status.run = (uint32_t)run;
	m->logs.driver = (enum log_driver)driver;
	m->logs.file = o->log_file;
	m->logs.max_files = o->log_files;
	m->logs.id = o->id;
	return logs_init(&m->logs, err);
}

static int open_dir(struct monitor *m, struct err *err)
{
	m->dir_fd = fd_open(AT_FDCWD, m->o->dir, O_RDONLY | O_DIRECTORY);
	if (m->dir_fd < 0)
		return err_errno(err, "open %s", m->o->dir);
	m->claim_fd = instance_claim(m->dir_fd, err);
	return m->claim_fd;
}

static int find_tote(struct monitor *m, struct err *err)
{
	static char path[PATH_MAX];
	int r = m->o->tote ? 0 : proc_sibling("tote", path, sizeof(path));

	m->tote = m->o->tote ? (char *)m->o->tote : path;
	return r < 0 ? err_code(err, r, "find the program tote") : 0;
}

static int begin(struct monitor *m, struct err *err)
{
	int r = find_tote(m, err);

	if (r == 0)
		r = loop_init(&m->loop);
	if (r == 0)
		r = run_init(m, err);
	if (r == 0)
		r = control_socket_open(m, err);
	/* adopt() does so itself once it knows the container, which may have the sockets. */
	if (r == 0 && m->o->listen.count && !m->o->adopt)
		r = activate_open(m, err);
	if (r == 0)
		r = m->o->adopt ? adopt(m, err) : monitor_event(m, ME_CREATE, NULL, err);
	return r;
}

static int serve(struct monitor *m, struct err *err)
{
	int r = open_dir(m, err);

	if (r == -EBUSY)
		return 0;
	if (r >= 0)
		r = begin(m, err);
	if (r < 0)
		return r;
	/* What parsing and reading has left. */
	malloc_trim(0);
	r = loop_run(&m->loop);
	if (m->activate)
		activate_close(m);
	/* What the removal of the container has said. */
	streams_drain(m);
	streams_close(m);
	logs_close(&m->logs);
	control_socket_close(m);
	return r < 0 ? err_code(err, r, "wait for events") : 0;
}

/* At run time, so that nothing of it is in the program's file. */
static void prepare(struct monitor *m)
{
	int *const none[] = { &m->dir_fd, &m->claim_fd, &m->init_fd, &m->out_fd, &m->err_fd,
			      &m->in_fd,  &m->held_fd,	&m->then,    &m->retry,	 &m->init_status };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		*none[i] = -1;
}

int main(int argc, char **argv)
{
	static struct monitor m;
	struct monitor_options o = { 0 };
	struct err err;
	bool help = false;
	size_t count = 0;
	int r;

	(void)argc;
	log_name("tote-monitor");
	prepare(&m);
	m.o = &o;
	o.stop_grace = DESIRED_STOP_GRACE_MS;
	r = options_parse(&table, argv + 1, &o, &count, &help, &err);
	if (help) {
		options_print(&table);
		return 0;
	}
	m.words = argv + 1;
	m.wait = o.wait || o.listen.count;
	if (r == 0)
		r = check_options(&m, &o, &err);
	if (r == 0)
		r = serve(&m, &err);
	if (r < 0)
		log_error("%s", err.msg);
	return r < 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-systemd/bus.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER SYSTEMD ".Manager"
#define PRIVATE_SYSTEM "unix:path=/run/systemd/private"

#define autoerror __attribute__((cleanup(sd_bus_error_free))) sd_bus_error
#define automessage __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

static uint64_t usec_left(const struct bus *bus)
{
	/* 0 would be the library's own default. */
	return (uint64_t)deadline_left(&bus->deadline, INT_MAX) * 1000 + 1;
}

/* A method's error says it in systemd's words; what is only a time-out says so. */
static int call_failed(const struct bus *bus, const sd_bus_error *e, int r, struct err *err)
{
	if (r == -ETIMEDOUT || sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
		return err_set(err, ETIMEDOUT, "unit %s: systemd does not answer", bus->unit);
	if (sd_bus_error_has_name(e, SYSTEMD ".UnitExists"))
		return err_set(err, EEXIST, "unit %s exists already", bus->unit);
	if (sd_bus_error_has_name(e, SYSTEMD ".NoSuchUnit"))
		return err_set(err, ENOENT, "unit %s does not exist", bus->unit);
	/* An unknown name is "read only", a value out of this version's range "invalid". */
	if (sd_bus_error_has_names(e, SD_BUS_ERROR_PROPERTY_READ_ONLY, SD_BUS_ERROR_INVALID_ARGS))
		return err_set(err, EOPNOTSUPP, "unit %s: %s", bus->unit, e->message);
	if (e->message)
		return err_set(err, r < 0 ? -r : EIO, "unit %s: %s", bus->unit, e->message);
	return err_code(err, r, "unit %s: speak to systemd", bus->unit);
}

static int connect_private(struct bus *bus, const char *address)
{
	int r = sd_bus_new(&bus->sd);

	if (r >= 0)
		r = sd_bus_set_address(bus->sd, address);
	if (r >= 0)
		r = sd_bus_start(bus->sd);
	if (r < 0)
		bus->sd = sd_bus_unref(bus->sd);
	return r;
}

static int connect_user(struct bus *bus)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	char text[PATH_MAX];
	int r;

	if (!dir || !dir[0]) {
		snprintf(text, sizeof(text), "/run/user/%u", getuid());
		setenv("XDG_RUNTIME_DIR", text, 1);
		dir = getenv("XDG_RUNTIME_DIR");
	}
	r = sd_bus_open_user(&bus->sd);
	if (r >= 0)
		return r;
	if (snprintf(text, sizeof(text), "unix:path=%s/systemd/private", dir) >= (int)sizeof(text))
		return -ENAMETOOLONG;
	return connect_private(bus, text);
}

static int connect_system(struct bus *bus)
{
	int r = sd_bus_open_system(&bus->sd);

	return r < 0 ? connect_private(bus, PRIVATE_SYSTEM) : r;
}

/* Ours is told by its path; others' jobs end as well. */
static int on_job_removed(sd_bus_message *m, void *data, sd_bus_error *error)
{
	struct bus *bus = data;
	const char *job, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	if (bus->job && strcmp(job, bus->job) == 0)
		snprintf(bus->result, sizeof(bus->result), "%s", result);
	return 0;
}

/* Asked for before any job is begun, so that no end is missed. */
static int listen_for_jobs(struct bus *bus)
{
	/* On a bus anybody may send signals; systemd's own socket has no senders. */
	const char *sender = sd_bus_is_bus_client(bus->sd) > 0 ? SYSTEMD : NULL;

	return sd_bus_match_signal_async(bus->sd, NULL, sender, MANAGER_PATH, MANAGER, "JobRemoved",
					 on_job_removed, NULL, bus);
}

/* Takes in what has come, or waits for something. */
static int turn(struct bus *bus, struct err *err)
{
	int r = sd_bus_process(bus->sd, NULL);

	if (r == 0)
		r = sd_bus_wait(bus->sd, usec_left(bus));
	if (r < 0 && r != -EINTR)
		return err_code(err, r, "unit %s: speak to systemd", bus->unit);
	return deadline_left(&bus->deadline, INT_MAX)
		       ? 0
		       : err_set(err, ETIMEDOUT, "unit %s: systemd does not answer", bus->unit);
}

int bus_open(struct bus *bus, bool user, struct err *err)
{
	int r = user ? connect_user(bus) : connect_system(bus);

	if (r < 0 && user)
		return err_set(err, ENOTCONN,
			       "the user's systemd cannot be reached: %s (is XDG_RUNTIME_DIR set, "
			       "and the user logged in or lingering, see loginctl(1)?)",
			       err_text(r));
	if (r < 0)
		return err_set(err, ENOTCONN, "systemd cannot be reached on the system bus: %s",
			       err_text(r));
	r = sd_bus_path_encode(MANAGER_PATH "/unit", bus->unit, &bus->path);
	if (r >= 0)
		r = listen_for_jobs(bus);
	if (r < 0)
		return err_code(err, r, "listen to systemd");
	/* A call would wait for ever until the bus has said hello. */
	while (r >= 0 && !sd_bus_is_ready(bus->sd))
		r = turn(bus, err);
	return r < 0 ? r : 0;
}

void bus_close(struct bus *bus)
{
	/* Nothing is left to be sent; flushing would wait for a bus that hangs. */
	sd_bus_close_unref(bus->sd);
	free(bus->path);
	free(bus->job);
}

static int new_call(const struct bus *bus, const char *method, sd_bus_message **ret)
{
	return sd_bus_message_new_method_call(bus->sd, ret, SYSTEMD, MANAGER_PATH, MANAGER, method);
}

static int send_call(struct bus *bus, sd_bus_message *m, sd_bus_message **ret_reply,
		     struct err *err)
{
	autoerror error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call(bus->sd, m, usec_left(bus), &error, ret_reply);

	return r < 0 ? call_failed(bus, &error, r, err) : 0;
}

/* Takes the job's path out of a reply and waits for its end. */
static int wait_for_job(struct bus *bus, sd_bus_message *reply, struct err *err)
{
	const char *job;
	int r = sd_bus_message_read(reply, "o", &job);

	free(bus->job);
	bus->job = r < 0 ? NULL : strdup(job);
	bus->result[0] = '\0';
	if (!bus->job)
		return err_code(err, r < 0 ? r : ENOMEM, "unit %s: read the reply", bus->unit);
	while (r >= 0 && !bus->result[0])
		r = turn(bus, err);
	return r < 0 ? r : 0;
}

int bus_start(struct bus *bus, const struct word *words, size_t count, enum words_kind kind,
	      struct err *err)
{
	automessage *m = NULL, *reply = NULL;
	int r = new_call(bus, "StartTransientUnit", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "ss", bus->unit, "fail");
	if (r >= 0)
		r = words_append(m, words, count, kind);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	if (r < 0)
		return err_code(err, r, "unit %s: put its properties into a message", bus->unit);
	r = send_call(bus, m, &reply, err);
	if (r == 0)
		r = wait_for_job(bus, reply, err);
	if (r == 0 && strcmp(bus->result, "done") != 0)
		r = err_set(err, EIO, "unit %s: systemd could not start it (%s)", bus->unit,
			    bus->result);
	return r;
}

int bus_set(struct bus *bus, const struct word *words, size_t count, struct err *err)
{
	automessage *m = NULL;
	int r = new_call(bus, "SetUnitProperties", &m);

	if (r >= 0)
		r = sd_bus_message_append(m, "sb", bus->unit, 1);
	if (r >= 0)
		r = words_append(m, words, count, WORDS_ALL);
	if (r < 0)
		return err_code(err, r, "unit %s: put its properties into a message", bus->unit);
	return send_call(bus, m, NULL, err);
}

int bus_stop(struct bus *bus, struct err *err)
{
	automessage *kill = NULL, *m = NULL, *reply = NULL;
	int r = new_call(bus, "KillUnit", &kill);

	if (r >= 0)
		r = sd_bus_message_append(kill, "ssi", bus->unit, "all", SIGKILL);
	/* Answered or not: what counts is that the stop finds nobody who takes his time. */
	if (r >= 0)
		r = sd_bus_send(bus->sd, kill, NULL);
	if (r >= 0)
		r = new_call(bus, "StopUnit", &m);
	if (r >= 0)
		r = sd_bus_message_append(m, "ss", bus->unit, "replace");
	if (r < 0)
		return err_code(err, r, "unit %s: speak to systemd", bus->unit);
	r = send_call(bus, m, &reply, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = wait_for_job(bus, reply, err);
	bus_reset(bus);
	return r;
}

void bus_reset(struct bus *bus)
{
	automessage *m = NULL, *reply = NULL;
	struct err ignored;

	if (new_call(bus, "ResetFailedUnit", &m) >= 0 &&
	    sd_bus_message_append(m, "s", bus->unit) >= 0)
		send_call(bus, m, &reply, &ignored);
}

int bus_get(struct bus *bus, const char *interface, const char *name, char **ret, struct err *err)
{
	autoerror error = SD_BUS_ERROR_NULL;
	int r;

	sd_bus_set_method_call_timeout(bus->sd, usec_left(bus));
	r = sd_bus_get_property_string(bus->sd, SYSTEMD, bus->path, interface, name, &error, ret);
	return r < 0 ? call_failed(bus, &error, r, err) : 0;
}

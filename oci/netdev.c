/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/netdev.h"

#include "lib/cleanup.h"
#include "lib/proc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEND_MS 10000
/* What comes after it in delete --force needs time as well. */
#define TAKE_BACK_MS 2000

void netdev_names(const struct spec *spec, struct arena *a, struct state *st)
{
	st->net_devices.items = arena_calloc(a, spec->linux_.net_devices.count + 1, sizeof(char *));
	for_each (d, &spec->linux_.net_devices)
		st->net_devices.items[st->net_devices.count++] =
			arena_printf(a, "%s=%s", d->name ? d->name : d->host_name, d->host_name);
}

static int run(const char *verb, pid_t pid, char *const *devices, size_t count, int timeout_ms,
	       struct err *err)
{
	char path[PATH_MAX], pid_text[16];
	autofree char **argv = calloc(count + 5, sizeof(*argv));
	int r = proc_sibling("tote-net", path, sizeof(path));

	if (r < 0 || !argv)
		return err_code(err, r < 0 ? r : ENOMEM, "find tote-net");
	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	argv[0] = path;
	argv[1] = (char *)verb;
	argv[2] = (char *)"--pid";
	argv[3] = pid_text;
	memcpy(argv + 4, devices, count * sizeof(*argv));
	r = proc_run(path, argv, NULL, NULL, timeout_ms, NULL, err);
	return r ? err_prefix(err, "linux.netDevices") : 0;
}

int netdev_lend(const struct spec *spec, pid_t pid, struct err *err)
{
	struct arena a = ARENA_INIT;
	char **devices;
	size_t n = 0;
	int r;

	if (!spec->linux_.net_devices.count)
		return 0;
	devices = arena_calloc(&a, spec->linux_.net_devices.count, sizeof(*devices));
	for_each (d, &spec->linux_.net_devices)
		devices[n++] =
			d->name ? arena_printf(&a, "%s=%s", d->host_name, d->name) : d->host_name;
	r = run("netdev-in", pid, devices, n, LEND_MS, err);
	arena_done(&a);
	return r;
}

int netdev_take_back(const struct state *st, const struct deadline *deadline, struct err *err)
{
	if (!st->net_devices.count || !proc_alive(&st->init))
		return 0;
	return run("netdev-out", st->init.pid, st->net_devices.items, st->net_devices.count,
		   deadline_left(deadline, TAKE_BACK_MS), err);
}

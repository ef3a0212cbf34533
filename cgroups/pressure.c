/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/pressure.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
	[PRESSURE_CPU] = "cpu",
	[PRESSURE_MEMORY] = "memory",
	[PRESSURE_IO] = "io",
	[PRESSURE_IRQ] = "irq",
};

int pressure_text(const struct pressure_trigger *trigger, char ret_text[PRESSURE_TEXT_SIZE],
		  struct err *err)
{
	const char *name = names[trigger->resource];

	if (trigger->window < PRESSURE_WINDOW_MIN || trigger->window > PRESSURE_WINDOW_MAX)
		return err_set(err, EINVAL,
			       "%s pressure: a window of %u us is not between 500 ms and 10 s",
			       name, trigger->window);
	if (!trigger->threshold || trigger->threshold > trigger->window)
		return err_set(err, EINVAL,
			       "%s pressure: a threshold of %u us is not between 1 us and the "
			       "window of %u us",
			       name, trigger->threshold, trigger->window);
	if (trigger->resource == PRESSURE_IRQ && !trigger->full)
		return err_set(err, EINVAL, "irq pressure: only full is measured, not some");
	snprintf(ret_text, PRESSURE_TEXT_SIZE, "%s %u %u", trigger->full ? "full" : "some",
		 trigger->threshold, trigger->window);
	return 0;
}

/* Why a group has no such file. */
static int explain_missing(const struct cg *cg, enum pressure_resource resource, struct err *err)
{
	if (faccessat(cg->fd, "cgroup.procs", F_OK, 0) < 0)
		return err_set(err, ENODEV, "cgroup %s is gone", cg->path);
	if (access("/proc/pressure", F_OK) < 0)
		return err_set(err, EOPNOTSUPP,
			       "the kernel does not measure pressure; boot it with psi=1 "
			       "(it needs CONFIG_PSI)");
	if (faccessat(cg->fd, "cpu.pressure", F_OK, 0) == 0)
		return err_set(err, EOPNOTSUPP,
			       "the kernel does not measure %s pressure (it needs Linux 6.1 with "
			       "CONFIG_IRQ_TIME_ACCOUNTING)",
			       names[resource]);
	return err_set(err, EOPNOTSUPP,
		       "pressure is switched off for cgroup %s; write 1 to its cgroup.pressure",
		       cg->path);
}

static int explain_open(const struct cg *cg, const struct pressure_trigger *trigger, int code,
			struct err *err)
{
	if (code == ENOENT || code == ENODEV)
		return explain_missing(cg, trigger->resource, err);
	if (code == EOPNOTSUPP)
		return err_set(err, EOPNOTSUPP,
			       "the kernel does not measure pressure; boot it with psi=1");
	if (code == EPERM)
		return err_set(err, EPERM,
			       "pressure trigger on cgroup %s: needs CAP_SYS_RESOURCE before "
			       "Linux 6.4",
			       cg->path);
	return err_code(err, code, "open %s.pressure of cgroup %s", names[trigger->resource],
			cg->path);
}

static int explain_write(const struct cg *cg, const struct pressure_trigger *trigger, int code,
			 struct err *err)
{
	if (code == EINVAL && trigger->window % PRESSURE_WINDOW_UNPRIVILEGED)
		return err_set(err, EPERM,
			       "pressure trigger on cgroup %s: without CAP_SYS_RESOURCE the window "
			       "must be a multiple of 2 s, it is %u us",
			       cg->path, trigger->window);
	if (code == EOPNOTSUPP || code == ENODEV)
		return explain_open(cg, trigger, code, err);
	return err_code(err, code, "pressure trigger on cgroup %s, %s.pressure", cg->path,
			names[trigger->resource]);
}

int pressure_open(const struct cg *cg, const struct pressure_trigger *trigger, struct err *err)
{
	char file[32], text[PRESSURE_TEXT_SIZE];
	autofd fd = -1;
	int r = pressure_text(trigger, text, err);

	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.pressure", names[trigger->resource]);
	fd = fd_open(cg->fd, file, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return explain_open(cg, trigger, errno, err);
	if (write(fd, text, strlen(text)) < 0)
		return explain_write(cg, trigger, errno, err);
	return take_fd(&fd);
}

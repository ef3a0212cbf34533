/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/sample.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NET_DEV_MAX ((size_t)1 << 20)
/* What is shorter the kernel has handed out in one piece. */
#define NET_DEV_WHOLE 2048

/* Where the 16 columns of /proc/PID/net/dev go; 0: nowhere, as the name has that place. */
#define AT(field) offsetof(struct sample_interface, field)
static const size_t columns[16] = {
	AT(rx_bytes), AT(rx_packets), AT(rx_errors), AT(rx_dropped), 0, 0, 0, 0,
	AT(tx_bytes), AT(tx_packets), AT(tx_errors), AT(tx_dropped),
};

/* "  eth0: 1 2 ...", which is cut up. False for the headings, which have no colon. */
static bool parse_interface(char *line, struct sample_interface *out)
{
	char *colon = strrchr(line, ':');
	const char *next;

	if (!colon)
		return false;
	*colon = '\0';
	next = colon + 1;
	out->name = line + strspn(line, " ");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		uint64_t value;

		if (!number_scan(&next, &value))
			return false;
		if (columns[i])
			memcpy((char *)out + columns[i], &value, sizeof(value));
	}
	return true;
}

static void parse_net_dev(char *text, struct arena *a, struct sample_net *out)
{
	size_t lines = 1;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	out->interfaces.items = arena_calloc(a, lines, sizeof(struct sample_interface));
	for (char *line; (line = strsep(&text, "\n"));)
		out->interfaces.count +=
			parse_interface(line, &out->interfaces.items[out->interfaces.count]);
}

struct sample_netns sample_own_netns(void)
{
	struct stat st;

	return (struct sample_netns){ stat("/proc/self/net/dev", &st) < 0 ? 0 : st.st_ino };
}

void sample_host_open(struct sample_host *ret_host)
{
	struct err ignored;

	*ret_host = (struct sample_host){ .tree.fd = -1, .netns = sample_own_netns() };
	if (cg_tree_find(&ret_host->tree, &ignored) == 0)
		ret_host->groups = &ret_host->tree;
}

void sample_host_close(struct sample_host *host)
{
	cg_tree_close(&host->tree);
}

/* The file is open at its start. Most fit into the buffer at hand. */
static int read_net_dev(int fd, struct arena *a, char **ret_text)
{
	char text[4096];
	struct err ignored;
	ssize_t n = read(fd, text, sizeof(text));

	if (n > 0 && n < NET_DEV_WHOLE) {
		*ret_text = arena_strndup(a, text, (size_t)n);
		return 0;
	}
	return lseek(fd, 0, SEEK_SET) < 0
		       ? -errno
		       : file_read_fd(fd, "net/dev", NET_DEV_MAX, a, ret_text, NULL, &ignored);
}

void sample_read_net(const struct sample_netns *ours, pid_t pid, struct arena *a,
		     struct sample_net *ret_net)
{
	char path[64], *text;
	autofd fd = -1;
	struct stat st;

	*ret_net = (struct sample_net){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	fd = fd_open(AT_FDCWD, path, O_RDONLY);
	if (!ours->net_dev || fd < 0 || fstat(fd, &st) < 0 || st.st_ino == ours->net_dev)
		return;
	if (read_net_dev(fd, a, &text) < 0)
		return;
	ret_net->own = true;
	parse_net_dev(text, a, ret_net);
}

static struct sample begin(const struct state *st)
{
	return (struct sample){ .id = st->id,
				.created = st->created,
				.init = st->init,
				.restarts = st->restarts,
				.taken = deadline_now() };
}

void sample_read_cpu(const struct sample_host *host, const struct state *st, struct sample *ret,
		     int *ret_file)
{
	*ret = begin(st);
	if (host->groups && st->cgroup_path)
		ret->stats.cpu.usage = stats_cpu_usage(host->groups, st->cgroup_path, ret_file);
}

/* The group stays open for further questions. */
static int read_group(struct sample_host *host, const struct state *st, unsigned int what,
		      struct arena *a, struct sample *ret, struct cg *ret_cg, struct err *err)
{
	int r;

	*ret = begin(st);
	if (!host->groups || !st->cgroup_path)
		return 0;
	r = cg_open(host->groups, st->cgroup_path, ret_cg, err);
	if (r == 0)
		r = stats_read_some(ret_cg, what, &host->memo, a, &ret->stats, err);
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int sample_read_group(struct sample_host *host, const struct state *st, unsigned int what,
		      struct arena *a, struct sample *ret, struct err *err)
{
	autocg cg = CG_INIT;

	return read_group(host, st, what, a, ret, &cg, err);
}

int sample_take(struct sample_host *host, const struct container *c, struct arena *a,
		struct sample *ret, struct err *err)
{
	autocg cg = CG_INIT;
	int r = read_group(host, &c->st, STATS_ALL & ~STATS_RESERVED, a, ret, &cg, err);

	if (r < 0)
		return r;
	ret->id = arena_strdup(a, ret->id);
	ret->created = ret->created ? arena_strdup(a, ret->created) : NULL;
	if (ret->init.pid)
		sample_read_net(&host->netns, ret->init.pid, a, &ret->net);
	/* Asked last: init alive now was alive when its interfaces were read. */
	ret->status = container_status_in(c, &cg);
	if (ret->status == STATUS_STOPPED)
		ret->net = (struct sample_net){ 0 };
	/* Nothing of another boot is left, but its group's path may be somebody's again. */
	if (ret->status == STATUS_STOPPED && proc_other_boot(&ret->init))
		ret->stats = (struct cg_stats){ 0 };
	return 0;
}

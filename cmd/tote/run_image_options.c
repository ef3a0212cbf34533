/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/signals.h"
#include "netns/names.h"
#include "oci/subids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* sethostname(2) takes 64, DNS 63. */
#define DNS_NAME_MAX 63
#define TEXT_MAX ((size_t)1 << 20)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

static struct strv words(char **items, size_t count)
{
	return (struct strv){ items, count };
}

/* Without the blanks at its beginning and what other systems end lines with, as docker reads it. */
static char *plain_line(char *line)
{
	size_t len = strlen(line);

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	return line + strspn(line, " \t");
}

/* Files first: what is on the command line wins. */
static int collect_env(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	const char *names = getenv("LISTEN_FDS") ? getenv("LISTEN_FDNAMES") : NULL;
	size_t room = o->env.count + 1;
	char *save = NULL;
	autobuf all = BUF_INIT;

	for (size_t i = 0; i < o->env_files.count; i++) {
		char *text;
		size_t len;
		int r = file_read(AT_FDCWD, o->env_files.items[i], TEXT_MAX, &im->a, &text, &len,
				  im->err);

		if (r < 0)
			return err_prefix(im->err, "--env-file");
		buf_adds(&all, strncmp(text, BYTE_ORDER_MARK, 3) == 0 ? text + 3 : text);
		buf_adds(&all, "\n");
	}
	for (const char *p = buf_str(&all); *p; p++)
		room += *p == '\n';
	im->convert.env.items = arena_calloc(&im->a, room + 1, sizeof(char *));
	/* sd_listen_fds_with_names(3): what is passed on keeps its names. */
	if (names)
		im->convert.env.items[im->convert.env.count++] =
			arena_printf(&im->a, "LISTEN_FDNAMES=%s", names);
	for (char *line = strtok_r(arena_strdup(&im->a, buf_str(&all)), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line = plain_line(line);
		if (*line && *line != '#')
			im->convert.env.items[im->convert.env.count++] = line;
	}
	for (size_t i = 0; i < o->env.count; i++)
		im->convert.env.items[im->convert.env.count++] = (char *)o->env.items[i];
	return 0;
}

static bool has_pids_controller(void)
{
	struct cg_tree tree;
	struct err ignored;
	bool has = false;

	if (globals.manager == CGROUP_DISABLED || cg_tree_find(&tree, &ignored) < 0)
		return false;
	has = cg_available(&tree) >> CG_PIDS & 1;
	cg_tree_close(&tree);
	return has;
}

static int choose_pids_limit(struct imaging *im)
{
	const char *text = im->o->image.pids_limit;
	char *end;

	/* What nobody asked for must not keep a container from running on a hybrid host. */
	if (!text)
		im->convert.pids_limit = has_pids_controller() ? 0 : -1;
	if (!text)
		return 0;
	im->convert.pids_limit = strtol(text, &end, 10);
	if (!*text || *end || im->convert.pids_limit < -1)
		return err_set(im->err, EINVAL, "--pids-limit: expected a number, found \"%s\"",
			       text);
	if (!im->convert.pids_limit)
		im->convert.pids_limit = -1;
	return 0;
}

/* What a user namespace gives in full, as it is about the container's own. */
static const char *const own_capabilities[] = {
	"CAP_CHOWN",	  "CAP_DAC_OVERRIDE", "CAP_FOWNER",	      "CAP_FSETID",
	"CAP_KILL",	  "CAP_IPC_OWNER",    "CAP_SETGID",	      "CAP_SETUID",
	"CAP_SETPCAP",	  "CAP_SETFCAP",      "CAP_NET_RAW",	      "CAP_NET_ADMIN",
	"CAP_SYS_CHROOT", "CAP_SYS_PTRACE",   "CAP_NET_BIND_SERVICE",
};

static bool is_own_capability(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_capabilities); i++)
		if (strcasecmp(name, own_capabilities[i]) == 0 ||
		    strcasecmp(name, own_capabilities[i] + strlen("CAP_")) == 0)
			return true;
	return false;
}

/* The host's network answers to the host's capabilities alone, down to its ports below 1024. */
static bool needs_host_ids(const struct imaging *im)
{
	const struct {
		bool there;
		const char *what;
	} others[] = {
		{ im->convert.host_network, "a network that is not its own" },
		{ im->convert.devices.count, "a device of the host, whose owners are the host's" },
		{ im->convert.host_pid, "the host's processes" },
		{ im->convert.host_ipc, "the host's IPC namespace" },
	};

	for_each (cap, &im->convert.cap_add)
		if (!is_own_capability(*cap)) {
			log_debug("no user namespace: --cap-add %s", *cap);
			return true;
		}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (others[i].there) {
			log_debug("no user namespace: %s", others[i].what);
			return true;
		}
	return false;
}

static int choose_ids(struct imaging *im)
{
	const char *how = im->o->image.userns;

	im->ids_asked_for = how;
	if (globals.rootless)
		subids_map(&im->a, &im->convert.uid_mappings, &im->convert.gid_mappings);
	else if (!how)
		im->own_ids = !needs_host_ids(im);
	else if (strcmp(how, "auto") != 0 && strcmp(how, "host") != 0)
		return err_set(im->err, EINVAL, "--userns: expected host or auto, found \"%s\"",
			       how);
	else
		im->own_ids = strcmp(how, "auto") == 0;
	return 0;
}

/* "PARENT/tote-ID", or what scope_name() takes. */
static int choose_cgroup(struct imaging *im, const char *id)
{
	const char *parent = im->o->image.cgroup_parent;
	size_t len = parent ? strlen(parent) : 0;

	if (!parent)
		return 0;
	if (globals.manager == CGROUP_DISABLED)
		return err_set(im->err, EINVAL, "--cgroup-parent %s: there are to be no groups",
			       parent);
	for (; len > 1 && parent[len - 1] == '/'; len--)
		;
	if (globals.manager == CGROUP_SYSTEMD) {
		if (len <= strlen(".slice") ||
		    strcmp(parent + len - strlen(".slice"), ".slice") != 0 || strpbrk(parent, "/:"))
			return err_set(
				im->err, EINVAL,
				"--cgroup-parent %s: expected a slice, as systemd makes the group",
				parent);
		im->convert.cgroups_path = arena_printf(&im->a, "%s:tote:%s", parent, id);
		return 0;
	}
	if (!len || strstr(parent, ".."))
		return err_set(im->err, EINVAL, "--cgroup-parent \"%s\": it is no path of a group",
			       parent);
	im->convert.cgroups_path = arena_printf(
		&im->a, "%.*s/tote-%s", parent[0] == '/' && len == 1 ? 0 : (int)len, parent, id);
	return 0;
}

/* The one word that each takes beside what is the default anyway. */
static int choose_shared(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	const struct {
		const char *option, *word, *fallback;
		bool *ret;
	} shared[] = {
		{ "--pid", o->pid, "private", &im->convert.host_pid },
		{ "--ipc", o->ipc, "private", &im->convert.host_ipc },
		{ "--uts", o->uts, "private", &im->convert.host_uts },
	};

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		const char *word = shared[i].word ? shared[i].word : shared[i].fallback;

		*shared[i].ret = strcmp(word, "host") == 0;
		if (!*shared[i].ret && strcmp(word, shared[i].fallback) != 0)
			return err_set(im->err, EINVAL, "%s: expected host or %s, found \"%s\"",
				       shared[i].option, shared[i].fallback, word);
	}
	if (o->hostname && im->convert.host_uts)
		return err_set(im->err, EINVAL, "--hostname %s: with --uts host it has the host's",
			       o->hostname);
	return 0;
}

static struct strv list_words(const struct option_list *list)
{
	return words((char **)list->items, list->count);
}

/* What oci/image/convert.h takes as it stands. */
static void pass_on(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	struct convert_opts *c = &im->convert;

	c->entrypoint = o->entrypoint;
	c->user = o->user;
	c->working_dir = o->workdir;
	c->read_only = o->read_only;
	c->tty = o->tty;
	c->init = o->init;
	c->rootless = globals.rootless;
	c->memory = o->memory;
	c->memory_reservation = o->memory_reservation;
	c->memory_swap = o->memory_swap;
	c->cpus = o->cpus;
	c->cpu_shares = o->cpu_shares;
	c->cpuset_cpus = o->cpuset_cpus;
	c->blkio_weight = o->blkio_weight;
	c->oom_score_adj = o->oom_score_adj;
	c->shm_size = o->shm_size;
	c->stop_signal = o->stop_signal;
	c->cap_add = list_words(&o->cap_add);
	c->cap_drop = list_words(&o->cap_drop);
	c->ulimits = list_words(&o->ulimits);
	c->sysctls = list_words(&o->sysctls);
	c->devices = list_words(&o->devices);
	c->groups = list_words(&o->groups);
	c->labels = list_words(&o->labels);
	c->annotations = list_words(&o->annotations);
}

int imaging_choose(struct imaging *im, const char *id, char **args)
{
	const struct image_options *o = &im->o->image;
	size_t count = 0;
	int r;

	while (args[count])
		count++;
	pass_on(im);
	im->convert.args = words(args, count);
	im->convert.hostname =
		o->hostname ? o->hostname : arena_strndup(&im->a, id, strnlen(id, DNS_NAME_MAX));
	if (o->hostname && !names_ok(o->hostname))
		return err_set(im->err, EINVAL, "--hostname: \"%s\" is no host name", o->hostname);
	if (o->stop_signal && signal_parse(o->stop_signal) <= 0)
		return err_set(im->err, EINVAL, "--stop-signal: \"%s\" is no signal",
			       o->stop_signal);
	r = collect_env(im);
	if (r == 0)
		r = choose_shared(im);
	if (r == 0)
		r = imaging_choose_security(im);
	if (r == 0)
		r = choose_pids_limit(im);
	if (r == 0)
		r = choose_cgroup(im, id);
	if (r == 0)
		r = imaging_choose_network(im, id);
	return r < 0 ? r : choose_ids(im);
}

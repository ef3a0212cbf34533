/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/file.h"
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

static struct strv words(char **items, size_t count)
{
	return (struct strv){ items, count };
}

/* Files first: what is on the command line wins. */
static int collect_env(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	size_t room = o->env.count;
	char *save = NULL;
	autobuf all = BUF_INIT;

	for (size_t i = 0; i < o->env_files.count; i++) {
		char *text;
		size_t len;
		int r = file_read(AT_FDCWD, o->env_files.items[i], TEXT_MAX, &im->a, &text, &len,
				  im->err);

		if (r < 0)
			return err_prefix(im->err, "--env-file");
		buf_adds(&all, text);
		buf_adds(&all, "\n");
	}
	for (const char *p = buf_str(&all); *p; p++)
		room += *p == '\n';
	im->convert.env.items = arena_calloc(&im->a, room + 1, sizeof(char *));
	for (char *line = strtok_r(arena_strdup(&im->a, buf_str(&all)), "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (line[0] != '#')
			im->convert.env.items[im->convert.env.count++] = line;
	for (size_t i = 0; i < o->env.count; i++)
		im->convert.env.items[im->convert.env.count++] = (char *)o->env.items[i];
	return 0;
}

static int choose_seccomp(struct imaging *im)
{
	const char *given = im->o->image.seccomp;
	char *text;

	im->convert.seccomp = given;
	if (!given || strcmp(given, "unconfined") == 0)
		return 0;
	if (file_read(AT_FDCWD, given, JSON_MAX_SIZE, &im->a, &text, NULL, im->err) < 0)
		return err_prefix(im->err, "--seccomp");
	im->convert.seccomp = text;
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
	for_each (cap, &im->convert.cap_add)
		if (!is_own_capability(*cap)) {
			log_debug("no user namespace: --cap-add %s", *cap);
			return true;
		}
	if (im->convert.host_network)
		log_debug("no user namespace: a network that is not its own");
	return im->convert.host_network;
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

/* An ordinary user cannot make a network of his own without help: that is asked for by name. */
static int choose_network(struct imaging *im, const char *id)
{
	int r = run_network(&im->o->network, globals.rootless ? "host" : "none", &im->a,
			    &im->network, im->err);

	im->network.hostname = im->convert.hostname;
	if (im->network.mode == NETWORK_OWN)
		im->network.names_dir =
			arena_printf(&im->a, "%s/names/%s", im->network.run_dir, id);
	im->convert.ping = im->network.names.count;
	/* /sys shows the network of whoever mounts it, who has to own it. */
	im->convert.host_network = im->network.mode != NETWORK_OWN;
	return r;
}

int imaging_choose(struct imaging *im, const char *id, char **args)
{
	const struct image_options *o = &im->o->image;
	size_t count = 0;
	int r;

	while (args[count])
		count++;
	im->convert.args = words(args, count);
	im->convert.entrypoint = o->entrypoint;
	im->convert.user = o->user;
	im->convert.working_dir = o->workdir;
	im->convert.hostname =
		o->hostname ? o->hostname : arena_strndup(&im->a, id, strnlen(id, DNS_NAME_MAX));
	im->convert.read_only = o->read_only;
	im->convert.tty = o->tty;
	im->convert.rootless = globals.rootless;
	im->convert.memory = o->memory;
	im->convert.cpus = o->cpus;
	im->convert.cap_add = words((char **)o->cap_add.items, o->cap_add.count);
	im->convert.cap_drop = words((char **)o->cap_drop.items, o->cap_drop.count);
	if (o->hostname && !names_ok(o->hostname))
		return err_set(im->err, EINVAL, "--hostname: \"%s\" is no host name", o->hostname);
	r = collect_env(im);
	if (r == 0)
		r = choose_seccomp(im);
	if (r == 0)
		r = choose_pids_limit(im);
	if (r == 0)
		r = choose_network(im, id);
	if (r == 0)
		r = choose_ids(im);
	return r;
}

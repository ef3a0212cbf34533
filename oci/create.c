/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a container: the walk from a bundle to a process that waits for start, or runs. The order
 * is that of the write-ahead rule: what is about to be made is named in state.json first.
 */
#include "oci/create_private.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"
#include "lib/tree.h"
#include "oci/caps.h"
#include "oci/hooks.h"
#include "oci/idmap.h"
#include "oci/launch.h"
#include "oci/listener.h"
#include "oci/netdev.h"
#include "oci/notify.h"
#include "oci/probe.h"
#include "oci/rdt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

static char *timestamp(struct arena *a)
{
	char text[TIME_TEXT_SIZE];

	time_now_text(true, text, sizeof(text));
	return arena_strdup(a, text);
}

/* The text is kept, as the state directory gets a copy: later commands must not depend on a bundle
 * that may change. */
static int load_text(struct making *mk, const char *name, struct err *err)
{
	const struct create_opts *o = mk->opts;
	struct arena *a = &mk->c->arena;
	autofd bundle = -1;
	int r;

	if (o->config_text) {
		mk->config_len = strlen(o->config_text);
		mk->config = arena_strndup(a, o->config_text, mk->config_len);
		return 0;
	}
	bundle = fd_open(AT_FDCWD, o->bundle, O_PATH | O_DIRECTORY);
	if (bundle < 0)
		return err_errno(err, "open bundle %s", o->bundle);
	r = file_read(bundle, name, JSON_MAX_SIZE, a, &mk->config, &mk->config_len, err);
	return r < 0 ? err_prefix(err, "bundle %s", o->bundle) : 0;
}

static int load(struct making *mk, struct err *err)
{
	const char *name = mk->opts->config ? mk->opts->config : "config.json";
	struct container *c = mk->c;
	int r = load_text(mk, name, err);

	if (r < 0)
		return r;
	r = spec_parse(mk->config, mk->config_len, &c->arena, &c->spec, err);
	if (r < 0)
		return err_prefix(err, "%s", name);
	return network_apply(mk->opts->network, c->spec, &c->arena, err);
}

static void fill_state(struct making *mk)
{
	struct container *c = mk->c;
	struct state *st = &c->st;

	st->oci_version = c->spec->oci_version;
	st->id = arena_strdup(&c->arena, mk->opts->id);
	st->bundle = arena_strdup(&c->arena, mk->opts->bundle);
	st->rootfs = (char *)mk->plan.root;
	st->created = timestamp(&c->arena);
	st->owner = arena_printf(&c->arena, "%u", geteuid());
	st->annotations = c->spec->annotations;
	st->private_pids = spec_new_namespace(c->spec, NS_PID);
	if (mk->opts->network && mk->opts->network->names_dir)
		st->names = arena_strdup(&c->arena, mk->opts->network->names_dir);
	if (mk->opts->rootfs) {
		st->store = arena_strdup(&c->arena, mk->opts->rootfs->store);
		st->store_container = arena_strdup(&c->arena, mk->opts->rootfs->container);
		st->store_keep = mk->opts->rootfs->keep;
	}
}

/* Compiled filters are kept next to the containers; without the directory they are compiled each
 * time. */
static int open_cache(const struct making *mk)
{
	const struct spec_seccomp *seccomp = mk->c->spec->linux_.seccomp;
	int root_fd = mk->c->root_fd;

	if (root_fd < 0 || !seccomp || seccomp->builtin)
		return -1;
	if (mkdirat(root_fd, STATE_CACHE_DIR, 0700) < 0 && errno != EEXIST)
		return -1;
	return fd_open(root_fd, STATE_CACHE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/* sd_listen_fds(3): the program is process 1 of its pid namespace. sd_notify(3): its socket lies in
 * a directory of its own. */
static void add_inherited_env(struct making *mk)
{
	struct spec_process *p = mk->c->spec->process;
	struct arena *a = &mk->c->arena;

	if (mk->opts->listen_fds) {
		process_set_env(p, arena_printf(a, "LISTEN_FDS=%u", mk->opts->listen_fds), a);
		process_set_env(p, "LISTEN_PID=1", a);
	}
	if (mk->opts->notify_socket)
		process_set_env(p, "NOTIFY_SOCKET=" NOTIFY_MOUNT "/" NOTIFY_SOCKET_NAME, a);
}

/* For a look before anything is made. Layers that are not mounted yet cannot be looked into: -1. */
static int open_root(const struct making *mk, int *ret_fd, struct err *err)
{
	const char *path = mk->c->spec->root->path;

	*ret_fd = -1;
	if (mk->opts->rootfs && mk->opts->rootfs->tree < 0)
		return 0;
	if (path[0] != '/')
		path = arena_printf(&mk->c->arena, "%s/%s", mk->opts->bundle, path);
	*ret_fd = mk->opts->rootfs ? fcntl(mk->opts->rootfs->tree, F_DUPFD_CLOEXEC, 0)
				   : fd_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
	return *ret_fd < 0 ? err_errno(err, "open root file system %s", path) : 0;
}

static int build_plan(struct making *mk, struct err *err)
{
	const struct create_opts *o = mk->opts;
	struct spec *spec = mk->c->spec;
	uint64_t caps = caps_effective();
	autofd root = -1;

	mk->plan_opts = (struct plan_opts){
		.id = o->id,
		.bundle = o->bundle,
		.create = !o->run,
		.privileged = caps >> CAP_SYS_ADMIN & 1,
		.caps_missing = ~caps,
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.preserve_fds = o->preserve_fds,
		.config = mk->config,
		.seccomp_cache = open_cache(mk),
		.no_setgroups = idmap_setgroups_denied("self") ||
				(spec_new_namespace(spec, NS_USER) &&
				 idmap_denies_setgroups(&spec->linux_.gid_mappings)),
		.cgroup_path = mk->c->st.cgroup_path,
		.notify_dir = o->notify_socket
				      ? arena_printf(&mk->c->arena, "%s/%s/" STATE_NOTIFY_DIR,
						     o->root, o->id)
				      : NULL,
		.cgroup_root = mk->tree.hybrid ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup",
		.rootfs = o->rootfs,
		.host_work = mk->c->network.helper.pid && !mk->ahead->pid,
	};
	if (spec->process && spec->root) {
		if (open_root(mk, &root, err) < 0)
			return err->code;
		process_add_home(spec->process, root, &mk->c->arena);
		add_inherited_env(mk);
	}
	return plan_build(spec, &mk->plan_opts, &mk->c->arena, &mk->plan, err);
}

/* A socket in the state directory, reached by its descriptor: its own path may be longer than
 * sun_path. */
static int listen_for_start(struct making *mk, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int r;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" STATE_START_SOCKET,
		 mk->c->dir_fd);
	mk->start_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (mk->start_fd < 0)
		return err_errno(err, "make the start socket");
	mask = umask(0177);
	r = bind(mk->start_fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(mask);
	if (r < 0 || listen(mk->start_fd, 1) < 0)
		return err_errno(err, "make the start socket");
	return 0;
}

static int make_notify_dir(struct making *mk, struct err *err)
{
	if (!mk->opts->notify_socket)
		return 0;
	/* Seen from inside under whatever user the program runs as. */
	if (fd_make_dir(mk->c->dir_fd, STATE_NOTIFY_DIR, 0755) < 0)
		return err_errno(err, "make the directory of the notify socket");
	if (mk->opts->run)
		mk->c->notify_fd = notify_open(mk->c, err);
	return mk->c->notify_fd < -1 ? mk->c->notify_fd : 0;
}

static void oci_state(const struct container *c, enum status status, pid_t pid, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	state_write_oci(&c->st, status, pid, &w);
	json_writer_done(&w);
}

/* What hooks inside read: the memfd is theirs, its content ours to change as the container goes on.
 */
static int update_hook_state(struct making *mk, enum status status, struct err *err)
{
	autobuf text = BUF_INIT;
	int r;

	if (mk->launch.hook_state < 0)
		return 0;
	oci_state(mk->c, status, mk->launch.pid, &text);
	if (ftruncate(mk->launch.hook_state, 0) < 0 ||
	    lseek(mk->launch.hook_state, 0, SEEK_SET) < 0)
		return err_errno(err, "write the state for hooks");
	r = fd_write_full(mk->launch.hook_state, text.data, text.len);
	return r < 0 ? err_code(err, r, "write the state for hooks") : 0;
}

/* The process is in it from its first instruction on, or from SYNC_HOST. */
static int hand_over_network(struct making *mk, struct err *err)
{
	autofd netns = -1;
	char path[64];

	if (!network_waits(&mk->c->network))
		return network_tell_process(&mk->c->network, mk->launch.pid, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", mk->launch.pid);
	netns = fd_open(AT_FDCWD, path, O_RDONLY);
	if (netns < 0)
		return err_errno(err, "open %s", path);
	return network_hand_over(&mk->c->network, netns, mk->launch.pid, err);
}

/* At SYNC_HOST: the namespaces exist, nothing is mounted yet. */
static int host_work(struct making *mk, struct err *err)
{
	autobuf text = BUF_INIT;
	int r = launch_until(&mk->launch, SYNC_HOST, err);

	if (r == 0)
		r = hand_over_network(mk, err);
	if (r == 0)
		r = netdev_lend(mk->c->spec, mk->launch.pid, err);
	if (r < 0)
		return r;
	oci_state(mk->c, STATUS_CREATING, mk->launch.pid, &text);
	r = hooks_run(mk->c->spec, HOOK_PRESTART, mk->c->st.bundle, buf_str(&text), NULL, err);
	if (r == 0)
		r = hooks_run(mk->c->spec, HOOK_CREATE_RUNTIME, mk->c->st.bundle, buf_str(&text),
			      NULL, err);
	return r < 0 ? r : launch_tell(&mk->launch, SYNC_HOST_DONE, err);
}

/* Waits for the messages that plan and options promise, and passes on what came with them. */
static int take_ready(struct making *mk, struct err *err)
{
	const struct create_opts *o = mk->opts;
	int r = 0;

	if (mk->plan.ready)
		r = launch_until(&mk->launch, SYNC_READY, err);
	else if (mk->plan.listener)
		r = launch_until(&mk->launch, SYNC_LISTENER, err);
	else if (mk->plan.terminal)
		r = launch_until(&mk->launch, SYNC_TERMINAL, err);
	if (r == 0)
		r = listener_hand_over(mk->c->spec->linux_.seccomp, &mk->c->st, STATUS_CREATING,
				       mk->launch.pid, mk->launch.listener, err);
	if (r == 0 && o->console_socket && mk->launch.terminal >= 0) {
		r = send_fd_to_socket(o->console_socket, "/dev/pts/ptmx", mk->launch.terminal, err);
		close(mk->launch.terminal);
		mk->launch.terminal = -1;
	}
	return r;
}

/* From here on the container is found by its state: pid, cgroup, all. */
static int record(struct making *mk, struct err *err)
{
	struct container *c = mk->c;
	int r;

	c->st.made = true;
	r = update_hook_state(mk, STATUS_CREATED, err);
	if (r == 0)
		r = state_save(c->dir_fd, &c->st, err);
	return r;
}

/* Last, so that a pid file means a process that was made, and one that was there before survives a
 * failure. */
static int announce(struct making *mk, struct err *err)
{
	const struct create_opts *o = mk->opts;
	int r = o->pid_file ? write_pid_file(o->pid_file, mk->launch.pid, err) : 0;

	mk->pid_written = r == 0 && o->pid_file;
	if (r == 0 && o->pidfd_socket)
		r = send_fd_to_socket(o->pidfd_socket, "pidfd", mk->launch.pidfd, err);
	return r;
}

static int identify(struct making *mk, struct err *err)
{
	int r = proc_identify(mk->launch.pid, &mk->c->st.init);

	return r < 0 ? err_code(err, r, "identify process %d", mk->launch.pid) : 0;
}

static int poststart(const struct making *mk, struct err *err)
{
	autobuf text = BUF_INIT;

	if (!mk->c->spec->hooks.list[HOOK_POSTSTART].count)
		return 0;
	oci_state(mk->c, STATUS_RUNNING, mk->launch.pid, &text);
	return hooks_run(mk->c->spec, HOOK_POSTSTART, mk->c->st.bundle, buf_str(&text), NULL, err);
}

static int run_process(struct making *mk, struct err *err)
{
	bool slow = mk->plan.host_work || mk->plan.ready || mk->plan.terminal || mk->plan.listener;
	int r;

	if (mk->opts->rootfs && mk->opts->rootfs->userns >= 0) {
		mk->launch.userns_fd = mk->opts->rootfs->userns;
		mk->launch.ahead = mk->ahead;
	}
	/* Whoever works on networks gets our processor while we wait. */
	r = network_go_ahead(&mk->c->network, err);
	if (r < 0)
		return r;
	mk->launch.netns_fd = ahead_netns(mk->ahead);
	mk->launch.siblings = mk->opts->siblings;
	r = mk->launch.netns_fd < 0
		    ? 0
		    : network_hand_over(&mk->c->network, mk->launch.netns_fd, 0, err);
	if (r == 0 && !mk->plan.terminal)
		idmap_lend_pipes(&mk->c->spec->linux_);
	if (r == 0)
		r = launch_begin(&mk->launch, err);
	mk->began = r == 0;
	/* What is noted of it must be found by others later: by the process. */
	if (r == 0 && !mk->plan.host_work)
		r = hand_over_network(mk, err);
	if (r == 0)
		r = create_settle_cgroup(mk, err);
	if (r == 0)
		r = identify(mk, err);
	/* Loading takes the kernel longer than anything else we ask of it, and the child has its
	 * mounts to make meanwhile. */
	if (r == 0)
		r = create_attach_devices(mk, err);
	/* What takes its time must be found by others meanwhile; the fast way writes the final
	 * state at once. */
	if (r == 0 && slow)
		r = state_save(mk->c->dir_fd, &mk->c->st, err);
	if (r == 0)
		r = update_hook_state(mk, STATUS_CREATING, err);
	if (r == 0)
		r = rdt_add(&mk->c->st, mk->launch.pid, err);
	if (r == 0 && mk->plan.host_work)
		r = host_work(mk, err);
	if (r == 0)
		r = take_ready(mk, err);
	if (r == 0)
		r = network_end(&mk->c->network, err);
	if (r == 0)
		r = record(mk, err);
	/* It has our memory and is in a user namespace whose root the program may be: gone before that runs. */
	ahead_end(mk->ahead);
	if (r == 0)
		r = launch_release(&mk->launch, err);
	/* With create the conversation ends when tote-init turns to its start socket. */
	if (r == 0)
		r = launch_until(&mk->launch, 0, err);
	if (r == 0)
		r = announce(mk, err);
	return r < 0 || !mk->opts->run ? r : poststart(mk, err);
}

static int remove_files(const struct making *mk)
{
	const struct rootfs *r = mk->opts->rootfs;
	struct err ignored;

	return r && !r->keep ? rootfs_remove(r->store, r->container, &ignored) : 0;
}

/* In reverse; keeps the first error. */
static void undo(struct making *mk)
{
	struct container *c = mk->c;
	struct err ignored;
	int r;

	launch_kill(&mk->launch);
	if (mk->began) {
		autobuf text = BUF_INIT;

		netdev_take_back(&c->st, NULL, &ignored);
		oci_state(c, STATUS_STOPPED, 0, &text);
		hooks_run(c->spec, HOOK_POSTSTOP, c->st.bundle, buf_str(&text), NULL, &ignored);
	}
	network_abandon(&mk->c->network);
	if (network_begin_removal(&mk->c->network, &c->st, &ignored) == 0)
		network_end_removal(&mk->c->network, NULL, &ignored);
	if (c->st.names)
		tree_remove(AT_FDCWD, c->st.names);
	rdt_remove(&c->st);
	r = create_undo_cgroup(mk, &ignored);
	if (mk->pid_written)
		unlink(mk->opts->pid_file);
	/* What could not be removed must still be found: by delete --force, by its state. */
	if (r == 0 && remove_files(mk) == 0)
		state_remove(c->root_fd, c->st.id, &ignored);
}

static int make(struct making *mk, struct err *err)
{
	struct container *c = mk->c;
	int r;

	/* The claim is ours: from here on a failure undoes. Named first, made then. */
	r = create_note_cgroup(mk, err);
	if (r < 0)
		return r;
	/* Even before there is a process: what is named was made in this boot or not at all. */
	r = proc_boot_id(c->st.init.boot_id);
	if (r < 0)
		return err_code(err, r, "read the boot id");
	netdev_names(c->spec, &c->arena, &c->st);
	if (mk->c->network.helper.pid)
		c->st.network = arena_strdup(&c->arena, mk->opts->network->run_dir);
	rdt_name(c->spec, &c->st, &c->arena);
	r = state_save(c->dir_fd, &c->st, err);
	if (r == 0)
		r = file_replace(c->dir_fd, STATE_CONFIG, mk->config, mk->config_len, 0600, err);
	if (r == 0)
		r = network_make_names(mk->opts->network, c->st.id, err);
	if (r == 0)
		r = make_notify_dir(mk, err);
	if (r == 0)
		r = create_make_cgroup(mk, err);
	if (r == 0)
		r = rdt_make(c->spec, &c->st, err);
	if (r == 0 && !mk->opts->run)
		r = listen_for_start(mk, err);
	mk->launch.start_fd = mk->start_fd;
	return r < 0 ? r : run_process(mk, err);
}

static int choose_terminal(const struct making *mk, struct err *err)
{
	const struct create_opts *o = mk->opts;
	struct spec_process *p = mk->c->spec->process;
	bool terminal = p && p->terminal;

	if (o->console_socket && !terminal)
		return err_set(err, EINVAL,
			       "--console-socket: process.terminal is false, so there is no "
			       "terminal to send");
	if (terminal && !o->console_socket && !o->attended)
		return err_set(
			err, EINVAL,
			"process.terminal is true: a console socket is needed (--console-socket)");
	if (terminal && !o->console_socket)
		process_take_size(p, &mk->c->arena);
	return 0;
}

/* Only where it is made by the first clone: a user namespace has to own it, and a staged plan
 * clones later. */
static bool wants_early_netns(const struct spec *spec)
{
	for_each (ns, &spec->linux_.namespaces)
		if (ns->path || ns->type == NS_USER || ns->type == NS_TIME)
			return false;
	return spec_new_namespace(spec, NS_NETWORK);
}

/*
 * As early as can be: it reads what is configured while we decide. In front of what fills our memory, too, and
 * of who makes namespaces ahead, which shares it: a page that a fork has made read-only costs its next writer
 * an interrupt of the processor that the other one runs on.
 */
static int begin_network(struct making *mk, struct err *err)
{
	const struct create_opts *o = mk->opts;

	if (!o->network)
		return 0;
	return network_begin(&mk->c->network, o->network, o->id,
			     arena_printf(&mk->c->arena, "%s/%s", o->root, o->id), err);
}

static int decide(struct making *mk, struct err *err)
{
	int r = begin_network(mk, err);

	if (r == 0)
		r = load(mk, err);
	if (r == 0)
		r = choose_terminal(mk, err);
	if (r == 0 && !mk->ahead->pid && wants_early_netns(mk->c->spec))
		ahead_begin(mk->ahead, CLONE_NEWNET, -1);
	if (r == 0)
		r = create_choose_cgroup(mk, err);
	if (r == 0)
		r = probe_spec(mk->c->spec, err);
	if (r == 0)
		r = build_plan(mk, err);
	return r;
}

static void making_done(struct making *mk)
{
	ahead_end(mk->ahead);
	cg_done(&mk->cg);
	cg_tree_close(&mk->tree);
	launch_done(&mk->launch);
	if (mk->start_fd >= 0)
		close(mk->start_fd);
	if (mk->plan_opts.seccomp_cache >= 0)
		close(mk->plan_opts.seccomp_cache);
}

int container_create(int root_fd, const struct create_opts *opts, struct container *ret_c,
		     int *ret_pidfd, int *ret_terminal, struct err *err)
{
	struct container c = CONTAINER_INIT;
	struct making mk = {
		.opts = opts, .c = &c, .tree = { .fd = -1 }, .cg = CG_INIT, .start_fd = -1
	};
	int r = state_check_id(opts->id, err);

	c.root_fd = root_fd;
	launch_init(&mk.launch, &mk.plan);
	mk.ahead = opts->ahead ? opts->ahead : &mk.own_ahead;
	mk.plan_opts.seccomp_cache = -1;
	if (r == 0)
		r = decide(&mk, err);
	if (r == 0)
		r = c.dir_fd = state_claim(root_fd, opts->id, err);
	if (r >= 0) {
		fill_state(&mk);
		r = make(&mk, err);
		if (r < 0)
			undo(&mk);
	} else {
		remove_files(&mk);
	}
	if (r == 0) {
		if (ret_pidfd)
			*ret_pidfd = take_fd(&mk.launch.pidfd);
		*ret_terminal = take_fd(&mk.launch.terminal);
		for_each (w, &mk.plan.warnings)
			container_warn(&c, "%s", *w);
		if (!opts->attended)
			network_abandon(&c.network);
		*ret_c = c;
	}
	making_done(&mk);
	if (r < 0)
		container_close(&c);
	return r;
}

int container_plan(const struct create_opts *opts, struct buf *ret_text, struct err *err)
{
	struct container c = CONTAINER_INIT;
	struct making mk = {
		.opts = opts, .c = &c, .tree = { .fd = -1 }, .cg = CG_INIT, .start_fd = -1
	};
	int r;

	launch_init(&mk.launch, &mk.plan);
	mk.ahead = &mk.own_ahead;
	mk.plan_opts.seccomp_cache = -1;
	r = load(&mk, err);
	/* A plan needs no cgroup2 and no systemd: only its place is named. */
	if (r == 0 && create_choose_cgroup(&mk, err) == -EINVAL)
		r = -EINVAL;
	if (r == 0 && c.st.unit)
		buf_addf(ret_text, "have systemd make %s in %s\n", c.st.unit, mk.scope.slice);
	if (r == 0)
		r = build_plan(&mk, err);
	if (r == 0)
		r = plan_describe(&mk.plan, c.spec, c.st.unit ? NULL : c.st.cgroup_path, &c.arena,
				  ret_text, err);
	making_done(&mk);
	container_close(&c);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/network.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "netns/join.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORK_MARK "network: " /* in front of what it has to say */
/* Plugins of others may have to wait for somebody's answer (DHCP). */
#define SETUP_MS 60000
/* What comes after it in delete --force needs time as well. */
#define REMOVAL_MS 4000
/* Mostly it is over by then; of hundreds that end at the same time each waits for others. */
#define NAMES_MS 2000

const char *network_run_dir(bool rootless, struct arena *a)
{
	const char *given = getenv("TOTE_NET_DIR"), *user = getenv("XDG_RUNTIME_DIR");

	if (given && *given)
		return given;
	if (rootless && user && *user)
		return arena_printf(a, "%s/tote-net", user);
	return NET_RUN_DIR;
}

static struct spec_namespace *find_network(struct spec *spec)
{
	for_each (ns, &spec->linux_.namespaces)
		if (ns->type == NS_NETWORK)
			return ns;
	return NULL;
}

static struct spec_namespace *add_network(struct spec *spec, struct arena *a)
{
	size_t n = spec->linux_.namespaces.count;
	struct spec_namespace *items = arena_calloc(a, n + 1, sizeof(*items));

	if (n)
		memcpy(items, spec->linux_.namespaces.items, n * sizeof(*items));
	items[n].type = NS_NETWORK;
	spec->linux_.namespaces.items = items;
	spec->linux_.namespaces.count = n + 1;
	return &items[n];
}

static void drop_network(struct spec *spec)
{
	struct spec_namespace *ns = find_network(spec), *last = spec->linux_.namespaces.items +
								spec->linux_.namespaces.count - 1;

	if (!ns)
		return;
	memmove(ns, ns + 1, (size_t)(last - ns) * sizeof(*ns));
	spec->linux_.namespaces.count--;
}

int network_apply(const struct network_wish *wish, struct spec *spec, struct arena *a,
		  struct err *err)
{
	struct spec_namespace *ns = find_network(spec);

	if (!wish || wish->mode == NETWORK_AS_SPEC)
		return 0;
	if (wish->mode == NETWORK_HOST) {
		drop_network(spec);
		return 0;
	}
	if (wish->mode == NETWORK_OWN && ns && ns->path)
		return err_set(err, EINVAL,
			       "--network: config.json joins the network namespace %s, which is "
			       "somebody else's to set up",
			       ns->path);
	if (!ns)
		ns = add_network(spec, a);
	ns->path = wish->mode == NETWORK_PATH ? arena_strdup(a, wish->path) : NULL;
	return 0;
}

int network_make_names(const struct network_wish *wish, const char *id, struct err *err)
{
	autofd run = -1;

	if (!wish || !wish->names_dir)
		return 0;
	run = file_private_dir(wish->run_dir, true, 0700, "run directory of networks", err);
	return run < 0 ? run : names_make(run, id, &wish->known, err);
}

struct network_begin {
	const struct network_wish *wish;
	const char *id, *owner;
};

/* What our process is told: nothing more than that it may go on, a process's number, or this. */
#define LEAVE (-1)

struct network_end {
	const char *run_dir, *id;
};

/*
 * A process with a socket to us as its stdin. It has our memory, so that there is no program to load and
 * nothing to pass on in words: that would take as long as what it does. Of what we have open nothing is its.
 */
_Noreturn static void work_main(int (*work)(const void *, struct err *), const void *arg,
				const int stdio[3])
{
	static const char mark[] = WORK_MARK;
	struct err err;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(stdio[fd], fd) < 0)
			_exit(1);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (work(arg, &err) == 0)
		_exit(0);
	fd_write_full(STDERR_FILENO, mark, sizeof(mark) - 1);
	fd_write_full(STDERR_FILENO, err.msg, strlen(err.msg));
	_exit(1);
}

static int start(struct network_setup *n, int (*work)(const void *, struct err *), const void *arg,
		 struct err *err)
{
	autofd said = memfd_create("stderr", MFD_CLOEXEC), theirs = -1;
	autofd null = fd_open(AT_FDCWD, "/dev/null", O_WRONLY);
	int pair[2];
	pid_t pid;

	if (said < 0 || null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, "cannot begin with networks");
	theirs = pair[1];
	pid = fork();
	if (pid == 0)
		work_main(work, arg, (const int[]){ theirs, null, said });
	if (pid < 0) {
		err_errno(err, "cannot begin with networks");
		close(pair[0]);
		return err->code;
	}
	n->sock = pair[0];
	n->handed = n->owes_process = n->freed = false;
	n->helper = (struct proc_helper){ "the process for networks", pid, take_fd(&null),
					  take_fd(&said) };
	return 0;
}

static int say_done(struct err *err)
{
	return send(STDIN_FILENO, "", 1, MSG_NOSIGNAL) < 0 ? err_errno(err, "cannot answer") : 0;
}

static bool is_told(int32_t *ret_number)
{
	return recv(STDIN_FILENO, ret_number, sizeof(*ret_number), 0) == sizeof(*ret_number);
}

/* The id may be a running container's until our parent has claimed it. */
static int await_claim(struct err *err)
{
	int32_t none;

	return is_told(&none) ? 0 : err_set(err, ECANCELED, "the container was not made");
}

static int join(const struct network_begin *b, struct err *err)
{
	const struct join_wish wish = {
		.id = b->id,
		.networks = b->wish->names,
		.publish = b->wish->publish,
		.ips = { (char **)(uintptr_t)&b->wish->ip, b->wish->ip ? 1 : 0 },
		.mac = b->wish->mac,
		.hostname = b->wish->hostname,
		.owner = b->owner,
		.rootless = b->wish->rootless,
	};
	autoarena a = ARENA_INIT;
	autojoin j = JOIN_INIT(&wish, &a);
	int r = join_prepare(&j, b->wish->run_dir, NULL, err);

	if (r == 0)
		r = await_claim(err);
	j.sock = STDIN_FILENO;
	if (r == 0)
		r = join_networks(&j, err);
	return r < 0 ? r : say_done(err);
}

static int leave(const void *arg, struct err *err)
{
	const struct network_end *e = arg;
	autolater later = { BUF_INIT, BUF_INIT };
	const struct leave_wish wish = { .id = e->id, .later = &later };
	autoplace place = PLACE_INIT;
	int r;

	leave_begin_answer();
	r = place_open(e->run_dir, NULL, &place, err);
	if (r == 0)
		r = leave_networks(&place, &wish, err);
	if (r < 0)
		return r;
	leave_answer(&place, &later);
	return 0;
}

/* It stays for the way back: making another process then would take as long as all that it has to do. */
static int join_and_leave(const void *arg, struct err *err)
{
	const struct network_begin *b = arg;
	const struct network_end e = { b->wish->run_dir, b->id };
	int r = join(b, err);
	int32_t word;

	if (r < 0)
		return r;
	setsid(); /* what is typed at our parent's terminal is for the container */
	return is_told(&word) && word == LEAVE ? leave(&e, err) : 0;
}

int network_begin(struct network_setup *n, const struct network_wish *wish, const char *id,
		  const char *owner, struct err *err)
{
	const struct network_begin b = { wish, id, owner };

	return wish && wish->names.count ? start(n, join_and_leave, &b, err) : 0;
}

/* One that is gone is asked for its reasons at the end. */
static int tell(struct network_setup *n, int32_t number, const char *what, struct err *err)
{
	if (send(n->sock, &number, sizeof(number), MSG_NOSIGNAL) < 0 && errno != EPIPE &&
	    errno != ECONNRESET)
		return err_errno(err, "tell of %s", what);
	return 0;
}

int network_go_ahead(struct network_setup *n, struct err *err)
{
	return n->helper.pid ? tell(n, 0, "the container's claim", err) : 0;
}

bool network_waits(const struct network_setup *n)
{
	return n->helper.pid && n->sock >= 0 && !n->handed;
}

int network_hand_over(struct network_setup *n, int netns_fd, pid_t pid, struct err *err)
{
	int32_t number = pid;
	int r;

	if (!network_waits(n))
		return 0;
	r = fd_send(n->sock, &number, sizeof(number), netns_fd);
	n->handed = r == 0;
	n->owes_process = r == 0 && !pid;
	/* One that is gone has said why. */
	return r == -EPIPE || r == -ECONNRESET ? network_end(n, err)
	       : r < 0			       ? err_code(err, r, "hand the network namespace over")
					       : 0;
}

int network_tell_process(struct network_setup *n, pid_t pid, struct err *err)
{
	if (!n->owes_process)
		return 0;
	n->owes_process = false;
	return tell(n, pid, "the container's process", err);
}

/* Whether it has said that it is done. It is a process for a little longer. */
static bool is_done(struct network_setup *n, int timeout_ms)
{
	char byte;

	return n->sock >= 0 && fd_wait_readable(n->sock, timeout_ms) > 0 &&
	       recv(n->sock, &byte, 1, MSG_DONTWAIT) == 1;
}

static void close_sock(struct network_setup *n)
{
	if (n->helper.pid && n->sock >= 0)
		close(n->sock);
	n->sock = -1;
}

/* How it ended is nobody's business when it has said why. */
static int in_words(int r, struct err *err)
{
	const char *said = r > 0 ? strstr(err->msg, ": " WORK_MARK) : NULL;

	if (said)
		return err_set(err, EIO, "%s", said + 2);
	return r > 0 ? err_prefix(err, "network") : r;
}

int network_end(struct network_setup *n, struct err *err)
{
	if (!n->helper.pid || (n->handed && is_done(n, SETUP_MS)))
		return 0;
	close_sock(n);
	return in_words(proc_end(&n->helper, SETUP_MS, NULL, err), err);
}

void network_abandon(struct network_setup *n)
{
	struct err ignored;

	close_sock(n);
	if (n->helper.pid)
		proc_end(&n->helper, SETUP_MS, NULL, &ignored);
}

/* False: there is none, or somebody has killed it. */
static bool is_asked_to_leave(const struct network_setup *n)
{
	static const int32_t word = LEAVE;

	return n->helper.pid && n->sock >= 0 &&
	       send(n->sock, &word, sizeof(word), MSG_NOSIGNAL) == sizeof(word);
}

int network_begin_removal(struct network_setup *n, const struct state *st, struct err *err)
{
	/* A reboot has taken it along, and the id may be somebody else's since. */
	if (!st->network || proc_other_boot(&st->init))
		return 0;
	if (is_asked_to_leave(n))
		return 0;
	network_abandon(n);
	return start(n, leave, &(struct network_end){ st->network, st->id }, err);
}

int network_await_freed(struct network_setup *n, const struct deadline *deadline, struct err *err)
{
	int r;

	if (!n->helper.pid || n->freed)
		return 0;
	n->freed = is_done(n, deadline_left(deadline, REMOVAL_MS));
	if (n->freed)
		return 0;
	close_sock(n);
	r = proc_end(&n->helper, deadline_left(deadline, REMOVAL_MS), NULL, err);
	return in_words(r, err);
}

int network_end_removal(struct network_setup *n, const struct deadline *deadline, struct err *err)
{
	int r = network_await_freed(n, deadline, err);

	if (r < 0 || !n->helper.pid || !n->freed)
		return r;
	/* Who waits for the process's end as well waits 10 ms and more for what the kernel does. It is
	 * init's to reap, as we are about to end. What it cannot remove, nobody hears of. */
	is_done(n, deadline_left(deadline, NAMES_MS));
	close_sock(n);
	close(n->helper.out);
	close(n->helper.said);
	n->helper.pid = 0;
	return 0;
}

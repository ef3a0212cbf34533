/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-supervise/model.h"
#include "cmd/tote-supervise/server.h"
#include "cmd/tote-supervise/supervisor.h"

#include "cmd/program.h"
#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "lib/tree.h"
#include "oci/supervise/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>

#define LOCK_FILE "lock"
#define BOOT_FILE "boot"
#define LOG_FILE "tote-supervise.log"
#define READY_MS 60000
#define LOCK_MS 1000

struct options {
	const char *root, *store, *metrics;
	bool detach;
};

static const struct option items[] = {
	{ "detach", 'd', OPT_FLAG, offsetof(struct options, detach), NULL,
	  "go to the background when requests are answered" },
	{ "metrics", 0, OPT_STRING, offsetof(struct options, metrics), "ADDR:PORT",
	  "answer Prometheus there as well as on RUN/metrics; :PORT is 127.0.0.1's" },
	{ "root", 0, OPT_STRING, offsetof(struct options, root), "DIR",
	  "where containers are recorded" },
	{ "store", 0, OPT_STRING, offsetof(struct options, store), "DIR", "where images are kept" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int open_dirs(struct supervisor *sup, struct err *err)
{
	int log;
	int r = supervise_paths(sup->rootless, &sup->arena, &sup->paths, err);

	if (r < 0)
		return r;
	sup->state = file_private_dir(sup->paths.state, true, 0700, "directory of projects", err);
	if (sup->state < 0)
		return sup->state;
	log = file_private_dir(sup->paths.log, true, 0750, "log directory", err);
	if (log < 0)
		return log;
	close(log);
	sup->run = file_private_dir(sup->paths.run, true, 0700, "run directory", err);
	return sup->run < 0 ? sup->run : 0;
}

/* -EBUSY: another one runs. The lock is held until the process ends. */
static int lock(struct supervisor *sup, struct err *err)
{
	struct deadline_pauses pauses = deadline_pauses_in(LOCK_MS);
	int fd = fd_create(sup->run, LOCK_FILE, O_RDWR | O_CREAT, 0600);
	struct timespec pause;

	if (fd < 0)
		return err_errno(err, "%s/" LOCK_FILE, sup->paths.run);
	/* One that was killed while it started a child: that has the lock until its exec. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (!deadline_pause(&pauses, &pause)) {
			close(fd);
			return err_set(err, EBUSY, "a supervisor runs already (%s)",
				       sup->paths.run);
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* RUN is a tmpfs and so empty after a reboot, unless somebody put it elsewhere: then nothing in it is
 * true any more. Returns whether this is the first of us in this boot, or -errno. */
static int first_of_boot(struct supervisor *sup, struct err *err)
{
	char boot[37], known[64] = "";
	int r = proc_boot_id(boot);

	if (r < 0)
		return err_code(err, r, "boot id");
	if (file_peek(sup->run, BOOT_FILE, known, sizeof(known)) > 0 && strcmp(known, boot) == 0)
		return 0;
	if (known[0]) {
		r = tree_remove(sup->run, "i");
		if (r < 0)
			return err_code(err, r, "remove what was before the reboot");
	}
	r = file_replace(sup->run, BOOT_FILE, boot, strlen(boot), 0600, err);
	return r < 0 ? r : 1;
}

static int open_instances(struct supervisor *sup, struct err *err)
{
	if (mkdirat(sup->run, "i", 0700) < 0 && errno != EEXIST)
		return err_errno(err, "%s/i", sup->paths.run);
	sup->instances = fd_open(sup->run, "i", O_RDONLY | O_DIRECTORY);
	return sup->instances < 0 ? err_errno(err, "%s/i", sup->paths.run) : 0;
}

static int find_programs(struct supervisor *sup, struct err *err)
{
	char path[PATH_MAX];
	int r = proc_sibling("tote", path, sizeof(path));

	if (r < 0)
		return err_code(err, r, "find tote");
	sup->tote = arena_strdup(&sup->arena, path);
	r = proc_sibling("tote-monitor", path, sizeof(path));
	if (r < 0)
		return err_code(err, r, "find tote-monitor");
	sup->monitor = arena_strdup(&sup->arena, path);
	return 0;
}

static int listen_socket(struct supervisor *sup, struct err *err)
{
	int fd = notify_listen_fd();

	return fd >= 0 ? fd : control_listen(sup->run, err);
}

/* After a reboot `always` means that, as Docker has it: a stop is forgotten. */
static void forget_stops(struct supervisor *sup)
{
	for_list (p, &sup->projects, struct project, link) {
		bool changed = false;

		for_list (s, &p->services, struct service, link)
			if (s->want && s->want->stopped && s->want->restart == RESTART_ALWAYS) {
				s->want->stopped = false;
				changed = true;
			}
		if (changed)
			project_save_soon(p);
	}
}

static int set_up(struct supervisor *sup, struct err *err)
{
	int first, fd;
	int r = open_dirs(sup, err);

	if (r == 0)
		r = lock(sup, err);
	if (r < 0)
		return r;
	first = first_of_boot(sup, err);
	if (first < 0)
		return first;
	r = open_instances(sup, err);
	if (r == 0)
		r = find_programs(sup, err);
	if (r == 0)
		r = supervisor_watch(sup, err);
	if (r < 0)
		return r;
	projects_load(sup);
	if (first)
		forget_stops(sup);
	instances_find(sup);
	fd = listen_socket(sup, err);
	if (fd < 0)
		return fd;
	r = server_open(sup, fd, err);
	if (r < 0)
		return r;
	if (metrics_open(sup, err) < 0)
		say(LOG_ERR, "metrics: %s", err->msg);
	network_open(sup);
	supervisor_settle(sup);
	return 0;
}

static void init(struct supervisor *sup, const struct options *o)
{
	unsigned int seed;

	sup->root = absolute(o->root ? o->root : globals.root);
	sup->store = o->store ? absolute(o->store) : globals.store ? absolute(globals.store) : NULL;
	sup->metrics_listen = o->metrics;
	sup->rootless = globals.rootless;
	sup->state = sup->run = sup->instances = -1;
	sup->limit = 2 * (int)sysconf(_SC_NPROCESSORS_ONLN);
	sup->started_at = time(NULL);
	list_init(&sup->projects);
	/* Of back-off's jitter. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (unsigned int)getpid();
	srandom(seed);
	srand(seed);
	/* Containers whose monitor was killed come to us. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	spawn_more_files();
	umask(022);
}

/* stderr has been the caller's until here, so that it saw what went wrong. */
static void go_to_background(struct supervisor *sup, int ready)
{
	autofd null = fd_open(AT_FDCWD, "/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	if (!say_to_file(arena_printf(&sup->arena, "%s/" LOG_FILE, sup->paths.log)))
		dup2(null, 2);
	fd_write_full(ready, "", 1);
	close(ready);
}

/* One that is not needed has nothing yet but what set_up() begins with. */
static void drop(struct supervisor *sup)
{
	cleanup_fd(&sup->state);
	cleanup_fd(&sup->run);
	loop_done(&sup->loop);
	arena_done(&sup->arena);
	free(sup->root);
	free(sup->store);
	free(sup);
}

static int serve(const struct options *o, int ready)
{
	struct supervisor *sup = calloc(1, sizeof(*sup));
	struct err err;
	int r = sup ? loop_init(&sup->loop) : -ENOMEM;

	if (r < 0) {
		err_code(&err, r, "event loop");
		return fail(&err);
	}
	init(sup, o);
	r = set_up(sup, &err);
	if (r < 0 && (r != -EBUSY || ready < 0))
		say(LOG_ERR, "%s", err.msg);
	if (r == -EBUSY) {
		drop(sup);
		return ready < 0;
	}
	if (r < 0)
		return 1;
	if (ready >= 0)
		go_to_background(sup, ready);
	notify_ready(sup);
	r = loop_run(&sup->loop);
	network_close(sup);
	metrics_close(sup);
	server_close(sup);
	if (r < 0)
		say(LOG_ERR, "event loop: %s", err_text(r));
	return r < 0;
}

/* The caller's end of a detached one: its exit code is 0 when that is ready. */
static int attend(pid_t pid, int ready)
{
	int status = 0;
	char byte;
	int readable = fd_wait_readable(ready, READY_MS);

	if (readable > 0 && read(ready, &byte, 1) == 1)
		return 0;
	/* Its end of the pipe is closed: it has ended, or is about to. */
	if (readable > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	say(LOG_ERR, "the supervisor did not get ready");
	return 1;
}

static int detach(const struct options *o)
{
	int ready[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		say(LOG_ERR, "detach: %s", err_text(errno));
		return 1;
	}
	if (pid > 0) {
		close(ready[1]);
		return attend(pid, ready[0]);
	}
	close(ready[0]);
	setsid();
	if (chdir("/") < 0)
		return 1;
	return serve(o, ready[1]);
}

static int run_supervise(char **args, size_t count, void *opts)
{
	const struct options *o = opts;

	(void)args;
	(void)count;
	return o->detach ? detach(o) : serve(o, -1);
}

static const struct verb verb_supervise = { "supervise",
					    "",
					    "keep what should run running",
					    &table,
					    0,
					    0,
					    run_supervise,
					    sizeof(struct options),
					    0 };

static void print_version(void)
{
	printf("tote-supervise version %s\n", TOTE_VERSION);
}

/* Executed by its own name it needs no verb; `tote supervise` gives us one. */
static char **with_verb(int *argc, char **argv)
{
	char **ret;

	for (int n = 1; n < *argc; n++)
		if (strcmp(argv[n], verb_supervise.name) == 0 || strcmp(argv[n], "--version") == 0)
			return argv;
	ret = calloc((size_t)*argc + 2, sizeof(*ret));
	if (!ret || *argc < 1)
		_exit(255);
	ret[0] = argv[0];
	ret[1] = (char *)verb_supervise.name;
	memcpy(ret + 2, argv + 1, (size_t)(*argc - 1) * sizeof(*ret));
	++*argc;
	return ret;
}

int main(int argc, char **argv)
{
	static const struct verb *const verbs[] = { &verb_supervise };
	static const struct program program = {
		.name = "tote-supervise",
		.help = "keeps what should run running",
		.verbs = verbs,
		.count = ARRAY_SIZE(verbs),
		.print_version = print_version,
		.without_root = true,
	};

	char **words;
	int code;

	log_name("tote-supervise");
	words = with_verb(&argc, argv);
	code = program_main(&program, argc, words);
	if (words != argv)
		free(words);
	return code;
}

// SPDX-License-Identifier: Apache-2.0
/*
 * bench: times commands against each other, interleaved (A B C A B C ...), so that what else the
 * machine does falls on all of them alike. It is hyperfine without a shell, with commands in
 * sequence, and with the peak memory.
 *
 *	bench [-n ROUNDS] [-w WARMUPS] [-b BASE] [-t SECONDS] [-j FILE] NAME=COMMAND...
 *
 * COMMAND is split on blanks; no quoting. %i in a word becomes a number of its own in each run. A
 * word ";" separates commands that run one after another and count as one; each is reported as
 * well. The part "@reap" waits, off the clock, for the orphans of the parts before it (a detached
 * container is one: bench is the subreaper of its commands).
 *
 *	bench -b crun 'crun=crun run -b B c%i' \
 *		'both=crun create -b B d%i ; crun start d%i ; @reap ; crun delete d%i'
 *
 * stdin and stdout of the commands are /dev/null; stderr is shown when one fails, which ends the
 * benchmark.
 *
 * About peak memory: the kernel's ru_maxrss of a process starts with that of the program it was
 * before its execve, which is bench. Link bench statically; its own share is printed ("driver")
 * and is the least that can be measured. wait4's ru_maxrss is the maximum over the process and
 * those of its children that it has waited for itself: of a `tote run` it covers tote, its
 * tote-init and the container's program, of a `tote create` tote alone.
 */
#include "tests/bench/bench.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static struct bench bench = { .rounds = 50, .warmups = 5, .seconds = 30 };
static posix_spawn_file_actions_t files;
static int messages; /* stderr of the command at hand */

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

/* ---- the command line ---- */

static struct part *part_new(struct contender *c)
{
	struct part *p = &c->parts[c->count];

	if (c->count++ == MAX_PARTS)
		die("%s: more than %d commands in sequence", c->name, MAX_PARTS);
	p->samples = calloc((size_t)bench.rounds, sizeof(*p->samples));
	if (!p->samples)
		die("out of memory");
	return p;
}

/* Cuts text (an element of argv, kept) into words and the words into parts. */
static void split_command(struct contender *c, char *text)
{
	struct part *p = part_new(c);
	size_t words = 0;

	for (char *word = strtok(text, " \t\n"); word; word = strtok(NULL, " \t\n")) {
		if (strcmp(word, ";") == 0) {
			p = words ? part_new(c) : p;
			words = 0;
			continue;
		}
		if (words == MAX_WORDS)
			die("%s: a command of more than %d words", c->name, MAX_WORDS);
		p->reap = words == 0 && strcmp(word, "@reap") == 0;
		p->argv[words++] = word;
	}
	if (!words)
		die("%s: a command is missing", c->name);
}

static void contender_add(char *arg)
{
	struct contender *c = &bench.contenders[bench.count];
	char *equals = strchr(arg, '=');

	if (!equals)
		die("%s: not of the form NAME=COMMAND", arg);
	if (bench.count++ == MAX_CONTENDERS)
		die("more than %d contenders", MAX_CONTENDERS);
	*equals = '\0';
	c->name = arg;
	c->sums = calloc((size_t)bench.rounds, sizeof(*c->sums));
	if (!c->sums)
		die("out of memory");
	split_command(c, equals + 1);
}

static long number(const char *text, long min)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || end == text || n < min || n > MAX_ROUNDS)
		die("%s: not a number from %ld to %d", text, min, MAX_ROUNDS);
	return n;
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:w:b:t:j:")) != -1) {
		switch (option) {
		case 'n':
			bench.rounds = number(optarg, 1);
			break;
		case 'w':
			bench.warmups = number(optarg, 0);
			break;
		case 'b':
			bench.base = optarg;
			break;
		case 't':
			bench.seconds = number(optarg, 1);
			break;
		case 'j':
			bench.json = optarg;
			break;
		default:
			fputs("usage: bench [-n ROUNDS] [-w WARMUPS] [-b BASE] [-t SECONDS] [-j "
			      "FILE] "
			      "NAME=COMMAND...\n",
			      stderr);
			exit(2);
		}
	}
	for (int i = optind; i < argc; i++)
		contender_add(argv[i]);
}

/* ---- running ---- */

static volatile sig_atomic_t timed_out;

static void on_alarm(int sig)
{
	(void)sig;
	timed_out = 1;
}

/*
 * EINTR must reach wait4: no SA_RESTART. The alarm repeats, as the first may come just before the
 * wait.
 */
static void arm_timer(long seconds)
{
	struct itimerval timer = { { seconds ? 1 : 0, 0 }, { seconds, 0 } };

	timed_out = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double timeval_ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static const char *expand(const char *word, unsigned int run, char *out, size_t size)
{
	const char *mark = strstr(word, "%i");

	if (!mark)
		return word;
	if (snprintf(out, size, "%.*s%u%s", (int)(mark - word), word, run, mark + 2) >= (int)size)
		die("%s: too long", word);
	return out;
}

static __attribute__((noreturn)) void part_failed(const struct contender *c, char **argv,
						  const char *how, int n)
{
	char text[4096];
	ssize_t len = pread(messages, text, sizeof(text), 0);

	fprintf(stderr, "bench: %s:", c->name);
	for (; *argv; argv++)
		fprintf(stderr, " %s", *argv);
	fprintf(stderr, ": %s %d\n%.*s", how, n, len > 0 ? (int)len : 0, text);
	exit(1);
}

static void wait_for(const struct contender *c, pid_t pid, char **argv, struct rusage *ret_usage)
{
	int status;

	while (wait4(pid, &status, 0, ret_usage) < 0) {
		if (errno != EINTR)
			die("wait4: %s", strerror(errno));
		if (timed_out) {
			kill(pid, SIGKILL);
			part_failed(c, argv, "killed after seconds:", (int)bench.seconds);
		}
	}
	if (WIFSIGNALED(status))
		part_failed(c, argv, "ended by signal", WTERMSIG(status));
	if (WEXITSTATUS(status))
		part_failed(c, argv, "exit code", WEXITSTATUS(status));
}

/*
 * The clock runs from before the spawn until the command is reaped. posix_spawn copies no page
 * tables (CLONE_VM).
 */
static struct sample run_command(const struct contender *c, const struct part *p, unsigned int run)
{
	char *argv[MAX_WORDS + 1] = { NULL }, words[8][PATH_MAX];
	struct rusage usage;
	size_t used = 0;
	double start, end;
	pid_t pid;
	int error;

	for (size_t i = 0; p->argv[i]; i++) {
		argv[i] = (char *)expand(p->argv[i], run, words[used], sizeof(words[used]));
		if (argv[i] != p->argv[i] && ++used == ARRAY_SIZE(words))
			die("%s: more than %zu words with %%i", c->name, ARRAY_SIZE(words) - 1);
	}
	arm_timer(bench.seconds);
	start = now_ms();
	error = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
	if (error)
		die("%s: %s", argv[0], strerror(error));
	wait_for(c, pid, argv, &usage);
	end = now_ms();
	arm_timer(0);
	return (struct sample){ { end - start,
				  timeval_ms(usage.ru_utime) + timeval_ms(usage.ru_stime),
				  (double)usage.ru_maxrss } };
}

static void reap_orphans(const struct contender *c)
{
	pid_t pid;

	arm_timer(bench.seconds);
	do {
		pid = wait(NULL);
		if (pid < 0 && errno == EINTR && timed_out)
			die("%s: orphans still run after %ld seconds", c->name, bench.seconds);
	} while (pid > 0 || errno == EINTR);
	arm_timer(0);
}

static void sample_add(struct sample *sum, const struct sample *s)
{
	sum->value[WALL_MS] += s->value[WALL_MS];
	sum->value[CPU_MS] += s->value[CPU_MS];
	if (s->value[RSS_KIB] > sum->value[RSS_KIB])
		sum->value[RSS_KIB] = s->value[RSS_KIB];
}

/* round < 0: a warm-up, which leaves no samples. */
static void run_contender(struct contender *c, long round, unsigned int run)
{
	for (size_t i = 0; i < c->count; i++) {
		struct part *p = &c->parts[i];
		struct sample s;

		if (p->reap) {
			reap_orphans(c);
			continue;
		}
		if (ftruncate(messages, 0) < 0)
			die("ftruncate: %s", strerror(errno));
		s = run_command(c, p, run);
		if (round >= 0) {
			p->samples[round] = s;
			sample_add(&c->sums[round], &s);
		}
	}
}

static void prepare_files(void)
{
	messages = memfd_create("stderr", MFD_CLOEXEC);
	if (messages < 0 || fcntl(messages, F_SETFL, O_APPEND) < 0)
		die("memfd: %s", strerror(errno));
	if (posix_spawn_file_actions_init(&files) ||
	    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) ||
	    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) ||
	    posix_spawn_file_actions_adddup2(&files, messages, 2))
		die("out of memory");
}

/* VmHWM, as bench's own ru_maxrss starts with the shell's that executed it. */
static long own_rss_kib(void)
{
	char text[4096] = "";
	autofd fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const char *line;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		die("/proc/self/status: %s", strerror(errno));
	line = strstr(text, "VmHWM:");
	return line ? strtol(line + strlen("VmHWM:"), NULL, 10) : 0;
}

static void run_all(void)
{
	const struct sigaction alarm_action = { .sa_handler = on_alarm };
	unsigned int run = 0;

	prepare_files();
	sigaction(SIGALRM, &alarm_action, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
	for (long round = -bench.warmups; round < bench.rounds; round++)
		for (size_t i = 0; i < bench.count; i++)
			run_contender(&bench.contenders[i], round, run++);
	bench.driver_kib = own_rss_kib();
}

int main(int argc, char **argv)
{
	bool known = false;

	parse_options(argc, argv);
	if (!bench.count)
		die("no NAME=COMMAND given");
	for (size_t i = 0; i < bench.count; i++)
		known |= bench.base && strcmp(bench.contenders[i].name, bench.base) == 0;
	if (bench.base && !known)
		die("%s: no contender has this name", bench.base);
	run_all();
	report_table(&bench);
	if (bench.json)
		report_json(&bench, bench.json);
	return 0;
}

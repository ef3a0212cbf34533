// SPDX-License-Identifier: Apache-2.0
// A service for tests that must not run twice at the same time. It holds a lock that all boxes share, and notes 50 times a second in
// /log/beats that it runs: "SECONDS BOX RUN", with seconds since the machine's boot, which are the same in all boxes. What
// happens to it stands in /log/events: start, OVERLAP when somebody else has the lock, term, end. STOP is how many seconds it takes
// to end after SIGTERM.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t asked;
static char box[64], run[64];

static void on_term(int sig)
{
	(void)sig;
	asked = 1;
}

static void read_word(const char *path, char *word, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, word, size - 1);

	word[n > 0 ? n : 0] = 0;
	word[strcspn(word, "\n")] = 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note(int fd, const char *word)
{
	if (dprintf(fd, "%.3f %s %s%s%s\n", now(), box, run, *word ? " " : "", word) < 0)
		exit(1);
}

int main(void)
{
	int beats = open("/log/beats", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	int events = open("/log/events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	int lock = open("/log/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct sigaction term = { .sa_handler = on_term };
	const char *stop = getenv("STOP");
	double end = 0;

	if (beats < 0 || events < 0 || lock < 0 || sigaction(SIGTERM, &term, NULL) < 0)
		return 1;
	read_word("/etc/box", box, sizeof(box));
	read_word("/proc/sys/kernel/random/uuid", run, sizeof(run));
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		note(events, "OVERLAP");
	for (note(events, "start"); !end || now() < end; usleep(20000)) {
		note(beats, "");
		if (!asked || end)
			continue;
		note(events, "term");
		end = now() + (stop ? atof(stop) : 0);
	}
	note(events, "end");
	return 0;
}

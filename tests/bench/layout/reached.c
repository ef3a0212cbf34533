/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions of some programs are reached while a command runs, in the order in which that happens first.
 *
 *   reached OUT COMMAND [ARGUMENT...] <functions
 *
 * stdin and OUT have a line for each: "PROGRAM ADDRESS", an absolute path and hexadecimal digits. Every function has a breakpoint
 * that is taken out when it is hit. The command's processes are followed wherever they go, and end with it. layout.py calls this.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define TRAP 0xccL
#define TRAP_MASK 0xffL
#else
#error "only x86-64 is traced: the layout is used on other processors as well"
#endif

#define PROGRAMS_MAX 32
#define FUNCTIONS_MAX 65536

struct function {
	unsigned long address;
	long word; /* what is there */
	int seen;
};

struct program {
	char path[PATH_MAX];
	struct function *functions; /* sorted by address */
	size_t count;
};

static struct program programs[PROGRAMS_MAX];
static size_t program_count;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct program *program_named(const char *path)
{
	for (size_t i = 0; i < program_count; i++)
		if (strcmp(programs[i].path, path) == 0)
			return &programs[i];
	return NULL;
}

static struct program *program_add(const char *path)
{
	struct program *p = &programs[program_count];

	if (program_count == PROGRAMS_MAX)
		fail("too many programs");
	p->functions = calloc(FUNCTIONS_MAX, sizeof(struct function));
	if (!p->functions)
		fail("calloc");
	if (strlen(path) >= sizeof(p->path))
		fail(path);
	strcpy(p->path, path);
	program_count++;
	return p;
}

static int by_address(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void read_functions(void)
{
	char line[PATH_MAX + 32], *space;

	while (fgets(line, sizeof(line), stdin)) {
		struct program *p;

		space = strchr(line, ' ');
		if (!space)
			continue;
		*space = 0;
		p = program_named(line);
		if (!p)
			p = program_add(line);
		if (p->count < FUNCTIONS_MAX)
			p->functions[p->count++].address = strtoul(space + 1, NULL, 16);
	}
	for (size_t i = 0; i < program_count; i++)
		qsort(programs[i].functions, programs[i].count, sizeof(struct function),
		      by_address);
}

static struct program *program_of(pid_t pid)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = 0;
	return program_named(path);
}

static void set_breakpoints(pid_t pid)
{
	struct program *p = program_of(pid);

	for (size_t i = 0; p && i < p->count; i++) {
		struct function *f = &p->functions[i];
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKTEXT, pid, f->address, 0);
		if (errno)
			continue;
		/* Two symbols may be so near that one's word has the other's breakpoint: only our byte counts. */
		f->word = word & TRAP_MASK;
		ptrace(PTRACE_POKETEXT, pid, f->address, (word & ~TRAP_MASK) | TRAP);
	}
}

/* Whether the stop was one of ours. */
static int hit(pid_t pid, FILE *out)
{
	struct program *p = program_of(pid);
	struct user_regs_struct regs;
	struct function key, *f;
	long word;

	if (!p || ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return 0;
	key.address = regs.rip - 1;
	f = bsearch(&key, p->functions, p->count, sizeof(key), by_address);
	if (!f)
		return 0;
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, f->address, 0);
	if (errno)
		return 0;
	ptrace(PTRACE_POKETEXT, pid, f->address, (word & ~TRAP_MASK) | f->word);
	regs.rip--;
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	if (!f->seen)
		fprintf(out, "%s %lx\n", p->path, f->address);
	f->seen = 1;
	return 1;
}

/* The signal that the process gets. */
static int stopped(pid_t pid, int status, FILE *out)
{
	int signal = WSTOPSIG(status);

	if (status >> 16 == PTRACE_EVENT_EXEC)
		set_breakpoints(pid);
	if (status >> 16)
		return 0;
	/* New processes begin with SIGSTOP; nothing that is looked at here sends one. */
	if (signal == SIGSTOP || (signal == SIGTRAP && hit(pid, out)))
		return 0;
	return signal;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	int status, code = 1;
	pid_t command, pid;
	FILE *out;

	if (argc < 3)
		return 2;
	read_functions();
	out = fopen(argv[1], "we");
	if (!out)
		fail(argv[1]);
	command = start(argv + 2);
	if (waitpid(command, &status, 0) != command ||
	    ptrace(PTRACE_SETOPTIONS, command, 0,
		   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		fail("trace");
	ptrace(PTRACE_CONT, command, 0, 0);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			ptrace(PTRACE_CONT, pid, 0, stopped(pid, status, out));
		} else if (pid == command) {
			code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
			break;
		}
	}
	return fclose(out) == 0 ? code : 1;
}

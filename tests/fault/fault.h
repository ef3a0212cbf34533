/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault injection at system calls. fault.c reads the command line, calls.c knows the calls by name
 * and which errors they can take, regs.c changes a stopped task's call or result, tracer.c runs the
 * command under ptrace.
 */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	EXIT_TIMEOUT = 124,
	EXIT_FAULT = 125, /* fault itself failed, or was called wrongly */
	EXIT_NOEXEC = 126,
	EXIT_NOENT = 127,
};

enum fault_action { FAULT_COUNT, FAULT_KILL, FAULT_FAIL, FAULT_ENOSYS };

struct fault_opts {
	enum fault_action action;
	bool children; /* -c: calls of all tasks count, not only the main process's */
	bool all;      /* -a: kill every traced task, not only the one that makes the call */
	bool verbose;
	uint64_t nth; /* from 1 */
	int err;      /* positive errno */
	long *calls;  /* for FAULT_ENOSYS */
	size_t n_calls;
	double timeout; /* seconds */
	char **argv;
};

/* How a call takes an injected error. */
enum call_kind {
	CALL_NONE, /* never injected: the kernel cannot fail it that way */
	CALL_SKIP, /* not executed, the result is the error */
	CALL_RUN,  /* executed, then the result is replaced by the error */
};

/* The number of a call by name or decimal number, -1 when unknown. */
long call_number(const char *name);
/* The name of a call, or its number written into buf. */
const char *call_name(uint64_t nr, char *buf, size_t size);
enum call_kind call_kind(uint64_t nr, int err);
/* A seccomp filter of this process and its descendants: the calls answer action. Returns 0 or
 * -errno. */
int call_filter(const long *calls, size_t n_calls, uint32_t action);

/* The AUDIT_ARCH_* of this program: calls of other ABIs (32-bit programs) have other numbers. */
uint32_t regs_arch(void);
/* In a syscall-entry or seccomp stop: the call will not be executed. Returns 0 or -errno. */
int regs_skip_call(pid_t pid);
/* In a syscall-exit or seccomp stop: the call's result. Returns 0 or -errno. */
int regs_set_result(pid_t pid, long result);

/*
 * Runs opts->argv to its end. The result is the exit code for the shell: that of the command, 128 +
 * signal, or an EXIT_* above. *ret_count is set when the command ran.
 */
int trace_run(const struct fault_opts *opts, uint64_t *ret_count);

#endif

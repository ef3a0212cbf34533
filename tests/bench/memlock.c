// SPDX-License-Identifier: Apache-2.0
/*
 * memlock COMMAND...: runs a command for which raising RLIMIT_MEMLOCK "succeeds" without being
 * done. crun 1.8 raises it before it loads its device program and gives up where CAP_SYS_RESOURCE
 * is missing, as in many CI machines; since Linux 5.11 the memory of BPF is charged to the cgroup
 * and the limit means nothing for it. tests/bench/run.sh puts the whole benchmark below this
 * program, so that all contenders bear the same filter. It needs CAP_SYS_ADMIN.
 */
#include "lib/cleanup.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* The low half of argument n, on machines of either byte order. */
#define ARG(n)                                                                                     \
	((uint32_t)(offsetof(struct seccomp_data, args[n]) +                                       \
		    (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)))

int main(int argc, char **argv)
{
	/* setrlimit(resource, new) and prlimit64(pid, resource, new, old): libcs use both. */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_setrlimit
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setrlimit, 5, 0),
#else
		BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prlimit64, 0, 6),
		/* With new == NULL it is a mere question, which the kernel answers. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(2)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(1)),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(0)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RLIMIT_MEMLOCK, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		/* The "error" 0: the call returns success. */
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
	};
	struct sock_fprog prog = { ARRAY_SIZE(filter), filter };

	if (argc < 2)
		return fprintf(stderr, "usage: memlock COMMAND...\n"), 2;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return perror("memlock: seccomp"), 1;
	execvp(argv[1], argv + 1);
	return perror(argv[1]), 127;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/clone.h"

#include "lib/cleanup.h"
#include "lib/fd.h"

#include <fcntl.h>
#include <unistd.h>

#if defined(__x86_64__)
sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register int (*r8)(void *) __asm__("r8") = entry;
	register void *r9 __asm__("r9") = arg;
	sys_t ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax,%%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp,%%ebp\n\t"
			 "mov %%r9,%%rdi\n\t"
			 "call *%%r8\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(ret)
			 : "a"(__NR_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register sys_t x8 __asm__("x8") = __NR_clone3;
	register sys_t x0 __asm__("x0") = (sys_t)args;
	register sys_t x1 __asm__("x1") = sizeof(*args);
	register int (*x9)(void *) __asm__("x9") = entry;
	register void *x10 __asm__("x10") = arg;

	__asm__ volatile("svc 0\n\tcbnz x0, 1f\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, x10\n\tblr "
			 "x9\n\tbrk #0\n1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x9), "r"(x10)
			 : "memory");
	return x0;
}
#elif defined(__arm__)
__attribute__((target("arm"))) sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *),
						    void *arg)
{
	register sys_t r0 __asm__("r0") = (sys_t)args;
	register sys_t r1 __asm__("r1") = sizeof(*args);
	register int (*r4)(void *) __asm__("r4") = entry;
	register void *r5 __asm__("r5") = arg;

	__asm__ volatile("push {r7}\n\tmov r7, %[n]\n\tsvc 0\n\tcmp r0, #0\n\tbne 1f\n\tmov r0, "
			 "r5\n\tblx r4\n\tudf #0\n"
			 "1:\tpop {r7}"
			 : "+r"(r0)
			 : "r"(r1), "r"(r4), "r"(r5), [n] "r"(__NR_clone3)
			 : "memory", "cc", "lr");
	return r0;
}
#elif defined(__riscv)
sys_t clone_on_stack(struct clone_args *args, int (*entry)(void *), void *arg)
{
	register sys_t a7 __asm__("a7") = __NR_clone3;
	register sys_t a0 __asm__("a0") = (sys_t)args;
	register sys_t a1 __asm__("a1") = sizeof(*args);
	register int (*a2)(void *) __asm__("a2") = entry;
	register void *a3 __asm__("a3") = arg;

	__asm__ volatile("ecall\n\tbnez a0, 1f\n\tmv a0, a3\n\tjalr a2\n\tebreak\n1:"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3)
			 : "memory", "ra");
	return a0;
}
#endif

IN_CHILD _Noreturn void clone_exit(int code)
{
	for (;;)
		sys(__NR_exit_group, code);
}

int clone_go_to(struct clone_cwd *cwd, int dir)
{
	*cwd = (struct clone_cwd){ dir, -1 };
	if (dir < 0)
		return 0;
	cwd->back = fd_open(AT_FDCWD, ".", O_PATH);
	if (fchdir(dir) == 0)
		return 0;
	cleanup_fd(&cwd->back);
	*cwd = (struct clone_cwd){ -1, -1 };
	return -1;
}

bool clone_come_back(struct clone_cwd *cwd)
{
	bool out = cwd->dir < 0 || (cwd->back >= 0 && fchdir(cwd->back) == 0) || chdir("/") == 0;

	if (cwd->back >= 0)
		close(cwd->back);
	return out;
}

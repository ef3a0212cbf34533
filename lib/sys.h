/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Raw system calls without a C library: for tote-init, which has none, and for the few instructions
 * that a cloned child runs in its parent's memory (oci/spawn.c), where touching errno would touch
 * the parent's. Every function returns the kernel's answer: >= 0, or -errno. Nothing here
 * allocates, formats or keeps state.
 */
#ifndef LIB_SYS_H
#define LIB_SYS_H

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

typedef long sys_t;

#if defined(__x86_64__)
#define SYS_STACK_ALIGN 16
static inline sys_t sys_raw6(sys_t n, sys_t a, sys_t b, sys_t c, sys_t d, sys_t e, sys_t f)
{
	register sys_t r10 __asm__("r10") = d;
	register sys_t r8 __asm__("r8") = e;
	register sys_t r9 __asm__("r9") = f;
	sys_t ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline sys_t sys_raw6(sys_t n, sys_t a, sys_t b, sys_t c, sys_t d, sys_t e, sys_t f)
{
	register sys_t x8 __asm__("x8") = n;
	register sys_t x0 __asm__("x0") = a;
	register sys_t x1 __asm__("x1") = b;
	register sys_t x2 __asm__("x2") = c;
	register sys_t x3 __asm__("x3") = d;
	register sys_t x4 __asm__("x4") = e;
	register sys_t x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#elif defined(__arm__)
static inline sys_t sys_raw6(sys_t n, sys_t a, sys_t b, sys_t c, sys_t d, sys_t e, sys_t f)
{
	register sys_t r0 __asm__("r0") = a;
	register sys_t r1 __asm__("r1") = b;
	register sys_t r2 __asm__("r2") = c;
	register sys_t r3 __asm__("r3") = d;
	register sys_t r4 __asm__("r4") = e;
	register sys_t r5 __asm__("r5") = f;

	/* r7 is the frame pointer in Thumb code, so it is saved by hand instead of being named as
	 * an operand. */
	__asm__ volatile("push {r7}\n\tmov r7, %[n]\n\tsvc 0\n\tpop {r7}"
			 : "+r"(r0)
			 : [n] "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory");
	return r0;
}
#elif defined(__riscv)
static inline sys_t sys_raw6(sys_t n, sys_t a, sys_t b, sys_t c, sys_t d, sys_t e, sys_t f)
{
	register sys_t a7 __asm__("a7") = n;
	register sys_t a0 __asm__("a0") = a;
	register sys_t a1 __asm__("a1") = b;
	register sys_t a2 __asm__("a2") = c;
	register sys_t a3 __asm__("a3") = d;
	register sys_t a4 __asm__("a4") = e;
	register sys_t a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}
#else
#error "lib/sys.h knows x86-64, arm64, arm and riscv64"
#endif

/* sys(number, up to six arguments of any integer or pointer type) */
#define SYS_CAST(x) ((sys_t)(x))
#define SYS_PICK(_0, _1, _2, _3, _4, _5, _6, NAME, ...) NAME
#define sys(...) SYS_PICK(__VA_ARGS__, sys6, sys5, sys4, sys3, sys2, sys1, sys0)(__VA_ARGS__)
#define sys0(n) sys_raw6(n, 0, 0, 0, 0, 0, 0)
#define sys1(n, a) sys_raw6(n, SYS_CAST(a), 0, 0, 0, 0, 0)
#define sys2(n, a, b) sys_raw6(n, SYS_CAST(a), SYS_CAST(b), 0, 0, 0, 0)
#define sys3(n, a, b, c) sys_raw6(n, SYS_CAST(a), SYS_CAST(b), SYS_CAST(c), 0, 0, 0)
#define sys4(n, a, b, c, d) sys_raw6(n, SYS_CAST(a), SYS_CAST(b), SYS_CAST(c), SYS_CAST(d), 0, 0)
#define sys5(n, a, b, c, d, e)                                                                     \
	sys_raw6(n, SYS_CAST(a), SYS_CAST(b), SYS_CAST(c), SYS_CAST(d), SYS_CAST(e), 0)
#define sys6(n, a, b, c, d, e, f)                                                                  \
	sys_raw6(n, SYS_CAST(a), SYS_CAST(b), SYS_CAST(c), SYS_CAST(d), SYS_CAST(e), SYS_CAST(f))

/* System calls newer than the headers of Debian 12's libc on some architecture; numbers are the
 * same everywhere. */
#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif
#ifndef __NR_set_mempolicy_home_node
#define __NR_set_mempolicy_home_node 450
#endif

#endif

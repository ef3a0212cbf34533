/* SPDX-License-Identifier: Apache-2.0 */
/* The first instructions: the kernel's stack pointer becomes init_main()'s argument. */
#if defined(__x86_64__)
__asm__(".globl _start\n.type _start,@function\n_start:\n\txor %ebp,%ebp\n\tmov %rsp,%rdi\n\tand "
	"$-16,%rsp\n\tcall init_main\n\thlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n.type _start,%function\n_start:\n\tmov x29,#0\n\tmov x30,#0\n\tmov "
	"x0,sp\n\tb init_main\n");
#elif defined(__arm__)
__asm__(".globl _start\n.type _start,%function\n.arm\n_start:\n\tmov fp,#0\n\tmov lr,#0\n\tmov "
	"r0,sp\n\tbic sp,sp,#7\n\tbl init_main\n");
#elif defined(__riscv)
__asm__(".globl _start\n.type _start,@function\n_start:\n.option push\n.option norelax\n\tlla "
	"gp,__global_pointer$\n.option pop\n"
	"\tmv a0,sp\n\tandi sp,sp,-16\n\ttail init_main\n");
#endif

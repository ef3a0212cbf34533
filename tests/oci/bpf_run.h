/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instructions that seccomp(2) takes, run as the kernel runs them, so that tests can ask a
 * filter about any call without loading it. Whatever the kernel would refuse, or libseccomp never
 * emits, ends the program.
 */
#ifndef TESTS_OCI_BPF_RUN_H
#define TESTS_OCI_BPF_RUN_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint32_t bpf_run(const void *bpf, size_t len, const struct seccomp_data *data)
{
	const struct sock_filter *f = bpf;
	uint32_t acc = 0;

	for (size_t pc = 0; pc < len / sizeof(*f); pc++) {
		uint32_t k = f[pc].k;

		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (k > sizeof(*data) - sizeof(acc) || k % sizeof(acc))
				abort();
			memcpy(&acc, (const char *)data + k, sizeof(acc));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			acc &= k;
			break;
		case BPF_JMP | BPF_JA:
			pc += k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += acc == k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += acc > k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += acc >= k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += acc & k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_RET | BPF_K:
			return k;
		default:
			abort();
		}
	}
	abort();
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Prints a C file with the built-in seccomp profile, compiled for the processor this program runs
 * on. */
#include "lib/arena.h"
#include "lib/buf.h"
#include "oci/seccomp.h"
#include "oci/seccomp_default.h"

#include <stdio.h>

static void print_bytes(const char *name, const struct buf *b)
{
	/* Aligned as the struct sock_filter array that the program is. */
	printf("\nconst unsigned char %s[] __attribute__((aligned(8))) = {", name);
	for (size_t i = 0; i < b->len; i++)
		printf("%s0x%02x,", i % 16 ? " " : "\n\t", (unsigned int)(unsigned char)b->data[i]);
	printf("\n};\nconst size_t %s_len = sizeof(%s);\n", name, name);
}

int main(void)
{
	autoarena arena = ARENA_INIT;
	autobuf form = BUF_INIT, bpf = BUF_INIT;
	struct spec_seccomp *profile = seccomp_default_profile(&arena);
	struct err err = { 0 };

	if (seccomp_compile(profile, &bpf, &err) < 0) {
		fprintf(stderr, "gen-seccomp: %s\n", err.msg);
		return 1;
	}
	seccomp_canonical(profile, &form);
	printf("/* Made by gen-seccomp from oci/seccomp_default.c. */\n#include "
	       "\"oci/seccomp_cache.h\"\n");
	print_bytes("seccomp_builtin_canonical", &form);
	print_bytes("seccomp_builtin_bpf", &bpf);
	return fflush(stdout) == 0 ? 0 : 1;
}

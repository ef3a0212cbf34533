/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one program that has libseccomp. tote executes it for a profile that it has not met before:
 *
 *	tote-seccomp compile < config.json > program	the BPF of linux.seccomp
 *	tote-seccomp builtin > seccomp_builtin.c	the built-in profile as C: run once, by make
 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "oci/seccomp.h"
#include "oci/seccomp_default.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_bytes(const char *name, const struct buf *b)
{
	/* Aligned as the struct sock_filter array that the program is. */
	printf("\nconst unsigned char %s[] __attribute__((aligned(8))) = {", name);
	for (size_t i = 0; i < b->len; i++)
		printf("%s0x%02x,", i % 16 ? " " : "\n\t", (unsigned int)(unsigned char)b->data[i]);
	printf("\n};\nconst size_t %s_len = sizeof(%s);\n", name, name);
}

static int fail(const struct err *err)
{
	fprintf(stderr, "tote-seccomp: %s\n", err->msg);
	return 1;
}

static int builtin(void)
{
	autoarena arena = ARENA_INIT;
	autobuf form = BUF_INIT, bpf = BUF_INIT;
	struct spec_seccomp *profile = seccomp_default_profile(&arena);
	struct err err;

	if (seccomp_compile(profile, &bpf, &err) < 0)
		return fail(&err);
	seccomp_canonical(profile, &form);
	printf("/* Made by tote-seccomp from oci/seccomp_default.c. */\n#include "
	       "\"oci/seccomp_cache.h\"\n");
	print_bytes("seccomp_builtin_canonical", &form);
	print_bytes("seccomp_builtin_bpf", &bpf);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int compile(void)
{
	autoarena arena = ARENA_INIT;
	autobuf bpf = BUF_INIT;
	struct spec *spec;
	struct err err;
	char *text;
	size_t len;
	int r = file_read_fd(STDIN_FILENO, "stdin", JSON_MAX_SIZE, &arena, &text, &len, &err);

	if (r == 0)
		r = spec_parse(text, len, &arena, &spec, &err);
	if (r == 0 && !spec->linux_.seccomp)
		r = err_set(&err, EINVAL, "linux.seccomp: missing");
	if (r == 0)
		r = seccomp_compile(spec->linux_.seccomp, &bpf, &err);
	if (r == 0)
		r = fd_write_full(STDOUT_FILENO, bpf.data, bpf.len) < 0 ? err_errno(&err, "write")
									: 0;
	return r < 0 ? fail(&err) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "builtin") == 0)
		return builtin();
	if (argc == 2 && strcmp(argv[1], "compile") == 0)
		return compile();
	fprintf(stderr, "usage: tote-seccomp compile < config.json > program\n");
	return 1;
}

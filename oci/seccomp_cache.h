/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF program of a profile, compiled only when it has to be: the built-in profile was when tote
 * was built, others are kept in a directory. oci/plan.c asks here.
 */
#ifndef OCI_SECCOMP_CACHE_H
#define OCI_SECCOMP_CACHE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "oci/spec.h"

#include <stddef.h>

/* The built-in profile as cmd/tote-seccomp made it: seccomp_canonical() and seccomp_compile() of
 * it.
 */
extern const unsigned char seccomp_builtin_canonical[];
extern const size_t seccomp_builtin_canonical_len;
extern const unsigned char seccomp_builtin_bpf[];
extern const size_t seccomp_builtin_bpf_len;

/* Appends the program of a profile, as seccomp_compile() does. */
typedef int seccomp_compiler(const struct spec_seccomp *seccomp, const char *config,
			     struct buf *ret_bpf, struct err *err);

/* By tote-seccomp, which lies next to the running program and reads the configuration again; only
 * it has libseccomp. */
seccomp_compiler seccomp_compile_elsewhere;

/*
 * Finds or compiles the program. *ret_bpf is an array of struct sock_filter of *ret_len bytes,
 * static or in the arena.
 *
 * cache_dirfd is a directory only the caller's user can write to, -1 for none. A file in it counts
 * when it is a regular file of the effective user that nobody else can write, with the profile's
 * whole canonical form in it, byte by byte (its name is a mere hash, and a filter must never serve
 * another profile), and intact. Anything else in its place is compiled anew and replaced. A cache
 * that cannot be written to is no error.
 *
 * What is not found is made by compile, which gets config, the text of the configuration that
 * seccomp was read from.
 *
 * Errors are those of seccomp_compile(), and -ENOENT without tote-seccomp.
 */
int seccomp_find(int cache_dirfd, const struct spec_seccomp *seccomp, seccomp_compiler *compile,
		 const char *config, struct arena *a, const void **ret_bpf, size_t *ret_len,
		 struct err *err);

#endif

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

/* The built-in profile as cmd/gen-seccomp made it: seccomp_canonical() and seccomp_compile() of it.
 */
extern const unsigned char seccomp_builtin_canonical[];
extern const size_t seccomp_builtin_canonical_len;
extern const unsigned char seccomp_builtin_bpf[];
extern const size_t seccomp_builtin_bpf_len;

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
 * Errors are those of seccomp_compile().
 */
int seccomp_find(int cache_dirfd, const struct spec_seccomp *seccomp, struct arena *a,
		 const void **ret_bpf, size_t *ret_len, struct err *err);

#endif

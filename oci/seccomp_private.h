/* SPDX-License-Identifier: Apache-2.0 */
/* What the form and the compiler of a filter must agree on: for oci/seccomp.c and
 * oci/seccomp_compile.c. */
#ifndef OCI_SECCOMP_PRIVATE_H
#define OCI_SECCOMP_PRIVATE_H

#include "oci/spec.h"

#include <seccomp.h>

#define MAX_ARGS 6

/*
 * A binary tree over system call numbers. The kernel runs a new filter once for each number to
 * learn which calls are always allowed (Linux 5.11), so a tree also loads several times faster than
 * libseccomp's default, a linear list.
 */
#define OPTIMIZE 2

/*
 * Everything up to NOTIFY with TSYNC, without asking the kernel: what a filter is must not depend
 * on the machine that builds it, and a kernel too old for an action says so when the filter is
 * loaded.
 */
#define API_LEVEL 6

/* Killing one thread of several leaves a process with locks nobody holds (seccomp(2)). */
#define BAD_ARCH_ACTION SCMP_ACT_KILL_PROCESS

/* libseccomp's value of an action with its errno. */
uint32_t seccomp_scmp_action(int action, struct opt_u32 errno_ret);
uint32_t seccomp_default_action(const struct spec_seccomp *seccomp);
/* libseccomp refuses a rule that says what happens anyway; it decides nothing. */
bool seccomp_rule_counts(const struct spec_seccomp *seccomp, const struct spec_seccomp_rule *rule);

#endif

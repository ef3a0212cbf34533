/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp into a BPF program (runtime-spec config-linux.md, "Seccomp"; seccomp(2)). Only
 * seccomp.c builds filters with libseccomp; nothing is loaded here. oci/plan.c asks through
 * oci/seccomp_cache.h, which spares the building where it can; cmd/tote-seccomp builds the built-in
 * profile with it.
 */
#ifndef OCI_SECCOMP_H
#define OCI_SECCOMP_H

#include "lib/buf.h"
#include "lib/err.h"
#include "oci/spec.h"

/*
 * Judges what the types cannot: a default of SCMP_ACT_NOTIFY, an errnoRet where the action takes
 * none ("MUST ... fail" says the spec) or out of the kernel's range, an argument beyond the sixth,
 * a processor this libseccomp does not know. 0, or -EINVAL with the JSON path below linux.seccomp.
 */
int seccomp_check(const struct spec_seccomp *seccomp, struct err *err);

/* True when a rule asks a listener, so that loading the filter returns a descriptor for
 * listenerPath. */
bool seccomp_uses_notify(const struct spec_seccomp *seccomp);

/*
 * The flags for seccomp(SECCOMP_SET_MODE_FILTER): those of the spec and what NOTIFY needs
 * (NEW_LISTENER, Linux 5.0, and with TSYNC also TSYNC_ESRCH, 5.7). No "flags" means none, as the
 * spec's text has no other default; SPEC_ALLOW must be asked for (from Linux 5.16 on it decides
 * nothing, as the kernel's own default is not to mitigate for seccomp). WAIT_KILLABLE_RECV without
 * a listener means nothing and is left out, as the kernel refuses it (EINVAL).
 */
uint32_t seccomp_flags(const struct spec_seccomp *seccomp);

/*
 * Appends all that decides the filter: the format's and libseccomp's version, the native processor,
 * actions with their errno, each rule's names and arguments, processors, flags. Each string and
 * list is preceded by its length, numbers are little-endian: two profiles have the same form only
 * when they have the same filter.
 */
void seccomp_canonical(const struct spec_seccomp *seccomp, struct buf *ret_form);

/*
 * Appends the program, an array of struct sock_filter. Names this libseccomp does not know are
 * skipped (they fall to the default action), as are rules whose action is the default; a rule that
 * names one argument twice matches when any of its comparisons does, as in runc and crun. The
 * native processor is always among those filtered; system calls of one that is not listed kill the
 * process. Equal canonical forms give equal bytes. 0, or -errno: -EINVAL as seccomp_check(), -E2BIG
 * past the kernel's 4,096 instructions.
 */
int seccomp_compile(const struct spec_seccomp *seccomp, struct buf *ret_bpf, struct err *err);

#endif

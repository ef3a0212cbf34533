/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that the doctor judges by, read without touching the system: pure functions, tested
 * with made-up texts. */
#ifndef OCI_DOCTOR_PARSE_H
#define OCI_DOCTOR_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether word is the first (last) one of some line: /proc/modules (/proc/filesystems). */
bool doctor_first_word(const char *text, const char *word);
bool doctor_last_word(const char *text, const char *word);

/*
 * Whether a module is in modules.builtin or modules.dep (modules.builtin(5), modules.dep(5)):
 * "kernel/net/veth.ko", "kernel/net/veth.ko.xz: ...". "-" and "_" are the same in names of modules.
 */
bool doctor_has_module(const char *text, const char *module);

/* How many ids subuid(5) or subgid(5) grants a user, who is named or numbered there. user may be
 * NULL. */
uint64_t doctor_subids(const char *text, const char *user, uid_t uid);

/* The name of a user in passwd(5), or false. NSS is not asked: this program is static. */
bool doctor_user_name(const char *passwd, uid_t uid, char *ret_name, size_t size);

enum doctor_layout {
	DOCTOR_CGROUP_NONE,
	DOCTOR_CGROUP_V1,
	DOCTOR_CGROUP_HYBRID,
	DOCTOR_CGROUP_V2,
};

/* Which cgroup file systems are mounted, by the text of /proc/self/mountinfo. */
enum doctor_layout doctor_cgroup_layout(const char *mountinfo);

enum doctor_controller {
	DOCTOR_CONTROLLER_ABSENT,   /* not in this kernel */
	DOCTOR_CONTROLLER_DISABLED, /* by a boot option */
	DOCTOR_CONTROLLER_ON_V1,
	DOCTOR_CONTROLLER_FREE, /* for the v2 tree */
};

/* Where a controller is, by the text of /proc/cgroups and its name on v2 ("io"). */
enum doctor_controller doctor_controller(const char *proc_cgroups, const char *name);

#endif

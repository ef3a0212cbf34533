/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime-spec's words for seccomp (config-linux.md, "Seccomp"), one table for each kind: `tote
 * features` lists them, `tote spec --seccomp` writes with them, and they fit json_enum for reading.
 */
#ifndef OCI_SECCOMP_NAMES_H
#define OCI_SECCOMP_NAMES_H

#include "lib/json.h"

#include <stdint.h>

extern const struct json_enum_value seccomp_action_names[]; /* enum spec_seccomp_action */
extern const struct json_enum_value seccomp_op_names[];	    /* enum scmp_compare */
extern const struct json_enum_value seccomp_flag_names[];   /* SECCOMP_FILTER_FLAG_* */
extern const struct json_enum_value seccomp_arch_names[];   /* libseccomp's SCMP_ARCH_* */

/* The first name of a value, or NULL. */
const char *seccomp_name(const struct json_enum_value *names, long value);

/* libseccomp's token for SCMP_ARCH_*, 0 when the name is not one or this libseccomp is too old for
 * it. */
uint32_t seccomp_arch_token(const char *name);

/* The token of the processor this program was built for. */
uint32_t seccomp_native_arch(void);
/* The name of the processor this program was built for; NULL when the runtime-spec has none. */
const char *seccomp_native_arch_name(void);

#endif

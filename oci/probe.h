/* SPDX-License-Identifier: Apache-2.0 */
/* What this kernel can honour: asked once a spec needs it, so that nothing it says is silently
 * dropped. */
#ifndef OCI_PROBE_H
#define OCI_PROBE_H

#include "lib/err.h"
#include "oci/spec.h"

bool probe_apparmor(void);
bool probe_selinux(void);

/* -EOPNOTSUPP with the JSON path when the spec needs a security module that is not active. */
int probe_spec(const struct spec *spec, struct err *err);
int probe_process(struct spec_process *process, struct err *err);

#endif

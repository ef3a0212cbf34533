/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which devices a group's processes may use: OCI device rules (config-linux.md, "Allowed Device
 * list") as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE (Linux 4.15). oci/ makes the
 * program with its plan, launch attaches it before the clone, `tote update` replaces it.
 */
#ifndef CGROUPS_DEVICES_H
#define CGROUPS_DEVICES_H

#include "cgroups/limits.h"
#include "lib/arena.h"
#include "lib/err.h"

#include <stddef.h>

struct bpf_insn;

/* No instructions: everything is allowed and nothing needs to be attached. */
struct device_program {
	struct bpf_insn *insns;
	size_t count;
};

/*
 * What every container may do, to be put behind the rules of its config: the devices that
 * config-linux.md, "Default Devices", lists, pseudo terminals, and mknod of anything (a node that
 * the group may not open is harmless).
 */
extern const struct cg_device_rule devices_default[];
extern const size_t devices_default_count;

/*
 * Compiles rules, in config order, behind an implied "deny all". Each of r, w and m is decided by
 * the last rule that covers the device and mentions it; an access is allowed when all of its
 * letters are. An absent type is "a", absent or negative numbers match any, absent access is
 * "rwm". Pure; the program lives in the arena. -EINVAL with a message for a type, number (12 bits
 * major, 20 bits minor) or letter that does not exist.
 */
int devices_program(const struct cg_device_rule *rules, size_t count, struct arena *a,
		    struct device_program *ret_program, struct err *err);

/*
 * Loads the program and attaches it to a group's directory descriptor beside what others have
 * attached (every program must agree). The kernel holds it as long as the group lives. -EPERM
 * without CAP_BPF and CAP_NET_ADMIN in the initial user namespace: rootless callers go on without,
 * as there the kernel does not let them make device nodes either. -EOPNOTSUPP when the kernel lacks
 * it. An empty program does nothing.
 */
int devices_attach(int cg_fd, const struct device_program *program, struct err *err);

/*
 * The same for a group that has one of ours: attaches the new program, then detaches the old ones,
 * so that no moment is without. Programs of others (systemd's DeviceAllow=) stay.
 */
int devices_replace(int cg_fd, const struct device_program *program, struct err *err);

#endif

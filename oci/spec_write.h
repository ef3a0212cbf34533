/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A spec as config.json: the way back of oci/spec.h, for what tote itself puts into one
 * (oci/default_spec.c, oci/image/convert.c).
 */
#ifndef OCI_SPEC_WRITE_H
#define OCI_SPEC_WRITE_H

#include "lib/buf.h"
#include "oci/spec.h"

#include <stdbool.h>

/*
 * Appends the text. Written are ociVersion, process (terminal, user, args, env, cwd, capabilities,
 * rlimits, noNewPrivileges, apparmorProfile, oomScoreAdj), root, hostname, mounts, annotations and
 * linux (mappings, devices, cgroupsPath, sysctl, resources.devices, .memory.limit, .reservation and
 * .swap, .cpu.shares, .quota, .period and .cpus, .blockIO.weight, .pids.limit, namespaces, seccomp,
 * maskedPaths, readonlyPaths); the rest of the spec must be empty. pretty: indented by tabs.
 */
void spec_write(const struct spec *spec, bool pretty, struct buf *ret_json);

#endif

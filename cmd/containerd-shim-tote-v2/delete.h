/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `containerd-shim-tote-v2 delete`: containerd runs it behind the end of every container, also of
 * one whose server is gone. Afterwards nothing of it is left.
 */
#ifndef SHIM_DELETE_H
#define SHIM_DELETE_H

#include "cmd/containerd-shim-tote-v2/args.h"

/* Writes a DeleteResponse to stdout, also when there was nothing; 1 when something is left. */
int delete_main(const struct shim_args *args);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The features document of the runtime-spec (features.md, features-linux.md): what this build of
 * tote knows, whatever the host can do. `tote features` prints it; engines read it.
 */
#ifndef OCI_FEATURES_H
#define OCI_FEATURES_H

#include "lib/buf.h"

/* Appends the document, compact. */
void features_write(struct buf *ret_json);

#endif

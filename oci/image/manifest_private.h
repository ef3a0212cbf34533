/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the readers of an image's JSON documents. */
#ifndef OCI_IMAGE_MANIFEST_PRIVATE_H
#define OCI_IMAGE_MANIFEST_PRIVATE_H

#include "oci/image/manifest.h"
#include "oci/spec_tables.h"

/* os, architecture and so on: a platform of its own, and the head of a configuration. */
extern const struct json_table platform_table;

json_reader read_digest; /* char *: a valid one */

/* Fails with -EOPNOTSUPP when there are more layers than can be mounted. */
int check_layer_count(size_t count, struct err *err);

#endif

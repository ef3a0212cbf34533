/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that we write: the manifest of an image that came without one, or that is made here. */
#ifndef OCI_IMAGE_MANIFEST_WRITE_H
#define OCI_IMAGE_MANIFEST_WRITE_H

#include "lib/buf.h"
#include "oci/image/store.h"

/* An OCI manifest with the record's configuration (of config_size bytes) and its layers as they
 * are; always the same bytes. */
void manifest_write(const struct store_image *image, size_t config_size, struct buf *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what the store holds is still what it took in. The quick look finds what power cuts do to
 * stores that do not sync: files that are missing, empty or of another size. The deep one puts each
 * layer's tar stream together again, whose digest must be the diffID, and compares the attributes
 * of every file, and that there are no others.
 */
#ifndef OCI_IMAGE_VERIFY_H
#define OCI_IMAGE_VERIFY_H

#include "lib/err.h"
#include "oci/image/store.h"

enum verify_depth { VERIFY_QUICK, VERIFY_DEEP };

/*
 * 0, -EBADMSG with what is wrong, else -errno: nothing is known of it. A layer found damaged stays so
 * until a deep look finds it whole, and is taken in again by the next load of an image with it.
 */
int verify_layer(const struct store *s, const struct store_layer *layer, enum verify_depth depth,
		 struct err *err);

/* Documents and layers of an image: 0, or -EBADMSG with the first thing that is wrong, else -errno. */
int verify_image(const struct store *s, const struct store_image *image, enum verify_depth depth,
		 struct err *err);

#endif

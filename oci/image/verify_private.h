/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_IMAGE_VERIFY_PRIVATE_H
#define OCI_IMAGE_VERIFY_PRIVATE_H

#include "lib/err.h"
#include "oci/image/digest.h"
#include "oci/image/store.h"

/*
 * Reads the layer's stream again from split and root, compares its digest with the diffID, and the
 * attributes of every member with those of its file. -EBADMSG, -ENOENT with words.
 */
int verify_stream(int split, int root, const struct store_layer *layer, struct err *err);

/*
 * Digests of all names, attributes and link targets below root, and (ret_deep, may be NULL, of
 * DIGEST_SIZE) of all contents as well. For layers with `whole` set, when they are made and
 * verified.
 */
int verify_tree_sum(int root, char ret_quick[DIGEST_SIZE], char *ret_deep, struct err *err);

#endif

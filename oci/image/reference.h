/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images as people type them: [DOMAIN/]PATH[:TAG][@DIGEST]. They have one form inside:
 * "docker.io/library/pos" and "docker.io/pos" are "pos"; without tag and digest the tag is
 * "latest".
 */
#ifndef OCI_IMAGE_REFERENCE_H
#define OCI_IMAGE_REFERENCE_H

#include "lib/arena.h"
#include "lib/err.h"

struct reference {
	char *name;   /* "pos", "registry.example/a/b": without tag */
	char *tag;    /* NULL with a digest and no tag */
	char *digest; /* NULL: none */
	char *text; /* the whole in its one form: "pos:1.2"; with a digest as well "pos@sha256:..."
		     */
};

/* Judges and normalises. -EINVAL: "image name "X": what is wrong". At most 255 bytes of name, 128
 * of tag, and 240 of both as a file's name. */
int reference_parse(const char *text, struct arena *a, struct reference *ret, struct err *err);

/* The file name of a reference below refs/: '/', '%' and what else cannot stand in one as %XX. And
 * back; NULL when it is none. */
char *reference_to_file(const char *text, struct arena *a);
char *reference_from_file(const char *file, struct arena *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* How far a load is, on stderr: a bar per layer on a terminal, else a line as each layer is done;
 * JSON lines for programs. */
#ifndef CMD_TOTE_IMAGE_PROGRESS_H
#define CMD_TOTE_IMAGE_PROGRESS_H

#include "oci/image/digest.h"
#include "oci/image/load.h"

#include <stdint.h>

enum progress_form { PROGRESS_NONE, PROGRESS_PLAIN, PROGRESS_BARS, PROGRESS_JSON };

struct progress {
	enum progress_form form;
	int64_t began_ms;
	size_t lines; /* on the terminal, to be written over */
	size_t told_size;
	unsigned char *told; /* PROGRESS_PLAIN, PROGRESS_JSON: the state that was told of each
				layer, and one */
};

/* form: --progress, NULL for auto. */
int progress_init(struct progress *p, const char *form, struct err *err);
/* For load_opts.progress. */
void progress_show(void *arg, const struct load_progress *now);
void progress_done(struct progress *p);

#endif

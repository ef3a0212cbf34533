/* SPDX-License-Identifier: Apache-2.0 */
/* A load under way, for oci/image/load*.c. */
#ifndef OCI_IMAGE_LOAD_PRIVATE_H
#define OCI_IMAGE_LOAD_PRIVATE_H

#include "lib/strmap.h"
#include "oci/image/ingest.h"
#include "oci/image/load.h"
#include "oci/image/unpack.h"

#include <pthread.h>

/* A layer that is to be unpacked. */
struct job {
	const struct source_layer *source;
	size_t view;	   /* its struct load_layer */
	char *id, *staged; /* below layers/, and in the ingest directory */
	struct strv below; /* merged: directories of the layers below, highest first */
	bool merged, whole;
	bool whiteouts; /* the first of a merged one's two passes */ /* see struct extract_opts and
									struct stream_opts */
	bool replace; /* the one in the store is damaged */
	int target;   /* the directory or view that it is unpacked into, while that is open; -1 */
	bool started, done;
	struct unpack unpack;
	struct unpack_result result;
	struct store_layer layer;
	bool finished; /* layer is filled in */
};

/* What was found of a layer in the store, by its id. */
struct known_layer {
	const char *id;
	bool there, whole;
	struct store_layer layer; /* when it is whole */
};

struct load {
	const struct load_opts *opts;
	uint64_t room; /* bytes of contents that the disk has room for, less what must stay free */
	struct arena *a;
	struct err *err;
	struct ingest in;
	struct load_layer *views;
	size_t view_count;
	volatile uint64_t *counters; /* shared with the jobs, one a view */
	char ***chains;		     /* of each image the ids of its layers on top of each other */
	LIST(struct job) jobs;	     /* each diffID once; and chains that had to be merged */
	LIST(struct known_layer) known;
	struct strmap job_at, known_at; /* by id, counted from 1 */
};

/* load_jobs.c: runs jobs[first] to the last. */
int load_run_jobs(struct load *l, size_t first);
void load_kill_jobs(struct load *l);
/*
 * load_merged.c: the detached mount that a merged job unpacks into, or -errno. The working
 * directory is another meanwhile.
 */
int load_merged_view(struct load *l, const struct job *j);
/* Removes what the view needed beside the layer. */
int load_merged_end(struct load *l, const struct job *j);
/* load_writeback.c: dirty data goes to the disk from now on. Only time is lost where it cannot. */
struct load_writeback {
	pthread_t thread;
	int fd, stop;
	bool running;
};
void load_writeback_start(struct load_writeback *ret, const struct store *s);
void load_writeback_stop(struct load_writeback *w);
/* load_space.c: whether what is to be unpacked can fit. */
int load_check_space(struct load *l);
/* What a layer's contents may take, whatever it says of itself. */
uint64_t load_max_bytes(const struct load *l);

#endif

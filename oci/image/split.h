/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar stream apart: headers and padding on one side, compressed into the layer's file "split";
 * contents of files on the other, which lie in the file system anyway. Put together again, the
 * stream has the diffID that it had: for `save` that keeps diffIDs, and for `verify --deep`.
 *
 * The file is a zstd stream of records: a byte of kind, a length (u64, little endian), and for
 * SPLIT_BYTES so many bytes as they were; SPLIT_FILE stands for so many bytes that are the content
 * of the regular file that the header before it names. Content that no file has as it is (sparse
 * files, hard links with data, whiteouts, or all with `whole`) is SPLIT_BYTES. The frame has a
 * checksum and must be whole.
 */
#ifndef OCI_IMAGE_SPLIT_H
#define OCI_IMAGE_SPLIT_H

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct split_writer;

/* fd is borrowed. On the heap. With whole, no file is needed to put the stream together. */
struct split_writer *split_writer_new(int fd, bool whole);
/* The next bytes of the tar stream. Never judges them: what is no tar is noted byte by byte. -errno
 * of the write. */
int split_writer_add(struct split_writer *w, const void *data, size_t len, struct err *err);
/* Writes what is left. w is freed by split_writer_free() only. */
int split_writer_finish(struct split_writer *w, struct err *err);
void split_writer_free(struct split_writer *w);

/*
 * The stream again. fd: the split file; root_fd: the layer's fs/. Paths are read from the headers
 * themselves and opened below root_fd only (RESOLVE_IN_ROOT). split_reader_next() returns the next
 * bytes (valid until the next call), 0 at the end, or -errno with words: -ENOENT when a file is
 * missing, -EBADMSG when one is of another kind or size, or the split file is broken. Both
 * descriptors are borrowed; root_fd may be -1 when it was written whole.
 */
struct split_reader;
struct split_reader *split_reader_new(int fd, int root_fd);
ssize_t split_reader_next(struct split_reader *r, const void **ret, struct err *err);
void split_reader_free(struct split_reader *r);

/*
 * Whether each file that the split file stands for is there and as long as it was: 0, or -ENOENT,
 * -EBADMSG as above. No content is read.
 */
int split_check(int fd, int root_fd, struct err *err);

#endif

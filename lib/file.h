/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, read and written whole, below a directory descriptor (or AT_FDCWD). */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads a regular file (or a procfs, sysfs or cgroupfs one) of at most max bytes into the arena,
 * NUL-terminated. Never blocks on a fifo. Returns 0, or -errno with a message that names the file;
 * -EFBIG when larger than max.
 */
int file_read(int dirfd, const char *path, size_t max, struct arena *a, char **ret_data,
	      size_t *ret_len, struct err *err);

/* The same from an open descriptor, which is read to its end and stays open; name is for messages.
 */
int file_read_fd(int fd, const char *name, size_t max, struct arena *a, char **ret_data,
		 size_t *ret_len, struct err *err);

/*
 * Reads a short pseudo file (/proc, /sys, cgroup) into data, cuts a trailing newline and
 * NUL-terminates. What such a file hands out first is taken for all if it is less than half a page.
 * Returns the length or -errno; no message, as callers often only ask.
 */
ssize_t file_peek(int dirfd, const char *path, char *data, size_t size);

/* Opens an existing pseudo file for writing and writes s in one write(2). Returns 0 or -errno; no
 * message. */
int file_poke(int dirfd, const char *path, const char *s);

/*
 * Replaces dirfd/name by data in one step: written to ".name.tmp", then renamed. Readers see the
 * old or the new file, never a part. Nothing is synced: it is for state that a reboot ends anyway.
 */
int file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		 struct err *err);

/* The same, on disk when it returns: for what a reboot must not end. Written by way of
 * ".name.PID.tmp", which a killed writer leaves. */
int file_replace_durable(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			 struct err *err);

/*
 * Opens a directory that is ours alone: owned by the effective user and writable by no one else,
 * else -EACCES. With create it is made with that mode when it is missing, with its parents (0700).
 * what is for messages ("state directory"). Returns a descriptor or -errno.
 */
int file_private_dir(const char *path, bool create, mode_t mode, const char *what, struct err *err);

/* By the words of two paths alone: path is top, or below it. */
bool file_is_within(const char *path, const char *top);

/* "/dev" for "dev", "//dev/", "/./dev" and "/x/../dev": in the arena, by the words alone, so that no link
 * is looked at. */
char *file_clean_path(const char *path, struct arena *a);

/* The names in a directory, sorted, without those that start with a dot. 0 or -errno. */
int file_list(int dirfd, const char *path, struct arena *a, struct strv *ret_names,
	      struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, whole reads and writes, descriptors sent over sockets. All survive EINTR and short
 * transfers. */
#ifndef LIB_FD_H
#define LIB_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* openat(2), always close-on-exec: a descriptor or -1 with errno. */
int fd_open(int dirfd, const char *path, int flags);
/* The same file once more, wherever its name is now: also one open as O_PATH, and a FIFO's other end. Needs
 * /proc. */
int fd_open_again(int fd, int flags);
/* openat(2) for O_CREAT. */
int fd_create(int dirfd, const char *path, int flags, mode_t mode);
/* The same as the path is seen with root_fd as the root: links in it lead nowhere else (openat2(2), Linux
 * 5.6). */
int fd_open_in_root(int root_fd, const char *path, int flags);
/* connect(2) to a path; "/proc/self/fd/N/name" reaches one that is too long for an address. 0 or
 * -errno. */
int fd_connect(int sock, const char *path);
/* Reads until len bytes or the end; returns the bytes read or -errno. */
ssize_t fd_read_full(int fd, void *data, size_t len);
/* The same from an offset, by pread(2). */
ssize_t fd_pread_full(int fd, void *data, size_t len, uint64_t offset);
/* Writes all len bytes; returns 0 or -errno. */
int fd_write_full(int fd, const void *data, size_t len);
/* Sends one message; a peer that is gone is -EPIPE, never a signal. 0 or -errno. */
int fd_send_message(int sock, const void *data, size_t len);
/* Sends one message with one descriptor (SCM_RIGHTS) over a connected unix socket; returns 0 or
 * -errno. */
int fd_send(int sock, const void *data, size_t len, int fd);
/*
 * Receives one message of at most len bytes and at most one descriptor, close-on-exec. *ret_fd is
 * -1 when none came. Returns the bytes received (0: the peer has closed) or -errno.
 */
ssize_t fd_recv(int sock, void *data, size_t len, int *ret_fd);
/* Sets or clears close-on-exec; returns 0 or -errno. */
int fd_cloexec(int fd, bool on);
/* Closes all but the standard streams and those given, of which -1 are none: for a process that outlives
 * who called it, which may have left it anything (close_range(2), Linux 5.9). */
void fd_close_all_but(const int *keep, size_t count);
/* Waits until fd is readable (or at its end) for at most timeout_ms (-1: for ever): 1 readable, 0
 * time-out, -errno. */
int fd_wait_readable(int fd, int timeout_ms);

/* mkdirat(2) with that mode exactly, whatever the umask; where nobody else can put something in its
 * place. 0 or -1 with errno. */
int fd_make_dir(int dirfd, const char *path, mode_t mode);
/*
 * Makes the directories of a path that are missing, as it is seen with root_fd as the root
 * (openat2(2), Linux 5.6): links in it lead nowhere else. 0 or -1 with errno; ENOTDIR, EEXIST when
 * something else is in the way. Exactly that mode; no other thread may make files meanwhile.
 */
int fd_make_path_in_root(int root_fd, const char *path, mode_t mode);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error: a negative errno and a sentence for people. It lives on the caller's stack and owns
 * nothing, so there is nothing to free. Libraries fill it and return its code; only cmd/ prints it.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

struct err {
	int code;      /* negative errno, 0 while nothing failed */
	char msg[512]; /* one line, no trailing newline */
};

/* Formats a message and returns -code (code is a positive errno). The text of the errno is not
 * added. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Formats a message, appends ": " and the text of the current errno, returns -errno. */
int err_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Like err_errno() for a code at hand (positive or negative errno), for calls that return it
 * instead of setting errno. */
int err_code(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the message there is, returns the error's code. */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of an errno (positive or negative); never NULL, no locale involved. */
const char *err_text(int code);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How containerd calls the program: flags as Go's flag package takes them ("-id x", "--id=x"), one
 * action word; unknown flags are skipped. And what it writes to stdin of `start`: nothing, an Any
 * with options, or, from 2.3 on, BootstrapParams, which win over flags and environment.
 */
#ifndef SHIM_ARGS_H
#define SHIM_ARGS_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"

#include <stdbool.h>

#define ARGS_SOCKET_DIR "/run/containerd/s"
/* Longer ones are refused: with "/" and 64 digits behind it the address of a socket is full. */
#define ARGS_SOCKET_DIR_MAX 42
/* Bytes of a namespace and of an id: containerd's own limit. */
#define ARGS_NAME_MAX 76

struct shim_args {
	const char *namespace, *id,
		*bundle; /* absolute; of start the working directory; "" of delete: unknown */
	const char *grpc_address;  /* of containerd; "" when it was not told */
	const char *ttrpc_address; /* where events go; NULL: nowhere */
	const char *socket_dir;	   /* of the shims' sockets */
	const char *action;	   /* "start", "delete"; "" without */
	bool debug, info, version, help;
	bool new_reply;		 /* stdin was BootstrapParams: the answer may be BootstrapResult */
	const char *shim_cgroup; /* of the options: where the server goes; "" or NULL: stays */
};

/* Strings live in the arena or in argv and the environment. -EINVAL with words. Without `info`,
 * `version` and `help` there is an action, and namespace and id are valid names, but for "start"
 * perhaps not there yet. */
int args_parse(int argc, char **argv, struct arena *a, struct shim_args *ret, struct err *err);
/* Whether namespace and id are there and valid. */
int args_check(const struct shim_args *args, struct err *err);
/* Reads stdin (at most 10 MiB) and adds what it says; for "start". Then there are namespace and id.
 * -ETIMEDOUT when it is not closed within two seconds. */
int args_read_stdin(struct shim_args *args, struct arena *a, struct err *err);
/* The same for what was read. */
int args_take_stdin(struct shim_args *args, const void *data, size_t len, struct arena *a,
		    struct err *err);
/* Prints an error as containerd shows it: one line, whose end only a terminal needs. */
void args_complain(const struct err *err);
/* Appends what is on stdin; a terminal, and a stdin that is closed, say nothing. */
int args_slurp_stdin(struct buf *out, struct err *err);

#endif

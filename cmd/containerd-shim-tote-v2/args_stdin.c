/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/args.h"
#include "cmd/containerd-shim-tote-v2/options.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/deadline.h"
#include "lib/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STDIN_MAX ((size_t)10 << 20)
#define STDIN_MS 2000
/* containerd's log levels: trace is -8, debug -4, info 0. */
#define LEVEL_DEBUG (-4)

int args_slurp_stdin(struct buf *out, struct err *err)
{
	struct deadline end = deadline_in(STDIN_MS);

	if (isatty(STDIN_FILENO))
		return 0;
	for (;;) {
		ssize_t n = fd_wait_readable(STDIN_FILENO, deadline_left(&end, -1));

		if (n == 0)
			return err_set(err, ETIMEDOUT, "stdin is not closed");
		if (n > 0)
			n = read(STDIN_FILENO, buf_reserve(out, 4096), 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EBADF)
			return 0;
		if (n < 0)
			return err_errno(err, "read stdin");
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		if (out->len > STDIN_MAX)
			return err_set(err, EFBIG, "more than %zu bytes on stdin", STDIN_MAX);
	}
}

static void take_text(const char **to, const char *text, struct arena *a)
{
	if (text && *text)
		*to = arena_strdup(a, text);
}

/* Both kinds of message begin with a string, so that each can be read as the other: only what
 * repeats the flags is BootstrapParams. Flags that are missing, as they may be one day, repeat
 * anything that is a name. */
static bool is_params(const Shim__BootstrapParams *p, const struct shim_args *args)
{
	struct shim_args named = *args;
	struct err err;

	if (!p)
		return false;
	named.id = p->instance_id;
	named.namespace = p->namespace_;
	return args_check(&named, &err) == 0 && (!args->id || strcmp(args->id, named.id) == 0) &&
	       (!args->namespace || strcmp(args->namespace, named.namespace) == 0);
}

static int take_options(struct shim_args *args, const Shim__Any *any, struct arena *a,
			struct err *err)
{
	struct shim_options options;
	int r = options_decode(any, a, &options, err);

	if (r == 0)
		take_text(&args->shim_cgroup, options.shim_cgroup, a);
	return r;
}

static int take_params(struct shim_args *args, const Shim__BootstrapParams *p, struct arena *a,
		       struct err *err)
{
	const char *dir = p->socket_dir;
	int r = 0;

	args->new_reply = true;
	take_text(&args->id, p->instance_id, a);
	take_text(&args->namespace, p->namespace_, a);
	take_text(&args->grpc_address, p->containerd_grpc_address, a);
	take_text(&args->ttrpc_address, p->containerd_ttrpc_address, a);
	take_text(&args->socket_dir, dir, a);
	args->debug = args->debug || p->log_level <= LEVEL_DEBUG;
	if (*dir && (dir[0] != '/' || strlen(dir) > ARGS_SOCKET_DIR_MAX))
		return err_set(err, EINVAL,
			       "socket directory \"%.80s\": must be absolute and have at most %d "
			       "bytes",
			       dir, ARGS_SOCKET_DIR_MAX);
	for (size_t i = 0; i < p->n_extensions && r == 0; i++)
		r = take_options(args, p->extensions[i]->value, a, err);
	return r;
}

static int take_any(struct shim_args *args, const void *data, size_t len, struct arena *a,
		    struct err *err)
{
	const Shim__Any *any = wire_unpack(&shim__any__descriptor, data, len);

	if (!any)
		return err_set(err, EINVAL, "stdin holds neither options nor parameters");
	return take_options(args, any, a, err);
}

int args_take_stdin(struct shim_args *args, const void *data, size_t len, struct arena *a,
		    struct err *err)
{
	const Shim__BootstrapParams *p =
		len ? wire_unpack(&shim__bootstrap_params__descriptor, data, len) : NULL;
	int r = 0;

	if (is_params(p, args))
		r = take_params(args, p, a, err);
	else if (len)
		r = take_any(args, data, len, a, err);
	wire_reset();
	return r < 0 ? r : args_check(args, err);
}

int args_read_stdin(struct shim_args *args, struct arena *a, struct err *err)
{
	autobuf in = BUF_INIT;
	int r = args_slurp_stdin(&in, err);

	return r < 0 ? r : args_take_stdin(args, buf_str(&in), in.len, a, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/delete.h"

#include "cmd/containerd-shim-tote-v2/address.h"
#include "cmd/containerd-shim-tote-v2/jobs.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"
#include "oci/container.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A short text of the bundle, without the newline at its end; "" when it is not there. */
static const char *read_note(const struct shim_args *args, const char *name, struct arena *a)
{
	struct err err;
	size_t len;
	char *text;

	if (!*args->bundle || file_read(AT_FDCWD, arena_printf(a, "%s/%s", args->bundle, name),
					4096, a, &text, &len, &err) < 0)
		return "";
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Where the server kept the container. */
static const char *find_root(const struct shim_args *args, struct arena *a)
{
	const char *root = read_note(args, "runtime-root", a);

	return root[0] == '/' ? root : arena_printf(a, "/run/containerd/tote/%s", args->namespace);
}

/* The container's own word, else the bundle's. Both may have been removed, or never been complete:
 * then it is not known. */
static const char *find_group(const struct shim_args *args, const char *root_path, struct arena *a)
{
	autocontainer c = CONTAINER_INIT;
	const char *group = args->id;
	struct err err;
	autofd root = state_root_open(root_path, false, false, &err);

	if (root >= 0 && container_open(root, args->id, false, &c, &err) == 0) {
		group = address_group_of(&c.st.annotations);
		return group ? arena_strdup(a, group) : args->id;
	}
	if (*args->bundle && address_group(args->bundle, args->id, a, &group, &err) < 0)
		group = args->id;
	return group;
}

/* "STATUS SECONDS NANOS", as the server wrote it when init had ended. */
static bool read_exit(const char *text, uint32_t *ret_status, Shim__Timestamp *ret_at)
{
	uint64_t status, seconds, nanos;

	if (!number_scan(&text, &status) || !number_scan(&text, &seconds) ||
	    !number_scan(&text, &nanos) || *text || status > 255 || seconds > INT64_MAX ||
	    nanos > 999999999)
		return false;
	*ret_status = (uint32_t)status;
	ret_at->seconds = (int64_t)seconds;
	ret_at->nanos = (int32_t)nanos;
	return true;
}

static uint32_t read_pid(const char *text)
{
	uint64_t pid;

	return number_scan(&text, &pid) && !*text && pid <= INT32_MAX ? (uint32_t)pid : 0;
}

static int reply(const struct shim_args *args, struct arena *a, struct err *err)
{
	Shim__DeleteResponse response = SHIM__DELETE_RESPONSE__INIT;
	Shim__Timestamp at = SHIM__TIMESTAMP__INIT;
	autobuf out = BUF_INIT;
	struct timespec now;
	int r;

	response.pid = read_pid(read_note(args, "init.pid", a));
	response.exited_at = &at;
	if (!read_exit(read_note(args, "exit", a), &response.exit_status, &at)) {
		clock_gettime(CLOCK_REALTIME, &now);
		at.seconds = now.tv_sec;
		at.nanos = (int32_t)now.tv_nsec;
		response.exit_status = 128 + SIGKILL;
	}
	wire_pack(&response.base, &out);
	r = fd_write_full(STDOUT_FILENO, out.data, out.len);
	return r < 0 ? err_code(err, r, "write to stdout") : 0;
}

/*
 * With a server that lives, the other containers of the group are none of our business: a clean end
 * of one, too, comes here. Under the lock none begins meanwhile; when somebody holds it, one may be
 * about to.
 */
static int remove_group(const char *root, const char *group, const char *address, struct err *err)
{
	struct err ignored;
	autofd lock = -1;

	/* Locking would make the directory of sockets, also where there never was anything. */
	if (access(root, F_OK) < 0)
		return 0;
	lock = address_lock(address, &ignored);
	return lock < 0 || address_served(address) ? 0 : job_delete_group(root, group, err);
}

static int remove_all(const struct shim_args *args, const char *root, const char *group,
		      const char *address, struct err *err)
{
	struct job_container at = {
		.root = root,
		.namespace = args->namespace,
		.id = args->id,
		.bundle = *args->bundle ? args->bundle : NULL,
	};
	struct worker_result result = { .err = { 0 } };
	struct err others = { 0 };
	int r;

	job_delete(&at, &result);
	*err = result.err;
	r = remove_group(root, group, address, &others);
	if (r < 0)
		*err = others;
	return result.err.code < 0 ? result.err.code : r;
}

int delete_main(const struct shim_args *args)
{
	autoarena a = ARENA_INIT;
	const char *root = find_root(args, &a), *group = find_group(args, root, &a);
	const char *address = read_note(args, "address", &a);
	struct err err = { 0 };
	int r;

	if (!*address) {
		/* A guess: the group's server may have its socket elsewhere. */
		address = address_make(args, group, &a);
		group = args->id;
	}
	r = remove_all(args, root, group, address, &err);
	address_remove_stale(address);
	if (r == 0)
		r = reply(args, &a, &err);
	if (r < 0)
		args_complain(&err);
	return r < 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For test_order.c: streams, cgroups and files, which only count how many there are. */
#ifndef TESTS_SHIM_ORDER_THINGS_H
#define TESTS_SHIM_ORDER_THINGS_H

#include "tests/shim/order_kernel.h"

#define STREAMS_MAX 64
static struct io *ios[STREAMS_MAX];

static void drop_token(struct io_fds *fds)
{
	tokens -= fds->out_from == FD_TOKEN;
	*fds = (struct io_fds)IO_FDS_NONE;
}

int __wrap_io_begin(struct io *io, struct loop *loop, struct io_fds *fds,
		    void (*drained)(struct io *io));
int __wrap_io_begin(struct io *io, struct loop *loop, struct io_fds *fds,
		    void (*drained)(struct io *io))
{
	size_t at = 0;

	HOLDS(fds->out_from == FD_TOKEN, "streams from nowhere");
	drop_token(fds);
	*io = (struct io){ .loop = loop, .drained = drained };
	while (at < STREAMS_MAX && ios[at])
		at++;
	if (mishap(3) || at == STREAMS_MAX)
		return -ENOMEM;
	ios[at] = io;
	streams++;
	io->streams[IO_OUT].open = percent(70);
	if (!io->streams[IO_OUT].open)
		drained(io);
	return 0;
}

bool __wrap_io_drained(const struct io *io);
bool __wrap_io_drained(const struct io *io)
{
	return !io->streams[IO_OUT].open;
}

void __wrap_io_end(struct io *io);
void __wrap_io_end(struct io *io)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (ios[i] == io)
			ios[i] = NULL;
	streams--;
}

static void drain_one(void)
{
	struct io *io = ios[below(STREAMS_MAX)];

	if (!io || !io->streams[IO_OUT].open)
		return;
	io->streams[IO_OUT].open = false;
	io->drained(io);
}

void __wrap_io_exited(struct io *io);
void __wrap_io_exited(struct io *io)
{
	io->exited = true;
}

void __wrap_io_last_call(struct io *io);
void __wrap_io_last_call(struct io *io)
{
	HOLDS(io->loop, "last call for no streams");
}

void __wrap_address_unlink(int listener);
void __wrap_address_unlink(int listener)
{
	(void)listener;
}

void __wrap_io_close(struct io_fds *fds);
void __wrap_io_close(struct io_fds *fds)
{
	drop_token(fds);
}

int __wrap_cg_tree_find(struct cg_tree *ret_tree, struct err *err);
int __wrap_cg_tree_find(struct cg_tree *ret_tree, struct err *err)
{
	(void)err;
	ret_tree->fd = 0;
	return 0;
}

int __wrap_cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg,
		   struct err *err);
int __wrap_cg_open(const struct cg_tree *tree, const char *path, struct cg *ret_cg, struct err *err)
{
	(void)tree;
	if (mishap(5))
		return err_set(err, ENOENT, "no such group");
	groups++;
	ret_cg->fd = CG_TOKEN + path[1] - '0';
	return 0;
}

void __wrap_cg_done(struct cg *cg);
void __wrap_cg_done(struct cg *cg)
{
	groups -= cg->fd >= 0;
	cg->fd = -1;
}

int __wrap_cg_kill(const struct cg *cg, int timeout_ms, struct err *err);
int __wrap_cg_kill(const struct cg *cg, int timeout_ms, struct err *err)
{
	(void)err;
	HOLDS(!timeout_ms, "it waits");
	group_end(cg->fd - CG_TOKEN);
	return 0;
}

int __wrap_cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err);
int __wrap_cg_pids(const struct cg *cg, struct arena *a, struct cg_pids *ret_pids, struct err *err)
{
	(void)a;
	(void)err;
	HOLDS(cg->fd >= CG_TOKEN, "no group");
	*ret_pids = (struct cg_pids){ NULL, 0 };
	return 0;
}

int __wrap_oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg);
int __wrap_oom_add(struct oom *oom, struct oom_watch *watch, const struct cg *cg)
{
	(void)oom;
	watch->cg = cg;
	watches++;
	return 0;
}

void __wrap_oom_check(struct oom *oom, struct oom_watch *watch);
void __wrap_oom_check(struct oom *oom, struct oom_watch *watch)
{
	(void)oom;
	HOLDS(!watch->cg || watch->cg->fd >= CG_TOKEN, "it looks at a closed group");
}

void __wrap_oom_remove(struct oom *oom, struct oom_watch *watch);
void __wrap_oom_remove(struct oom *oom, struct oom_watch *watch)
{
	__wrap_oom_check(oom, watch);
	watches -= watch->cg != NULL;
}

int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct err *err);
int __wrap_file_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct err *err)
{
	(void)dirfd, (void)name, (void)data, (void)len, (void)mode, (void)err;
	return 0;
}

void __wrap_shim_log(const char *level, const char *fmt, ...);
void __wrap_shim_log(const char *level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

#endif

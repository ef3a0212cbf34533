/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the members of an archive by its headers, without reading their data. */
#include "oci/image/layout_private.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/tar_frame.h"
#include "oci/image/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* An image of 500 layers has some 1,500 members in the oldest form. */
#define MEMBERS_MAX 100000
#define NAME_MAX_LEN 4096
#define SCAN_MEMORY ((size_t)64 << 20)

/* What the worker says of a member; name and target follow. */
struct found {
	uint64_t offset, size;
	uint32_t name_len, target_len;
};

struct scan {
	int fd, out;
	uint64_t size;
};

static const char *plain(const char *name)
{
	while (name[0] == '/' || (name[0] == '.' && name[1] == '/'))
		name += name[0] == '/' ? 1 : 2;
	return name;
}

/* Where a link leads, as docker save wrote them: "../ID/layer.tar" beside "ID/layer.tar". */
static void link_target(const struct tar_frame *f, struct buf *ret)
{
	const char *name = plain(buf_str(&f->name)), *target = buf_str(&f->link),
		   *end = strrchr(name, '/');
	size_t len = end ? (size_t)(end - name) : 0;

	if (f->type == '1' || target[0] == '/') {
		buf_adds(ret, plain(target));
		return;
	}
	for (; strncmp(target, "../", 3) == 0; target += 3)
		while (len && name[--len] != '/')
			;
	buf_add(ret, name, len);
	if (len)
		buf_adds(ret, "/");
	buf_adds(ret, plain(target));
}

static int tell(struct scan *scan, const struct tar_frame *f, uint64_t offset)
{
	const char *name = plain(buf_str(&f->name));
	autobuf message = BUF_INIT, target = BUF_INIT;
	struct found found = { offset, f->size, (uint32_t)strlen(name), 0 };

	if (f->type == '1' || f->type == '2')
		link_target(f, &target);
	else if (f->type != '0' || f->sparse)
		return 0;
	if (!name[0] || found.name_len > NAME_MAX_LEN || target.len > NAME_MAX_LEN)
		return 0;
	/* tar writes a file that was named to it twice as a link to itself. */
	if (strcmp(buf_str(&target), name) == 0)
		return 0;
	found.target_len = (uint32_t)target.len;
	buf_add(&message, &found, sizeof(found));
	buf_add(&message, name, found.name_len);
	buf_add(&message, buf_str(&target), target.len);
	return fd_write_full(scan->out, message.data, message.len);
}

static int scan_archive(void *arg, struct err *err)
{
	struct scan *scan = arg;
	struct tar_frame f = TAR_FRAME_INIT;
	uint64_t offset = 0, members = 0;
	enum tar_event event = TAR_MORE;
	int r = 0;

	while (r == 0 && event != TAR_END) {
		char block[TAR_BLOCK];
		ssize_t n = fd_pread_full(scan->fd, block, sizeof(block), offset);

		if (n < 0)
			return err_code(err, (int)n, "read");
		if (n == 0 && offset)
			break; /* no end mark: some writers leave it out */
		if (n < TAR_BLOCK)
			return err_set(err, offset ? EBADMSG : EINVAL,
				       offset ? "truncated" : "no archive");
		offset += TAR_BLOCK;
		event = tar_frame_block(&f, block);
		if (event == TAR_BROKEN)
			return err_set(err, offset > TAR_BLOCK ? EBADMSG : EINVAL,
				       offset > TAR_BLOCK ? "broken: no member at byte %llu"
							  : "no archive of images",
				       (unsigned long long)offset - TAR_BLOCK);
		if (event != TAR_MEMBER)
			continue;
		if (f.size > scan->size - offset)
			return err_set(err, EBADMSG, "truncated in %.200s", buf_str(&f.name));
		if (++members > MEMBERS_MAX)
			return err_set(err, EFBIG, "more than %d members", MEMBERS_MAX);
		r = tell(scan, &f, offset);
		offset += (f.size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	}
	tar_frame_done(&f);
	return r < 0 ? err_code(err, r, "tell of a member") : 0;
}

/* The worker is believed only what is possible: it has read hostile bytes. 1: a member, 0: the end.
 */
static int receive(int in, uint64_t size, struct arena *a, struct layout_member *ret)
{
	struct found found;
	ssize_t n = fd_read_full(in, &found, sizeof(found));

	if (n <= 0)
		return (int)n;
	if (n != sizeof(found) || found.offset > size || found.size > size - found.offset ||
	    !found.name_len || found.name_len > NAME_MAX_LEN || found.target_len > NAME_MAX_LEN)
		return -EBADMSG;
	*ret = (struct layout_member){ arena_alloc(a, found.name_len + 1), NULL, found.offset,
				       found.size };
	n = fd_read_full(in, ret->name, found.name_len);
	if (n == found.name_len && found.target_len) {
		ret->target = arena_alloc(a, found.target_len + 1);
		n = fd_read_full(in, ret->target, found.target_len) == found.target_len ? n : -1;
	}
	return n == found.name_len ? 1 : -EBADMSG;
}

static int receive_all(int in, uint64_t size, struct arena *a, struct member_list *ret)
{
	size_t room = 0;
	int r;

	for (;;) {
		struct layout_member m;

		r = receive(in, size, a, &m);
		if (r <= 0)
			return r;
		if (ret->count == MEMBERS_MAX)
			return -EFBIG;
		if (ret->count == room) {
			struct layout_member *items =
				arena_calloc(a, room = room ? room * 2 : 64, sizeof(*items));

			if (ret->count)
				memcpy(items, ret->items, ret->count * sizeof(*items));
			ret->items = items;
		}
		ret->items[ret->count++] = m;
	}
}

int layout_scan(int fd, uint64_t size, struct arena *a, struct member_list *ret, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, "pipe");
	autofd in = ends[0], out = ends[1];
	struct scan scan = { fd, out, size };
	const int keep[] = { fd, out };
	const struct confine_opts confine = { -1, keep, ARRAY_SIZE(keep), SCAN_MEMORY, false };
	struct worker w = WORKER_INIT;
	int r = worker_start(&confine, scan_archive, &scan, &w, err), received;

	if (r < 0)
		return r;
	close(take_fd(&out));
	received = receive_all(in, size, a, ret);
	close(take_fd(&in));
	r = worker_wait(&w, err);
	if (r == 0 && received < 0)
		r = err_code(err, received, "read its members");
	return r;
}

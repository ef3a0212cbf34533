/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a tar stream, extracted without confinement into a directory of a tmpfs. Beside it
 * lies a canary: nothing of it, and nothing else outside, may change. The first byte chooses the
 * mode.
 */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/image/extract.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char work[] = "/tmp/fuzz_tar.XXXXXX";
static int work_fd = -1;
static struct stat canary, beside;

static void clean_up(void)
{
	umount2(work, MNT_DETACH);
	rmdir(work);
}

static void look(struct stat *ret_canary, struct stat *ret_beside)
{
	if (fstatat(work_fd, "canary", ret_canary, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstat(work_fd, ret_beside) < 0)
		abort();
}

static void prepare(void)
{
	autofd file = -1;

	if (!mkdtemp(work))
		abort();
	mount("fuzz", work, "tmpfs", 0, "size=64m");
	atexit(clean_up);
	work_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = fd_create(work_fd, "canary", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (file < 0 || fd_write_full(file, "canary", 6) < 0 || mkdirat(work_fd, "root", 0755) < 0)
		abort();
	look(&canary, &beside);
}

static void check(void)
{
	struct stat now, dir;

	look(&now, &dir);
	if (now.st_ino != canary.st_ino || now.st_nlink != 1 || now.st_size != 6 ||
	    now.st_mode != canary.st_mode || now.st_uid != canary.st_uid ||
	    memcmp(&now.st_mtim, &canary.st_mtim, sizeof(now.st_mtim)) != 0 ||
	    memcmp(&now.st_ctim, &canary.st_ctim, sizeof(now.st_ctim)) != 0 ||
	    dir.st_nlink != beside.st_nlink ||
	    memcmp(&dir.st_mtim, &beside.st_mtim, sizeof(dir.st_mtim)) != 0)
		abort();
}

struct source {
	const uint8_t *data;
	size_t size;
};

static ssize_t pull(void *arg, const void **ret, struct err *err)
{
	struct source *s = arg;
	size_t n = s->size < 1000 ? s->size : 1000;

	(void)err;
	*ret = s->data;
	s->data += n;
	s->size -= n;
	return (ssize_t)n;
}

/* Empties the root by the extractor itself, which thereby is tested as well. */
static void empty(int root)
{
	struct extract_opts opts = { .root_fd = root, .merged = true, .whiteouts_only = true };
	static char tar[1536] = ".wh..wh..opq";
	struct source s = { (const uint8_t *)tar, sizeof(tar) };
	struct extract_result result;
	struct err err;
	struct extract *x;
	unsigned sum = 8 * ' ';

	strcpy(tar + 257, "ustar");
	memset(tar + 148, '\0', 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	for (int i = 5; i >= 0; i--, sum /= 8)
		tar[148 + i] = (char)('0' + sum % 8);
	if (extract_new(&opts, &x, &err) < 0 || extract_archive(x, pull, &s, &err) < 0 ||
	    extract_finish(x, &result, &err) < 0)
		abort();
	extract_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct extract_opts opts = { .keep_ids = geteuid() == 0,
				     .max_entries = 2000,
				     .max_bytes = 1 << 20 };
	struct extract_result result;
	struct source s = { data + 1, size - 1 };
	struct extract *x;
	struct err err;
	autofd root = -1;

	if (size < 1)
		return 0;
	if (work_fd < 0)
		prepare();
	root = fd_open(work_fd, "root", O_RDONLY | O_DIRECTORY);
	opts.root_fd = root;
	opts.merged = data[0] & 1;
	opts.whiteouts_only = (data[0] & 3) == 3;
	opts.user_xattr = data[0] & 4;
	if (root < 0 || extract_new(&opts, &x, &err) < 0)
		abort();
	if (extract_archive(x, pull, &s, &err) == 0)
		extract_finish(x, &result, &err);
	extract_free(x);
	check();
	empty(root);
	return 0;
}

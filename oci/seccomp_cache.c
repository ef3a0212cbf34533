/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/seccomp_cache.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "oci/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC "toteBPF1"
#define NAME_SIZE sizeof("0123456789abcdef.bpf")

/* A cache file: this, the program, the canonical form. The program comes first for its alignment.
 */
struct header {
	char magic[8];
	uint64_t sum; /* FNV-1a of what follows the header: against a crash amid writing, not
			 against people */
	uint32_t bpf_len, form_len;
};

/* FNV-1a with 64 bits (www.isthe.com/chongo/tech/comp/fnv). */
#define COMPILE_TIMEOUT_MS 10000

static uint64_t fnv(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

static void cache_name(const struct buf *form, char ret_name[static NAME_SIZE])
{
	snprintf(ret_name, NAME_SIZE, "%016" PRIx64 ".bpf", fnv(form->data, form->len));
}

static bool ours_alone(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_uid == geteuid() &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static bool bpf_len_ok(size_t len)
{
	return len > 0 && len % sizeof(struct sock_filter) == 0 &&
	       len <= BPF_MAXINSNS * sizeof(struct sock_filter);
}

/* True when data, a whole cache file, is intact and of this form. */
static bool matches(const char *data, size_t len, const struct buf *form)
{
	struct header h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, data, sizeof(h));
	if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || !bpf_len_ok(h.bpf_len) ||
	    h.form_len != form->len)
		return false;
	if (len != sizeof(h) + h.bpf_len + form->len)
		return false;
	return memcmp(data + sizeof(h) + h.bpf_len, form->data, form->len) == 0 &&
	       h.sum == fnv(data + sizeof(h), len - sizeof(h));
}

/* The file was sized before it is read and never grows: a writer replaces it. */
static bool read_cached(int dirfd, const struct buf *form, struct arena *a, const void **ret_bpf,
			size_t *ret_len)
{
	size_t max = sizeof(struct header) + BPF_MAXINSNS * sizeof(struct sock_filter) + form->len;
	char name[NAME_SIZE], *data;
	autofd fd = -1;
	struct stat st;
	size_t len;

	cache_name(form, name);
	fd = fd_open(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !ours_alone(&st) || st.st_size <= 0 ||
	    (size_t)st.st_size > max)
		return false;
	len = (size_t)st.st_size;
	data = arena_alloc(a, len);
	if (fd_read_full(fd, data, len) != (ssize_t)len || !matches(data, len, form))
		return false;
	*ret_bpf = data + sizeof(struct header);
	*ret_len = len - sizeof(struct header) - form->len;
	return true;
}

/* Best effort: without it the next start compiles again. */
static void write_cached(int dirfd, const struct buf *form, const struct buf *bpf)
{
	struct header h = { .magic = MAGIC,
			    .bpf_len = (uint32_t)bpf->len,
			    .form_len = (uint32_t)form->len };
	autobuf file = BUF_INIT;
	char name[NAME_SIZE];
	struct err ignored;

	buf_add(&file, &h, sizeof(h));
	buf_add(&file, bpf->data, bpf->len);
	buf_add(&file, form->data, form->len);
	h.sum = fnv(file.data + sizeof(h), file.len - sizeof(h));
	memcpy(file.data, &h, sizeof(h));
	cache_name(form, name);
	file_replace(dirfd, name, file.data, file.len, 0600, &ignored);
}

int seccomp_compile_elsewhere(const struct spec_seccomp *seccomp, const char *config,
			      struct buf *ret_bpf, struct err *err)
{
	char path[PATH_MAX], name[] = "tote-seccomp", verb[] = "compile";
	char *argv[] = { name, verb, NULL };
	int r = proc_sibling(name, path, sizeof(path));

	(void)seccomp;
	if (r < 0)
		return err_code(err, r, "find %s", name);
	r = proc_run(path, argv, NULL, config, COMPILE_TIMEOUT_MS, ret_bpf, err);
	if (r == 127)
		return err_set(err, ENOENT, "linux.seccomp: %s, which compiles it, is missing",
			       path);
	return r > 0 ? err_prefix(err, "linux.seccomp") : r;
}

static bool is_builtin(const struct spec_seccomp *seccomp, const struct buf *form)
{
	return seccomp->builtin || (form->len == seccomp_builtin_canonical_len &&
				    memcmp(form->data, seccomp_builtin_canonical, form->len) == 0);
}

int seccomp_find(int cache_dirfd, const struct spec_seccomp *seccomp, seccomp_compiler *compile,
		 const char *config, struct arena *a, const void **ret_bpf, size_t *ret_len,
		 struct err *err)
{
	autobuf form = BUF_INIT, bpf = BUF_INIT;
	/* First: a wrong profile has no canonical form of its own, and must not pass as the right
	 * one next to it. */
	int r = seccomp_check(seccomp, err);

	if (r < 0)
		return r;
	if (!seccomp->builtin)
		seccomp_canonical(seccomp, &form);
	if (is_builtin(seccomp, &form)) {
		*ret_bpf = seccomp_builtin_bpf;
		*ret_len = seccomp_builtin_bpf_len;
		return 0;
	}
	if (cache_dirfd >= 0 && read_cached(cache_dirfd, &form, a, ret_bpf, ret_len))
		return 0;
	r = compile(seccomp, config, &bpf, err);
	if (r < 0)
		return r;
	if (cache_dirfd >= 0)
		write_cached(cache_dirfd, &form, &bpf);
	*ret_bpf = arena_memdup(a, bpf.data, bpf.len);
	*ret_len = bpf.len;
	return 0;
}

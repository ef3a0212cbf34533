/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/split.h"

#include "lib/buf.h"
#include "lib/cleanup.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static uint32_t seed;

static uint32_t below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static ssize_t to_buf(struct archive *a, void *to, const void *data, size_t len)
{
	(void)a;
	buf_add(to, data, len);
	return (ssize_t)len;
}

static struct archive *writer_of(int format, struct buf *to)
{
	struct archive *a = archive_write_new();

	switch (format) {
	case 0:
		archive_write_set_format_pax(a);
		break;
	case 1:
		archive_write_set_format_gnutar(a);
		break;
	case 2:
		archive_write_set_format_ustar(a);
		break;
	default:
		archive_write_set_format_pax_restricted(a);
	}
	archive_write_set_bytes_in_last_block(a, below(2) ? 1 : 10240);
	assert_int_equal(archive_write_open(a, to, NULL, to_buf, NULL), ARCHIVE_OK);
	return a;
}

/* A name of its own for each member, up to hundreds of bytes. */
static const char *random_name(int i, char *ret, size_t size)
{
	static const char *const starts[] = { "", "./", "d/", "./d/e/", "/", "link/" };
	size_t len = below(4) ? below(20) : below(240);
	size_t at = (size_t)snprintf(ret, size, "%s%d-", starts[below(6)], i);

	memset(ret + at, 'a' + (int)below(26), len);
	if (len > 120)
		ret[at + len / 2] = '/';
	snprintf(ret + at + len, size - at - len, "%s", below(9) ? "" : "\xc3\xa9");
	return ret;
}

static void fill(struct buf *b, size_t len)
{
	buf_reset(b);
	while (b->len < len) {
		uint32_t word = below(1 << 24);

		buf_add(b, &word, 1 + below(4));
	}
	b->len = len;
}

static void random_kind(struct archive_entry *e, struct buf *data, const char *earlier)
{
	fill(data, 0);
	switch (below(12)) {
	case 0:
		archive_entry_set_filetype(e, AE_IFLNK);
		archive_entry_set_symlink(e, "../somewhere");
		return;
	case 1:
		archive_entry_set_filetype(e, AE_IFCHR);
		archive_entry_set_rdev(e, makedev(1, 3));
		return;
	case 2:
		archive_entry_set_filetype(e, AE_IFDIR);
		return;
	case 3:
		archive_entry_set_filetype(e, AE_IFIFO);
		return;
	case 4:
		if (*earlier)
			archive_entry_set_hardlink(e, earlier);
		return;
	case 5:
		fill(data, 200000);
		memset(data->data + 4096, 0, 180000);
		archive_entry_set_size(e, (la_int64_t)data->len);
		archive_entry_sparse_add_entry(e, 0, 4096);
		archive_entry_sparse_add_entry(e, 184096, 200000 - 184096);
		break;
	case 6: /* empty */
		break;
	case 7:
		fill(data, 512 * below(5));
		break;
	case 8:
		fill(data, 100000 + below(300000));
		break;
	default:
		fill(data, below(3000));
	}
	archive_entry_set_size(e, (la_int64_t)data->len);
	if (!below(5))
		archive_entry_xattr_add_entry(e, "user.test", "a\0b\n", 4);
}

static void random_archive(struct buf *to)
{
	struct archive *a = writer_of((int)below(4), to);
	autobuf data = BUF_INIT;
	char name[512], earlier[512] = "";
	int members = 1 + (int)below(40);

	for (int i = 0; i < members; i++) {
		struct archive_entry *e = archive_entry_new();

		archive_entry_set_pathname(e, random_name(i, name, sizeof(name)));
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0644);
		archive_entry_set_mtime(e, below(1 << 30), below(2) ? 5 : 0);
		random_kind(e, &data, earlier);
		/* ustar cannot say everything */
		if (archive_write_header(a, e) >= ARCHIVE_WARN && data.len)
			archive_write_data(a, data.data, data.len);
		if (archive_entry_filetype(e) == AE_IFREG && !archive_entry_hardlink(e))
			snprintf(earlier, sizeof(earlier), "%s", name);
		archive_entry_free(e);
	}
	archive_write_close(a);
	archive_write_free(a);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int temporary(char *path)
{
	strcpy(path, "/tmp/tote-split-XXXXXX");
	assert_non_null(mkdtemp(path));
	/* a layer's own symlink on the way to files */
	assert_int_equal(mkdir(strcat(path, "/d"), 0700), 0);
	path[strlen(path) - 2] = '\0';
	return open(path, O_DIRECTORY | O_CLOEXEC);
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories on the way; the last part is returned. */
static int parent_of(int root, const char *name, const char **ret_leaf)
{
	int at = dup(root);

	for (;;) {
		char part[512];
		size_t len = strcspn(name, "/");
		int next;

		if (!name[len]) {
			*ret_leaf = name;
			return at;
		}
		snprintf(part, sizeof(part), "%.*s", (int)len, name);
		name += len + 1;
		if (!len)
			continue;
		mkdirat(at, part, 0700);
		next = openat(at, part, O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
}

/* Only what the reader wants to see: files, links, and symlinks of no use. */
static void extract(const struct buf *tar, int root)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;

	archive_read_support_format_tar(a);
	if (archive_read_open_memory(a, tar->data, tar->len) != ARCHIVE_OK)
		goto out;
	while (archive_read_next_header(a, &e) >= ARCHIVE_WARN) {
		const char *leaf, *name = archive_entry_pathname(e);
		const void *data;
		size_t len;
		la_int64_t offset;
		autofd fd = -1;
		autofd at = -1;

		if (!name || archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
			continue;
		at = parent_of(root, name, &leaf);
		fd = openat(at, leaf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		while (fd >= 0 && archive_read_data_block(a, &data, &len, &offset) == ARCHIVE_OK)
			assert_int_equal(pwrite(fd, data, len, offset), len);
		if (fd >= 0 && archive_entry_size(e) < 10000000)
			assert_int_equal(ftruncate(fd, archive_entry_size(e)), 0);
	}
out:
	archive_read_free(a);
}

/* In pieces of any size. */
static int split_of(const struct buf *tar, bool whole)
{
	int fd = memfd_create("split", MFD_CLOEXEC);
	struct split_writer *w = split_writer_new(fd, whole);
	uint32_t most = 1 + below(below(2) ? 700 : 300000);
	struct err err;

	for (size_t at = 0; at < tar->len;) {
		size_t n = 1 + below(most);

		n = n < tar->len - at ? n : tar->len - at;
		assert_int_equal(split_writer_add(w, tar->data + at, n, &err), 0);
		at += n;
	}
	assert_int_equal(split_writer_finish(w, &err), 0);
	split_writer_free(w);
	return fd;
}

static int read_back(int fd, int root, struct buf *ret, struct err *err)
{
	struct split_reader *r;
	const void *data;
	ssize_t n;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	r = split_reader_new(fd, root);
	while ((n = split_reader_next(r, &data, err)) > 0)
		buf_add(ret, data, (size_t)n);
	if (n < 0) {
		assert_int_equal(err->code, n);
		assert_null(strchr(err->msg, '\n'));
	}
	split_reader_free(r);
	return (int)n;
}

static void assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->data, b->data, a->len);
}

/* true: files were enough; false: the reader knew that they were not. Never other bytes. */
static bool round_trip(const struct buf *tar, bool whole)
{
	char path[64];
	autofd root = temporary(path);
	autofd fd = split_of(tar, whole);
	autobuf got = BUF_INIT;
	struct err err = { 0 };
	int r;

	if (!whole)
		extract(tar, root);
	r = read_back(fd, root, &got, &err);
	remove_tree(path);
	if (r == 0)
		assert_same(&got, tar);
	return r == 0;
}

static void random_archives_come_back(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		autobuf tar = BUF_INIT;

		seed = i;
		random_archive(&tar);
		assert_true(round_trip(&tar, i % 8 == 7));
	}
}

static void what_is_no_tar_comes_back(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		autobuf data = BUF_INIT;

		seed = i;
		fill(&data, i < 2 ? i : below(200000));
		assert_true(round_trip(&data, i % 2));
	}
}

static void what_is_hurt_comes_back_or_is_told(void **state)
{
	int back = 0;

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		autobuf tar = BUF_INIT;

		seed = i + 1000;
		random_archive(&tar);
		if (i % 3 == 0)
			tar.len = below((uint32_t)tar.len);
		for (uint32_t n = i % 4; n; n--)
			tar.data[below((uint32_t)tar.len + 1)] ^= (char)(1 << below(8));
		assert_true(round_trip(&tar, true));
		back += round_trip(&tar, false);
	}
	assert_true(back > 75);
}

/* One member, by hand. */
static void add_member(struct buf *tar, const char *name, char type, const void *data, size_t len)
{
	unsigned char h[512] = "";
	unsigned int sum = 0;

	snprintf((char *)h, 100, "%s", name);
	snprintf((char *)h + 124, 12, "%011o", (unsigned int)len);
	h[156] = (unsigned char)type;
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	buf_add(tar, h, sizeof(h));
	buf_add(tar, data, len);
	/* nobody says that padding is zeros */
	memset(buf_reserve(tar, -len % 512), 'P', -len % 512);
	tar->len += -len % 512;
}

static void put_file(int root, const char *name, const char *text)
{
	autofd fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void contents_are_not_stored_twice(void **state)
{
	autobuf tar = BUF_INIT, data = BUF_INIT;
	struct stat st;

	(void)state;
	fill(&data, 3000000);
	add_member(&tar, "./big", '0', data.data, data.len);
	add_member(&tar, "/other", '7', data.data, data.len);
	add_member(&tar, "third", '\0', data.data, data.len);
	for (int whole = 0; whole < 2; whole++) {
		autofd fd = split_of(&tar, whole);

		assert_int_equal(fstat(fd, &st), 0);
		if (whole)
			assert_true(st.st_size > 2000000);
		else
			assert_true(st.st_size < 1000);
	}
	assert_true(round_trip(&tar, false));
}

/* The extractor makes no files of these, so their data must be there. */
static void what_is_no_file_of_its_name_is_stored(void **state)
{
	static const struct {
		const char *name;
		char type;
	} members[] = {
		{ "a/.wh.gone", '0' }, { ".wh..wh..opq", '0' },
		{ "dir/", '0' },       { "x", 'Z' },
		{ "d/..", '0' },       { ".", '0' },
		{ "/", '0' },	       { "", '0' },
	};
	autobuf tar = BUF_INIT, got = BUF_INIT;
	struct err err = { 0 };
	autofd fd = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		add_member(&tar, members[i].name, members[i].type, "12345", 5);
	fd = split_of(&tar, false);
	if (read_back(fd, -1, &got, &err) < 0)
		fail_msg("%s", err.msg);
	assert_same(&got, &tar);
}

static void assert_told(int fd, int root, int code, const char *words)
{
	autobuf got = BUF_INIT;
	struct err err = { 0 };

	assert_int_equal(read_back(fd, root, &got, &err), -code);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, words);
}

static void files_that_changed_are_told(void **state)
{
	char path[64];
	autofd root = temporary(path);
	autobuf tar = BUF_INIT, got = BUF_INIT;
	struct err err;
	autofd fd = -1;

	(void)state;
	add_member(&tar, "d/file\n", '0', "12345", 5);
	fd = split_of(&tar, false);
	assert_told(fd, root, ENOENT, "\"d/file?\" of the layer is missing");
	put_file(root, "d/file\n", "1234");
	assert_told(fd, root, EBADMSG, "has 4 bytes and had 5");
	put_file(root, "d/file\n", "12345");
	assert_int_equal(read_back(fd, root, &got, &err), 0);
	assert_same(&got, &tar);
	assert_int_equal(unlinkat(root, "d/file\n", 0), 0);
	put_file(root, "other", "12345");
	assert_int_equal(symlinkat("../other", root, "d/file\n"), 0);
	assert_told(fd, root, EBADMSG, "no regular file");
	assert_int_equal(unlinkat(root, "d/file\n", 0), 0);
	assert_int_equal(mkfifoat(root, "d/file\n", 0600), 0);
	assert_told(fd, root, EBADMSG, "no regular file");
	remove_tree(path);
}

/* Symlinks and ".." on the way end at the root. */
static void nothing_outside_is_read(void **state)
{
	char path[64], outside[64];
	autofd root = temporary(path);
	autofd other = temporary(outside);
	autobuf tar = BUF_INIT;
	char name[128];
	autofd fd = -1;

	(void)state;
	put_file(other, "secret", "12345");
	assert_int_equal(symlinkat(outside, root, "link"), 0);
	add_member(&tar, "link/secret", '0', "12345", 5);
	fd = split_of(&tar, false);
	assert_told(fd, root, ENOENT, "missing");
	close(take_fd(&fd));
	buf_reset(&tar);
	snprintf(name, sizeof(name), "../..%s/secret", outside);
	add_member(&tar, name, '0', "12345", 5);
	fd = split_of(&tar, false);
	assert_told(fd, root, ENOENT, "missing");
	remove_tree(path);
	remove_tree(outside);
}

static void a_broken_split_file_is_told(void **state)
{
	autobuf tar = BUF_INIT, split = BUF_INIT, data = BUF_INIT;
	autofd fd = -1;
	struct stat st;

	(void)state;
	seed = 1;
	fill(&data, 3000);
	add_member(&tar, ".wh.x", '0', data.data, data.len);
	fd = split_of(&tar, false);
	assert_int_equal(fstat(fd, &st), 0);
	buf_reserve(&split, (size_t)st.st_size);
	split.len = (size_t)st.st_size;
	assert_int_equal(pread(fd, split.data, split.len, 0), split.len);
	for (size_t i = 0; i < split.len; i++) {
		autofd cut = memfd_create("cut", MFD_CLOEXEC);

		assert_int_equal(write(cut, split.data, i), i);
		assert_told(cut, -1, EBADMSG, "split file");
	}
	for (size_t i = 0; i < split.len; i++) {
		autofd flipped = memfd_create("flipped", MFD_CLOEXEC);
		autobuf got = BUF_INIT;
		struct err err;

		split.data[i] ^= 8;
		assert_int_equal(write(flipped, split.data, split.len), split.len);
		split.data[i] ^= 8;
		/* some bits of a frame's header say nothing about its content */
		if (read_back(flipped, -1, &got, &err) == 0)
			assert_same(&got, &tar);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_archives_come_back),
		cmocka_unit_test(what_is_no_tar_comes_back),
		cmocka_unit_test(what_is_hurt_comes_back_or_is_told),
		cmocka_unit_test(contents_are_not_stored_twice),
		cmocka_unit_test(what_is_no_file_of_its_name_is_stored),
		cmocka_unit_test(files_that_changed_are_told),
		cmocka_unit_test(nothing_outside_is_read),
		cmocka_unit_test(a_broken_split_file_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that taking in a layer costs: unpack_floor BLOB DIR does one thing after the other, in
 * memory where it can, and prints each in seconds: "decode hash write sync". BLOB is a gzip or
 * plain tar of ustar members without extensions, DIR an empty directory. What overlaps best on two
 * processors is max(decode, write, (decode + hash + write) / 2) + sync.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef TOTE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

#define BLOCK 512

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint8_t *read_blob(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *data;
	size_t done = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	data = malloc((size_t)st.st_size);
	while (data && done < (size_t)st.st_size) {
		ssize_t n = read(fd, data + done, (size_t)st.st_size - done);

		if (n <= 0)
			die(path);
		done += (size_t)n;
	}
	close(fd);
	*ret_len = done;
	return data;
}

static void hash(const void *data, size_t len)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL))
		die("sha256");
}

#ifdef TOTE_ISAL
static void inflate_all(uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	static struct inflate_state s;
	struct isal_gzip_header head;

	isal_inflate_init(&s);
	isal_gzip_header_init(&head);
	s.next_in = in;
	s.avail_in = (uint32_t)in_len;
	if (isal_read_gzip_header(&s, &head) != ISAL_DECOMP_OK)
		die("gzip");
	s.next_out = out;
	s.avail_out = (uint32_t)out_len;
	s.crc_flag = ISAL_GZIP_NO_HDR_VER;
	if (isal_inflate(&s) != ISAL_DECOMP_OK)
		die("inflate");
}
#else
static void inflate_all(uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	z_stream z = {
		.next_in = in, .avail_in = (uInt)in_len, .next_out = out, .avail_out = (uInt)out_len
	};

	if (inflateInit2(&z, 31) != Z_OK || inflate(&z, Z_FINISH) != Z_STREAM_END)
		die("inflate");
}
#endif

/* RFC 1952: the size is at the end. */
static uint8_t *decode(uint8_t *blob, size_t *len)
{
	uint8_t *end = blob + *len - 4, *out;
	size_t size;

	if (blob[0] != 0x1f || blob[1] != 0x8b)
		return blob;
	size = (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
	out = malloc(size);
	if (!out)
		die("malloc");
	/* Touched before: fresh pages are not what is measured. */
	memset(out, 1, size);
	inflate_all(blob, *len, out, size);
	*len = size;
	return out;
}

static void write_member(int dir, const char *h, const uint8_t *data, size_t size)
{
	mode_t mode = (mode_t)strtoul(h + 100, NULL, 8);
	const struct timespec times[2] = { { strtol(h + 136, NULL, 8), 0 },
					   { strtol(h + 136, NULL, 8), 0 } };
	char name[257], target[101];
	int fd;

	snprintf(name, sizeof(name), "%.155s%s%.100s", h + 345, h[345] ? "/" : "", h);
	snprintf(target, sizeof(target), "%.100s", h + 157);
	if (h[156] == '5') {
		if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
			die(name);
	} else if (h[156] == '2') {
		if (symlinkat(target, dir, name) < 0)
			die(name);
	} else if (h[156] == '1') {
		if (linkat(dir, target, dir, name, 0) < 0)
			die(name);
	} else {
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);
		if (fd < 0)
			die(name);
		while (size) {
			ssize_t n = write(fd, data, size);

			if (n < 0)
				die(name);
			data += n;
			size -= (size_t)n;
		}
		futimens(fd, times);
		close(fd);
	}
}

static void write_all(int dir, const uint8_t *tar, size_t len)
{
	for (size_t at = 0; at + BLOCK <= len && tar[at];) {
		const char *h = (const char *)tar + at;
		size_t size = h[156] == '0' || !h[156] ? strtoul(h + 124, NULL, 8) : 0;

		write_member(dir, h, tar + at + BLOCK, size);
		at += BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK;
	}
}

int main(int argc, char **argv)
{
	double times[5];
	uint8_t *blob, *tar;
	size_t len;
	int dir;

	if (argc != 3)
		return 2;
	umask(0);
	dir = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		die(argv[2]);
	blob = read_blob(argv[1], &len);
	times[0] = seconds();
	hash(blob, len);
	tar = decode(blob, &len);
	times[1] = seconds();
	hash(tar, len);
	times[2] = seconds();
	write_all(dir, tar, len);
	times[3] = seconds();
	if (syncfs(dir) < 0)
		die("syncfs");
	times[4] = seconds();
	for (int i = 0; i < 4; i++)
		printf("%.4f%c", times[i + 1] - times[i], i == 3 ? '\n' : ' ');
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/import.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/json.h"
#include "oci/image/hash.h"
#include "oci/image/layout_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CHUNK ((size_t)256 << 10)
#define MEMBER "layer.tar"

static int open_archive(const struct import_opts *o, struct layout *l, struct err *err)
{
	struct stat st;

	l->fd = strcmp(o->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					  : fd_open(AT_FDCWD, o->path, O_RDONLY | O_NOCTTY);
	if (l->fd < 0 || fstat(l->fd, &st) < 0)
		return err_errno(err, "cannot be opened");
	if (S_ISDIR(st.st_mode))
		return err_set(err, EISDIR, "it is a directory, not a tar archive");
	return layout_spool(&l->fd, o->spool, o->max_bytes, err);
}

/* Size and digest of what will be the layer. */
static int measure(const struct import_opts *o, int fd, uint64_t *ret_size, char ret[DIGEST_SIZE],
		   struct err *err)
{
	autofree char *chunk = malloc(CHUNK);
	struct hash *hash = hash_new("sha256");
	uint64_t size = 0;
	ssize_t n = chunk ? 0 : -ENOMEM;
	int r = 0;

	while (chunk && r == 0 && (n = fd_pread_full(fd, chunk, CHUNK, size)) > 0) {
		hash_add(hash, chunk, (size_t)n);
		size += (uint64_t)n;
		if (size > o->max_bytes)
			r = err_set(err, EFBIG, "larger than %llu bytes",
				    (unsigned long long)o->max_bytes);
	}
	hash_finish(hash, ret);
	*ret_size = size;
	if (n < 0)
		return err_code(err, (int)n, "read it");
	return r == 0 && !size ? err_set(err, EINVAL, "it is empty") : r;
}

static void write_process(const struct image_process *p, struct json_writer *w)
{
	json_key(w, "config");
	json_begin_object(w);
	if (p->user)
		json_pair_string(w, "User", p->user);
	if (p->env.count)
		json_pair_strv(w, "Env", &p->env);
	if (p->entrypoint.count)
		json_pair_strv(w, "Entrypoint", &p->entrypoint);
	if (p->cmd.count)
		json_pair_strv(w, "Cmd", &p->cmd);
	if (p->working_dir)
		json_pair_string(w, "WorkingDir", p->working_dir);
	json_end_object(w);
}

static void write_rootfs(char *diff_id, struct json_writer *w)
{
	const struct strv ids = { &diff_id, 1 };

	json_key(w, "rootfs");
	json_begin_object(w);
	json_pair_string(w, "type", "layers");
	json_pair_strv(w, "diff_ids", &ids);
	json_end_object(w);
}

static void write_history(const struct import_opts *o, struct json_writer *w)
{
	json_key(w, "history");
	json_begin_array(w);
	json_begin_object(w);
	json_pair_string(w, "created", o->created);
	json_pair_string(w, "created_by", "tote import");
	json_end_object(w);
	json_end_array(w);
}

/* image-spec config.md. */
static void write_config(const struct import_opts *o, char *diff_id, struct buf *out)
{
	const struct platform *p = &o->platform;
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "created", o->created);
	json_pair_string(&w, "architecture", p->architecture);
	if (p->variant && p->variant[0])
		json_pair_string(&w, "variant", p->variant);
	json_pair_string(&w, "os", p->os);
	write_process(&o->process, &w);
	write_rootfs(diff_id, &w);
	write_history(o, &w);
	json_end_object(&w);
	json_writer_done(&w);
}

static int make_image(const struct import_opts *o, char *diff_id, uint64_t size, struct arena *a,
		      struct source_image *image, struct err *err)
{
	autobuf config = BUF_INIT;
	char digest[DIGEST_SIZE];

	write_config(o, diff_id, &config);
	hash_bytes(config.data, config.len, digest);
	image->config = arena_memdup(a, config.data, config.len + 1);
	image->config_len = config.len;
	image->config_digest = arena_strdup(a, digest);
	image->layers.items = arena_calloc(a, 1, sizeof(*image->layers.items));
	image->layers.count = 1;
	image->layers.items[0] =
		(struct source_layer){ diff_id, NULL, NULL, size, arena_strdup(a, MEMBER) };
	image->names.items = arena_calloc(a, 2, sizeof(char *));
	image->names.items[0] = o->name;
	image->names.count = 1;
	return image_config_parse(image->config, image->config_len, a, &image->image, err);
}

int import_open(const struct import_opts *opts, struct arena *a, struct layout *ret_layout,
		struct source_images *ret, struct err *err)
{
	struct layout *l = ret_layout;
	char diff_id[DIGEST_SIZE];
	uint64_t size = 0;
	int r;

	*l = (struct layout)LAYOUT_INIT;
	r = open_archive(opts, l, err);
	if (r == 0)
		r = measure(opts, l->fd, &size, diff_id, err);
	if (r < 0)
		return err_prefix(err, "%s", strcmp(opts->path, "-") == 0 ? "stdin" : opts->path);
	l->members.items = arena_calloc(&l->arena, 1, sizeof(*l->members.items));
	l->members.count = 1;
	l->members.items[0] =
		(struct layout_member){ arena_strdup(&l->arena, MEMBER), NULL, 0, size };
	ret->items = arena_calloc(a, 1, sizeof(*ret->items));
	ret->count = 1;
	return make_image(opts, arena_strdup(a, diff_id), size, a, ret->items, err);
}

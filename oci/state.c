/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/state.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/json_file.h"
#include "lib/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAP_MS 10

#define FIELD(key, reader, member)                                                                 \
	{                                                                                          \
		key, reader, offsetof(struct state, member), 0, NULL                               \
	}

/* pid identity is flattened, as its boot id is an array. */
struct state_file {
	struct state st;
	int32_t pid;
	uint64_t start_time;
	char *boot_id;
};

static const struct json_field fields[] = {
	FIELD("ociVersion", json_string, oci_version),
	FIELD("id", json_string, id),
	FIELD("bundle", json_string, bundle),
	FIELD("rootfs", json_string, rootfs),
	FIELD("created", json_string, created),
	FIELD("owner", json_string, owner),
	FIELD("annotations", json_map, annotations),
	FIELD("made", json_bool, made),
	FIELD("cgroupPath", json_string, cgroup_path),
	FIELD("cgroupLevels", json_u32, cgroup_levels),
	FIELD("unit", json_string, unit),
	FIELD("userBus", json_bool, user_bus),
	FIELD("privatePids", json_bool, private_pids),
	FIELD("netDevices", json_strv, net_devices),
	FIELD("network", json_string, network),
	FIELD("names", json_string, names),
	FIELD("clos", json_string, clos),
	FIELD("checkBeforeUpdate", json_bool, check_memory),
	FIELD("restarts", json_u32, restarts),
	FIELD("store", json_string, store),
	FIELD("storeContainer", json_string, store_container),
	FIELD("storeKeep", json_bool, store_keep),
	{ "pid", json_i32, offsetof(struct state_file, pid), 0, NULL },
	{ "startTime", json_u64, offsetof(struct state_file, start_time), 0, NULL },
	{ "bootId", json_string, offsetof(struct state_file, boot_id), 0, NULL },
};
static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct state_file),
					 NULL };

const char *status_name(enum status status)
{
	static const char *const names[] = { "creating", "created", "running", "paused",
					     "stopped" };

	return names[status];
}

int state_check_id(const char *id, struct err *err)
{
	size_t len = strlen(id);

	if (len == 0 || len > NAME_MAX)
		return err_set(err, EINVAL, "invalid container ID: it must have 1 to %d characters",
			       NAME_MAX);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr(i ? "_+.-" : "_+-", id[i]))
			return err_set(err, EINVAL,
				       "invalid container ID \"%s\": only letters, digits and _ + "
				       "- . are allowed, no . first",
				       id);
	return 0;
}

int state_root_open(const char *path, bool create, bool sticky, struct err *err)
{
	/* Sticky, so that clean-up tools leave an ordinary user's runtime directory alone (XDG base
	 * directories). */
	return file_private_dir(path, create, sticky ? 01700 : 0700, "state directory", err);
}

/* A lock waited for may be that of a directory deleted since: then the name means another one, or
 * none. */
static bool still_there(int root_fd, const char *id, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(root_fd, id, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* wait_ms -1: as long as it takes. 0, -EWOULDBLOCK when the time is over, or what flock(2) says. */
static int lock(int fd, int wait_ms)
{
	const struct timespec nap = { .tv_nsec = LOCK_NAP_MS * 1000000L };

	while (flock(fd, LOCK_EX | (wait_ms < 0 ? 0 : LOCK_NB)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK || wait_ms <= 0)
			return -errno;
		nanosleep(&nap, NULL);
		wait_ms = wait_ms > LOCK_NAP_MS ? wait_ms - LOCK_NAP_MS : 0;
	}
	return 0;
}

int state_claim(int root_fd, const char *id, struct err *err)
{
	autofd fd = -1;
	int r;

	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(err, EEXIST, "container with given ID already exists: %s",
				       id);
		return err_errno(err, "make state directory of %s", id);
	}
	fd = fd_open(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	r = fd < 0 ? -errno : lock(fd, -1);
	if (r < 0) {
		unlinkat(root_fd, id, AT_REMOVEDIR);
		return err_code(err, r, "lock state directory of %s", id);
	}
	/* A "delete --force" before the lock: the name may be another's claim by now, which no undo
	 * of ours may touch. */
	if (!still_there(root_fd, id, fd))
		return err_set(err, EBUSY, "container %s was deleted while it was being made", id);
	return take_fd(&fd);
}

int state_open(int root_fd, const char *id, int lock_ms, struct err *err)
{
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	for (;;) {
		autofd fd = fd_open(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

		if (fd < 0 && errno == ENOENT)
			return err_set(err, ENOENT, "container \"%s\": container does not exist",
				       id);
		if (fd < 0)
			return err_errno(err, "open state directory of %s", id);
		if (!lock_ms)
			return take_fd(&fd);
		r = lock(fd, lock_ms);
		if (r == -EWOULDBLOCK)
			return err_set(err, EBUSY, "container %s: another command is at work on it",
				       id);
		if (r < 0)
			return err_code(err, r, "lock %s", id);
		if (still_there(root_fd, id, fd))
			return take_fd(&fd);
	}
}

static int load(int dir_fd, const char *path, struct arena *a, struct state *ret_state,
		struct err *err)
{
	struct state_file f = { 0 };
	int r = json_decode_file(dir_fd, path, JSON_MAX_SIZE, &table, a, &f, err);

	if (r < 0)
		return r;
	f.st.init.pid = f.pid;
	f.st.init.start_time = f.start_time;
	if (f.boot_id)
		snprintf(f.st.init.boot_id, sizeof(f.st.init.boot_id), "%s", f.boot_id);
	*ret_state = f.st;
	return 0;
}

int state_load(int dir_fd, struct arena *a, struct state *ret_state, struct err *err)
{
	return load(dir_fd, STATE_FILE, a, ret_state, err);
}

int state_load_copy(int dir_fd, struct arena *a, struct state *ret_state, struct err *err)
{
	return load(dir_fd, STATE_COPY, a, ret_state, err);
}

int state_peek(int root_fd, const char *id, struct arena *a, struct state *ret_state,
	       struct err *err)
{
	char path[NAME_MAX + sizeof("/" STATE_FILE)];
	int r = state_check_id(id, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/" STATE_FILE, id);
	r = root_fd < 0 ? -ENOENT : load(root_fd, path, a, ret_state, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "container \"%s\": container does not exist", id);
	return r < 0 ? err_prefix(err, "container \"%s\"", id) : 0;
}

static void write_annotations(const struct state *st, struct json_writer *w)
{
	if (!st->annotations.count)
		return;
	json_key(w, "annotations");
	json_begin_object(w);
	for_each (kv, &st->annotations)
		json_pair_string(w, kv->key, kv->value);
	json_end_object(w);
}

static void pair_if(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_pair_string(w, key, value);
}

int state_save(int dir_fd, const struct state *st, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r;

	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	pair_if(&w, "ociVersion", st->oci_version);
	pair_if(&w, "id", st->id);
	pair_if(&w, "bundle", st->bundle);
	pair_if(&w, "rootfs", st->rootfs);
	pair_if(&w, "created", st->created);
	pair_if(&w, "owner", st->owner);
	write_annotations(st, &w);
	json_pair_bool(&w, "made", st->made);
	json_pair_i64(&w, "pid", st->init.pid);
	json_pair_u64(&w, "startTime", st->init.start_time);
	json_pair_string(&w, "bootId", st->init.boot_id);
	pair_if(&w, "cgroupPath", st->cgroup_path);
	json_pair_u64(&w, "cgroupLevels", st->cgroup_levels);
	if (st->unit) {
		json_pair_string(&w, "unit", st->unit);
		json_pair_bool(&w, "userBus", st->user_bus);
	}
	json_pair_bool(&w, "privatePids", st->private_pids);
	if (st->net_devices.count)
		json_pair_strv(&w, "netDevices", &st->net_devices);
	pair_if(&w, "network", st->network);
	pair_if(&w, "names", st->names);
	pair_if(&w, "clos", st->clos);
	if (st->check_memory)
		json_pair_bool(&w, "checkBeforeUpdate", true);
	if (st->restarts)
		json_pair_u64(&w, "restarts", st->restarts);
	if (st->store && st->store_container) {
		json_pair_string(&w, "store", st->store);
		json_pair_string(&w, "storeContainer", st->store_container);
		json_pair_bool(&w, "storeKeep", st->store_keep);
	}
	json_end_object(&w);
	json_writer_done(&w);
	r = !st->cgroup_path && st->init.pid
		    ? file_replace(dir_fd, STATE_COPY, text.data, text.len, 0600, err)
		    : 0;
	return r < 0 ? r : file_replace(dir_fd, STATE_FILE, text.data, text.len, 0600, err);
}

int state_remove(int root_fd, const char *id, struct err *err)
{
	int r = tree_remove(root_fd, id);

	return r < 0 ? err_code(err, r, "remove the state of %s", id) : 0;
}

int state_list(int root_fd, struct arena *a, struct strv *ret_ids, struct err *err)
{
	return file_list(root_fd, ".", a, ret_ids, err);
}

void state_write_oci(const struct state *st, enum status status, pid_t pid, struct json_writer *w)
{
	json_begin_object(w);
	json_pair_string(w, "ociVersion", st->oci_version ? st->oci_version : "1.0.0");
	json_pair_string(w, "id", st->id);
	json_pair_i64(w, "pid", status == STATUS_STOPPED ? 0 : pid);
	json_pair_string(w, "status", status_name(status));
	json_pair_string(w, "bundle", st->bundle);
	json_pair_string(w, "rootfs", st->rootfs ? st->rootfs : "");
	pair_if(w, "created", st->created);
	write_annotations(st, w);
	json_pair_string(w, "owner", st->owner ? st->owner : "");
	json_end_object(w);
}

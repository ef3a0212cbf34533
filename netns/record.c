/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/record.h"

#include "lib/cleanup.h"
#include "lib/deadline.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/tree.h"
#include "netns/ns.h"
#include "netns/record_private.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_LIMIT_MS 100000
/* Of the results that are stored; it has everything. */
#define STORED_VERSION "1.1.0"

int record_dir_open(const char *path, struct err *err)
{
	return file_private_dir(path, true, 0700, "directory of networks", err);
}

static void container_path(const char *container, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, ATTACHMENTS "/%s", container);
}

/* An interface may be called ".eth0", but such files are hidden, and temporary ones are called so. ":"
 * is in no interface's name. */
static void file_name(const char *ifname, char ret_name[IFNAMSIZ])
{
	snprintf(ret_name, IFNAMSIZ, "%s", ifname);
	if (ret_name[0] == '.')
		ret_name[0] = ':';
}

bool record_id_ok(const char *container)
{
	size_t len = strlen(container);

	if (!len || len > NAME_MAX || container[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)container[i]) && !strchr("_+.-", container[i]))
			return false;
	return true;
}

/* -ENOENT only when somebody removed the upper one in between. */
static int make_container(int run_fd, const char *path)
{
	if (mkdirat(run_fd, path, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT || (mkdirat(run_fd, ATTACHMENTS, 0700) < 0 && errno != EEXIST))
		return -errno;
	return mkdirat(run_fd, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_container(int run_fd, const char *container, bool make, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (!record_id_ok(container))
		return err_set(err, EINVAL, "no name of a container");
	container_path(container, path);
	fd = fd_open(run_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT && make) {
		int r = make_container(run_fd, path);

		if (r < 0)
			return err_code(err, r, "make the directory of the attachments of %s",
					container);
		fd = fd_open(run_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	}
	return fd < 0 ? err_errno(err, "open the attachments of %s", container) : fd;
}

static int wait_for_lock(int fd, const char *container, bool wait, struct err *err)
{
	struct deadline_pauses pauses = deadline_pauses_in(LOCK_LIMIT_MS);
	struct timespec pause;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, "lock the attachments of %s", container);
		if (!wait)
			return err_set(err, EAGAIN, "another process works on the network of %s",
				       container);
		if (!deadline_pause(&pauses, &pause))
			return err_set(err, ETIMEDOUT,
				       "another process works on the network of %s for %d seconds "
				       "already",
				       container, LOCK_LIMIT_MS / 1000);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int lock_container(int run_fd, const char *container, bool wait, struct err *err)
{
	struct stat st;

	/* Who held it before may have removed the directory, and then it guards nothing. */
	for (int tries = 0; tries < 1000; tries++) {
		autofd fd = open_container(run_fd, container, true, err);
		int r = fd < 0 && fd != -ENOENT ? fd : 0;

		if (fd >= 0)
			r = wait_for_lock(fd, container, wait, err);
		if (r < 0)
			return r;
		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink)
			return take_fd(&fd);
	}
	return err_set(err, EBUSY, "the attachments of %s come and go too quickly", container);
}

int record_lock(int run_fd, const char *container, struct err *err)
{
	return lock_container(run_fd, container, true, err);
}

int record_try_lock(int run_fd, const char *container, struct err *err)
{
	return lock_container(run_fd, container, false, err);
}

void record_unlock(int run_fd, const char *container, int lock_fd)
{
	char path[PATH_MAX];

	if (lock_fd < 0)
		return;
	container_path(container, path);
	(void)!unlinkat(run_fd, path, AT_REMOVEDIR);
	flock(lock_fd, LOCK_UN);
	close(lock_fd);
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
	if (text)
		json_pair_string(w, key, text);
}

/* What a plugin was told of its turn is not part of its configuration. */
static void put_plugin(struct json_writer *w, const struct json_value *plugin)
{
	json_begin_object(w);
	for (const struct json_value *v = plugin->first; v; v = v->next) {
		if (strcmp(v->key, "prevResult") == 0 || strcmp(v->key, "cniVersion") == 0 ||
		    strcmp(v->key, "cniVersions") == 0 || strcmp(v->key, "name") == 0)
			continue;
		json_key(w, v->key);
		json_put_value(w, v);
	}
	json_end_object(w);
}

static void put_network(struct json_writer *w, const struct cni_network *network)
{
	json_key(w, "network");
	json_begin_object(w);
	json_pair_string(w, "cniVersion", network->version);
	json_pair_string(w, "name", network->name);
	if (network->disable_check)
		json_pair_bool(w, "disableCheck", true);
	if (network->disable_gc)
		json_pair_bool(w, "disableGC", true);
	json_key(w, "plugins");
	json_begin_array(w);
	for (const struct json_value *v = network->plugins->first; v; v = v->next)
		put_plugin(w, v);
	json_end_array(w);
	json_end_object(w);
}

static void put_record(const struct record *r, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	json_begin_object(&w);
	json_pair_string(&w, "container", r->container);
	json_pair_string(&w, "ifname", r->ifname);
	put_text(&w, "netns", r->netns_path);
	put_text(&w, "netnsId", r->netns_id);
	put_text(&w, "owner", r->owner);
	put_text(&w, "args", r->args);
	put_text(&w, "hostname", r->hostname);
	json_pair_bool(&w, "gathered", r->gathered);
	json_pair_bool(&w, "done", r->done);
	put_network(&w, &r->network);
	if (r->runtime) {
		json_key(&w, "runtimeConfig");
		json_put_value(&w, r->runtime);
	}
	json_key(&w, "result");
	cni_result_write(&r->result, STORED_VERSION, &w);
	json_end_object(&w);
	json_writer_done(&w);
	buf_adds(out, "\n");
}

int record_save(int run_fd, const struct record *r, struct err *err)
{
	autofd dirfd = open_container(run_fd, r->container, true, err);
	autobuf text = BUF_INIT;
	char name[IFNAMSIZ];

	if (dirfd < 0)
		return dirfd;
	put_record(r, &text);
	file_name(r->ifname, name);
	return file_replace(dirfd, name, text.data, text.len, 0600, err);
}

struct stored {
	struct record record;
	const struct json_value *network, *result;
};

static const struct json_field fields[] = {
	{ "container", json_string, offsetof(struct stored, record.container), JSON_REQUIRED },
	{ "ifname", json_string, offsetof(struct stored, record.ifname), JSON_REQUIRED },
	{ "netns", json_string, offsetof(struct stored, record.netns_path) },
	{ "netnsId", json_string, offsetof(struct stored, record.netns_id) },
	{ "owner", json_string, offsetof(struct stored, record.owner) },
	{ "args", json_string, offsetof(struct stored, record.args) },
	{ "hostname", json_string, offsetof(struct stored, record.hostname) },
	{ "gathered", json_bool, offsetof(struct stored, record.gathered) },
	{ "done", json_bool, offsetof(struct stored, record.done) },
	{ "network", json_value_raw, offsetof(struct stored, network), JSON_REQUIRED },
	{ "runtimeConfig", json_value_raw, offsetof(struct stored, record.runtime) },
	{ "result", json_value_raw, offsetof(struct stored, result), JSON_REQUIRED },
};

static const struct json_table table = { fields, ARRAY_SIZE(fields), sizeof(struct stored) };

static int read_record(const char *text, size_t len, struct arena *a, struct record *ret,
		       struct err *err)
{
	struct stored stored = { .network = NULL };
	struct json_value *v;
	int r = json_parse(text, len, a, &v, err);

	if (r == 0)
		r = json_decode(v, &table, a, &stored, err);
	if (r == 0)
		r = cni_network_from_value(stored.network, a, &stored.record.network, err);
	if (r == 0)
		r = cni_result_parse(stored.result, STORED_VERSION, a, &stored.record.result, err);
	if (r == 0)
		*ret = stored.record;
	return r;
}

/* Whoever writes there is root, but a file that was copied must not speak of another container. */
static bool is_of(const struct record *r, const char *container, const char *ifname)
{
	return strcmp(r->container, container) == 0 && strcmp(r->ifname, ifname) == 0;
}

int record_load(int run_fd, const char *container, const char *ifname, struct arena *a,
		struct record *ret, struct err *err)
{
	char path[PATH_MAX], name[IFNAMSIZ], *text;
	struct record record;
	size_t len;
	int r;

	if (!record_id_ok(container) || !link_name_ok(ifname))
		return err_set(err, EINVAL, "no name of a container or of an interface");
	file_name(ifname, name);
	snprintf(path, sizeof(path), ATTACHMENTS "/%s/%s", container, name);
	r = file_read(run_fd, path, JSON_MAX_SIZE, a, &text, &len, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT, "nothing is known of %s of container %s", ifname,
			       container);
	if (r < 0)
		return r;
	r = read_record(text, len, a, &record, err);
	if (r == 0 && !is_of(&record, container, ifname))
		r = err_set(err, EBADMSG, "it is of another attachment");
	if (r < 0) {
		err_prefix(err, "%s", path);
		return err->code = -EBADMSG;
	}
	*ret = record;
	return 0;
}

int record_remove(int run_fd, const char *container, const char *ifname, struct err *err)
{
	char path[PATH_MAX], name[IFNAMSIZ];
	int r = 0;

	if (!record_id_ok(container) || !link_name_ok(ifname))
		return err_set(err, EINVAL, "no name of a container or of an interface");
	file_name(ifname, name);
	snprintf(path, sizeof(path), ATTACHMENTS "/%s/%s", container, name);
	if (unlinkat(run_fd, path, 0) < 0 && errno != ENOENT)
		r = err_errno(err, "remove %s", path);
	/* A killed writer's. */
	snprintf(path, sizeof(path), ATTACHMENTS "/%s/.%s.tmp", container, name);
	(void)!unlinkat(run_fd, path, 0);
	return r;
}

/* 1 when there is none; half written ones are hidden. */
static int has_no_record(int run_fd, const char *path, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv names;
	int r = file_list(run_fd, path, &a, &names, err);

	return r < 0 ? r : !names.count;
}

static int prune_one(int run_fd, const char *container, struct err *err)
{
	char path[PATH_MAX];
	int r, lock;

	container_path(container, path);
	r = has_no_record(run_fd, path, err);
	if (r <= 0)
		return r == -ENOENT ? 0 : r;
	lock = record_lock(run_fd, container, err);
	if (lock < 0)
		return lock;
	r = has_no_record(run_fd, path, err);
	if (r > 0) {
		r = tree_remove(run_fd, path);
		if (r < 0)
			err_code(err, r, "remove %s", path);
	}
	record_unlock(run_fd, container, lock);
	return r == -ENOENT ? 0 : r;
}

int record_prune(int run_fd, const char *container, struct err *err)
{
	autoarena a = ARENA_INIT;
	struct strv containers;
	int r;

	if (container)
		return prune_one(run_fd, container, err);
	r = file_list(run_fd, ATTACHMENTS, &a, &containers, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for_each (name, &containers)
		if (r == 0 && record_id_ok(*name))
			r = prune_one(run_fd, *name, err);
	return r;
}

static bool path_is_gone(const char *path)
{
	return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

bool record_alive(const struct record *r)
{
	char id[NS_ID_SIZE];
	struct err unused;
	autofd fd = -1;

	if (r->owner && path_is_gone(r->owner))
		return false;
	/* An owner may be kept after its processes: then it has no use for an address. */
	if (!r->netns_path)
		return true;
	fd = ns_open(r->netns_path, &unused);
	/* -EINVAL: what was mounted there is not any more. */
	if (fd < 0)
		return fd != -ENOENT && fd != -EINVAL;
	return !r->netns_id || ns_id(fd, id, &unused) < 0 || strcmp(id, r->netns_id) == 0;
}

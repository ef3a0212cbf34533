/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/idmap.h"

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "oci/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_ARGS 1024 /* three a mapping; the kernel takes 340 mappings */
#define HELPER_TIMEOUT_MS 10000

static bool privileged(int cap)
{
	return caps_effective() >> cap & 1;
}

static bool only_own(const struct spec_id_mappings *maps, uint32_t own)
{
	return maps->count == 0 ||
	       (maps->count == 1 && maps->items[0].host_id == own && maps->items[0].size == 1);
}

bool idmap_denies_setgroups(const struct spec_id_mappings *gids)
{
	return !privileged(CAP_SETGID) && only_own(gids, getegid());
}

bool idmap_setgroups_denied(const char *pid)
{
	char path[64], value[8];

	snprintf(path, sizeof(path), "/proc/%s/setgroups", pid);
	return file_peek(AT_FDCWD, path, value, sizeof(value)) > 0 && value[0] == 'd';
}

static void map_text(const struct spec_id_mappings *maps, uint32_t own, char sep, struct buf *out)
{
	if (!maps->count)
		buf_addf(out, "0 %u 1\n", own);
	for_each (m, maps)
		buf_addf(out, "%u %u %u%c", m->container_id, m->host_id, m->size, sep);
}

static int write_file(pid_t pid, const char *file, const struct spec_id_mappings *maps,
		      uint32_t own, struct err *err)
{
	autobuf text = BUF_INIT;
	char path[64];
	int r;

	map_text(maps, own, '\n', &text);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	r = file_poke(AT_FDCWD, path, buf_str(&text));
	return r < 0 ? err_code(err, r, "write %s of the user namespace", file) : 0;
}

/* newuidmap(1) and newgidmap(1) check the mappings against /etc/subuid and /etc/subgid. */
static int run_helper(const char *program, pid_t pid, const struct spec_id_mappings *maps,
		      struct err *err)
{
	autobuf words = BUF_INIT;
	char path[64], *argv[MAP_ARGS], *save = NULL;
	size_t n = 1;
	int r;

	buf_addf(&words, "%d ", pid);
	map_text(maps, 0, ' ', &words);
	snprintf(path, sizeof(path), "/usr/bin/%s", program);
	argv[0] = path;
	for (char *w = strtok_r(words.data, " ", &save); w && n < MAP_ARGS - 1;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	r = proc_run(path, argv, NULL, NULL, HELPER_TIMEOUT_MS, NULL, err);
	if (r == 127)
		return err_set(err, ENOENT,
			       "%s is needed for these id mappings (Debian package uidmap)",
			       program);
	return r < 0 ? r : r > 0 ? err_prefix(err, "map ids") : 0;
}

int idmap_write(pid_t pid, const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		struct err *err)
{
	char path[64];
	int r;

	if (privileged(CAP_SETUID) || only_own(uids, geteuid()))
		r = write_file(pid, "uid_map", uids, geteuid(), err);
	else
		r = run_helper("newuidmap", pid, uids, err);
	if (r < 0)
		return r;
	if (idmap_denies_setgroups(gids)) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		r = file_poke(AT_FDCWD, path, "deny");
		if (r < 0)
			return err_code(err, r, "deny setgroups in the user namespace");
	}
	if (privileged(CAP_SETGID) || only_own(gids, getegid()))
		return write_file(pid, "gid_map", gids, getegid(), err);
	return run_helper("newgidmap", pid, gids, err);
}

/* Lives until it is killed, and no longer than its parent; keeps no descriptor, least of all a
 * lock. */
_Noreturn static void hold_namespace(pid_t parent)
{
	close_range(0, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	for (;;)
		pause();
}

int idmap_namespace(const struct spec_id_mappings *uids, const struct spec_id_mappings *gids,
		    struct err *err)
{
	char path[64];
	int fd = -1, r;
	pid_t parent = getpid(),
	      pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid < 0)
		return err_errno(err, "make a user namespace for an id-mapped mount");
	if (pid == 0)
		hold_namespace(parent);
	r = idmap_write(pid, uids, gids, err);
	if (r == 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = fd_open(AT_FDCWD, path, O_RDONLY);
		r = fd < 0 ? err_errno(err, "open %s", path) : fd;
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

static bool is_mapped(const struct spec_id_mappings *list, uid_t id)
{
	for_each (m, list)
		if (id >= m->host_id && id - m->host_id < m->size)
			return true;
	return false;
}

/* The host's id of 0, or -1: none. */
static uint32_t root_of(const struct spec_id_mappings *list)
{
	for_each (m, list)
		if (m->container_id == 0)
			return m->host_id;
	return (uint32_t)-1;
}

void idmap_lend_pipes(const struct spec_linux *l)
{
	uint32_t uid = root_of(&l->uid_mappings), gid = root_of(&l->gid_mappings);

	if (uid == (uint32_t)-1 || !privileged(CAP_CHOWN))
		return;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat st;

		/* Failing, the program can still use what it was given. */
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
		    !is_mapped(&l->uid_mappings, st.st_uid))
			(void)!fchown(fd, uid, gid);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What create and exec hand to their caller: terminals and pidfds over sockets, pids in files, HOME. */
#include "oci/container.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define PASSWD_MAX ((size_t)1 << 20)

int send_fd_to_socket(const char *path, const char *name, int fd, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	autofd dir = -1, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (sock < 0)
		return err_errno(err, "make a socket");
	if (strlen(path) < sizeof(addr.sun_path)) {
		strcpy(addr.sun_path, path);
	} else {
		/* Longer than an address may be: by a descriptor. */
		dir = open(path, O_PATH | O_CLOEXEC);
		if (dir < 0)
			return err_errno(err, "open socket %s", path);
		snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", dir);
	}
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_errno(err, "connect to %s", path);
	r = fd_send(sock, name, strlen(name), fd);
	return r < 0 ? err_code(err, r, "send a descriptor to %s", path) : 0;
}

int write_pid_file(const char *path, pid_t pid, struct err *err)
{
	const char *slash = strrchr(path, '/');
	autofree char *dir_path = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	autofd dir = dir_path ? open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	char text[16];
	int r;

	if (dir < 0)
		return err_errno(err, "open the directory of pid file %s", path);
	snprintf(text, sizeof(text), "%d", pid);
	r = file_replace(dir, slash ? slash + 1 : path, text, strlen(text), 0644, err);
	return r < 0 ? err_prefix(err, "pid file %s", path) : 0;
}

/* An image's file: below its root whatever links it holds, regular, of bounded size, never blocking. */
static int read_in_root(int root_fd, const char *path, struct arena *a, char **ret_text)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	autofd fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	struct err ignored;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	return file_read_fd(fd, path, PASSWD_MAX, a, ret_text, NULL, &ignored);
}

/* Field n (from 0) of a line of passwd(5), or NULL. Cuts the line. */
static char *field(char *line, int n)
{
	for (; n > 0 && line; n--) {
		line = strchr(line, ':');
		line = line ? line + 1 : NULL;
	}
	if (line)
		line[strcspn(line, ":")] = '\0';
	return line;
}

static char *find_home(char *passwd, uint32_t uid, struct arena *a)
{
	char *save = NULL;

	for (char *line = strtok_r(passwd, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *copy = arena_strdup(a, line), *number = field(copy, 2), *end, *home;

		if (!number || !*number || strtoul(number, &end, 10) != uid || *end)
			continue;
		home = field(line, 5);
		return home && home[0] ? home : NULL;
	}
	return NULL;
}

void process_add_home(struct spec_process *p, int root_fd, struct arena *a)
{
	char **env, *passwd, *home = NULL;

	for (size_t i = 0; i < p->env.count; i++)
		if (strncmp(p->env.items[i], "HOME=", 5) == 0)
			return;
	if (root_fd >= 0 && read_in_root(root_fd, "etc/passwd", a, &passwd) == 0)
		home = find_home(passwd, p->user.uid, a);
	env = arena_calloc(a, p->env.count + 2, sizeof(*env));
	if (p->env.count)
		memcpy(env, p->env.items, p->env.count * sizeof(*env));
	env[p->env.count++] = arena_printf(a, "HOME=%s", home ? home : "/");
	p->env.items = env;
}

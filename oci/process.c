/* SPDX-License-Identifier: Apache-2.0 */
/* Additions to a process of a spec: environment variables, HOME from the image's passwd. */
#include "oci/container.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PASSWD_MAX ((size_t)1 << 20)

/* An image's file: below its root whatever links it holds, regular, of bounded size, never
 * blocking. */
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

void process_set_env(struct spec_process *p, const char *assignment, struct arena *a)
{
	size_t name_len = strcspn(assignment, "=") + 1, n = 0;
	char **env = arena_calloc(a, p->env.count + 2, sizeof(*env));

	for (size_t i = 0; i < p->env.count; i++)
		if (strncmp(p->env.items[i], assignment, name_len) != 0)
			env[n++] = p->env.items[i];
	env[n++] = arena_strdup(a, assignment);
	p->env.items = env;
	p->env.count = n;
}

void process_add_home(struct spec_process *p, int root_fd, struct arena *a)
{
	char *passwd, *home = NULL;

	for (size_t i = 0; i < p->env.count; i++)
		if (strncmp(p->env.items[i], "HOME=", 5) == 0)
			return;
	if (root_fd >= 0 && read_in_root(root_fd, "etc/passwd", a, &passwd) == 0)
		home = find_home(passwd, p->user.uid, a);
	process_set_env(p, arena_printf(a, "HOME=%s", home ? home : "/"), a);
}

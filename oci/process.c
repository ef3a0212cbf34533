/* SPDX-License-Identifier: Apache-2.0 */
/* Additions to a process of a spec: environment variables, HOME from the image's passwd, the size of its terminal. */
#include "oci/container.h"

#include "oci/users.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
	const char *home;

	for (size_t i = 0; i < p->env.count; i++)
		if (strncmp(p->env.items[i], "HOME=", 5) == 0)
			return;
	home = root_fd >= 0 ? users_home(root_fd, p->user.uid, a) : NULL;
	process_set_env(p, arena_printf(a, "HOME=%s", home ? home : "/"), a);
}

void process_take_size(struct spec_process *p, struct arena *a)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	p->console_size = arena_alloc(a, sizeof(*p->console_size));
	*p->console_size = (struct spec_console_size){ .height = size.ws_row, .width = size.ws_col };
}

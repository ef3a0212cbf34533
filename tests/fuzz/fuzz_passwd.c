/* SPDX-License-Identifier: Apache-2.0 */
/* An image's /etc/passwd of any bytes gives exactly one HOME, which is not empty and one line of
 * that file or "/". */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/container.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root_path[] = "/tmp/fuzz_passwd.XXXXXX";
static int root = -1;

static void remove_root(void)
{
	unlinkat(root, "etc/passwd", 0);
	unlinkat(root, "etc", AT_REMOVEDIR);
	rmdir(root_path);
}

static void make_root(void)
{
	if (!mkdtemp(root_path) ||
	    (root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(root, "etc", 0700) < 0)
		abort();
	atexit(remove_root);
}

static void check_home(const struct spec_process *p, const uint8_t *data, size_t size)
{
	const char *home = p->env.items[1];

	if (p->env.count != 2 || p->env.items[2] || strcmp(p->env.items[0], "A=1") != 0)
		abort();
	if (strncmp(home, "HOME=", 5) != 0 || !home[5] || strpbrk(home, "\n:"))
		abort();
	if (strcmp(home, "HOME=/") != 0 && !memmem(data, size, home + 5, strlen(home + 5)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t uids[] = { 0, 1, 1000, UINT32_MAX - 1 };
	autofd fd = -1;

	if (root < 0)
		make_root();
	fd = fd_create(root, "etc/passwd", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || fd_write_full(fd, data, size) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(uids); i++) {
		char *env[] = { (char *)"A=1", NULL };
		struct spec_process p = { .user = { .uid = uids[i] }, .env = { env, 1 } };
		autoarena a = ARENA_INIT;

		process_add_home(&p, root, &a);
		check_home(&p, data, size);
	}
	return 0;
}

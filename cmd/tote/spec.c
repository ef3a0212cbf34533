/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/default_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct spec_options {
	const char *bundle, *file;
	bool rootless, seccomp;
};

static const struct option items[] = {
	{ "bundle", 'b', OPT_STRING, offsetof(struct spec_options, bundle), "DIR",
	  "write to this directory" },
	{ "file", 'f', OPT_STRING, offsetof(struct spec_options, file), "FILE",
	  "write to FILE (default config.json; - is stdout)" },
	{ "rootless", 0, OPT_FLAG, offsetof(struct spec_options, rootless), NULL,
	  "for an ordinary user" },
	{ "seccomp", 0, OPT_FLAG, offsetof(struct spec_options, seccomp), NULL,
	  "with the built-in seccomp profile" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static int write_new(int dir, const char *name, const struct buf *text, struct err *err)
{
	/* Never over a file that somebody has edited. */
	autofd fd = fd_create(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	int r;

	if (fd < 0)
		return err_errno(err, "spec: create %s", name);
	r = fd_write_full(fd, text->data, text->len);
	if (r < 0)
		unlinkat(dir, name, 0);
	return r < 0 ? err_code(err, r, "spec: write %s", name) : 0;
}

static int run(char **args, size_t count, void *opts)
{
	struct spec_options *o = opts;
	const char *name = o->file ? o->file : "config.json";
	autobuf text = BUF_INIT;
	autofd dir = -1;
	struct err err;
	int r;

	(void)args;
	(void)count;
	default_spec_write(&text, (o->rootless ? DEFAULT_SPEC_ROOTLESS : 0) |
					  (o->seccomp ? DEFAULT_SPEC_SECCOMP : 0));
	if (strcmp(name, "-") == 0) {
		r = fd_write_full(STDOUT_FILENO, text.data, text.len);
		return r < 0 ? (err_code(&err, r, "spec: write"), fail(&err)) : 0;
	}
	dir = fd_open(AT_FDCWD, o->bundle ? o->bundle : ".", O_PATH | O_DIRECTORY);
	r = dir < 0 ? err_errno(&err, "spec: open bundle %s", o->bundle)
		    : write_new(dir, name, &text, &err);
	return r < 0 ? fail(&err) : 0;
}

const struct verb verb_spec = { "spec", "",  "write a config.json to start from", &table, 0,
				0,	run, sizeof(struct spec_options),	  0 };

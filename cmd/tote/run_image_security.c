/* SPDX-License-Identifier: Apache-2.0 */
/* --security-opt, and --seccomp, which is the same in fewer words. */
#include "cmd/tote/run_image.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int choose_seccomp(struct imaging *im, const char *option, const char *given)
{
	char *text;

	im->convert.seccomp = given;
	if (strcmp(given, "unconfined") == 0)
		return 0;
	if (file_read(AT_FDCWD, given, JSON_MAX_SIZE, &im->a, &text, NULL, im->err) < 0)
		return err_prefix(im->err, "%s", option);
	im->convert.seccomp = text;
	return 0;
}

static int choose_privileges(struct imaging *im, const char *value)
{
	bool none = !*value || strcmp(value, "true") == 0;

	if (!none && strcmp(value, "false") != 0)
		return err_set(
			im->err, EINVAL,
			"--security-opt no-new-privileges: expected true or false, found \"%s\"",
			value);
	im->convert.new_privileges = !none;
	return 0;
}

/* docker wrote ":" first, and takes both. */
static int choose_option(struct imaging *im, const char *text)
{
	size_t len = strcspn(text, "=:");
	const char *value = text[len] ? text + len + 1 : "",
		   *name = arena_strndup(&im->a, text, len);

	if (strcmp(name, "no-new-privileges") == 0)
		return choose_privileges(im, value);
	if (strcmp(name, "seccomp") == 0 && *value)
		return choose_seccomp(im, "--security-opt seccomp", value);
	if (strcmp(name, "apparmor") == 0 && *value) {
		im->convert.apparmor = value;
		return 0;
	}
	return err_set(
		im->err, EINVAL,
		"--security-opt \"%s\": expected no-new-privileges[=true|false], seccomp=FILE, "
		"seccomp=unconfined or apparmor=PROFILE",
		text);
}

int imaging_choose_security(struct imaging *im)
{
	const struct image_options *o = &im->o->image;
	int r = 0;

	if (o->privileged)
		return err_set(
			im->err, EOPNOTSUPP,
			"--privileged: such a container is the host; what it needs is given by "
			"--cap-add, --device, --volume and --security-opt");
	if (o->seccomp)
		r = choose_seccomp(im, "--seccomp", o->seccomp);
	for (size_t i = 0; r == 0 && i < o->security.count; i++)
		r = choose_option(im, o->security.items[i]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/client.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "lib/file.h"
#include "lib/number.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int client_fail(const struct err *err)
{
	int code = fail(err);

	if (err->code == -CLIENT_NO_SUCH)
		return EXIT_NO_SUCH;
	return err->code == -ECONNREFUSED ? EXIT_NO_SUPERVISOR : code;
}

static int open_state(struct client *c, struct err *err)
{
	int r = c->paths.state ? 0 : find_paths(&c->memory, &c->paths, err);

	if (r < 0 || c->state_fd >= 0)
		return r;
	c->state_fd = fd_open(AT_FDCWD, c->paths.state, O_RDONLY | O_DIRECTORY);
	if (c->state_fd < 0 && errno != ENOENT)
		return err_errno(err, "open %s", c->paths.state);
	return 0;
}

int client_load(struct client *c, const char *name, struct err *err)
{
	int r = open_state(c, err);

	if (r < 0)
		return r;
	c->stored = false;
	c->name = arena_strdup(&c->memory, name);
	if (!desired_is_project_name(name))
		return err_set(err, EINVAL, "\"%s\" is no name of a project", name);
	r = c->state_fd < 0 ? -ENOENT
			    : desired_load(c->state_fd, name, &c->memory, &c->project, err);
	if (r == -ENOENT)
		return 0;
	c->stored = r == 0;
	return r;
}

/* Names that start with a dot are left out: of files that are being written. */
int client_list(struct client *c, struct strv *ret, struct err *err)
{
	struct strv names = { NULL, 0 };
	int r = open_state(c, err);

	ret->count = 0;
	ret->items = arena_calloc(&c->memory, 1, sizeof(char *));
	if (r < 0 || c->state_fd < 0)
		return r;
	r = file_list(c->state_fd, ".", &c->memory, &names, err);
	if (r < 0)
		return r;
	ret->items = arena_calloc(&c->memory, names.count + 1, sizeof(char *));
	for_each (name, &names) {
		size_t len = strlen(*name);
		char *project;

		if (len <= 5 || strcmp(*name + len - 5, ".json") != 0)
			continue;
		project = arena_strndup(&c->memory, *name, len - 5);
		if (desired_is_project_name(project))
			ret->items[ret->count++] = project;
	}
	return 0;
}

static int no_project(const struct client *c, struct err *err)
{
	return err_set(err, CLIENT_NO_SUCH, "no such project: %s (tote status lists what there is)",
		       c->name);
}

/* Neither named nor a file here. */
static int choose_only_one(struct client *c, bool all, struct err *err)
{
	struct strv names;
	autobuf text = BUF_INIT;
	int r = client_list(c, &names, err);

	if (r < 0 || all)
		return r;
	if (names.count == 1)
		return client_load(c, names.items[0], err);
	if (!names.count)
		return err_set(err, CLIENT_NO_SUCH,
			       "no project: no Compose file here, and nothing is up");
	for_each (name, &names)
		buf_addf(&text, "%s%s", name == names.items ? "" : ", ", *name);
	return err_set(err, EINVAL, "which project? Choose one of %s with --project",
		       buf_str(&text));
}

int client_find(struct client *c, const struct project_options *o, bool all, struct err *err)
{
	char *name = NULL;
	int r = project_name(o, &c->memory, &name, err);

	if (r == -ENOENT && !o->files.count)
		return choose_only_one(c, all, err);
	if (r < 0)
		return r;
	r = client_load(c, name, err);
	return r < 0 || c->stored ? r : no_project(c, err);
}

int client_check_services(const struct client *c, char **services, struct err *err)
{
	for (; *services; services++)
		if (!desired_find(&c->project, *services))
			return err_set(err, CLIENT_NO_SUCH, "no such service: %s of project %s",
				       *services, c->name);
	return 0;
}

void client_done(struct client *c)
{
	cleanup_fd(&c->state_fd);
	arena_done(&c->memory);
}

int client_connect(const struct client *c, struct control *ret, struct err *err)
{
	int r = control_open(c->paths.run, ret, err);

	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(err, ECONNREFUSED,
			       "no supervisor runs (tote up or tote supervise starts one)");
	return r;
}

static void write_request(struct json_writer *w, const char *what, const char *project,
			  char **services, bool force)
{
	json_begin_object(w);
	json_pair_string(w, "do", what);
	json_pair_string(w, "project", project);
	json_key(w, "services");
	json_begin_array(w);
	for (; *services; services++)
		json_put_string(w, *services);
	json_end_array(w);
	if (force)
		json_pair_bool(w, "force", true);
	json_end_object(w);
	json_writer_done(w);
}

static const char *text_of(const struct json_value *answer, const char *key)
{
	const struct json_value *v = json_get(answer, key);

	return v && v->kind == JSON_STRING ? v->text : NULL;
}

/* What changes is no answer that somebody asked for, but good to see. */
static void tell(const struct json_value *answer)
{
	const char *service = text_of(answer, "service"), *change = text_of(answer, "change"),
		   *why = text_of(answer, "why");

	if (service && change)
		log_debug("%s: %s%s%s", service, change, why ? ": " : "", why ? why : "");
}

/* The supervisor's own words decide what a script sees. */
static int code_of_words(struct err *err)
{
	if (strncmp(err->msg, "no such ", 8) == 0)
		err->code = -CLIENT_NO_SUCH;
	return err->code;
}

int client_ask(struct client *c, const char *what, char **services, bool force, struct err *err)
{
	autobuf line = BUF_INIT;
	struct control control;
	struct json_writer w;
	int r = client_connect(c, &control, err);

	if (r < 0)
		return r;
	json_writer_init(&w, &line, false);
	write_request(&w, what, c->name, services, force);
	r = control_send(&control, buf_str(&line), err);
	while (r >= 0) {
		struct json_value *answer = NULL;
		autoarena a = ARENA_INIT;

		/* Stopping takes as long as grace periods are; the supervisor bounds it. */
		r = control_next(&control, -1, &a, &answer, err);
		if (r <= 0)
			break;
		tell(answer);
	}
	control_close(&control);
	return r < 0 ? code_of_words(err) : 0;
}

bool client_split_instance(const char *instance, const char *project, struct arena *a,
			   char **ret_service, uint32_t *ret_number, bool *ret_second)
{
	size_t len = strlen(instance), prefix = strlen(project);
	const char *dash, *digits;
	uint64_t number;
	bool second = len > 2 && strcmp(instance + len - 2, ".b") == 0;

	len -= second ? 2 : 0;
	if (len < prefix + 4 || strncmp(instance, project, prefix) != 0 || instance[prefix] != '-')
		return false;
	dash = memrchr(instance + prefix + 1, '-', len - prefix - 1);
	if (!dash || dash == instance + prefix + 1)
		return false;
	digits = dash + 1;
	if (!number_scan(&digits, &number) || digits != instance + len || number > UINT32_MAX)
		return false;
	*ret_service =
		arena_strndup(a, instance + prefix + 1, (size_t)(dash - instance) - prefix - 1);
	*ret_number = (uint32_t)number;
	*ret_second = second;
	return true;
}

int client_order(const struct project_options *o, const char *what, char **services)
{
	autoclient c = CLIENT_INIT;
	struct err err;
	int r = client_find(&c, o, false, &err);

	if (r == 0)
		r = client_check_services(&c, services, &err);
	if (r == 0)
		r = client_ask(&c, what, services, false, &err);
	return r < 0 ? client_fail(&err) : 0;
}

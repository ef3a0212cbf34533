/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, and the contents of secrets and configs. */
#include "cmd/tote-compose/translate_private.h"

#include "lib/sha256.h"

#include <errno.h>
#include <string.h>

/* What fits on the tmpfs of a small machine, and into its memory while it is read. */
#define MAX_CONTENT ((size_t)1 << 20)

static void add_option(struct translating *t, struct words *w, const char *option,
		       const char *value)
{
	words_add(t, w, option);
	words_add(t, w, value);
}

static int volume_source(struct translating *t, const struct compose_service *s,
			 const struct compose_mount *m, const char **ret)
{
	for_each (v, &t->file->volumes) {
		if (strcmp(v->name_in_file, m->source) != 0)
			continue;
		*ret = v->name	     ? v->name
		       : v->external ? v->name_in_file
				     : arena_printf(t->a, "%s_%s", t->o->project, m->source);
		if (v->external)
			words_add_once(t, &t->volumes, *ret);
		return 0;
	}
	return translate_error(
		t, m->node, s,
		"volumes: the file has no volume \"%.60s\": name it under \"volumes\" "
		"at the top as well",
		m->source);
}

static void add_tmpfs(struct translating *t, const struct compose_mount *m, struct words *w)
{
	char *options = (char *)"";

	if (m->size)
		options = arena_printf(t->a, "%ssize=%s,", options, m->size);
	if (m->mode.set)
		options = arena_printf(t->a, "%smode=%o,", options, m->mode.value);
	if (m->read_only)
		options = arena_printf(t->a, "%sro,", options);
	if (*options)
		options[strlen(options) - 1] = '\0';
	add_option(t, w, "--tmpfs",
		   arena_printf(t->a, "%s%s%s", m->target, *options ? ":" : "", options));
}

static int add_mount(struct translating *t, const struct compose_service *s,
		     const struct compose_mount *m, struct words *w)
{
	const char *source = m->source;
	int r = 0;

	if (m->type == MOUNT_TMPFS) {
		add_tmpfs(t, m, w);
		return 0;
	}
	if (m->type == MOUNT_VOLUME) {
		r = volume_source(t, s, m, &source);
	} else {
		if (source[0] == '~' && !t->o->home)
			return translate_error(t, m->node, s, "volumes: HOME is not set");
		source = translate_path(t, source);
		if (strchr(source, ':'))
			return translate_error(t, m->node, s, "volumes: a path with a colon");
		if (m->create_host_path)
			words_add_once(t, &t->directories, source);
	}
	if (r == 0)
		add_option(t, w, "--volume",
			   arena_printf(t->a, "%s:%s%s%s%s%s", source, m->target,
					m->read_only || m->options ? ":" : "",
					m->read_only ? "ro" : "",
					m->read_only && m->options ? "," : "",
					m->options ? m->options : ""));
	return r;
}

/* `tote create` would say so later, and without a line. */
static int check_target(struct translating *t, const struct compose_service *s, size_t i)
{
	const struct compose_mount *m = &s->volumes.items[i];
	size_t len = strlen(m->target);
	bool known = false;

	for (size_t before = 0; before < i; before++)
		known |= strcmp(s->volumes.items[before].target, m->target) == 0;
	for_each (path, &s->tmpfs)
		known |= strcspn(*path, ":") == len && memcmp(*path, m->target, len) == 0;
	return known ? translate_error(t, m->node, s, "volumes: duplicate mount point \"%.60s\"",
				       m->target)
		     : 0;
}

int translate_mounts(struct translating *t, const struct compose_service *s, struct words *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->volumes.count; i++) {
		r = check_target(t, s, i);
		if (r == 0)
			r = add_mount(t, s, &s->volumes.items[i], w);
	}
	return r;
}

static void add_content(struct translating *t, const char *data, size_t len, char sha256[65])
{
	struct needed_content *c;

	sha256_text(data, len, sha256);
	for_each (known, &t->contents)
		if (strcmp(known->sha256, sha256) == 0)
			return;
	if (t->contents.count == t->content_room) {
		size_t room = t->content_room * 2 + 8;
		struct needed_content *items = arena_calloc(t->a, room, sizeof(*items));

		if (t->contents.count)
			memcpy(items, t->contents.items, t->contents.count * sizeof(*items));
		t->contents.items = items;
		t->content_room = room;
	}
	c = &t->contents.items[t->contents.count++];
	memcpy(c->sha256, sha256, sizeof(c->sha256));
	c->data = data;
	c->len = len;
}

static int read_content(struct translating *t, const struct compose_content *c, const char *kind,
			const char **ret, size_t *ret_len)
{
	struct err why;

	*ret = c->content;
	if (c->file) {
		int r = t->around->read_file(t->around->arg, translate_path(t, c->file), t->a,
					     (char **)ret, ret_len, &why);

		if (r < 0)
			return err_set(t->err, -r, "%s:%u: %s.%s: %s", c->node->file, c->node->line,
				       kind, c->name_in_file, why.msg);
		return 0;
	}
	if (c->environment)
		*ret = variables_get(t->o->variables, c->environment);
	if (!*ret)
		return err_set(t->err, EINVAL, "%s:%u: %s.%s: the variable %s is not set",
			       c->node->file, c->node->line, kind, c->name_in_file, c->environment);
	*ret_len = strlen(*ret);
	return 0;
}

/* A relative target of a secret is below /run/secrets. */
static char *target_of(struct translating *t, const struct compose_grant *g, bool secret)
{
	const char *name = g->target && *g->target ? g->target : g->source;

	if (name[0] == '/')
		return (char *)name;
	return arena_printf(t->a, "%s%s", secret ? "/run/secrets/" : "/", name);
}

static int add_file(struct translating *t, const struct compose_service *s,
		    const struct compose_grant *g, bool secret, struct desired_file *ret)
{
	const char *kind = secret ? "secrets" : "configs", *data = NULL;
	const struct compose_content *content = NULL;
	char sha256[SHA256_TEXT_SIZE];
	size_t len = 0;
	int r;

	for (size_t i = 0; i < (secret ? t->file->secrets.count : t->file->configs.count); i++) {
		const struct compose_content *c =
			secret ? &t->file->secrets.items[i] : &t->file->configs.items[i];

		if (strcmp(c->name_in_file, g->source) == 0)
			content = c;
	}
	if (!content)
		return translate_error(t, g->node, s, "%s: the file has no \"%.60s\" under \"%s\"",
				       kind, g->source, kind);
	/* It becomes a word of --mount, where a comma ends it. */
	if (strchr(target_of(t, g, secret), ','))
		return translate_error(t, g->node, s, "%s: a comma in the target \"%.60s\"", kind,
				       target_of(t, g, secret));
	r = read_content(t, content, kind, &data, &len);
	if (r < 0)
		return r;
	if (len > MAX_CONTENT)
		return translate_error(t, g->node, s, "%s: %.60s is larger than 1 MiB", kind,
				       g->source);
	add_content(t, data, len, sha256);
	*ret = (struct desired_file){ arena_strdup(t->a, sha256), target_of(t, g, secret), g->uid,
				      g->gid, g->mode };
	return 0;
}

int translate_files(struct translating *t, const struct compose_service *s,
		    struct desired_service *ret)
{
	size_t count = s->secrets.count + s->configs.count;
	int r = 0;

	if (count > 1000)
		return translate_error(t, s->node, s, "more than 1000 secrets and configs");
	ret->files.items = arena_calloc(t->a, count + 1, sizeof(*ret->files.items));
	for (size_t i = 0; r == 0 && i < count; i++) {
		bool secret = i < s->secrets.count;

		r = add_file(t, s,
			     secret ? &s->secrets.items[i]
				    : &s->configs.items[i - s->secrets.count],
			     secret, &ret->files.items[i]);
		ret->files.count += r == 0;
	}
	return r;
}

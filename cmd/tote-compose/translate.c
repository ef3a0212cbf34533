/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-compose/translate_private.h"

#include "lib/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The Compose specification's, of healthcheck. */
#define HEALTH_INTERVAL_MS 30000
#define HEALTH_TIMEOUT_MS 30000
#define HEALTH_START_INTERVAL_MS 5000
#define HEALTH_RETRIES 3

void words_add(struct translating *t, struct words *w, const char *word)
{
	if (w->v.count + 1 >= w->room) {
		size_t room = w->room * 2 + 16;
		char **items = arena_calloc(t->a, room, sizeof(char *));

		if (w->v.count)
			memcpy(items, w->v.items, w->v.count * sizeof(char *));
		w->v.items = items;
		w->room = room;
	}
	w->v.items[w->v.count++] = (char *)word;
}

void words_add_once(struct translating *t, struct words *w, const char *word)
{
	for_each (known, &w->v)
		if (strcmp(*known, word) == 0)
			return;
	words_add(t, w, word);
}

int translate_error(struct translating *t, const struct yaml_node *n,
		    const struct compose_service *s, const char *fmt, ...)
{
	char words[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	if (!n)
		n = s->node;
	return err_set(t->err, EINVAL, "%s:%u: services.%s: %s", n->file, n->line, s->name, words);
}

/* Without "." and ".." at the beginning of what is below the file's directory. */
char *translate_path(struct translating *t, const char *path)
{
	const char *base = t->o->directory;

	if (path[0] == '/')
		return (char *)path;
	if (path[0] == '~' && t->o->home && (!path[1] || path[1] == '/'))
		return arena_printf(t->a, "%s%s", t->o->home, path + 1);
	while (path[0] == '.' && (path[1] == '/' || !path[1])) {
		path += path[1] ? 2 : 1;
		path += strspn(path, "/");
	}
	return arena_printf(t->a, "%s%s%s", strcmp(base, "/") == 0 ? "" : base, *path ? "/" : "",
			    path);
}

struct compose_service *find_service(const struct translating *t, const char *name)
{
	for_each (s, &t->file->services)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static bool has_word(const struct strv *list, const char *word)
{
	for_each (known, list)
		if (strcmp(*known, word) == 0)
			return true;
	return false;
}

static bool is_active(const struct translating *t, const struct compose_service *s)
{
	if (!s->profiles.count || has_word(&t->o->services, s->name) ||
	    has_word(&t->o->profiles, "*"))
		return true;
	for_each (p, &s->profiles)
		if (has_word(&t->o->profiles, *p))
			return true;
	return false;
}

static int choose_active(struct translating *t)
{
	for_each (s, &t->file->services)
		t->active[s - t->file->services.items] = is_active(t, s);
	for_each (name, &t->o->services)
		if (!find_service(t, *name))
			return err_set(t->err, ENOENT, "%s: there is no service \"%s\"",
				       t->o->source, *name);
	return 0;
}

static int translate_depends(struct translating *t, const struct compose_service *s,
			     struct desired_service *ret)
{
	ret->depends.items =
		arena_calloc(t->a, s->depends_on.count + 1, sizeof(*ret->depends.items));
	for_each (d, &s->depends_on) {
		const struct compose_service *other = find_service(t, d->service);

		if (!other && d->required)
			return translate_error(t, d->node, s,
					       "depends_on: there is no service \"%.60s\"",
					       d->service);
		if (other && !t->active[other - t->file->services.items] && d->required)
			return translate_error(t, d->node, s,
					       "depends_on: no profile of \"%.60s\" is active",
					       d->service);
		if (!other || !t->active[other - t->file->services.items])
			continue;
		ret->depends.items[ret->depends.count++] =
			(struct desired_depend){ d->service, d->condition, !d->required,
						 d->restart };
	}
	return 0;
}

static void translate_restart(const struct compose_service *s, struct desired_service *ret)
{
	const struct compose_restart_policy *p = &s->deploy.restart_policy;

	ret->restart = p->set ? p->condition : s->restart.policy;
	ret->restart_max = p->set ? p->max_attempts.value : s->restart.max;
}

static uint32_t first_set(struct opt_u32 a, struct opt_u32 b, struct opt_u32 c, uint32_t otherwise)
{
	return a.set ? a.value : b.set ? b.value : c.set ? c.value : otherwise;
}

static void health_command(struct translating *t, const struct strv *test,
			   struct desired_health *ret)
{
	struct words w = { 0 };

	ret->kind = HEALTH_EXEC;
	if (strcmp(test->items[0], "CMD-SHELL") == 0) {
		words_add(t, &w, "/bin/sh");
		words_add(t, &w, "-c");
	}
	for (size_t i = 1; i < test->count; i++)
		words_add(t, &w, test->items[i]);
	ret->command = w.v;
}

/* A probe of x-tote before a test of the file before that of the image, and so for its times. */
static int translate_health(struct translating *t, const struct compose_service *s,
			    const struct compose_health *image, bool restarts,
			    struct desired_health *ret)
{
	const struct compose_health *x = &s->extension.health, *h = &s->healthcheck;
	const struct strv *test = h->test.count ? &h->test : &image->test;

	if (x->node && !x->probe.kind && !h->node && !image->node)
		return translate_error(t, x->node, s, "x-tote.health: one of tcp and http");
	if (x->probe.kind)
		*ret = x->probe;
	else if (!h->disable && test->count && strcmp(test->items[0], "NONE") != 0)
		health_command(t, test, ret);
	if (ret->kind == HEALTH_NONE)
		return 0;
	ret->interval_ms = first_set(x->interval, h->interval, image->interval, HEALTH_INTERVAL_MS);
	ret->timeout_ms = first_set(x->timeout, h->timeout, image->timeout, HEALTH_TIMEOUT_MS);
	ret->start_period_ms = first_set(x->start_period, h->start_period, image->start_period, 0);
	ret->start_interval_ms = first_set(x->start_interval, h->start_interval,
					   image->start_interval, HEALTH_START_INTERVAL_MS);
	ret->retries = first_set(x->retries, h->retries, image->retries, HEALTH_RETRIES);
	/* Nobody is there to look at one that is up and does not work. */
	ret->restart = x->action == ACTION_UNSAID ? restarts : x->action == ACTION_RESTART;
	return 0;
}

/* The supervisor holds the socket, so that nothing else can have its port. */
static int check_listen(struct translating *t, const struct compose_service *s, const char *listen)
{
	const char *colon = strrchr(listen, ':');
	uint64_t port = 0;

	parse_integer(colon ? colon + 1 : listen, false, &port);
	for_each (p, &s->ports)
		if (port >= p->host && port <= p->host_end)
			return translate_error(t, p->node, s,
					       "ports: x-tote.activate listens on port %llu",
					       (unsigned long long)port);
	return 0;
}

static int translate_activate(struct translating *t, const struct compose_service *s,
			      struct desired_service *ret)
{
	const struct compose_activate *from = s->extension.activate;

	for (size_t i = 0; from && i < from->listen.count; i++) {
		int r = check_listen(t, s, from->listen.items[i]);

		if (r < 0)
			return r;
	}
	if (!from)
		return 0;
	if (s->scale.value > 1)
		return translate_error(t, s->node, s, "x-tote.activate: only with one replica");
	ret->activate = arena_alloc(t->a, sizeof(*ret->activate));
	*ret->activate =
		(struct desired_activate){ from->listen, from->port, from->idle.value, from->mode };
	return 0;
}

/* What begins a container's command line in place of the image's. */
static void translate_command(struct translating *t, const struct compose_service *s,
			      struct words *options, struct desired_service *ret)
{
	const struct strv *entry = &s->entrypoint.words;
	struct words args = { 0 };

	if (s->entrypoint.set) {
		words_add(t, options, "--entrypoint");
		words_add(t, options, entry->count ? entry->items[0] : "");
	}
	for (size_t i = 1; i < entry->count; i++)
		words_add(t, &args, entry->items[i]);
	for_each (word, &s->command.words)
		words_add(t, &args, *word);
	ret->args = args.v;
}

static int find_image(struct translating *t, const struct compose_service *s,
		      struct image_facts *ret)
{
	struct err why;
	int r = t->around->find_image(t->around->arg, s->image, t->a, ret, &why);
	const struct yaml_node *n = yaml_get(s->node, "image");

	if (r < 0)
		return err_set(t->err, -r, "%s:%u: services.%s.image: %s%s", n->file, n->line,
			       s->name, why.msg,
			       r == -ENOENT ? ": nothing is pulled, `tote load` it" : "");
	return 0;
}

static int translate_options(struct translating *t, const struct compose_service *s,
			     struct desired_service *ret)
{
	struct words options = { 0 };
	int r = translate_environment(t, s, &options);

	if (r == 0)
		r = translate_words(t, s, &options);
	if (r == 0)
		r = translate_mounts(t, s, &options);
	if (r == 0)
		r = translate_attachments(t, s, &options);
	if (r == 0)
		translate_command(t, s, &options, ret);
	ret->options = options.v;
	return r;
}

static int translate_service(struct translating *t, const struct compose_service *s,
			     struct desired_service *ret)
{
	int order = t->o->order		 ? t->o->order
		    : s->extension.order ? s->extension.order
					 : s->deploy.order;
	struct image_facts image = { 0 };
	int r = find_image(t, s, &image);

	if (r < 0)
		return r;
	ret->name = s->name;
	ret->replicas = s->scale.value;
	ret->global = s->deploy.global;
	ret->address = s->extension.address;
	ret->image = s->image;
	ret->digest = image.digest;
	ret->tty = s->tty;
	ret->stdin_open = s->stdin_open;
	ret->stop_signal = s->stop_signal      ? s->stop_signal
			   : image.stop_signal ? image.stop_signal
					       : (char *)"SIGTERM";
	ret->stop_grace_ms =
		s->stop_grace_period.set ? s->stop_grace_period.value : DESIRED_STOP_GRACE_MS;
	ret->log =
		(struct desired_log){ s->logging.driver, s->logging.max_size, s->logging.max_file };
	ret->start_first = order == ORDER_START_FIRST;
	ret->update_ms = s->extension.update_timeout.set ? s->extension.update_timeout.value
			 : s->deploy.monitor.set	 ? s->deploy.monitor.value
							 : DESIRED_UPDATE_MS;
	translate_restart(s, ret);
	r = translate_options(t, s, ret);
	if (r == 0)
		r = translate_health(t, s, &image.health, ret->restart != RESTART_NO, &ret->health);
	if (r == 0)
		r = translate_activate(t, s, ret);
	if (r == 0 && ret->address && (ret->global || ret->replicas > 1))
		return translate_error(t, s->node, s, "x-tote.address: only with one replica");
	if (r == 0)
		r = translate_files(t, s, ret);
	if (r == 0)
		r = translate_depends(t, s, ret);
	if (r == 0)
		ret->hash = desired_hash(ret, t->a);
	return r;
}

/* The services that were asked for, and those that they need. */
static void add_with_depends(struct translating *t, const char *name)
{
	size_t done = t->services.v.count;

	words_add_once(t, &t->services, name);
	for (; done < t->services.v.count; done++) {
		const struct desired_service *s =
			desired_find(&t->ret->project, t->services.v.items[done]);

		if (!s)
			continue;
		for_each (d, &s->depends)
			words_add_once(t, &t->services, d->service);
	}
}

/* Who waits for the health of what has none would wait for ever. */
static int check_conditions(struct translating *t, const struct compose_service *s)
{
	for_each (d, &s->depends_on) {
		const struct desired_service *other = desired_find(&t->ret->project, d->service);

		if (d->condition == DEPEND_HEALTHY && other && other->health.kind == HEALTH_NONE)
			return translate_error(t, d->node, s,
					       "depends_on: \"%.60s\" has no healthcheck, and its "
					       "image none",
					       d->service);
	}
	return 0;
}

static int translate_all(struct translating *t)
{
	struct desired_project *p = &t->ret->project;

	p->name = (char *)t->o->project;
	p->source = (char *)t->o->source;
	p->services.items =
		arena_calloc(t->a, t->file->services.count + 1, sizeof(*p->services.items));
	for_each (s, &t->file->services) {
		int r;

		if (!t->active[s - t->file->services.items])
			continue;
		r = translate_service(t, s, &p->services.items[p->services.count]);
		if (r < 0)
			return r;
		p->services.count++;
	}
	if (!p->services.count)
		return err_set(t->err, EINVAL, "%s: no service without a profile", t->o->source);
	for_each (s, &t->file->services) {
		int r = t->active[s - t->file->services.items] ? check_conditions(t, s) : 0;

		if (r < 0)
			return r;
	}
	return translate_check_ports(t);
}

int translate(const struct compose_file *file, const struct translate_options *o,
	      const struct surroundings *s, struct arena *a, struct translation *ret,
	      struct err *err)
{
	static const struct yaml_node top = { .kind = YAML_MAP, .file = "", .line = 1 };
	struct translating t = {
		.file = file,
		.o = o,
		.around = s,
		.a = a,
		.err = err,
		.root = &top,
		.active = arena_alloc(a, file->services.count + 1),
		.used_networks = arena_alloc(a, file->networks.count + 1),
		.ret = ret,
	};
	int r;

	*ret = (struct translation){ 0 };
	r = choose_active(&t);
	if (r == 0)
		r = translate_all(&t);
	if (r == 0) {
		r = desired_sort(&ret->project, a, err);
		if (r < 0)
			err_prefix(err, "%s", o->source);
	}
	if (r < 0)
		return r;
	for_each (name, &o->services)
		add_with_depends(&t, *name);
	r = translate_networks(&t);
	ret->services = t.services.v;
	ret->contents.items = t.contents.items;
	ret->contents.count = t.contents.count;
	ret->directories = t.directories.v;
	ret->volumes = t.volumes.v;
	ret->warnings = t.warnings.v;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for as NAME=VALUE: limits of the process, sysctls, annotations; and a few numbers of the
 * process. */
#include "oci/image/convert_private.h"

#include "lib/number.h"
#include "oci/spec_annotations.h"
#include "oci/users.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define OOM_SCORE_MAX 1000
#define STOP_SIGNAL "org.opencontainers.image.stopSignal"

/* getrlimit(2), as docker and Compose write them. */
static const char *const limit_names[] = {
	"as",	"core",	  "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
	"nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static const char *known_limit(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(limit_names) / sizeof(limit_names[0]); i++)
		if (strlen(limit_names[i]) == len && strncmp(limit_names[i], name, len) == 0)
			return limit_names[i];
	return NULL;
}

/* Moves *text behind it; "-1" and "unlimited" are RLIM_INFINITY. */
static bool scan_limit(const char **text, uint64_t *ret)
{
	static const char *const none[] = { "-1", "unlimited" };

	for (size_t i = 0; i < 2; i++)
		if (strncmp(*text, none[i], strlen(none[i])) == 0) {
			*text += strlen(none[i]);
			*ret = UINT64_MAX;
			return true;
		}
	return isdigit((unsigned char)**text) && number_scan(text, ret);
}

static char *limit_type(const char *name, struct arena *a)
{
	char *type = arena_printf(a, "RLIMIT_%s", name);

	for (char *c = type; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return type;
}

static int read_limit(const char *text, struct arena *a, struct spec_rlimit *ret, struct err *err)
{
	size_t len = strcspn(text, "=");
	const char *name = known_limit(text, len), *rest = text + len;

	if (!name)
		return err_set(err, EINVAL, "ulimit \"%.80s\": no limit of that name", text);
	if (*rest++ != '=' || !scan_limit(&rest, &ret->soft))
		return err_set(err, EINVAL, "ulimit \"%.80s\" is not NAME=SOFT[:HARD]", text);
	ret->hard = ret->soft;
	if ((*rest == ':' && (rest++, !scan_limit(&rest, &ret->hard))) || *rest)
		return err_set(err, EINVAL, "ulimit \"%.80s\" is not NAME=SOFT[:HARD]", text);
	if (ret->soft > ret->hard)
		return err_set(err, EINVAL, "ulimit \"%.80s\": soft is larger than hard", text);
	ret->type = limit_type(name, a);
	return 0;
}

static struct spec_rlimit *limit_place(struct spec_process *p, const char *type)
{
	for_each (l, &p->rlimits)
		if (strcmp(l->type, type) == 0)
			return l;
	return &p->rlimits.items[p->rlimits.count++];
}

static int set_ulimits(const struct convert_opts *opts, struct arena *a, struct spec_process *p,
		       struct err *err)
{
	p->rlimits.items = arena_calloc(a, opts->ulimits.count + 1, sizeof(*p->rlimits.items));
	for_each (text, &opts->ulimits) {
		struct spec_rlimit limit = { 0 };
		int r = read_limit(*text, a, &limit, err);

		if (r < 0)
			return r;
		*limit_place(p, limit.type) = limit;
	}
	return 0;
}

static int set_oom_score(const char *text, struct spec_process *p, struct err *err)
{
	const char *rest = text + (*text == '-');
	uint64_t n;

	if (!isdigit((unsigned char)*rest) || !number_scan(&rest, &n) || *rest || n > OOM_SCORE_MAX)
		return err_set(err, EINVAL,
			       "oom score adj \"%.40s\" is no number from -1000 to 1000", text);
	p->oom_score_adj = (struct opt_i32){ true, *text == '-' ? -(int32_t)n : (int32_t)n };
	return 0;
}

static bool has_group(const struct spec_user *user, uint32_t gid)
{
	for_each (known, &user->additional_gids)
		if (*known == gid)
			return true;
	return false;
}

static int add_groups(const struct convert_opts *opts, int root_fd, struct arena *a,
		      struct spec_user *user, struct err *err)
{
	size_t n = user->additional_gids.count;
	uint32_t *gids = arena_calloc(a, n + opts->groups.count + 1, sizeof(*gids));

	if (n)
		memcpy(gids, user->additional_gids.items, n * sizeof(*gids));
	user->additional_gids.items = gids;
	for_each (name, &opts->groups) {
		uint32_t gid;
		int r = users_group(root_fd, *name, a, &gid, err);

		if (r < 0)
			return r;
		if (!has_group(user, gid))
			gids[user->additional_gids.count++] = gid;
	}
	return 0;
}

int convert_settings(const struct convert_opts *opts, int root_fd, struct arena *a,
		     struct spec_process *p, struct err *err)
{
	int r = set_ulimits(opts, a, p, err);

	if (r == 0 && opts->oom_score_adj)
		r = set_oom_score(opts->oom_score_adj, p, err);
	if (r == 0 && opts->groups.count)
		r = add_groups(opts, root_fd, a, &p->user, err);
	p->no_new_privileges = !opts->new_privileges;
	p->apparmor_profile = opts->apparmor ? arena_strdup(a, opts->apparmor) : NULL;
	return r;
}

/* In place of one of that key. list has room. */
static void set_pair(struct key_value_list *list, char *key, char *value)
{
	for_each (kv, list)
		if (strcmp(kv->key, key) == 0) {
			kv->value = value;
			return;
		}
	list->items[list->count++] = (struct key_value){ key, value };
}

static void make_room(struct key_value_list *list, size_t more, struct arena *a)
{
	struct key_value *items = arena_calloc(a, list->count + more + 1, sizeof(*items));

	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	list->items = items;
}

/* The two ways to write a name are one (spec_sysctl_path()), so that the later one counts. */
static void use_dots(char *key)
{
	if (key[strcspn(key, "./")] != '/')
		return;
	for (char *c = key; *c; c++)
		*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
}

int convert_sysctls(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err)
{
	make_room(&l->sysctl, opts->sysctls.count, a);
	for_each (text, &opts->sysctls) {
		char *value = arena_strdup(a, *text), *key = strsep(&value, "=");

		if (!*key || !value)
			return err_set(err, EINVAL, "sysctl \"%.80s\" is not NAME=VALUE", *text);
		use_dots(key);
		set_pair(&l->sysctl, key, value);
	}
	return 0;
}

static int add_annotations(const struct strv *texts, const char *option, bool any, struct arena *a,
			   struct key_value_list *list, struct err *err)
{
	for_each (text, texts) {
		char *value = arena_strdup(a, *text), *key = strsep(&value, "=");

		if (!*key)
			return err_set(err, EINVAL, "%s \"%.80s\" is not KEY=VALUE", option, *text);
		if (!any && convert_steers(key))
			return err_set(
				err, EINVAL,
				"%s \"%.80s\" would steer the runtime: that is for annotations",
				option, *text);
		set_pair(list, key, value ? value : arena_strdup(a, ""));
	}
	return 0;
}

/* A label is a note; an annotation may be an order, which an image's labels never are. */
int convert_more_annotations(const struct convert_opts *opts, struct arena *a,
			     struct key_value_list *list, struct err *err)
{
	int r;

	make_room(list, opts->labels.count + opts->annotations.count + 2, a);
	if (opts->stop_signal)
		set_pair(list, arena_strdup(a, STOP_SIGNAL), arena_strdup(a, opts->stop_signal));
	r = add_annotations(&opts->labels, "label", false, a, list, err);
	if (r == 0)
		r = add_annotations(&opts->annotations, "annotation", true, a, list, err);
	if (r == 0 && opts->init)
		set_pair(list, arena_strdup(a, ANNOTATION_INIT), arena_strdup(a, "true"));
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/run_network.h"

#include "cmd/tote/tote.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <string.h>

static int not_given(const struct network_options *o, const char *word, struct err *err)
{
	const char *option = o->publish.count ? "--publish"
			     : o->ip	      ? "--ip"
			     : o->mac	      ? "--mac-address"
					      : NULL;

	return option ? err_set(err, EINVAL, "%s: the network \"%s\" is not ours to set up", option,
				word)
		      : 0;
}

/* The network of a container's first process. */
static int container_path(const char *id, struct arena *a, struct network_wish *ret,
			  struct err *err)
{
	autocontainer c = CONTAINER_INIT;
	autofd root = open_root(false, err);
	int r = root < 0 ? root : container_open(root, id, false, &c, err);

	if (r == 0 && !proc_alive(&c.st.init))
		r = err_set(err, ESRCH, "container %s is not running", id);
	if (r < 0)
		return err_prefix(err, "--network");
	ret->path = arena_printf(a, "/proc/%d/ns/net", c.st.init.pid);
	ret->shared_names = c.st.names ? arena_strdup(a, c.st.names) : NULL;
	return 0;
}

static int shared(const struct network_options *o, const char *word, enum network_mode mode,
		  struct network_wish *ret, struct err *err)
{
	ret->mode = mode;
	return not_given(o, word, err);
}

/* The words that name no network. 1 when it was none of them. */
static int special(const struct network_options *o, const char *word, struct arena *a,
		   struct network_wish *ret, struct err *err)
{
	if (strcmp(word, "none") == 0)
		return shared(o, word, NETWORK_OWN, ret, err);
	if (strcmp(word, "host") == 0)
		return shared(o, word, NETWORK_HOST, ret, err);
	if (strncmp(word, "ns:", 3) == 0) {
		ret->path = word + 3;
		if (ret->path[0] != '/')
			return err_set(err, EINVAL, "--network %s: expected an absolute path",
				       word);
		return shared(o, word, NETWORK_PATH, ret, err);
	}
	if (strncmp(word, "container:", 10) == 0) {
		int r = container_path(word + 10, a, ret, err);

		return r < 0 ? r : shared(o, word, NETWORK_PATH, ret, err);
	}
	return 1;
}

int run_network(const struct network_options *o, const char *fallback, struct arena *a,
		struct network_wish *ret, struct err *err)
{
	autofree char *run_dir = absolute(network_run_dir(globals.rootless, a));
	const char *word = o->networks.count  ? o->networks.items[0]
			   : o->publish.count ? ""
					      : fallback;
	int r;

	*ret = (struct network_wish){ .run_dir = arena_strdup(a, run_dir),
				      .rootless = globals.rootless,
				      .publish = { (char **)o->publish.items, o->publish.count },
				      .ip = o->ip,
				      .mac = o->mac };
	if (!word)
		return shared(o, "of config.json", NETWORK_AS_SPEC, ret, err);
	r = special(o, word, a, ret, err);
	if (r <= 0 && o->networks.count > 1)
		return err_set(err, EINVAL, "--network: \"%s\" goes with no other network", word);
	if (r <= 0)
		return r;
	ret->mode = NETWORK_OWN;
	ret->names.items = arena_calloc(a, o->networks.count + 1, sizeof(char *));
	ret->names.count = o->networks.count ? o->networks.count : 1;
	for (size_t i = 0; i < o->networks.count; i++) {
		struct network_wish ignored = { 0 };

		ret->names.items[i] = (char *)o->networks.items[i];
		if (i && special(o, o->networks.items[i], a, &ignored, err) <= 0)
			return err_set(err, EINVAL, "--network: \"%s\" goes with no other network",
				       o->networks.items[i]);
	}
	if (!o->networks.count)
		ret->names.items[0] = (char *)"";
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks as people configure them: CNI conflists (spec 1.1 section 1), files NAME.conflist (and
 * .conf and .json with a single plugin) in /etc/cni/net.d, in lexical order.
 */
#ifndef NETNS_CONF_H
#define NETNS_CONF_H

#include "lib/arena.h"
#include "lib/json.h"

#define CNI_CONF_DIR "/etc/cni/net.d"

struct cni_network {
	char *file; /* name within the directory; NULL: not from a file */
	char *name, *version;
	bool disable_check, disable_gc;
	bool single;			/* one plugin's configuration, not a list */
	struct json_value *plugins;	/* array, one object at least, each with a "type" */
	const struct json_value *whole; /* the document */
};

struct cni_networks {
	struct cni_network *items;
	size_t count;
	struct strv broken; /* "FILE: why", for those that cannot be used */
};

/*
 * One document, a list or a single plugin's configuration (which becomes a list of one). A plugin
 * {"type": "tote-cni", "plugins": [...]} is replaced by those within it. The version is the highest
 * known one of "cniVersion" and "cniVersions". -EBADMSG for broken JSON, -EPROTONOSUPPORT when no
 * version is known, -EINVAL for what a list may not be: no name, a bad one, no plugins.
 */
int cni_network_parse(const char *text, size_t len, struct arena *a, struct cni_network *ret,
		      struct err *err);
/* The same of a tree that lives as long as the arena. */
int cni_network_from_value(const struct json_value *whole, struct arena *a, struct cni_network *ret,
			   struct err *err);
/* All of a directory. A file that cannot be used is noted, not an error; nor is no directory. */
int cni_networks_load(const char *dir, struct arena *a, struct cni_networks *ret, struct err *err);
/*
 * The network of that name; the first in lexical order for NULL. "bridge" is there without a file,
 * too: cni_network_builtin(). -ENOENT (the message lists the names there are, and those files that
 * are broken).
 */
int cni_network_find(const char *dir, const char *name, struct arena *a, struct cni_network *ret,
		     struct err *err);
/* The network that `tote run -p` has where nothing is configured: bridge tote0, 10.87.0.0/16,
 * masquerading, ports. */
int cni_network_builtin(struct arena *a, struct cni_network *ret, struct err *err);

/* Letters, digits, "_", "." and "-", beginning with a letter or digit, 1 to 255 of them. */
bool cni_name_ok(const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attachment of a container to a network (CNI spec 1.1), and the plugins that work on it in
 * process. cni.c walks a network's list of plugins and hands the same struct attach to each; a type
 * that is not in plugins[] is executed as a program (exec.c).
 *
 * Rules for plugins:
 * - add() that fails leaves nothing behind that del() would not find: names are derived from the
 *   container and interface (attach_name()), never random, so that del() needs no memory.
 * - del() succeeds when there is nothing (any more), also with netns_fd -1 and without a result.
 * - Messages name the object and say what to do. err->code maps to a CNI code: cni_code().
 */
#ifndef NETNS_PLUGIN_H
#define NETNS_PLUGIN_H

#include "netns/link.h"
#include "netns/result.h"

struct port_rules;

struct attach {
	/* Who: strings of the caller's. */
	const char *container;	/* CNI_CONTAINERID, at most 255 bytes */
	const char *ifname;	/* CNI_IFNAME: the interface's name inside */
	const char *netns_path; /* CNI_NETNS; NULL or "": not told (DEL) */
	int netns_fd;		/* -1: not told, or gone */
	/* ADD: a new namespace is still being made. Waits for it and fills in the former two; NULL: it is
	 * there. For attach_netns(). */
	int (*await_netns)(struct attach *at);
	/* ADD: netns_path is good for the moment only. Waits for one that lasts; NULL: it does. */
	const char *(*lasting_path)(struct attach *at);
	void *await_arg;
	const char *args;	 /* CNI_ARGS, "NAME=VALUE;..."; NULL: none */
	const char *plugin_path; /* CNI_PATH, for programs; NULL: cni.h's default */
	const char *run_dir;	 /* where leases and records are */
	int run_fd;		 /* the same, open */
	const char *owner;	 /* record.h; NULL: the namespace decides */
	bool no_record;		 /* somebody who executed us has it, and holds its lock */
	const char *hostname;	 /* the name others on the network find it by; NULL: none */
	/* The network, and of it the plugin at hand. */
	const char *network;		  /* "name" */
	const char *version;		  /* "cniVersion" */
	const struct json_value *conf;	  /* the plugin's object */
	const struct json_value *runtime; /* "runtimeConfig": what the runtime offers; NULL: none */
	/* What the plugins so far made: ADD; of the ADD at CHECK and DEL, when it is known. */
	struct cni_result result;
	bool has_result;
	bool name_taken; /* ADD: somebody else's interface has the name, and del() has to leave it */
	bool single;	 /* the plugins beside it are others' to run */
	bool rules_gone;    /* DEL: the attachment has nothing in nf_tables any more */
	bool runtime_known; /* DEL: what "runtime" says is all that ADD was asked for */
	/* Opened when first asked for, closed by attach_close(). */
	struct rtnl *host, *inside;
	/* DEL: host interfaces' indices (int) go here for the caller to delete them when nobody waits
	 * any more; NULL: they are deleted at once. */
	struct buf *later;
	struct port_rules *rules; /* what want() appends to */
	struct arena *arena;	  /* for all that result points to */
	struct err *err;
};

/* Waits for a namespace that is still to come. 0 or -errno. */
int attach_netns(struct attach *at);
/* The rtnetlink sockets of the host (the calling thread's namespace) and of the container. The
 * second waits for the namespace, and fails with -ENOENT when it is gone. 0 or -errno. */
int attach_host(struct attach *at, struct rtnl **ret);
int attach_inside(struct attach *at, struct rtnl **ret);
/* Closes the two sockets, nothing else. */
void attach_close(struct attach *at);

/*
 * A host interface's name for this attachment: prefix (at most 4 bytes: "veth", "ifb") and digits of
 * a hash of network, container and interface; 15 bytes at most, the same for the same three.
 */
void attach_name(const struct attach *at, const char *prefix, char ret_name[IFNAMSIZ]);
/* The same as hexadecimal digits, 24 of them and a NUL: the owner's name in nf_tables. */
#define ATTACH_KEY_SIZE 25
void attach_key(const struct attach *at, char ret_key[ATTACH_KEY_SIZE]);
/* The value of NAME in CNI_ARGS, in the arena; NULL when it is not there. */
const char *attach_arg(const struct attach *at, const char *name);

/* An attachment that is still in use: "cni.dev/valid-attachments". */
struct cni_valid {
	const char *container, *ifname;
};

struct plugin {
	const char *type;
	int (*add)(struct attach *at);
	int (*del)(struct attach *at);
	int (*check)(struct attach *at);  /* NULL: nothing to check */
	int (*status)(struct attach *at); /* can it ADD now? NULL: always */
	/* Removes what belongs to none of the attachments given; NULL: keeps nothing of its own. */
	int (*gc)(struct attach *at, const struct cni_valid *valid, size_t count);
	/*
	 * The part of del() that others may wait for, in two steps: what there is in nf_tables, of all of
	 * the list at once (port_forget_rules()); then addresses. All that stays is what leftover.h takes
	 * away. NULL: there is none of that; both: DEL cannot be halved.
	 */
	int (*want)(struct attach *at);
	int (*give_back)(struct attach *at);
	bool early; /* add() begins before there is a namespace, and waits for it by attach_inside() */
};

/* By type, or NULL. */
const struct plugin *plugin_find(const char *type);

extern const struct plugin plugin_bridge, plugin_ptp, plugin_macvlan, plugin_ipvlan,
	plugin_loopback, plugin_host_device, plugin_tuning, plugin_bandwidth, plugin_portmap,
	plugin_firewall;

#endif

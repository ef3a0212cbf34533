/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of an attachment: RUN_DIR/attachments/CONTAINER/IFNAME, JSON, written before anything
 * is made of it and removed last. The run directory is gone after a reboot, and so is what it speaks
 * of. DEL, repair, watch, names and `tote network inspect` read it.
 *
 * There is one record for an attachment (container, interface and network), whoever runs its chain.
 * When a runtime of somebody else's runs the plugins one by one, each of them a tote-cni with a single
 * plugin's configuration, they gather in that record in the order of their ADDs, each with the
 * "runtimeConfig" it got, and leave it with their DELs: at any time it is the list that was added, as
 * if it had been one. The last one's DEL removes the file.
 */
#ifndef NETNS_RECORD_H
#define NETNS_RECORD_H

#include "netns/conf.h"
#include "netns/plugin.h"

#define NET_RUN_DIR "/run/tote-net"

struct record {
	char *container, *ifname;
	char *netns_path; /* NULL: not told, or one that only the caller could open */
	char *netns_id; /* "DEVICE:INODE" of the namespace; a path that is another's now has another */
	char *owner; /* a directory that is there as long as the container is; NULL: the namespace decides */
	char *args;		    /* CNI_ARGS */
	char *hostname;		    /* the name others find it by; NULL: none */
	bool gathered;		    /* of plugins that were run one by one */
	struct cni_network network; /* without file; its plugins have no "prevResult" */
	/* For the plugins that have no "runtimeConfig" of their own; NULL: none. */
	const struct json_value *runtime;
	struct cni_result result;
	bool done; /* ADD ended well: result is set */
};

/* What nobody can tell any more: on which network it is, and whose ports and leases are its. */
struct record_broken {
	char *container;
	char *ifname; /* the name of the file, whatever it is; NULL: all of the container */
	char *why;    /* names the file */
};

struct records {
	struct record *items;
	size_t count;
	LIST(struct record_broken) broken;
};

/*
 * Whether a container can have that id: what CNI allows (cni_name_ok()), and what `tote run` does, too:
 * "+", and "_", "+" or "-" in front. Never a path or a hidden file.
 */
bool record_id_ok(const char *container);

/* Opens (makes) the run directory, 0700. A descriptor or -errno. */
int record_dir_open(const char *path, struct err *err);
/*
 * Claims a container's attachments, by an flock on its directory, which is made for that. Waits at
 * most 100 seconds (-ETIMEDOUT): plugins that are programs may take their time. A descriptor, for
 * record_unlock(), or -errno.
 */
int record_lock(int run_fd, const char *container, struct err *err);
/* The same without waiting: -EAGAIN while another process has it. */
int record_try_lock(int run_fd, const char *container, struct err *err);
/* Ends the claim, also where children still have a copy of the descriptor; a directory that is empty
 * is removed. */
void record_unlock(int run_fd, const char *container, int lock_fd);
int record_save(int run_fd, const struct record *r, struct err *err);
/* -ENOENT when there is none; one that cannot be read (a full disk) is -EBADMSG. */
int record_load(int run_fd, const char *container, const char *ifname, struct arena *a,
		struct record *ret, struct err *err);
/* Of which interfaces of a container there are some, by name. -ENOENT: of none. */
int record_ifnames(int run_fd, const char *container, struct arena *a, struct strv *ret,
		   struct err *err);
/* All, those of one container (NULL: any) by name; unreadable ones are in `broken`. */
int record_list(int run_fd, const char *container, struct arena *a, struct records *ret,
		struct err *err);
/* The one whose attach_key() is that: an owner's name in nf_tables. NULL when it is none's. */
const struct record *record_of_key(const struct records *records, const char *key);
/* 0 also when there is none. */
int record_remove(int run_fd, const char *container, const char *ifname, struct err *err);
/*
 * Removes the directory of a container (NULL: of each) in which nothing is recorded: what is there when
 * a process is killed before it could record what it is about to make. 0 or -errno.
 */
int record_prune(int run_fd, const char *container, struct err *err);
/* Whether what it was made for is still there: the owner's directory, else the namespace. What cannot
 * be looked at counts as there. */
bool record_alive(const struct record *r);

#endif

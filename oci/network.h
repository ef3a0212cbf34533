/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of a container that `tote run --network` starts: which namespace it has, and what a
 * process of ours (join.h) sets up in it while the container's own makes its mounts. `create` never does
 * more than config.json says: its callers bring their own network.
 */
#ifndef OCI_NETWORK_H
#define OCI_NETWORK_H

#include "lib/deadline.h"
#include "lib/proc.h"
#include "netns/names.h"
#include "oci/spec.h"
#include "oci/state.h"

enum network_mode {
	NETWORK_AS_SPEC, /* as config.json has it */
	NETWORK_HOST,	 /* the host's own */
	NETWORK_PATH,	 /* somebody's namespace */
	NETWORK_OWN,	 /* a new one that joins the networks named */
};

struct network_wish {
	enum network_mode mode;
	const char *path;	 /* NETWORK_PATH */
	struct strv names;	 /* NETWORK_OWN: of configured networks; "" is the default one */
	struct strv publish;	 /* ports, as -p takes them */
	const char *ip, *mac;	 /* in the first network; NULL: as they come */
	const char *hostname;	 /* besides the id, what others find it by; NULL: none */
	const char *run_dir;	 /* where what is known is kept: network_run_dir() */
	bool rootless;		 /* only what ordinary users can have */
	struct names_wish known; /* what stands in the files of names_dir */
	const char *
		shared_names; /* NETWORK_PATH: the names_dir of whose namespace it is; NULL: none */
	const char *names_dir; /* its hosts and resolv.conf, removed with it; NULL: it has none */
};

/* What is under way; zeroed: nothing. */
struct network_setup {
	struct proc_helper helper;
	int sock; /* the namespace is handed over here, and it says that it is done */
	bool handed, owes_process;
	bool freed; /* of a removal: see network_await_freed() */
};

/* $TOTE_NET_DIR, else /run/tote-net, or tote-net in an ordinary user's $XDG_RUNTIME_DIR. In the
 * arena. */
const char *network_run_dir(bool rootless, struct arena *a);

/* Changes the spec's namespaces. -EINVAL when they cannot be what is wished for. */
int network_apply(const struct network_wish *wish, struct spec *spec, struct arena *a,
		  struct err *err);

/* Makes the files of names_dir, once the id is claimed. 0 when it has none. */
int network_make_names(const struct network_wish *wish, const char *id, struct err *err);

/*
 * Starts the process, which reads what is configured while others work; owner is the container's
 * directory, by which its records are known to live. 0 when there is nothing to do either. Behind
 * network_end() it waits for network_begin_removal(), until network_abandon() or our end.
 */
int network_begin(struct network_setup *n, const struct network_wish *wish, const char *id,
		  const char *owner, struct err *err);
/* The id is ours, and its state says that it has networks: leases and what else needs no namespace are made
 * from now on. */
int network_go_ahead(struct network_setup *n, struct err *err);
/* Whether it waits for a namespace. */
bool network_waits(const struct network_setup *n);
/* The namespace is there (netns_fd stays the caller's); pid, or 0 while there is no process: then it is told
 * of that later, in front of network_end(). By the process others find the namespace. */
int network_hand_over(struct network_setup *n, int netns_fd, pid_t pid, struct err *err);
int network_tell_process(struct network_setup *n, pid_t pid, struct err *err);
/* Waits until all is set up. On failure nothing is left of it. */
int network_end(struct network_setup *n, struct err *err);
/* Gives up what was begun and not ended; the process goes. */
void network_abandon(struct network_setup *n);

/* The way back, in steps so that other work can be done between them; by a process that joined, or a new one. */
int network_begin_removal(struct network_setup *n, const struct state *st, struct err *err);
/* Waits until addresses and ports are free and nothing of it is in nf_tables. Who may be killed with all his
 * cgroup when he ends (by systemd) would leave that behind otherwise. May be left out. */
int network_await_freed(struct network_setup *n, const struct deadline *deadline, struct err *err);
/* Waits until nobody finds it by its names either. */
int network_end_removal(struct network_setup *n, const struct deadline *deadline, struct err *err);

#endif

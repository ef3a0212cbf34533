/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers in transient scopes of systemd (org.freedesktop.systemd1(5)): what unit a container
 * gets and where that lies, its limits as properties, and the errands to tote-systemd, which lies
 * next to the running program and is executed with this manager only. Used by oci/create_cgroup.c,
 * oci/resources.c, oci/delete.c and oci/exec.c. Limits are written to the group as well: systemd
 * does not know all of them and rounds some; it has to know what it does, or a reload would undo
 * it.
 */
#ifndef OCI_SCOPE_H
#define OCI_SCOPE_H

#include "cgroups/cg.h"
#include "cgroups/limits.h"
#include "lib/arena.h"
#include "lib/err.h"
#include "lib/types.h"
#include "oci/state.h"

/* Names (scope.c). Strings live in the arena that they were made with. */
struct scope {
	char *unit;  /* "tote-box1.scope" */
	char *slice; /* "system.slice" */
	char *path;  /* where its group is to be expected below the cgroup2 mount */
	bool user;   /* of the user's systemd, not the system's */
};

/*
 * The unit of the container id. cgroups_path: "slice:prefix:name" for prefix-name.scope (an empty
 * prefix: name.scope; an empty slice: the default), NULL or "": tote-ID.scope in system.slice, or
 * in the user.slice of the user's systemd. Characters that unit names do not have are escaped like
 * systemd-escape(1) does. -EINVAL for anything else.
 */
int scope_name(const char *cgroups_path, const char *id, bool user, struct arena *a,
	       struct scope *ret_scope, struct err *err);

/* Whose systemd is asked: the user's for everybody but root of the initial user namespace. */
bool scope_of_user(void);

/* -EOPNOTSUPP with the remedy when systemd does not run here (sd_booted(3)). */
int scope_available(struct err *err);

/* Properties (scope_properties.c), as words for tote-systemd: "?MemoryMax=t:67108864". */
struct scope_words {
	struct arena *a;
	struct strv list;
	size_t room;
};

/* The word is to live as long as the arena. */
void scope_words_add(struct scope_words *w, char *word);
/* What every scope of a container has: its first process, slice, delegation, accounting. */
void scope_words_base(struct scope_words *w, const struct scope *scope, const char *id, pid_t pid);

/* What holds in the group before the change: partial writes are completed from it. */
struct scope_now {
	const char *cpu_max; /* "max 100000" */
	bool idle;
};

#define SCOPE_NOW_NEW                                                                              \
	{                                                                                          \
		"max 100000", false                                                                \
	}

/*
 * The limits that systemd has properties for; the rest is left to the files. A value that it could
 * not hold is left out as well, as it is the file that counts. CPU quotas are rounded up to a whole
 * percent, which is how systemd keeps them.
 */
void scope_words_limits(struct scope_words *w, const struct cg_writes *writes,
			const struct scope_now *now);

/* Annotations "org.systemd.property.NAME" (scope_annotations.c), values as GVariant text. -EINVAL
 * names the one that is none of those allowed. */
int scope_words_annotations(struct scope_words *w, const struct key_value_list *annotations,
			    struct err *err);

/* Errands (scope_errands.c). All of them wait for systemd, for a bounded time. */

/*
 * A process that does nothing: a scope needs one until the container's own is in it. It ends with
 * the caller. Its pid or -errno.
 */
pid_t scope_hold(void);
/* Ends and reaps it; 0: there is none. */
void scope_let_go(pid_t *holder);

/*
 * Makes the unit of st with these properties. *ret_path, in the arena of the words, is the group
 * that it got. -ETIMEDOUT leaves it open whether there is one now; any other failure leaves none.
 */
int scope_start(const struct state *st, const struct scope_words *words, char **ret_path,
		struct err *err);
/* Changes properties while the unit lives. No words: no errand. */
int scope_set(const struct state *st, const struct scope_words *words, struct err *err);
/*
 * Kills what is in the unit and has systemd forget it, in timeout_ms. -ENOTCONN when systemd cannot
 * be reached. A unit that is gone is success.
 */
int scope_stop(const struct state *st, int timeout_ms, struct err *err);

/*
 * Makes sure that the caller may clone into the group at path. The kernel asks for write access to
 * the closest common ancestor (cgroup-v2.rst, "Delegation Containment"), which a login session does
 * not have over the user's systemd: then the caller is put into a scope of its own there.
 */
int scope_reach(const struct state *st, const struct cg_tree *tree, const char *path,
		struct err *err);

#endif

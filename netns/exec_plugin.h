/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugins that are programs: CNI spec 1.1 sections 2 and 4. cni.c executes types that are not in
 * process by this, ipam.c "ipam" types.
 *
 * The program gets at->conf with name, cniVersion, runtimeConfig and prevResult filled in, and as its
 * environment ours with CNI_* set. It has 90 seconds. What it writes to stderr goes to ours, 64 KiB at
 * most. An error that it answers keeps its number, see CNI_ERROR() in cni.h.
 */
#ifndef NETNS_EXEC_PLUGIN_H
#define NETNS_EXEC_PLUGIN_H

#include "netns/plugin.h"

/* The container whose attachment is in progress and its record held: set for those programs, so that
 * a tote-cni among them or below them does not wait for its own caller. */
#define CNI_HELD_ENV "TOTE_CNI_HELD"

/*
 * Executes the plugin type from at->plugin_path: command is "ADD", "DEL", "CHECK" or "STATUS".
 * ret_result (may be NULL) is set by ADD only. 0; -ENOENT when there is no such program; -EBADMSG when
 * it answers no result; -ETIMEDOUT; -EIO when it ends badly without an error object.
 */
int cni_exec(struct attach *at, const char *type, const char *command,
	     struct cni_result *ret_result);
/* The same for "GC". */
int cni_exec_gc(struct attach *at, const char *type, const struct cni_valid *valid, size_t count);

/* 0, or -ENOENT with a message. */
int cni_exec_find(const struct attach *at, const char *type, char **ret_path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `tote network` share. */
#ifndef CMD_TOTE_NET_NET_H
#define CMD_TOTE_NET_NET_H

#include "cmd/program.h"
#include "netns/cni.h"
#include "netns/link.h"
#include "netns/place.h"
#include "netns/record.h"

extern const struct verb verb_create, verb_ls, verb_inspect, verb_rm, verb_up, verb_down,
	verb_check, verb_gc, verb_repair, verb_watch;

/* Begins the options of every verb. */
struct place_options {
	const char *run_dir, *conf_dir;
};

#define PLACE_OPTIONS                                                                              \
	{ "run-dir",  0,                                                                           \
	  OPT_STRING, offsetof(struct place_options, run_dir),                                     \
	  "DIR",      "what is known of attachments (default TOTE_NET_DIR, else /run/tote-net)" }, \
	{                                                                                          \
		"conf-dir", 0, OPT_STRING, offsetof(struct place_options, conf_dir), "DIR",        \
			"networks' files (default NETCONFPATH, else /etc/cni/net.d)"               \
	}

const char *run_dir_of(const struct place_options *o);
const char *conf_dir_of(const struct place_options *o);
int open_place(const struct place_options *o, struct place *ret, struct err *err);

/* Lets other containers' hosts files know; a failure is a warning. */
void update_names(const struct place *p);

/* A warning for each record that cannot be read. */
void warn_broken(const struct records *records);

/* --format: -EINVAL unless it is NULL, "table" or "json". */
int check_format(const char *format, bool *ret_json, struct err *err);

/* Members of a plugin's configuration; "" when it is none. */
const char *conf_text(const struct json_value *conf, const char *key);
bool conf_true(const struct json_value *conf, const char *key);

/* The member of a network's file that says its bridge was made for it, and goes with it. */
#define OWN_BRIDGE "tote.ownBridge"

#endif

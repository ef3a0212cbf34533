/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `tote run`, and of `tote create` with an image; what both do with the image. */
#ifndef CMD_TOTE_RUN_OPTIONS_H
#define CMD_TOTE_RUN_OPTIONS_H

#include "cmd/tote/image_options.h"
#include "cmd/tote/make_options.h"
#include "cmd/tote/run_network.h"
#include "cmd/tote/streams.h"

struct run_options {
	struct make_options make; /* first: MAKE_OPTIONS are offsets in it */
	struct network_options network;
	struct image_options image;
	const char *id;		/* --name of `run IMAGE` */
	const char *image_name; /* --image of `create` */
};

#define NETWORK_OPTION(name, letter, kind, member, value, help)                                    \
	{                                                                                          \
		name, letter, kind, offsetof(struct run_options, network.member), value, help      \
	}

#define NETWORK_OPTIONS                                                                            \
	NETWORK_OPTION("network", 0, OPT_LIST, networks, "NAME",                                   \
		       "a configured network, or none, host, ns:PATH, container:ID, pasta"),       \
		NETWORK_OPTION("publish", 'p', OPT_LIST, publish, "[IP:]HOST:PORT[/PROTOCOL]",     \
			       "reach a port of it by one of the host's"),                         \
		NETWORK_OPTION("ip", 0, OPT_STRING, ip, "ADDRESS",                                 \
			       "the address that it gets in its network"),                         \
		NETWORK_OPTION("mac-address", 0, OPT_STRING, mac, "MAC",                           \
			       "the hardware address that it gets there")

/* A container that was made, and what is open of it. */
struct running {
	struct container c;
	int root, pidfd, terminal;
	int tree; /* of an image that we attend to: its root file system ends with this, not as a
		     part of the program's end */
	int rest; /* of that, what nobody needs any more (struct rootfs) */
	struct lent_streams lent;
};

#define RUNNING_INIT                                                                               \
	{                                                                                          \
		.c = CONTAINER_INIT, .root = -1, .pidfd = -1, .terminal = -1, .tree = -1,          \
		.rest = -1                                                                         \
	}

void running_close(struct running *running);

/* An image that is about to be run. */
struct imaging;

/* The one of that name in the store: 0, or -errno without a store or an image. On the heap. */
int imaging_open(const char *image, struct imaging **ret, struct err *err);
/* Makes a container of it, and runs it or has it wait for start: args are its program's. id may be
 * NULL. Streams that were lent may be taken back, also after a failure. */
int imaging_make(struct imaging *im, const char *id, char **args, const struct run_options *o,
		 bool run, struct running *running, struct err *err);
void imaging_close(struct imaging *im);
/* Logs err; the exit code as shells have it, and who runs images by name: 127 no such program, 126 it
 * cannot be executed, 125 anything of ours. */
int imaging_fail(const struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an image's configuration to a config.json: conversion.md of the image-spec, plus what the
 * user asked for on the command line, on top of the defaults for containers that run from images.
 * Used by `tote run IMAGE` and `tote bundle`.
 */
#ifndef OCI_IMAGE_CONVERT_H
#define OCI_IMAGE_CONVERT_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/types.h"
#include "oci/image/manifest.h"
#include "oci/spec.h"

struct convert_mount {
	const char *source, *destination; /* absolute */
	const char *options; /* "ro", "rw,nosuid": further mount options with commas, NULL: none */
	bool tmpfs;	     /* source is not used */
	bool lend; /* the source is a file for this container alone: its owner may change */
};

/* What the command line asks for; zeroed means the image's own or the default. */
struct convert_opts {
	const char *root_path;	/* root.path */
	struct strv args;	/* in place of Cmd */
	const char *entrypoint; /* in place of Entrypoint, and then Cmd does not count; "" for none;
				   NULL: the image's */
	struct strv env;	/* "NAME=VALUE", or "NAME" for the caller's value; they win */
	const char *user, *working_dir, *hostname;
	LIST(struct convert_mount) mounts;
	bool read_only, tty;
	bool rootless;		       /* by an ordinary user: a user namespace (without mappings
					  the caller's ids are 0 in it), no device rules, and no
					  pids limit unless asked for */
	const char *memory, *cpus;     /* "64m", "0.5" */
	int64_t pids_limit;	       /* 0: 512, the default; -1: none */
	struct strv cap_add, cap_drop; /* "NET_ADMIN", "cap_net_admin", "ALL" */
	bool host_network; /* shares the host's network namespace; the only network that an
			      ordinary user has without help */
	bool ping;	   /* without CAP_NET_RAW: it has a network that leads somewhere */
	struct spec_id_mappings uid_mappings, gid_mappings; /* of a user namespace; empty: none */
	bool host_pid, host_ipc, host_uts; /* shares these namespaces with the host */
	bool new_privileges;		   /* no_new_privs is not set */
	bool init;			   /* its pid 1 is ours: oci/spec_annotations.h */
	const char *memory_reservation,
		*memory_swap; /* as memory; of swap with memory, "-1": any */
	const char *cpu_shares, *cpuset_cpus, *blkio_weight, *oom_score_adj;
	const char *shm_size;	 /* of /dev/shm, as memory */
	const char *apparmor;	 /* a profile's name */
	const char *stop_signal; /* in place of the image's; recorded only */
	struct strv ulimits;	 /* "nofile=1024:4096", "core=-1" */
	struct strv sysctls;	 /* "net.core.somaxconn=1024" */
	struct strv devices;	 /* "/dev/ttyS0[:/dev/inside][:rwm]", as they are on this host */
	struct strv groups;	 /* additional ones: names of the image, or numbers */
	struct strv labels, annotations; /* "KEY=VALUE"; both become annotations */
	const char *seccomp; /* the built-in profile for NULL, "unconfined", or the text of a
				profile (JSON) */
	const char *cgroups_path;
	bool portable; /* for people and other runtimes: indented, the built-in seccomp profile
			  written out */
};

/*
 * The spec, in the arena; parts of it are the image's and the options' own strings. root_fd: the
 * root file system, read for users and groups only (oci/users.h). Labels become annotations,
 * but for those that would steer a runtime. -ENOENT: no such user or group in the image; -EINVAL:
 * nothing to run, a malformed option; -EOPNOTSUPP: a seccomp profile with Docker's conditions; with
 * words.
 */
int convert_build(const struct image_config *image, const struct convert_opts *opts, int root_fd,
		  struct arena *a, struct spec *ret, struct err *err);

/* The same as text: appends config.json, for tote alone unless it is to be portable. Nothing is
 * appended after an error. */
int convert_spec(const struct image_config *image, const struct convert_opts *opts, int root_fd,
		 struct buf *ret_json, struct err *err);

/* "67108864", "64k", "64M", "1.5g", "2GiB": as number_bytes(). False for anything else, also 0. */
bool convert_bytes(const char *text, int64_t *ret);

/* Whether nothing may be mounted there: /proc, /sys, /dev and below, but /dev/shm and /dev/mqueue. */
bool convert_guards(const char *path);

#endif

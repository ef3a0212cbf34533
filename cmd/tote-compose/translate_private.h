/* SPDX-License-Identifier: Apache-2.0 */
/* What translate*.c share. */
#ifndef CMD_TOTE_COMPOSE_TRANSLATE_PRIVATE_H
#define CMD_TOTE_COMPOSE_TRANSLATE_PRIVATE_H

#include "cmd/tote-compose/translate.h"

/* A list of strings that grows; v is NULL-terminated. */
struct words {
	struct strv v;
	size_t room;
};

struct translating {
	const struct compose_file *file;
	const struct translate_options *o;
	const struct surroundings *around;
	struct arena *a;
	struct err *err;
	const struct yaml_node *root;
	bool *active;	      /* for each service of the file */
	bool *used_networks;  /* for each network of the file */
	bool default_network; /* some service is on it, and the file does not declare it */
	struct words directories, volumes, warnings, services;
	LIST(struct needed_content) contents;
	size_t content_room;
	struct translation *ret;
};

void words_add(struct translating *t, struct words *w, const char *word);
/* Unless it is there already. */
void words_add_once(struct translating *t, struct words *w, const char *word);

/* err gets "FILE:LINE: services.NAME: words"; returns -EINVAL. */
int translate_error(struct translating *t, const struct yaml_node *n,
		    const struct compose_service *s, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A path as the file means it, absolute. */
char *translate_path(struct translating *t, const char *path);
struct compose_service *find_service(const struct translating *t, const char *name);

/* translate_words.c: the options of `tote create`. */
int translate_words(struct translating *t, const struct compose_service *s, struct words *w);
/* translate_env.c: --env of all of them. */
int translate_environment(struct translating *t, const struct compose_service *s, struct words *w);
/* translate_network.c */
int translate_attachments(struct translating *t, const struct compose_service *s, struct words *w);
int translate_networks(struct translating *t);
/* translate_ports.c: -EINVAL when two services want one port of the host. */
int translate_check_ports(struct translating *t);
/* translate_files.c */
int translate_mounts(struct translating *t, const struct compose_service *s, struct words *w);
int translate_files(struct translating *t, const struct compose_service *s,
		    struct desired_service *ret);

#endif

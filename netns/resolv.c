/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/resolv.h"

#include "lib/file.h"

#include <fcntl.h>
#include <string.h>

#define RESOLV_MAX 65536

static void append(struct strv *list, struct arena *a, char *word)
{
	char **items = arena_calloc(a, list->count + 2, sizeof(*items));

	if (list->count)
		memcpy(items, list->items, list->count * sizeof(*items));
	items[list->count++] = word;
	list->items = items;
}

static void read_line(char *line, struct arena *a, struct cni_dns *dns)
{
	static const char blanks[] = " \t\r";
	char *rest, *key = strtok_r(line, blanks, &rest), *word;
	struct strv *list = NULL;

	if (!key || key[0] == '#' || key[0] == ';')
		return;
	if (strcmp(key, "nameserver") == 0)
		list = &dns->nameservers;
	else if (strcmp(key, "search") == 0)
		list = &dns->search;
	else if (strcmp(key, "options") == 0)
		list = &dns->options;
	while ((word = strtok_r(NULL, blanks, &rest))) {
		if (list)
			append(list, a, word);
		else if (strcmp(key, "domain") == 0)
			dns->domain = word;
		/* A name server has one address. */
		if (list == &dns->nameservers)
			break;
	}
}

int resolv_read(const char *path, struct arena *a, struct cni_dns *ret, struct err *err)
{
	struct cni_dns dns = { 0 };
	char *text, *line;
	int r = file_read(AT_FDCWD, path, RESOLV_MAX, a, &text, NULL, err);

	if (r < 0)
		return r;
	while ((line = strsep(&text, "\n")))
		read_line(line, a, &dns);
	*ret = dns;
	return 0;
}

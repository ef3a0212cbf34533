/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-cni/request.h"

#include "lib/cleanup.h"

#include <stdio.h>
#include <string.h>

static int find_command(struct request *q, const struct command *commands, size_t count)
{
	const char *name = getenv("CNI_COMMAND");
	char shown[CNI_SHOWN_SIZE];

	if (!name || !*name)
		return err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
			       "missing in the environment: CNI_COMMAND");
	for (size_t i = 0; i < count; i++)
		if (strcmp(commands[i].name, name) == 0)
			q->command = &commands[i];
	if (!q->command)
		return err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
			       "CNI_COMMAND: \"%s\" is none of ADD, DEL, CHECK, STATUS, GC and "
			       "VERSION",
			       cni_shown(name, shown));
	return 0;
}

/* All that is missing at once: code 4 wants the names. */
static int find_missing(const struct request *q)
{
	const struct {
		enum need need;
		const char *name, *value;
	} variables[] = {
		{ CONTAINER, "CNI_CONTAINERID", q->container },
		{ NETNS, "CNI_NETNS", q->netns },
		{ IFNAME, "CNI_IFNAME", q->ifname },
	};
	char names[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (q->command->needs & variables[i].need &&
		    (!variables[i].value || !*variables[i].value))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", variables[i].name);
	return len ? err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
			     "missing in the environment: %s", names)
		   : 0;
}

int request_read_environment(struct request *q, const struct command *commands, size_t count)
{
	char shown[CNI_SHOWN_SIZE];
	int r = find_command(q, commands, count);

	if (r < 0)
		return r;
	q->container = getenv("CNI_CONTAINERID");
	q->ifname = getenv("CNI_IFNAME");
	q->netns = getenv("CNI_NETNS");
	q->args = getenv("CNI_ARGS");
	q->path = getenv("CNI_PATH");
	r = find_missing(q);
	if (r == 0 && q->command->needs & CONTAINER && !cni_name_ok(q->container))
		r = err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
			    "CNI_CONTAINERID: \"%s\" is no container's id: letters, digits, "
			    "\"_\", \".\" and \"-\", beginning with a letter or digit, at most 255",
			    cni_shown(q->container, shown));
	if (r == 0 && q->command->needs & IFNAME && !link_name_ok(q->ifname))
		r = err_set(q->err, CNI_ERROR(CNI_BAD_ENVIRONMENT),
			    "CNI_IFNAME: \"%s\" is no interface's name: 1 to 15 bytes, no \"/\", "
			    "\":\", \"%%\" or white space, not \".\" or \"..\"",
			    cni_shown(q->ifname, shown));
	return r;
}

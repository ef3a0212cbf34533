/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/caps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

static int by_name(const char *name)
{
	char full[64];
	cap_value_t value;

	/* libcap stops reading at what cannot be part of a name, so that "CAP_KILL,CAP_CHOWN" would
	 * pass for CAP_KILL. */
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != strlen(name))
		return -1;
	if (strncasecmp(name, "CAP_", 4) != 0) {
		snprintf(full, sizeof(full), "CAP_%s", name);
		name = full;
	}
	return cap_from_name(name, &value) == 0 ? (int)value : -1;
}

uint64_t caps_mask(const struct strv *names, const char **ret_unknown)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < names->count; i++) {
		int cap = by_name(names->items[i]);

		if (cap >= 0)
			mask |= (uint64_t)1 << cap;
		else if (ret_unknown)
			*ret_unknown = names->items[i];
	}
	return mask;
}

struct strv caps_names(uint64_t mask, struct arena *a)
{
	struct strv ret = { arena_calloc(a, 65, sizeof(*ret.items)), 0 };

	for (int cap = 0; cap < 64; cap++) {
		char *name = mask & UINT64_C(1) << cap ? cap_to_name(cap) : NULL;

		/* A kernel newer than libcap has some that are but numbers. */
		if (name && isalpha((unsigned char)*name)) {
			char *upper = arena_strdup(a, name);

			for (char *c = upper; *c; c++)
				*c = (char)toupper((unsigned char)*c);
			ret.items[ret.count++] = upper;
		}
		cap_free(name);
	}
	return ret;
}

uint64_t caps_effective(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

uint64_t caps_kernel(void)
{
	return ((uint64_t)1 << cap_max_bits()) - 1;
}

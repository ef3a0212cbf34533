/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/doctor_parse.h"

#include "lib/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The start of the next line, or NULL. */
static const char *next_line(const char *s)
{
	s = strchr(s, '\n');
	return s && s[1] ? s + 1 : NULL;
}

static bool same(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

bool doctor_first_word(const char *text, const char *word)
{
	for (const char *s = text; s; s = next_line(s))
		if (same(s, strcspn(s, " \t\n"), word))
			return true;
	return false;
}

bool doctor_last_word(const char *text, const char *word)
{
	for (const char *s = text; s; s = next_line(s)) {
		size_t end = strcspn(s, "\n"), start = end;

		while (start && s[start - 1] != ' ' && s[start - 1] != '\t')
			start--;
		if (same(s + start, end - start, word))
			return true;
	}
	return false;
}

static bool same_module(const char *s, size_t len, const char *module)
{
	if (len != strlen(module))
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] != module[i] && !(strchr("-_", s[i]) && strchr("-_", module[i])))
			return false;
	return true;
}

bool doctor_has_module(const char *text, const char *module)
{
	for (const char *s = text; s; s = next_line(s)) {
		size_t end = strcspn(s, ":\n"), start = end;

		while (start && s[start - 1] != '/')
			start--;
		/* What depends on it follows the colon; ".ko" may have ".xz" behind it. */
		if (same_module(s + start, strcspn(s + start, ".:\n"), module))
			return true;
	}
	return false;
}

uint64_t doctor_subids(const char *text, const char *user, uid_t uid)
{
	uint64_t sum = 0;
	char number[16];

	snprintf(number, sizeof(number), "%u", uid);
	for (const char *s = text; s; s = next_line(s)) {
		size_t len = strcspn(s, ":\n");
		const char *rest = s + len;
		uint64_t first, count;

		if (!(user && same(s, len, user)) && !same(s, len, number))
			continue;
		if (*rest++ == ':' && number_scan(&rest, &first) && *rest++ == ':' &&
		    number_scan(&rest, &count))
			sum += count;
	}
	return sum;
}

bool doctor_user_name(const char *passwd, uid_t uid, char *ret_name, size_t size)
{
	for (const char *s = passwd; s; s = next_line(s)) {
		size_t len = strcspn(s, ":\n");
		const char *rest = s + len + (s[len] == ':');
		uint64_t id;

		rest += strcspn(rest, ":\n");
		if (len && len < size && *rest++ == ':' && number_scan(&rest, &id) &&
		    *rest == ':' && id == uid) {
			memcpy(ret_name, s, len);
			ret_name[len] = '\0';
			return true;
		}
	}
	return false;
}

/* The type is behind the separator " - ", after a varying number of optional fields
 * (proc_pid_mountinfo(5)). */
static bool mounted(const char *mountinfo, const char *type)
{
	for (const char *s = mountinfo; s; s = next_line(s)) {
		const char *sep = strstr(s, " - "), *end = s + strcspn(s, "\n");

		if (sep && sep < end && same(sep + 3, strcspn(sep + 3, " \n"), type))
			return true;
	}
	return false;
}

enum doctor_layout doctor_cgroup_layout(const char *mountinfo)
{
	bool v1 = mounted(mountinfo, "cgroup"), v2 = mounted(mountinfo, "cgroup2");

	if (v1)
		return v2 ? DOCTOR_CGROUP_HYBRID : DOCTOR_CGROUP_V1;
	return v2 ? DOCTOR_CGROUP_V2 : DOCTOR_CGROUP_NONE;
}

enum doctor_controller doctor_controller(const char *proc_cgroups, const char *name)
{
	if (strcmp(name, "io") == 0)
		name = "blkio";
	for (const char *s = proc_cgroups; s; s = next_line(s)) {
		size_t len = strcspn(s, " \t\n");
		const char *rest = s + len;
		uint64_t hierarchy, groups, enabled;

		if (!same(s, len, name) || !number_scan(&rest, &hierarchy) ||
		    !number_scan(&rest, &groups) || !number_scan(&rest, &enabled))
			continue;
		if (!enabled)
			return DOCTOR_CONTROLLER_DISABLED;
		return hierarchy ? DOCTOR_CONTROLLER_ON_V1 : DOCTOR_CONTROLLER_FREE;
	}
	return DOCTOR_CONTROLLER_ABSENT;
}

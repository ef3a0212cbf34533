/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/platform.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
/* One processor's part of /proc/cpuinfo is some 2 KiB. */
#define CPUINFO_SIZE 8192

/* Names of architectures other than Go's, which the spec wants. level: of machines of that name. */
static const struct {
	const char *name, *architecture, *variant;
	int level;
} spellings[] = {
	{ "aarch64", "arm64", NULL, 8 },
	{ "aarch64_be", "arm64be", NULL, 8 },
	{ "x86_64", "amd64", NULL, 1 },
	{ "x86-64", "amd64", NULL, 1 },
	{ "i386", "386", NULL, 0 },
	{ "i486", "386", NULL, 0 },
	{ "i586", "386", NULL, 0 },
	{ "i686", "386", NULL, 0 },
	{ "x86", "386", NULL, 0 },
	{ "armhf", "arm", "v7", 7 },
	{ "armel", "arm", "v6", 6 },
	{ "armv8l", "arm", "v8", 8 },
	{ "armv7l", "arm", "v7", 7 },
	{ "armv6l", "arm", "v6", 6 },
	{ "armv5tel", "arm", "v5", 5 },
	{ "armv5tejl", "arm", "v5", 5 },
	{ "loongarch64", "loong64", NULL, 0 },
};

/* Architectures of Linux by Go's names. */
static const char *const architectures[] = {
	"386",	  "amd64",    "arm",   "arm64",	  "arm64be", "loong64", "mips",	   "mips64",
	"mipsle", "mips64le", "ppc64", "ppc64le", "riscv64", "s390x",	"sparc64",
};

/* What the levels of x86-64 ask for (psABI, "Micro-Architecture Levels"), as the kernel calls it.
 */
static const char *const level_flags[] = {
	[2] = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3",
	[3] = "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
	[4] = "avx512f avx512bw avx512cd avx512dq avx512vl",
};

static bool known_architecture(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(architectures); i++)
		if (strcmp(architectures[i], name) == 0)
			return true;
	return false;
}

static char *lower(const char *s, struct arena *a)
{
	char *copy = arena_strdup(a, s ? s : "");

	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* "8" is "v8". */
static char *normal_variant(const char *variant, struct arena *a)
{
	char *v = lower(variant, a);

	return isdigit((unsigned char)*v) ? arena_printf(a, "v%s", v) : v;
}

void platform_normalize(struct platform *p, struct arena *a)
{
	char *variant = normal_variant(p->variant, a);

	p->os = lower(p->os, a);
	if (!*p->os)
		p->os = arena_strdup(a, "linux");
	p->architecture = lower(p->architecture, a);
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		if (strcmp(spellings[i].name, p->architecture) != 0)
			continue;
		p->architecture = arena_strdup(a, spellings[i].architecture);
		if (!*variant && spellings[i].variant)
			variant = arena_strdup(a, spellings[i].variant);
		break;
	}
	if (strcmp(p->architecture, "386") == 0)
		variant = NULL;
	else if (strcmp(p->architecture, "arm") == 0 && !*variant)
		variant = arena_strdup(a, "v7");
	else if ((strcmp(p->architecture, "arm64") == 0 && strcmp(variant, "v8") == 0) ||
		 (strcmp(p->architecture, "amd64") == 0 && strcmp(variant, "v1") == 0))
		variant = NULL;
	p->variant = variant && *variant ? variant : NULL;
}

static void list_add(struct platform_list *list, const char *architecture, const char *variant,
		     struct arena *a)
{
	struct platform *p = &list->items[list->count++];

	p->os = arena_strdup(a, "linux");
	p->architecture = arena_strdup(a, architecture);
	p->variant = variant ? arena_strdup(a, variant) : NULL;
	platform_normalize(p, a);
}

static void list_add_levels(struct platform_list *list, const char *architecture, int from, int to,
			    struct arena *a)
{
	for (int level = from; level >= to; level--)
		list_add(list, architecture, arena_printf(a, "v%d", level), a);
}

static int parse_error(const char *text, const char *wrong, struct err *err)
{
	return err_set(err, EINVAL, "platform \"%.*s\": %s", (int)strspn(text, ALNUM "_.-/"), text,
		       wrong);
}

int platform_parse(const char *text, struct arena *a, struct platform_list *ret, struct err *err)
{
	char *parts[3] = { NULL }, *rest = arena_strdup(a, text), *part;
	struct platform p;
	size_t n = 0;

	while ((part = strsep(&rest, "/"))) {
		if (n == ARRAY_SIZE(parts) || !*part || part[strspn(part, ALNUM "_.-")])
			return parse_error(text, "is not [linux/]ARCHITECTURE[/VARIANT]", err);
		parts[n++] = part;
	}
	/* Nobody types "linux" and then nothing: what is left out is that. */
	p = (struct platform){ .os = NULL, .architecture = parts[0], .variant = parts[1] };
	platform_normalize(&p, a);
	if (n == 3 || !known_architecture(p.architecture)) {
		p = (struct platform){ .os = parts[0],
				       .architecture = parts[1],
				       .variant = parts[2] };
		platform_normalize(&p, a);
	}
	if (strcmp(p.os, "linux") != 0)
		return parse_error(text, n > 1 ? "only linux runs here" : "no such architecture",
				   err);
	if (!known_architecture(p.architecture))
		return parse_error(text, "no such architecture", err);
	*ret = (struct platform_list){ arena_calloc(a, 1, sizeof(p)), 1 };
	ret->items[0] = p;
	return 0;
}

void platform_of(const char *architecture, int level, bool runs_32bit, struct arena *a,
		 struct platform_list *ret)
{
	struct platform p = { .architecture = arena_strdup(a, architecture) };

	platform_normalize(&p, a);
	*ret = (struct platform_list){ arena_calloc(a, 8, sizeof(p)), 0 };
	if (strcmp(p.architecture, "amd64") == 0) {
		list_add_levels(ret, "amd64", level < 4 ? level : 4, 1, a);
		if (runs_32bit)
			list_add(ret, "386", NULL, a);
	} else if (strcmp(p.architecture, "arm") == 0) {
		list_add_levels(ret, "arm", level < 8 ? level : 8, 5, a);
	} else {
		list_add(ret, p.architecture, NULL, a);
		if (strcmp(p.architecture, "arm64") == 0 && runs_32bit)
			list_add_levels(ret, "arm", 8, 5, a);
	}
}

static bool has_word(const char *words, const char *word, size_t len)
{
	for (; *words; words += strcspn(words, " "), words += strspn(words, " ")) {
		if (strcspn(words, " ") == len && strncmp(words, word, len) == 0)
			return true;
	}
	return false;
}

static bool has_words(const char *words, const char *wanted)
{
	for (; *wanted; wanted += strcspn(wanted, " "), wanted += strspn(wanted, " ")) {
		if (!has_word(words, wanted, strcspn(wanted, " ")))
			return false;
	}
	return true;
}

int platform_amd64_level(const char *cpuinfo)
{
	char flags[CPUINFO_SIZE];
	const char *line = strstr(cpuinfo, "\nflags");
	int level = 1;

	if (!line)
		return level;
	line += strcspn(line, ":");
	line += strspn(line, ": \t");
	snprintf(flags, sizeof(flags), "%.*s", (int)strcspn(line, "\n"), line);
	while (level < 4 && has_words(flags, level_flags[level + 1]))
		level++;
	return level;
}

/* A kernel without 32-bit system calls refuses the personality (arm64: Linux 4.18). */
static bool arm_runs_32bit(void)
{
	int old = personality(0xffffffff);

	if (old < 0 || personality(PER_LINUX32) < 0)
		return false;
	personality((unsigned long)old);
	return true;
}

static int named_level(const char *machine)
{
	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++)
		if (strcmp(spellings[i].name, machine) == 0)
			return spellings[i].level;
	return 0;
}

void platform_host(struct arena *a, struct platform_list *ret)
{
	char cpuinfo[CPUINFO_SIZE];
	struct utsname host;
	bool runs_32bit = true;
	int level;

	uname(&host);
	level = named_level(host.machine);
	if (strcmp(host.machine, "x86_64") == 0 &&
	    file_peek(AT_FDCWD, "/proc/cpuinfo", cpuinfo, sizeof(cpuinfo)) > 0)
		level = platform_amd64_level(cpuinfo);
	if (strcmp(host.machine, "aarch64") == 0)
		runs_32bit = arm_runs_32bit();
	platform_of(host.machine, level, runs_32bit, a, ret);
}

static bool same(const char *x, const char *y)
{
	return x && y ? strcmp(x, y) == 0 : x == y;
}

int platform_rank(const struct platform_list *list, const struct platform *p, struct arena *a)
{
	struct platform wanted = *p;

	platform_normalize(&wanted, a);
	for (size_t i = 0; i < list->count; i++) {
		const struct platform *have = &list->items[i];

		if (same(have->os, wanted.os) && same(have->architecture, wanted.architecture) &&
		    same(have->variant, wanted.variant))
			return (int)i;
	}
	return -1;
}

char *platform_text(const struct platform *p, struct arena *a)
{
	const char *os = p->os && *p->os ? p->os : "linux";
	const char *architecture =
		p->architecture && *p->architecture ? p->architecture : "unknown";

	if (!p->variant || !*p->variant)
		return arena_printf(a, "%s/%s", os, architecture);
	return arena_printf(a, "%s/%s/%s", os, architecture, p->variant);
}

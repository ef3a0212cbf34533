/* SPDX-License-Identifier: Apache-2.0 */
/* What of a service is an option of `tote create --image` as it stands. */
#include "cmd/tote-compose/translate_private.h"

#include "lib/cleanup.h"

#include <string.h>

enum word_kind { WORD_FLAG, WORD_STRING, WORD_LIST, WORD_PAIRS };

static const struct {
	const char *option;
	enum word_kind kind;
	size_t offset;
} word_table[] = {
	{ "--user", WORD_STRING, offsetof(struct compose_service, user) },
	{ "--group-add", WORD_LIST, offsetof(struct compose_service, group_add) },
	{ "--workdir", WORD_STRING, offsetof(struct compose_service, working_dir) },
	{ "--hostname", WORD_STRING, offsetof(struct compose_service, hostname) },
	{ "--init", WORD_FLAG, offsetof(struct compose_service, init) },
	{ "--interactive", WORD_FLAG, offsetof(struct compose_service, stdin_open) },
	{ "--tty", WORD_FLAG, offsetof(struct compose_service, tty) },
	{ "--read-only", WORD_FLAG, offsetof(struct compose_service, read_only) },
	{ "--label", WORD_PAIRS, offsetof(struct compose_service, labels) },
	{ "--annotation", WORD_PAIRS, offsetof(struct compose_service, annotations) },
	{ "--tmpfs", WORD_LIST, offsetof(struct compose_service, tmpfs) },
	{ "--shm-size", WORD_STRING, offsetof(struct compose_service, shm_size) },
	{ "--device", WORD_LIST, offsetof(struct compose_service, devices) },
	{ "--memory", WORD_STRING, offsetof(struct compose_service, mem_limit) },
	{ "--memory-reservation", WORD_STRING, offsetof(struct compose_service, mem_reservation) },
	{ "--memory-swap", WORD_STRING, offsetof(struct compose_service, memswap_limit) },
	{ "--cpus", WORD_STRING, offsetof(struct compose_service, cpus) },
	{ "--cpu-shares", WORD_STRING, offsetof(struct compose_service, cpu_shares) },
	{ "--cpuset-cpus", WORD_STRING, offsetof(struct compose_service, cpuset) },
	{ "--blkio-weight", WORD_STRING, offsetof(struct compose_service, blkio_weight) },
	{ "--pids-limit", WORD_STRING, offsetof(struct compose_service, pids_limit) },
	{ "--oom-score-adj", WORD_STRING, offsetof(struct compose_service, oom_score_adj) },
	{ "--ulimit", WORD_LIST, offsetof(struct compose_service, ulimits) },
	{ "--sysctl", WORD_PAIRS, offsetof(struct compose_service, sysctls) },
	{ "--cgroup-parent", WORD_STRING, offsetof(struct compose_service, cgroup_parent) },
	{ "--cap-add", WORD_LIST, offsetof(struct compose_service, cap_add) },
	{ "--cap-drop", WORD_LIST, offsetof(struct compose_service, cap_drop) },
	{ "--userns", WORD_STRING, offsetof(struct compose_service, userns_mode) },
	{ "--pid", WORD_STRING, offsetof(struct compose_service, pid) },
	{ "--ipc", WORD_STRING, offsetof(struct compose_service, ipc) },
	{ "--uts", WORD_STRING, offsetof(struct compose_service, uts) },
	{ "--add-host", WORD_LIST, offsetof(struct compose_service, extra_hosts) },
	{ "--dns", WORD_LIST, offsetof(struct compose_service, dns) },
	{ "--dns-search", WORD_LIST, offsetof(struct compose_service, dns_search) },
	{ "--dns-option", WORD_LIST, offsetof(struct compose_service, dns_opt) },
	{ "--stop-signal", WORD_STRING, offsetof(struct compose_service, stop_signal) },
};

static void add_option(struct translating *t, struct words *w, const char *option,
		       const char *value)
{
	words_add(t, w, option);
	words_add(t, w, value);
}

static void add_pairs(struct translating *t, struct words *w, const char *option,
		      const struct key_value_list *pairs)
{
	for_each (p, pairs)
		add_option(t, w, option,
			   arena_printf(t->a, "%s=%s", p->key, p->value ? p->value : ""));
}

static void add_list(struct translating *t, struct words *w, const char *option,
		     const struct strv *list)
{
	for_each (value, list)
		add_option(t, w, option, *value);
}

/* The old form has a colon. A profile's path begins where the file is. */
static int add_security(struct translating *t, const struct compose_service *s, struct words *w,
			const char *text)
{
	size_t len = strcspn(text, "=:");
	const char *value = text[len] ? text + len + 1 : NULL;

	if (len == 7 && strncmp(text, "seccomp", len) == 0 && value && *value) {
		if (strcmp(value, "unconfined") != 0)
			value = translate_path(t, value);
		add_option(t, w, "--security-opt", arena_printf(t->a, "seccomp=%s", value));
	} else if (len == 8 && strncmp(text, "apparmor", len) == 0 && value && *value) {
		add_option(t, w, "--security-opt", arena_printf(t->a, "apparmor=%s", value));
	} else if (len == 17 && strncmp(text, "no-new-privileges", len) == 0) {
		add_option(t, w, "--security-opt",
			   arena_printf(t->a, "no-new-privileges=%s", value ? value : "true"));
	} else {
		return translate_error(t, yaml_get(s->node, "security_opt"), s,
				       "security_opt: tote does not know \"%.80s\"", text);
	}
	return 0;
}

int translate_words(struct translating *t, const struct compose_service *s, struct words *w)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(word_table); i++) {
		const char *option = word_table[i].option;
		const void *value = (const char *)s + word_table[i].offset;

		switch (word_table[i].kind) {
		case WORD_FLAG:
			if (*(const bool *)value)
				words_add(t, w, option);
			break;
		case WORD_STRING:
			if (*(char *const *)value && **(char *const *)value)
				add_option(t, w, option, *(char *const *)value);
			break;
		case WORD_LIST:
			add_list(t, w, option, value);
			break;
		case WORD_PAIRS:
			add_pairs(t, w, option, value);
			break;
		}
	}
	for (size_t i = 0; r == 0 && i < s->security_opt.count; i++)
		r = add_security(t, s, w, s->security_opt.items[i]);
	return r;
}

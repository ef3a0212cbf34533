/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tote features` and `tote spec`: the shape of what they print, and that config.json may use each
 * word the features document lists ("The runtime MUST recognize the elements").
 */
#include "lib/cleanup.h"
#include "oci/default_spec.h"
#include "oci/features.h"
#include "oci/mount_options.h"
#include "oci/seccomp.h"
#include "oci/seccomp_default.h"
#include "oci/spec.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HEAD "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},"

static const struct json_value *parse(struct arena *a, const struct buf *text)
{
	struct json_value *v;
	struct err err = { 0 };

	if (json_parse(text->data, text->len, a, &v, &err) < 0)
		fail_msg("%s", err.msg);
	return v;
}

static const struct json_value *features(struct arena *a)
{
	autobuf text = BUF_INIT;

	features_write(&text);
	return parse(a, &text);
}

/* The value behind keys joined by dots. */
static const struct json_value *at(const struct json_value *v, const char *path)
{
	char key[64];

	while (*path) {
		size_t len = strcspn(path, ".");

		assert_true(len < sizeof(key));
		memcpy(key, path, len);
		key[len] = '\0';
		v = json_get(v, key);
		if (!v)
			fail_msg("no %s", key);
		path += len + (path[len] == '.');
	}
	return v;
}

static const struct {
	const char *path;
	enum json_kind kind;
} shape[] = {
	{ "ociVersionMin", JSON_STRING },
	{ "ociVersionMax", JSON_STRING },
	{ "hooks", JSON_ARRAY },
	{ "mountOptions", JSON_ARRAY },
	{ "annotations", JSON_OBJECT },
	{ "potentiallyUnsafeConfigAnnotations", JSON_ARRAY },
	{ "linux.namespaces", JSON_ARRAY },
	{ "linux.capabilities", JSON_ARRAY },
	{ "linux.cgroup.v1", JSON_BOOL },
	{ "linux.cgroup.v2", JSON_BOOL },
	{ "linux.cgroup.systemd", JSON_BOOL },
	{ "linux.cgroup.systemdUser", JSON_BOOL },
	{ "linux.cgroup.rdma", JSON_BOOL },
	{ "linux.seccomp.enabled", JSON_BOOL },
	{ "linux.seccomp.actions", JSON_ARRAY },
	{ "linux.seccomp.operators", JSON_ARRAY },
	{ "linux.seccomp.archs", JSON_ARRAY },
	{ "linux.seccomp.knownFlags", JSON_ARRAY },
	{ "linux.seccomp.supportedFlags", JSON_ARRAY },
	{ "linux.apparmor.enabled", JSON_BOOL },
	{ "linux.selinux.enabled", JSON_BOOL },
	{ "linux.intelRdt.enabled", JSON_BOOL },
	{ "linux.memoryPolicy.modes", JSON_ARRAY },
	{ "linux.memoryPolicy.flags", JSON_ARRAY },
	{ "linux.mountExtensions.idmap.enabled", JSON_BOOL },
	{ "linux.netDevices.enabled", JSON_BOOL },
};

static void test_shape(void **state)
{
	autoarena arena = ARENA_INIT;
	const struct json_value *doc = features(&arena);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(shape); i++)
		if (at(doc, shape[i].path)->kind != shape[i].kind)
			fail_msg("%s has the wrong type", shape[i].path);
	assert_string_equal(at(doc, "ociVersionMin")->text, "1.0.0");
	assert_string_equal(at(doc, "ociVersionMax")->text, "1.3.0");
	assert_true(at(doc, "linux.cgroup.v2")->boolean);
	assert_false(at(doc, "linux.cgroup.v1")->boolean);
	/* No others: "MUST NOT contain properties that are not defined". */
	assert_int_equal(doc->count, 7);
}

static const struct {
	const char *path;
	size_t at_least;
	const char *before, *after; /* the config.json around an element */
} words[] = {
	{ "hooks", 6, HEAD "\"hooks\":{\"", "\":[{\"path\":\"/bin/true\"}]}}" },
	{ "linux.seccomp.actions", 9,
	  HEAD "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/"
	       "a\",\"syscalls\":["
	       "{\"names\":[\"read\"],\"action\":\"",
	  "\"}]}}}" },
	{ "linux.seccomp.operators", 7,
	  HEAD "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
	       "\"names\":[\"read\"],"
	       "\"action\":\"SCMP_ACT_TRAP\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"",
	  "\"}]}]}}}" },
	{ "linux.seccomp.archs", 19,
	  HEAD "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"",
	  "\"]}}}" },
	{ "linux.seccomp.knownFlags", 4,
	  HEAD "\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"",
	  "\"]}}}" },
	{ "linux.memoryPolicy.flags", 3,
	  HEAD "\"linux\":{\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"",
	  "\"]}}}" },
};

/* True when config.json with the word in it is read without a complaint about the word. */
static bool accepts(const char *before, const char *word, const char *after)
{
	autoarena arena = ARENA_INIT;
	autobuf text = BUF_INIT;
	struct err err = { 0 };
	struct spec *spec;

	buf_addf(&text, "%s%s%s", before, word, after);
	return spec_parse(text.data, text.len, &arena, &spec, &err) == 0;
}

static void test_words_are_recognized(void **state)
{
	autoarena arena = ARENA_INIT;
	const struct json_value *doc = features(&arena);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct json_value *list = at(doc, words[i].path);

		assert_true(list->count >= words[i].at_least);
		for (const struct json_value *v = list->first; v; v = v->next)
			if (!accepts(words[i].before, v->text, words[i].after))
				fail_msg("%s: config.json must not say %s", words[i].path, v->text);
		/* Hooks aside, unknown names are errors: the check above can fail. */
		assert_true(i == 0 || !accepts(words[i].before, "NO_SUCH_WORD", words[i].after));
	}
}

/* Modes differ in whether they take nodes. */
static void test_memory_modes(void **state)
{
	static const char before[] = HEAD "\"linux\":{\"memoryPolicy\":{\"mode\":\"";
	autoarena arena = ARENA_INIT;
	const struct json_value *modes = at(features(&arena), "linux.memoryPolicy.modes");

	(void)state;
	assert_int_equal(modes->count, 7);
	for (const struct json_value *v = modes->first; v; v = v->next)
		assert_true(accepts(before, v->text, "\",\"nodes\":\"0\"}}}") ||
			    accepts(before, v->text, "\"}}}"));
	assert_false(accepts(before, "MPOL_NONE", "\"}}}"));
}

static void test_mount_options(void **state)
{
	autoarena arena = ARENA_INIT;
	const struct json_value *list = at(features(&arena), "mountOptions");

	(void)state;
	assert_true(list->count > 40);
	for (const struct json_value *v = list->first; v; v = v->next)
		assert_non_null(mount_option_find(v->text));
}

static void test_capabilities(void **state)
{
	autoarena arena = ARENA_INIT;
	const struct json_value *list = at(features(&arena), "linux.capabilities");

	(void)state;
	assert_true(list->count >= 41);
	assert_string_equal(list->first->text, "CAP_CHOWN");
	for (const struct json_value *v = list->first; v; v = v->next) {
		assert_int_equal(strncmp(v->text, "CAP_", 4), 0);
		assert_int_equal(strspn(v->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(v->text));
	}
}

static void load_default(unsigned int flags, struct arena *a, struct spec **ret_spec)
{
	autobuf text = BUF_INIT;
	struct err err = { 0 };

	default_spec_write(&text, flags);
	if (spec_parse(text.data, text.len, a, ret_spec, &err) < 0)
		fail_msg("%s", err.msg);
}

static const struct spec_mount *mount_at(const struct spec *spec, const char *destination)
{
	const struct spec_mount *found = NULL;

	for (size_t i = 0; i < spec->mounts.count; i++)
		if (strcmp(spec->mounts.items[i].destination, destination) == 0)
			found = &spec->mounts.items[i];
	assert_non_null(found);
	return found;
}

static bool has(const struct strv *v, const char *s)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->items[i], s) == 0)
			return true;
	return false;
}

static void test_default_spec(void **state)
{
	autoarena arena = ARENA_INIT;
	struct spec *spec;

	(void)state;
	load_default(0, &arena, &spec);
	assert_true(spec->process->terminal && spec->process->no_new_privileges &&
		    spec->root->readonly);
	assert_string_equal(spec->process->args.items[0], "sh");
	assert_int_equal(spec->process->capabilities->bounding.count, 3);
	assert_int_equal(spec->process->capabilities->inheritable.count, 0);
	assert_int_equal(spec->process->capabilities->ambient.count, 0);
	assert_int_equal(spec->linux_.resources.devices.count, 1);
	assert_int_equal(spec->mounts.count, 7);
	assert_true(has(&mount_at(spec, "/dev/pts")->options, "gid=5"));
	assert_string_equal(mount_at(spec, "/sys")->type, "sysfs");
	assert_true(has(&spec->linux_.masked_paths, "/sys/devices/virtual/powercap"));
	assert_true(has(&spec->linux_.masked_paths, "/proc/interrupts"));
	assert_true(spec_new_namespace(spec, NS_NETWORK) && spec_new_namespace(spec, NS_CGROUP));
	assert_false(spec_new_namespace(spec, NS_USER));
	assert_null(spec->linux_.seccomp);
}

static void test_default_spec_rootless(void **state)
{
	autoarena arena = ARENA_INIT;
	struct spec *spec;

	(void)state;
	load_default(DEFAULT_SPEC_ROOTLESS, &arena, &spec);
	assert_true(spec_new_namespace(spec, NS_USER));
	assert_false(spec_new_namespace(spec, NS_NETWORK));
	assert_int_equal(spec->linux_.uid_mappings.items[0].host_id, geteuid());
	assert_int_equal(spec->linux_.gid_mappings.items[0].host_id, getegid());
	assert_false(has(&mount_at(spec, "/dev/pts")->options, "gid=5"));
	assert_true(has(&mount_at(spec, "/sys")->options, "rbind"));
	assert_int_equal(spec->linux_.resources.devices.count, 0);
}

/* What is written is read back as the built-in profile, so that its program is there already. */
static void test_default_spec_seccomp(void **state)
{
	autoarena arena = ARENA_INIT;
	autobuf read = BUF_INIT, built_in = BUF_INIT;
	struct spec *spec;

	(void)state;
	load_default(DEFAULT_SPEC_SECCOMP, &arena, &spec);
	assert_non_null(spec->linux_.seccomp);
	seccomp_canonical(spec->linux_.seccomp, &read);
	seccomp_canonical(seccomp_default_profile(&arena), &built_in);
	assert_int_equal(read.len, built_in.len);
	assert_memory_equal(read.data, built_in.data, read.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_words_are_recognized),
		cmocka_unit_test(test_memory_modes),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_default_spec),
		cmocka_unit_test(test_default_spec_rootless),
		cmocka_unit_test(test_default_spec_seccomp),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

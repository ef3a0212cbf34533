/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"
#include "oci/image/manifest.h"
#include "tests/oci/spec_text.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D1 "sha256:" HEX
#define D2 "sha512:" HEX HEX
#define DESCRIPTOR(type, more) "{'mediaType':'" type "','digest':'" D1 "','size':7" more "}"
#define CONFIG "'config':" DESCRIPTOR(MEDIA_OCI_CONFIG, "")
#define LAYERS "'layers':[" DESCRIPTOR(MEDIA_OCI_LAYER, "") "]"
#define MANIFEST "'schemaVersion':2," CONFIG "," LAYERS
#define ROOTFS "'rootfs':{'type':'layers','diff_ids':['" D1 "']}"

static struct manifest_document parsed(const char *text, struct arena *a)
{
	char *json = to_json(a, text);
	struct manifest_document d;
	struct err err = { 0 };

	if (manifest_parse(json, strlen(json), a, &d, &err) < 0)
		fail_msg("%s\n%s", err.msg, json);
	return d;
}

static void manifest(void **state)
{
	autoarena a = ARENA_INIT;
	struct manifest_document d;

	(void)state;
	d = parsed("{'schemaVersion':2,'mediaType':'" MEDIA_OCI_MANIFEST "'," CONFIG ",'layers':["
		   "{'mediaType':'" MEDIA_OCI_LAYER "+zstd','digest':'" D2
		   "','size':9223372036854775807,'annotations':{'a':'b','n':null},"
		   "'urls':['https://x.example'],'data':'e30='}," DESCRIPTOR(
			   "odd/type",
			   "") "],'annotations':{'org.opencontainers.image.ref.name':'1.2'},"
			       "'subject':" DESCRIPTOR(MEDIA_OCI_MANIFEST, "") ",'x':1}",
		   &a);
	assert_int_equal(d.kind, MANIFEST_IMAGE);
	assert_string_equal(d.image.media_type, MEDIA_OCI_MANIFEST);
	assert_string_equal(d.image.config.digest, D1);
	assert_int_equal(d.image.config.size, 7);
	assert_int_equal(d.image.layers.count, 2);
	assert_string_equal(d.image.layers.items[0].digest, D2);
	assert_int_equal(d.image.layers.items[0].size, INT64_MAX);
	assert_int_equal(d.image.layers.items[0].annotations.count, 1);
	assert_string_equal(annotation_get(&d.image.layers.items[0].annotations, "a"), "b");
	assert_string_equal(d.image.layers.items[1].media_type, "odd/type");
	assert_string_equal(
		annotation_get(&d.image.annotations, "org.opencontainers.image.ref.name"), "1.2");
	assert_null(annotation_get(&d.image.annotations, "b"));
}

/* The example of image-spec image-index.md, as it is written by tools: some members are null. */
static void index_of_platforms(void **state)
{
	autoarena a = ARENA_INIT;
	struct manifest_document d;
	const struct platform *p;

	(void)state;
	d = parsed(
		"{'schemaVersion':2,'mediaType':'" MEDIA_OCI_INDEX "','manifests':[" DESCRIPTOR(
			MEDIA_OCI_MANIFEST,
			",'platform':{'architecture':'arm','os':'linux','variant':'v7',"
			"'os.version':'1','os.features':['f']}") "," DESCRIPTOR(MEDIA_OCI_INDEX,
										",'platform':"
										"null,'"
										"annotations':"
										"null") "," DESCRIPTOR(MEDIA_OCI_MANIFEST,
												       ",'artifactType':'a/b','platform':{'architecture':null}") "],'annotations':{'com.example.key1':'value1'},'config':null,'layers':null}",
		&a);
	assert_int_equal(d.kind, MANIFEST_INDEX);
	assert_int_equal(d.index.manifests.count, 3);
	p = d.index.manifests.items[0].platform;
	assert_string_equal(p->architecture, "arm");
	assert_string_equal(p->os, "linux");
	assert_string_equal(p->variant, "v7");
	assert_string_equal(p->os_version, "1");
	assert_string_equal(p->os_features.items[0], "f");
	assert_null(d.index.manifests.items[1].platform);
	assert_non_null(d.index.manifests.items[2].platform);
	assert_null(d.index.manifests.items[2].platform->architecture);
	assert_string_equal(d.index.manifests.items[2].artifact_type, "a/b");
}

/* What tools have written, and what is told by the members alone. */
static void kinds(void **state)
{
	static const struct {
		const char *text;
		int kind;
		size_t count;
	} cases[] = {
		{ "{" MANIFEST "}", MANIFEST_IMAGE, 1 },
		{ "{" CONFIG "," LAYERS "}", MANIFEST_IMAGE, 1 },
		{ "{" MANIFEST ",'mediaType':'x/unknown'}", MANIFEST_IMAGE, 1 },
		{ "{" MANIFEST ",'mediaType':'" MEDIA_DOCKER_MANIFEST "','manifests':null}",
		  MANIFEST_IMAGE, 1 },
		{ "{'schemaVersion':2," CONFIG ",'layers':null}", MANIFEST_IMAGE, 0 },
		{ "{'schemaVersion':2," CONFIG "}", MANIFEST_IMAGE, 0 },
		{ "{'manifests':[]}", MANIFEST_INDEX, 0 },
		{ "{'schemaVersion':2,'mediaType':'" MEDIA_OCI_INDEX "','manifests':null}",
		  MANIFEST_INDEX, 0 },
		{ "{'mediaType':'" MEDIA_DOCKER_LIST
		  "','manifests':[" DESCRIPTOR(MEDIA_DOCKER_MANIFEST, "") "]}",
		  MANIFEST_INDEX, 1 },
		/* The type of an artifact on what is an image all the same. */
		{ "{" MANIFEST ",'artifactType':'x/y'}", MANIFEST_IMAGE, 1 },
		/* Only the configuration itself can tell. */
		{ "{'config':" DESCRIPTOR("x/config", "") "," LAYERS "}", MANIFEST_IMAGE, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct manifest_document d = parsed(cases[i].text, &a);

		assert_int_equal(d.kind, cases[i].kind);
		assert_int_equal(d.kind == MANIFEST_INDEX ? d.index.manifests.count
							  : d.image.layers.count,
				 cases[i].count);
	}
}

typedef int parser(const char *text, size_t len, struct arena *a, struct err *err);

static int parse_manifest(const char *text, size_t len, struct arena *a, struct err *err)
{
	struct manifest_document d;

	return manifest_parse(text, len, a, &d, err);
}

static int parse_config(const char *text, size_t len, struct arena *a, struct err *err)
{
	struct image_config c;

	return image_config_parse(text, len, a, &c, err);
}

static int parse_docker(const char *text, size_t len, struct arena *a, struct err *err)
{
	struct docker_images d;

	return docker_manifest_parse(text, len, a, &d, err);
}

struct bad {
	const char *text;
	int code;
	const char *message;
};

static void expect_errors(parser *parse, const struct bad *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		autoarena a = ARENA_INIT;
		char *json = to_json(&a, cases[i].text);
		struct err err = { 0 };
		int r = parse(json, strlen(json), &a, &err);

		if (r != -cases[i].code || !strstr(err.msg, cases[i].message))
			fail_msg("%d, %s\n%s", r, err.msg, json);
	}
}

static void bad_manifests(void **state)
{
	static const struct bad cases[] = {
		{ "", EINVAL, "invalid JSON" },
		{ "[]", EINVAL, "an object" },
		{ "null", EINVAL, "an object" },
		{ "{}", EOPNOTSUPP, "neither an image index nor a manifest" },
		{ "{'mediaType':'application/vnd.oci.artifact.manifest.v1+json','blobs':[]}",
		  EOPNOTSUPP, "artifact.manifest" },
		{ "{'schemaVersion':1,'name':'x','fsLayers':[]}", EOPNOTSUPP, "schema 1" },
		{ "{'schemaVersion':2,'fsLayers':[]}", EOPNOTSUPP, "schema 1" },
		{ "{'mediaType':'application/vnd.docker.distribution.manifest.v1+prettyjws'}",
		  EOPNOTSUPP, "schema 1" },
		{ "{'schemaVersion':3,'manifests':[]}", EOPNOTSUPP, "schemaVersion 3" },
		{ "{'schemaVersion':'2','manifests':[]}", EINVAL, "schemaVersion" },
		{ "{" MANIFEST ",'manifests':[]}", EINVAL, "both an index and a manifest" },
		{ "{'manifests':[],'layers':[]}", EINVAL, "both" },
		{ "{" MANIFEST ",'mediaType':'" MEDIA_OCI_INDEX "'}", EINVAL, "both" },
		{ "{'manifests':[],'mediaType':'" MEDIA_DOCKER_MANIFEST "'}", EINVAL, "both" },
		{ "{'layers':[]}", EINVAL, "config: missing" },
		{ "{'config':null,'layers':[]}", EINVAL, "config: missing" },
		{ "{'config':[]}", EINVAL, "config: expected an object" },
		{ "{" CONFIG ",'layers':{}}", EINVAL, "layers: expected an array" },
		{ "{" CONFIG ",'layers':[null]}", EINVAL, "layers[0]: expected an object" },
		{ "{" CONFIG ",'layers':[{'size':1}]}", EINVAL, "layers[0].digest: missing" },
		{ "{" CONFIG ",'layers':[{'digest':'" D1 "'}]}", EINVAL,
		  "layers[0].size: missing" },
		{ "{" CONFIG ",'layers':[{'digest':'" D1 "','size':-1}]}", EINVAL,
		  "layers[0].size" },
		{ "{" CONFIG ",'layers':[{'digest':'" D1 "','size':1.5}]}", EINVAL,
		  "layers[0].size" },
		{ "{" CONFIG ",'layers':[{'digest':'" D1 "','size':9223372036854775808}]}", EINVAL,
		  "layers[0].size: 9223372036854775808 is out of range" },
		{ "{" CONFIG ",'layers':[{'digest':'sha256:../../x','size':1}]}", EINVAL,
		  "layers[0].digest" },
		{ "{" CONFIG ",'layers':[{'digest':'md5:" HEX "','size':1}]}", EINVAL,
		  "layers[0].digest" },
		{ "{'manifests':[null]}", EINVAL, "manifests[0]" },
		{ "{'manifests':[" DESCRIPTOR("x/y", ",'platform':[]") "]}", EINVAL,
		  "manifests[0].platform" },
		{ "{'manifests':[" DESCRIPTOR("x/y", ",'annotations':{'a':1}") "]}", EINVAL,
		  "manifests[0].annotations.a" },
		{ "{'artifactType':'application/x.sbom','config':" DESCRIPTOR(
			  "application/vnd.oci.empty.v1+json", "") "," LAYERS "}",
		  EOPNOTSUPP, "an artifact of type application/x.sbom" },
		{ "{'config':" DESCRIPTOR("application/vnd.oci.empty.v1+json", "") "," LAYERS "}",
		  EOPNOTSUPP, "an artifact of type application/vnd.oci.empty" },
		{ "{'artifactType':'x/y','config':" DESCRIPTOR("x/config", "") "," LAYERS "}",
		  EOPNOTSUPP, "an artifact of type x/y" },
		{ "{'schemaVersion':2,'schemaVersion':2,'manifests':[]}", EINVAL, "duplicate" },
	};

	(void)state;
	expect_errors(parse_manifest, cases, ARRAY_SIZE(cases));
}

/* Overlayfs takes 500 layers, so 501 can never run. */
static void layer_count(void **state)
{
	(void)state;
	for (size_t n = 500; n <= 501; n++) {
		autoarena a = ARENA_INIT;
		autobuf m = BUF_INIT, c = BUF_INIT, d = BUF_INIT;
		int expected = n == 500 ? 0 : -EOPNOTSUPP;
		struct err err = { 0 };
		char *text;

		buf_adds(&m, "{" CONFIG ",'layers':[");
		buf_adds(&c, "{'rootfs':{'type':'layers','diff_ids':[");
		buf_adds(&d, "[{'Config':'c','Layers':[");
		for (size_t i = 0; i < n; i++) {
			buf_addf(&m, "%s" DESCRIPTOR("x/y", ""), i ? "," : "");
			buf_addf(&c, "%s'" D1 "'", i ? "," : "");
			buf_addf(&d, "%s'l'", i ? "," : "");
		}
		text = to_json(&a, buf_str((buf_adds(&m, "]}"), &m)));
		assert_int_equal(parse_manifest(text, strlen(text), &a, &err), expected);
		text = to_json(&a, buf_str((buf_adds(&c, "]}}"), &c)));
		assert_int_equal(parse_config(text, strlen(text), &a, &err), expected);
		text = to_json(&a, buf_str((buf_adds(&d, "]}]"), &d)));
		assert_int_equal(parse_docker(text, strlen(text), &a, &err), expected);
		if (expected)
			assert_non_null(strstr(err.msg, "501 layers"));
	}
}

/* The example of image-spec config.md, shortened. */
static void config(void **state)
{
	autoarena a = ARENA_INIT;
	char *text = to_json(
		&a,
		"{'created':'2015-10-31T22:22:56.015925234Z','author':'Alyssa <a@example>',"
		"'architecture':'arm','os':'linux','variant':'v7','os.version':'1','os.features':"
		"['f'],'config':{'User':'alice','ExposedPorts':{'8080/tcp':{},'53/udp':null},"
		"'Env':['PATH=/bin','FOO=a=b'],'Entrypoint':['/bin/app'],'Cmd':['-f','x'],"
		"'Volumes':{'/var/log':{}},'WorkingDir':'/home','Labels':{'k':'v','n':null},"
		"'StopSignal':'SIGRTMIN+3','ArgsEscaped':true,'Memory':2048,'OnBuild':null},"
		"'rootfs':{'diff_ids':['" D1 "','" D2 "'],'type':'layers'},"
		"'history':[{'created':'2015-10-31T22:22:54Z','created_by':'/bin/sh','author':'b',"
		"'comment':'c'},{'empty_layer':true,'created_by':null}]}");
	struct image_config c;
	struct err err = { 0 };

	(void)state;
	if (image_config_parse(text, strlen(text), &a, &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(platform_text(&c.platform, &a), "linux/arm/v7");
	assert_string_equal(c.platform.os_version, "1");
	assert_string_equal(c.platform.os_features.items[0], "f");
	assert_string_equal(c.created, "2015-10-31T22:22:56.015925234Z");
	assert_string_equal(c.author, "Alyssa <a@example>");
	assert_string_equal(c.process.user, "alice");
	assert_string_equal(c.process.working_dir, "/home");
	assert_string_equal(c.process.stop_signal, "SIGRTMIN+3");
	assert_int_equal(c.process.exposed_ports.count, 2);
	assert_string_equal(c.process.exposed_ports.items[1], "53/udp");
	assert_null(c.process.exposed_ports.items[2]);
	assert_string_equal(c.process.volumes.items[0], "/var/log");
	assert_string_equal(c.process.env.items[1], "FOO=a=b");
	assert_string_equal(c.process.entrypoint.items[0], "/bin/app");
	assert_string_equal(c.process.cmd.items[1], "x");
	assert_int_equal(c.process.labels.count, 1);
	assert_string_equal(c.process.labels.items[0].value, "v");
	assert_int_equal(c.diff_ids.count, 2);
	assert_string_equal(c.diff_ids.items[1], D2);
	assert_null(c.diff_ids.items[2]);
	assert_int_equal(c.history.count, 2);
	assert_string_equal(c.history.items[0].comment, "c");
	assert_false(c.history.items[0].empty_layer);
	assert_true(c.history.items[1].empty_layer);
	assert_null(c.history.items[1].created_by);
}

/* Everything optional is null or missing. */
static void config_of_nulls(void **state)
{
	static const char *const texts[] = {
		"{" ROOTFS "}",
		"{'created':null,'author':null,'architecture':null,'os':null,'config':null,"
		"'history':null," ROOTFS "}",
		"{'config':{'User':null,'ExposedPorts':null,'Env':null,'Entrypoint':null,'Cmd':"
		"null,'Volumes':null,'WorkingDir':null,'Labels':null,'StopSignal':null}," ROOTFS
		"}",
		"{'rootfs':{'type':'layers','diff_ids':null}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		autoarena a = ARENA_INIT;
		char *text = to_json(&a, texts[i]);
		struct image_config c;
		struct err err = { 0 };

		if (image_config_parse(text, strlen(text), &a, &c, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(c.diff_ids.count, i < 3 ? 1 : 0);
		assert_int_equal(c.process.env.count + c.process.cmd.count + c.history.count, 0);
		assert_null(c.process.user);
	}
}

static void bad_configs(void **state)
{
	static const struct bad cases[] = {
		{ "{}", EOPNOTSUPP, "no rootfs" },
		{ "{'rootfs':null,'name':'chart'}", EOPNOTSUPP, "no rootfs" },
		{ "[]", EINVAL, "an object" },
		{ "{'rootfs':{}}", EINVAL, "rootfs.type: missing" },
		{ "{'rootfs':{'type':'squashfs'}}", EINVAL,
		  "rootfs.type: \"squashfs\" is not \"layers\"" },
		{ "{'rootfs':{'type':'layers','diff_ids':['x']}}", EINVAL, "rootfs.diff_ids[0]" },
		{ "{'rootfs':{'type':'layers','diff_ids':[null]}}", EINVAL, "rootfs.diff_ids[0]" },
		{ "{'config':{'Env':['A=1',2]}," ROOTFS "}", EINVAL, "config.Env[1]" },
		{ "{'config':{'Cmd':'sh'}," ROOTFS "}", EINVAL, "config.Cmd" },
		{ "{'config':{'Volumes':['/x']}," ROOTFS "}", EINVAL, "config.Volumes" },
		{ "{'config':{'Labels':{'a':{}}}," ROOTFS "}", EINVAL, "config.Labels.a" },
		{ "{'os':1," ROOTFS "}", EINVAL, "os: " },
		{ "{'history':[1]," ROOTFS "}", EINVAL, "history[0]" },
	};

	(void)state;
	expect_errors(parse_config, cases, ARRAY_SIZE(cases));
}

static void docker(void **state)
{
	autoarena a = ARENA_INIT;
	char *text = to_json(&a, "[{'Config':'c.json','RepoTags':['a:1','b:2'],'Layers':["
				 "'1/layer.tar'],'Parent':'x'},"
				 "{'Config':'d.json','RepoTags':null,'Layers':null}]");
	struct docker_images d;
	struct err err = { 0 };

	(void)state;
	if (docker_manifest_parse(text, strlen(text), &a, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(d.count, 2);
	assert_string_equal(d.items[0].config, "c.json");
	assert_string_equal(d.items[0].repo_tags.items[1], "b:2");
	assert_string_equal(d.items[0].layers.items[0], "1/layer.tar");
	assert_string_equal(d.items[1].config, "d.json");
	assert_int_equal(d.items[1].repo_tags.count + d.items[1].layers.count, 0);
}

static void bad_docker(void **state)
{
	static const struct bad cases[] = {
		{ "{}", EINVAL, "manifest: expected an array" },
		{ "null", EINVAL, "manifest: missing" },
		{ "[]", EINVAL, "no image" },
		{ "[{}]", EINVAL, "manifest[0].Config: missing" },
		{ "[{'Config':''}]", EINVAL, "manifest[0].Config: empty" },
		{ "[{'Config':'c','Layers':['a','']}]", EINVAL, "manifest[0].Layers[1]: empty" },
		{ "[{'Config':'c','Layers':[1]}]", EINVAL, "manifest[0].Layers[0]" },
		{ "[{'Config':'c','RepoTags':'a:1'}]", EINVAL, "manifest[0].RepoTags" },
	};

	(void)state;
	expect_errors(parse_docker, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest),	   cmocka_unit_test(index_of_platforms),
		cmocka_unit_test(kinds),	   cmocka_unit_test(bad_manifests),
		cmocka_unit_test(layer_count),	   cmocka_unit_test(config),
		cmocka_unit_test(config_of_nulls), cmocka_unit_test(bad_configs),
		cmocka_unit_test(docker),	   cmocka_unit_test(bad_docker),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

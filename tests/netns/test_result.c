/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cleanup.h"
#include "netns/cni.h"
#include "netns/result.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static int parse(const char *text, const char *version, struct arena *a, struct cni_result *ret,
		 struct err *err)
{
	struct json_value *v;

	assert_int_equal(json_parse(text, strlen(text), a, &v, err), 0);
	return cni_result_parse(v, version, a, ret, err);
}

static char *written(const struct cni_result *result, const char *version, struct arena *a)
{
	autobuf b = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &b, false);
	cni_result_write(result, version, &w);
	json_writer_done(&w);
	return arena_strdup(a, b.data);
}

/* All that 1.1.0 has, two addresses of a family, and one without an interface. */
#define FULL_DNS                                                                                   \
	"\"dns\":{\"nameservers\":[\"10.1.0.1\"],\"domain\":\"shop\","                             \
	"\"search\":[\"a.shop\",\"shop\"],\"options\":[\"ndots:1\"]}"
static const char full[] =
	"{\"cniVersion\":\"1.1.0\",\"interfaces\":["
	"{\"name\":\"cni0\",\"mac\":\"00:11:22:33:44:55\"},"
	"{\"name\":\"eth0\",\"mac\":\"0a:0b:0c:0d:0e:0f\",\"mtu\":1400,\"sandbox\":\"/run/netns/"
	"x\","
	"\"socketPath\":\"/run/v.sock\",\"pciID\":\"0000:00:1f.6\"}],"
	"\"ips\":[{\"interface\":1,\"address\":\"10.1.0.5/16\",\"gateway\":\"10.1.0.1\"},"
	"{\"interface\":1,\"address\":\"fd00::5/64\",\"gateway\":\"fd00::1\"},"
	"{\"address\":\"10.2.0.5/24\"}],"
	"\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.0.1\",\"mtu\":1300,\"advmss\":1200,"
	"\"priority\":0,\"table\":100,\"scope\":253},{\"dst\":\"fd01::/48\"}]," FULL_DNS "}";

static void each_version_has_its_form(void **state)
{
	static const struct {
		const char *version, *text;
	} cases[] = {
		{ "1.1.0", full },
		{ "1.0.0",
		  "{\"cniVersion\":\"1.0.0\",\"interfaces\":["
		  "{\"name\":\"cni0\",\"mac\":\"00:11:22:33:44:55\"},"
		  "{\"name\":\"eth0\",\"mac\":\"0a:0b:0c:0d:0e:0f\",\"sandbox\":\"/run/netns/x\"}],"
		  "\"ips\":[{\"interface\":1,\"address\":\"10.1.0.5/16\",\"gateway\":\"10.1.0.1\"},"
		  "{\"interface\":1,\"address\":\"fd00::5/64\",\"gateway\":\"fd00::1\"},"
		  "{\"address\":\"10.2.0.5/24\"}],"
		  "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.0.1\"},"
		  "{\"dst\":\"fd01::/48\"}]," FULL_DNS "}" },
		{ "0.4.0",
		  "{\"cniVersion\":\"0.4.0\",\"interfaces\":["
		  "{\"name\":\"cni0\",\"mac\":\"00:11:22:33:44:55\"},"
		  "{\"name\":\"eth0\",\"mac\":\"0a:0b:0c:0d:0e:0f\",\"sandbox\":\"/run/netns/x\"}],"
		  "\"ips\":[{\"version\":\"4\",\"interface\":1,\"address\":\"10.1.0.5/16\","
		  "\"gateway\":\"10.1.0.1\"},{\"version\":\"6\",\"interface\":1,"
		  "\"address\":\"fd00::5/64\",\"gateway\":\"fd00::1\"},"
		  "{\"version\":\"4\",\"address\":\"10.2.0.5/24\"}],"
		  "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.0.1\"},"
		  "{\"dst\":\"fd01::/48\"}]," FULL_DNS "}" },
		{ "0.2.0", "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.5/16\","
			   "\"gateway\":\"10.1.0.1\","
			   "\"routes\":[{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.1.0.1\"}]},"
			   "\"ip6\":{\"ip\":\"fd00::5/64\",\"gateway\":\"fd00::1\","
			   "\"routes\":[{\"dst\":\"fd01::/48\"}]}," FULL_DNS "}" },
	};
	/* Versions that only differ in the number. */
	static const char *const same[][2] = { { "0.3.0", "0.4.0" },
					       { "0.3.1", "0.4.0" },
					       { "0.1.0", "0.2.0" } };
	autoarena a = ARENA_INIT;
	struct cni_result result, again;
	struct err err;

	(void)state;
	assert_int_equal(parse(full, "0.1.0", &a, &result, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = written(&result, cases[i].version, &a);

		assert_string_equal(text, cases[i].text);
		assert_int_equal(parse(text, "1.0.0", &a, &again, &err), 0);
		assert_string_equal(written(&again, cases[i].version, &a), cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_string_equal(strstr(written(&result, same[i][0], &a), ",\""),
				    strstr(written(&result, same[i][1], &a), ",\""));
}

static void old_results_are_understood(void **state)
{
	static const char text[] =
		"{\"ip4\":{\"ip\":\"10.9.0.2/24\",\"routes\":[{\"dst\":\"10.8.0.0/16\"}]},"
		"\"ip6\":{\"ip\":\"fd00::2/64\",\"gateway\":\"fd00::1\"},\"dns\":{}}";
	autoarena a = ARENA_INIT;
	struct cni_result r;
	struct err err;

	(void)state;
	assert_int_equal(parse(text, "0.2.0", &a, &r, &err), 0);
	assert_string_equal(written(&r, "1.0.0", &a),
			    "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.9.0.2/24\"},"
			    "{\"address\":\"fd00::2/64\",\"gateway\":\"fd00::1\"}],"
			    "\"routes\":[{\"dst\":\"10.8.0.0/16\"}],\"dns\":{}}");
	/* The version decides, not what is there. */
	assert_int_equal(parse(text, "1.0.0", &a, &r, &err), 0);
	assert_int_equal(r.ips.count, 0);
}

static void empty_results(void **state)
{
	struct cni_result r = { .dns.domain = NULL };
	autoarena a = ARENA_INIT;
	struct err err;

	(void)state;
	for (const char *const *v = cni_versions; *v; v++)
		assert_string_equal(written(&r, *v, &a),
				    arena_printf(&a, "{\"cniVersion\":\"%s\",\"dns\":{}}", *v));
	assert_int_equal(parse("{\"interfaces\":null,\"ips\":[],\"dns\":{\"domain\":\"\"}}",
			       "1.0.0", &a, &r, &err),
			 0);
	assert_string_equal(written(&r, "1.0.0", &a), "{\"cniVersion\":\"1.0.0\",\"dns\":{}}");
}

static void bad_results(void **state)
{
	static const struct {
		const char *text, *message;
		int code;
	} cases[] = {
		{ "{\"cniVersion\":\"2.0.0\"}", "cniVersion: results of 2.0.0 are unknown",
		  -EPROTONOSUPPORT },
		{ "{\"ips\":[{\"address\":\"10.1.0.5\"}]}",
		  "ips[0].address: \"10.1.0.5\" is no IP address with a prefix length", -EINVAL },
		{ "{\"ips\":[{\"address\":\"10.1.0.5/33\"}]}",
		  "ips[0].address: \"10.1.0.5/33\" is no IP address with a prefix length",
		  -EINVAL },
		{ "{\"ips\":[{\"interface\":0,\"address\":\"10.1.0.5/24\"}]}",
		  "ips[0].interface: 0, but there are 0 interfaces", -EINVAL },
		{ "{\"interfaces\":[{\"name\":\"x\"}],\"ips\":[{\"interface\":1,\"address\":\"10.1."
		  "0.5/"
		  "24\"}]}",
		  "ips[0].interface: 1, but there are 1 interfaces", -EINVAL },
		{ "{\"interfaces\":[{\"name\":\"x\"}],\"ips\":[{\"interface\":-1,\"address\":\"10."
		  "1.0.5"
		  "/24\"}]}",
		  "ips[0].interface: -1 is out of range (0 to 4294967295)", -EINVAL },
		{ "{\"interfaces\":[{\"mac\":\"x\"}]}", "interfaces[0].name: missing", -EINVAL },
		{ "{\"ips\":[{\"address\":\"10.1.0.5/24\",\"gateway\":\"fd00::1\"}]}",
		  "ips[0].gateway: of another family than 10.1.0.5/24", -EINVAL },
		{ "{\"routes\":[{\"dst\":\"10.1.0.0/24\",\"gw\":\"nobody\"}]}",
		  "routes[0].gw: \"nobody\" is no IP address", -EINVAL },
		{ "{\"routes\":[{\"dst\":\"fd00::/8\",\"gw\":\"10.1.0.1\"}]}",
		  "routes[0].gw: of another family than fd00::/8", -EINVAL },
		{ "{\"routes\":[{\"gw\":\"10.1.0.1\"}]}", "routes[0].dst: missing", -EINVAL },
		{ "{\"dns\":{\"nameservers\":[1]}}",
		  "dns.nameservers[0]: expected a string, found 1", -EINVAL },
		{ "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"gateway\":\"10.1.0.1\"}}",
		  "ip4.ip: missing", -EINVAL },
		{ "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.2/8\",\"gateway\":\"::1\"}}",
		  "ip4.gateway: of another family than 10.1.0.2/8", -EINVAL },
		{ "[]", "expected an object, found an array", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		autoarena a = ARENA_INIT;
		struct cni_result r;
		struct err err = { 0 };

		assert_int_equal(parse(cases[i].text, "1.0.0", &a, &r, &err), cases[i].code);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void versions_are_compared_as_numbers(void **state)
{
	(void)state;
	assert_true(cni_version_compare("0.3.1", "0.3.0") > 0);
	assert_true(cni_version_compare("0.10.0", "0.9.9") > 0);
	assert_true(cni_version_compare("0.4.0", "1.0.0") < 0);
	assert_int_equal(cni_version_compare("1.1.0", "1.1.0"), 0);
	assert_true(cni_version_known("0.3.1"));
	assert_false(cni_version_known("0.3"));
	assert_false(cni_version_known("1.2.0"));
}

static void results_grow(void **state)
{
	struct cni_result r = { .dns.domain = NULL };
	autoarena a = ARENA_INIT;
	struct ip_net net;

	(void)state;
	for (int i = 0; i < 40; i++) {
		char text[IP_TEXT_SIZE];

		snprintf(text, sizeof(text), "10.0.%d.0/24", i);
		assert_int_equal(ip_net_parse(text, &net), 0);
		cni_add_ip(&r, &a, &net)->interface = (struct opt_u32){ true, (uint32_t)i };
		cni_add_route(&r, &a, &net)->mtu = (struct opt_u32){ true, 1000 };
		cni_add_interface(&r, &a, text, NULL, "/x")->mtu = (uint32_t)i;
	}
	assert_int_equal(r.ips.count, 40);
	assert_int_equal(r.routes.count, 40);
	for (uint32_t i = 0; i < 40; i++) {
		assert_int_equal(r.ips.items[i].interface.value, i);
		assert_int_equal(r.ips.items[i].address.ip.bytes[2], i);
		assert_int_equal(r.interfaces.items[i].mtu, i);
		assert_int_equal(r.routes.items[i].mtu.value, 1000);
	}
	assert_string_equal(r.interfaces.items[7].name, "10.0.7.0/24");
	assert_null(r.interfaces.items[7].mac);
}

static void errors_have_numbers(void **state)
{
	static const struct {
		int code;
		unsigned int number;
	} cases[] = {
		{ EPROTONOSUPPORT, 1 },	 { EOPNOTSUPP, 2 }, { ESRCH, 3 },
		{ CNI_ERROR(4), 4 },	 { EIO, 5 },	    { EBADMSG, 6 },
		{ EINVAL, 7 },		 { EBUSY, 11 },	    { CNI_ERROR(50), 50 },
		{ CNI_ERROR(999), 999 }, { ENOSPC, 101 },   { E2BIG, 100 },
		{ EADDRINUSE, 102 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err;

		assert_true(err_set(&err, cases[i].code, "x") < 0);
		assert_int_equal(cni_code(&err), cases[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_version_has_its_form),
		cmocka_unit_test(old_results_are_understood),
		cmocka_unit_test(empty_results),
		cmocka_unit_test(bad_results),
		cmocka_unit_test(versions_are_compared_as_numbers),
		cmocka_unit_test(results_grow),
		cmocka_unit_test(errors_have_numbers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

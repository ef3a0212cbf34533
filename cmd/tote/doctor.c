/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/doctor.h"

#include "cmd/tote/tote.h"
#include "lib/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct doctor_options {
	const char *format;
};

static const struct option items[] = {
	{ "format", 'f', OPT_STRING, offsetof(struct doctor_options, format), "FORMAT",
	  "table (default) or json" },
};
static const struct option_table table = { items, ARRAY_SIZE(items), false };

static void print_table(const struct doctor_report *report)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
	bool colour = isatty(STDOUT_FILENO);

	for_each (r, report) {
		printf("%s%-4s%s  %-20s %s", colour ? colours[r->status] : "",
		       doctor_status_name(r->status), colour ? "\033[0m" : "", r->check, r->detail);
		printf("%s%s\n", r->remedy ? "; remedy: " : "", r->remedy ? r->remedy : "");
	}
}

static void print_json(const struct doctor_report *report)
{
	autobuf out = BUF_INIT;
	struct json_writer w;

	json_writer_init(&w, &out, false);
	json_begin_array(&w);
	for_each (r, report) {
		json_begin_object(&w);
		json_pair_string(&w, "check", r->check);
		json_pair_string(&w, "status", doctor_status_name(r->status));
		json_pair_string(&w, "detail", r->detail);
		json_pair_string(&w, "remedy", r->remedy);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_writer_done(&w);
	printf("%s\n", buf_str(&out));
}

static int run(char **args, size_t count, void *opts)
{
	const struct doctor_options *o = opts;
	const struct doctor_opts how = { globals.root, globals.rootless };
	bool json = o->format && strcmp(o->format, "json") == 0;
	struct doctor_report report;
	autoarena a = ARENA_INIT;
	struct err err;
	int code = 0;

	(void)args;
	(void)count;
	if (o->format && !json && strcmp(o->format, "table") != 0) {
		err_set(&err, EINVAL, "doctor: --format: expected table or json, found \"%s\"",
			o->format);
		return fail(&err);
	}
	doctor_run(&how, &a, &report);
	json ? print_json(&report) : print_table(&report);
	for_each (r, &report)
		if (r->status == DOCTOR_FAIL)
			code = 1;
	return code;
}

const struct verb verb_doctor = {
	"doctor",
	"",
	"tell what this host can and cannot do for containers, and the remedies",
	&table,
	0,
	0,
	run,
	sizeof(struct doctor_options),
	0
};

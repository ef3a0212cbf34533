// SPDX-License-Identifier: Apache-2.0
/* Medians and ratios of what bench.c measured, as a table and as JSON. */
#include "tests/bench/bench.h"

#include "lib/cleanup.h"

#include <stdio.h>
#include <string.h>

static const char *const metric_names[METRICS] = { "wall_ms", "cpu_ms", "maxrss_kib" };

struct summary {
	double min, median, max;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct summary summarise(const struct bench *bench, const struct sample *samples,
				enum metric metric)
{
	size_t n = (size_t)bench->rounds;
	autofree double *values = calloc(n, sizeof(*values));
	struct summary s;

	if (!values)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		values[i] = samples[i].value[metric];
	qsort(values, n, sizeof(*values), compare);
	s = (struct summary){ values[0], values[n / 2], values[n - 1] };
	if (n % 2 == 0)
		s.median = (values[n / 2 - 1] + values[n / 2]) / 2;
	return s;
}

/* Against the base's median; 0 when there is no base. */
static double ratio_to_base(const struct bench *bench, const struct contender *c)
{
	for (size_t i = 0; bench->base && i < bench->count; i++)
		if (strcmp(bench->contenders[i].name, bench->base) == 0)
			return summarise(bench, c->sums, WALL_MS).median /
			       summarise(bench, bench->contenders[i].sums, WALL_MS).median;
	return 0;
}

static void print_row(const struct bench *bench, const char *name, const struct sample *samples,
		      double ratio)
{
	printf("%-24.24s", name);
	for (enum metric m = 0; m < METRICS; m++) {
		struct summary s = summarise(bench, samples, m);
		int digits = m == RSS_KIB ? 0 : 2;

		printf(" |%8.*f %8.*f %8.*f", digits, s.min, digits, s.median, digits, s.max);
	}
	if (ratio > 0)
		printf(" |%6.2f", ratio);
	putchar('\n');
}

static void part_title(const struct part *p, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; p->argv[i] && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : "", p->argv[i]);
}

void report_table(const struct bench *bench)
{
	printf("%-24s |%26s |%26s |%26s |%6s\n", "", "wall ms", "user+sys ms", "peak RSS KiB",
	       "ratio");
	printf("%-24s", "min, median, max");
	for (enum metric m = 0; m < METRICS; m++)
		printf(" |%8s %8s %8s", "min", "median", "max");
	printf(" |%6.6s\n", bench->base ? bench->base : "");
	for (size_t i = 0; i < bench->count; i++) {
		const struct contender *c = &bench->contenders[i];

		print_row(bench, c->name, c->sums, ratio_to_base(bench, c));
		for (size_t k = 0; c->count > 1 && k < c->count; k++) {
			char title[256] = "  ";

			part_title(&c->parts[k], title + 2, sizeof(title) - 2);
			if (!c->parts[k].reap)
				print_row(bench, title, c->parts[k].samples, 0);
		}
	}
	printf("%ld rounds, %ld warm-ups; driver %ld KiB\n", bench->rounds, bench->warmups,
	       bench->driver_kib);
}

static void json_string(FILE *f, const char *key, const char *s)
{
	fprintf(f, "\"%s\":\"", key);
	for (; *s; s++)
		if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ')
			fprintf(f, "\\u%04x", (unsigned int)*s);
		else
			fputc(*s, f);
	fputc('"', f);
}

static void json_summaries(const struct bench *bench, FILE *f, const struct sample *samples)
{
	for (enum metric m = 0; m < METRICS; m++) {
		struct summary s = summarise(bench, samples, m);

		fprintf(f, ",\"%s\":{\"min\":%.4f,\"median\":%.4f,\"max\":%.4f}", metric_names[m],
			s.min, s.median, s.max);
	}
}

static void json_contender(const struct bench *bench, FILE *f, const struct contender *c)
{
	const char *comma = "";

	fputc('{', f);
	json_string(f, "name", c->name);
	json_summaries(bench, f, c->sums);
	if (bench->base)
		fprintf(f, ",\"ratio\":%.4f", ratio_to_base(bench, c));
	fputs(",\"parts\":[", f);
	for (size_t i = 0; i < c->count; i++) {
		char title[1024] = "";

		if (c->parts[i].reap)
			continue;
		part_title(&c->parts[i], title, sizeof(title));
		fprintf(f, "%s{", comma);
		json_string(f, "command", title);
		json_summaries(bench, f, c->parts[i].samples);
		fputc('}', f);
		comma = ",";
	}
	fputs("]}", f);
}

void report_json(const struct bench *bench, const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f)
		die("%s: %s", path, strerror(errno));
	fprintf(f, "{\"rounds\":%ld,\"warmups\":%ld,\"driver_kib\":%ld,\"contenders\":[",
		bench->rounds, bench->warmups, bench->driver_kib);
	for (size_t i = 0; i < bench->count; i++) {
		fputs(i ? "," : "", f);
		json_contender(bench, f, &bench->contenders[i]);
	}
	fputs("]}\n", f);
	if (fclose(f) < 0)
		die("%s: %s", path, strerror(errno));
}

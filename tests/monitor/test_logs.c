/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-monitor/logs_private.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

#define TIME "2026-11-22T08:04:13.267335547Z"
#define HEAD "2026-11-22T08:04:13.267335547Z stdout F "

static char dir[] = "/tmp/test_logs.XXXXXX", file[64];
static struct logs l;
static struct log_stream out, err_stream;
static char text[1 << 20];

static void start(enum log_driver driver, uint64_t size, uint32_t files)
{
	struct err err;

	l = (struct logs){
		.driver = driver, .file = file, .id = "box", .max_size = size, .max_files = files
	};
	out = (struct log_stream){ 0 };
	err_stream = (struct log_stream){ .err = true };
	assert_int_equal(logs_init(&l, &err), 0);
}

static void feed(struct log_stream *s, const char *data, size_t len)
{
	while (len) {
		size_t room;
		char *to = logs_room(s, &room);

		assert_true(room > 0);
		if (room > len)
			room = len;
		memcpy(to, data, room);
		logs_add(&l, s, room);
		data += room;
		len -= room;
	}
	logs_flush(&l);
}

static void feeds(const char *data)
{
	feed(&out, data, strlen(data));
}

/* FILE.number (0: FILE), without the times; "" when it is not there. */
static const char *contents(unsigned int number)
{
	char path[80], *to = text;
	FILE *f;
	static char line[1 << 17];

	snprintf(path, sizeof(path), number ? "%s.%u" : "%s", file, number);
	f = fopen(path, "re");
	*to = 0;
	while (f && fgets(line, sizeof(line), f)) {
		size_t skip =
			l.driver == LOG_LOCAL && strlen(line) > sizeof(TIME) ? sizeof(TIME) : 0;

		to = stpcpy(to, line + skip);
	}
	if (f)
		fclose(f);
	return text;
}

static off_t size_of(unsigned int number)
{
	struct stat st;
	char path[80];

	snprintf(path, sizeof(path), number ? "%s.%u" : "%s", file, number);
	return stat(path, &st) < 0 ? -1 : st.st_size;
}

static int clear(void **state)
{
	char command[80];

	(void)state;
	logs_close(&l);
	snprintf(command, sizeof(command), "rm -rf %s/*", dir);
	return system(command);
}

static void test_lines(void **state)
{
	(void)state;
	start(LOG_LOCAL, 0, 0);
	assert_true(l.max_size >= 1 << 20 && l.max_files >= 2);
	feeds("one\n\ntwo\nthr");
	assert_string_equal(contents(0), "stdout F one\nstdout F \nstdout F two\n");
	feed(&err_stream, "oops\n", 5);
	feeds("ee\n");
	assert_string_equal(contents(0), "stdout F one\nstdout F \nstdout F two\nstderr F oops\n"
					 "stdout F three\n");
}

static void test_parts(void **state)
{
	(void)state;
	start(LOG_LOCAL, 0, 0);
	feeds("name: ");
	logs_rest(&l, &out, false);
	logs_rest(&l, &out, false);
	logs_flush(&l);
	assert_string_equal(contents(0), "stdout P name: \n");
	feeds("box\nend");
	logs_rest(&l, &out, true);
	logs_flush(&l);
	assert_string_equal(contents(0), "stdout P name: \nstdout F box\nstdout P end\n");
}

/* A line of n bytes that shows where each byte belongs. */
static char *long_line(size_t n)
{
	char *line = malloc(n + 2);

	for (size_t i = 0; i < n; i++)
		line[i] = (char)('a' + i % 26);
	line[n] = '\n';
	line[n + 1] = 0;
	return line;
}

/* The texts of what contents() has, put together. */
static char *joined(const char *lines)
{
	char *whole = calloc(1, strlen(lines) + 1), *to = whole;

	while (*lines) {
		size_t len = strcspn(lines, "\n");
		bool last = lines[7] == 'F';

		memcpy(to, lines + 9, len - 9);
		to += len - 9;
		if (last)
			*to++ = '\n';
		lines += len + 1;
	}
	return whole;
}

static void test_long_lines(void **state)
{
	static const size_t lengths[] = { 100,	 16000, 16336, 16340, 16383,
					  16384, 16385, 40000, 65536, 100000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		autofree char *line = long_line(lengths[i]), *got = NULL;

		start(LOG_LOCAL, 0, 0);
		feeds(line);
		got = joined(contents(0));
		assert_string_equal(got, line);
		assert_int_equal(l.dropped, 0);
		clear(NULL);
	}
}

static void test_rotation(void **state)
{
	char line[64];

	(void)state;
	start(LOG_LOCAL, 4096, 3);
	for (int i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		feeds(line);
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(size_of(i) > 0 && size_of(i) <= 4096);
		assert_non_null(strstr(contents(i), "stdout F line "));
	}
	/* As full as they may be: another line would not have fitted. */
	assert_true(size_of(1) > 4096 - 60 && size_of(2) > 4096 - 60);
	assert_int_equal(size_of(3), -1);
	assert_non_null(strstr(contents(0), "line 999\n"));
	assert_null(strstr(contents(0), "line 900\n"));
}

static void test_rotation_of_long_lines(void **state)
{
	autofree char *line = long_line(10000);

	(void)state;
	start(LOG_LOCAL, 5000, 4);
	for (int i = 0; i < 10; i++)
		feeds(line);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(size_of(i) > 0 && size_of(i) <= 5000);
	assert_int_equal(size_of(4), -1);
	assert_int_equal(l.dropped, 0);
}

static void test_one_file(void **state)
{
	(void)state;
	start(LOG_LOCAL, 4096, 1);
	for (int i = 0; i < 1000; i++)
		feeds("a line of some length\n");
	assert_true(size_of(0) > 0 && size_of(0) <= 4096);
	assert_int_equal(size_of(1), -1);
}

static void put_file(const char *path, const char *data)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(data, f);
	fclose(f);
}

static void test_what_was_there(void **state)
{
	char path[80];

	(void)state;
	put_file(file, HEAD "old\n" HEAD "torn");
	for (int i = 1; i < 6; i++) {
		snprintf(path, sizeof(path), "%s.%d", file, i);
		put_file(path, "older\n");
	}
	start(LOG_LOCAL, 0, 4);
	feeds("new\n");
	assert_string_equal(contents(0), "stdout F old\nstdout F torn\nstdout F new\n");
	assert_true(size_of(3) > 0);
	assert_int_equal(size_of(4), -1);
	assert_int_equal(size_of(5), -1);
}

/* Files end at so many bytes: as on a disk that is full. */
static void limit(rlim_t bytes)
{
	struct rlimit r = { bytes, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static void test_disk_full(void **state)
{
	(void)state;
	start(LOG_LOCAL, 0, 0);
	feeds("first\n");
	limit((rlim_t)size_of(0) + 20);
	feeds("second\n");
	feeds("third\n");
	/* Nothing is there in part. */
	assert_string_equal(contents(0), "stdout F first\n");
	assert_int_equal(l.dropped, 13);
	limit(RLIM_INFINITY);
	feeds("fourth\n");
	feeds("fifth\n");
	assert_string_equal(contents(0), "stdout F first\n"
					 "stderr F tote: 13 bytes before this were not logged\n"
					 "stdout F fourth\nstdout F fifth\n");
	assert_int_equal(l.dropped, 13);
	limit(0);
	feeds("sixth\n");
	assert_int_equal(l.dropped, 19);
	limit(RLIM_INFINITY);
	feeds("seventh\n");
	assert_non_null(strstr(contents(0), "tote: 6 bytes before"));
}

static void test_no_directory(void **state)
{
	char path[80];

	(void)state;
	start(LOG_LOCAL, 0, 0);
	snprintf(path, sizeof(path), "%s/sub/log", dir);
	l.file = path;
	feeds("lost\n");
	assert_int_equal(l.dropped, 5);
	snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sub/log", dir);
	feeds("kept\n");
	assert_int_equal(l.dropped, 5);
	logs_close(&l);
	snprintf(file, sizeof(file), "%s/sub/log", dir);
	assert_string_equal(contents(0), "stderr F tote: 5 bytes before this were not logged\n"
					 "stdout F kept\n");
	snprintf(file, sizeof(file), "%s/log", dir);
}

/* Names that are no file of ours. */
static void test_no_file(void **state)
{
	char other[80];

	(void)state;
	start(LOG_LOCAL, 0, 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	feeds("lost\n");
	assert_int_equal(l.dropped, 5);
	unlink(file);
	snprintf(other, sizeof(other), "%s/other", dir);
	put_file(other, "precious\n");
	assert_int_equal(symlink(other, file), 0);
	feeds("lost\n");
	assert_int_equal(l.dropped, 10);
	start(LOG_LOCAL, 0, 0);
	l.file = other;
	unlink(file);
}

static void test_reopen(void **state)
{
	char other[80];

	(void)state;
	start(LOG_LOCAL, 0, 0);
	feeds("one\n");
	snprintf(other, sizeof(other), "%s.9", file);
	assert_int_equal(rename(file, other), 0);
	feeds("two\n");
	assert_int_equal(size_of(0), -1);
	logs_reopen(&l);
	feeds("three\n");
	assert_string_equal(contents(0), "stdout F three\n");
}

static const char *json(const char *data, size_t len, bool last)
{
	static char line[1024];
	struct log_record rec = { TIME, data, len, false, last };
	size_t taken, n = logs_encode(LOG_JSON_FILE, &rec, line, sizeof(line), false, &taken);

	assert_true(n > 0 && n < sizeof(line));
	assert_int_equal(taken, len);
	line[n] = 0;
	return line;
}

#define JSON(log) "{\"log\":\"" log "\",\"stream\":\"stdout\",\"time\":\"" TIME "\"}\n"

static void test_json(void **state)
{
	(void)state;
	assert_string_equal(json("hello", 5, true), JSON("hello\\n"));
	assert_string_equal(json("", 0, true), JSON("\\n"));
	assert_string_equal(json("part", 4, false), JSON("part"));
	assert_string_equal(json("a\"b\\c\td\001\0e", 10, true),
			    JSON("a\\\"b\\\\c\\u0009d\\u0001\\u0000e\\n"));
	assert_string_equal(json("gr\xc3\xbcn \xf0\x9f\x98\x80", 10, true),
			    JSON("gr\xc3\xbcn \xf0\x9f\x98\x80\\n"));
	assert_string_equal(
		json("\xff\xc3(\xed\xa0\x80", 6, true),
		JSON("\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\n"));
}

/* Whatever room there is: all of the text, in its order, and never more than the room. */
/* Wherever it stands among eight that are looked at together, and beside another one. */
static void test_json_escapes_everywhere(void **state)
{
	(void)state;
	for (size_t at = 0; at < 20; at++)
		for (int c = 0; c < 0x100; c++) {
			char bytes[20], wanted[200], form[8];

			memset(bytes, 0x7f, sizeof(bytes));
			bytes[at] = (char)c;
			if (at)
				bytes[at - 1] = '"';
			if (c >= 0x80)
				strcpy(form, "\xef\xbf\xbd");
			else if (c == '"' || c == '\\')
				snprintf(form, sizeof(form), "\\%c", c);
			else
				snprintf(form, sizeof(form), c < 0x20 ? "\\u%04x" : "%c", c);
			snprintf(wanted, sizeof(wanted), "{\"log\":\"%.*s%s%s%.*s\",",
				 (int)(at ? at - 1 : 0), bytes, at ? "\\\"" : "", form,
				 (int)(sizeof(bytes) - at - 1), bytes + at + 1);
			assert_memory_equal(json(bytes, sizeof(bytes), false), wanted,
					    strlen(wanted));
		}
}

static void test_split(void **state)
{
	static const char data[] = "some \"text\" with gr\xc3\xbcn \xf0\x9f\x98\x80 and \001 in it";
	char line[256];

	(void)state;
	for (int driver = LOG_LOCAL; driver <= LOG_JSON_FILE; driver++)
		for (size_t room = 0; room < 200; room++) {
			struct log_record rec = { TIME, data, sizeof(data) - 1, true, true };
			size_t taken = 0, n;

			memset(line, '#', sizeof(line));
			n = logs_encode((enum log_driver)driver, &rec, line, room, false, &taken);
			assert_true(n <= room && line[room] == '#');
			assert_true(!n || taken == rec.len);
			n = logs_encode((enum log_driver)driver, &rec, line, room, true, &taken);
			assert_true(n <= room && line[room] == '#');
			if (!n)
				continue;
			assert_int_equal(line[n - 1], '\n');
			if (driver == LOG_LOCAL)
				assert_memory_equal(line + sizeof(TIME) + 9, data, taken);
			/* What was left goes on there: no character was cut. */
			rec.text += taken;
			rec.len -= taken;
			n = logs_encode((enum log_driver)driver, &rec, line, sizeof(line), false,
					&taken);
			assert_true(n > 0 && taken == rec.len);
			if (driver == LOG_JSON_FILE)
				assert_null(memmem(line, n, "\xef\xbf\xbd", 3));
		}
}

static void test_json_characters_stay_whole(void **state)
{
	(void)state;
	start(LOG_JSON_FILE, 0, 0);
	feeds("x\xf0\x9f");
	logs_rest(&l, &out, false);
	logs_flush(&l);
	assert_non_null(strstr(contents(0), "{\"log\":\"x\","));
	feeds("\x98\x80y\n");
	assert_non_null(strstr(contents(0), "{\"log\":\"\xf0\x9f\x98\x80y\\n\","));
	feeds("\xf0\x9f");
	logs_rest(&l, &out, true);
	logs_flush(&l);
	assert_non_null(strstr(contents(0), "\"log\":\"\xef\xbf\xbd\xef\xbf\xbd\""));
	assert_int_equal(out.len, 0);
}

static void test_whole_chars(void **state)
{
	static const struct {
		const char *text;
		size_t whole;
	} cases[] = { { "", 0 },
		      { "abc", 3 },
		      { "a\xc3", 1 },
		      { "a\xc3\xbc", 3 },
		      { "\xf0\x9f\x98", 0 },
		      { "\xf0\x9f\x98\x80", 4 },
		      { "\x80\x80\x80\x80", 4 },
		      { "\xff", 0 },
		      { "a\xe2\x82", 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(logs_whole_chars(cases[i].text, strlen(cases[i].text)),
				 cases[i].whole);
}

static int journal(void)
{
	static char path[80];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "%s/journal", dir);
	unlink(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	l.journal = path;
	return fd;
}

static const char *datagram(int fd)
{
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void test_journal(void **state)
{
	autofd fd = -1;

	(void)state;
	start(LOG_JOURNALD, 0, 0);
	l.journal = "/no/such/socket";
	feeds("lost\n");
	assert_int_equal(l.dropped, 5);
	fd = journal();
	feeds("hello\npart");
	assert_string_equal(datagram(fd), "PRIORITY=3\nSYSLOG_IDENTIFIER=box\nCONTAINER_NAME=box\n"
					  "MESSAGE=tote: 5 bytes before this were not logged\n");
	assert_string_equal(datagram(fd), "PRIORITY=6\nSYSLOG_IDENTIFIER=box\nCONTAINER_NAME=box\n"
					  "MESSAGE=hello\n");
	assert_string_equal(datagram(fd), "");
	logs_rest(&l, &out, false);
	assert_string_equal(datagram(fd), "PRIORITY=6\nSYSLOG_IDENTIFIER=box\nCONTAINER_NAME=box\n"
					  "CONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=part\n");
	/* A journal that was restarted. */
	close(fd);
	fd = journal();
	feeds("\nagain\n");
	assert_non_null(strstr(datagram(fd), "MESSAGE=\n"));
	assert_non_null(strstr(datagram(fd), "MESSAGE=again\n"));
	assert_int_equal(l.dropped, 5);
}

/* A journal that reads nothing: bounded, counted, told. */
static void test_journal_is_behind(void **state)
{
	autofd fd = -1;
	size_t got = 0;
	const char *last;

	(void)state;
	start(LOG_JOURNALD, 0, 0);
	fd = journal();
	for (int i = 0; i < 5000; i++)
		feeds("12345678901234567890123456789012345678901234567890\n");
	assert_true(l.dropped > 0 && l.dropped % 51 == 0);
	while (*datagram(fd))
		got++;
	assert_int_equal(got + l.dropped / 51, 5000);
	feeds("more\n");
	last = datagram(fd);
	assert_non_null(strstr(last, "bytes before this were not logged"));
	assert_non_null(strstr(datagram(fd), "MESSAGE=more\n"));
}

static void test_none(void **state)
{
	(void)state;
	start(LOG_NONE, 0, 0);
	feeds("gone\npart");
	logs_rest(&l, &out, true);
	assert_int_equal(size_of(0), -1);
	assert_int_equal(out.len, 0);
	assert_int_equal(l.dropped, 0);
}

static void test_options(void **state)
{
	struct logs bad = { .driver = LOG_LOCAL };
	struct err err;

	(void)state;
	assert_int_equal(logs_driver("local"), LOG_LOCAL);
	assert_int_equal(logs_driver("json-file"), LOG_JSON_FILE);
	assert_int_equal(logs_driver("journald"), LOG_JOURNALD);
	assert_int_equal(logs_driver("none"), LOG_NONE);
	assert_int_equal(logs_driver("syslog"), -EINVAL);
	assert_int_equal(logs_init(&bad, &err), -EINVAL);
	bad.driver = LOG_JOURNALD;
	assert_int_equal(logs_init(&bad, &err), 0);
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_parts),
		TEST(test_long_lines),
		TEST(test_rotation),
		TEST(test_rotation_of_long_lines),
		TEST(test_one_file),
		TEST(test_what_was_there),
		TEST(test_disk_full),
		TEST(test_no_directory),
		TEST(test_no_file),
		TEST(test_reopen),
		TEST(test_json),
		TEST(test_json_escapes_everywhere),
		TEST(test_split),
		TEST(test_json_characters_stay_whole),
		TEST(test_whole_chars),
		TEST(test_journal),
		TEST(test_journal_is_behind),
		TEST(test_none),
		TEST(test_options),
	};
	int r;

	l.fd = -1;
	if (!mkdtemp(dir))
		return 1;
	snprintf(file, sizeof(file), "%s/log", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return r;
}

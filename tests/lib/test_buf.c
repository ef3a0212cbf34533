/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/cleanup.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

static void empty_buffers(void **state)
{
	autobuf b = BUF_INIT;

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_add(&b, NULL, 0);
	buf_addf(&b, "%s", "");
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_null(b.data);
	buf_done(&b);
}

static void appending(void **state)
{
	autobuf b = BUF_INIT;

	(void)state;
	buf_adds(&b, "a");
	buf_add(&b, "\0b", 2);
	buf_addf(&b, "%d-%s", 7, "c");
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "a\0b7-c", 7);
	buf_reset(&b);
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "again");
	assert_string_equal(buf_str(&b), "again");
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.len + b.size, 0);
}

/* Every size around those at which it grows. */
static void always_terminated(void **state)
{
	(void)state;
	for (size_t n = 0; n < 1100; n++) {
		autobuf one = BUF_INIT, many = BUF_INIT;
		char text[1100];

		memset(text, 'x', n);
		buf_add(&one, text, n);
		assert_int_equal(strlen(buf_str(&one)), n);
		for (size_t i = 0; i < n; i++)
			buf_add(&many, "x", 1);
		assert_string_equal(buf_str(&many), buf_str(&one));
		buf_addf(&one, "%0*d", (int)n + 1, 0);
		assert_int_equal(strlen(buf_str(&one)), 2 * n + 1);
	}
}

static void room_is_reserved(void **state)
{
	autobuf b = BUF_INIT;
	char *at;

	(void)state;
	buf_adds(&b, "head");
	at = buf_reserve(&b, 1000);
	assert_ptr_equal(at, b.data + 4);
	assert_true(b.size >= 1005);
	assert_string_equal(b.data, "head");
	memset(at, 'y', 1000);
	b.len += 1000;
	buf_adds(&b, "!");
	assert_int_equal(strlen(b.data), 1005);
}

static int exit_code_of(void (*f)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* "out of memory" is not for our output. */
		close(STDERR_FILENO);
		f();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void reserve_too_much(void)
{
	struct buf b = { NULL, 16, 0 };

	buf_reserve(&b, SIZE_MAX - 8);
}

#ifndef __SANITIZE_ADDRESS__ /* it stops at sizes like that itself */
static void reserve_half(void)
{
	struct buf b = BUF_INIT;

	buf_reserve(&b, SIZE_MAX / 2 - 64);
}
#endif

static void alloc_too_much(void)
{
	struct arena a = ARENA_INIT;

	arena_alloc(&a, SIZE_MAX - 1);
}

static void calloc_overflow(void)
{
	struct arena a = ARENA_INIT;

	arena_calloc(&a, SIZE_MAX / 4 + 2, 4);
}

static void out_of_memory_ends_it(void **state)
{
	(void)state;
	assert_int_equal(exit_code_of(reserve_too_much), 255);
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(exit_code_of(reserve_half), 255);
#endif
	assert_int_equal(exit_code_of(alloc_too_much), 255);
	assert_int_equal(exit_code_of(calloc_overflow), 255);
}

/* Sizes at and around those for which a block of its own is made; none may overlap another. */
static void pieces_are_apart(void **state)
{
	static const size_t sizes[] = { 0,    1,     15,    16,	   17,	   4095, 4096,
					4097, 16383, 16384, 16385, 100000, 3 };
	autoarena a = ARENA_INIT;
	unsigned char *pieces[20 * ARRAY_SIZE(sizes)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		pieces[i] = arena_alloc(&a, size);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i % 255) + 1, size);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t k = 0; k < sizes[i % ARRAY_SIZE(sizes)]; k++)
			assert_int_equal(pieces[i][k], (i % 255) + 1);
	arena_done(&a);
	assert_null(a.blocks);
	arena_done(&a);
}

static void copies(void **state)
{
	autoarena a = ARENA_INIT;
	const char text[] = "one two";

	(void)state;
	assert_string_equal(arena_strdup(&a, text), "one two");
	assert_string_equal(arena_strndup(&a, text, 3), "one");
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_memory_equal(arena_memdup(&a, text, sizeof(text)), text, sizeof(text));
	assert_non_null(arena_memdup(&a, NULL, 0));
	assert_string_equal(arena_printf(&a, "%s:%05d", text, 42), "one two:00042");
	assert_int_equal(strlen(arena_printf(&a, "%50000d", 1)), 50000);
	assert_int_equal(((char *)arena_calloc(&a, 3, 5))[14], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_buffers),
		cmocka_unit_test(appending),
		cmocka_unit_test(always_terminated),
		cmocka_unit_test(room_is_reserved),
		cmocka_unit_test(out_of_memory_ends_it),
		cmocka_unit_test(pieces_are_apart),
		cmocka_unit_test(copies),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

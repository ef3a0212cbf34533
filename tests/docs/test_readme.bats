#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# README.md against the tree: what it names is there, and its program compiles. TOTE is the program under test.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
	: "${TOTE:=build/tote}"
	TOTE=$(realpath "$TOTE")
	[ -x "$TOTE" ] || { echo "$TOTE is not built"; return 1; }
}

# What stands between backticks, a line each.
quoted() {
	grep -oE '`[^`]+`' README.md | tr -d '`'
}

@test "every source file that it names exists" {
	[ "$(quoted | grep -cE '^[a-z-]+(/[a-z_-]+)+\.[ch]$')" -ge 20 ]
	for file in $(quoted | grep -E '^[a-z-]+(/[a-z_-]+)+\.[ch]$'); do
		[ -f "$file" ] || { echo "no such file: $file"; return 1; }
	done
}

@test "every function that it names exists" {
	[ "$(quoted | grep -cE '^[a-z_]+\(\)$')" -ge 15 ]
	for function in $(quoted | grep -E '^[a-z_]+\(\)$' | tr -d '()' | sort -u); do
		grep -qE "^[a-z].*\b$function\(" {lib,cgroups,netns,oci,oci/image,oci/supervise,cmd,cmd/*}/*.c || { echo "no such function: $function"; return 1; }
	done
}

@test "every target of make that it names exists" {
	for target in $(grep -oE '\bmake [a-z][a-z-]+( [a-z][a-z-]+)*`|^    sudo make [a-z]+' README.md | sed 's/.*make //; s/`//' | tr ' ' '\n' | sort -u); do
		grep -qE "^([a-z-]+ )*$target( [a-z-]+)*:" Makefile tests/tests.mk man/man.mk || { echo "no such target: $target"; return 1; }
	done
}

@test "make without a target builds every program" {
	[ "$(make -np 2>/dev/null | grep '^.DEFAULT_GOAL')" = ".DEFAULT_GOAL := all" ]
}

@test "its table has every command, and no others" {
	diff <("$TOTE" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort) \
		<(sed -n '/^## Commands/,/^## Speed/p' README.md | sed -n '/^| `/s/ | .*//p' | grep -oE '`[a-z]+' | tr -d '`' | sort -u)
}

@test "its program compiles and links with libtote.a" {
	library=$(dirname "$TOTE")/libtote.a
	[ -f "$library" ] || { echo "$library is not built"; return 1; }
	! nm "$library" 2>/dev/null | grep -q __asan_ || skip "built with sanitizers"
	sed -n '/^```c$/,/^```$/p' README.md | grep -v '^```' >"$BATS_TEST_TMPDIR/box.c"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/box.c")" -gt 10 ]
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -o "$BATS_TEST_TMPDIR/box" "$BATS_TEST_TMPDIR/box.c" \
		"$library" -lcap -lseccomp -lyajl -lm
}

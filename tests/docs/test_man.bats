#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The manual pages against the program: every command has one, its options are those of --help, and scdoc takes it.
# TOTE is the program under test. Needs no root.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
	MAN=$TOP/man
	: "${TOTE:=$TOP/build/tote}"
	[ -x "$TOTE" ] || { echo "$TOTE is not built"; return 1; }
}

commands() {
	"${1:-$TOTE}" --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# Options as --help prints them: "-b" and "--bundle", one a line. $@: a command or nothing.
help_options() {
	"$TOTE" "$@" --help | sed -nE 's/^  (-(.),|   ) (--[a-z0-9-]+).*/\3\n-\2/p' | grep -vx -- - | sort -u
}

# Those that a page's OPTIONS describe: lines of terms, above an indented text.
page_options() {
	awk '/^# / { on = $2 == "OPTIONS" } on && /^\t/ && term { print term } { term = /^\*-/ ? $0 : "" }' "$1" | grep -oE -- '\*--?[a-z0-9-]+\*' | tr -d '*' | sort -u
}

@test "--help lists the commands" {
	[ "$(commands | wc -l)" -ge 29 ]
	commands | grep -qx run
}

@test "every command has a page, and tote(8) names it" {
	for command in $(commands); do
		[ -f "$MAN/tote-$command.8.scd" ] || { echo "no page: tote-$command"; return 1; }
		grep -q "^tote-$command(8)" "$MAN/tote-$command.8.scd" || { echo "tote-$command: wrong title"; return 1; }
		sed -n '/^# COMMANDS/,/^# OPTIONS/p' "$MAN/tote.8.scd" | grep -q "^\*.*\b$command\*" ||
			{ echo "tote(8): COMMANDS lacks $command"; return 1; }
		grep -q "^\*tote-.*\*tote-$command\*(8)\|^\*tote-$command\*(8)" "$MAN/tote.8.scd" ||
			{ echo "tote(8): SEE ALSO lacks tote-$command"; return 1; }
	done
}

# The commands that tote hands on to tote-image.
image_commands() {
	sed -nE '/^static const struct verb image_verbs/,/^}/s/.*\.name = "([a-z]+)".*/\1/p' "$TOP/cmd/tote/main.c"
}

@test "tote-image has the commands that tote hands on to it, and no others; its page names them" {
	[ "$(image_commands | wc -l)" -ge 12 ]
	diff <(image_commands | sort) <(commands "$(dirname "$TOTE")/tote-image" | sort)
	for command in $(image_commands); do
		sed -n '/^# DESCRIPTION/,/^# OPTIONS/p' "$MAN/tote-image.8.scd" | grep -q "\*$command\*" || { echo "tote-image(8) lacks $command"; return 1; }
		[ "$("$TOTE" "$command" --help | head -n 1 | cut -d' ' -f1-3)" = "usage: tote $command" ] || { echo "$command: not handed on"; return 1; }
	done
}

@test "tote-load(8) has every exit code, and the other commands for images refer to it" {
	codes=$(sed -nE 's/^\tEXIT_[A-Z_]+ = ([0-9]+),.*/\1/p' "$TOP/cmd/tote-image/image.h")
	[ "$(wc -w <<<"$codes")" -ge 5 ]
	for code in 0 1 $codes; do
		sed -n '/^# EXIT STATUS/,/^# EXAMPLES/p' "$MAN/tote-load.8.scd" | grep -qx "\*$code\*" || { echo "tote-load(8) lacks $code"; return 1; }
	done
	for command in $(image_commands); do
		sed -n '/^# EXIT STATUS/,/^# EXAMPLES/p' "$MAN/tote-$command.8.scd" | grep -qF "*tote-load*(8)" || [ "$command" = load ] ||
			{ echo "tote-$command(8) does not name tote-load(8)"; return 1; }
	done
}

@test "tote-store(7) has every directory of the store" {
	directories=$(sed -n '/^static const char \*const directories/,/^}/p' "$TOP/oci/image/store.c" | grep -oE '"[a-z0-9/]+"' | tr -d '"' | cut -d/ -f1 | sort -u)
	[ "$(wc -w <<<"$directories")" -ge 8 ]
	for directory in $directories; do
		grep -q "^_$directory/" "$MAN/tote-store.7.scd" || { echo "tote-store(7) lacks $directory"; return 1; }
	done
}

@test "every page of a command has a command" {
	for page in "$MAN"/tote-*.8.scd; do
		name=$(basename "$page" .8.scd)
		[ -d "$TOP/cmd/$name" ] || commands | grep -qx "${name#tote-}" || { echo "no command: $name"; return 1; }
	done
}

@test "every program that is installed has a page" {
	for main in "$TOP"/cmd/*/main.c; do
		name=$(basename "$(dirname "$main")")
		[ "$name" != tote-init ] || continue # inside tote
		! grep -qs "^NOINST_$name" "$TOP/cmd/$name/build.mk" || continue
		[ -f "$MAN/$name.8.scd" ] || { echo "no page: $name"; return 1; }
	done
}

@test "options: tote(8) has the global ones, and no others" {
	[ "$(help_options | wc -l)" -ge 10 ]
	diff <(help_options) <(page_options "$MAN/tote.8.scd")
}

# network has commands of its own, and one page for all of them.
options_of() {
	local verb
	[ "$1" = network ] || { help_options "$1"; return; }
	for verb in $("$TOTE" network --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		help_options network "$verb"
	done | sort -u
}

@test "options: each page has those of its command, and no others" {
	[ "$(help_options update | wc -l)" -ge 20 ]
	for command in $(commands); do
		diff <(options_of "$command") <(page_options "$MAN/tote-$command.8.scd") ||
			{ echo "< tote $command --help, > tote-$command(8)"; return 1; }
	done
}

@test "every page has the sections, in order" {
	for page in "$MAN"/*.8.scd; do
		got=$(grep -E '^# (NAME|SYNOPSIS|DESCRIPTION|OPTIONS|EXIT STATUS|EXAMPLES|SEE ALSO)$' "$page" | tr -d '\n')
		[ "$got" = "# NAME# SYNOPSIS# DESCRIPTION# OPTIONS# EXIT STATUS# EXAMPLES# SEE ALSO" ] ||
			{ echo "$(basename "$page"): $got"; return 1; }
	done
}

@test "every page that another one names exists" {
	for page in $(grep -ohE '\*tote(-[a-z]+)?\*\([78]\)' "$MAN"/*.scd | tr -d '*)' | tr '(' . | sort -u); do
		[ -f "$MAN/$page.scd" ] || { echo "no page: $page"; return 1; }
	done
}

@test "scdoc renders every page without a word" {
	command -v scdoc >/dev/null || skip "scdoc is missing"
	for page in "$MAN"/*.scd; do
		scdoc <"$page" >"$BATS_TEST_TMPDIR/page" 2>"$BATS_TEST_TMPDIR/complaints" && [ ! -s "$BATS_TEST_TMPDIR/complaints" ] ||
			{ echo "$(basename "$page"):"; cat "$BATS_TEST_TMPDIR/complaints"; return 1; }
		[ -s "$BATS_TEST_TMPDIR/page" ]
	done
}

@test "make install-man installs pages and completion" {
	command -v scdoc >/dev/null || skip "scdoc is missing"
	env -u MAKEFLAGS make -C "$TOP" --no-print-directory -s BUILD="$BATS_TEST_TMPDIR/build" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr install-man
	share=$BATS_TEST_TMPDIR/root/usr/share
	for page in "$MAN"/*.scd; do
		name=$(basename "$page" .scd)
		[ -s "$share/man/man${name##*.}/$name" ] || { echo "not installed: $page"; return 1; }
	done
	[ -s "$share/bash-completion/completions/tote" ]
	[ -s "$share/bash-completion/completions/tote-site" ]
	[ -s "$share/bash-completion/completions/tote-fleet" ]
	[ -s "$share/zsh/site-functions/_tote" ]
}

@test "make man without scdoc says so and succeeds" {
	run -0 env -u MAKEFLAGS make -C "$TOP" --no-print-directory -s BUILD="$BATS_TEST_TMPDIR/build" SCDOC= man
	[[ $output == *"scdoc is missing"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/build/man" ]
}

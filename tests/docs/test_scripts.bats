#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is written for the shell: shellcheck has nothing to say of it, and the installed programs find their parts.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
}

# The scripts among files, by their first line or their name.
scripts_of() { # FILE...
	local file first
	for file; do
		IFS= read -r first <"$file" || continue
		[[ $file != *.sh && $first != '#!'*sh ]] || echo "$file"
	done
}

@test "shellcheck finds nothing in the scripts that are installed, nor in those that run the tests" {
	command -v shellcheck >/dev/null || skip "needs shellcheck"
	cd "$TOP"
	scripts_of cmd/tote-site/* cmd/tote-fleet/* cmd/script/* tests/setup tests/run >"$BATS_TEST_TMPDIR/scripts"
	# One that is not found is not checked.
	for name in cmd/tote-site/tote-site cmd/tote-fleet/tote-fleet cmd/tote-fleet/store-job cmd/script/say.sh tests/setup tests/run; do
		grep -qx "$name" "$BATS_TEST_TMPDIR/scripts"
	done
	xargs shellcheck -x --severity=warning <"$BATS_TEST_TMPDIR/scripts"
}

@test "shellcheck would find something" {
	command -v shellcheck >/dev/null || skip "needs shellcheck"
	printf '#!/bin/sh\ncd $1\nunused=1\n' >"$BATS_TEST_TMPDIR/bad"
	[ "$(scripts_of "$BATS_TEST_TMPDIR/bad")" = "$BATS_TEST_TMPDIR/bad" ]
	run shellcheck -x --severity=warning "$BATS_TEST_TMPDIR/bad"
	[ "$status" = 1 ]
}

@test "an installed tote-site and tote-fleet know their version and find their parts" {
	local program
	make -s -C "$TOP" BUILD="$BATS_TEST_TMPDIR/build" DESTDIR="$BATS_TEST_TMPDIR/root" PREFIX=/usr/local VERSION=1.2.3 install-scripts
	for program in tote-site tote-fleet; do
		[ "$("$BATS_TEST_TMPDIR/root/usr/local/bin/$program" --version)" = "$program version 1.2.3" ]
		"$BATS_TEST_TMPDIR/root/usr/local/bin/$program" --help >/dev/null
	done
	mkdir "$BATS_TEST_TMPDIR/hq"
	printf 'store0001\tbox\tssh\t-\t-\n' >"$BATS_TEST_TMPDIR/hq/stores.tsv"
	echo 'wave all stores=@all' >"$BATS_TEST_TMPDIR/hq/plan"
	"$BATS_TEST_TMPDIR/root/usr/local/bin/tote-fleet" --dir "$BATS_TEST_TMPDIR/hq" plan
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote bundle: what it makes, what it leaves when it ends early, and whom it keeps waiting meanwhile.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cd "$BATS_FILE_TMPDIR"
	make_base
	make_layout layout pos:1 "$BASE"
	CONFIG='del(.config.Cmd)' make_layout bare bare:1 "$BASE"
	share_store layout bare
}

setup() {
	enter_store
	ID=b$$-$BATS_TEST_NUMBER
}

teardown() {
	# One that was stopped may be there still.
	[ -z "${PID:-}" ] || kill -KILL "$PID" 2>/dev/null || true
	leave_store
}

# An image of one large file, in a store of the test's own. The copy of it is what can be interrupted.
large_store() {
	export TOTE_STORE=$WORK/store
	STORE=$TOTE_STORE
	mkdir tree
	yes large | head -c 100000000 >tree/large
	echo small >tree/small
	tar -C tree -cf tree.tar .
	tote import -q --cmd /large tree.tar large:1
	rm -r tree tree.tar
}

# A bundle in dir, in the background as $PID, stopped while it copies. One that is too fast for that is made again.
begin_bundle() {
	local try was=no end=$((SECONDS + 30))
	[ ! -d dir ] || was=yes
	for try in {1..20}; do
		"$TOTE" bundle "$1" dir 3>&- &
		PID=$!
		until [ -e dir/rootfs/large ]; do [ "$SECONDS" -lt "$end" ] || return 1; done
		! kill -STOP "$PID" || [ -e dir/config.json ] || return 0
		kill -CONT "$PID" || true
		wait "$PID"
		rm -rf dir
		[ $was = no ] || mkdir dir
	done
	return 1
}

ends() { # CODE
	local code=0
	kill -CONT "$PID"
	wait "$PID" || code=$?
	PID=
	[ "$code" = "$1" ]
}

@test "a bundle runs what the image says" {
	tote bundle pos:1 dir
	[ "$(jq -c .process.args dir/config.json)" = '["/bin/sh"]' ]
	[ "$(cat dir/rootfs/var/data/seed)" = seed ]
	fails 1 "holds a bundle already" bundle pos:1 dir
	[ -z "$(ls -A "$STORE/ingest")" ]
	fails 3 "no image" bundle none:1 other
	[ ! -e other ]
}

@test "a command in place of the image's, with options of its own" {
	tote bundle bare:1 dir sh -c 'echo "$0"' -h
	[ "$(jq -c .process.args dir/config.json)" = '["sh","-c","echo \"$0\"","-h"]' ]
	jq '.process.terminal = false | del(.linux.resources)' dir/config.json >new && mv new dir/config.json
	[ "$(tote run -b dir "$ID" 3>&- </dev/null)" = -h ]
}

@test "an image that names no command needs one, before anything is copied" {
	fails 1 "nothing to run" bundle bare:1 dir
	[ ! -e dir ]
	mkdir dir
	fails 1 "nothing to run" bundle bare:1 dir
	[ -z "$(ls -A dir)" ]
}

@test "an interrupted one leaves nothing" {
	large_store
	for signal in TERM INT; do
		begin_bundle large:1
		kill -$signal "$PID"
		ends 130
		[ ! -e dir ]
		nothing_staged
	done
	# A directory that was there stays.
	mkdir dir
	begin_bundle large:1
	kill -TERM "$PID"
	ends 130
	[ -z "$(ls -A dir)" ]
	tote bundle large:1 dir
	[ -e dir/config.json ]
}

@test "others need not wait, and take nothing away that is being copied" {
	large_store
	begin_bundle large:1
	timeout 20 "$TOTE" rmi large:1
	timeout 20 "$TOTE" gc
	[ "$(tote images -q)" = "" ]
	ends 0
	[ "$(stat -c %s dir/rootfs/large)" = 100000000 ]
	jq -e '.process.args == ["/large"]' dir/config.json
	tote gc
	[ -z "$(ls -A "$STORE/layers")" ]
}

@test "a layer that is replaced stays for those who copy it" {
	large_store
	tote save large:1 -o large.tar
	begin_bundle large:1
	echo damaged >>"$(echo "$STORE"/layers/*/fs/small)"
	fails 4 "" verify large:1
	tote load -q large.tar
	tote gc
	ends 0
	[ "$(stat -c %s dir/rootfs/large)" = 100000000 ]
	[ "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
	tote gc
	[ "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}

@test "a tree as deep as a layer may be is copied, exported and taken in again" {
	local deep
	deep=$(printf 'd/%.0s' {1..255})file
	export TOTE_STORE=$WORK/store
	STORE=$TOTE_STORE
	mkdir -p "tree/${deep%/*}"
	echo deep >"tree/$deep"
	cp -a "$ROOTFS/." tree
	tar -C tree -cf tree.tar .
	tote import -q --cmd /bin/true tree.tar deep:1
	tote verify --deep
	tote bundle deep:1 dir
	[ "$(cat "dir/rootfs/$deep")" = deep ]
	tote run --name "$ID" deep:1 3>&- </dev/null
	tote export "$ID" >export.tar
	tote delete "$ID"
	[ "$(tar -xOf export.tar "$deep")" = deep ]
	tote import -q export.tar again:1
	tote verify --deep again:1
}

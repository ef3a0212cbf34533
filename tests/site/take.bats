#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote-site take: a stream of tar that nobody may trust.
bats_require_minimum_version 1.5.0

load helpers

setup_file() { make_headquarters; }
teardown_file() { drop_headquarters; }
setup() {
	make_box
	cd "$BOX"
}
teardown() { drop_box; }

# What the stream's end says is kept apart from what went in.
take() { timeout -k 5 120 "$SITE_SOURCE/tote-site" take "$@" 3>&-; }

pack() { # [HAVE-FILE]: the stream of release $R1
	mkdir "$BOX/scratch" && TOTE_STORE=$HQ/store depot_pack "$BOX/scratch" "$DEPOT/releases/$R1" "${1:-}" "${@:2}" && rm -r "$BOX/scratch"
}

# take ends with that class and these words for the stream on stdin; and nothing of it is here.
take_fails() { # CLASS WORDS
	run --separate-stderr take
	echo "take: code $status, \"$stderr\""
	[ "$status" -eq "${CODE[$1]}" ] && [[ $stderr == *"$2"* ]] || return
	[ -z "$(ls "$SITE/releases")" ] && [ -z "$(find "$SITE/incoming" -mindepth 1)" ] && [ ! -e "$SITE/state.json" ]
}

# The stream of a small depot in $BOX/s, after a command in it.
changed() { # COMMAND...
	rm -rf "$BOX/s" && mkdir -p "$BOX/s/images" "$BOX/s/releases" && cp -a "$DEPOT/releases/$R1" "$BOX/s/releases/" && cp "$DEPOT/images/$POS1.tar" "$BOX/s/images/"
	(cd "$BOX/s" && "$@" >&2)
	tar -C "$BOX/s" -cf - "${TAR_OPTION:---format=gnu}" .
}

# A stream by hand: python knows no shame.
odd_tar() { # PYTHON-LINES: t is a tarfile for writing, info(name, **attributes) makes a member
	python3 -c '
import io, sys, tarfile
t = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def info(name, data=b"", **more):
    i = tarfile.TarInfo(name)
    i.size = len(data)
    for k, v in more.items():
        setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
r = "releases/" + sys.argv[2]
exec(sys.argv[1])
t.close()' "$1" "$R1"
}

@test "a whole stream; the same again; only what is new" {
	pack >"$BOX/stream"
	run --separate-stderr take --format json <"$BOX/stream"
	echo "$output $stderr"
	[ "$status" -eq 0 ]
	[ "$(jq .highest <<<"$output")" = 1 ]
	[ "$(state .taken)" = "$R1" ]
	take <"$BOX/stream"
	# Without what is here, the next is a few kilobytes.
	release 2 "$POS2"
	R1=$REPLY
	TOTE_STORE=$BOX/store "$TOTE" images --layers >"$BOX/has"
	pack "$BOX/has" >"$BOX/stream2"
	[ "$(tar -tf "$BOX/stream2" | grep -c 'images/.*\.tar')" = 1 ]
	take <"$BOX/stream2"
	[ "$(state .taken)" = "$R1" ]
	[ -z "$(find "$SITE/incoming" -type f)" ]
	[ "$("$TOTE" images -f json | jq -r '.[].names[]' | grep -c "^tote-site/")" = 2 ]
}

@test "an image that has several names at headquarters" {
	cp -a "$HQ/store" "$BOX/hq-store"
	TOTE_STORE=$BOX/hq-store "$TOTE" tag "sha256:$POS1" pos:again
	mkdir "$BOX/scratch" && TOTE_STORE=$BOX/hq-store depot_pack "$BOX/scratch" "$DEPOT/releases/$R1" "" >"$BOX/stream"
	[ "$(tar -xOf "$BOX/stream" "./images/$POS1.tar" | tar -xOf - index.json | jq '.manifests | length')" = 2 ]
	take <"$BOX/stream"
	[ "$(state .taken)" = "$R1" ]
	[ "$("$TOTE" images -f json | jq -r '.[].names[]')" = "tote-site/$R1:$POS1" ]
}

@test "two images that share layers: the second one comes without them" {
	release 2 "$POS1" "image=pos:2@sha256:$POS2"
	R1=$REPLY
	pack >"$BOX/stream"
	[ "$(tar -tf "$BOX/stream" | grep -c 'images/.*\.tar')" = 2 ]
	take <"$BOX/stream"
	[ "$(state .taken)" = "$R1" ]
}

@test "from box to box, with secrets" {
	command -v age >/dev/null || skip "needs age"
	mkdir -p "$DEPOT/secrets/store0001"
	echo x | age -R "$HQ/key.pub" -o "$DEPOT/secrets/store0001/db.age"
	secrets_make "$DEPOT/secrets/store0001" "$HQ/key" store0001 3
	site fetch "$DEPOT"
	(. "$SITE_SOURCE/conf.sh" && . "$SITE_SOURCE/store.sh" && conf_load && store_open && store_load && store_pack "$R1" "") >"$BOX/stream"
	[ -z "$(find "$SITE/incoming" -mindepth 1)" ]
	export TOTE_SITE_DIR=$BOX/site2 TOTE_SITE_RUN=$BOX/run2 TOTE_STORE=$BOX/store2
	SITE=$TOTE_SITE_DIR
	take <"$BOX/stream"
	[ "$(state .taken)" = "$R1" ]
	[ -f "$SITE/secrets/db.age" ]
}

@test "images that lack: 8 with a list; a stream with the rest completes it" {
	changed rm -r images >"$BOX/stream"
	run --separate-stderr take --format json <"$BOX/stream"
	[ "$status" -eq 8 ]
	[ "$(jq -c '[.missing, .have]' <<<"$output")" = "[[\"sha256:$POS1\"],[]]" ]
	pack >"$BOX/stream"
	take <"$BOX/stream"
	[ "$(state .taken)" = "$R1" ]
}

@test "empty, cut off at many places, rubbish, compressed rubbish" {
	local n size
	take_fails refused "" </dev/null
	pack >"$BOX/stream"
	size=$(stat -c %s "$BOX/stream")
	for n in 100 512 1000 1536 3000 5000 $((size / 2)); do
		head -c "$n" "$BOX/stream" | take_fails refused ""
	done
	head -c 300000 /dev/urandom | take_fails refused ""
	changed true | gzip | take_fails refused ""
	# What was cut off by a power cut goes before anything is written: it may be what fills the disk.
	mkdir "$SITE/incoming/take.old"
	touch "$SITE/incoming/take.old/x"
	take_fails refused "" </dev/null
	site fetch "$DEPOT"
}

@test "a release that is tampered with, or half" {
	changed sed -i 's/pos:1/pos:2/' "releases/$R1/compose.yaml" | take_fails refused "compose.yaml"
	changed rm "releases/$R1/manifest.sig" | take_fails refused "half copied"
	changed sed -i 's/serial 1/serial 9/' "releases/$R1/manifest" | take_fails refused "signature"
	changed sh -c 'mv releases/* releases/$(printf %064d 0)' | take_fails refused "another one inside"
	changed sh -c 'cp -r releases/* releases/$(printf %064d 0)' | take_fails refused "several"
	changed rm -r releases | take_fails refused "no release"
}

@test "names that do not belong to a depot" {
	changed touch evil | take_fails refused "'evil': does not belong"
	changed touch images/x.tar | take_fails refused "does not belong"
	changed touch "releases/$R1/..x" | take_fails refused "does not belong"
	changed sh -c 'mkdir -p wanted && echo x >wanted/default' | take_fails refused "does not belong"
	odd_tar 'info("../evil", b"x")' | take_fails refused ""
	odd_tar 'info("/tmp/tote-site-evil", b"x")' | take_fails refused ""
	odd_tar 'info(r + "/../../../evil", b"x")' | take_fails refused ""
	odd_tar 'info("releases/../evil", b"x")' | take_fails refused ""
	odd_tar 'info(".why", b"good x")' | take_fails refused ""
	odd_tar 'info("./.count", b"x")' | take_fails refused ""
	odd_tar 'info(r + "/$(touch pwned)", b"x")' | take_fails refused ""
	odd_tar 'info(r + "/a\nb", b"x")' | take_fails refused ""
	odd_tar 'info(r + "/manifest", b"x"); info(r + "/manifest", b"y")' | take_fails refused "twice"
	odd_tar 'info(r + "/a", b"x"); info(r + "/a/b", b"y")' | take_fails full ""
	[ ! -e evil ]
	[ ! -e pwned ]
	[ ! -e "$BOX/evil" ]
	[ ! -e "$SITE/evil" ]
	[ ! -e /tmp/tote-site-evil ]
}

@test "links, devices, pipes, modes and owners of the stream never become ours" {
	local kind
	# Through a link to a directory outside, a file might be written there.
	mkdir "$BOX/outside"
	odd_tar "info(\"releases\", type=tarfile.SYMTYPE, linkname=\"$BOX/outside\"); info(r + \"/manifest\", b\"x\")" | take_fails refused ""
	[ -z "$(ls "$BOX/outside")" ]
	for kind in SYMTYPE LNKTYPE FIFOTYPE CHRTYPE BLKTYPE; do
		odd_tar "info(r + '/manifest', type=tarfile.$kind, linkname='/etc/passwd')" | take_fails refused ""
		odd_tar "info('images/$POS1.tar', type=tarfile.$kind, linkname='/etc/passwd')" | take_fails refused ""
	done
	changed chmod -R 6777 . >"$BOX/stream"
	take <"$BOX/stream"
	[ -z "$(find "$SITE" -perm /6022)" ]
}

@test "too large: a member, the whole stream, too many members" {
	odd_tar 'i = tarfile.TarInfo(r + "/manifest"); i.size = 1 << 40; sys.stdout.buffer.write(i.tobuf()); sys.stdout.buffer.write(b"x" * 100000); sys.stdout.buffer.flush(); import os; os._exit(0)' |
		take_fails refused "bytes"
	pack >"$BOX/stream"
	TOTE_SITE_TAKE_MAX=100000 take_fails refused "" <"$BOX/stream"
}

@test "a full disk: 9" {
	pack >"$BOX/stream"
	mkdir "$SITE"
	unshare -m --propagation private bash -c 'mount -t tmpfs -o size=512k none "$0" && "$1" take <"$2"; echo "code $?"; find "$0"/releases "$0"/incoming -type f' \
		"$SITE" "$SITE_SOURCE/tote-site" "$BOX/stream" >"$BOX/out" 2>"$BOX/err"
	cat "$BOX/out" "$BOX/err"
	[ "$(cat "$BOX/out")" = "code 9" ]
}

@test "killed at any point: nothing half, and the next one succeeds" {
	local i pid
	pack >"$BOX/stream"
	for i in $(seq 8); do
		setsid "$SITE_SOURCE/tote-site" take <"$BOX/stream" >"$BOX/out" 2>&1 3>&- &
		pid=$!
		sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
		kill -KILL -- "-$pid" 2>/dev/null || true
		wait "$pid" || true
		box_is_sound
	done
	take <"$BOX/stream"
	[ "$(state .taken)" = "$R1" ]
	[ -z "$(find "$SITE/incoming" -mindepth 1 ! -name images)" ]
}

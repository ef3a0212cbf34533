#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote-site fetch: what comes from a stick or a web server is taken in whole or not at all, whatever happens meanwhile.
bats_require_minimum_version 1.5.0

load helpers

setup_file() { make_headquarters; }
teardown_file() { drop_headquarters; }
setup() { make_box; }
teardown() {
	[ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
	drop_box
}

has_image() { "$TOTE" images -q | grep -qx "sha256:$1"; }

@test "the program itself: help, version, wrong words, a bad site.conf" {
	local verb words line
	run -0 site --help
	for verb in fetch take apply gate rollback status tend init-store configure peer; do
		grep -q "^  $verb " <<<"$output"
	done
	[[ $output == *"fetch [DIR|URL] "*"take in the release"* ]]
	run -0 site fetch --help
	run -0 site --version
	[[ $output == *" version "* ]]
	run -2 site
	site_fails usage "no verb" bogus
	site_fails usage "text or json" fetch --format=xml
	printf '# A comment\n\n  store s\nengine supervise\n' >"$BOX/site.conf"
	site_fails error 'site.conf:3: is not "key value"' fetch
	printf 'store s\nengine supervise\n' >"$BOX/site.conf"
	site_fails error 'site.conf: "box" is missing' fetch
	printf 'store Default\nengine supervise\nbox b\n' >"$BOX/site.conf"
	site_fails error 'site.conf:1: "store" cannot be Default' fetch
	while IFS='|' read -r words line; do
		printf 'store s\nengine supervise\nbox b\n%s\n' "$line" >"$BOX/site.conf"
		site_fails error "$words" fetch
	done <<-'END'
		site.conf:4: there is no key "colour"|colour red
		site.conf:4: "box" is there twice|box c
		site.conf:4: "keep" cannot be '0'|keep 0
		site.conf:4: is not "key value"|keep
		site.conf:4: "depot" cannot be 'ftp://x'|depot ftp://x
		site.conf:4: "peer" cannot be 'b'|peer b
		its own peer|peer b 10.0.0.1
		site.conf:4: "engine" is there twice|engine k8s
	END
}

@test "a release comes with its image, and its serial is remembered" {
	site fetch "$DEPOT"
	release_verify "$SITE/releases/$R1" "$TOTE_SITE_SIGNERS"
	[ "$(state .taken)" = "$R1" ]
	[ "$(state .highest)" = 1 ]
	[ "$(state .release)" = null ]
	[ "$(state .phase)" = settled ]
	has_image "$POS1"
	[ "$("$TOTE" images -f json | jq -r '.[].names[]')" = "tote-site/$R1:$POS1" ]
	nothing_in_incoming
	# Once more: nothing is copied, all is well.
	rm -r "$DEPOT/images"
	mkdir "$DEPOT/images"
	run --separate-stderr site fetch "$DEPOT" --format json
	[ "$status" -eq 0 ]
	[ "$(jq -r '"\(.code) \(.good) \(.highest) \(.store) \(.box) \(has("have"))"' <<<"$output")" = "0 true 1 store0001 box1 false" ]
	# `tote gc` leaves alone what a release needs.
	"$TOTE" gc
	has_image "$POS1"
}

@test "depots of site.conf: the first that answers; none; wrong use" {
	site_fails usage "no depot" fetch
	site_fails usage "one word too many" fetch a b
	site_fails usage "no option" fetch --retry
	printf 'depot /nonexistent\ndepot http://127.0.0.1:1/\ndepot %s\n' "$DEPOT" >>"$BOX/site.conf"
	run --separate-stderr site fetch
	[ "$status" -eq 0 ]
	[ "$(state .taken)" = "$R1" ]
	[[ $stderr == */nonexistent* ]]
	[[ $stderr == *127.0.0.1:1* ]]
}

@test "a wish of the store's own; no wish; a wish that is none" {
	release 2 "$POS1"
	local r2=$REPLY
	echo "$R1" >"$DEPOT/wanted/default"
	echo "$r2" >"$DEPOT/wanted/store0001"
	site fetch "$DEPOT"
	[ "$(state .taken)" = "$r2" ]
	rm "$DEPOT"/wanted/*
	site_fails absent "wants nothing" fetch "$DEPOT"
	echo ../../../etc >"$DEPOT/wanted/default"
	site_fails refused "no release's name" fetch "$DEPOT"
	mkfifo "$DEPOT/wanted/store0001"
	site_fails refused "no plain file" fetch "$DEPOT"
}

@test "--dry-run changes nothing" {
	run --separate-stderr site fetch --dry-run "$DEPOT"
	[ "$status" -eq 0 ]
	[[ $output == *"would take in release pos-1"* ]]
	[[ $output != *"is here"* ]]
	[ -z "$(ls "$SITE/releases")" ]
	[ ! -e "$SITE/state.json" ]
	nothing_in_incoming
}

# ---- what is refused ----

# The release is changed by a command in its directory, and then nothing of it comes in.
tampered() { # WORDS COMMAND...
	rm -rf "$DEPOT/releases" && cp -a "$BOX/good" "$DEPOT/releases"
	(cd "$DEPOT/releases/$R1" && "${@:2}") || return
	site_fails refused "$1" fetch "$DEPOT" || return
	[ -z "$(ls "$SITE/releases")" ] && nothing_in_incoming && [ ! -e "$SITE/state.json" ]
}

@test "tampered and half-copied releases" {
	echo '{}' >"$BOX/till.json"
	rm -r "$DEPOT"/releases/*
	release 1 "$POS1" "file=configs/till.json=$BOX/till.json"
	R1=$REPLY
	cp -a "$DEPOT/releases" "$BOX/good"
	local file
	for file in manifest manifest.sig compose.yaml configs/till.json; do
		tampered "half copied" rm "$file"
		tampered "" truncate -s -20 "$file"
		tampered "no plain file" ln -sf /etc/hostname "$file"
		tampered "" sh -c 'rm "$0" && mkfifo "$0"' "$file"
		tampered "" sh -c 'rm "$0" && mkdir "$0"' "$file"
		tampered "" truncate -s 100G "$file"
	done
	tampered "signature" sed -i 's/till/tall/' manifest
	tampered "compose.yaml" sed -i 's/pos:1/pos:2/' compose.yaml
	tampered "nobody" sh -c "rm manifest.sig && ssh-keygen -q -Y sign -f '$HQ/stranger' -n tote-release manifest"
	# What is on the stick beside the release is not even asked for.
	rm -rf "$DEPOT/releases"
	cp -a "$BOX/good" "$DEPOT/releases"
	touch "$DEPOT/releases/$R1/evil.sh"
	site fetch "$DEPOT"
	[ ! -e "$SITE/releases/$R1/evil.sh" ]
}

@test "another release below a name that is wanted" {
	release 2 "$POS1"
	rm -r "${DEPOT:?}/releases/$R1"
	mv "$DEPOT/releases/$REPLY" "$DEPOT/releases/$R1"
	echo "$R1" >"$DEPOT/wanted/default"
	site_fails refused "another one inside" fetch "$DEPOT"
}

@test "expired; a lower serial; the same serial with other content" {
	release 5 "$POS1"
	local r5=$REPLY
	site fetch "$DEPOT"
	release 4 "$POS1"
	site_fails refused "serial 4, and 5 was taken" fetch "$DEPOT"
	release 5 "$POS2"
	site_fails refused "serial 5, and 5 was taken" fetch "$DEPOT"
	release 6 "$POS1" expires=2020-01-01T00:00:00Z
	site_fails refused "has expired" fetch "$DEPOT"
	[ "$(ls "$SITE/releases")" = "$r5" ]
	[ "$(state .highest)" = 5 ]
	[ "$(state .taken)" = "$r5" ]
	# Old content under a new serial is the way back.
	release 7 "$POS1"
	site fetch "$DEPOT"
	# A stick that was forgotten in a drawer, with a release that is even still here.
	echo "$r5" >"$DEPOT/wanted/default"
	[ -d "$SITE/releases/$r5" ]
	site_fails refused "serial 5, and 7 was taken" fetch "$DEPOT"
}

@test "a release that was damaged on this box is not taken for good" {
	site fetch "$DEPOT"
	echo "# x" >>"$SITE/releases/$R1/compose.yaml"
	site_fails refused "compose.yaml" fetch "$DEPOT"
}

@test "a state that is damaged is an error, not an empty one" {
	site fetch "$DEPOT"
	local broken
	for broken in '' '{' '[]' '{"phase":"odd"}' '{"highest":"-1"}' '{"release":"../x"}'; do
		printf '%s' "$broken" >"$SITE/state.json"
		site_fails error "damaged" fetch "$DEPOT" || site_fails error "none" fetch "$DEPOT"
		[ "$(cat "$SITE/state.json")" = "$broken" ]
	done
}

# ---- images ----

@test "an image that the depot lacks: 8, and the answer says what is missing and what is here" {
	site fetch "$DEPOT"
	release 2 "$POS2"
	local r2=$REPLY
	rm "$DEPOT/images/$POS2.tar"
	run --separate-stderr site fetch "$DEPOT" --format json
	echo "$output"
	[ "$status" -eq 8 ]
	[ "$(jq -r '.missing[]' <<<"$output")" = "sha256:$POS2" ]
	[ "$(jq -c '.have | sort' <<<"$output")" = "$("$TOTE" images --layers | jq -nRc '[inputs] | sort')" ]
	# It is here, and yet it is not what apply would take by itself.
	[ -d "$SITE/releases/$r2" ]
	[ "$(state .taken)" = "$R1" ]
	[ "$(state .highest)" = 1 ]
	# With the answer's list, the image comes as its new layers only.
	jq -r '.have[]' <<<"$output" >"$BOX/has"
	TOTE_STORE=$HQ/store "$TOTE" save --missing-from "$BOX/has" --compress zstd -o "$DEPOT/images/$POS2.tar" "sha256:$POS2"
	site fetch "$DEPOT"
	[ "$(state .taken)" = "$r2" ]
	has_image "$POS2"
}

@test "images: damaged, cut, another one, no archive at all, a link" {
	local image=$DEPOT/images/$POS1.tar
	mv "$image" "$BOX/good.tar"
	# A byte in the middle of the layer.
	cp "$BOX/good.tar" "$image"
	printf '\377\376' | dd of="$image" bs=1 seek=1000000 conv=notrunc status=none
	site_fails refused "image ${POS1:0:12}" fetch "$DEPOT"
	head -c 1000000 "$BOX/good.tar" >"$image"
	site_fails refused "image ${POS1:0:12}" fetch "$DEPOT"
	cp "$HQ/images/$POS2.tar" "$image.2"
	mv "$image.2" "$image"
	site_fails refused "another image was in its archive" fetch "$DEPOT"
	head -c 100000 /dev/urandom >"$image"
	run site fetch "$DEPOT"
	[ "$status" -eq 1 ]
	rm "$image"
	ln -s "$BOX/good.tar" "$image"
	site_fails refused "no plain file" fetch "$DEPOT"
	[ "$("$TOTE" images -f json | jq '[.[].names[]] | length')" = 0 ]
	# Nor anything of the other image.
	[ -z "$("$TOTE" images --layers)" ]
	[ "$(du -sk "$TOTE_STORE" | cut -f 1)" -lt 500 ]
	[ ! -e "$SITE/state.json" ] || [ "$(state .taken)" = null ]
	rm "$image"
	mv "$BOX/good.tar" "$image"
	site fetch "$DEPOT"
	has_image "$POS1"
}

@test "loading moves no name that something runs by" {
	"$TOTE" load --name pos:1 "$HQ/images/$POS2.tar"
	site fetch "$DEPOT"
	[ "$("$TOTE" inspect pos:1 | jq -r '.[0].id')" = "sha256:$POS2" ]
}

@test "sweeping: of old releases keep stay, what runs or may come back always, and images go with them" {
	local i names
	for i in 1 2 3 4; do
		release "$i" "$([ $((i % 2)) = 0 ] && echo "$POS2" || echo "$POS1")" && names[i]=$REPLY
		site fetch "$DEPOT"
		[ "$i" != 1 ] || jq -c --arg r "$REPLY" '.release = $r' "$SITE/state.json" >"$BOX/s"
		[ "$i" != 1 ] || cp "$BOX/s" "$SITE/state.json"
	done
	[ "$(ls "$SITE/releases" | sort)" = "$(printf '%s\n' "${names[1]}" "${names[4]}" | sort)" ]
	[ "$("$TOTE" images -f json | jq -r '.[].names[]' | sort)" = "$(printf '%s\n' "tote-site/${names[1]}:$POS1" "tote-site/${names[4]}:$POS2" | sort)" ]
	# What the way back may lead to stays as well.
	jq -c --arg r "${names[4]}" --arg o "${names[1]}" '.release = $r | .older = $o' "$SITE/state.json" >"$BOX/s"
	cp "$BOX/s" "$SITE/state.json"
	release 5 "$POS2"
	site fetch "$DEPOT"
	[ -e "$SITE/releases/${names[1]}" ]
	# The one that runs no more, and its image, go with the next.
	jq -c '.older = null' "$SITE/state.json" >"$BOX/s"
	cp "$BOX/s" "$SITE/state.json"
	site fetch "$DEPOT"
	[ ! -e "$SITE/releases/${names[1]}" ]
	! has_image "$POS1" || false
}

# ---- secrets ----

secret() { # SERIAL NAME TEXT: in the depot, for this box's host key
	mkdir -p "$DEPOT/secrets/store0001"
	printf '%s' "$3" | age -R "$BOX/host.pub" -o "$DEPOT/secrets/store0001/$2.age"
	rm -f "$DEPOT"/secrets/store0001/index*
	secrets_make "$DEPOT/secrets/store0001" "$HQ/key" store0001 "$1"
}

open_secrets() {
	(. "$SITE_SOURCE/conf.sh" && . "$SITE_SOURCE/store.sh" && . "$SITE_SOURCE/secrets.sh" && conf_load && secrets_open)
}

@test "secrets: encrypted on the disk, open on a tmpfs only, replaced as a set, never an older one" {
	command -v age >/dev/null || skip "needs age"
	ssh-keygen -q -t ed25519 -N '' -f "$BOX/host"
	export TOTE_SITE_HOST_KEY=$BOX/host
	secret 1 db swordfish
	secret 1 web hello
	cp -a "$DEPOT/secrets" "$BOX/old"
	site fetch "$DEPOT"
	[ -f "$SITE/secrets/db.age" ]
	run ! grep -rq swordfish "$SITE"
	open_secrets
	[ "$(cat "$BOX/run/secrets/db")" = swordfish ]
	[ "$(stat -c %a "$BOX/run/secrets/db")" = 400 ]
	rm "$DEPOT/secrets/store0001/web.age"
	secret 2 db salmon
	site fetch "$DEPOT"
	open_secrets
	[ "$(cat "$BOX/run/secrets/db")" = salmon ]
	[ ! -e "$BOX/run/secrets/web" ]
	[ ! -e "$SITE/secrets/web.age" ]
	rm -r "$DEPOT/secrets"
	cp -a "$BOX/old" "$DEPOT/secrets"
	site_fails refused "serial 1, and 2 is here" fetch "$DEPOT"
	# Whoever has the stick can encrypt to the box, but not sign.
	secret 3 db evil
	sed -i 's/serial 3/serial 4/' "$DEPOT/secrets/store0001/index"
	site_fails refused "signature" fetch "$DEPOT"
	secret 3 db evil
	printf evil2 | age -R "$BOX/host.pub" -o "$DEPOT/secrets/store0001/db.age"
	site_fails refused "not what the index says" fetch "$DEPOT"
	rm "$DEPOT/secrets/store0001/index.sig"
	site_fails refused "half copied" fetch "$DEPOT"
	open_secrets
	[ "$(cat "$BOX/run/secrets/db")" = salmon ]
	# For another box's key: an error, and what was open stays.
	ssh-keygen -q -t ed25519 -N '' -f "$BOX/other"
	export TOTE_SITE_HOST_KEY=$BOX/other
	run open_secrets
	[ "$status" -eq 1 ]
	[ "$(cat "$BOX/run/secrets/db")" = salmon ]
}

# ---- faults ----

@test "a full disk: 9, and then it works" {
	local code=0
	# In a mount namespace of its own: a store's directory with 64 KiB.
	truncate -s 200K "$BOX/till.json"
	release 2 "$POS1" "file=till.json=$BOX/till.json"
	local r2=$REPLY
	mkdir "$SITE"
	unshare -m --propagation private bash -c 'mount -t tmpfs -o size=96k none "$0" && "$1" fetch "$2"; echo "code $?"; find "$0"/releases "$0"/incoming -type f; mount -o remount,size=1m "$0" &&
		"$1" fetch "$2"; echo "code $?"; ls "$0/releases"' "$SITE" "$SITE_SOURCE/tote-site" "$DEPOT" >"$BOX/out" 2>"$BOX/err" || code=$?
	cat "$BOX/out" "$BOX/err"
	[ "$code" = 0 ]
	[ "$(sed -n 1p "$BOX/out")" = "code 9" ]
	[ "$(sed -n '$p' "$BOX/out")" = "$r2" ]
	[ "$(grep -c . "$BOX/out")" = 4 ]
	grep -q "code 0" "$BOX/out"
}

@test "the image store's disk is full: 9, and the release stays for the next try" {
	mkdir -p "$TOTE_STORE"
	chmod 700 "$TOTE_STORE"
	unshare -m --propagation private bash -c 'mount -t tmpfs -o size=1m,mode=700 none "$0" && "$1" fetch "$2"; echo "code $?"' "$TOTE_STORE" "$SITE_SOURCE/tote-site" "$DEPOT" >"$BOX/out" 2>"$BOX/err"
	cat "$BOX/out" "$BOX/err"
	[ "$(cat "$BOX/out")" = "code 9" ]
	box_is_sound
	site fetch "$DEPOT"
}

@test "killed at any point: nothing half, and the next fetch succeeds" {
	local i pid
	dd if=/dev/urandom of="$BOX/blob" bs=1M count=8 status=none
	for i in $(seq 10); do
		release $((i + 1)) "$([ $((i % 2)) = 0 ] && echo "$POS2" || echo "$POS1")" "file=blob=$BOX/blob"
		setsid "$SITE_SOURCE/tote-site" fetch "$DEPOT" >"$BOX/out" 2>&1 3>&- </dev/null &
		pid=$!
		sleep "0.$((RANDOM % 9))$((RANDOM % 10))"
		kill -KILL -- "-$pid" 2>/dev/null || true
		wait "$pid" || true
		box_is_sound
		[ $((i % 3)) != 0 ] || { site fetch "$DEPOT" && [ "$(state .taken)" = "$REPLY" ]; }
	done
	site fetch "$DEPOT"
	[ "$(state .taken)" = "$REPLY" ]
	box_is_sound
	nothing_in_incoming
}

@test "two at once: both succeed" {
	local pids=() i
	for i in 1 2 3; do
		site fetch "$DEPOT" >"$BOX/out.$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	box_is_sound
	nothing_in_incoming
	[ "$(state .taken)" = "$R1" ]
	mkdir -p "$BOX/run"
	exec 7>"$BOX/run/fetch.lock"
	flock 7
	TOTE_SITE_FETCH_WAIT=1 site_fails busy "another" fetch "$DEPOT"
	exec 7>&-
}

@test "the stick is pulled out meanwhile" {
	local i pid code
	dd if=/dev/urandom of="$BOX/blob" bs=1M count=20 status=none
	release 2 "$POS1" "file=blob=$BOX/blob"
	for i in $(seq 6); do
		rm -rf "$SITE" "$TOTE_STORE"
		"$SITE_SOURCE/tote-site" fetch "$DEPOT" >"$BOX/out" 2>&1 3>&- </dev/null &
		pid=$!
		sleep "0.$((RANDOM % 9))"
		mv "$DEPOT" "$DEPOT.gone"
		code=0
		wait "$pid" || code=$?
		echo "$i: $code $(tail -n 1 "$BOX/out")"
		mv "$DEPOT.gone" "$DEPOT"
		# It was not the release's fault.
		[ "$code" = 0 ] || [ "$code" = 1 ]
		box_is_sound
	done
	site fetch "$DEPOT"
}

# ---- by http ----

serve() { # [SCRIPT]: python's server in the depot, or a server of our own; sets URL
	if [ $# = 0 ]; then
		python3 -u -m http.server --bind 127.0.0.1 --directory "$DEPOT" 0 >"$BOX/http.log" 2>&1 3>&- &
	else
		python3 -u "$BATS_TEST_DIRNAME/fake/http_server" "$1" "$DEPOT" >"$BOX/http.log" 2>&1 3>&- &
	fi
	SERVER=$!
	for _ in $(seq 600); do
		URL=$(sed -n 's/.*port \([0-9]*\).*/http:\/\/127.0.0.1:\1/p' "$BOX/http.log" | head -n 1)
		[ -z "$URL" ] || return 0
		sleep 0.1
	done
	cat "$BOX/http.log"
	return 1
}

@test "http: release, image and what is missing" {
	serve
	site fetch "$URL/"
	[ "$(state .taken)" = "$R1" ]
	has_image "$POS1"
	nothing_in_incoming
	release 2 "$POS2"
	mv "$DEPOT/images/$POS2.tar" "$BOX/later"
	site_fails absent "images are not here" fetch "$URL"
	mv "$BOX/later" "$DEPOT/images/$POS2.tar"
	mv "$DEPOT/releases/$REPLY/compose.yaml" "$BOX/later"
	site fetch "$URL"
	release 3 "$POS2"
	rm "$DEPOT/releases/$REPLY/compose.yaml"
	site_fails refused "half copied" fetch "$URL"
	kill "$SERVER" && wait "$SERVER" || true
	site_fails error "$URL" fetch "$URL"
	site_fails error "" fetch "file:///nonexistent"
}

@test "http: an image that was cut off is gone on with" {
	serve cut
	export DEPOT_STALL=3
	# The first answer ends in the middle.
	run --separate-stderr site fetch "$URL"
	[ "$status" -eq 1 ]
	[ "$(stat -c %s "$SITE/incoming/images/$POS1.tar")" -gt 0 ]
	site fetch "$URL"
	has_image "$POS1"
	grep "GET /images/$POS1.tar bytes=[1-9]" "$BOX/http.log"
	nothing_in_incoming
}

@test "http: what is here of an image is not what it was: once more from the start" {
	serve range
	mkdir -p "$SITE/incoming/images"
	chmod 700 "$SITE"
	head -c 500000 /dev/urandom >"$SITE/incoming/images/$POS1.tar"
	site fetch "$URL"
	has_image "$POS1"
	grep "GET /images/$POS1.tar bytes=500000-" "$BOX/http.log"
}

@test "http: a server that cannot resume is asked for all of it" {
	serve
	mkdir -p "$SITE/incoming/images"
	chmod 700 "$SITE"
	head -c 500000 "$DEPOT/images/$POS1.tar" >"$SITE/incoming/images/$POS1.tar"
	site fetch "$URL"
	has_image "$POS1"
	nothing_in_incoming
}

@test "http: a server that hangs, one that never ends, one that sends rubbish" {
	serve hang
	DEPOT_TIMEOUT=2 site_fails error "" fetch "$URL"
	kill "$SERVER" && wait "$SERVER" || true
	serve endless
	DEPOT_TIMEOUT=5 run --separate-stderr site fetch "$URL"
	echo "$status $stderr"
	[ "$status" -eq 4 ] || [ "$status" -eq 1 ]
	[ "$(du -sk "$SITE" | cut -f 1)" -lt 4096 ]
	kill "$SERVER" && wait "$SERVER" || true
	serve rubbish
	run --separate-stderr site fetch "$URL"
	[ "$status" -eq 4 ]
	box_is_sound
	nothing_in_incoming
}

@test "http: an image without an end takes no more than there is to spare, and nothing of it stays" {
	serve endless_image
	mkdir "$SITE"
	unshare -m --propagation private bash -c 'mount -t tmpfs -o size=40m,mode=700 none "$0" && "$1" fetch "$2"; echo "code $?"; ls "$0/incoming/images"; du -sm "$0" | cut -f 1
		"$1" fetch "$3"; echo "code $?"' "$SITE" "$SITE_SOURCE/tote-site" "$URL" "$DEPOT" >"$BOX/out" 2>"$BOX/err"
	cat "$BOX/out" "$BOX/err"
	grep -q "No space left for it" "$BOX/err"
	[ "$(sed -n 1p "$BOX/out")" = "code 9" ]
	[ "$(sed -n 2p "$BOX/out")" -lt 5 ]
	[ "$(sed -n '$p' "$BOX/out")" = "code 0" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote config`: the project that `tote up` would run, names for other programs, and what a box needs before.
bats_require_minimum_version 1.5.0
load ../image/helpers

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	make_rootfs
	tar -C "$ROOTFS" -cf "$BATS_FILE_TMPDIR/root.tar" .
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	"$TOTE" import "$BATS_FILE_TMPDIR/root.tar" box:1 2>/dev/null
	"$TOTE" import --cmd '["true"]' "$BATS_FILE_TMPDIR/root.tar" box:2 2>/dev/null
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	export TOTE_SUPERVISE_DIR=$BATS_TEST_TMPDIR/supervise NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES
	mkdir "$BATS_TEST_TMPDIR/shop"
	cd "$BATS_TEST_TMPDIR/shop"
	cat >compose.yaml <<-'END'
		services:
		  web: {image: "box:1", depends_on: {db: {condition: service_healthy}}, environment: {X: "${X:-none}"}, volumes: ["./data:/data"], secrets: [s]}
		  db: {image: "box:1", healthcheck: {test: [CMD, "true"]}}
		  more: {image: "other:7", profiles: [all]}
		secrets: {s: {content: geheim}}
	END
	sed -i 's/content: geheim/file: .\/secret/' compose.yaml
	printf geheim >secret
}

config() { "$TOTE" config "$@"; }

fails() { # CODE WORDS [ARGUMENT...]
	run --separate-stderr "$TOTE" config "${@:3}"
	echo "code $status: $stderr"
	[ "$status" -eq "$1" ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"$2"* ]]
}

nothing_is_made() {
	[ ! -e "$TOTE_SUPERVISE_DIR" ] && [ ! -e "$NETCONFPATH" ] && [ ! -e data ]
}

@test "the document is what up would send, and nothing is made" {
	diff <(config) <("$TOTE" up --dry-run --format json)
	diff <(X=1 config -p other --format json) <(X=1 "$TOTE" up --dry-run --format json -p other)
	[ "$(X='a b' config | jq -c '.services[1].options[:2]')" = '["--env","X=a b"]' ]
	echo X=of-file >vars
	[ "$(config --env-file vars | jq -r '.services[1].options[1]')" = X=of-file ]
	run --separate-stderr config -q
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
	nothing_is_made
}

@test "names of services in their order, of images each once" {
	[ "$(config --services | tr '\n' ,)" = db,web, ]
	[ "$(config --images | tr '\n' ,)" = box:1, ]
	[ "$(config --images --profile all | tr '\n' ,)" = box:1,other:7, ]
	nothing_is_made
}

@test "names need no store; a document does, and says so by its code" {
	export TOTE_STORE=$BATS_TEST_TMPDIR/none
	[ "$(config --services --profile all | tr '\n' ,)" = db,web,more, ]
	[ "$(config --images --profile all | tr '\n' ,)" = box:1,other:7, ]
	fails 3 "services.web.image: no image \"box:1\""
	fails 3 "no image" -q
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	fails 3 'services.more.image: no image "other:7"' --profile all
	# Another thing that is missing has the code of all errors.
	rm secret
	fails 1 "secrets.s"
	fails 1 "secrets.s" --images
	[ ! -e "$BATS_TEST_TMPDIR/none" ]
}

@test "what a healthcheck of an image that is not here would be is not guessed against the file" {
	sed -i 's/, healthcheck: .*true"\]}}/}/; s/db: {image: "box:1"/db: {image: "far:1"/' compose.yaml
	[ "$(config --services | tr '\n' ,)" = db,web, ]
	[ "$(config --images | tr '\n' ,)" = far:1,box:1, ]
	sed -i 's/far:1/box:1/' compose.yaml
	fails 1 '"db" has no healthcheck'
	fails 1 '"db" has no healthcheck' --services
}

@test "wrong options, wrong files" {
	fails 1 "one of --images, --services" --images --services
	fails 1 "one of --images, --services" --services -q
	fails 1 "--prepare goes with" --prepare --images
	fails 1 "--contents is for --prepare" --contents x
	fails 1 "expected json" --format yaml
	run ! config web
	echo 'services: {a: {image: "box:1", volume: x}}' >compose.yaml
	fails 1 "compose.yaml:1: services.a.volume: unknown key" -q
	fails 1 "compose.yaml:1: services.a.volume: unknown key" --images
}

@test "a pin says which image a name is: by ID, by the manifest's digest, for up as well" {
	image=$("$TOTE" inspect box:2 | jq -r '.[0].id')
	manifest=$("$TOTE" inspect box:2 | jq -r '.[0].digest')
	[ "$image" != "$manifest" ]
	for pin in "$image" "$manifest"; do
		[ "$(config --pin "box:1@$pin" | jq -r '.services[].digest' | sort -u)" = "$manifest" ]
		[ "$("$TOTE" up --dry-run --format json --pin "box:1@$pin" | jq -r '.services[].digest' | sort -u)" = "$manifest" ]
	done
	[ "$(config --pin "box:1@$image" | jq -r '.services[0].image')" = box:1 ]
	none=sha256:$(printf %064d 0)
	fails 3 "services.web.image: no image" --pin "box:1@$none"
	fails 1 'no --pin says which "box:1" it is' --pin "box:2@$image"
	fails 1 'no --pin says which "box:1" it is' --pin "box@$image"
	fails 1 'no --pin says which "box:1" it is' --pin "box:11@$image"
	for word in box:1 box:1@ box:1@sha256:12 "@$image" "box:1@$image "; do
		fails 1 "--pin: expected NAME@sha256:" --pin "$word"
	done
	[ "$(config --images --pin "box:1@$none")" = box:1 ]
}

@test "prepare makes what a box needs, once, and starts nothing" {
	run --separate-stderr config --prepare -q
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ $stderr == *"made the network shop_default"*"made the directory $PWD/data"* ]]
	sum=$(printf geheim | sha256sum | cut -d ' ' -f 1)
	[ "$(cat "$TOTE_SUPERVISE_DIR/state/files/$sum")" = geheim ]
	[ -d data ]
	[ -s "$(grep -l shop_default "$NETCONFPATH"/*)" ]
	[ ! -e "$TOTE_SUPERVISE_DIR/run" ]
	run --separate-stderr config --prepare
	[ -z "$stderr" ]
	jq -e '.services | length == 2' <<<"$output"
}

@test "contents in a directory of one's own: only root's" {
	config --prepare --contents "$BATS_TEST_TMPDIR/c" -q 2>/dev/null
	sum=$(printf geheim | sha256sum | cut -d ' ' -f 1)
	[ "$(stat -c '%a %n' "$BATS_TEST_TMPDIR/c" "$BATS_TEST_TMPDIR/c"/* | sed "s|$BATS_TEST_TMPDIR||" | tr '\n' ,)" = "700 /c,600 /c/$sum," ]
	[ "$(cat "$BATS_TEST_TMPDIR/c/$sum")" = geheim ]
	[ ! -e "$TOTE_SUPERVISE_DIR" ]
	chmod 777 "$BATS_TEST_TMPDIR/c"
	fails 1 "$BATS_TEST_TMPDIR/c" --prepare --contents "$BATS_TEST_TMPDIR/c"
}

@test "a full disk has a code of its own" {
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=16k none "$BATS_TEST_TMPDIR/small"
	head -c 60000 /dev/zero | tr '\0' x >secret
	run config --prepare -q --contents "$BATS_TEST_TMPDIR/small/c"
	umount "$BATS_TEST_TMPDIR/small"
	echo "$output"
	[ "$status" -eq 5 ]
}

@test "up warns of an address that only a cluster moves" {
	echo 'services: {a: {image: "box:1", x-tote: {address: 10.0.0.5/24}}}' >compose.yaml
	run --separate-stderr "$TOTE" up --dry-run
	[ "$status" -eq 0 ]
	[[ $stderr == *"services.a: x-tote.address: on a box alone"* ]]
	run --separate-stderr config -q
	[ -z "$stderr" ]
}

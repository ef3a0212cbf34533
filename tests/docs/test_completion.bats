#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bash completion: what it offers for a line. TOTE is the program under test. Needs no root.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
	: "${TOTE:=$TOP/build/tote}"
	[ -x "$TOTE" ] || { echo "$TOTE is not built"; return 1; }
	TOTE=$(realpath "$TOTE")
	cd "$BATS_TEST_TMPDIR"
	mkdir -p state/box1 state/box2 bundle
	chmod 700 state
	for id in box1 box2; do
		printf '{"ociVersion":"1.3.0","id":"%s","bundle":"/","rootfs":"/","created":"","owner":"0","made":true}' $id >state/$id/state.json
	done
}

# complete WORD...: the last word is the one to complete, as bash splits the line.
complete() {
	bash --norc -c '. "$0" && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _tote && printf "%s\n" "${COMPREPLY[@]}"' \
		"$TOP/man/completion/tote.bash" "$TOTE" "$@" | sort
}

offers() { # "WORDS" WORD...
	local want got
	want=$(printf '%s\n' $1 | sort)
	got=$(complete "${@:2}")
	[ "$got" = "$want" ] || { echo "tote ${*:2}: offered" $got "instead of" $want; return 1; }
}

@test "commands" {
	offers "pause plan probe ps" p
	offers "delete df doctor down" --root state d
	offers "create" --log-format=json cr
	offers "run resume restart rmi" --debug r
	[ "$(complete "" | wc -l)" -ge 29 ]
}

@test "options of a command, and the global ones" {
	offers "--log --log-format --log-level" --log
	offers "--pid --pid-file --pidfd-socket --pids-limit --preserve-fds --privileged --publish" create --p
	offers "--all" kill --a
	offers "--cpu-burst" update --cpu-b
	offers "--help" start --
}

@test "values" {
	offers "table json" list --format ""
	offers "json" list -f j
	offers "text json" --log-format = ""
	offers "text json" --log-format =
	offers "cgroupfs disabled systemd" --cgroup-manager ""
	offers "bundle" create --bundle b
	offers "bundle" create -b b
	offers "" update --memory ""
	offers "docker oci" save --format ""
	offers "bundle" save --missing-from b
	offers "json" load --progress = j
	offers "" run --workdir b
	offers "private" create --ipc p
	offers "host" run --pid ""
}

@test "containers, below the root that the line names" {
	offers "box1 box2" --root "$PWD/state" start ""
	offers "box1 box2" --root = "$PWD/state" kill --all b
	offers "box2" --root "$PWD/state" exec -e A=1 -t box2
	offers "" --root "$PWD/state" create ""
	offers "box1 box2" --root "$PWD/state" export ""
	offers "" --root "$PWD/state" start box1 ""
}

@test "arguments that are no containers" {
	offers "TERM" kill box1 T
	offers "bundle" plan b
	offers "" exec box1 ""
}

# A store with two names, as far as `tote images` looks.
make_store() {
	local digest=$(printf '%064d' 1)
	mkdir -p store/{images,refs,layers,l,ingest,containers,volumes,blobs/sha256}
	chmod 700 store
	echo 1 >store/version
	printf '{"manifest":"sha256:%s","config":"sha256:%s","created":"2025-01-01T00:00:00Z","layers":[]}' "$digest" "$digest" >store/images/"$digest"
	for name in pos:1.2 pos:1.3 shop.example:5000%2Ftill:9; do echo "sha256:$digest" >store/refs/$name; done
}

@test "images, in the store that the line names, also behind a colon" {
	make_store
	"$TOTE" --store "$PWD/store" images | grep -q '^pos:1.3 '
	offers "pos:1.2 pos:1.3 shop.example:5000/till:9" --store "$PWD/store" run ""
	offers "pos:1.2 pos:1.3" --store "$PWD/store" run --rm p
	offers "1.2 1.3" --store "$PWD/store" run pos :
	offers "1.3" --store "$PWD/store" rmi pos : 1.2 pos : 1.3
	offers "5000/till:9" --store "$PWD/store" inspect shop.example : 50
	offers "" --store "$PWD/store" run pos : 1.2 p
	offers "bundle" --store "$PWD/store" bundle pos : 1.2 b
	offers "bundle" load b
	offers "pos:1.2 pos:1.3" --store "$PWD/store" create --image p
	offers "" --store "$PWD/store" create --image pos : 1.2 p
}

@test "services of the projects that are up" {
	export TOTE_SUPERVISE_DIR=$PWD/up
	mkdir -p up/state
	for name in shop till; do
		printf '{"name":"%s","source":"/","services":[{"name":"%s-web","replicas":2,"image":"a","digest":"sha256:%064d","options":[],"args":[],"restart":"always"}]}' \
			$name $name 1 >up/state/$name.json
	done
	offers "shop-web till-web" stop ""
	offers "till-web" logs -f t
	offers "shop-web" restart -p shop ""
	offers "stop-first start-first" up --replace-order ""
	offers "" attach shop-web ""
	offers "" up ""
}

@test "zsh's script names its program first" {
	[ "$(head -n 1 "$TOP/man/completion/_tote")" = "#compdef tote" ]
}

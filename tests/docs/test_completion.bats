#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bash completion: what it offers for a line. TOTE is the program under test. Needs no root.

bats_require_minimum_version 1.5.0

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
	offers "pause plan ps" p
	offers "delete doctor" --root state d
	offers "create" --log-format=json cr
	offers "run resume" --debug r
	[ "$(complete "" | wc -l)" -ge 17 ]
}

@test "options of a command, and the global ones" {
	offers "--log --log-format --log-level" --log
	offers "--pid-file --pidfd-socket --preserve-fds" run --p
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
}

@test "containers, below the root that the line names" {
	offers "box1 box2" --root "$PWD/state" start ""
	offers "box1 box2" --root = "$PWD/state" kill --all b
	offers "box2" --root "$PWD/state" exec -e A=1 -t box2
	offers "" --root "$PWD/state" run ""
	offers "" --root "$PWD/state" start box1 ""
}

@test "arguments that are no containers" {
	offers "TERM" kill box1 T
	offers "bundle" plan b
	offers "" exec box1 ""
}

@test "zsh's script names its program first" {
	[ "$(head -n 1 "$TOP/man/completion/_tote")" = "#compdef tote" ]
}

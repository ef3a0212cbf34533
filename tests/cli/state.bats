#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote state --quiet: what scripts ask, above all the one by which a cluster decides to start a second copy.

bats_require_minimum_version 1.5.0
load helpers

setup() { make_bundle; }
teardown() { clean_up; }

# tote state --quiet must end with this code and print nothing.
quiet() { # CODE [ID]
	run --separate-stderr -"$1" tote state --quiet "${2:-$ID}"
	[ -z "$output$stderr" ]
}

@test "a code for each status" {
	command_is sleep 1000
	quiet 3
	quietly tote create "$ID"
	quiet 5
	tote start "$ID"
	quiet 0
	run -0 tote state -q "$ID"
	[ -z "$output" ]
	tote pause "$ID"
	quiet 6
	tote resume "$ID"
	quiet 0
	tote kill "$ID" KILL
	eventually quiet 4
	tote delete "$ID"
	quiet 3
}

@test "while a hook holds create up it is not there yet, and not stopped" {
	config '.hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "3"]}]'
	"$TOTE" --root "$ROOT" create "$ID" >/dev/null 2>&1 3>&- </dev/null &
	eventually quiet 5
	tote delete --force "$ID"
	quiet 3
}

@test "half of a container is none; a state that cannot be read is an error, and so is wrong usage" {
	background
	mkdir -m 700 "$ROOT/half"
	quiet 3 half
	rmdir "$ROOT/half"
	cp "$ROOT/$ID/state.json" saved.json
	head -c 30 saved.json >"$ROOT/$ID/state.json"
	refuses 1 "state.json" state --quiet "$ID"
	cp saved.json "$ROOT/$ID/state.json"
	quiet 0
	refuses 1 "invalid container ID" state --quiet ../x
	refuses 1 "missing argument" state --quiet
	refuses 1 "--wrong" state --quiet --wrong "$ID"
	# Without --quiet as runc has it.
	refuses 1 "container does not exist" state none
}

@test "no lock, no disk, and no more work for one of many" {
	command -v strace >/dev/null || skip "strace is missing"
	background
	strace -o one "$TOTE" --root "$ROOT" state --quiet "$ID"
	for n in $(seq 100); do
		cp -r "$ROOT/$ID" "$ROOT/copy$n"
	done
	strace -o many "$TOTE" --root "$ROOT" state --quiet "$ID"
	rm -rf "$ROOT"/copy*
	[ "$(cut -d'(' -f1 one)" = "$(cut -d'(' -f1 many)" ]
	run ! grep -E '^(flock|fcntl.*SETLK|f?sync|fdatasync)' one
	# It opens nothing but the state, /proc and the cgroup.
	opened=$(sed -nE 's/^open(at|at2)?\((AT_FDCWD, )?"([^"]*)".*= [0-9]+$/\3/p' one | grep '^/')
	echo "$opened"
	[ -n "$opened" ]
	run ! grep -vE "^($ROOT|/proc/|/sys/fs/cgroup)" <<<"$opened"
}

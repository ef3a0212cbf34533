#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# share/systemd/tote.service: systemd understands it, it starts what is installed, and tote-supervise(8) explains it. Starts nothing.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
	: "${TOTE:=$TOP/build/tote}"
	[ -x "$TOTE" ] || { echo "$TOTE is not built"; return 1; }
	UNIT=$BATS_TEST_TMPDIR/tote.service
	mkdir -p "$BATS_TEST_TMPDIR/prefix/bin"
	ln -s "$(realpath "$TOTE")" "$BATS_TEST_TMPDIR/prefix/bin/tote"
	sed "s|@PREFIX@|$BATS_TEST_TMPDIR/prefix|g" "$TOP/share/systemd/tote.service" >"$UNIT"
}

@test "systemd-analyze verify has nothing to say" {
	command -v systemd-analyze >/dev/null || skip "systemd-analyze is missing"
	run systemd-analyze verify --man=no "$UNIT"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "what it starts is a command of tote" {
	start=$(sed -n 's/^ExecStart=//p' "$UNIT")
	[ "$(cut -d' ' -f2- <<<"$start")" = supervise ]
	run -0 $start --help
	[[ ${lines[0]} == "usage: tote supervise"* ]]
}

@test "tote-supervise(8) explains every setting that is not plain" {
	[ "$(grep -c '^[A-Z][A-Za-z]*=' "$UNIT")" -ge 15 ]
	for setting in KillMode=process TimeoutStopSec= Restart=always Delegate=yes OOMScoreAdjust= LimitNOFILE= After= OOMPolicy=continue; do
		grep -q "^$setting" "$UNIT" || { echo "tote.service lacks $setting"; return 1; }
		sed -n '/^# UNDER SYSTEMD/,/^# OPTIONS/p' "$TOP/man/tote-supervise.8.scd" | grep -qF "$setting" || { echo "tote-supervise(8) lacks $setting"; return 1; }
	done
	# Of these every one would be inherited by containers, or keep their mounts from the host.
	run grep -E '^(Protect|Private|Restrict|SystemCall|NoNewPriv|Capability|ReadOnly|RuntimeDirectory|LockPers|MemoryDeny|Dynamic|User)' "$UNIT"
	[ "$status" -eq 1 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The one ssh connection to another box (cmd/tote-site/link.sh), with a real sshd on the loopback: how many are made, when they end, and
# what happens when one cannot be made or breaks.
bats_require_minimum_version 1.5.0
load ../bats

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x /usr/sbin/sshd ] || return 0
	export DIR=$BATS_FILE_TMPDIR PORT=$((20000 + RANDOM % 10000))
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/host"
	ssh-keygen -q -t ed25519 -N '' -f "$DIR/key"
	printf '%s\n' "Port $PORT" 'ListenAddress 127.0.0.1' "HostKey $DIR/host" "AuthorizedKeysFile $DIR/key.pub" 'StrictModes no' 'UsePAM no' \
		"PidFile $DIR/pid" 'LogLevel VERBOSE' 'PermitRootLogin prohibit-password' \
		"ForceCommand if [ -e $DIR/broken ]; then rm $DIR/broken; kill \$PPID; fi; echo \"\$SSH_ORIGINAL_COMMAND\" | tee -a $DIR/said; if [ -e $DIR/slow ]; then sleep 4; fi" >"$DIR/sshd_config"
	/usr/sbin/sshd -f "$DIR/sshd_config" -E "$DIR/log"
	# It writes that when it listens.
	for _ in $(seq 600); do
		[ ! -s "$DIR/pid" ] || return 0
		sleep 0.05
	done
	cat "$DIR/log"
	return 1
}

teardown_file() {
	[ ! -s "${DIR:-/nowhere}/pid" ] || kill "$(cat "$DIR/pid")"
}

setup() {
	[ -n "${DIR:-}" ] || skip "needs root and openssh-server"
	RUN=$(mktemp -d "$BATS_FILE_TMPDIR/run.XXXX")
	: >"$DIR/log"
	: >"$DIR/said"
	rm -f "$DIR/slow"
}

# A tote-site on box1 that runs these lines; box2 is at the sshd.
asks() { # LINES
	TOTE_SITE_RUN=$RUN timeout 60 ${AROUND:-} bash -c '
		set -euo pipefail
		. "$1/script/say.sh"
		for part in conf box link peer course; do . "$1/tote-site/$part.sh"; done
		CONF_BOX=box1 CONF_PEER_NAMES=(box2)
		CONF_PEERS[box2]=127.0.0.1
		CONF_SSH=(ssh -p "$PORT" -i "$DIR/key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
		eval "$2"' asks "$BATS_TEST_DIRNAME/../../cmd" "$1" 3>&-
}

connections() {
	grep -c 'Accepted publickey' "$DIR/log" || true
}

# ssh processes that keep a connection of this test.
keepers() {
	{ pgrep -fc "ssh: $RUN/ssh" || true; } | head -n 1
}

nobody_keeps() {
	local i
	for ((i = 0; i < 300; i++)); do
		[ "$(keepers)" != 0 ] || [ -n "$(ls "$RUN")" ] || return 0
		sleep 0.1
	done
	ls "$RUN"
	return 1
}

@test "several words go through one connection, which ends with who asked" {
	run -0 asks 'box_do box2 boot; echo "$REPLY"; box_do box2 status; echo "$REPLY"; [ -S "$SITE_RUN/ssh.$$.0" ] && echo open'
	[ "$output" = $'tote-site peer boot\ntote-site peer status\nopen' ]
	[ "$(connections)" = 1 ]
	nobody_keeps
}

@test "after SIGKILL of who asked the connection ends by itself" {
	export TOTE_SITE_LINK_IDLE=5
	run -137 asks 'box_do box2 boot; kill -KILL $$'
	[ "$(keepers)" = 1 ]
	nobody_keeps
	[ "$(connections)" = 1 ]
}

@test "one that breaks, as a box boots, is made again at once" {
	run -0 asks 'box_do box2 boot; : >"$DIR/broken"; box_do box2 status; echo "$REPLY"'
	[ "$output" = "tote-site peer status" ]
	[ "$(connections)" = 2 ]
	nobody_keeps
}

@test "a switch over a connection that breaks is not said again before the box is out of the way" {
	run -0 asks 'engine_standby() { echo "standby $1"; }; box_do box2 boot; : >"$DIR/broken"; course_change box2 switch 0123; echo "$REPLY"'
	[ "$output" = $'box1: box2 cannot be reached: the connection broke off\nstandby box2\ntote-site peer switch 0123' ] ||
		[[ $output == *"box2 cannot be reached"*$'\nstandby box2\ntote-site peer switch 0123' ]]
	[ "$(connections)" = 2 ]
	nobody_keeps
}

@test "when who asks all boxes at once is ended in the middle, no word is said twice and nothing is left behind" {
	: >"$DIR/slow"
	asks 'BOXES=(box2 box1); echo "$$" >"$DIR/pid.asks"; box_do box2 boot; peers_at_once box_do prepare abc' 3>&- &
	local pid=$! i code=0
	for ((i = 0; i < 200; i++)); do
		! grep -q prepare "$DIR/said" || break
		sleep 0.1
	done
	kill -TERM "$(cat "$DIR/pid.asks")"
	wait "$pid" || code=$?
	[ "$code" = 143 ]
	nobody_keeps
	# As long as a second call would have taken to begin.
	sleep 2
	[ "$(cat "$DIR/said")" = $'tote-site peer boot\ntote-site peer prepare abc' ]
	[ "$(connections)" = 1 ]
}

@test "what a killed one has left is swept by the next, what a living one has is not" {
	mkdir "$RUN/ask.4194305.abcdef" "$RUN/ask.$$.abcdef"
	run -0 asks 'BOXES=(box2 box1); peers_at_once box_do boot'
	[ "$(ls "$RUN")" = "ask.$$.abcdef" ]
}

@test "a socket that cannot be made is no reason not to call" {
	unshare -m true || skip "needs a mount namespace"
	# Room for the file of complaints, not for more.
	AROUND="unshare -m" run -0 asks 'mount -t tmpfs -o nr_inodes=2,mode=700 none "$SITE_RUN"; box_do box2 boot; box_do box2 status; echo "$REPLY"'
	[ "$output" = "tote-site peer status" ]
	# The first one found out.
	[ "$(connections)" = 3 ]
}

@test "a box that site.conf does not name is not called" {
	run -255 asks 'box_do box9 boot || { code=$?; echo "$WHY"; exit $code; }'
	[ "$output" = "box9 is no box of this store" ]
}

@test "how long a silent box is waited for is what site.conf says, on its own line or in a file; else half a minute" {
	local file=$DIR/config
	# shellcheck disable=SC2016
	local show='link_words box2; "${LINK[@]:0:${#LINK[@]}-1}" -G 127.0.0.1 | sed -n "s/^serveralive//p" | sort | paste -sd " "'
	run -0 asks "$show"
	echo "$output"
	[ "$output" = "countmax 6 interval 5" ]
	printf 'Host *\n\tServerAliveInterval 70\n\tServerAliveCountMax 4\n' >"$file"
	run -0 asks 'CONF_SSH+=(-F "$DIR/config"); '"$show"
	[ "$output" = "countmax 4 interval 70" ]
	run -0 asks 'CONF_SSH+=(-o ServerAliveInterval=0 -o ServerAliveCountMax=9); '"$show"
	[ "$output" = "countmax 9 interval 0" ]
}

@test "a box that cannot be reached is asked once" {
	run -255 asks 'CONF_SSH=(ssh -p 1 -o BatchMode=yes); box_do box2 boot || { code=$?; echo "$WHY"; exit $code; }'
	[[ $output == "box2 cannot be reached: "*"Connection refused" ]]
	[ -z "$(ls "$RUN")" ]
}

@test "where there is no room for a socket's name, or ssh is another program, each word has its own connection" {
	run -0 asks 'SITE_RUN=$SITE_RUN/'"$(printf 'x%.0s' {1..90})"'; mkdir "$SITE_RUN"; box_do box2 boot; box_do box2 status; echo "$REPLY"; rmdir "$SITE_RUN"'
	[ "$output" = "tote-site peer status" ]
	[ "$(connections)" = 2 ]
	printf '#!/bin/sh\nshift 11\nprintf "%%s " "$@"\n' >"$DIR/dial"
	chmod 755 "$DIR/dial"
	run -0 asks 'CONF_SSH[0]=$DIR/dial; box_do box2 boot; echo "$REPLY"'
	[ "$output" = "LogLevel=ERROR 127.0.0.1 tote-site peer boot " ]
	nobody_keeps
}

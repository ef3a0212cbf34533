# SPDX-License-Identifier: Apache-2.0
# For tests of what the boxes of a store do with each other: three boxes in directories, with a tote and an ssh that are scripts
# (tests/site/fake). What is tried is tote-site: the order of things, locks, crashes.
#
#	load three
#	setup_file() { make_three; }
#	setup()      { open_three; }      # $FAKE_STORE/box1..3; release: see next_release
#	teardown()   { close_three; }

load helpers

make_three() {
	export HQ POS1 POS2
	HQ=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-site.XXXXXX")
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$HQ/key"
	echo "hq@shop.example $(cat "$HQ/key.pub")" >"$HQ/signers"
	POS1=$(echo 1 | sha256sum | cut -c1-64) POS2=$(echo 2 | sha256sum | cut -c1-64)
	mkdir "$HQ/images"
	echo "$POS1" >"$HQ/images/$POS1.tar"
	echo "$POS2" >"$HQ/images/$POS2.tar"
}

drop_three() {
	[ -z "${HQ:-}" ] || rm -rf "$HQ"
}

open_three() {
	local box other
	script_parts
	FAKE_STORE=$(mktemp -d "$HQ/store.XXXXXX")
	export FAKE_STORE FAKE_SITE=$SITE_SOURCE/tote-site TOTE=$BATS_TEST_DIRNAME/fake/tote TOTE_SITE_SIGNERS=$HQ/signers
	unset TOTE_SUPERVISE_DIR TOTE_STORE
	DEPOT=$FAKE_STORE/depot
	mkdir -p "$DEPOT"/{wanted,releases,images,status}
	ln "$HQ"/images/* "$DEPOT/images/"
	for box in box1 box2 box3; do
		mkdir "$FAKE_STORE/$box"
		{
			printf '%s\n' 'store store0001' "box $box" 'engine supervise' 'gate-seconds 0' "gate-timeout ${GATE_TIMEOUT:-10}" "ssh $BATS_TEST_DIRNAME/fake/ssh"
			for other in box1 box2 box3; do
				[ "$box" = "$other" ] || echo "peer $other $other"
			done
		} >"$FAKE_STORE/$box/site.conf"
	done
	SERIAL=0
}

# Whatever was started in there is killed first.
close_three() {
	local pid
	for pid in $(grep -lsz "^FAKE_STORE=$FAKE_STORE$" /proc/[0-9]*/environ | cut -d / -f 3); do
		[ "$pid" = "$$" ] || [ "$pid" = "$BASHPID" ] || grep -qz bats "/proc/$pid/cmdline" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$FAKE_STORE"
}

# Makes a release, wanted by all; sets REPLY. Further words are lines of its Compose file.
next_release() { # IMAGE-ID [LINE...]
	SERIAL=$((SERIAL + 1))
	{
		echo "# serial $SERIAL"
		printf '%s\n' "${@:2}"
		echo 'image: pos:1'
	} >"$FAKE_STORE/compose.yaml"
	rm -rf "$FAKE_STORE/new"
	release_make "$FAKE_STORE/new" "$HQ/key" serial=$SERIAL name=pos-$SERIAL project=pos expires="${EXPIRES:-2099-01-01T00:00:00Z}" \
		"compose=$FAKE_STORE/compose.yaml" "image=pos:1@sha256:$1" || return
	REPLY=$RELEASE
	mv "$FAKE_STORE/new" "$DEPOT/releases/$REPLY"
	echo "$REPLY" >"$DEPOT/wanted/default"
}

# tote-site on a box.
on() { # BOX VERB...
	local dir=$FAKE_STORE/$1
	TOTE_SITE_CONF=$dir/site.conf TOTE_SITE_DIR=$dir/site TOTE_SITE_RUN=$dir/run \
		timeout -k 5 "${LIMIT:-600}" "$FAKE_SITE" "${@:2}" 3>&- </dev/null
}

# The same in the background, in a process group of its own: sets PID.
begin_on() { # BOX VERB...
	local dir=$FAKE_STORE/$1
	TOTE_SITE_CONF=$dir/site.conf TOTE_SITE_DIR=$dir/site TOTE_SITE_RUN=$dir/run \
		"$FAKE_SITE" "${@:2}" 3>&- </dev/null >"$FAKE_STORE/out.$1" 2>&1 &
	PID=$!
}

# Ends with the code of a class; sets $answer.
ends() { # BOX CLASS VERB...
	local code=0
	on "$1" "${@:3}" --format json >"$FAKE_STORE/answer" 2>"$FAKE_STORE/said" || code=$?
	answer=$(cat "$FAKE_STORE/answer")
	if [ "$code" != "${CODE[$2]}" ]; then
		echo "$1 ${*:3}: code $code instead of $2; $answer"
		cat "$FAKE_STORE/said"
		return 1
	fi
	[ "$(jq .code <<<"$answer")" = "$code" ]
}

said() { [[ $(cat "$FAKE_STORE/said") == *"$1"* ]] || { cat "$FAKE_STORE/said"; return 1; }; }
answer_is() { jq -e "$1" <<<"$answer" >/dev/null || { echo "not $1: $answer"; return 1; }; } # JQ
state() { jq -r "$2" "$FAKE_STORE/$1/site/state.json"; } # BOX JQ

# What a box really runs: the serial of the Compose file that tote up was given last.
runs() { sed -n 's/^# serial //p' "$FAKE_STORE/$1/runs.yaml" 2>/dev/null; }

# All boxes run it, and say so.
all_run() { # SERIAL RELEASE
	local box
	for box in box1 box2 box3; do
		[ "$(runs $box)" = "$1" ] && [ "$(state $box .release)" = "$2" ] && [ "$(state $box .phase)" = settled ] ||
			{ echo "$box runs $(runs $box) instead of $1: $(cat "$FAKE_STORE/$box/site/state.json")"; return 1; }
	done
}

# How often tote up has changed a box.
changes() { grep -c '^up .*--wait ' "$FAKE_STORE/$1/calls"; }

# All of the words with ALL=1, else some by chance.
sample() { # COUNT WORD...
	if [ "${ALL:-0}" = 1 ]; then
		printf '%s\n' "${@:2}"
	else
		shuf -n "$1" -e "${@:2}"
	fi
}

patiently() {
	local end=$((SECONDS + 300))
	while [ $SECONDS -lt $end ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "waited in vain: $*"
	return 1
}

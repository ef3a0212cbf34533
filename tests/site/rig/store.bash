# SPDX-License-Identifier: Apache-2.0
# Shared by the tests on the rig: stores as `tote-site init-store` and `tote-site configure` make them, with a witness that must not
# run twice. For bats and for scripts.
#
#	. rig/store.bash
#	open_store [STORES [WORDS-OF-INIT-STORE...]]	sets RIG_DIR; the owner of all is this process
#	close_store
#
# rig VERB ... is rig/rig on it; on BOX COMMAND... runs in a box.

RIG_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
RIG_SOURCE=$(cd "$RIG_HERE/../../.." && pwd)
: "${BUILD:=$RIG_SOURCE/build}"
BUILD=$(realpath "$BUILD")
export BUILD

rig() {
	local verb=$1
	shift
	"$RIG_HERE/rig" "$verb" "$RIG_DIR" "$@"
}

on() {
	"$RIG_HERE/rig" run "$RIG_DIR" "$@"
}

up_time() {
	cut -d ' ' -f 1 /proc/uptime
}

since() { # SECONDS [UNTIL]
	awk -v a="$1" -v b="${2:-$(up_time)}" 'BEGIN { printf "%.2f\n", b - a }'
}

# wait_for SECONDS COMMAND...
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

can_cluster() {
	[ "$(id -u)" = 0 ] || { echo "needs root"; return 1; }
	command -v corosync pacemakerd sshd >/dev/null || { echo "needs corosync, pacemaker and openssh-server"; return 1; }
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || { echo "needs a tmpfs at /dev/shm"; return 1; }
	unshare -m -n -p -i -u -C --fork true 2>/dev/null || { echo "cannot make namespaces"; return 1; }
}

# ---- a store ----

open_store() { # [STORES [WORDS...]]
	local stores=${1:-1} s b box pids=()
	[ $# = 0 ] || shift
	[ $# -gt 0 ] || set -- --fence fence_rig
	RIG_DIR=$(mktemp -d /dev/shm/tote-rig.XXXXXX)
	export RIG_DIR
	RIG_LOG=$RIG_DIR/shared
	mkdir -p "$RIG_DIR"/{files,shared,hq}
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$RIG_DIR/hq/key"
	echo "hq@shop.example $(cat "$RIG_DIR/hq/key.pub")" >"$RIG_DIR/hq/signers"
	for ((s = 1; s <= stores; s++)); do
		init_store "$s" "$@" || return
	done
	RIG_OWNER=${RIG_OWNER:-$$} rig up "$stores" 3 || return
	make_witness || return
	for box in $(rig boxes); do
		on "$box" tote import -q --cmd '["/witness"]' /shared/witness.tar witness:1 >/dev/null &
		pids+=($!)
	done
	for b in "${pids[@]}"; do
		wait "$b" || return
	done
	rig ready 90 || return
	for ((s = 1; s <= stores; s++)); do
		on "s${s}b1" tote-site configure >"$RIG_DIR/configure.$s" 2>&1 || { cat "$RIG_DIR/configure.$s"; return 1; }
	done
}

close_store() {
	[ -z "${RIG_DIR:-}" ] || rig down
	RIG_DIR=
}

init_store() { # NUMBER WORDS...
	local s=$1 b out=$RIG_DIR/init.$1
	shift
	"$RIG_SOURCE/cmd/tote-site/tote-site" init-store -o "$out" --name "store000$s" --address "10.50.$s.100/24" \
		--signers "$RIG_DIR/hq/signers" --fleet-key "$RIG_DIR/hq/key.pub" "$@" "s${s}b1=10.50.$s.1" "s${s}b2=10.50.$s.2" "s${s}b3=10.50.$s.3" >/dev/null 2>"$RIG_DIR/init.log" ||
		{ cat "$RIG_DIR/init.log"; return 1; }
	for b in 1 2 3; do
		# What tote-site-boot.service does, as there is no systemd.
		printf '#!/bin/sh\n[ ! -s /var/lib/tote-site/state.json ] || exec tote-site tend --boot\n' >"$out/s${s}b$b/etc/rig-boot"
		chmod 755 "$out/s${s}b$b/etc/rig-boot"
		printf 'gate-seconds 3\ngate-timeout 60\n' >>"$out/s${s}b$b/etc/tote/site.conf"
		mv "$out/s${s}b$b" "$RIG_DIR/files/"
	done
	cat "$out/headquarters/stores.tsv" >>"$RIG_DIR/hq/stores.tsv"
	mkdir -p "$RIG_DIR/hq/hostkeys"
	cp "$out/headquarters/hostkeys/"* "$RIG_DIR/hq/hostkeys/"
}

# ---- the witness ----

# A root file system with busybox and the witness, as a tar: /shared/witness.tar in the boxes.
make_witness() {
	local root=$RIG_DIR/hq/witness file
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,log}
	"${CC:-cc}" -std=gnu11 -O1 -static -o "$root/witness" "$RIG_HERE/witness.c" || return
	cp "$(command -v busybox)" "$root/bin/busybox"
	chroot "$root" /bin/busybox --install -s /bin
	: >"$root/etc/box"
	for file in lock events beats; do
		: >"$RIG_LOG/$file"
		chmod 666 "$RIG_LOG/$file"
	done
	tar -C "$root" -cf "$RIG_LOG/witness.tar" .
}

# [STOP-SECONDS]: on store 1, as people would write it.
start_witness() {
	cat >"$RIG_LOG/witness.xml" <<-END
		<resources><primitive id="witness" class="ocf" provider="tote" type="container">
		<instance_attributes id="witness-parameters">
		<nvpair id="witness-image" name="image" value="witness:1"/>
		<nvpair id="witness-run_opts" name="run_opts" value="-v /shared:/log -v /etc/hostname:/etc/box:ro -e STOP=${1:-0}"/>
		</instance_attributes><operations>
		<op id="witness-start" name="start" interval="0s" timeout="60s"/>
		<op id="witness-stop" name="stop" interval="0s" timeout="60s"/>
		<op id="witness-monitor" name="monitor" interval="2s" timeout="30s"/>
		</operations></primitive></resources>
	END
	on s1b1 cibadmin --modify --allow-create -o resources --xml-file /shared/witness.xml
	wait_for 60 beats_now
}

stop_witness() {
	on s1b1 cibadmin --delete --xml-text '<primitive id="witness"/>'
	wait_for 60 no_beats_now
}

# It wrote something within the last half second; BOX is where.
beats_now() {
	local last
	last=$(tail -n 1 "$RIG_LOG/beats")
	[ -n "$last" ] && awk -v now="$(up_time)" -v last="${last%% *}" 'BEGIN { exit !(now - last < 0.5) }' && read -r _ BOX _ <<<"$last"
}

no_beats_now() {
	! beats_now
}

beats_elsewhere() { # BOX
	beats_now && [ "$BOX" != "$1" ]
}

# When the last copy on another box than $1 started; and the last beat of that box.
started_at() {
	awk -v box="$1" '$4 == "start" && $2 != box { t = $1 } END { print t }' "$RIG_LOG/events"
}

last_beat() { # BOX BEFORE
	awk -v box="$1" -v before="$2" '$2 == box && $1 < before { t = $1 } END { print t }' "$RIG_LOG/beats"
}

overlaps() {
	"$RIG_HERE/overlaps" "$RIG_LOG"
}

settled_all() {
	local box
	for box in $(rig boxes 1); do
		rig settled "$box" || return 1
	done
}

last_start_box() {
	awk '$4 == "start" { box = $2 } END { print box }' "$RIG_LOG/events"
}

started_after() { # SECONDS
	awk -v after="$1" '$4 == "start" && $1 > after { found = 1 } END { exit !found }' "$RIG_LOG/events" && beats_now
}

# All boxes are there, and the witness runs on BOX.
whole() {
	wait_for 120 settled_all && wait_for 60 beats_now && return
	on "$(rig boxes 1 | tail -n 1)" crm_mon -1 >&2
	return 1
}

# ---- releases ----

hq_tools() {
	local part
	# shellcheck disable=SC2034
	SAY_NAME=hq
	for part in say replace signed release secret_index depot; do
		# shellcheck source=/dev/null
		. "$RIG_SOURCE/cmd/script/$part.sh"
	done
	DEPOT=$RIG_LOG/depot
	mkdir -p "$DEPOT"/{wanted,releases,images,status}
	chmod 777 "$RIG_LOG/depot/status"
}

# hq_release SERIAL [HEALTH-COMMAND]: a witness, and a till on every box, in the depot and wanted. Sets RELEASE. The image differs by
# its serial.
hq_release() {
	local id tote=$BUILD/tote
	export TOTE_STORE=$RIG_DIR/hq/store
	echo "$1" >"$RIG_DIR/hq/witness/serial"
	tar -C "$RIG_DIR/hq/witness" -cf "$RIG_DIR/hq/pos.tar" .
	"$tote" import -q --cmd '["/witness"]' "$RIG_DIR/hq/pos.tar" "pos:$1" >/dev/null || return
	id=$("$tote" inspect "pos:$1" | jq -r '.[0].id')
	id=${id#sha256:}
	[ -e "$DEPOT/images/$id.tar" ] || "$tote" save -o "$DEPOT/images/$id.tar" "pos:$1" || return
	unset TOTE_STORE
	cat >"$RIG_DIR/hq/compose.yaml" <<-END
		services:
		  witness:
		    image: pos:1
		    restart: always
		    volumes: ["/shared:/log", "/etc/hostname:/etc/box:ro"]
		    healthcheck: {test: ["CMD-SHELL", "${2:-true}"], interval: 2s, timeout: 5s, retries: 2}
		    x-tote: {update_timeout: 15s}
		  till:
		    image: pos:1
		    command: [sleep, "100000"]
		    init: true
		    restart: always
		    deploy: {mode: global}
	END
	rm -rf "$RIG_DIR/hq/new"
	release_make "$RIG_DIR/hq/new" "$RIG_DIR/hq/key" "serial=$1" "name=shop-$1" project=shop expires=2099-01-01T00:00:00Z \
		"compose=$RIG_DIR/hq/compose.yaml" "image=pos:1@sha256:$id" || return
	[ -e "$DEPOT/releases/$RELEASE" ] || mv "$RIG_DIR/hq/new" "$DEPOT/releases/$RELEASE"
	echo "$RELEASE" >"$DEPOT/wanted/default"
}

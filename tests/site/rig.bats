# SPDX-License-Identifier: Apache-2.0
# The rig itself (rig/rig): boxes are apart from each other and from this machine, lose their power whole, and nothing of them is left
# when the test that made them is gone, however it went.

bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats

RIG=$BATS_TEST_DIRNAME/rig/rig

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip "needs a tmpfs at /dev/shm"
	command -v sshd >/dev/null || skip "needs openssh-server"
	unshare -m -n -p -i -u -C --fork true 2>/dev/null || skip "cannot make namespaces"
	DIR=$(mktemp -d /dev/shm/tote-rig.XXXXXX)
	NETS=$(links) MOUNTS=$(mount_points)
}

teardown() {
	"$RIG" down "$DIR"
}

gone() {
	[ ! -e "$DIR" ] && [ ! -d "$1" ]
}

eventually() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

reaches() { # BOX ADDRESS
	"$RIG" run "$DIR" "$1" timeout 3 bash -c ": </dev/tcp/$2/22" 2>/dev/null
}

links() {
	ip -br link | sort
}

mount_points() {
	cut -d' ' -f5 /proc/self/mountinfo | sort
}

untouched() {
	diff <(echo "$NETS") <(links) && diff <(echo "$MOUNTS") <(mount_points)
}

@test "boxes see each other as long as cables are plugged, have disks of their own, and tote in them" {
	RIG_OWNER=$$ "$RIG" up "$DIR" 1 2 3>&-
	eventually 20 reaches s1b1 10.50.1.2
	"$RIG" cut "$DIR" s1b2
	run ! reaches s1b1 10.50.1.2
	"$RIG" plug "$DIR" s1b2
	eventually 20 reaches s1b1 10.50.1.2
	"$RIG" run "$DIR" s1b1 sh -c 'echo kept >/etc/kept; echo lost >/run/lost; mkdir /sys/fs/cgroup/left; sleep 1000 >/dev/null 2>&1 & echo $! >/sys/fs/cgroup/left/cgroup.procs' 3>&-
	[ ! -e /etc/kept ]
	run ! "$RIG" run "$DIR" s1b2 cat /etc/kept
	"$RIG" reboot "$DIR" s1b1 3>&-
	eventually 20 reaches s1b2 10.50.1.1
	[ "$("$RIG" run "$DIR" s1b1 cat /etc/kept)" = kept ]
	"$RIG" run "$DIR" s1b1 sh -c '[ ! -e /run/lost ] && [ ! -e /sys/fs/cgroup/left ]'
	"$RIG" run "$DIR" s1b1 tote --version
	untouched
	group=$(cat "$DIR/cgroup")
	"$RIG" down "$DIR"
	gone "$group"
}

@test "nothing is left when the owner is killed" {
	sleep 1000 3>&- &
	owner=$!
	RIG_OWNER=$owner "$RIG" up "$DIR" 1 2 3>&-
	group=$(cat "$DIR/cgroup")
	pid=$(cat "$DIR/box/s1b2/pid")
	kill -KILL $owner
	eventually 30 gone "$group"
	[ ! -d "/proc/$pid" ]
	untouched
}

@test "when the keeper itself is killed, all boxes are, and down removes the rest" {
	RIG_OWNER=$$ "$RIG" up "$DIR" 1 2 3>&-
	group=$(cat "$DIR/cgroup")
	pid=$(cat "$DIR/box/s1b2/pid")
	kill -KILL "$(cat "$DIR/keeper")"
	eventually 20 test ! -d "/proc/$pid"
	"$RIG" down "$DIR"
	gone "$group"
}

@test "the power switch confirms when the box is off, and starts it again only for reboot" {
	RIG_OWNER=$$ RIG_BOOT=0 "$RIG" up "$DIR" 1 2 3>&-
	eventually 20 reaches s1b1 10.50.1.2
	pid=$(cat "$DIR/box/s1b2/pid")
	printf 'action=off\nport=s1b2\n' | "$RIG" run "$DIR" s1b1 fence_rig
	[ ! -d "/proc/$pid" ]
	sleep 1
	run ! reaches s1b1 10.50.1.2
	printf 'action=on\nnodename=s1b2\n' | "$RIG" run "$DIR" s1b1 fence_rig
	eventually 20 reaches s1b1 10.50.1.2
	printf 'action=reboot\nport=s1b2\n' | "$RIG" run "$DIR" s1b1 fence_rig
	eventually 20 reaches s1b1 10.50.1.2
	[ "$(grep -c ' s1b2$' "$DIR/power/log")" = 4 ]
	run -1 "$RIG" run "$DIR" s1b1 fence_rig -o off </dev/null
}

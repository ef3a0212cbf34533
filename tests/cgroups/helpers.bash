# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of control groups. They want every controller on cgroup v2, a disk to write on and kernel modules to load, which
# only a machine of their own has: tests/vm/run tests/cgroups/*.bats.
#
#   load helpers
#   setup_file() { make_machine; }
#   setup()      { start_clean; }
#   teardown()   { clean_up; }
#
# $TREE is the mount of cgroup2; $G the container's group, there as long as it is where tote puts it by itself.
bats_require_minimum_version 1.5.0
load ../cli/helpers

TREE=/sys/fs/cgroup
DISK=/dev/vdb

in_machine() {
	[ "$(</proc/sys/kernel/hostname)" = tote-vm ]
}

# Nothing elsewhere: bats 1.8 cannot skip before the tests.
make_machine() {
	in_machine || return 0
	# As make_rootfs does, by one process: the machine may be an emulated one.
	mkdir -p "$BATS_FILE_TMPDIR"/rootfs/{bin,dev,etc,mnt,proc,sys/fs/cgroup,tmp,root,usr}
	cp "$BUSYBOX" "$BATS_FILE_TMPDIR/rootfs/bin/busybox"
	chroot "$BATS_FILE_TMPDIR/rootfs" /bin/busybox --install -s /bin
}

start_clean() {
	in_machine || skip "for the virtual machine: tests/vm/run"
	ROOT=$BATS_TEST_TMPDIR/state BUNDLE=$BATS_TEST_TMPDIR/bundle ID=t$$-$BATS_TEST_NUMBER
	G=$TREE/tote-$ID
	RESOURCES='{}' ANNOTATIONS='{}' GROUP='' DEVICES='' MOUNTS='' CAPABILITIES='' NAMESPACES='' LINUX=''
	mkdir -p "$BUNDLE"
	cd "$BUNDLE"
}

# As in ../cli, for at least 20 s: the machine may be an emulated one on a busy host.
eventually() {
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

# Waits for the watcher of $WATCHER, and sets $code.
watcher_ends() {
	eventually watcher_gone
	code=0
	wait "$WATCHER" || code=$?
	WATCHER=
}

watcher_gone() {
	! kill -0 "$WATCHER" 2>/dev/null
}

# As in ../cli, without bats's `run`, which takes a second where the processor is emulated.
refuses() {
	local code=$1 words=$2
	shift 2
	status=0
	timeout 20 "$TOTE" --root "$ROOT" "$@" </dev/null >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- || status=$?
	mapfile -t stderr_lines <"$BATS_TEST_TMPDIR/err"
	stderr=${stderr_lines[*]}
	echo "tote $*: code $status, stderr \"$stderr\""
	[ "$status" -eq "$code" ] || return 1
	[ ! -s "$BATS_TEST_TMPDIR/out" ] || return 1
	[ "${#stderr_lines[@]}" -eq 1 ] || return 1
	[[ $stderr == *"$words"* ]]
}

words_as_json() {
	local word text=
	for word; do
		word=${word//\\/\\\\} word=${word//$'\n'/\\n} word=${word//$'\t'/\\t}
		text+=", \"${word//\"/\\\"}\""
	done
	printf '%s' "${text:2}"
}

# A bundle for a command, with $RESOURCES, $ANNOTATIONS, $GROUP (cgroupsPath), $DEVICES, $MOUNTS, $CAPABILITIES and $NAMESPACES in it, and
# more of "linux" in $LINUX. Printed, since jq takes a second where the processor is emulated.
bundle() {
	local capabilities="[\"CAP_KILL\"${CAPABILITIES:+, $CAPABILITIES}]"
	cat >"$BUNDLE/config.json" <<-END
	{"ociVersion": "1.0.2", "root": {"path": "${ROOTFS:-$BATS_FILE_TMPDIR/rootfs}"}, "annotations": $ANNOTATIONS,
	 "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": [$(words_as_json "$@")], "env": ["PATH=/bin:/usr/bin"],
	  "capabilities": {"bounding": $capabilities, "effective": $capabilities, "permitted": $capabilities}},
	 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
	  {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=0620"]},
	  {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev"]}${MOUNTS:+, $MOUNTS}],
	 "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "cgroup"}${NAMESPACES:+, $NAMESPACES}], ${LINUX:+$LINUX,}
	  ${GROUP:+"\"cgroupsPath\": \"$GROUP\","} "devices": [$DEVICES], "resources": $RESOURCES}}
	END
}

# A container of a command (or of one that waits) runs, with nobody attached.
started() {
	bundle "${@:-sleep}" $([ $# -gt 0 ] || echo 1000)
	quietly timeout 30 "$TOTE" --root "$ROOT" run -d "$ID"
}

# A resources object, to a container as it is.
resources() {
	tote update -r - "$ID" <<<"$1"
}

# The same must be refused with these words.
refuses_resources() {
	printf '%s' "$2" >"$BATS_TEST_TMPDIR/resources"
	refuses 1 "$1" update -r "$BATS_TEST_TMPDIR/resources" "$ID"
}

# FILE VALUE ...: what stands in files of the group $G; several lines as one. No process is needed for looking.
reads() {
	local value
	while [ $# -gt 0 ]; do
		value=(absent)
		[ ! -e "$G/$1" ] || mapfile -t value <"$G/$1"
		[ "${value[*]}" = "$2" ] || { echo "$1: \"${value[*]}\", expected \"$2\""; return 1; }
		shift 2
	done
}

# The same, soon.
becomes() {
	eventually reads "$@" >/dev/null || reads "$@"
}

# The number of a key in a file of keys and numbers: memory.events oom_kill.
number_in() {
	local key value
	while read -r key value; do
		[ "$key" != "$2" ] || { echo "$value"; return; }
	done <"$G/$1"
	return 1
}

status_is() {
	local text
	text=$(tote state "$ID")
	[[ $text =~ \"status\":\ ?\"([a-z]+)\" ]]
	[ "${BASH_REMATCH[1]}" = "$1" ]
}

now_ms() {
	echo $((${EPOCHREALTIME/[^0-9]/} / 1000))
}

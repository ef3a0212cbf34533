# SPDX-License-Identifier: Apache-2.0
# Podman and buildah with tote, all of it the test's own: storage, state and configuration below one directory, and a network and a
# mount namespace where /run is empty and /sys/fs/cgroup is the cgroup2 tree, also on hosts with both versions.
#
#   load podman
#   setup_file()    { start_podman; }
#   teardown_file() { stop_podman; }
#   teardown()      { clean_podman; }
#   @test "x"       { run podman run --rm "$IMAGE" echo hello; }
#
#   podman ARGUMENT...      with a time limit of $POD_LIMIT (60) seconds; the runtime is $RUNTIME: "tote" of the drop-in, or a path
#   ran COMMAND...          like bats's run, and prints what came of it
#   inside COMMAND...       any command in there
#   on_terminal COMMAND...  a command (podman for the function) with a terminal; stdin is what is typed
#   as_user COMMAND...      a user who has ids of his own to give to containers; $USER_HOME is his
#   user_podman ARGUMENT... podman as that user, after make_user
#
# POD_DIR has all files, POD_DIR/box a root file system.

load ../bats

: "${TOTE:=$BATS_TEST_DIRNAME/../../build/tote}"
TOTE=$(realpath "$TOTE")
: "${POD_LIMIT:=60}"
IMAGE=tote.example/busybox:1
RUNTIME=tote
# No other test's: what is left of the user is killed.
USER_ID=47114
SUB_FIRST=1300000
SHIM_TESTS=$(dirname "${BASH_SOURCE[0]}")
SHARE=$SHIM_TESTS/../../share

soon() { # COMMAND...: waits (at most 30 s) until it succeeds
	local end=$((SECONDS + 30))
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

# Like bats's run, but it says what came of the command for who reads of a failure, and takes every code as it comes.
ran() { # COMMAND...: sets status, output, lines
	status=0
	output=$("$@" 2>&1) || status=$?
	mapfile -t lines <<<"$output"
	echo "$*: $status: $output"
}

# What lies at /etc/containers: the drop-in as `make install` makes it, and what only the tests want.
podman_config() {
	local etc=$POD_DIR/etc-containers
	mkdir -p "$etc/containers.conf.d"
	sed "s|@PREFIX@|$POD_DIR|" "$SHARE/containers/tote.conf" >"$etc/containers.conf.d/tote.conf"
	cat >"$etc/containers.conf" <<-END
		[containers]
		# No more than a host without CAP_SYS_RESOURCE may give, and no more controllers than version 2 has there.
		default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
		pids_limit = 0
		netns = "none"
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		infra_image = "$IMAGE"
	END
	cat >"$etc/storage.conf" <<-END
		[storage]
		driver = "overlay"
		graphroot = "$POD_DIR/storage"
		runroot = "$POD_DIR/run"
	END
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$etc/policy.json"
	: >"$etc/registries.conf"
}

start_podman() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v podman >/dev/null || skip "podman is not installed"
	POD_DIR=$(mktemp -d /tmp/tote-pod.XXXXXX)
	# For users as well: bats's own directories and the build's cannot be searched by everybody.
	chmod 755 "$POD_DIR"
	mkdir "$POD_DIR/bin"
	cp "$(dirname "$TOTE")"/tote{,-seccomp,-net} "$POD_DIR/bin/"
	TOTE_COPY=$POD_DIR/bin/tote
	export POD_DIR TOTE_COPY POD_HOLDER POD_PARENT
	# Where podman puts containers; if nobody had it before, nobody misses it afterwards.
	POD_PARENT=$(cgroup_tree)/libpod_parent
	[ ! -d "$POD_PARENT" ] || POD_PARENT=
	podman_config
	[ -d /etc/containers ] || skip "there is no /etc/containers (Debian package golang-github-containers-common)"
	# Bounded, if whoever started it does not end it.
	unshare --net --mount --propagation private sh -c '
		mount -t tmpfs -o mode=755 none /run || exit
		mount --bind "$1/etc-containers" /etc/containers || exit
		[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup || exit
		ip link set lo up
		: >"$1/ready"
		exec sleep 3600' - "$POD_DIR" >/dev/null 2>"$POD_DIR/log" 3>&- </dev/null &
	POD_HOLDER=$!
	disown
	soon test -e "$POD_DIR/ready" || { cat "$POD_DIR/log"; return 1; }
	make_box
	podman import --change 'CMD ["sh"]' --change ENV=PATH=/bin "$POD_DIR/box.tar" "$IMAGE" >"$POD_DIR/out" 2>&1 || { cat "$POD_DIR/out"; return 1; }
}

make_box() {
	local box=$POD_DIR/box
	mkdir -p "$box"/{bin,dev,etc,proc,sys,tmp,root,run,var/tmp}
	cp "$(command -v busybox)" "$box/bin/busybox"
	chroot "$box" /bin/busybox --install -s /bin
	chmod 1777 "$box/tmp" "$box/var/tmp"
	printf '%s:x:%s:%s::/root:/bin/sh\n' root 0 0 daemon 1 1 nobody 65534 65534 >"$box/etc/passwd"
	printf '%s:x:%s:\n' root 0 daemon 1 nobody 65534 >"$box/etc/group"
	tar -C "$box" --owner=0 --group=0 --numeric-owner -cf "$POD_DIR/box.tar" .
}

in_holder=(nsenter --net --mount --wdns=/)
inside() {
	"${in_holder[@]}" --target "$POD_HOLDER" -- env TMPDIR="$POD_DIR" timeout ${FOREGROUND:+--foreground} -k 2 "$POD_LIMIT" "$@"
}

podman() {
	inside podman --runtime "$RUNTIME" "$@"
}

on_terminal() {
	local command=("$@")
	[ "$1" != podman ] || command=(podman --runtime "$RUNTIME" "${@:2}")
	FOREGROUND=1 inside python3 "$SHIM_TESTS/terminal.py" "${command[@]}"
}

# The account exists only in the mount namespace of each command.
make_user() {
	local etc=$POD_DIR/etc
	USER_HOME=$POD_DIR/home
	export USER_HOME
	[ -u /usr/bin/newuidmap ] || skip "newuidmap (Debian package uidmap) is not installed"
	[ -e /etc/subuid ] && [ -e /etc/subgid ] || skip "the host has no /etc/subuid"
	mkdir -p "$etc" "$USER_HOME"/run
	(cat /etc/passwd; echo "tote-test:x:$USER_ID:$USER_ID::$USER_HOME:/bin/sh") >"$etc/passwd"
	(cat /etc/group; echo "tote-test:x:$USER_ID:") >"$etc/group"
	echo "tote-test:$SUB_FIRST:65536" | tee "$etc/subuid" >"$etc/subgid"
	chown -R $USER_ID:$USER_ID "$USER_HOME"
	chmod 700 "$USER_HOME/run"
}

as_user() {
	"${in_holder[@]}" --target "$POD_HOLDER" -- unshare --mount --propagation private sh -c '
		for f in passwd group subuid subgid; do
			mount --bind "$1/etc/$f" "/etc/$f" || exit 99
		done
		cd "$2" && shift 2 && exec setpriv --reuid='$USER_ID' --regid='$USER_ID' --clear-groups --inh-caps=-all "$@"' \
		sh "$POD_DIR" "$USER_HOME" env -i PATH="$PATH" HOME="$USER_HOME" USER=tote-test XDG_RUNTIME_DIR="$USER_HOME/run" \
		TMPDIR="$USER_HOME" timeout -k 2 "$POD_LIMIT" "$@"
}

user_podman() {
	as_user podman --runtime "$RUNTIME" "$@"
}

clean_podman() {
	[ -n "${POD_HOLDER:-}" ] || return 0
	podman pod rm -f -t 0 -a >/dev/null 2>&1 || true
	podman rm -f -t 0 -a >/dev/null 2>&1 || true
}

# Conmon and what is under it: the processes of our mount namespace, but not the one that keeps it.
podman_processes() {
	local ns pid
	ns=$(readlink "/proc/$POD_HOLDER/ns/mnt")
	for pid in $(find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/mnt' -lname "$ns" 2>/dev/null | cut -d/ -f3); do
		[ "$pid" = "$POD_HOLDER" ] || echo "$pid"
	done
}

no_podman_processes() {
	[ -z "$(podman_processes)" ]
}

user_processes() {
	pgrep -U "$USER_ID,$SUB_FIRST" || true
}

stop_podman() {
	local left=0 pid group
	[ -n "${POD_HOLDER:-}" ] || return 0
	clean_podman
	for pid in $([ -z "${USER_HOME:-}" ] || user_processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	soon no_podman_processes || { echo "processes left: $(podman_processes)"; left=1; }
	for pid in $(podman_processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	"${in_holder[@]}" --target "$POD_HOLDER" -- umount -R "$POD_DIR/storage/overlay" 2>/dev/null || true
	kill "$POD_HOLDER" 2>/dev/null || true
	[ -z "$POD_PARENT" ] || [ ! -d "$POD_PARENT" ] || soon rmdirs "$POD_PARENT" || { echo "cgroups left:"; find "$POD_PARENT" -type d; left=1; }
	rm -rf "$POD_DIR"
	return $left
}

cgroup_tree() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

rmdirs() {
	find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$1" ]
}

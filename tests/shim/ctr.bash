# SPDX-License-Identifier: Apache-2.0
# A containerd of the test's own, of any version, and its client. Nothing of it touches the host's: configuration, data, state,
# sockets and FIFOs are below one directory, mounts are in a mount namespace where /run/containerd is that directory and
# /sys/fs/cgroup the cgroup2 tree, also on hosts with both versions.
#
#   load ctr
#   setup_file()    { start_containerd; }          # or start_containerd DIR: containerd, ctr and runc's shim of that directory
#   teardown_file() { stop_containerd; }           # removes all containers first, and fails when anything is left
#   teardown()      { clean_containers; }
#   @test "x"       { run ctr run --rm "${BY_TOTE[@]}" "$IMAGE" c1 echo hello; }
#
# Or with all versions that are to be had, which costs half a second each:
#
#   setup_file()    { start_containerds; }
#   teardown_file() { stop_containerds; }
#   teardown()      { each_containerd clean_containers; }
#   hello()         { run ctr run --rm "${BY_TOTE[@]}" "$IMAGE" c1 echo hello; [ "$output" = hello ]; }
#   @test "hello"   { each_containerd hello; }
#
# Without bats: the same functions, and a function skip() that ends the script.
#
#   ctr ARGUMENT...         the client of the same version, in the namespaces of the daemon and with a time limit ($CTR_LIMIT, 60 s)
#   on_terminal COMMAND...  a command whose stdin and stdout are a terminal; what it shows on stdout (stdin is what is typed)
#   ran COMMAND...          like bats's run, and prints what came of it
#   in_containerd COMMAND.. a command in the daemon's mount namespace
#   restart_containerd      stops the daemon alone and starts it again; kill_containerd, boot_containerd: SIGKILL and start apart
#   clean_containers        removes all tasks and containers, as teardown()
#   shims                   the processes of the daemon's shims
#   containerd_config       writes $CTR_DIR/config.toml; start_containerd calls it when there is none yet. CTR_CRI=1 leaves CRI on;
#                           what more_config prints is appended (version 2 names, which all releases take), if there is one
#   CTR_NET=1               a network namespace of the daemon's own as well, with its /run/netns, /run/tote-net and /var/lib/cni
#   containerd_versions     "1.6.20 DIR" a line: the installed one, then those that tests/shim/fetch-containerd gets; reasons for
#                           what is missing on stderr
#
# Set: CTR_DIR (all files; $CTR_DIR/log is the daemon's log, $CTR_DIR/run is /run/containerd in there: run/s has the shims' sockets,
# run/fifo the client's FIFOs), CTR_SOCKET, CTR_PID (the daemon), CTR_HOLDER (who keeps the namespace), CTR_NS (containerd's
# namespace, also the name of the cgroup above the containers'), CTR_VERSION, IMAGE (busybox-static with /etc/passwd).
# BY_TOTE are the options for `ctr run` and `ctr c create` that take tote by runc's shim. For the native one:
#   ctr run --runtime io.containerd.tote.v2 ...    (a program of $BUILD; see CTR_BIN_ADD)

: "${TOTE:=$BATS_TEST_DIRNAME/../../build/tote}"
TOTE=$(realpath "$TOTE")
: "${CTR_LIMIT:=60}"
: "${CTR_BIN_ADD:=$(dirname "$TOTE")}"
IMAGE=tote.example/busybox:1
BY_TOTE=(--runc-binary "$TOTE")
SHIM_TESTS=$(dirname "${BASH_SOURCE[0]}")

# Waits (at most 30 s) until a command succeeds.
soon() {
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

containerd_config() {
	# The plugins that would make directories of the host's; unknown names do no harm.
	local off='"io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
		"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
		"io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"'
	[ -n "${CTR_CRI:-}" ] || off+=', "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"'
	cat >"$CTR_DIR/config.toml" <<-END
		version = 2
		root = "$CTR_DIR/root"
		state = "$CTR_DIR/state"
		disabled_plugins = [$off]
		[grpc]
		  address = "$CTR_SOCKET"
		[debug]
		  level = "${CTR_LOG_LEVEL:-info}"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$CTR_DIR/opt"
		$(! declare -F more_config >/dev/null || more_config)
	END
}

start_containerd() { # [DIR]
	[ "$(id -u)" = 0 ] || skip "needs root"
	CTR_BIN=$(dirname "$(command -v "${1:+$1/}containerd")" 2>/dev/null) || skip "containerd is not installed"
	# A socket's name has 107 bytes at most.
	[ -n "${CTR_DIR:-}" ] || CTR_DIR=$(mktemp -d /tmp/tote-ctr.XXXXXX)
	chmod 755 "$CTR_DIR"
	CTR_SOCKET=$CTR_DIR/sock
	CTR_NS=tote-$(basename "$CTR_DIR" | tr -dc '[:alnum:]')
	CTR_VERSION=$("$CTR_BIN/containerd" --version | awk '{ split($3, v, /[~+-]/); print v[1] }')
	export CTR_BIN CTR_DIR CTR_SOCKET CTR_NS CTR_VERSION CTR_HOLDER
	mkdir -p "$CTR_DIR"/run
	[ -e "$CTR_DIR/config.toml" ] || containerd_config
	mkdir -p /run/containerd ${CTR_NET:+/run/netns /run/tote-net /var/lib/cni}
	# Bounded, if whoever started it does not end it.
	unshare --mount --propagation private ${CTR_NET:+--net} sh -c '
		mount --bind "$1" /run/containerd || exit
		[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup || exit
		if [ -n "$2" ]; then
			ip link set lo up || exit
			for dir in /run/netns /run/tote-net /var/lib/cni; do
				mount -t tmpfs -o mode=755 none $dir || exit
			done
		fi
		: >"$1/ready"
		exec sleep 3600' - "$CTR_DIR/run" "${CTR_NET:-}" >/dev/null 2>"$CTR_DIR/log" 3>&- </dev/null &
	CTR_HOLDER=$!
	disown
	soon test -e "$CTR_DIR/run/ready" || { cat "$CTR_DIR/log"; return 1; }
	boot_containerd || return
	declare -p CTR_BIN CTR_DIR CTR_SOCKET CTR_NS CTR_VERSION CTR_HOLDER | sed 's/declare -x/export/' >"$CTR_DIR/env"
	make_image
	CTR_LIMIT=60 ctr images import --no-unpack "$CTR_DIR/image.tar" >/dev/null 2>&1 ||
		CTR_LIMIT=60 ctr images import "$CTR_DIR/image.tar" >/dev/null
}

# One daemon for each line of containerd_versions.
start_containerds() {
	local version dir
	[ "$(id -u)" = 0 ] || skip "needs root"
	CTR_DIRS=
	export CTR_DIRS CTR_MISSING
	CTR_MISSING=$(mktemp)
	while read -r version dir; do
		CTR_DIR=
		start_containerd "$dir" </dev/null || return
		CTR_DIRS+=" $CTR_DIR"
	done <<<"$(containerd_versions 2>"$CTR_MISSING")"
	[ -n "$CTR_DIRS" ] || skip "$(head -n 1 "$CTR_MISSING")"
}

# What each_containerd's tests do not cover, as a test of its own.
skip_missing_versions() {
	[ ! -s "$CTR_MISSING" ] || skip "$(tr '\n' ';' <"$CTR_MISSING")"
}

# Not in a condition, which would let it go on after failures.
each_containerd() { # FUNCTION ARGUMENT...
	local dir
	for dir in $CTR_DIRS; do
		. "$dir/env"
		echo "containerd $CTR_VERSION"
		"$@"
	done
}

stop_containerds() {
	local dir left=0
	for dir in ${CTR_DIRS:-}; do
		. "$dir/env"
		stop_containerd || left=1
	done
	rm -f "${CTR_MISSING:-}"
	return $left
}

boot_containerd() {
	# Not by in_containerd: a function in the background is a shell of its own, and its process not the daemon.
	nsenter --mount="/proc/$CTR_HOLDER/ns/mnt" --net="/proc/$CTR_HOLDER/ns/net" -- env PATH="$CTR_BIN:$CTR_BIN_ADD:$PATH" \
		"$CTR_BIN/containerd" -c "$CTR_DIR/config.toml" >>"$CTR_DIR/log" 2>&1 3>&- </dev/null &
	CTR_PID=$!
	disown
	echo "$CTR_PID" >"$CTR_DIR/pid"
	soon containerd_answers || { echo "containerd did not start:"; tail -n 20 "$CTR_DIR/log"; return 1; }
}

containerd_answers() {
	[ -S "$CTR_SOCKET" ] && CTR_LIMIT=10 ctr version >/dev/null 2>&1
}

# Also from a test, where variables of other tests are not known.
containerd_pid() {
	[ ! -e "$CTR_DIR/pid" ] || CTR_PID=$(cat "$CTR_DIR/pid")
}

gone_pid() { # PID: ended, though perhaps not waited for yet
	[ ! -d "/proc/$1" ] || [ "$(awk '/^State:/ { print $2 }' "/proc/$1/status" 2>/dev/null)" = Z ]
}

end_containerd() { # SIGNAL
	containerd_pid
	[ -n "${CTR_PID:-}" ] || return 0
	kill "-$1" "$CTR_PID" 2>/dev/null || true
	soon gone_pid "$CTR_PID" || kill -KILL "$CTR_PID"
	rm -f "$CTR_DIR/pid"
}

kill_containerd() {
	end_containerd KILL
}

restart_containerd() {
	end_containerd TERM
	boot_containerd
}

in_containerd() {
	nsenter --mount="/proc/$CTR_HOLDER/ns/mnt" --net="/proc/$CTR_HOLDER/ns/net" --wdns="$PWD" -- "$@"
}

ctr() {
	in_containerd timeout -k 2 "$CTR_LIMIT" "$CTR_BIN/ctr" -a "$CTR_SOCKET" -n "$CTR_NS" "$@"
}

# on_terminal COMMAND...: the first word may be a function of this file.
on_terminal() {
	local command=("$@")
	[ "$1" != ctr ] || command=(nsenter --mount="/proc/$CTR_HOLDER/ns/mnt" --net="/proc/$CTR_HOLDER/ns/net" -- timeout --foreground -k 2 "$CTR_LIMIT"
		"$CTR_BIN/ctr" -a "$CTR_SOCKET" -n "$CTR_NS" "${@:2}")
	python3 "$SHIM_TESTS/terminal.py" "${command[@]}"
}

clean_containers() {
	local id
	[ -n "${CTR_HOLDER:-}" ] || return 0
	for id in $(ctr tasks ls -q 2>/dev/null); do
		ctr tasks rm --force "$id" >/dev/null 2>&1 || true
	done
	for id in $(ctr containers ls -q 2>/dev/null); do
		ctr containers rm "$id" >/dev/null 2>&1 || true
	done
}

# Processes of the shims: those whose command line has our socket, except the daemon and its clients.
shims() {
	local pid
	for pid in $(grep -lsF -- "$CTR_SOCKET" /proc/[0-9]*/cmdline | cut -d/ -f3); do
		case $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") in *containerd-shim-*) echo "$pid" ;; esac
	done
}

no_shims() {
	[ -z "$(shims)" ]
}

stop_containerd() {
	local left=0 pid group
	[ -n "${CTR_HOLDER:-}" ] || return 0
	containerd_answers && clean_containers
	soon no_shims || { echo "shims left: $(shims)"; left=1; }
	end_containerd TERM
	for pid in $(shims); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for group in /sys/fs/cgroup/"$CTR_NS" /sys/fs/cgroup/unified/"$CTR_NS"; do
		[ -d "$group" ] || continue
		[ -z "$(find "$group" -mindepth 1 -type d)" ] || { echo "cgroups left:"; find "$group" -mindepth 1 -type d; left=1; }
		for pid in $(find "$group" -name cgroup.procs -exec cat {} +); do
			kill -KILL "$pid" 2>/dev/null || true
		done
		soon rmdirs "$group"
	done
	kill "$CTR_HOLDER" 2>/dev/null || true
	soon gone_pid "$CTR_HOLDER" || true
	[ "$left" = 0 ] || tail -n 20 "$CTR_DIR/log"
	rm -rf "$CTR_DIR"
	CTR_HOLDER=
	return $left
}

rmdirs() {
	find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
	[ ! -d "$1" ]
}

# An OCI archive with one layer, made by hand.
make_image() {
	local box=$CTR_DIR/box
	mkdir -p "$box"/{bin,dev,etc,proc,sys,tmp,root,run,usr/bin}
	cp "$(command -v busybox)" "$box/bin/busybox"
	chroot "$box" /bin/busybox --install -s /bin
	chmod 1777 "$box/tmp"
	printf '%s:x:%s:%s::/root:/bin/sh\n' root 0 0 daemon 1 1 games 5 60 www-data 33 33 nobody 65534 65534 >"$box/etc/passwd"
	printf '%s:x:%s:\n' root 0 daemon 1 games 60 www-data 33 nobody 65534 >"$box/etc/group"
	tar -C "$box" --sort=name --owner=0 --group=0 --numeric-owner -cf "$CTR_DIR/layer" .
	image_archive "$IMAGE" '["sh"]' "$CTR_DIR/image.tar"
}

image_archive() { # NAME COMMAND-AS-JSON FILE: with that layer
	local layout=$CTR_DIR/layout layer config manifest
	mkdir -p "$layout/blobs/sha256"
	layer=$(blob "$CTR_DIR/layer")
	jq -cn --arg arch "$(dpkg --print-architecture)" --arg layer "sha256:$layer" --argjson command "$2" \
		'{architecture: $arch, os: "linux", config: {Env: ["PATH=/bin"], Cmd: $command}, rootfs: {type: "layers", diff_ids: [$layer]},
		history: [{created_by: "tests"}]}' >"$CTR_DIR/image.json"
	config=$(blob "$CTR_DIR/image.json")
	jq -cn --arg layer "$layer" --arg config "$config" --argjson size "$(stat -c %s "$CTR_DIR/layer")" \
		--argjson config_size "$(stat -c %s "$CTR_DIR/image.json")" \
		'{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: ("sha256:" + $config), size: $config_size},
		layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: ("sha256:" + $layer), size: $size}]}' >"$CTR_DIR/manifest.json"
	manifest=$(blob "$CTR_DIR/manifest.json")
	jq -cn --arg manifest "$manifest" --argjson size "$(stat -c %s "$CTR_DIR/manifest.json")" --arg name "$1" \
		'{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: ("sha256:" + $manifest),
		size: $size, annotations: {"io.containerd.image.name": $name, "org.opencontainers.image.ref.name": "1"}}]}' >"$layout/index.json"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
	tar -C "$layout" -cf "$3" .
}

blob() { # FILE: into the layout; its digest
	local digest
	digest=$(sha256sum "$1" | cut -d' ' -f1)
	cp "$1" "$layout/blobs/sha256/$digest"
	echo "$digest"
}

containerd_versions() {
	local dir
	if command -v containerd >/dev/null; then
		dir=$(dirname "$(command -v containerd)")
		echo "$("$dir/containerd" --version | awk '{ split($3, v, /[~+-]/); print v[1] }') $dir"
	else
		echo "containerd is not installed" >&2
	fi
	"$SHIM_TESTS/../online" "$SHIM_TESTS/fetch-containerd"
}

# SPDX-License-Identifier: Apache-2.0
# mounts, root, devices, masked and read-only paths, sysctl: what the program sees, and what the host does not.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	SOURCE=$BATS_TEST_TMPDIR/source
	mkdir -p "$SOURCE/sub"
	echo content >"$SOURCE/file"
	EXTRA=
}

teardown() {
	clean_up
	for mounted in $EXTRA; do
		umount -l "$mounted"
	done
}

# mount_on DESTINATION SOURCE TYPE OPTION...
mount_on() {
	config '.mounts += [{"destination": $d, "source": $s, "type": $t, "options": $ARGS.positional}]' \
		--arg d "$1" --arg s "$2" --arg t "$3" --args "${@:4}"
}

# own_root: a root file system that the test may change.
own_root() {
	ROOTFS=$BATS_TEST_TMPDIR/rootfs
	cp -a "$BATS_FILE_TMPDIR/rootfs" "$ROOTFS"
	config '.root.path = $p' --arg p "$ROOTFS"
}

# in_box COMMAND...: runs it in a container; its output in $output, its code in $status.
in_box() {
	command_is "$@"
	run --separate-stderr tote run "$ID"
	echo "$output$stderr"
}

# The mount options of a path, and the optional fields (propagation), from the inside.
options_of() {
	in_box cat /proc/self/mountinfo >/dev/null
	awk -v at="$1" '$5 == at { print $6 }' <<<"$output" | tail -n 1
}

propagation_of() {
	in_box cat /proc/self/mountinfo >/dev/null
	awk -v at="$1" '$5 == at { sub(/ - .*/, ""); $1 = $2 = $3 = $4 = $5 = $6 = ""; print $0 }' <<<"$output" | tail -n 1 | xargs
}

# A mount below the source that goes away with the test.
mount_in_source() {
	mount -t tmpfs inner "$SOURCE/sub"
	EXTRA="$SOURCE/sub $EXTRA"
	echo deep >"$SOURCE/sub/deep"
}

@test "bind: a directory, written through to the host" {
	mount_on /data "$SOURCE" bind bind
	in_box sh -c 'cat /data/file; echo new >/data/new'
	[ "$status" = 0 ]
	[ "$output" = content ]
	[ "$(cat "$SOURCE/new")" = new ]
	nothing_left
}

@test "bind without a type, type bind without an option, type none" {
	mount_on /a "$SOURCE" none bind
	mount_on /b "$SOURCE" bind
	config '.mounts += [{"destination": "/c", "source": $s, "options": ["bind"]}]' --arg s "$SOURCE"
	in_box cat /a/file /b/file /c/file
	[ "$output" = $'content\ncontent\ncontent' ]
}

@test "bind: not what is mounted below, rbind: that too" {
	mount_in_source
	mount_on /flat "$SOURCE" bind bind
	mount_on /deep "$SOURCE" bind rbind
	in_box sh -c 'ls /flat/sub; cat /deep/sub/deep'
	[ "$output" = deep ]
}

@test "bind: a file onto a file, and onto a missing file" {
	own_root
	touch "$ROOTFS/etc/there"
	mount_on /etc/there "$SOURCE/file" bind bind
	mount_on /var/lib/new/file "$SOURCE/file" bind bind
	in_box cat /etc/there /var/lib/new/file
	[ "$output" = $'content\ncontent' ]
	[ ! -s "$ROOTFS/etc/there" ] && [ -f "$ROOTFS/var/lib/new/file" ]
}

@test "bind: a directory onto a file and a file onto a directory are errors that name the mount" {
	mount_on /etc/passwd "$SOURCE" bind bind
	refuses 1 "$SOURCE on /etc/passwd" create "$ID"
	nothing_left
	config '.mounts |= .[:-1]'
	mount_on /etc "$SOURCE/file" bind bind
	refuses 1 "$SOURCE/file on /etc" create "$ID"
}

@test "bind: a relative source is below the bundle" {
	echo beside >"$BUNDLE/beside"
	mkdir "$BUNDLE/dir" && echo inner >"$BUNDLE/dir/x"
	mount_on /etc/beside beside bind bind
	mount_on /dir ./dir bind bind
	command_is cat /etc/beside /dir/x
	cd /
	run -0 tote run --bundle "$BUNDLE" "$ID"
	[ "$output" = $'beside\ninner' ]
}

@test "bind: a source that does not exist, or none" {
	mount_on /data /no/such/source bind bind
	refuses 1 "/no/such/source" create "$ID"
	[[ ${stderr,,} == *"/data"*"no such file or directory"* ]]
	nothing_left
	config '.mounts[-1] = {"destination": "/data", "options": ["bind"]}'
	refuses 1 "/data" create "$ID"
}

@test "ro and rw, recursively or not" {
	mount_in_source
	mount_on /ro "$SOURCE" bind rbind ro
	mount_on /rro "$SOURCE" bind rbind rro
	in_box sh -c 'touch /ro/x; touch /ro/sub/yes; touch /rro/x; touch /rro/sub/no'
	[ ! -e "$SOURCE/x" ]
	[ -e "$SOURCE/sub/yes" ]
	[ ! -e "$SOURCE/sub/no" ]
	[ "$(grep -c 'Read-only file system' <<<"$stderr")" = 3 ]
	touch "$SOURCE/x"
}

@test "options later in the list win" {
	mount_on /a "$SOURCE" bind bind ro rw
	mount_on /b "$SOURCE" bind bind rw ro
	in_box sh -c 'touch /a/x && ! touch /b/y'
	[ "$status" = 0 ]
	[ -e "$SOURCE/x" ] && [ ! -e "$SOURCE/y" ]
}

@test "nosuid, nodev, noexec, noatime, nodiratime, nosymfollow show and hold" {
	mount_on /m "$SOURCE" bind bind nosuid nodev noexec noatime nodiratime nosymfollow
	cp "$BUSYBOX" "$SOURCE/echo"
	ln -s file "$SOURCE/link"
	options=,$(options_of /m),
	for option in rw nosuid nodev noexec noatime nodiratime nosymfollow; do
		[[ $options == *,$option,* ]]
	done
	in_box /m/echo hello
	[ "$status" = 1 ]
	[[ ${stderr,,} == *"permission denied"* ]]
	in_box cat /m/link
	[ "$status" = 1 ]
}

@test "the same on file systems of its own, and their opposites" {
	mount_on /m tmpfs tmpfs nosuid nodev noexec suid dev exec
	mount_on /n tmpfs tmpfs nosuid nodev noexec relatime ro
	options=$(options_of /m)
	[[ $options != *nosuid* && $options != *nodev* && $options != *noexec* ]]
	[ "$(options_of /n)" = ro,nosuid,nodev,noexec,relatime ]
}

@test "propagation: private without asking, slave and shared when asked" {
	mount --bind "$SOURCE" "$SOURCE"
	EXTRA="$SOURCE"
	mount --make-shared "$SOURCE"
	mount_on /m "$SOURCE" bind rbind
	[ -z "$(propagation_of /m)" ]
	config '.mounts[-1].options = ["rbind", "rslave"]'
	[[ $(propagation_of /m) == master:* ]]
	config '.mounts[-1].options = ["rbind", "rshared"]'
	[[ $(propagation_of /m) == shared:* ]]
	config '.mounts[-1].options = ["rbind", "unbindable"]'
	[[ $(propagation_of /m) == *unbindable* ]]
	config '.mounts[-1].options = ["rbind", "rprivate"]'
	[ -z "$(propagation_of /m)" ]
}

@test "propagation: what the host mounts arrives with rslave only; nothing goes back" {
	mount --bind "$SOURCE" "$SOURCE"
	EXTRA="$SOURCE"
	mount --make-shared "$SOURCE"
	mkdir "$SOURCE/later"
	mount_on /slave "$SOURCE" bind rbind rslave
	mount_on /private "$SOURCE" bind rbind rprivate
	config '.process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"])'
	background
	mount -t tmpfs later "$SOURCE/later"
	EXTRA="$SOURCE/later $EXTRA"
	touch "$SOURCE/later/seen"
	[ "$(tote exec "$ID" ls /slave/later)" = seen ]
	[ -z "$(tote exec "$ID" ls /private/later)" ]
	tote exec "$ID" mount -t tmpfs inside /slave/sub
	run ! grep -q "$SOURCE/sub" /proc/self/mountinfo
}

@test "the root's propagation: private to the host by default, shared when asked" {
	[[ $(propagation_of /) != *shared* ]]
	config '.linux.rootfsPropagation = "shared"'
	[[ $(propagation_of /) == shared:* ]]
	config '.linux.rootfsPropagation = "sideways"'
	refuses 1 "linux.rootfsPropagation" create "$ID"
}

@test "tmpcopyup keeps what the image has there" {
	own_root
	mkdir -p "$ROOTFS/srv/sub"
	echo kept >"$ROOTFS/srv/sub/file"
	ln -s sub/file "$ROOTFS/srv/link"
	chmod 646 "$ROOTFS/srv/sub/file"
	chown 7:8 "$ROOTFS/srv/sub/file"
	chmod 2751 "$ROOTFS/srv/sub"
	mount_on /srv tmpfs tmpfs tmpcopyup
	in_box sh -c 'cat /srv/link; stat -c "%a %u %g" /srv/sub/file /srv/sub; echo changed >/srv/sub/file'
	[ "$output" = $'kept\n646 7 8\n2751 0 0' ]
	[ "$(cat "$ROOTFS/srv/sub/file")" = kept ]
}

@test "tmpcopyup of what is read-only then" {
	own_root
	mkdir -p "$ROOTFS/srv"
	echo kept >"$ROOTFS/srv/file"
	mount_on /srv tmpfs tmpfs tmpcopyup ro
	in_box sh -c 'cat /srv/file; echo x >/srv/file || echo closed'
	[ "$output" = $'kept\nclosed' ]
}

@test "a destination that is missing is made, below links that stay in the root" {
	own_root
	mkdir -p "$ROOTFS/real"
	ln -s /real "$ROOTFS/link"
	ln -s ../../../../real/up "$ROOTFS/climb"
	mount_on /a/b/c "$SOURCE" bind bind
	mount_on /link/d "$SOURCE" bind bind
	in_box cat /a/b/c/file /real/d/file
	[ "$output" = $'content\ncontent' ]
	[ -d "$ROOTFS/a/b/c" ] && [ -d "$ROOTFS/real/d" ]
}

@test "a destination that is a dangling link is made where the link points, inside the root" {
	own_root
	ln -s /dangling/target "$ROOTFS/absolute"
	ln -s ../nowhere/file "$ROOTFS/etc/relative"
	ln -s "$BATS_TEST_TMPDIR/host-canary" "$ROOTFS/outside"
	mount_on /absolute "$SOURCE" bind bind
	mount_on /etc/relative "$SOURCE/file" bind bind
	mount_on /outside "$SOURCE" bind bind
	in_box cat /dangling/target/file /nowhere/file /outside/file
	[ "$status" = 0 ]
	[ "$output" = $'content\ncontent\ncontent' ]
	[ ! -e "$BATS_TEST_TMPDIR/host-canary" ]
	[ -d "$ROOTFS$BATS_TEST_TMPDIR/host-canary" ]
}

@test "a destination that is a loop of links is an error" {
	own_root
	ln -s loop "$ROOTFS/loop"
	mount_on /loop "$SOURCE" bind bind
	refuses 1 "/loop" create "$ID"
	nothing_left
}

@test "mounts happen in their order" {
	mount_on /m tmpfs tmpfs
	mount_on /m/inner "$SOURCE" bind bind
	in_box cat /m/inner/file
	[ "$output" = content ]
	config '.mounts |= .[:-2]'
	mount_on /m/inner "$SOURCE" bind bind
	mount_on /m tmpfs tmpfs
	in_box cat /m/inner/file
	[ "$status" = 1 ]
}

@test "options that tote does not know go to the file system" {
	mount_on /m tmpfs tmpfs size=64k mode=1710 nr_inodes=20
	in_box sh -c 'stat -c %a /m; dd if=/dev/zero of=/m/big bs=1k count=128 2>&1; ls -l /m/big'
	[[ $output == 1710* ]]
	[[ $output == *"No space left"* ]]
	[[ $output == *" 65536 "* ]]
	config '.mounts[-1].options = ["wings=2"]'
	refuses 1 "/m" create "$ID"
	[[ $stderr == *tmpfs* ]]
	nothing_left
	config '.mounts[-1].options = ["size=lots"]'
	refuses 1 "/m" create "$ID"
	config '.mounts[-1].options = ["wings"]'
	refuses 1 "/m" create "$ID"
}

@test "one string may hold several options" {
	mount_on /m tmpfs tmpfs size=1m,mode=700,nosuid
	in_box sh -c 'grep " /m " /proc/mounts'
	[[ $output == "tmpfs /m tmpfs rw,nosuid,"*size=1024k,mode=700* ]]
	# A lower directory may have a comma in its name; the upper one must not be on an overlay.
	mount -t tmpfs tmpfs "$SOURCE"
	EXTRA=$SOURCE
	mkdir "$SOURCE"/{l\,1,b,upper,work}
	touch "$SOURCE/l,1/lower"
	mount_on /o overlay overlay "lowerdir=$SOURCE/l\\,1:$SOURCE/b,upperdir=$SOURCE/upper,workdir=$SOURCE/work"
	in_box sh -c 'ls /o && touch /o/new'
	[ "$output" = lower ]
	[ -e "$SOURCE/upper/new" ]
}

@test "options of a whole file system: a tmpfs has them, a bind goes without" {
	mount_on /t tmpfs tmpfs sync iversion noiversion nolazytime
	mount_on /b "$SOURCE" bind bind async nomand noiversion
	in_box sh -c 'grep " /[tb] " /proc/mounts'
	[[ $status = 0 && -z $stderr && $output == *" /t tmpfs rw,sync,"* && $output == *" /b "* ]]
	mount_on /b "$SOURCE" bind bind sync
	in_box true
	[ "$status" = 0 ]
	[ "$stderr" = "tote: warning: mounts: /b: sync is ignored: the file system is mounted already" ]
}

@test "an unknown file system" {
	mount_on /m none dreamfs
	refuses 1 "dreamfs" create "$ID"
	[[ $stderr == */m* ]]
	nothing_left
}

@test "the default mounts of tote spec" {
	in_box cat /proc/self/mountinfo
	for pair in /proc:proc /dev:tmpfs /dev/pts:devpts /dev/shm:tmpfs /dev/mqueue:mqueue /sys:sysfs; do
		awk -v at="${pair%:*}" -v type="${pair#*:}" '$5 == at && / - / { sub(/.* - /, ""); if ($1 == type) found = 1 } END { exit !found }' <<<"$output"
	done
	in_box sh -c 'touch /dev/shm/x && stat -c %a /dev/shm && stat -f -c %T /dev/mqueue'
	[ "$status" = 0 ]
	[[ $output == 1777* ]]
}

@test "mqueue is the container's own" {
	mkdir "$SOURCE/host-queue"
	mount -t mqueue none "$SOURCE/host-queue"
	EXTRA="$SOURCE/host-queue"
	queue=$SOURCE/host-queue/tote-test-$$
	touch "$queue"
	in_box sh -c 'ls /dev/mqueue; touch /dev/mqueue/mine; ls /dev/mqueue'
	rm "$queue"
	[ "$output" = mine ]
}

@test "the cgroup mount shows the container's group as its root, and nothing of others" {
	in_box sh -c 'cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs; ls -d /sys/fs/cgroup/tote-* 2>/dev/null; cat /sys/fs/cgroup/cgroup.type; mkdir /sys/fs/cgroup/x'
	grep -qx '0::/' <<<"$output"
	grep -qx 1 <<<"$output"
	[[ $output != *tote-* ]]
	# Only a group that is not the real root has a type.
	[[ $output == *domain* ]]
	[[ $stderr == *"Read-only file system"* ]]
}

@test "/dev: devices, links, and nothing else of the host" {
	in_box sh -c 'ls -l /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty | awk "{print \$1, \$5, \$6, \$NF}";
		for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; ls /dev'
	for line in "crw-rw-rw- 1, 3 /dev/null" "crw-rw-rw- 1, 5 /dev/zero" "crw-rw-rw- 1, 7 /dev/full" \
		"crw-rw-rw- 1, 8 /dev/random" "crw-rw-rw- 1, 9 /dev/urandom" "crw-rw-rw- 5, 0 /dev/tty" \
		/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx; do
		grep -qxF "$line" <<<"$output"
	done
	[ "$(sed -n '/^pts\/ptmx$/,$p' <<<"$output" | tail -n +2 | sort | xargs)" = \
		"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero" ]
	in_box sh -c 'echo x >/dev/null && head -c 4 /dev/urandom | wc -c && head -c 3 /dev/zero | wc -c && ! echo x >/dev/full'
	[ "$status" = 0 ]
	[ "$output" = $'4\n3' ]
}

@test "devices of config.json: numbers, mode, owner, FIFO" {
	config '.linux.devices = [{"path": "/dev/made/deep", "type": "c", "major": 1, "minor": 3, "fileMode": 432, "uid": 5, "gid": 6},
		{"path": "/dev/pipe", "type": "p"}]'
	in_box sh -c 'stat -c "%t:%T %a %u %g" /dev/made/deep; stat -c %F /dev/pipe'
	[ "$output" = $'1:3 660 5 6\nfifo' ]
	config '.linux.devices = [{"path": "/dev/x", "type": "q", "major": 1, "minor": 3}]'
	refuses 1 "linux.devices[0].type" create "$ID"
}

@test "a device that is there already has to be the one that is meant" {
	own_root
	mkdir -p "$ROOTFS/dev"
	config '.mounts |= map(select(.destination | startswith("/dev") | not)) |
		.linux.devices = [{"path": "/dev/box", "type": "c", "major": 1, "minor": 3}, {"path": "/dev/box", "type": "c", "major": 1, "minor": 3}]'
	for _ in once again; do
		in_box stat -c '%t:%T' /dev/box
		[ "$output" = 1:3 ]
	done
	config '.linux.devices[1].minor = 5'
	refuses 1 "/dev/box: File exists" run "$ID"
}

@test "devices that are not allowed cannot be opened, those of the defaults can" {
	# Numbers that no driver has: what the cgroup lets through fails with ENXIO.
	config '.linux.devices = [{"path": "/dev/denied", "type": "c", "major": 238, "minor": 250, "fileMode": 438},
		{"path": "/dev/readable", "type": "c", "major": 238, "minor": 251, "fileMode": 438}]
		| .linux.resources.devices += [{"allow": true, "type": "c", "major": 238, "minor": 251, "access": "r"}]'
	in_box sh -c 'cat </dev/denied; cat </dev/readable; echo >/dev/readable; : >/dev/null && cat /dev/null && echo null'
	[ "$output" = null ]
	[[ ${stderr_lines[0]} == *denied*"not permitted"* ]]
	[[ ${stderr_lines[1]} == *readable*"No such device or address"* ]]
	[[ ${stderr_lines[2]} == *readable*"not permitted"* ]]
	config '.linux.resources.devices[-1].access = "rw"'
	in_box sh -c 'echo >/dev/readable'
	[[ $stderr == *"No such device or address"* ]]
}

@test "masked paths: a file reads empty, a directory is empty and read-only, a missing one is no error" {
	own_root
	mkdir "$ROOTFS/secret" && echo secret >"$ROOTFS/secret/key"
	config '.linux.maskedPaths += ["/etc/passwd", "/secret", "/not/there"]'
	in_box sh -c 'wc -c </etc/passwd; ls /secret; touch /secret/x; echo y >/etc/passwd; wc -c </etc/passwd; wc -c </proc/interrupts'
	[ "$output" = $'0\n0\n0' ]
	[[ $stderr == *"Read-only file system"* ]]
	[ -s "$ROOTFS/etc/passwd" ]
	[ "$(ls "$ROOTFS/secret")" = key ]
}

@test "read-only paths: also what is mounted below" {
	own_root
	config '.root.readonly = false'
	mkdir "$ROOTFS/sub"
	mount_in_source
	mount_on /sub "$SOURCE" bind rbind
	config '.linux.readonlyPaths += ["/sub", "/not/there"]'
	in_box sh -c 'touch /sub/a; touch /sub/sub/b; touch /tmp/ok; echo 1 >/proc/sys/kernel/domainname; cat /sub/file'
	[ "$output" = content ]
	[ "$(grep -c 'Read-only file system' <<<"$stderr")" = 3 ]
	[ -e "$ROOTFS/tmp/ok" ] && [ ! -e "$SOURCE/a" ] && [ ! -e "$SOURCE/sub/b" ]
}

@test "a read-only root, and a writable one" {
	in_box touch /tmp/x
	[ "$status" = 1 ]
	[[ $stderr == *"Read-only file system"* ]]
	own_root
	config '.root.readonly = false'
	in_box touch /tmp/x
	[ "$status" = 0 ]
	[ -e "$ROOTFS/tmp/x" ]
}

@test "a read-only root does not make the mounts in it read-only" {
	mount_on /m tmpfs tmpfs
	mount_on /data "$SOURCE" bind bind
	in_box sh -c 'touch /m/x /data/x /dev/shm/x'
	[ "$status" = 0 ]
	[ -e "$SOURCE/x" ]
}

@test "the program sees only mounts of its own root" {
	in_box cat /proc/self/mountinfo
	[ "$status" = 0 ]
	[ "$(awk '$5 == "/" {n++} END {print n}' <<<"$output")" = 1 ]
	[[ $output != *"$BATS_TEST_TMPDIR"* ]] || [ "$(grep -c "$BATS_TEST_TMPDIR" <<<"$output")" -le 1 ]
	in_box ls -a /
	[[ $output != *".old"* ]]
}

@test "sysctl: set in the container, not on the host" {
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4321", "net/ipv4/conf/lo/forwarding": "1"}'
	before=$(cat /proc/sys/kernel/msgmax)
	in_box cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
	[ "$output" = $'1\n4321' ]
	[ "$(cat /proc/sys/kernel/msgmax)" = "$before" ]
}

@test "sysctl: what would change the host, does not exist or is no value" {
	for key in kernel.panic vm.swappiness kernel.hostname net.ipv4../../../kernel/panic; do
		config '.linux.sysctl = {($k): "1"}' --arg k "$key"
		refuses 1 "linux.sysctl" create "$ID"
		nothing_left
	done
	config '.linux.sysctl = {"net.ipv4.no_such_key": "1"}'
	refuses 1 "no_such_key" create "$ID"
	config '.linux.sysctl = {"kernel.msgmax": "many"}'
	refuses 1 "msgmax" create "$ID"
	nothing_left
	config '.linux.sysctl = {"kernel.msgmax": "1"} | .linux.namespaces |= map(select(.type != "ipc"))'
	refuses 1 "ipc" create "$ID"
}

@test "loopback is up in a new network namespace" {
	in_box cat /sys/class/net/lo/operstate /sys/class/net/lo/flags
	[[ $output == *0x9 ]]
	in_box ls /sys/class/net
	[ "$output" = lo ]
}

@test "a namespace given by path is entered" {
	background
	pid=$(tote state "$ID" | jq .pid)
	config '(.linux.namespaces[] | select(.type == "network")).path = $p | (.linux.namespaces[] | select(.type == "ipc")).path = $i' \
		--arg p "/proc/$pid/ns/net" --arg i "/proc/$pid/ns/ipc"
	command_is sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc'
	run -0 tote run "second-$ID"
	[ "$output" = "$(readlink "/proc/$pid/ns/net")"$'\n'"$(readlink "/proc/$pid/ns/ipc")" ]
}

@test "--no-pivot" {
	command_is sh -c 'ls /; cat /etc/passwd; cd ..; ls'
	run -0 --separate-stderr tote run --no-pivot "$ID"
	[[ $output == *root:x:0:0* ]]
	[ "$(grep -cx "proc" <<<"$output")" = 2 ]
	[ "$(grep -cx "boot\|usr\|home" <<<"$output")" = 0 ]
	nothing_left
}

@test "a user namespace with its own ids" {
	own_root
	chown -R 100000:100000 "$ROOTFS"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR" "$BUNDLE"
	config '.linux.namespaces += [{"type": "user"}]
		| .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
		| .linux.gidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
	in_box sh -c 'id -u; cat /proc/self/uid_map; stat -c "%u %g" /bin/busybox; echo x >/dev/null && stat -c %t:%T /dev/zero'
	[ "$status" = 0 ]
	[[ $output =~ ^0.*0\ +100000\ +65536.*0\ 0.*1:5$ ]]
	background
	pid=$(tote state "$ID" | jq .pid)
	[ "$(awk '/^Uid/ {print $2}' "/proc/$pid/status")" = 100000 ]
	[ "$(tote exec "$ID" id -u)" = 0 ]
	tote delete --force "$ID"
	nothing_left
}

@test "an id-mapped bind shows other owners, and leaves those on the host" {
	chown 1000:1000 "$SOURCE/file"
	config '.mounts += [{"destination": "/m", "source": $s, "type": "bind", "options": ["bind", "idmap"],
		"uidMappings": [{"containerID": 1000, "hostID": 4000, "size": 1}],
		"gidMappings": [{"containerID": 1000, "hostID": 4001, "size": 1}]}]' --arg s "$SOURCE"
	in_box stat -c '%u %g' /m/file
	[[ $status = 0 || $stderr != *"Invalid argument"* ]] || skip "this file system cannot be id-mapped"
	[ "$output" = "4000 4001" ]
	[ "$(stat -c '%u %g' "$SOURCE/file")" = "1000 1000" ]
}

@test "an unknown option of a bind, remount or cgroup mount is an error" {
	for mount in '{"destination":"/mnt","type":"bind","source":"/tmp","options":["bind","nosiud"]}' \
		'{"destination":"/tmp","type":"tmpfs","options":["remount","zork"]}' \
		'{"destination":"/mnt","type":"bind","source":"/tmp","options":["bind","tmpcopyup"]}' \
		'{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["ro","zork"]}'; do
		"$TOTE" spec -f - | jq --argjson m "$mount" --arg r "$ROOTFS" '.process.terminal = false | .root.path = $r | .mounts += [$m]' >config.json
		refuses 1 'no option of a bind, remount or cgroup mount' run "$ID"
	done
	nothing_left
}

@test "a device below a /dev that is a bind mount is not made, with a warning" {
	command_is true
	mkdir -p "$BATS_TEST_TMPDIR/dev"
	config '.mounts = [{destination: "/dev", type: "bind", source: $d, options: ["rbind"]}] |
		.linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 3}]' --arg d "$BATS_TEST_TMPDIR/dev"
	run -0 tote run "$ID"
	[[ $output == *"/dev/x is not made"* ]]
	[ ! -e "$BATS_TEST_TMPDIR/dev/x" ]
}

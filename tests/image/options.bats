#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The options that `run IMAGE` and `create --image` share, as docker and podman name them. Limits that need controllers
# are in tests/image/test_convert.c, names on networks in tests/netns/create.bats.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	mkdir -p "$ROOTFS/data"
	echo seed >"$ROOTFS/data/seed"
	chmod 1777 "$ROOTFS/tmp"
	printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/sh\n' >"$ROOTFS/etc/passwd"
	printf 'root:x:0:\nwww:x:34:\nextra:x:50:www\nserial:x:60:\n' >"$ROOTFS/etc/group"
	cd "$BATS_FILE_TMPDIR"
	pack "$ROOTFS" base.tar
	CONFIG='.config = {Cmd: ["sh"], StopSignal: "SIGINT", Labels: {"of": "image", "org.tote.init": "true"}}' make_layout plain pos:1 base.tar
	share_store plain
}

setup() {
	enter_store
}

teardown() {
	[ -z "${SLEEPER:-}" ] || kill "$SLEEPER" 2>/dev/null || true
	[ -z "${LENT_SHM:-}" ] || rm -f "$LENT_SHM"
	leave_store
}

in_image() { # [OPTION...] IMAGE [COMMAND...]
	run --separate-stderr not_127 timeout 30 "$TOTE" --root "$ROOT" run --rm "$@" 3>&- </dev/null
	echo "run --rm $*: $status, \"$output\", $stderr"
	[ -z "$(ls "$STORE/containers")" ] || { ls "$STORE/containers"; return 1; }
	[ -z "$(tote list -q)" ]
}

# Each line: what must be said, " | ", options.
all_refused() {
	local line words option n=0
	while IFS= read -r line; do
		words=${line%% | *} option=${line#* | }
		[ -n "$option" ] || return 1
		eval "fails 125 \"\$words\" run --rm $option pos:1 true" || return 1
		eval "fails 125 \"\$words\" create --image pos:1 $option refused true" || return 1
		n=$((n + 1))
	done
	[ "$n" -gt 0 ]
	[ -z "$(ls "$STORE/containers")" ]
	[ -z "$(tote list -q)" ]
}

@test "limits of the process, its memory for others, groups" {
	in_image --ulimit nofile=100:200 --ulimit core=0 --ulimit nofile=50:60 pos:1 sh -c 'ulimit -n; ulimit -Hn; ulimit -c'
	[ "${lines[*]}" = "50 60 0" ]
	in_image --oom-score-adj 500 pos:1 cat /proc/self/oom_score_adj
	[ "$output" = 500 ]
	in_image --shm-size 1m pos:1 grep " /dev/shm " /proc/mounts
	[[ $output == *size=1024k* ]]
	in_image --group-add serial --group-add 70 -u www pos:1 id -G
	[ "$output" = "34 50 60 70" ]
	in_image --sysctl net.ipv4.ip_default_ttl=33 --sysctl net/ipv4/tcp_syncookies=0 pos:1 \
		cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/tcp_syncookies
	[ "${lines[*]}" = "33 0" ]
	all_refused <<-'EOT'
	ulimit "files=1": no limit of that name | --ulimit files=1
	ulimit "nofile" is not NAME=SOFT | --ulimit nofile
	ulimit "nofile=x" is not NAME=SOFT | --ulimit nofile=x
	ulimit "nofile=1:2:3" is not | --ulimit nofile=1:2:3
	soft is larger than hard | --ulimit nofile=2:1
	oom score adj "1001" | --oom-score-adj 1001
	shm size "much" | --shm-size much
	group "nobody" is not in | --group-add nobody
	sysctl "net.x" is not NAME=VALUE | --sysctl net.x
	linux.sysctl["kernel.panic"]: belongs to no namespace | --sysctl kernel.panic=1
	memory swap "1g": memory is not limited | --memory-swap 1g
	memory swap "1m": less than memory | --memory-swap 1m -m 2m
	memory reservation "x" | --memory-reservation x
	cpu shares "1" is no number from 2 to 262144 | --cpu-shares 1
	blkio weight "5000" | --blkio-weight 5000
	cpuset "one" is no list | --cpuset-cpus one
	EOT
}

@test "namespaces of the host" {
	sleep 1000 3>&- &
	SLEEPER=$!
	in_image --pid host pos:1 sh -c "cat /proc/$SLEEPER/comm; cat /proc/self/uid_map"
	[ "${lines[0]}" = sleep ]
	[ "$(tr -s ' ' <<<"${lines[1]}")" = "$(tr -s ' ' </proc/self/uid_map)" ]
	in_image --uts host pos:1 hostname
	[ "$output" = "$(hostname)" ]
	LENT_SHM=$(mktemp /dev/shm/tote-test.XXXXXX)
	in_image --ipc host pos:1 ls "$LENT_SHM"
	[ "$status" = 0 ]
	in_image --ipc private pos:1 ls "$LENT_SHM"
	[ "$status" != 0 ]
	all_refused <<-'EOT'
	--pid: expected host or private, found "container:x" | --pid container:x
	--ipc: expected host or private, found "shareable" | --ipc shareable
	--uts: expected host | --uts x
	--hostname box: with --uts host | --uts host --hostname box
	with the IPC namespace it shares the host's | --ipc host --shm-size 1m
	EOT
}

@test "--security-opt and --privileged" {
	in_image --security-opt no-new-privileges:false pos:1 grep NoNewPrivs /proc/self/status
	[[ $output == *0 ]]
	for word in no-new-privileges no-new-privileges=true; do
		in_image --security-opt $word pos:1 grep NoNewPrivs /proc/self/status
		[[ $output == *1 ]]
	done
	in_image --security-opt seccomp=unconfined pos:1 grep Seccomp: /proc/self/status
	[[ $output == *0 ]]
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}' >profile
	in_image --security-opt "seccomp=$PWD/profile" pos:1 mkdir /tmp/x
	[[ $stderr == *"not supported"* ]]
	all_refused <<-'EOT'
	--privileged: such a container is the host | --privileged
	--security-opt "label=disable": expected | --security-opt label=disable
	--security-opt "seccomp": expected | --security-opt seccomp
	found "maybe" | --security-opt no-new-privileges=maybe
	seccomp: open /no/profile | --security-opt seccomp=/no/profile
	EOT
	if [ ! -d /sys/kernel/security/apparmor ]; then
		in_image --security-opt apparmor=unknown pos:1 true
		[ "$status" = 125 ]
		[[ $stderr == *apparmor* ]]
	fi
}

@test "labels, annotations, the signal to stop: what state tells" {
	tote create --image pos:1 --label a=1 --label bare --annotation org.tote.note=true --label of=line --stop-signal SIGQUIT box true </dev/null >/dev/null 2>&1 3>&-
	[ "$(tote state box | jq -c '.annotations | [.a, .bare, .of, ."org.tote.note", ."org.opencontainers.image.stopSignal", ."org.tote.init"]')" = \
		'["1","","line","true","SIGQUIT",null]' ]
	tote delete box
	all_refused <<-'EOT'
	would steer the runtime | --label org.tote.init=true
	label "=x" is not KEY=VALUE | --label =x
	annotation "" is not | --annotation ''
	annotations["org.tote.init"]: expected true or false | --annotation org.tote.init=maybe
	EOT
}

@test "devices" {
	in_image --device /dev/zero:/dev/naught:r pos:1 sh -c 'stat -c %t:%T /dev/naught; head -c 3 /dev/naught | wc -c; cat /proc/self/uid_map'
	[ "${lines[0]}" = 1:5 ]
	[ "${lines[1]}" = 3 ]
	[ "$(tr -s ' ' <<<"${lines[2]}")" = "$(tr -s ' ' </proc/self/uid_map)" ]
	mkdir -p dev/sub
	mknod -m 600 dev/one c 1 5
	mknod -m 644 dev/sub/two c 1 7
	ln -s one dev/link
	chown 5:6 dev/one
	in_image --device "$PWD/dev:/dev/mine" pos:1 sh -c 'cd /dev/mine && stat -c "%n %t:%T %a %u:%g" one sub/two; test ! -e link'
	[ "$status" = 0 ]
	[ "${lines[*]}" = "one 1:5 600 5:6 sub/two 1:7 644 0:0" ]
	in_image --device "$PWD/dev/link:/dev/mine:rw" pos:1 stat -c %t:%T /dev/mine
	[ "$output" = 1:5 ]
	# Without leave the device program refuses even root of the host's ids.
	in_image --cap-add MKNOD pos:1 sh -c 'mknod /tmp/d c 1 11 && cat /tmp/d'
	[ "$status" != 0 ]
	all_refused <<-'EOT'
	device "/dev/none": No such file | --device /dev/none
	it is none | --device /etc/passwd
	is not HOST[:CONTAINER][:rwm] | --device null
	is not HOST[:CONTAINER][:rwm] | --device /dev/null:/dev/x:q
	is not HOST[:CONTAINER][:rwm] | --device /dev/null:/dev/../x
	by no other name than the host | --userns auto --device /dev/null:/dev/x
	EOT
}

@test "options of --volume and --tmpfs" {
	in_image -v "$PWD/made/deep:/mnt:create" pos:1 touch /mnt/x
	[ -e made/deep/x ]
	[ "$(stat -c %a:%u made/deep)" = 755:0 ]
	in_image -v "$PWD/made/deep:/mnt:create,ro,z" pos:1 touch /mnt/y
	[ "$status" != 0 ]
	in_image -v data:/data:nocopy pos:1 ls /data
	[ -z "$output" ]
	in_image -v "$PWD:/mnt:rw,rslave,Z,cached" pos:1 grep " /mnt " /proc/self/mountinfo
	[[ $output == *master:* || $output != *shared:* ]]
	in_image --tmpfs /scratch:size=1m,mode=750,uid=5,gid=6 pos:1 sh -c 'stat -c %a:%u:%g /scratch; grep " /scratch " /proc/mounts'
	[ "${lines[0]}" = 750:5:6 ]
	[[ ${lines[1]} == *noexec*size=1024k* ]]
	in_image --tmpfs /scratch:exec pos:1 grep " /scratch " /proc/mounts
	[[ $output != *noexec* ]]
	all_refused <<-'EOT'
	--volume: "nonsense" is no option of a volume | -v /tmp:/mnt:nonsense
	--volume: "create" is no option of a volume | -v data:/mnt:create
	--volume: "idmap" is no option of a volume | -v /tmp:/mnt:idmap
	--tmpfs: "rslave" is no option of a tmpfs | --tmpfs /x:rslave
	--tmpfs: "size=" is no option of a tmpfs | --tmpfs /x:size=
	No such file or directory | -v /no/such/source:/mnt
	--volume: duplicate mount point "/x" | -v a:/x -v b:/x
	--volume: duplicate mount point "/x/y" | -v a:/x/y -v /tmp:/x//y/
	--tmpfs: duplicate mount point "/x" | -v a:/x --tmpfs /x:size=1m
	--tmpfs: duplicate mount point "/x" | --tmpfs /x --tmpfs /z/../x
	--tmpfs: duplicate mount point "/x" | --mount type=tmpfs,dst=/x --tmpfs /x
	--mount: duplicate mount point "/x" | -v a:/x --mount type=bind,src=/tmp,dst=/x/.
	--volume: "/x/.." is no absolute path | -v late:/x/..
	--volume: "/x/../proc" is no absolute path | -v late:/x/../proc
	--volume: "x" is no absolute path | -v late:x
	--stop-signal: "nonsense" is no signal | --stop-signal nonsense
	--stop-signal: "0" is no signal | --stop-signal 0
	EOT
	[ ! -e "$STORE/volumes/late" ] && [ ! -e "$STORE/volumes/b" ]
}

@test "a place to mount on may be written in any way" {
	local place
	mkdir host
	echo host >host/file
	for place in /a//b /a/./b/ /../a/b/. /z/../a/b; do
		in_image -v "$PWD/host:$place" --tmpfs "$place/.." pos:1 cat /a/b/file
		[ "$output" = host ]
	done
	CONFIG='.config = {Cmd: ["sh"], Volumes: {"/a//b": {}, "/data/./": {}, "/z/..": {}, "rel": {}}}' \
		make_layout odd odd:1 "$BATS_FILE_TMPDIR/base.tar"
	tote load -q odd
	in_image -v "$PWD/host:/a/b" odd:1 sh -c 'cat /a/b/file /data/seed; grep -c " /data " /proc/mounts'
	[ "${lines[*]}" = "host seed 1" ]
	[[ $stderr == *'the image'"'"'s volume: "/z/.." is no absolute path'*'"rel" is no absolute path'* ]]
	tote rmi odd:1
}

# Its lone layer is the root itself then, where nothing can be made.
@test "read-only: links that lead nowhere, a working directory that is missing" {
	mkdir -p bare/{proc,sys,dev,etc,bin}
	cp "$ROOTFS/bin/busybox" bare/bin/sh
	ln -s ../run/nobody/made.conf bare/etc/resolv.conf
	ln -s /nowhere/hosts bare/etc/hosts
	pack bare bare.tar
	CONFIG='.config = {Cmd: ["sh"]}' make_layout barely bare:1 bare.tar
	TOTE_STORE=$WORK/store "$TOTE" load -q barely >/dev/null
	TOTE_STORE=$WORK/store run -0 timeout 30 "$TOTE" --root "$ROOT" run --rm --read-only bare:1 sh -c 'echo runs' 3>&-
	[ "$output" = runs ]
	in_image --read-only -w /made/here pos:1 sh -c 'pwd; touch x'
	[ "$status" = 1 ]
	[ "$output" = /made/here ]
}

@test "--mount, in docker's words" {
	mkdir 'a,b'
	echo comma >'a,b/file'
	in_image --mount "type=bind,\"source=$PWD/a,b\",target=/mnt,readonly" pos:1 sh -c 'cat /mnt/file; touch /mnt/x'
	[ "$status" != 0 ]
	[ "$output" = comma ]
	in_image --mount "type=bind,src=$PWD/new,dst=/mnt,bind-create-src,bind-propagation=rslave,consistency=cached" pos:1 touch /mnt/x
	[ -e new/x ]
	# A volume is the default type; filled by what the image has there unless told otherwise.
	in_image --mount source=vol,destination=/data,readonly=false pos:1 sh -c 'cat /data/seed; echo more >/data/more'
	[ "$output" = seed ]
	[ "$(cat "$STORE/volumes/vol/more")" = more ]
	in_image --mount type=volume,src=bare,dst=/data,volume-nocopy=true pos:1 ls /data
	[ -z "$output" ]
	# One without a name goes with the container.
	in_image --mount target=/data pos:1 sh -c 'cat /data/seed; grep -c " /data " /proc/mounts'
	[ "${lines[*]}" = "seed 1" ]
	[ "$(ls "$STORE/volumes" | tr '\n' ' ')" = "bare vol " ]
	in_image --mount type=tmpfs,target=/scratch,tmpfs-size=64k,tmpfs-mode=1700 pos:1 sh -c 'stat -c %a /scratch; grep " /scratch " /proc/mounts'
	[ "${lines[0]}" = 1700 ]
	[[ ${lines[1]} == *size=64k* ]]
	all_refused <<-'EOT'
	expected the type bind, volume or tmpfs | --mount type=image,src=x,dst=/x
	no key that is known | --mount type=bind,src=/tmp,dst=/x,volume-driver=y
	no key that is known | --mount type=bind,src=/tmp,dst=/x,
	that is for type=tmpfs | --mount type=bind,src=/tmp,dst=/x,tmpfs-size=1m
	a target is missing | --mount type=bind,src=/tmp
	the source of a bind mount is absolute | --mount type=bind,src=tmp,dst=/x
	expected true or false | --mount type=bind,src=/tmp,dst=/x,ro=maybe
	expected a propagation | --mount type=bind,src=/tmp,dst=/x,bind-propagation=ro
	a tmpfs has no source | --mount type=tmpfs,src=x,dst=/x
	expected a size | --mount type=tmpfs,dst=/x,tmpfs-size=big
	expected a mode | --mount type=tmpfs,dst=/x,tmpfs-mode=9
	no absolute path that can be mounted on | --mount type=tmpfs,dst=/proc/x
	no name of a volume | --mount src=a/b,dst=/x
	EOT
}

@test "hosts and resolv.conf without a network and on the host's" {
	for network in none host; do
		in_image --network "$network" --add-host db:10.1.2.3 --add-host six=[fd00::6] --dns 192.0.2.53 --dns-search example.org --dns-search lab \
			--dns-option ndots:2 pos:1 cat /etc/hosts /etc/resolv.conf
		[[ $output == *localhost*10.1.2.3$'\t'db*fd00::6$'\t'six*"nameserver 192.0.2.53"* ]]
		[[ $output == *"search example.org lab"* ]]
		[[ $output == *"options ndots:2"* ]]
		[ "$(grep -c '^nameserver' <<<"$output")" = 1 ]
		[ "$(grep -c '^search' <<<"$output")" = 1 ]
	done
	in_image --network host --add-host gate:host-gateway pos:1 cat /etc/hosts
	[[ $output == *127.0.0.1$'\t'gate* ]]
	# All of the host's is there as well.
	while read -r line; do
		[ -z "$line" ] || grep -qxF -- "$line" <<<"$output"
	done </etc/hosts
	in_image --dns-search . pos:1 cat /etc/resolv.conf
	[[ $output != *search* ]]
	all_refused <<-'EOT'
	--add-host "db": expected NAME:ADDRESS | --add-host db
	--add-host "db:there": expected an address | --add-host db:there
	its network has no gateway | --add-host db:host-gateway
	--dns "there": expected an address | --dns there
	--dns-search "a b": expected a name | --dns-search 'a b'
	there is no network with others on it | --network-alias db
	EOT
}

@test "the group that its group is made in" {
	in_image --cgroup-parent /tote-test-parent pos:1 true
	[ "$status" = 0 ]
	tote create --image pos:1 --cgroup-parent tote-test-parent/ box sleep 1000 </dev/null >/dev/null 2>&1 3>&-
	[ -d "$(cgroup2_mount)/tote-test-parent/tote-box" ]
	tote delete --force box
	[ ! -e "$(cgroup2_mount)/tote-test-parent" ]
	all_refused <<-'EOT'
	it is no path of a group | --cgroup-parent ../x
	it is no path of a group | --cgroup-parent ''
	EOT
	fails 125 "expected a slice" --systemd-cgroup run --rm --cgroup-parent shop pos:1 true
	fails 125 "there are to be no groups" --cgroup-manager disabled run --rm --cgroup-parent shop pos:1 true
}

@test "a file system that cannot map ids: the host's ids, or a file that is lent" {
	mkdir ram
	cat >in_ram <<-'EOF'
		mount -t ramfs none ram
		echo secret >ram/key
		chown 5:6 ram/key
		chmod 400 ram/key
		show='stat -c "%u %g" /key; cat /key; cat /proc/self/uid_map'
		for how in ,lend ,lend ""; do
			"$TOTE" --root "$ROOT" run --rm --network none -v vol:/vol --mount "type=bind,source=$PWD/ram/key,target=/key,readonly$how" \
				pos:1 sh -c "$show" </dev/null
		done
	EOF
	export ROOT TOTE
	run timeout 60 unshare -m bash in_ram 3>&-
	echo "$output"
	[ "$status" = 0 ]
	own='^ +0 +[0-9]{7,} +65536$' host='^ +0 +0 +4294967295$'
	[ "${lines[0]} ${lines[1]} ${lines[3]} ${lines[4]} ${lines[7]}" = "5 6 secret 5 6 secret secret" ]
	[[ ${lines[2]} =~ $own ]]
	[[ ${lines[5]} =~ $own ]]
	[[ ${lines[8]} =~ $host ]]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote run IMAGE`: options as people know them, exit codes, what is left and what is not.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	mkdir -p "$ROOTFS"/{data,declared,var/www}
	echo seed >"$ROOTFS/data/seed"
	echo declared >"$ROOTFS/declared/file"
	chown -R 33:33 "$ROOTFS/declared"
	chmod 1777 "$ROOTFS/tmp"
	printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/var/www:/bin/sh\n' >"$ROOTFS/etc/passwd"
	printf 'root:x:0:\nwww:x:34:\nextra:x:50:www\n' >"$ROOTFS/etc/group"
	cd "$BATS_FILE_TMPDIR"
	pack "$ROOTFS" base.tar
	make_layout plain pos:1 base.tar
	CONFIG='.config = {Entrypoint: ["/bin/sh", "-c", "echo entry $0 $*"], Cmd: ["one", "two"], User: "www", WorkingDir: "/var/made/here",
		Env: ["PATH=/bin", "COLOR=red", "EMPTY="], Volumes: {"/declared": {}}, StopSignal: "SIGTERM", Labels: {a: "b"}}' \
		make_layout full full:1 base.tar
	share_store plain full
}

setup() {
	enter_store
}

teardown() {
	leave_store
}

in_image() { # [OPTION...] IMAGE [COMMAND...]
	run --separate-stderr not_127 timeout 30 "$TOTE" --root "$ROOT" run --rm "$@" 3>&- </dev/null
	echo "run --rm $*: $status, \"$output\", $stderr"
	[ -z "$(ls "$STORE/containers")" ] || { ls "$STORE/containers"; return 1; }
	[ -z "$(tote list -q)" ]
}

nothing_of() { # ID
	[ -z "$(ls "$STORE/containers")" ] || { ls "$STORE/containers"; return 1; }
	nothing_left "$1"
}

@test "a command, exit codes, standard streams" {
	in_image pos:1 echo hi 'a  b'
	[ "$status" = 0 ]
	[ "$output" = "hi a  b" ]
	in_image pos:1 sh -c 'echo err >&2; exit 42'
	[ "$status" = 42 ]
	[ "$stderr" = err ]
	timeout 20 "$TOTE" --root "$ROOT" run --rm --name killed pos:1 sleep 1000 >/dev/null 2>&1 3>&- </dev/null &
	pid=$!
	eventually tote kill killed KILL 2>/dev/null
	code=0
	wait "$pid" || code=$?
	[ "$code" = 137 ]
	fails 127 "/no/such" run --rm pos:1 /no/such
	fails 127 "nosuch" run --rm pos:1 nosuch
	fails 126 "/etc/passwd" run --rm pos:1 /etc/passwd
	[ "$(echo typed | tote run --rm -i pos:1 cat)" = typed ]
	[ -z "$(echo typed | tote run --rm pos:1 cat)" ]
	# Options behind the image are the program's.
	in_image pos:1 echo --rm -d
	[ "$output" = "--rm -d" ]
	fails 1 'no image "nowhere"' run nowhere
	for i in {1..5}; do
		in_image pos:1 true
	done
}

# Beside tote waits a process that holds the container's root file system.
all_tote_ended() { ! grep -lsxz -e "$ROOT" /proc/[0-9]*/cmdline; }

@test "when run has ended, also by SIGKILL, nothing of it goes on, and its output is at its end" {
	for victim in program tote; do
		mkfifo "$BATS_TEST_TMPDIR/$victim"
		"$TOTE" --root "$ROOT" run --rm --name "box-$victim" pos:1 sleep 1000 >"$BATS_TEST_TMPDIR/$victim" 2>&1 3>&- </dev/null &
		pid=$!
		exec 5<"$BATS_TEST_TMPDIR/$victim"
		eventually pgrep -P "$pid" -x tote
		[ "$victim" = program ] && tote kill box-program KILL || kill -KILL "$pid"
		wait "$pid" || true
		eventually all_tote_ended
		tote delete --force "box-$victim" 2>/dev/null || true
		timeout 10 cat <&5
	done
	[ -z "$(ls "$STORE/containers")" ]
}

@test "entrypoint, command, environment, user, working directory of the image and in place of them" {
	in_image full:1
	[ "$output" = "entry one two" ]
	in_image full:1 three
	[ "$output" = "entry three" ]
	in_image --entrypoint /bin/echo full:1
	[ "$output" = "" ]
	in_image --entrypoint /bin/echo full:1 four
	[ "$output" = "four" ]
	local script='id -u; id -g; id -G; pwd; echo $COLOR $EMPTY $HOME $PATH'
	in_image --entrypoint /bin/sh full:1 -c "$script"
	[ "${lines[*]}" = "33 34 34 50 /var/made/here red /var/www /bin" ]
	in_image --entrypoint /bin/sh -u 7:8 -w /tmp -e COLOR=blue -e NEW=x=y full:1 -c "$script; echo \$NEW"
	[ "${lines[*]:0:3}" = "7 8 8" ]
	[ "${lines[3]}" = /tmp ]
	[[ ${lines[4]} == "blue "* ]]
	[ "${lines[5]}" = x=y ]
	in_image -u root --entrypoint id full:1 -un
	[ "$output" = root ]
	printf '# comment\nA=1\nCOLOR=file\n' >env
	export FROM_HOST=host
	in_image --env-file env -e COLOR=line -e FROM_HOST --entrypoint /bin/sh full:1 -c 'echo $A $COLOR $FROM_HOST'
	[ "$output" = "1 line host" ]
	# From other systems, with their ends of lines.
	printf '\xef\xbb\xbfA=1\r\n\r\n  B=2 \r\n \t# comment\r\n' >env
	in_image --env-file env pos:1 env
	[[ $'\n'$output$'\n' == *$'\nA=1\n'* ]]
	[[ $'\n'$output$'\n' == *$'\nB=2 \n'* ]]
	in_image -u nobody-there pos:1 true
	[ "$status" != 0 ]
	[[ $stderr == *nobody-there* ]]
	in_image --hostname box pos:1 hostname
	[ "$output" = box ]
	# Bytes of the image are as they were.
	tote verify --deep >/dev/null
}

@test "--rm leaves nothing, without it the container stays until delete" {
	in_image --name gone pos:1 sh -c 'echo x >/new'
	nothing_of gone
	run tote run --name kept pos:1 sh -c 'echo mine >/new; exit 3' 3>&- </dev/null
	[ "$status" = 3 ]
	[ "$(status_of kept)" = stopped ]
	kept=$(echo "$STORE"/containers/kept-*)
	[ "$(cat "$kept/upper/new")" = mine ]
	run tote run --name kept pos:1 true
	[ "$status" != 0 ]
	[ "$(cat "$kept/upper/new")" = mine ]
	tote run --rm pos:1 test ! -e /new 3>&- </dev/null
	tote delete kept
	nothing_of kept
	# A program that cannot be started leaves nothing either.
	fails 127 "/no/such" run --name never pos:1 /no/such
	nothing_of never
	run tote run --name never -v relative:path pos:1 true
	[ "$status" != 0 ]
	nothing_of never
	fails 125 "" run --name 'a/b' pos:1 true
}

# Removing is left to a process in the background.
is_gone() {
	[ -z "$(ls "$STORE/containers")" ] && [ -z "$(tote list -q)" ]
}

@test "in the background: state, exec, kill, delete, and --rm at the end" {
	quietly tote run -d --name back pos:1 sh -c 'echo one >/a; exec sleep 1000'
	[ "$(cat "$OUT")" = back ]
	[ "$(status_of back)" = running ]
	eventually test -e "$STORE"/containers/back-*/upper/a
	[ "$(tote exec back cat /a)" = one ]
	tote exec back sh -c 'echo two >/b'
	[ "$(cat "$STORE"/containers/back-*/upper/b)" = two ]
	run tote exec back sh -c 'exit 9'
	[ "$status" = 9 ]
	run ! grep "$STORE" /proc/self/mountinfo
	tote kill back KILL
	eventually stopped back
	tote delete back
	nothing_of back
	quietly tote run -d --rm --name short pos:1 sleep 0.3
	[ "$(status_of short)" = running ]
	eventually is_gone
	nothing_of short
	# Who reads what it was given waits for no container.
	mkfifo held
	cat held >seen &
	reader=$!
	tote run -d --rm --name held pos:1 sleep 1000 7>held 3>&- >/dev/null 2>&1
	eventually eval '! kill -0 '$reader' 2>/dev/null'
	[ "$(status_of held)" = running ]
	tote kill held KILL
	eventually eval '[ ! -e "$ROOT/held" ]'
	nothing_of held
	quietly tote run -d pos:1 sleep 1000
	id=$(cat "$OUT")
	[[ $id =~ ^pos-[0-9a-f]{4}$ ]]
	tote delete --force "$id"
	nothing_of "$id"
}

stopped() {
	[ "$(status_of "$1")" = stopped ]
}

@test "an image with very many variables is no burden, and one with very many volumes is refused" {
	CONFIG='.config = {Cmd: ["/bin/sh", "-c", "echo $V59999"], Env: [range(60000) | "V\(.)=\(.)"]}' \
		make_layout variables variables:1 "$BATS_FILE_TMPDIR/base.tar"
	CONFIG='.config = {Cmd: ["/bin/true"], Volumes: ([range(1001) | {"/v\(.)": {}}] | add)}' \
		make_layout volumes volumes:1 "$BATS_FILE_TMPDIR/base.tar"
	tote load -q variables
	tote load -q volumes
	# By the time of the processor, which is its own.
	TIMEFORMAT='%0U + %0S'
	{ time in_image variables:1; } 2>"$WORK/spent"
	[ "$output" = 59999 ]
	[ $(($(tail -n 1 "$WORK/spent"))) -le 5 ]
	in_image volumes:1
	[ "$status" = 125 ]
	[[ $stderr == *"declares 1001 volumes"* ]]
	in_image --image-volumes ignore volumes:1
	[ "$status" = 0 ]
	tote rmi variables:1 volumes:1
}

@test "volumes: directories, named ones, declared ones, read-only, tmpfs" {
	mkdir host
	echo host >host/file
	in_image -v "$PWD/host:/mnt/deep" pos:1 sh -c 'cat /mnt/deep/file; echo back >/mnt/deep/back'
	[ "$output" = host ]
	[ "$(cat host/back)" = back ]
	in_image -v ./host:/mnt:ro pos:1 sh -c 'cat /mnt/file; echo no >/mnt/no'
	[ "$status" = 1 ]
	[ "${lines[0]}" = host ]
	[ ! -e host/no ]
	# Filled by the image when it is new, then kept.
	in_image -v data:/data pos:1 sh -c 'cat /data/seed; echo more >/data/more'
	[ "$output" = seed ]
	in_image -v data:/data pos:1 sh -c 'rm /data/seed; cat /data/more'
	[ "$output" = more ]
	in_image -v data:/elsewhere pos:1 ls /elsewhere
	[ "$output" = more ]
	[ "$(ls "$STORE/volumes")" = data ]
	# A declared one is the container's own, with the owners of the image.
	in_image --entrypoint /bin/sh full:1 -c 'cat /declared/file; stat -c %u:%g /declared /declared/file; echo x >/declared/new; grep -c " /declared " /proc/mounts'
	[ "${lines[*]}" = "declared 33:33 33:33 1" ]
	run tote run --name keeps --entrypoint /bin/sh full:1 -c 'echo x >/declared/new' 3>&- </dev/null
	[ "$(cat "$STORE"/containers/keeps-*/volumes/0/new)" = x ]
	tote delete keeps
	nothing_of keeps
	in_image --image-volumes=tmpfs --entrypoint /bin/sh full:1 -c 'grep " /declared tmpfs" /proc/mounts'
	[ "$status" = 0 ]
	in_image --image-volumes=ignore --entrypoint /bin/sh full:1 -c 'grep " /declared " /proc/mounts'
	[ "$status" = 1 ]
	in_image --tmpfs /scratch:size=1m pos:1 grep " /scratch tmpfs" /proc/mounts
	[[ $output == *size=1024k* ]]
	fails 125 "--volume" run --rm -v x pos:1 true
	fails 125 "--image-volumes" run --rm --image-volumes=x pos:1 true
	fails 125 "no name of a volume" run --rm -v 'a b:/x' pos:1 true
	is_gone
}

@test "a working directory below a mount is made in it" {
	mkdir outside
	for ids in auto host; do
		in_image --userns $ids -v "$PWD/outside:/srv" -w "/srv/of-$ids/app" pos:1 sh -c 'pwd; stat -c %u:%a .; touch x'
		[ "$output" = "/srv/of-$ids/app
0:755" ]
		[ "$(stat -c %u:%g:%a "outside/of-$ids" "outside/of-$ids/app")" = "0:0:755
0:0:755" ]
		[ "$(stat -c %u "outside/of-$ids/app/x")" = 0 ]
		in_image --userns $ids --read-only --tmpfs /scratch -v "vol-$ids:/srv" -w /srv/app pos:1 pwd
		[ "$output" = /srv/app ]
		in_image --userns $ids --tmpfs /scratch -w /scratch/app full:1
		[ "$status" = 0 ]
	done
	in_image -v "$PWD/outside:/srv:ro" -w /srv/new pos:1 pwd
	[ "$status" = 125 ]
	[[ $stderr == *"make the working directory /srv/new: Read-only file system"* ]]
	in_image -v "$PWD/outside:/srv:ro" -w /srv/of-auto/app pos:1 ls
	[ "$output" = x ]
	in_image -v "$PWD/outside:/srv" -w /srv/of-auto/app/x pos:1 pwd
	[[ $stderr == *"chdir to /srv/of-auto/app/x: Not a directory"* ]]
}

@test "two first users of a named volume at once" {
	local pids=()
	for i in 1 2 3 4; do
		timeout 30 "$TOTE" --root "$ROOT" run --rm -v shared:/data pos:1 cat /data/seed >"out$i" 2>&1 3>&- </dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat out?; return 1; }
	done
	[ "$(sort -u out?)" = seed ]
	[ "$(ls -A "$STORE/volumes")" = shared ]
}

@test "read-only, with and without mount points that have to be made" {
	in_image --read-only pos:1 sh -c 'cat /etc/group | head -n 1; touch /new'
	[ "$status" = 1 ]
	[ "${lines[0]}" = "root:x:0:" ]
	[[ $stderr == *"Read-only file system"* ]]
	in_image --read-only --tmpfs /run/made -v data:/not/there pos:1 sh -c 'touch /run/made/x /not/there/x && touch /etc/x'
	[ "$status" = 1 ]
	[[ $stderr == *"/etc/x: Read-only"* ]]
	tote verify --deep >/dev/null
}

@test "limits, capabilities, network, seccomp, user namespace" {
	in_image --network host pos:1 true
	[ "$status" = 0 ]
	in_image pos:1 sh -c 'ls /sys/class/net'
	[ "$output" = lo ]
	in_image pos:1 grep CapEff /proc/self/status
	default=$output
	in_image --sysctl kernel.domainname=shop --sysctl net.ipv4.ip_forward=1 pos:1 sh -c 'cat /proc/sys/kernel/domainname /proc/self/uid_map'
	[ "$status" = 0 ]
	[ "${lines[0]}" = shop ]
	[[ ${lines[1]} == *" 65536" ]]
	in_image --cap-drop ALL pos:1 grep CapEff /proc/self/status
	[[ $output == *0000000000000000 ]]
	in_image --cap-drop ALL --cap-add NET_RAW pos:1 grep CapEff /proc/self/status
	[[ $output == *0000000000002000 ]]
	in_image --cap-add CAP_SYS_TIME pos:1 grep CapEff /proc/self/status
	[ "$output" != "$default" ]
	in_image pos:1 grep Seccomp: /proc/self/status
	[[ $output == *2 ]]
	in_image --seccomp unconfined pos:1 grep Seccomp: /proc/self/status
	[[ $output == *0 ]]
	in_image pos:1 grep NoNewPrivs /proc/self/status
	[[ $output == *1 ]]
	fails 125 '"NOSUCH"' run --rm --cap-add NOSUCH pos:1 true
	fails 125 "--pids-limit" run --rm --pids-limit x pos:1 true
	fails 125 'memory "lots"' run --rm --memory lots pos:1 true
	fails 125 'cpus "many"' run --rm --cpus many pos:1 true
	fails 125 'no network "mine"' run --rm --network mine pos:1 true
	fails 125 "--publish" run --rm --network none -p 80:80 pos:1 true
	is_gone
}

needs_own_ids() {
	timeout 20 "$TOTE" --root "$ROOT" run --rm --userns auto pos:1 true 3>&- </dev/null || skip "this kernel does not map the ids of $STORE"
}

own_range() { # TEXT: of uid_map
	[[ $1 =~ ^\ *0\ +([0-9]+)\ +65536$ ]] && [ "${BASH_REMATCH[1]}" -ge $((1 << 31)) ]
}

# All ids of the host, as in the user namespace that we are in.
host_range() {
	[ "$(tr -s ' ' <<<"$1")" = "$(tr -s ' ' </proc/self/uid_map)" ]
}

@test "ids of its own where they can be had, else those of the host" {
	needs_own_ids
	in_image pos:1 cat /proc/self/uid_map
	own_range "$output"
	first=$output
	in_image --userns auto pos:1 cat /proc/self/gid_map
	own_range "$output"
	[ "$output" != "$first" ]
	for options in "--userns host" "--network host" "--cap-add SYS_TIME" "--cap-add all" "-v /dev/null:/etc/null" "-v /proc:/mnt"; do
		in_image $options pos:1 cat /proc/self/uid_map
		[ "$status" = 0 ]
		host_range "$output"
	done
	in_image --cap-add NET_ADMIN --cap-add cap_sys_chroot pos:1 cat /proc/self/uid_map
	own_range "$output"
	in_image --network host --userns auto pos:1 cat /proc/self/uid_map
	own_range "$output"
	fails 125 "volume /proc: its file system does not map ids" run --rm --userns auto -v /proc:/mnt pos:1 true
	fails 125 '--userns: expected host or auto, found "mine"' run --rm --userns mine pos:1 true
	# The network is its own as well: it can set it up, and the host's is another one.
	in_image --cap-add NET_ADMIN pos:1 ip address add 10.9.9.9/32 dev lo
	[ "$status" = 0 ]
	[ -z "$(ls "$STORE/ids")" ]
}

@test "all ranges of ids are taken" {
	needs_own_ids
	(cd "$STORE/ids" && python3 -c 'import os; [os.symlink("other", str(n)) for n in range(32700)]')
	fails 125 "all 32700 ranges of ids are taken" run --rm --userns auto pos:1 true
	in_image pos:1 cat /proc/self/uid_map
	host_range "$output"
	rm "$STORE/ids/4711"
	in_image pos:1 cat /proc/self/uid_map
	[ "$(awk '{print $2}' <<<"$output")" = $(((1 << 31) + 4711 * 65536)) ]
	[ "$(ls "$STORE/ids" | wc -l)" = 32699 ]
	rm -rf "$STORE/ids"
}

@test "with ids of its own: owners in volumes, on disk and of what is made" {
	needs_own_ids
	mkdir -m 700 host
	echo x >host/theirs
	chown 1000:1001 host/theirs
	in_image -v "$PWD/host:/mnt" -v new:/declared pos:1 sh -c 'stat -c %u:%g /mnt/theirs /declared /declared/file
		echo x >/mnt/new; cp /bin/busybox /mnt/set; chown 33:34 /mnt/new /declared/file; chmod 4755 /mnt/set; touch /declared/mine'
	[ "${lines[*]}" = "1000:1001 33:33 33:33" ]
	[ "$(cd host && stat -c %u:%g:%a theirs new set | tr '\n' ' ')" = "1000:1001:644 33:34:644 0:0:4755 " ]
	[ "$(cd "$STORE/volumes/new" && stat -c %u:%g . file mine | tr '\n' ' ')" = "33:33 33:34 0:0 " ]
	in_image --entrypoint /bin/sh full:1 -c 'stat -c %u:%g /declared /var/made /var/made/here; id -u; echo x >/declared/x && stat -c %u:%g /declared/x'
	[ "${lines[*]}" = "33:33 0:0 0:0 33 33:34" ]
	run tote run --name kept -u 7:8 -w /tmp/sub pos:1 sh -c 'echo x >/tmp/x; echo y >/dev/shm/y && stat -c %u:%g /dev/shm/y' 3>&- </dev/null
	[ "$output" = 7:8 ]
	[ "$(cd "$STORE"/containers/kept-*/upper && stat -c %u:%g . tmp/sub tmp/x | tr '\n' ' ')" = "0:0 0:0 7:8 " ]
	[ "$(tote export kept | tar --numeric-owner -tvf - | awk '$6 == "tmp/x" {print $2}')" = 7/8 ]
	tote delete kept
}

@test "with ids of its own: who shares our memory there is gone before the program runs" {
	command -v strace >/dev/null || skip "strace is missing"
	needs_own_ids
	run timeout 60 strace -f -q -o trace -e trace=execve,exit_group -e signal=none -e inject=exit_group:delay_enter=500000:when=1 \
		"$TOTE" --root "$ROOT" run --rm pos:1 true 3>&- </dev/null
	cat trace
	[[ $(cat trace) == *"+++ exited with 0"*'["true"]'* ]]
}

@test "what closes the root file system is idle while it waits, where it may be an ordinary process again" {
	command -v strace >/dev/null || skip "strace is missing"
	local traced=(timeout 60 strace -f -qq -o trace -e trace=sched_setscheduler "$TOTE" --root "$ROOT" run --rm pos:1 true)
	"${traced[@]}" 3>&- </dev/null
	grep -q 'SCHED_OTHER.* = 0' trace
	setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice "${traced[@]}" 3>&- </dev/null
	cat trace
	run ! grep -q SCHED_IDLE trace
}

@test "standard streams can be opened again by name" {
	[ "$(tote run --rm pos:1 sh -c 'echo out >/dev/stdout; echo err >/dev/stderr' 2>&1 3>&- </dev/null | cat | tr '\n' ' ')" = "out err " ]
	[ "$(echo typed | tote run --rm -i pos:1 sh -c 'cat /dev/stdin' 3>&-)" = typed ]
	tote run --rm pos:1 sh -c 'echo out >>/dev/stdout' >log 3>&- </dev/null
	[ "$(cat log)" = out ]
	chown 1000 log
	code=0
	tote run --rm pos:1 /no/such >>log 2>&1 3>&- </dev/null || code=$?
	[ "$code" = 127 ]
	[ "$(stat -c %u log)" = 1000 ]
	: >log
	tote run --rm pos:1 sh -c 'echo more >>/proc/self/fd/1; stat -L -c %u /proc/self/fd/1' >>log 3>&- </dev/null
	[ "$(stat -c %u log)" = 1000 ]
	[ "$(tr '\n' ' ' <log)" = "more 0 " ]
	script -qec "$TOTE --root $ROOT run --rm pos:1 sh -c 'echo again >/dev/stdout; echo tty=\$?'; stat -L -c owner=%u /proc/self/fd/1" screen >/dev/null
	grep -q again screen
	grep -q tty=0 screen
	grep -q "owner=$(id -u)" screen
	tote run -d --name there pos:1 sleep 100 >/dev/null
	[ "$(tote exec there sh -c 'echo out >/dev/stdout; echo err >/dev/stderr' 2>&1 3>&- </dev/null | cat | tr '\n' ' ')" = "out err " ]
	chown 1000 log
	tote exec there sh -c 'echo more >>/dev/stdout' >>log 3>&- </dev/null
	[ "$(stat -c %u log)" = 1000 ]
	tote delete --force there
}

@test "a terminal" {
	script -qec "$TOTE --root $ROOT run --rm -it pos:1 sh -c 'test -t 0 && test -t 1 && echo term=\$TERM'" screen >/dev/null
	grep -q term=xterm screen
	is_gone
}

@test "names: IDs, and the same name as a bundle" {
	id=$(tote inspect pos:1 | jq -r '.[0].id')
	in_image "${id:7:12}" echo by-id
	[ "$output" = by-id ]
	mkdir bundle
	tote spec -b bundle
	jq --arg r "$ROOTFS" '.root.path = $r | .process.args = ["echo", "bundle"] | .process.terminal = false' <bundle/config.json >c && mv c bundle/config.json
	[ "$(tote run -b bundle pos 3>&- </dev/null)" = bundle ]
	[ "$(tote run pos -b bundle 3>&- </dev/null)" = bundle ]
}

is_damaged() { # the configuration of pos:1
	fails 125 "image is damaged, load it again: configuration" run pos:1
	fails 125 "image is damaged, load it again: configuration" create --image pos:1 till
	fails 4 "image is damaged, load it again: configuration" bundle pos:1 dir
}

@test "exit codes: no such image, and one that is damaged" {
	fails 125 'no image "nowhere:1"' run nowhere:1
	fails 125 'no image "nowhere:latest"' run --rm nowhere
	fails 125 'no image "nowhere:latest"' run --name till nowhere
	fails 125 'no image "pos:1": ' --store "$WORK/none" run -e A=1 pos:1
	fails 1 'no image "nowhere"; bundle ' run nowhere
	fails 1 'open config.json' run -b . --rm pos
	# Where there is a bundle, an argument alone is an ID.
	tote spec
	fails 1 "invalid container ID" run nowhere:1
	fails 125 'no image "nowhere:latest"' run --rm nowhere
	rm config.json
	config=$(readlink -f "$STORE/blobs/sha256/$(tote inspect pos:1 | jq -r '.[0].id[7:]')")
	mv "$config" kept
	is_damaged
	: >"$config"
	is_damaged
	echo '{}' >"$config"
	is_damaged
	mv kept "$config"
	record=$STORE/images/$(cut -d : -f 2 "$STORE/refs/pos:1")
	mv "$record" kept
	: >"$record"
	fails 125 "image sha256:" run pos:1
	mv kept "$record"
	in_image pos:1 true
	[ "$status" = 0 ]
}

@test "twenty at once" {
	local pids=()
	for i in {1..20}; do
		timeout 60 "$TOTE" --root "$ROOT" run --rm pos:1 sh -c "echo $i >/n; cat /n" >"out$i" 2>&1 3>&- </dev/null &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat out*; return 1; }
	done
	[ "$(cat out* | sort -n | tr '\n' ' ')" = "$(seq -s ' ' 20) " ]
	is_gone
	tote gc >/dev/null
	tote verify --deep
}

@test "whatever the umask: layers without a root entry, containers, volumes and the working directory can be used" {
	umask 077
	mkdir y
	echo y >y/y
	tar -C y -c y | tote import - bare:1
	TOTE_STORE=$TOTE_STORE "$TOTE" load -q "$BATS_FILE_TMPDIR/full" >/dev/null
	in_image -v vol:/vol full:1
	[ "$status" = 0 ]
	in_image -u root -v vol:/vol --entrypoint stat full:1 -c '%a %n' / /vol /var/made/here
	[ "$output" = "755 /
755 /vol
755 /var/made/here" ]
	in_image -u 33 --entrypoint sh -w /var/made/there pos:1 -c 'cd / && cd /var/made/there && pwd'
	[ "$output" = /var/made/there ]
	[ -z "$(find "$STORE"/layers -maxdepth 2 -name fs ! -perm 755)" ]
	tote rmi bare:1
}

@test "an image with the same layer twice runs" {
	mkdir x
	echo x >x/x
	pack x x.tar
	make_layout oci twice:1 "$BATS_FILE_TMPDIR/base.tar" x.tar "$BATS_FILE_TMPDIR/base.tar"
	tote load -q oci
	in_image twice:1 cat /x
	[ "$output" = x ]
	tote rmi twice:1
}

@test "a root directory that is a user's and nobody else's" {
	mkdir -m 700 x
	chown 1000:1001 x
	pack x x.tar
	make_layout oci closed:1 "$BATS_FILE_TMPDIR/base.tar" x.tar
	tote load -q oci
	for options in "" --read-only "-u 1000" "--userns host"; do
		# shellcheck disable=SC2086
		in_image $options closed:1 stat -c '%u:%g %a' /
		[ "$output" = "1000:1001 700" ]
	done
	fails 126 "Permission denied" run --rm -u 5 closed:1 true
	tote rmi closed:1
}

USER_ID=47113

ordinary() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --inh-caps=-all env -i PATH="$PATH" HOME="$HOME_DIR" \
		XDG_RUNTIME_DIR="$HOME_DIR/run" timeout 60 "$@" 3>&- </dev/null
}

# A directory with what an ordinary user needs, who may come and go there.
make_home() {
	HOME_DIR=$(mktemp -d "${TMPDIR:-/tmp}/tote-user.XXXXXX")
	chmod 755 "$HOME_DIR"
	install -d -o $USER_ID -m 700 "$HOME_DIR/run"
	ordinary unshare --user true || { rm -r "$HOME_DIR"; skip "ordinary users cannot make user namespaces here"; }
	cp "$TOTE" "$(dirname "$TOTE")/tote-image" "$HOME_DIR"
}

@test "an ordinary user without subordinate ids is told which users can be had" {
	local user said root
	! grep -qs "^$USER_ID:" /etc/subuid || skip "user $USER_ID has subordinate ids"
	make_home
	tar -C "$BATS_FILE_TMPDIR/full" -cf "$HOME_DIR/full.tar" .
	chown -R $USER_ID "$HOME_DIR"
	ordinary "$HOME_DIR/tote" load -q "$HOME_DIR/full.tar"
	said=$(for user in www 33 0:34; do ordinary "$HOME_DIR/tote" run --rm -u $user full:1 2>&1 || echo "code $?"; done)
	root=$(ordinary "$HOME_DIR/tote" run --rm -u 0 --entrypoint /bin/sh full:1 -c 'echo ran' 2>&1) || true
	rm -rf "$HOME_DIR"
	echo "$said; $root"
	[ "$(grep -c "cannot be had: without subordinate ids in /etc/subuid .* --user 0" <<<"$said")" = 3 ]
	[ "$(grep -cx "code 125" <<<"$said")" = 3 ]
	[ "$root" = ran ]
}

@test "an ordinary user: volumes are filled with what the image has" {
	local said
	make_home
	tar -C "$BATS_FILE_TMPDIR/full" -cf "$HOME_DIR/full.tar" .
	chown -R $USER_ID "$HOME_DIR"
	ordinary "$HOME_DIR/tote" load -q "$HOME_DIR/full.tar"
	said=$(ordinary "$HOME_DIR/tote" run --rm -u 0 -v -named:/data -v other:/tmp:nocopy --entrypoint /bin/sh full:1 -c \
		'cat /declared/file /data/seed; echo more >/data/more; echo x >/declared/x; stat -c %a /tmp' 2>&1
		ordinary "$HOME_DIR/tote" run --rm -u 0 -v -named:/declared --mount dst=/data --entrypoint /bin/sh full:1 -c \
			'ls /declared /data' 2>&1
		ls "$HOME_DIR/.local/share/tote/containers" "$HOME_DIR/.local/share/tote/volumes")
	rm -rf "$HOME_DIR"
	echo "$said"
	[ "$(tr '\n' ' ' <<<"${said%%$'\n'"$HOME_DIR"*}")" = "declared seed 755 /data: seed  /declared: more seed " ]
	[[ $said == *"tote/containers:"$'\n\n'*"tote/volumes:"$'\n'"-named"$'\n'other ]]
}

# Without privileges sources of mounts are looked up when the image's root is there already.
@test "an ordinary user: an image's volumes are the store's, whatever links the image has in their place" {
	make_home
	mkdir "$HOME_DIR/secret"
	echo host >"$HOME_DIR/secret/words"
	chown -R $USER_ID "$HOME_DIR/secret"
	mkdir evil
	for name in volumes upper/volumes rootfs/volumes; do
		mkdir -p "evil/$name"
		ln -s "$HOME_DIR/secret" "evil/$name/0"
	done
	tar -C evil -cf evil.tar .
	CONFIG='.config = {Cmd: ["/bin/sh", "-c", "echo changed >/declared/words; ls -A /declared; grep -c /declared /proc/mounts"],
		Volumes: {"/declared": {}}}' \
		make_layout evil.layout evil:1 "$BATS_FILE_TMPDIR/base.tar" evil.tar
	tar -C evil.layout -cf "$HOME_DIR/evil.tar" .
	chown -R $USER_ID "$HOME_DIR/secret" "$HOME_DIR/evil.tar" "$HOME_DIR"
	ordinary "$HOME_DIR/tote" load -q "$HOME_DIR/evil.tar"
	run --separate-stderr ordinary "$HOME_DIR/tote" run --rm evil:1
	[ "$(cat "$HOME_DIR/secret/words")" = host ]
	echo "$status: $output $stderr"
	rm -rf "$HOME_DIR"
	[ "$status" = 0 ]
	[ "${lines[*]}" = "file words 1" ]
}

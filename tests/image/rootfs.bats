#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Root file systems made of layers, in a store that the tests make by hand: tests/image/layers.c runs containers on it.

bats_require_minimum_version 1.5.0
load ../cli/helpers

USER_ID=47112

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export LAYERS FAULT
	LAYERS=$(dirname "$TOTE")/tests/image/layers
	: "${FAULT:=$(dirname "$TOTE")/tests/fault/fault}"
	if [ ! -x "$LAYERS" ]; then
		LAYERS=$BATS_FILE_TMPDIR/layers
		(cd "$BATS_TEST_DIRNAME/../.." && "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -I. -O1 -o "$LAYERS" tests/image/layers.c \
			"$(dirname "$TOTE")/libtote.a" -lcap -lseccomp -lyajl -lm)
	fi
	make_rootfs
}

setup() {
	make_bundle
	config '.root.readonly = false'
	STORE=$BATS_TEST_TMPDIR/store
	CONTAINER=$ID-0
	make_store
	layer base000
	cp -a "$ROOTFS/." "$TREE"
	container
}

teardown() {
	[ -n "${HOME_DIR:-}" ] || clean_up
	[ -z "${HOME_DIR:-}" ] || rm -rf "$HOME_DIR"
}

make_store() {
	mkdir -p "$STORE"
	chmod 700 "$STORE"
	mkdir -p "$STORE"/{blobs/sha256,blobs/sha512,layers,l,images,refs,ingest,containers,volumes,places}
	echo 1 >"$STORE/version"
}

layer() { # NAME: a new one; $TREE is for its files
	TREE=$STORE/layers/$1/fs
	mkdir -p "$TREE"
	ln -s "../layers/$1/fs" "$STORE/l/$1"
}

container() {
	KEPT=$STORE/containers/$CONTAINER
	mkdir -p "$KEPT"/{upper,work}
}

layers() { # [-FLAGS] LAYER...: uppermost first
	local flags=
	[[ $1 != -* ]] || { flags=$1 && shift; }
	run $TRACE "$LAYERS" $flags "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" "$@" 3>&- </dev/null
	echo "code $status: $output"
}

inside() { # SCRIPT: the container's program
	command_is sh -c "$1"
}

in_user_namespace() {
	config '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
}

since_linux() { # VERSION
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]
}

# A tmpfs is id-mapped since Linux 6.3, and has user attributes since 6.6.
on_tmpfs_before() { # VERSION
	[ "$(stat -f -c %T "$STORE")" = tmpfs ] && ! since_linux "$1"
}

needs_idmap() {
	since_linux 5.19 || skip "needs Linux 5.19"
	! on_tmpfs_before 6.3 || skip "needs a disk, or Linux 6.3"
}

set_xattr() { # FILE NAME VALUE
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())' "$@"
}

# What is left of a container that is gone.
all_gone() {
	nothing_left
	[ ! -e "$KEPT" ] || { echo "$KEPT left"; return 1; }
}

# fsconfig(2) takes less than 256 bytes, and the kernel takes some bytes for something else.
move_store() { # NAME
	mv "$STORE" "$BATS_TEST_TMPDIR/$1"
	STORE=$BATS_TEST_TMPDIR/$1
	KEPT=$STORE/containers/$CONTAINER
}

has_status() {
	[ "$(status_of "$ID")" = "$1" ]
}

@test "upper layers replace, hide and add" {
	mkdir -p "$TREE/data/closed" "$TREE/data/merged"
	echo low | tee "$TREE/data/a" "$TREE/data/gone" "$TREE/data/closed/old" >"$TREE/data/merged/old"
	layer second0
	mkdir -p "$TREE/data/closed" "$TREE/data/merged"
	echo high | tee "$TREE/data/a" "$TREE/data/closed/new" >"$TREE/data/merged/new"
	mknod "$TREE/data/gone" c 0 0
	set_xattr "$TREE/data/closed" trusted.overlay.opaque y
	inside 'cat /data/a; cd /data && find . | sort | tr "\n" " "'
	layers second0 base000
	[ "$status" = 0 ]
	[ "${lines[0]}" = high ]
	[ "${lines[1]}" = ". ./a ./closed ./closed/new ./merged ./merged/new ./merged/old " ]
	container
	inside 'cat /data/a'
	layers base000 second0
	[ "$output" = low ]
	all_gone
}

@test "1, 2, 40 and 500 layers, and no more" {
	local i many=()
	# By no program for each: in an emulated machine that would take a minute.
	mkdir -p "$STORE"/layers/m{1000..1499}/fs/many
	for i in {1000..1499}; do
		echo "$i" >"$STORE/layers/m$i/fs/last"
		echo >"$STORE/layers/m$i/fs/many/$i"
		many=("m$i" "${many[@]}")
	done
	(cd "$STORE/l" && python3 -c 'import os; [os.symlink(f"../layers/m{i}/fs", f"m{i}") for i in range(1000, 1500)]')
	inside 'ls /many | wc -l; cat /last'
	for i in 1 39 499; do
		container
		layers "${many[@]:0:$i}" base000
		[ "$status" = 0 ]
		[ "${lines[0]}" = "$i" ]
		[ "${lines[1]}" = 1499 ]
	done
	container
	command_is true
	layers base000
	[ "$status" = 0 ]
	container
	layers "${many[@]}" base000
	[ "$status" = 125 ]
	[[ $output == *"an image of 501 layers: overlayfs takes at most 500"* ]]
	all_gone
}

@test "what is written lands in a directory of its own and goes with the container, or is kept" {
	inside 'echo mine >/new; rm /etc/group; cat /new'
	layers -k base000
	[ "$status" = 0 ]
	nothing_left
	[ "$(cat "$KEPT/upper/new")" = mine ]
	[ -c "$KEPT/upper/etc/group" ]
	[ -f "$TREE/etc/group" ] && [ ! -e "$TREE/new" ]
	inside 'cat /new; test ! -e /etc/group'
	layers base000
	[ "$status" = 0 ]
	[ "$output" = mine ]
	all_gone
	container
	inside 'test ! -e /new'
	layers base000
	[ "$status" = 0 ]
}

@test "syncs are left out only where nothing is kept" {
	inside 'head -n 1 /proc/mounts'
	layers -v base000
	[[ $output == "overlay / overlay rw,"*volatile* ]]
	container
	layers -kv base000
	[[ $output == "overlay / overlay rw,"* ]]
	[[ $output != *volatile* ]]
	layers base000
	[[ $output != *volatile* ]]
	all_gone
}

@test "read-only: neither files nor mount points are made, and no layer becomes writable" {
	local before
	layer second0
	before=$(find "$STORE/layers" | sort | md5sum)
	inside 'touch /new 2>&1; mount -o remount,rw / 2>/dev/null; mount -o remount,bind,rw / 2>/dev/null; touch /new && echo oh'
	for caps in '.' '.process.capabilities[] += ["CAP_SYS_ADMIN"]'; do
		config "$caps"
		for under in base000 "second0 base000"; do
			rm -rf "$KEPT"
			mkdir -p "$KEPT"
			layers -r $under
			[ "$status" = 1 ]
			[[ $output == *"Read-only file system"* ]]
			[[ $output != *oh* ]]
		done
	done
	[ "$(find "$STORE/layers" | sort | md5sum)" = "$before" ]
	mkdir -p "$KEPT"
	config '.mounts += [{destination: "/not/there", type: "tmpfs"}]'
	layers -r base000
	[ "$status" = 125 ]
	[[ $output == *"mount tmpfs on /not/there: Read-only file system"* ]]
	all_gone
}

@test "root.readonly on layers that could be written" {
	config '.root.readonly = true | .mounts += [{destination: "/not/there", type: "tmpfs"}]'
	inside 'touch /not/there/x && touch /new'
	layers base000
	[ "$status" = 1 ]
	[[ $output == *"/new: Read-only file system"* ]]
	all_gone
}

@test "in a user namespace files are root's inside and on disk" {
	needs_idmap
	in_user_namespace
	config '.process.capabilities[] += ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]'
	chown 33:44 "$TREE/etc/group"
	inside 'stat -c %u:%g /etc /etc/group; echo x >/new; echo y >>/etc/group; chown 7:8 /tmp; mkdir /d; cat /proc/self/uid_map'
	layers -k base000
	[ "$status" = 0 ]
	[ "${lines[0]} ${lines[1]}" = "0:0 33:44" ]
	[[ ${lines[2]} =~ ^\ *0\ +100000\ +65536$ ]]
	[ "$(cd "$KEPT/upper" && stat -c %u:%g . new etc/group tmp d | tr '\n' ' ')" = "0:0 0:0 33:44 7:8 0:0 " ]
	inside 'touch /etc/x && mount -o remount,rw / 2>/dev/null; touch /etc/y'
	config '.process.capabilities[] += ["CAP_SYS_ADMIN"]'
	rm -rf "$KEPT/upper" "$KEPT/work"
	layers -r base000
	[ "$status" = 1 ]
	[[ $output == *"Read-only file system"* ]]
	all_gone
}

@test "in a user namespace on kernels whose overlayfs takes no descriptors" {
	needs_idmap
	in_user_namespace
	inside 'stat -c %u:%g /etc; echo x >/new; stat -c %u:%g /new'
	# The first: ours. What children of ours ask for is left alone.
	for error in EINVAL EBADF; do
		container
		TRACE="strace -qq -o $BATS_TEST_TMPDIR/trace -e inject=fsconfig:error=$error:when=1" layers -k base000
		grep -q 'FSCONFIG_SET_FD.*INJECTED' "$BATS_TEST_TMPDIR/trace"
		[ "$status" = 0 ]
		[ "${lines[*]}" = "0:0 0:0" ]
		[ "$(stat -c %u:%g "$KEPT/upper/new")" = 0:0 ]
	done
	rm -rf "$KEPT"
	run ! grep "$STORE" /proc/self/mountinfo
}

@test "a store at a path that fsconfig(2) does not take" {
	local name
	layer second0
	echo two >"$TREE/two"
	inside 'cat /two; echo x >/new; stat -c %u:%g /new'
	for name in "$(printf 'x%.0s' {1..240})" 'a,b:c\d'; do
		move_store "$name"
		container
		layers -k second0 base000
		[ "$status" = 0 ]
		[ "${lines[*]}" = "two 0:0" ]
		[ -f "$KEPT/upper/new" ]
	done
	needs_idmap
	in_user_namespace
	layers second0 base000
	[ "$status" = 0 ]
	[ "${lines[*]}" = "two 0:0" ]
	all_gone
}

@test "no attribute of a layer leads to other files" {
	mkdir -p "$TREE/secret" "$TREE/open"
	echo hidden >"$TREE/secret/file"
	layer second0
	mkdir "$TREE/open"
	set_xattr "$TREE/open" trusted.overlay.redirect /secret
	inside 'cat /open/file'
	layers second0 base000
	[ "$status" = 1 ]
	[[ $output != *hidden* ]]
}

@test "a mount namespace of somebody else's is refused" {
	config '.linux.namespaces |= map(if .type == "mount" then .path = "/proc/1/ns/mnt" else . end)'
	layers base000
	[ "$status" = 125 ]
	[[ $output == *"runs from an image needs a new mount namespace"* ]]
	all_gone
}

@test "create, start, exec, state, pause, kill, delete; the host sees no mount" {
	inside 'echo one >/a; exec sleep 1000'
	quietly "$LAYERS" -c "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" base000
	[ "$(status_of "$ID")" = created ]
	quietly tote start "$ID"
	eventually test -e "$KEPT/upper/a"
	run tote exec "$ID" sh -c 'cat /a; echo two >/b; head -n 1 /proc/mounts'
	[ "$status" = 0 ]
	[ "${lines[0]}" = one ]
	[[ ${lines[1]} == "overlay / overlay rw"* ]]
	[ "$(cat "$KEPT/upper/b")" = two ]
	[ "$(tote state "$ID" | jq -r .rootfs)" = "$KEPT/upper" ]
	run ! grep "$STORE" /proc/self/mountinfo
	if tote pause "$ID"; then tote resume "$ID"; fi
	tote kill "$ID" KILL
	eventually has_status stopped
	[ -e "$KEPT/upper/b" ]
	tote delete "$ID"
	all_gone
}

@test "looked into before it runs" {
	inside 'cat /bin/busybox | wc -c'
	layers -p base000
	[ "$status" = 0 ]
	[ "$output" = "$(wc -c <"$TREE/bin/busybox")" ]
	all_gone
}

@test "what fails leaves nothing" {
	command_is /no/such/program
	layers base000
	[ "$status" = 125 ]
	[[ $output == *"/no/such/program"* ]]
	all_gone
	container
	layers nolayer base000
	[ "$status" = 125 ]
	[[ $output == *"root file system: $STORE/l/nolayer: No such file or directory"* ]]
	all_gone
	container
	rm -r "$KEPT/work"
	layers base000
	[ "$status" = 125 ]
	[[ $output == *"root file system"* ]]
	all_gone
}

@test "SIGKILL at any moment leaves nothing that delete --force does not find" {
	local n total
	[ -x "$FAULT" ] || skip "needs $FAULT (make fault-tool)"
	command_is true
	total=$("$FAULT" count -- "$LAYERS" "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" base000 3>&-)
	[ "$total" -gt 150 ]
	for ((n = 3; n <= total; n += total / 24)); do
		container
		run "$FAULT" kill -n "$n" -- "$LAYERS" "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" base000 3>&- </dev/null
		named=$([ ! -e "$ROOT/$ID/state.json" ] || jq -r .storeContainer "$ROOT/$ID/state.json")
		tote delete --force "$ID"
		nothing_left
		# Before it is named it is the caller's.
		[ -z "$named" ] || [ ! -e "$KEPT" ] || { echo "call $n: $KEPT left"; return 1; }
		[ -z "$named" ] || seen=1
		rm -rf "$KEPT"
		[ -f "$STORE/layers/base000/fs/bin/busybox" ]
	done
	[ -n "$seen" ]
}

user() {
	setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --inh-caps=-all env -i PATH="$PATH" HOME="$HOME_DIR" XDG_RUNTIME_DIR="$HOME_DIR/run" "$@"
}

# All that an ordinary user needs, below a directory that it can search.
make_user() {
	HOME_DIR=$(mktemp -d "${TMPDIR:-/tmp}/tote-layers.XXXXXX")
	chmod 755 "$HOME_DIR"
	user true 2>/dev/null && user unshare --user true 2>/dev/null || skip "ordinary users cannot make user namespaces here"
	cp "$LAYERS" "$TOTE" "$HOME_DIR"
	mv "$STORE" "$HOME_DIR/store"
	STORE=$HOME_DIR/store KEPT=$HOME_DIR/store/containers/$CONTAINER
	chown -R $USER_ID:$USER_ID "$STORE"
	install -d -o $USER_ID -m 700 "$HOME_DIR"/{bundle,state,run}
	(cd "$HOME_DIR/bundle" && user "$HOME_DIR/tote" spec --rootless)
	BUNDLE=$HOME_DIR/bundle ROOT=$HOME_DIR/state
	config '.process.terminal = false | .root.readonly = false'
	cd "$HOME_DIR"
}

user_layers() {
	run user "$HOME_DIR/layers" -x "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" "$@" 3>&- </dev/null
	echo "code $status: $output"
}

user_container() {
	container
	chown -R $USER_ID "$KEPT"
}

@test "an ordinary user" {
	! on_tmpfs_before 6.6 || skip "needs a disk, or Linux 6.6"
	layer second0
	mkdir -p "$TREE/etc"
	make_user
	set_xattr "$STORE/layers/second0/fs/etc" user.overlay.opaque y
	inside 'ls /etc; echo x >/new; stat -c %u:%g /new; rm /bin/ls; head -n 1 /proc/mounts'
	user_layers second0 base000
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0:0 ]
	[[ ${lines[1]} == "overlay / overlay rw,"*userxattr* ]]
	[ ! -e "$KEPT" ] && [ ! -e "$ROOT/$ID" ]
	mv "$STORE" "$HOME_DIR/$(printf 'y%.0s' {1..240})"
	STORE=$HOME_DIR/$(printf 'y%.0s' {1..240})
	user_container
	user_layers second0 base000
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0:0 ]
	[ ! -e "$KEPT" ]
	user_container
	rm -r "$KEPT/upper" "$KEPT/work"
	inside 'touch /new'
	run user "$HOME_DIR/layers" -xr "$ROOT" "$ID" "$STORE" "$CONTAINER" "$BUNDLE/config.json" base000 3>&- </dev/null
	[ "$status" = 1 ]
	[[ $output == *"Read-only file system"* ]]
}

@test "an ordinary user leaves files of subordinate ids to tote-image" {
	make_user
	mkdir "$KEPT/upper/theirs"
	touch "$KEPT/upper/theirs/file"
	command_is true
	user_layers base000
	[ "$status" = 125 ]
	[[ $output == *"needs tote-image, which is not at $HOME_DIR/tote-image"* ]]
	[ -e "$ROOT/$ID/state.json" ]
	printf '#!/bin/sh\necho "$@" >&2; exit 3\n' >"$HOME_DIR/tote-image"
	chmod 755 "$HOME_DIR/tote-image"
	run user "$HOME_DIR/tote" --root "$ROOT" delete --force "$ID"
	echo "delete: $output"
	[ "$status" = 1 ]
	[[ $output == *"ended with code 3: --store $STORE remove-container $CONTAINER"* ]]
	[ -e "$ROOT/$ID/state.json" ]
	printf '#!/bin/sh\nexit 0\n' >"$HOME_DIR/tote-image"
	user "$HOME_DIR/tote" --root "$ROOT" delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
}

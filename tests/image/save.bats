#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images and root file systems out of the store, and in again: save, export, import.

bats_require_minimum_version 1.5.0
load ../cli/helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	for tool in umoci skopeo; do
		command -v $tool >/dev/null || skip "needs $tool"
	done
	cd "$BATS_FILE_TMPDIR"
	make_image >/dev/null 2>&1
	make_tree tree
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	IMAGE=$BATS_FILE_TMPDIR/oci TREE=$BATS_FILE_TMPDIR/tree
	export TOTE_STORE=$BATS_TEST_TMPDIR/store
	ROOT=$BATS_TEST_TMPDIR/state
	ID=s$$-$BATS_TEST_NUMBER
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	clean_up
	[ ! -d "$BATS_TEST_TMPDIR/small" ] || umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
}

# A tree with one of everything.
make_tree() { # DIR
	mkdir -p "$1"/{bin,dir,closed,"deep/$(printf 'd/%.0s' $(seq 60))"}
	cp "$BUSYBOX" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	echo one >"$1/a"
	ln "$1/a" "$1/dir/hard"
	ln -s ../../../etc/passwd "$1/dir/out"
	mkfifo "$1/fifo"
	mknod "$1/null" c 1 3
	: >"$1/empty"
	python3 - "$1" <<-'PY'
		import os, socket, sys
		os.chdir(sys.argv[1])
		open(b"no\xff\xfeutf8", "w").write("x")
		open("\u00fc", "w").write("y")
		open("l" * 200, "w").write("z")
		os.setxattr("a", "user.binary", b"\0\1\xff")
		os.setxattr("bin/busybox", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
		socket.socket(socket.AF_UNIX).bind("socket")
		os.utime("a", ns=(1, 1234567890123456789))
	PY
	chown 1000:2000 "$1/dir" "$1/empty"
	chmod 4755 "$1/empty"
	chmod 1700 "$1/closed"
}

# Two layers; the second removes a file of the first. And a third for an update, in image oci:2.
make_image() {
	umoci init --layout oci
	umoci new --image oci:1
	umoci unpack --image oci:1 first
	make_tree first/rootfs
	rm first/rootfs/socket
	head -c 3000000 /dev/urandom >first/rootfs/random
	umoci repack --image oci:1 first
	umoci unpack --image oci:1 second
	echo two >second/rootfs/b
	rm second/rootfs/a
	umoci repack --image oci:1 second
	umoci unpack --image oci:1 third
	echo three >third/rootfs/c
	umoci repack --image oci:2 third
	umoci config --image oci:1 --config.cmd /bin/sh --config.label x=y
}

load_image() { # [TAG]: into the store, as pos:TAG
	skopeo copy -q --insecure-policy "oci:$IMAGE:${1:-1}" "oci-archive:in.tar:pos:${1:-1}"
	"$TOTE" load in.tar -q --progress none >/dev/null
	rm in.tar
}

config_of() { # ARCHIVE in skopeo's notation: the digest of its configuration and the diffIDs
	skopeo inspect --config --raw "$1" | tee config.raw | sha256sum | cut -d' ' -f1
	jq -c .rootfs.diff_ids config.raw
}

# What the store has, but for when it was loaded.
known() { # STORE
	TOTE_STORE=$1 "$TOTE" inspect pos:1 | jq -c '.[0] | [.id, [.layers[].diffId]]'
}

damage() { # changes a byte of a file in the store, and neither size nor time
	local file
	file=$(find "$TOTE_STORE/layers" -name "$1" | head -1)
	touch -r "$file" stamp
	flip "$file" 1000
	touch -r stamp "$file"
}

@test "what is saved is loaded as the same image, and is the same bytes each time" {
	load_image
	"$TOTE" save pos:1 -o a.tar
	"$TOTE" save pos:1 >b.tar
	cmp a.tar b.tar
	TOTE_STORE=$PWD/second "$TOTE" load a.tar -q --progress none
	[ "$(known "$TOTE_STORE")" = "$(known "$PWD/second")" ]
	TOTE_STORE=$PWD/second "$TOTE" verify --deep
	TOTE_STORE=$PWD/second "$TOTE" save pos:1 | cmp - a.tar
}

@test "compressed, and in docker's form, it is the same image too" {
	load_image
	"$TOTE" save pos:1 -o plain.tar
	for form in "--compress gzip" "--compress zstd" "--format docker"; do
		"$TOTE" save pos:1 $form -o "x.tar"
		rm -rf other
		TOTE_STORE=$PWD/other "$TOTE" load x.tar -q --progress none
		[ "$(known "$TOTE_STORE")" = "$(known "$PWD/other")" ]
		TOTE_STORE=$PWD/other "$TOTE" save pos:1 | cmp - plain.tar
	done
	"$TOTE" save pos:1 --compress zstd | tar -xOf - index.json >/dev/null
	[ "$("$TOTE" save pos:1 --compress zstd | wc -c)" -lt "$(stat -c %s plain.tar)" ]
}

@test "skopeo reads each form" {
	load_image
	config_of "oci:$IMAGE:1" >expected
	"$TOTE" save pos:1 -o oci.tar
	"$TOTE" save pos:1 --compress gzip -o gzip.tar
	"$TOTE" save pos:1 --compress zstd -o zstd.tar
	"$TOTE" save pos:1 --format docker -o docker.tar
	# The last: what older programs see of the OCI form.
	for source in oci-archive:oci.tar oci-archive:oci.tar:pos:1 oci-archive:gzip.tar oci-archive:zstd.tar \
		docker-archive:docker.tar docker-archive:docker.tar:pos:1 docker-archive:oci.tar docker-archive:gzip.tar; do
		config_of "$source" >found
		diff expected found
		rm -rf copy
		# umoci knows no zstd.
		[ "$source" != oci-archive:zstd.tar ] || { skopeo copy -q --insecure-policy "$source" dir:zstd && continue; }
		skopeo copy -q --insecure-policy "$source" oci:copy:x
		umoci unpack --image copy:x unpacked >/dev/null 2>&1
		[ "$(cat unpacked/rootfs/b)" = two ]
		[ ! -e unpacked/rootfs/a ]
		rm -rf unpacked
	done
}

@test "podman loads both forms, by the name that the image had" {
	command -v podman >/dev/null || skip "needs podman"
	load_image
	id=$(known "$TOTE_STORE" | jq -r '.[0]')
	for form in oci docker; do
		"$TOTE" save pos:1 --format $form -o x.tar
		podman --root "$PWD/p-$form" --runroot "$PWD/r-$form" --storage-driver vfs load -q -i x.tar
		run --separate-stderr podman --root "$PWD/p-$form" --runroot "$PWD/r-$form" --storage-driver vfs images \
			--no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'
		[[ $output == "$id "*"/pos:1" ]]
	done
}

@test "several images share their layers" {
	load_image 1
	load_image 2
	"$TOTE" tag pos:1 registry.example:5000/a/b:c
	"$TOTE" save pos:1 pos:2 registry.example:5000/a/b:c -o both.tar
	tar tf both.tar | sort >members
	[ "$(uniq -d members)" = "" ]
	# Three layers of two images, two configurations, two manifests.
	[ "$(grep -c ^blobs/ members)" = 7 ]
	rm -rf "$TOTE_STORE"
	run --separate-stderr "$TOTE" load both.tar --progress none
	[ "$(sort -u <<<"$output" | tr '\n' ' ')" = "pos:1 pos:2 registry.example:5000/a/b:c " ]
	"$TOTE" save "$("$TOTE" inspect pos:1 | jq -r '.[0].id[7:19]')" | tar xOf - manifest.json | jq -e '.[0].RepoTags | length == 2'
}

@test "what the target has is left out, and filled in from its store" {
	load_image 2
	"$TOTE" save pos:2 -o whole.tar
	export BOX=$PWD/box
	TOTE_STORE=$PWD/one
	load_image 1
	"$TOTE" save pos:1 | TOTE_STORE=$BOX "$TOTE" load -q --progress none
	TOTE_STORE=$BATS_TEST_TMPDIR/store
	TOTE_STORE=$BOX "$TOTE" images --layers | "$TOTE" save pos:2 --missing-from - -o delta.tar
	[ "$(stat -c %s delta.tar)" -lt 100000 ]
	[ "$(stat -c %s whole.tar)" -gt 3000000 ]
	! tar tf delta.tar | grep -qx manifest.json || false
	TOTE_STORE=$BOX "$TOTE" load delta.tar --progress none
	TOTE_STORE=$BOX "$TOTE" verify --deep
	TOTE_STORE=$BOX "$TOTE" save pos:2 | cmp - whole.tar
	# Who has not got the rest says so, and takes nothing in.
	TOTE_STORE=$PWD/empty refuses 3 "neither in the archive nor whole in the store" load delta.tar --progress none
	[ "$(TOTE_STORE=$PWD/empty "$TOTE" images -q)" = "" ]
}

@test "an image that is damaged is not saved, and then repaired by a load" {
	load_image
	"$TOTE" save pos:1 -o good.tar
	damage random
	"$TOTE" verify
	refuses 4 "damaged, load it again" save pos:1 -o bad.tar
	refuses 4 "damaged, load it again" save pos:1 --compress zstd -o bad.tar
	[ "$(find . -maxdepth 1 -name '*bad*')" = "" ]
	[ "$(find "$TOTE_STORE/ingest" -mindepth 1)" = "" ]
	"$TOTE" load good.tar -q --progress none
	"$TOTE" save pos:1 | cmp - good.tar
}

@test "a file that is missing, one that is cut, and a document" {
	load_image
	file=$(find "$TOTE_STORE/layers" -name random)
	mv "$file" kept
	refuses 4 "is missing" save pos:1 -o bad.tar
	head -c 1000 kept >"$file"
	refuses 4 "1000 bytes" save pos:1 -o bad.tar
	load_image
	printf ' ' >>"$TOTE_STORE/blobs/sha256/$("$TOTE" inspect pos:1 | jq -r '.[0].id[7:]')"
	refuses 4 "configuration" save pos:1 -o bad.tar
	[ "$(find . -maxdepth 1 -name '*bad*')" = "" ]
}

@test "a full disk leaves what was there, and nothing else" {
	load_image
	mkdir small
	for kind in tmpfs ext4; do
		if [ $kind = tmpfs ]; then
			mount -t tmpfs -o size=1m tmpfs small
		else
			truncate -s 3M disk && mkfs.ext4 -q -O ^has_journal disk && mount -o loop disk small
		fi
		echo before >small/x.tar
		refuses 5 "no room" save pos:1 -o small/x.tar
		# Not known beforehand; the random file does not shrink.
		refuses 5 "space" save pos:1 --compress zstd -o small/x.tar
		[ "$(cat small/x.tar)" = before ]
		[ "$(find small -type f | wc -l)" = 1 ]
		umount small
	done
}

@test "an interrupted save leaves nothing" {
	load_image
	mkfifo slow
	"$TOTE" save pos:1 -o gone.tar --compress gzip 3>&- &
	pid=$!
	sleep 0.05
	kill "$pid" 2>/dev/null || true
	code=0
	wait "$pid" || code=$?
	[ $code = 130 ] || [ $code = 143 ] || [ $code = 0 ]
	[ $code = 0 ] || [ "$(find . -maxdepth 1 -name '*gone*')" = "" ]
	# One that cannot be told of it either.
	"$TOTE" save pos:1 >slow 3>&- &
	pid=$!
	exec 7<slow
	head -c 10 <&7 >/dev/null
	exec 7<&-
	code=0
	wait "$pid" || code=$?
	[ $code = 1 ]
	[ "$(find "$TOTE_STORE/ingest" -mindepth 1)" = "" ]
}

@test "an image that is removed while it is saved is saved all the same" {
	load_image
	"$TOTE" save pos:1 >before.tar
	mkfifo slow
	"$TOTE" save pos:1 >slow 3>&- &
	pid=$!
	exec 7<slow
	# Once it writes it has found the image, and a pipe does not take all of it.
	head -c 10 <&7 >begin
	"$TOTE" rmi pos:1
	[ "$("$TOTE" images -q)" = "" ]
	cat <&7 >rest
	exec 7<&-
	wait "$pid"
	cat begin rest | cmp - before.tar
}

@test "wrong use of save is told" {
	load_image
	refuses 3 'no image "nix:latest"' save nix -o x.tar
	refuses 1 "--format" save pos:1 --format zip -o x.tar
	refuses 1 "--compress" save pos:1 --compress xz -o x.tar
	refuses 1 "--missing-from" save pos:1 --format docker --missing-from /dev/null -o x.tar
	refuses 1 "--compress" save pos:1 --format docker --compress gzip -o x.tar
	echo word >list
	refuses 1 "line 1 is no digest" save pos:1 --missing-from list -o x.tar
	refuses 1 "is a directory" save pos:1 -o .
	refuses 3 "No such file" save pos:1 -o no/such/x.tar
	[ ! -e x.tar ]
	run script -qec "$TOTE save pos:1" /dev/null
	[[ $output == *"nothing for a terminal"* ]]
}

# A container on a copy of the tree that waits.
start_container() {
	cp -a "$TREE" rootfs
	make_rootfs "$TREE" >/dev/null
	"$TOTE" spec -b .
	jq --arg root "$PWD/rootfs" '.process.terminal = false | .root.path = $root | .root.readonly = true
		| .process.args = ["/bin/sh", "-c", "exec /bin/busybox sleep 100"] | .mounts = []' config.json >new
	mv new config.json
	"$TOTE" --root "$ROOT" run -d -b . "$ID" </dev/null >out 2>&1 3>&- || { cat out; return 1; }
}

@test "a container's root file system survives export and import" {
	start_container
	run --separate-stderr "$TOTE" --root "$ROOT" export "$ID" -o x.tar
	[ "$status" = 0 ]
	[[ $stderr == *"socket: a socket: left out"* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	"$TOTE" --root "$ROOT" export "$ID" 2>/dev/null | cmp - x.tar
	[ "$("$TOTE" import x.tar root:1 --progress none)" = root:1 ]
	python3 "$BATS_TEST_DIRNAME/save_tree.py" rootfs >before
	python3 "$BATS_TEST_DIRNAME/save_tree.py" "$("$TOTE" inspect root:1 | jq -r '.[0].layers[0].path')" >after
	grep -q '^b.dir/hard. .* b.a. ' before
	diff before after
	# GNU tar reads it as well.
	mkdir gnu
	tar --xattrs --xattrs-include='*' -xpf x.tar -C gnu
	python3 "$BATS_TEST_DIRNAME/save_tree.py" gnu >after
	diff <(grep -v utf8 before) <(grep -v utf8 after)
}

@test "what is mounted below a root file system is left out" {
	start_container
	mkdir rootfs/mnt
	mount -t tmpfs tmpfs rootfs/mnt
	echo x >rootfs/mnt/inside
	"$TOTE" --root "$ROOT" export "$ID" -o x.tar 2>/dev/null
	umount rootfs/mnt
	tar tf x.tar >members
	grep -qx mnt/ members
	run ! grep -q inside members
}

@test "a tar archive becomes an image with what the options say" {
	tar -C "$TREE" -cf - --exclude=socket . >t.tar
	gzip -k t.tar
	zstd -q t.tar
	[ "$("$TOTE" import t.tar a --cmd '["sh", "-c", "a b"]' --entrypoint "/bin/busybox env" -e A=1 -e B= -w /dir -u 5:6 \
		--progress none)" = a:latest ]
	"$TOTE" inspect a | jq -e '.[0].config | .architecture as $a | (.config == {User: "5:6", Env: ["A=1", "B="],
		Entrypoint: ["/bin/busybox", "env"], Cmd: ["sh", "-c", "a b"], WorkingDir: "/dir"}) and .os == "linux"
		and (.history | length == 1) and (.created | startswith("2"))'
	"$TOTE" import t.tar.gz b -q --platform linux/arm64/v8
	"$TOTE" import - c -q <t.tar.zst
	cat t.tar | "$TOTE" import - d -q
	"$TOTE" inspect a b c d | jq -e '[.[].config.rootfs.diff_ids] | unique | length == 1'
	"$TOTE" inspect b | jq -e '.[0].config.architecture == "arm64"'
	[ "sha256:$(sha256sum <t.tar | cut -d' ' -f1)" = "$("$TOTE" inspect a | jq -r '.[0].config.rootfs.diff_ids[0]')" ]
	"$TOTE" verify --deep
	"$TOTE" save a -o a.tar
	skopeo inspect oci-archive:a.tar >/dev/null
}

@test "wrong use of export and import is told, and leaves nothing" {
	refuses 3 'no container "nix"' export nix
	head -c 100000 /dev/urandom >junk
	refuses 4 "tar" import junk j -q
	: >empty
	refuses 1 "empty" import empty j
	refuses 3 "nofile" import nofile j
	refuses 1 "directory" import . j
	refuses 1 "a digest is no name" import junk "j@sha256:$(printf '0%.0s' {1..64})"
	refuses 1 "--env" import junk j -e X
	refuses 1 "--workdir" import junk j -w x
	refuses 1 "--cmd" import junk j --cmd '["a", 1]'
	refuses 1 "--cmd" import junk j --cmd '["a"'
	tar -C "$TREE" -czf cut.tgz --exclude=socket .
	truncate -s -1000 cut.tgz
	refuses 4 "cut.tgz" import cut.tgz j -q
	[ "$("$TOTE" images -q)" = "" ]
	[ "$(find "$TOTE_STORE/ingest" "$TOTE_STORE/layers" -mindepth 1)" = "" ]
}

# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of images: layers, layouts and archives made by hand, and a store for each test.
#
#   load helpers
#   setup()    { new_store; }
#   teardown() { drop_store; }
#
# tote() works on $ROOT and, by the environment, on $STORE. Layers are tar files, NAME.tar.gz and NAME.tar.zst compressed ones.

load ../cli/helpers

new_store() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	ROOT=$BATS_TEST_TMPDIR/state
	WORK=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-image.XXXXXX")
	export TOTE_STORE=$WORK/store
	STORE=$TOTE_STORE
	cd "$WORK"
}

# After each test: containers, mounts, files.
drop_store() {
	clean_up
	unmount_all
	cd /
	rm -rf "${WORK:-/nowhere}"
}

# One store of images for all tests of a file, containers and volumes for each: share_store in setup_file, enter_store in setup,
# leave_store in teardown.
share_store() { # LAYOUT...
	local layout
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	for layout; do
		"$TOTE" load -q "$layout" >/dev/null
	done
	export -n TOTE_STORE
}

enter_store() {
	new_store
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	STORE=$TOTE_STORE ROOTFS=$BATS_FILE_TMPDIR/rootfs
}

leave_store() {
	clean_up
	rm -rf "$STORE"/{containers,ids,volumes}/*
	drop_store
}

# A root file system to run: $BATS_FILE_TMPDIR/base.tar, .gz, .zst.
make_base() {
	make_rootfs
	mkdir -p "$ROOTFS/var/data"
	echo seed >"$ROOTFS/var/data/seed"
	chmod 1777 "$ROOTFS/tmp"
	pack "$ROOTFS" "$BATS_FILE_TMPDIR/base.tar"
	gzip -nk "$BATS_FILE_TMPDIR/base.tar"
	zstd -q "$BATS_FILE_TMPDIR/base.tar"
	BASE=$BATS_FILE_TMPDIR/base.tar.gz
}

# The kinds of files that layers are made of.
make_kinds() { # DIR
	mkdir -p "$1"/{dir/sub,empty,sticky}
	echo plain >"$1/plain"
	: >"$1/nothing"
	head -c 70000 /dev/urandom >"$1/dir/big"
	ln "$1/plain" "$1/dir/hard"
	ln -s ../plain "$1/dir/soft"
	ln -s /no/such "$1/dangling"
	mkfifo -m 640 "$1/fifo"
	mknod "$1/null" c 1 3
	mknod "$1/disk" b 7 200
	echo set >"$1/setuid"
	chown 12:34 "$1/setuid"
	chmod 6755 "$1/setuid"
	chmod 1777 "$1/sticky"
	chown 100000:4000000 "$1/empty"
	echo caps >"$1/caps"
	chown 5:6 "$1/caps"
	python3 -c 'import os, sys
os.setxattr(sys.argv[1] + "/caps", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
os.setxattr(sys.argv[1] + "/plain", "user.note", b"a\0b\xff")
os.setxattr(sys.argv[1] + "/dir", "user.dir", b"yes")' "$1"
	truncate -s 1M "$1/sparse"
	echo end >>"$1/sparse"
	echo long >"$1/$(printf 'n%.0s' {1..200})"
	mkdir -p "$1/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})"
	echo deep >"$1/$(printf 'd%.0s' {1..120})/$(printf 'e%.0s' {1..120})/file"
	echo unicode >"$1/gr\303\274n \342\202\254"
	echo odd >"$1/ a b"
	touch -d '1969-12-31 23:59:50.25' "$1/nothing"
	touch -d '2021-03-04 05:06:07.123456789' "$1/dir/big" "$1/dir/sub"
	touch -h -d '2020-01-01' "$1/dir/soft"
}

pack() { # DIR TAR [OPTION...]
	local dir=$1 out=$2
	shift 2
	tar --format=pax --xattrs --xattrs-include='*' --numeric-owner --sort=name -C "$dir" "$@" -cf "$out" .
}

unpacked() { # LAYER: its bytes as a tar
	case $1 in
	*.gz) gzip -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*.xz) xz -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

sha256() { # [FILE]
	sha256sum "$@" | cut -d ' ' -f 1
}

new_layout() { # DIR
	mkdir -p "$1/blobs/sha256"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
	echo '{"schemaVersion":2,"manifests":[]}' >"$1/index.json"
}

# Sets $DIGEST and $SIZE.
add_blob() { # LAYOUT FILE
	DIGEST=$(sha256 "$2") SIZE=$(stat -c %s "$2")
	cp "$2" "$1/blobs/sha256/$DIGEST"
}

media_type() { # LAYER
	case $1 in
	*.gz) echo application/vnd.oci.image.layer.v1.tar+gzip ;;
	*.zst) echo application/vnd.oci.image.layer.v1.tar+zstd ;;
	*) echo application/vnd.oci.image.layer.v1.tar ;;
	esac
}

host_arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	armv7l) echo arm ;;
	*) uname -m ;;
	esac
}

# A manifest of layers, lowest first; $CONFIG is a jq program on its configuration, $ARCH its architecture. Sets $MANIFEST and
# $MANIFEST_SIZE, the manifest's digest, and $IMAGE_ID.
add_manifest() { # LAYOUT LAYER...
	local layout=$1 layer layers='[]' diff_ids='[]'
	shift
	for layer; do
		add_blob "$layout" "$layer"
		layers=$(jq -c --arg t "$(media_type "$layer")" --arg d "sha256:$DIGEST" --argjson s "$SIZE" \
			'. + [{mediaType: $t, digest: $d, size: $s}]' <<<"$layers")
		diff_ids=$(jq -c --arg d "sha256:$(unpacked "$layer" | sha256)" '. + [$d]' <<<"$diff_ids")
	done
	jq -c --arg a "${ARCH:-$(host_arch)}" --argjson d "$diff_ids" "${CONFIG:-.}" >"$layout.document" \
		<<<'{"os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers"}}'
	jq -c --arg a "${ARCH:-$(host_arch)}" --argjson d "$diff_ids" '.architecture = $a | .rootfs.diff_ids = $d' \
		<"$layout.document" >"$layout.config"
	add_blob "$layout" "$layout.config"
	IMAGE_ID=$DIGEST
	jq -nc --argjson l "$layers" --arg d "sha256:$DIGEST" --argjson s "$SIZE" '{schemaVersion: 2,
		mediaType: "application/vnd.oci.image.manifest.v1+json",
		config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $d, size: $s}, layers: $l}' >"$layout.document"
	add_blob "$layout" "$layout.document"
	MANIFEST=$DIGEST MANIFEST_SIZE=$SIZE
	rm "$layout.document" "$layout.config"
}

# Changes index.json by a jq program.
index() { # LAYOUT JQ...
	local layout=$1
	shift
	jq -c "$@" <"$layout/index.json" >"$layout/index.new" && mv "$layout/index.new" "$layout/index.json"
}

describe() { # LAYOUT [NAME [ANNOTATION]]: the last manifest, in index.json
	index "$1" --arg d "sha256:$MANIFEST" --argjson s "$MANIFEST_SIZE" --arg n "${2:-}" \
		--arg k "${3:-org.opencontainers.image.ref.name}" '.manifests += [{mediaType: "application/vnd.oci.image.manifest.v1+json",
			digest: $d, size: $s} + if $n == "" then {} else {annotations: {($k): $n}} end]'
}

make_layout() { # LAYOUT NAME LAYER...
	local layout=$1 name=$2
	shift 2
	new_layout "$layout"
	add_manifest "$layout" "$@"
	describe "$layout" "$name"
}

archive() { # LAYOUT TAR
	tar -C "$1" -cf "$2" .
}

# An archive as docker save wrote it before 25, of one image.
make_docker() { # DIR NAME LAYER...
	local dir=$1 name=$2 layer layers='[]' diff_ids='[]' id n=0
	shift 2
	rm -rf "$dir"
	mkdir -p "$dir"
	for layer; do
		n=$((n + 1))
		id=$(printf '%064x' $n)
		mkdir "$dir/$id"
		echo 1.0 >"$dir/$id/VERSION"
		echo '{}' >"$dir/$id/json"
		unpacked "$layer" >"$dir/$id/layer.tar"
		layers=$(jq -c ". + [\"$id/layer.tar\"]" <<<"$layers")
		diff_ids=$(jq -c ". + [\"sha256:$(sha256 "$dir/$id/layer.tar")\"]" <<<"$diff_ids")
	done
	jq -nc --argjson d "$diff_ids" --arg a "$(host_arch)" '{os: "linux", architecture: $a, config: {Cmd: ["/bin/sh"]},
		rootfs: {type: "layers", diff_ids: $d}}' >"$dir/config"
	IMAGE_ID=$(sha256 "$dir/config")
	mv "$dir/config" "$dir/$IMAGE_ID.json"
	jq -nc --arg c "$IMAGE_ID.json" --arg n "$name" --argjson l "$layers" \
		'[{Config: $c, RepoTags: (if $n == "" then null else [$n] end), Layers: $l}]' >"$dir/manifest.json"
	echo '{}' >"$dir/repositories"
}

# What the store holds, without times.
listing() { # [STORE]
	python3 "$BATS_TEST_DIRNAME/listing.py" -t -s lock "${1:-$STORE}"
}

tree() { # DIR
	python3 "$BATS_TEST_DIRNAME/listing.py" "$1"
}

# The store is as $BEFORE, a listing, says.
unchanged() {
	diff <(echo "$BEFORE") <(listing)
}

# Nothing is left of what was under way.
nothing_staged() {
	[ -z "$(ls -A "$STORE/ingest")" ] || { ls -lR "$STORE/ingest"; return 1; }
}

# tote ARGUMENT... must end with code $1 and say $2 on stderr.
# For `run`: a command may well end with 127, which bats 1.8 takes for a typing error in the test, and then loses the test.
not_127() {
	local code=0
	"$@" || code=$?
	[ "$code" != 127 ] || code=126
	return "$code"
}

fails() {
	local code=$1 words=$2
	shift 2
	run -"$code" --separate-stderr timeout 60 "$TOTE" --root "$ROOT" "$@" 3>&-
	echo "tote $*: code $status, stdout \"$output\", stderr \"$stderr\""
	[ "$status" -eq "$code" ] || return 1
	[[ $stderr == *"$words"* ]]
}

names() {
	tote images --format json | jq -r '.[].names[]' | sort | tr '\n' ' '
}

ids() {
	tote images -q | sort | tr '\n' ' '
}

# Mounts an image's layers by overlayfs, read-only, at $MERGED. By short names, as mount(2) takes one page.
mount_image() { # IMAGE
	local lower
	# overlayfs takes no layer twice: the uppermost counts.
	lower=$(tote inspect "$1" | jq -r --arg s "$STORE/layers/" '[.[0].layers[].path | ltrimstr($s)] | reverse
		| reduce .[] as $l ([]; if index($l) then . else . + [$l] end) | join(":")')
	MERGED=$WORK/merged
	mkdir -p "$MERGED" "$WORK/none"
	(cd "$STORE/layers" && mount -t overlay -o "ro,lowerdir=$lower:$WORK/none" overlay "$MERGED")
}

unmount_all() {
	[ ! -d "${MERGED:-/nowhere}" ] || umount "$MERGED" 2>/dev/null || true
	[ ! -d "${DISK:-/nowhere}" ] || umount "$DISK" 2>/dev/null || true
}

# An ext4 of its own at $DISK, from the file $DISK_FILE.
make_disk() { # SIZE [MKFS OPTION...]
	local size=$1
	shift
	DISK=$WORK/disk DISK_FILE=$WORK/disk.img
	truncate -s "$size" "$DISK_FILE"
	mkfs.ext4 -q -m 0 -E lazy_itable_init=0,lazy_journal_init=0 "$@" "$DISK_FILE"
	mkdir -p "$DISK"
	mount -o loop "$DISK_FILE" "$DISK" || skip "cannot mount a loop device here"
}

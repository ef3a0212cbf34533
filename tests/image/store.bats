#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The store: names, what gc takes and leaves, what verify finds and load repairs, several at once.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	pack "$ROOTFS" "$BATS_FILE_TMPDIR/base.tar"
	gzip -nk1 "$BATS_FILE_TMPDIR/base.tar"
	make_kinds "$BATS_FILE_TMPDIR/kinds"
	pack "$BATS_FILE_TMPDIR/kinds" "$BATS_FILE_TMPDIR/kinds.tar"
	mkdir "$BATS_FILE_TMPDIR/small"
	echo two >"$BATS_FILE_TMPDIR/small/two"
	pack "$BATS_FILE_TMPDIR/small" "$BATS_FILE_TMPDIR/small.tar"
	make_layout "$BATS_FILE_TMPDIR/one" pos:1 "$BATS_FILE_TMPDIR/base.tar.gz"
	make_layout "$BATS_FILE_TMPDIR/two" pos:2 "$BATS_FILE_TMPDIR/base.tar.gz" "$BATS_FILE_TMPDIR/small.tar"
	make_layout "$BATS_FILE_TMPDIR/kinds-oci" kinds:1 "$BATS_FILE_TMPDIR/kinds.tar"
	# Twenty layers, so that loading takes a moment.
	local layers=()
	for i in {1..20}; do
		mkdir "$BATS_FILE_TMPDIR/many$i"
		for j in {1..20}; do
			head -c 3000 /dev/urandom >"$BATS_FILE_TMPDIR/many$i/$i-$j"
		done
		tar -C "$BATS_FILE_TMPDIR/many$i" -cf "$BATS_FILE_TMPDIR/many$i.tar" .
		layers+=("$BATS_FILE_TMPDIR/many$i.tar")
	done
	make_layout "$BATS_FILE_TMPDIR/many" many:1 "${layers[@]}"
}

setup() {
	new_store
	ONE=$BATS_FILE_TMPDIR/one TWO=$BATS_FILE_TMPDIR/two KINDS=$BATS_FILE_TMPDIR/kinds-oci MANY=$BATS_FILE_TMPDIR/many
}

teardown() {
	drop_store
}

quiet_load() {
	tote load "$@" >"$WORK/loaded" 2>&1 || { cat "$WORK/loaded"; return 1; }
}

layer_of() { # IMAGE [N]: the directory of a layer in the store
	dirname "$(tote inspect "$1" | jq -r ".[0].layers[${2:-0}].path")"
}

@test "tag, inspect and rmi by name and by ID" {
	quiet_load "$ONE"
	quiet_load "$TWO"
	tote tag pos:1 registry.example/shop/pos:9 other
	[ "$(names)" = "other:latest pos:1 pos:2 registry.example/shop/pos:9 " ]
	digest=$(tote inspect pos:1 | jq -r '.[0].digest') id=$(tote inspect pos:1 | jq -r '.[0].id')
	[ "$(tote inspect pos:1 | jq -r '.[0].names | length')" = 3 ]
	[ "$(tote inspect pos:1 | jq -r '.[0].config.os')" = linux ]
	[ "$(tote inspect pos:1 | jq -r '.[0].manifest.layers | length')" = 1 ]
	for name in other docker.io/library/pos:1 "$id" "$digest" "${id#sha256:}" "${digest:7:12}" "${id:7:8}" "pos@$digest"; do
		[ "$(tote inspect "$name" | jq -r '.[0].digest')" = "$digest" ] || { echo "$name"; return 1; }
	done
	fails 3 'no image "nowhere' inspect nowhere
	fails 3 'no image "pos:latest"' inspect pos
	fails 1 "image name" inspect 'a b'
	fails 1 "digest is no name" tag pos:1 "x@$digest"
	fails 3 "no image" tag nowhere x
	fails 1 "3 names" rmi "${id:7:12}"
	tote rmi other
	[ "$(names)" = "pos:1 pos:2 registry.example/shop/pos:9 " ]
	fails 3 "no image" rmi other
	tote rmi --force other
	tote rmi --force "${id:7:12}"
	[ "$(names)" = "pos:2 " ]
	tote verify --deep
	tote rmi pos:2
	# Of all of it nothing is left.
	[ -z "$(find "$STORE"/{layers,l,images,refs,ingest,containers,blobs/*} -mindepth 1)" ]
	[ "$(tote images --format json)" = "[]" ]
}

@test "one configuration in two images is still one ID" {
	quiet_load "$ONE"
	skopeo copy -q "oci:$ONE:pos:1" docker-archive:docker.tar:other:1
	quiet_load docker.tar
	[ "$(tote images -q | sort -u | wc -l)" = 1 ]
	id=$(tote inspect pos:1 | jq -r '.[0].id')
	tote inspect "$id" >/dev/null
	tote verify "${id:7:12}"
}

@test "images, df, and no store" {
	run --separate-stderr tote images
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 1 ]
	[ ! -e "$STORE" ]
	fails 3 "" inspect pos:1
	fails 3 "" df
	tote gc
	quiet_load "$TWO"
	run tote images
	[[ ${lines[1]} =~ ^pos:2\ +[0-9a-f]{12}\ +[0-9T:Z-]{20}\ +2\ +[0-9.]+\ [kM]B$ ]]
	[ "$(tote images --layers | wc -l)" = 4 ]
	[ "$(tote df --format json | jq -c '[.layers.count, .documents.count, .containers.count, .unfinished.count]')" = "[2,2,0,0]" ]
	[ "$(tote df --format json | jq '.layers.bytes')" -ge "$(stat -c %s "$BATS_FILE_TMPDIR/base.tar.gz")" ]
	chmod 777 "$STORE"
	fails 1 "image store" images
	# Others may look at it: what is in it is closed to them.
	chmod 755 "$STORE"
	tote images >/dev/null
	[ -z "$(find "$STORE" -mindepth 1 -maxdepth 1 -perm /077)" ]
	chmod 700 "$STORE"
	echo 9 >"$STORE/version"
	fails 6 'version "9"' images
}

@test "gc --dry-run changes nothing, gc takes what it said" {
	quiet_load "$ONE"
	quiet_load "$TWO"
	tote rmi --no-gc pos:2
	mkdir "$STORE/ingest/0123456789abcdef"
	: >"$STORE/ingest/0123456789abcdef/lease"
	: >"$STORE/refs/.pos:1.tmp"
	BEFORE=$(listing)
	tote gc --dry-run >said
	unchanged
	[ "$(cut -d ' ' -f 1 said | sort | tr '\n' ' ')" = "blob blob image layer total " ]
	tote gc >did
	cmp said did
	[ "$(ls "$STORE/layers" | wc -l)" = 1 ]
	[ "$(ls -A "$STORE/refs")" = pos:1 ]
	nothing_staged
	tote verify --deep
	[ -z "$(tote gc)" ]
}

@test "gc leaves what containers have, running and stopped" {
	quiet_load "$TWO"
	quietly tote run -d --name up pos:2 sleep 1000
	tote run --name down pos:2 true
	tote rmi pos:2
	[ "$(names)" = "" ]
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	[ "$(ls "$STORE/containers" | wc -l)" = 2 ]
	tote exec up cat /two
	tote delete down
	tote gc
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	[ "$(ls "$STORE/containers" | wc -l)" = 1 ]
	tote verify --deep
	tote delete --force up
	tote gc | grep -c ^layer | grep -qx 2
	[ -z "$(find "$STORE"/{layers,l,images,ingest,containers,blobs/*} -mindepth 1)" ]
	# A container whose state is gone, as after a new boot.
	quiet_load "$TWO"
	tote run --name lost pos:2 true
	rm -rf "$ROOT"
	tote gc | grep -q '^container lost-'
	[ -z "$(ls "$STORE/containers")" ]
}

@test "what dead processes left in ingest is removed, what living ones have is not" {
	quiet_load "$ONE"
	for i in $(seq 70); do
		mkdir -p "$STORE/ingest/dead$i/layer-0/fs"
		: >"$STORE/ingest/dead$i/lease"
	done
	mkdir "$STORE/ingest/alive" "$STORE/ingest/unnamed"
	: >"$STORE/ingest/file"
	layer=$(basename "$(layer_of pos:1)")
	echo "$layer" >"$STORE/ingest/alive/lease"
	exec {held}<>"$STORE/ingest/alive/lease"
	flock -x "$held"
	tote rmi pos:1
	[ "$(ls "$STORE/ingest")" = alive ]
	# It relies on the layer.
	[ "$(ls "$STORE/layers")" = "$layer" ]
	exec {held}>&-
	tote gc
	nothing_staged
	[ -z "$(ls "$STORE/layers" "$STORE/l")" ] || [ "$(ls "$STORE/layers" | wc -l)" = 0 ]
}

# KIND of harm; quick: whether a quick look finds it.
harm() { # DIR KIND
	case $2 in
	truncated) truncate -s 100 "$1/dir/big" ;;
	emptied) : >"$1/plain" ;;
	longer) echo more >>"$1/setuid" ;;
	missing) rm "$1/dir/big" ;;
	flipped) flip "$1/dir/big" 50000 ;;
	chmod) chmod 700 "$1/setuid" ;;
	chown) chown 1:1 "$1/plain" ;;
	link) ln -sfn elsewhere "$1/dangling" ;;
	type) rm "$1/fifo" && mkdir "$1/fifo" ;;
	directory) rmdir "$1/sticky" ;;
	time) touch -d 2001-01-01 "$1/dir/big" ;;
	device) rm "$1/null" && mknod "$1/null" c 1 5 ;;
	meta) : >"$1/../meta" ;;
	nometa) rm "$1/../meta" ;;
	split) truncate -s 60 "$1/../split" ;;
	nosplit) rm "$1/../split" ;;
	tree) mv "$1" "$1.away" ;;
	esac
}

@test "verify finds each kind of damage, and load repairs it" {
	quiet_load "$KINDS"
	before=$(tree "$(layer_of kinds:1)/fs")
	for kind in truncated emptied longer missing split nosplit tree flipped chmod chown link type directory time device; do
		harm "$(layer_of kinds:1)/fs" "$kind"
		case $kind in
		flipped | chmod | chown | link | type | directory | time | device)
			run tote verify
			[ "$status" = 0 ] || { echo "$kind: $output"; return 1; }
			run --separate-stderr tote verify --deep kinds:1
			;;
		*) run --separate-stderr tote verify ;;
		esac
		echo "$kind: $status $output"
		[ "$status" = 4 ]
		[[ $output == "kinds:1: "*layer* ]]
		[ "$(tote verify --format json | jq '.[0].whole' || true)" = false ]
		run tote verify
		[ "$status" = 4 ]
		quiet_load "$KINDS"
		[[ $(cat loaded) == *unpacked* ]] || { cat loaded; return 1; }
		tote verify --deep >/dev/null
		diff <(echo "$before") <(tree "$(layer_of kinds:1)/fs")
	done
	nothing_staged
	for kind in meta nometa; do
		layer=$(layer_of kinds:1)
		harm "$layer/fs" $kind
		quiet_load "$KINDS"
		[ -s "$layer/meta" ] || { echo "$kind is not repaired"; return 1; }
		tote verify --deep
	done
	rm "$STORE"/l/*
	run tote verify
	[ "$status" = 4 ]
	quiet_load "$KINDS"
	tote verify
	[ "$(ls "$STORE/l" | wc -l)" = 1 ]
}

# What is no content, in the layer N of an image: a deep look finds it, and load repairs this layer alone.
deep_harm() { # LAYOUT IMAGE N KIND...
	local layout=$1 image=$2 n=$3 before kind
	shift 3
	quiet_load "$layout"
	tote verify --deep >/dev/null
	before=$(listing "$(layer_of "$image" "$n")/fs")
	for kind; do
		python3 "$BATS_TEST_DIRNAME/harm.py" "$(layer_of "$image" "$n")/fs" "$kind"
		run --separate-stderr tote verify --deep
		echo "$kind: $status $output"
		[ "$status" = 4 ]
		[[ $output == "$image: layer "* ]]
		quiet_load "$layout"
		cat loaded
		[ "$(grep -c unpacked loaded)" = 1 ]
		tote verify --deep >/dev/null
		diff <(echo "$before") <(listing "$(layer_of "$image" "$n")/fs")
	done
}

@test "verify --deep compares links, extended attributes, and what is there at all" {
	deep_harm "$KINDS" kinds:1 0 target attribute value foreign capability copied surplus folder
}

# Layers with what hides files of those below: a whiteout, an opaque directory, one that a whiteout and a directory of its name
# mean, whiteouts that need not be there, names that come twice; and without a member for the root.
make_hiding() {
	mkdir -p low/{a,b,c} high/{a,b/sub,c}
	touch low/a/gone low/b/hid low/c/hid high/a/.wh.gone high/b/{.wh..wh..opq,.wh.needless} high/b/sub/.wh.needless high/.wh.c
	pack low low.tar
	tar -C high -cf high.tar a b c a .wh.c
	tar -C high --mode=700 --no-recursion -rf high.tar a
	tar -C high --no-recursion -rf high.tar a a/.wh.gone
	make_layout oci hiding:1 low.tar high.tar
}

@test "verify --deep compares what hides files of the layers below" {
	make_hiding
	deep_harm "$PWD/oci" hiding:1 1 root whiteout unhidden implied hiding
	[ "$(jq -r .whole "$(layer_of hiding:1 1)/meta")" = false ]
	# Two layers at once.
	for i in 0 1; do
		touch "$(layer_of hiding:1 $i)/fs/surplus"
	done
	fails 4 "" verify --deep
	quiet_load oci
	[ "$(grep -c unpacked loaded)" = 2 ]
	tote verify --deep
}

@test "verify --deep compares attributes of layers that rely on others" {
	mkdir -p low/usr/lib high/lib
	ln -s usr/lib low/lib
	echo high >high/lib/high
	ln high/lib/high high/lib/hard
	python3 -c 'import os; os.setxattr("high/lib/high", "user.note", b"x")'
	pack low low.tar
	tar --xattrs -C high -cf high.tar lib/high lib/hard
	make_layout oci merged:1 low.tar high.tar
	deep_harm "$PWD/oci" merged:1 1 above-attribute above-copied above-hiding
}

@test "verify finds damaged documents and records, and load repairs them" {
	quiet_load "$KINDS"
	for file in images blobs/sha256; do
		for path in "$STORE/$file"/*; do
			for how in "truncate -s 0" "truncate -s 100" "sed -i s/sha256/sha255/" rm; do
				# A record that is gone is an image that is not there.
				[ "$how $file" != "rm images" ] || continue
				$how "$path"
				run tote verify
				echo "$path $how: $status $output"
				[ "$status" = 4 ]
				quiet_load "$KINDS"
				tote verify --deep
			done
		done
	done
	: >"$STORE"/images/$(ls "$STORE/images")
	fails 4 "image sha256:" inspect kinds:1
}

@test "a damaged name is told by verify and gc, and removed by rmi or mended by load" {
	for how in "truncate -s 0" "truncate -s 20" "cp /bin/true"; do
		quiet_load "$KINDS"
		tote tag kinds:1 second
		$how "$STORE/refs/kinds:1"
		run --separate-stderr tote verify
		echo "$how: $status $output"
		[ "$status" = 4 ]
		[[ $output == *"kinds:1: "* && $output == *"second:latest: whole"* ]]
		[ "$(tote verify --format json | jq -c '.[] | select(.whole | not) | [.name, has("digest")]')" = '["kinds:1",false]' ]
		fails 4 "kinds:1 is damaged, load it again or remove it by rmi" gc
		quiet_load "$KINDS"
		tote gc
		tote verify
		$how "$STORE/refs/kinds:1"
		tote rmi kinds:1
		tote verify
	done
}

@test "a damaged record is told with its names, and removed by its digest" {
	for kind in bare prefixed short pinned; do
		quiet_load "$ONE"
		quiet_load "$KINDS"
		tote tag kinds:1 second
		hex=$(tote inspect kinds:1 | jq -r '.[0].digest[7:]')
		: >"$STORE/images/$hex"
		fails 0 "kinds:1" images
		fails 4 "images/$hex is damaged, load its image again or remove it by rmi --force ${hex::12}" gc
		[[ $stderr == *"kinds:1: "* || $stderr == *"second:latest: "* ]]
		[ "$(tote verify --format json 2>/dev/null | jq -r '.[] | select(.whole | not) | .name, .digest' | paste -sd' ')" = "kinds:1 sha256:$hex" ]
		fails 4 "${hex::12}" rmi "$hex"
		case $kind in
		bare) tote rmi --force "$hex" ;;
		prefixed) tote rmi --force "sha256:$hex" ;;
		short) tote rmi --force "${hex::12}" ;;
		pinned)
			tote rmi --no-gc second
			tote rmi "kinds@sha256:$hex"
			;;
		esac
		[ "$(names)" = "pos:1 " ]
		[ "$(ls "$STORE/images" | wc -l)" = 1 ]
		tote verify
	done
}

@test "verify of a layer that relies on others sees its files" {
	mkdir -p low/usr/lib high/lib
	ln -s usr/lib low/lib
	echo low >low/usr/lib/low
	echo high >high/lib/high
	pack low low.tar
	tar -C high -cf high.tar lib/high
	make_layout oci merged:1 low.tar high.tar
	quiet_load oci
	file=$(layer_of merged:1 1)/fs/usr/lib/high
	[ -f "$file" ]
	tote verify --deep
	for how in "truncate -s 0" "sed -i s/high/HIGH/" rm; do
		$how "$file"
		run tote verify --deep
		echo "$how: $status $output"
		[ "$status" = 4 ]
		quiet_load oci
		[ "$(cat "$file")" = high ]
		tote verify --deep
	done
}

@test "a layer that relies on others which come twice" {
	mkdir -p low/usr/lib mid high/lib
	ln -s usr/lib low/lib
	echo mid >mid/mid
	echo high >high/lib/high
	pack low low.tar
	pack mid mid.tar
	tar -C high -cf high.tar lib/high
	make_layout oci merged:2 low.tar mid.tar low.tar mid.tar high.tar
	quiet_load oci
	[ "$(cat "$(layer_of merged:2 4)/fs/usr/lib/high")" = high ]
	[ "$(ls "$STORE/layers" | wc -l)" = 3 ]
	tote verify --deep
}

@test "the same image loaded by eight at once" {
	local pids=()
	for i in {1..8}; do
		tote load -q "$MANY" >"out$i" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || { cat out*; return 1; }
	done
	[ "$(sort -u out* | wc -l)" = 1 ]
	[ "$(ls "$STORE/layers" | wc -l)" = 20 ]
	[ "$(ls "$STORE/l" | wc -l)" = 20 ]
	nothing_staged
	tote verify --deep
	[ -z "$(tote gc)" ]
}

@test "loads, removals, tags and gc at once" {
	local pids=()
	quiet_load "$ONE"
	for i in 1 2 3; do
		(for j in {1..6}; do tote load -q "$MANY" && tote verify >"verify$i" || { cat "verify$i"; exit 1; }; done) >"load$i" 2>&1 3>&- &
		pids+=($!)
	done
	(for j in {1..40}; do tote gc; done) >gc 2>&1 3>&- &
	pids+=($!)
	(for j in {1..15}; do tote load -q "$TWO" && tote rmi pos:2; done) >rmi 2>&1 3>&- &
	pids+=($!)
	(for j in {1..30}; do tote tag pos:1 "tag:$j"; done) >tag 2>&1 3>&- &
	pids+=($!)
	for pid in "${pids[@]}"; do
		wait "$pid" || { tail -n 3 load? rmi tag gc; return 1; }
	done
	[ "$(names | wc -w)" = 32 ]
	tote verify --deep >/dev/null
	tote gc
	nothing_staged
	[ "$(ls "$STORE/layers" | wc -l)" = 21 ]
	[ "$(ls "$STORE/l" | wc -l)" = 21 ]
}

# strace makes system calls of tote fail, or kills whoever makes them.
struck() { # INJECTION [STRACE OPTION...] -- ARGUMENT...
	local inject=$1 options=()
	shift
	for (( ; $#; )); do
		[ "$1" != -- ] || { shift; break; }
		options+=("$1")
		shift
	done
	run --separate-stderr timeout 60 strace -f -qq -o trace "${options[@]}" -e "inject=$inject" "$TOTE" --root "$ROOT" "$@" 3>&-
	echo "$inject: code $status, stdout \"$output\", stderr \"$stderr\""
	grep -q -e INJECTED -e 'killed by' trace
}

@test "what keeps verify from looking is no damage, and a deep look clears what is whole again" {
	quiet_load "$KINDS"
	layer=$(layer_of kinds:1)
	# As whoever is out of memory is: only the process that looks makes this call.
	struck openat2:signal=KILL -- verify --deep
	[ "$status" != 0 ]
	[[ $output$stderr == *"killed by signal 9"* ]]
	[ ! -e "$layer/damaged" ]
	tote verify
	cp -p "$layer/fs/dir/big" kept
	harm "$layer/fs" flipped
	fails 4 "" verify --deep
	cp -p kept "$layer/fs/dir/big"
	fails 4 "" verify
	tote verify --deep
	tote verify
}

@test "gc removes nothing while a record, a reference or a lease cannot be read" {
	quiet_load "$ONE"
	quiet_load "$KINDS"
	record=images/$(tote inspect kinds:1 | jq -r '.[0].digest[7:]') names=$(names)
	mkdir "$STORE/layers/unneeded"
	BEFORE=$(listing)
	for path in "$record" refs/kinds:1; do
		for error in EIO EMFILE; do
			struck openat:error=$error -P "$path" -- gc
			[ "$status" = 1 ]
			[[ $stderr == *"$path"* ]]
			unchanged
		done
	done
	mkdir "$STORE/ingest/alive"
	: >"$STORE/ingest/alive/lease"
	exec {held}<>"$STORE/ingest/alive/lease"
	flock -x "$held"
	BEFORE=$(listing)
	struck openat:error=EIO -P ingest/alive/lease -- gc
	[ "$status" = 1 ]
	unchanged
	exec {held}>&-
	truncate -s 40 "$STORE/$record"
	fails 4 "$record is damaged, load its image again" gc
	[ -d "$STORE/layers/unneeded" ]
	[ "$(ls "$STORE/layers" | wc -l)" = 3 ]
	quiet_load "$KINDS"
	tote gc
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	[ "$(names)" = "$names" ]
	tote verify --deep
}

@test "gc removes nothing while the record of a running container's image is missing" {
	quiet_load "$TWO"
	quietly tote run -d --name up pos:2 sleep 1000
	tote rmi pos:2
	rm "$STORE"/images/*
	fails 3 "container up-" gc
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	tote delete --force up
	tote gc
	[ -z "$(ls "$STORE/layers")" ]
}

@test "gc keeps a container whose state cannot be read" {
	quiet_load "$TWO"
	tote run --name down pos:2 true
	tote rmi pos:2
	struck openat:error=EIO -P "$ROOT/down/state.json" -- gc
	[ "$status" = 0 ]
	[ "$(ls "$STORE/containers" | wc -l)" = 1 ]
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
}

@test "a layer that is replaced stays for the containers that run from it" {
	quiet_load "$TWO"
	quietly tote run -d --name up pos:2 sleep 1000
	: >"$(layer_of pos:2 1)/damaged"
	quiet_load "$TWO"
	tote verify --deep
	nothing_staged
	tote gc
	[ "$(tote exec up cat /two)" = two ]
	[ "$(ls "$STORE/layers" | grep -c ^old-)" = 1 ]
	tote rmi pos:2
	[ "$(ls "$STORE/layers" | wc -l)" = 3 ]
	tote delete --force up
	tote gc
	[ -z "$(ls "$STORE/layers")" ]
}

@test "a name moves to a new image while the old one runs" {
	quiet_load "$ONE"
	quietly tote run -d --name old pos:1 sleep 1000
	tote --store "$STORE" load --name pos:1 "$TWO" 2>/dev/null
	tote gc
	[ "$(tote images -q | wc -l)" = 2 ]
	tote exec old test ! -e /two
	[ "$(tote run --rm pos:1 cat /two)" = two ]
	tote delete --force old
	tote gc
	[ "$(tote images -q | wc -l)" = 1 ]
}

@test "gc and rmi leave what a project names, also what its update may come back to" {
	export TOTE_SUPERVISE_DIR=$WORK/supervise
	mkdir -p "$TOTE_SUPERVISE_DIR/state"
	quiet_load "$ONE"
	quiet_load "$TWO"
	quiet_load "$KINDS"
	one=$(tote inspect pos:1 | jq -r '.[0].digest') two=$(tote inspect pos:2 | jq -r '.[0].digest')
	jq -n --arg one "$one" --arg two "$two" '{name: "shop", services: [{name: "a", image: "pos:2", digest: $two,
		previous: {name: "a", image: "pos:1", digest: $one}}, {name: "b", image: "gone:1", digest: ("sha256:" + "0" * 64)}]}' \
		>"$TOTE_SUPERVISE_DIR/state/shop.json"
	tote rmi pos:1 pos:2
	tote gc >gone
	[ ! -s gone ]
	tote inspect "$one" "$two" >/dev/null
	# One that cannot be read may need anything.
	echo '{' >"$TOTE_SUPERVISE_DIR/state/other.json"
	fails 1 "nothing is removed, as a project may need it" rmi kinds:1
	fails 1 "other.json" gc
	[ "$(tote images --format json | jq length)" = 3 ]
	rm "$TOTE_SUPERVISE_DIR/state/other.json"
	[ "$(tote gc | grep -c ^image)" = 1 ]
	rm "$TOTE_SUPERVISE_DIR/state/shop.json"
	[ "$(tote gc | grep -c ^image)" = 2 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `tote load` takes in, from where, under which names; and what it refuses, leaving nothing behind.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_kinds "$BATS_FILE_TMPDIR/kinds"
	pack "$BATS_FILE_TMPDIR/kinds" "$BATS_FILE_TMPDIR/base.tar"
	gzip -nk "$BATS_FILE_TMPDIR/base.tar"
	for name in second third; do
		mkdir "$BATS_FILE_TMPDIR/$name"
		echo "$name" >"$BATS_FILE_TMPDIR/$name/$name"
		pack "$BATS_FILE_TMPDIR/$name" "$BATS_FILE_TMPDIR/$name.tar"
	done
	zstd -q "$BATS_FILE_TMPDIR/second.tar"
}

setup() {
	new_store
	BASE=$BATS_FILE_TMPDIR/base.tar.gz
	SECOND=$BATS_FILE_TMPDIR/second.tar.zst
}

teardown() {
	drop_store
}

# A fresh store takes SOURCE in as the image $IMAGE_ID and the names given, whole.
loads() { # SOURCE NAMES
	rm -rf "$STORE"
	run --separate-stderr timeout 60 "$TOTE" load "$1" 3>&-
	echo "load $1: code $status, \"$output\", $stderr"
	[ "$status" = 0 ] || return 1
	[ "$(names)" = "$2 " ] || { names; return 1; }
	[ "$(tote images -q | sort -u)" = "sha256:$IMAGE_ID" ] || return 1
	tote verify --deep >/dev/null || return 1
	nothing_staged
}

@test "an OCI layout as a directory, an archive, compressed, through a pipe, from a fifo" {
	make_layout oci registry.example/pos:1.2 "$BASE" "$SECOND"
	archive oci oci.tar
	gzip -k oci.tar
	zstd -q oci.tar
	(cd oci && tar --format=v7 -cf ../plain.tar oci-layout index.json blobs)
	bsdtar -cf bsd.tar -C oci oci-layout index.json blobs
	for source in oci oci/ oci.tar oci.tar.gz oci.tar.zst plain.tar bsd.tar; do
		loads "$source" registry.example/pos:1.2
		[ "$(tote images --format json | jq -r '.[0].digest')" = "sha256:$MANIFEST" ]
	done
	for source in oci.tar oci.tar.gz oci.tar.zst; do
		loads - registry.example/pos:1.2 <"$source"
		cat "$source" | loads - registry.example/pos:1.2
	done
	mkfifo fifo
	timeout 20 cat oci.tar >fifo 3>&- &
	loads fifo registry.example/pos:1.2
	wait
	loads "--input=oci.tar" registry.example/pos:1.2
}

@test "archives of docker save: old, with links, compressed, the manifest first or last" {
	make_docker docker registry.example/pos:1.2 "$BASE" "$SECOND"
	loads docker registry.example/pos:1.2
	tar -C docker -cf last.tar --sort=name .
	(cd docker && tar -cf ../first.tar manifest.json "$IMAGE_ID.json" 0*)
	gzip -k last.tar
	# Members named twice to tar: the second is a link to itself.
	(cd docker && tar -cf ../twice.tar manifest.json "$IMAGE_ID.json" "$IMAGE_ID.json" 0* 0*)
	for source in last.tar first.tar last.tar.gz twice.tar; do
		loads "$source" registry.example/pos:1.2
		cat "$source" | loads - registry.example/pos:1.2
	done
	# A layer that is there twice is a link the second time.
	cp -r docker linked
	id=$(printf '%064x' 3)
	mkdir "linked/$id"
	ln -s "../$(printf '%064x' 1)/layer.tar" "linked/$id/layer.tar"
	jq -c ".[0].Layers += [\"$id/layer.tar\"]" <docker/manifest.json >linked/manifest.json
	jq -c '.rootfs.diff_ids += [.rootfs.diff_ids[0]]' <"docker/$IMAGE_ID.json" >config
	rm "linked/$IMAGE_ID.json"
	IMAGE_ID=$(sha256 config)
	mv config "linked/$IMAGE_ID.json"
	jq -c ".[0].Config = \"$IMAGE_ID.json\"" <linked/manifest.json >manifest && mv manifest linked/manifest.json
	tar -C linked -cf linked.tar .
	loads linked.tar registry.example/pos:1.2
	[ "$(tote inspect registry.example/pos:1.2 | jq '.[0].layers | length')" = 3 ]
	rm "linked/$id/layer.tar"
	ln "linked/$(printf '%064x' 1)/layer.tar" "linked/$id/layer.tar"
	tar -C linked -cf linked.tar .
	loads linked.tar registry.example/pos:1.2
}

@test "skopeo, podman and buildah" {
	make_layout oci 1.2 "$BASE" "$BATS_FILE_TMPDIR/second.tar"
	skopeo copy -q oci:oci:1.2 docker-archive:skopeo.tar:registry.example/pos:1.2
	loads skopeo.tar registry.example/pos:1.2
	skopeo copy -q oci:oci:1.2 oci-archive:skopeo-oci.tar:registry.example/pos:1.2
	loads skopeo-oci.tar registry.example/pos:1.2
	local storage=(--root "$PWD/storage" --runroot "$PWD/run" --storage-driver vfs)
	buildah "${storage[@]}" pull -q oci:oci:1.2
	id=$(buildah "${storage[@]}" images -q)
	buildah "${storage[@]}" push -q "$id" oci-archive:buildah.tar:registry.example/pos:1.3
	IMAGE_ID=$(skopeo inspect --raw oci-archive:buildah.tar | jq -r '.config.digest | ltrimstr("sha256:")')
	loads buildah.tar registry.example/pos:1.3
	podman "${storage[@]}" tag "$id" pos:1.4
	for format in docker-archive oci-archive; do
		podman "${storage[@]}" save -q --format $format -o podman.tar pos:1.4
		IMAGE_ID=$(skopeo inspect --raw $format:podman.tar | jq -r '.config.digest | ltrimstr("sha256:")')
		loads podman.tar localhost/pos:1.4
		rm podman.tar
	done
	[ "$(tote inspect pos:1.4 | jq -r '.[0].names[]')" = localhost/pos:1.4 ]
}

@test "umoci" {
	umoci init --layout oci
	umoci new --image oci:7
	umoci unpack --image oci:7 bundle
	cp "$(command -v busybox)" bundle/rootfs/sh
	umoci repack --image oci:7 bundle
	IMAGE_ID=$(skopeo inspect --raw oci:oci:7 | jq -r '.config.digest | ltrimstr("sha256:")')
	loads oci oci:7
}

@test "both forms in one archive, and an empty index.json beside manifest.json" {
	make_layout both registry.example/oci:1 "$BASE"
	make_docker docker registry.example/docker:1 "$BASE"
	docker_id=$IMAGE_ID
	cp -r docker/. both
	IMAGE_ID=$(jq -r '.config.digest | ltrimstr("sha256:")' <"both/blobs/sha256/$MANIFEST")
	archive both both.tar
	loads both.tar registry.example/oci:1
	IMAGE_ID=$docker_id
	for empty in '[]' null; do
		index both ".manifests = $empty | .mediaType = \"application/vnd.oci.image.index.v1+json\""
		archive both both.tar
		loads both.tar registry.example/docker:1
	done
}

@test "nested indexes, attestations and artifacts" {
	new_layout oci
	ARCH=riscv64 add_manifest oci "$SECOND"
	other=$MANIFEST other_size=$MANIFEST_SIZE
	add_manifest oci "$BASE"
	jq -nc --arg a "$(host_arch)" --arg d "sha256:$MANIFEST" --argjson s "$MANIFEST_SIZE" --arg o "sha256:$other" \
		--argjson os "$other_size" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
			{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $o, size: $os,
				platform: {os: "linux", architecture: "riscv64"}},
			{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s,
				platform: {os: "linux", architecture: $a}},
			{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: ("sha256:" + "0" * 64), size: 5,
				annotations: {"vnd.docker.reference.type": "attestation-manifest"},
				platform: {os: "unknown", architecture: "unknown"}}]}' >nested
	add_blob oci nested
	index oci --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests = [{mediaType: "application/vnd.oci.image.index.v1+json",
		digest: $d, size: $s, annotations: {"io.containerd.image.name": "docker.io/library/pos:1.2",
			"org.opencontainers.image.ref.name": "1.2"}}]'
	loads oci pos:1.2
	[ "$(tote images --format json | jq -r '.[0].digest')" = "sha256:$MANIFEST" ]
	# A signature beside the image, as cosign puts it there.
	echo '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"application/x.sig",
		"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},
		"layers":[]}' >artifact
	add_blob oci artifact
	index oci --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests += [{digest: $d, size: $s,
		mediaType: "application/vnd.oci.image.manifest.v1+json", annotations: {"org.opencontainers.image.ref.name": "sig"}}]'
	loads oci pos:1.2
}

@test "several images, several platforms under one name, and --platform" {
	new_layout oci
	ARCH=riscv64 add_manifest oci "$SECOND"
	describe oci pos:1
	riscv=$MANIFEST
	add_manifest oci "$BASE"
	describe oci pos:1
	here=$MANIFEST
	CONFIG='.config.Env = ["A=b"]' add_manifest oci "$BASE" "$SECOND"
	describe oci pos:2
	tote load oci
	[ "$(names)" = "pos:1 pos:2 " ]
	[ "$(tote inspect pos:1 | jq -r '.[0].digest')" = "sha256:$here" ]
	[ "$(tote inspect pos:2 | jq -r '.[0].digest')" = "sha256:$MANIFEST" ]
	tote verify --deep
	# The shared layer is there once.
	[ "$(ls "$STORE/layers" | wc -l)" = 2 ]
	STORE=$PWD/other
	tote --store "$STORE" load --platform linux/riscv64 oci
	[ "$(tote --store "$STORE" inspect pos:1 | jq -r '.[0].digest')" = "sha256:$riscv" ]
	fails 6 "linux/riscv64" load --platform linux/s390x oci
	# One manifest under two names.
	index oci '.manifests = [.manifests[1], (.manifests[1] | .annotations[] = "pos:3")]'
	tote rmi pos:1 pos:2
	tote load oci
	[ "$(names)" = "pos:1 pos:3 " ]
}

@test "names: of containerd, a tag alone, none" {
	make_layout oci docker.io/library/pos:1.2 "$BASE"
	loads oci pos:1.2
	index oci '.manifests[].annotations = {"io.containerd.image.name": "ghcr.io/a/b:3", "org.opencontainers.image.ref.name": "3"}'
	loads oci ghcr.io/a/b:3
	index oci '.manifests[].annotations = {"org.opencontainers.image.ref.name": "3"}'
	archive oci pos.oci.tar
	loads pos.oci.tar pos:3
	rm -rf "$STORE"
	tote load --name registry.example:5000/a/b - <pos.oci.tar
	[ "$(names)" = "registry.example:5000/a/b:3 " ]
	fails 1 "--name NAME" load <pos.oci.tar
	index oci 'del(.manifests[].annotations)'
	archive oci pos.tar
	loads pos.tar pos:latest
	cp pos.tar pos-1.2.tgz
	loads pos-1.2.tgz pos-1.2:latest
	gzip -c pos.tar >'Not A Name.tar.gz'
	fails 1 "--name NAME" load 'Not A Name.tar.gz'
	for name in x x:2 localhost:5000/x:2; do
		tote load --name "$name" pos.tar
	done
	[ "$(names)" = "localhost:5000/x:2 pos-1.2:latest x:2 x:latest " ]
	fails 1 "image name" load --name 'a b' pos.tar
	fails 1 "a digest is no name" load --name "a@sha256:$(printf '%064d' 0)" pos.tar
	make_docker docker "" "$BASE"
	tar -C docker -cf unnamed.tar .
	loads unnamed.tar unnamed:latest
	# A name goes to the new one, and the old one stays until gc.
	make_layout new unnamed:latest "$BASE" "$SECOND"
	tote load new
	[ "$(tote inspect unnamed | jq -r '.[0].digest')" = "sha256:$MANIFEST" ]
	[ "$(tote images -q | wc -l)" = 2 ]
	[ "$(tote gc | grep -c ^image)" = 1 ]
}

@test "names that would be taken for IDs are passed over" {
	make_layout oci pos:1 "$BASE"
	local id=sha256:$IMAGE_ID
	index oci --arg n "$id" '.manifests += [.manifests[0] | .annotations[] = $n]'
	run --separate-stderr tote load --progress none oci
	[ "$output" = pos:1 ]
	[[ $stderr == *"\"$id\" is passed over"* ]]
	# The file's name serves where nothing else is left.
	index oci 'del(.manifests[0])'
	loads oci oci:latest
	make_docker docker "$id" "$BASE"
	loads docker docker:latest
	fails 1 "by its ID" load --name "$id" oci
	fails 1 "by its ID" tag docker sha256:1
	# An ID goes with all of its names.
	rm -rf "$STORE"
	tote load -q --name x:1 oci
	tote load -q --name y:1 oci
	tote images -q | xargs "$TOTE" --root "$ROOT" rmi --force
	[ -z "$(tote images -q)" ]
	[ -z "$(ls "$STORE/refs")" ]
}

@test "what is printed" {
	make_layout oci pos:1.2 "$BASE" "$SECOND"
	run --separate-stderr tote load -q oci
	[ "$output" = "sha256:$IMAGE_ID" ]
	[ -z "$stderr" ]
	run --separate-stderr tote load oci
	[ "$output" = pos:1.2 ]
	[ "$(grep -c '^layer [0-9a-f]* was there' <<<"$stderr")" = 2 ]
	rm -rf "$STORE"
	run --separate-stderr tote load --progress=json oci
	[ "$output" = pos:1.2 ]
	[ "$(jq -rs 'map(select(.state == "done")) | map(.layer) | unique | length' <<<"$stderr")" = 2 ]
	[ "$(jq -rs 'map(select(.state == "done" and .done != .size)) | length' <<<"$stderr")" = 0 ]
	# What was there is done too: the sums of both come to the same.
	run --separate-stderr tote load --progress=json oci
	[ "$(jq -rs 'map(select(.state == "known" and .done == .size and .size > 0)) | length' <<<"$stderr")" = 2 ]
	rm -rf "$STORE"
	run --separate-stderr tote load --progress=plain oci
	[ "$(grep -c '^layer [0-9a-f]* unpacked, ' <<<"$stderr")" = 2 ]
	rm -rf "$STORE"
	run --separate-stderr tote load --progress=none oci
	[ -z "$stderr" ]
	fails 1 "--progress" load --progress=loud oci
	rm -rf "$STORE"
	TERM=vt100 script -qec "$TOTE load oci" screen >/dev/null
	grep -q "done" screen
}

@test "a layout that leaves out what the store has, and one that leaves out what it has not" {
	make_layout oci pos:1 "$BASE"
	base=$(sha256 "$BASE")
	tote load oci
	make_layout next pos:2 "$BASE" "$SECOND"
	rm "next/blobs/sha256/$base"
	tote load next
	tote verify --deep pos:2
	STORE=$PWD/other
	fails 3 "neither in the archive nor" --store "$STORE" load next
	[ -z "$(find "$STORE"/{images,layers,ingest,refs} -mindepth 1)" ]
}

@test "an image without layers, and one of 25" {
	make_layout none empty:1
	tote load none
	[ "$(tote inspect empty:1 | jq '.[0].layers | length')" = 0 ]
	mkdir -p many/d
	for i in {1..24}; do
		echo "$i" >many/d/$i
		tar -C many -cf "many-$i.tar" --no-recursion d "d/$i"
	done
	make_layout oci many:1 "$BASE" many-{1..24}.tar
	tote load oci
	tote verify --deep many:1
	mount_image many:1
	[ "$(ls "$MERGED/d" | wc -l)" = 24 ]
	umount "$MERGED"
}

# Nothing is in the store but what was there before.
refused() { # CODE WORDS SOURCE
	fails "$1" "$2" load --name bad:1 "$3" </dev/null || return 1
	unchanged
}

@test "--reserve: the default, more, and none" {
	make_layout oci pos:1 "$BASE"
	DISK=$WORK/disk
	mkdir "$DISK"
	mount -t tmpfs -o size=12m none "$DISK"
	STORE=$DISK/store
	export TOTE_STORE=$STORE
	fails 5 "are needed" load oci
	fails 5 "are needed" load --reserve 12 oci
	for odd in -1 1x "" " 1" 99999999999999999999 9999999999999; do
		fails 1 "--reserve" load --reserve "$odd" oci
	done
	tote load --reserve 0 oci
}

# tote ARGUMENT... within 256 MiB of memory and 10 s.
within_bounds() {
	(ulimit -v 262144; exec timeout 10 "$TOTE" --root "$ROOT" "$@" 3>&-)
}

@test "documents that are named again and again take neither time nor memory" {
	make_layout many pos:1 "$BASE"
	# One image under 2,000 names, and under one given name.
	index many '.manifests[0] as $m | .manifests = [range(2000) as $i | $m | .annotations[] = "pos:n\($i)"]'
	within_bounds load -q many >out
	[ "$(cat out)" = "sha256:$IMAGE_ID" ]
	[ "$(ls "$STORE/refs" | wc -l)" = 2000 ]
	[ "$(tote inspect pos:n1999 | jq -r '.[0].digest')" = "sha256:$MANIFEST" ]
	within_bounds load -n one:1 many
	[ "$(ls "$STORE/refs" | wc -l)" = 2001 ]
	# The same in docker's form.
	rm -rf "$STORE"
	make_docker docker pos:1 "$BASE"
	jq -c '.[0] as $m | [range(2000) as $i | $m | .RepoTags = ["pos:n\($i)"]]' <docker/manifest.json >manifest
	mv manifest docker/manifest.json
	within_bounds load docker
	[ "$(ls "$STORE/refs" | wc -l)" = 2000 ]
	[ "$(tote images -q | wc -l)" = 1 ]
	# Three indexes, each naming the next a thousand times.
	for i in 1 2; do
		jq -c --arg i "$i" '.x = $i | .manifests |= [range(1000) as $n | $m[0]]' --argjson m \
			"$(jq -c '.manifests[:1] | map(del(.annotations))' many/index.json)" many/index.json >document
		add_blob many document
		index many --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests = [range(1000) | {digest: $d, size: $s}]'
	done
	run -4 within_bounds load -n fan:1 many
	[[ $output == *"as often as it is used"* ]]
}

prepare_refusals() {
	make_layout oci good:1 "$BASE"
	tote load oci
	BEFORE=$(listing)
	make_layout bad bad:1 "$BASE" "$SECOND"
	cp -r bad whole
}

@test "bad input: what is no image" {
	prepare_refusals
	: >empty
	refused 1 "no archive" empty
	refused 1 "no archive" /dev/null
	head -c 100000 /dev/urandom >random
	refused 1 "no archive" random
	head -c 100 /dev/zero >short
	refused 1 "no archive" short
	head -c 10240 /dev/zero >zeros
	refused 1 "no archive" zeros
	mkdir folder
	refused 1 "no archive" folder
	refused 1 "no archive" "$BATS_FILE_TMPDIR/base.tar"
	refused 3 "No such file" nowhere
	refused 6 "xz" <(xz -c random)
	xz -c random >random.xz
	refused 6 "xz" random.xz
	bzip2 -c random >random.bz2 2>/dev/null || printf 'BZh91AY&SY' >random.bz2
	refused 6 "bzip2" random.bz2
	archive bad bad.tar
	for n in 300 1024 20000 $(($(stat -c %s bad.tar) / 2)); do
		head -c "$n" bad.tar >cut.tar
		run timeout 60 "$TOTE" load cut.tar </dev/null
		echo "cut at $n: $status $output"
		[ "$status" = 1 ] || [ "$status" = 4 ]
		unchanged
	done
	gzip -k bad.tar
	head -c 30000 bad.tar.gz >cut.tar.gz
	refused 4 "truncated" cut.tar.gz
	(cat bad.tar.gz && echo garbage) >more.tar.gz
	refused 4 "" more.tar.gz
}

@test "bad input: documents" {
	prepare_refusals
	local name type
	echo '{"imageLayoutVersion":"2.0.0"}' >bad/oci-layout
	refused 6 "imageLayoutVersion" bad
	rm -rf bad && cp -r whole bad
	index bad '.manifests[0].size += 1'
	refused 4 "not the" bad
	index bad '.manifests[0].size -= 1 | .manifests[0].digest = "md5:00"'
	refused 1 "digest" bad
	rm -rf bad && cp -r whole bad
	index bad '.manifests = [range(6) as $i | {digest: ("sha256:" + "0" * 64), size: 1}]'
	refused 1 "is missing" bad
	echo '[]' >bad/index.json
	refused 1 "index.json" bad
	echo '{"schemaVersion":2,"manifests":[]}' >bad/index.json
	refused 1 "holds no image" bad
	(printf '{"a":'; printf '[%.0s' {1..50000}) >bad/index.json
	refused 1 "index.json" bad
	(printf '{"schemaVersion":2,"x":"'; head -c 4300000 /dev/zero | tr '\0' x; echo '","manifests":[]}') >bad/index.json
	refused 4 "larger than" bad
	# Each a manifest in place of the right one.
	while IFS='|' read -r code words change; do
		rm -rf bad && cp -r whole bad
		jq -c "$change" <"whole/blobs/sha256/$MANIFEST" >document
		add_blob bad document
		index bad --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests[0] |= (.digest = $d | .size = $s)'
		refused "$code" "$words" bad
	done <<-END
	1|diff_ids|.layers |= .[:1]
	1|diff_ids|.layers += [.layers[0]]
	4|not the|.layers[0].size += 1
	4|not the|.config.size += 1
	6|schema 1|{schemaVersion: 1, name: "x", tag: "y", fsLayers: [{blobSum: "sha256:00"}]}
	6|artifact|.artifactType = "application/x.chart" | .config.mediaType = "application/vnd.oci.empty.v1+json"
	1|both|.manifests = []
	1|config|del(.config)
	END
	# Indexes within indexes.
	rm -rf bad && cp -r whole bad
	for i in {1..5}; do
		jq -c --arg i "$i" '.x = $i' <bad/index.json >document
		add_blob bad document
		index bad --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests = [{digest: $d, size: $s}]'
	done
	refused 1 "nested" bad
	# Layers that are not what the configuration says: the content of another one under its name.
	rm -rf bad && cp -r whole bad
	jq -c ".layers[1] = .layers[0]" <"whole/blobs/sha256/$MANIFEST" >document
	add_blob bad document
	index bad --arg d "sha256:$DIGEST" --argjson s "$SIZE" '.manifests[0] |= (.digest = $d | .size = $s)'
	refused 4 "" bad
	# An index without this platform.
	rm -rf bad
	ARCH=s390x make_layout bad bad:1 "$BASE"
	refused 6 "linux/s390x" bad
	# An unknown compression of a layer.
	xz -c "$BATS_FILE_TMPDIR/second.tar" >second.tar.xz
	rm -rf bad
	make_layout bad bad:1 second.tar.xz
	refused 6 "xz" bad
	echo "this is no tar archive" >text.tar
	rm -rf bad
	make_layout bad bad:1 text.tar
	refused 4 "" bad
}

@test "bad input: blobs that are no files of the layout" {
	prepare_refusals
	layer=bad/blobs/sha256/$(sha256 "$SECOND")
	rm "$layer"
	mkfifo "$layer"
	refused 1 "regular file" bad
	rm "$layer"
	mkdir "$layer"
	refused 1 "regular file" bad
	rmdir "$layer"
	# Right, but not there: somebody else's stick must not make root read what it names.
	ln -s "$SECOND" "$layer"
	refused 1 "leads out" bad
	ln -sf ../../../../../../../../../../dev/zero "$layer"
	refused 1 "leads out" bad
	ln -sf "$(basename "$layer")" "$layer"
	refused 1 "symbolic links" bad
	cp "$SECOND" bad/elsewhere
	ln -sf ../../elsewhere "$layer"
	tote load bad
	tote verify --deep bad:1
	make_docker docker bad:2 "$BASE"
	jq -c '.[0].Config = "/etc/passwd"' <docker/manifest.json >manifest && mv manifest docker/manifest.json
	fails 1 "leads out" load docker
	ln -sf /etc/passwd docker/manifest.json
	fails 1 "leads out" load docker
}

# Each file, in place of FILE, is taken for damaged.
damage() { # FILE
	local size how
	size=$(stat -c %s "$1")
	cp "$1" good
	for how in 0 $((size / 2)) $((size - 1)) empty half less more; do
		cp good "$1"
		case $how in
		empty) : >"$1" ;;
		half) truncate -s $((size / 2)) "$1" ;;
		less) truncate -s $((size - 1)) "$1" ;;
		more) printf '\0' >>"$1" ;;
		*) flip "$1" "$how" ;;
		esac
		fails 4 "" load --name bad:1 "$SOURCE" </dev/null || { echo "$1 $how"; return 1; }
		tried=$((tried + 1))
	done
	cp good "$1"
	unchanged || { echo "$1"; return 1; }
}

@test "each blob flipped, truncated, extended: found, and nothing of it is kept" {
	prepare_refusals
	tote rmi good:1
	tote gc
	BEFORE=$(listing)
	rm -rf bad
	make_layout bad bad:1 "$BASE" "$SECOND" "$BATS_FILE_TMPDIR/third.tar"
	SOURCE=bad tried=0
	for blob in bad/blobs/sha256/*; do
		damage "$blob"
	done
	make_docker docker bad:1 "$BASE"
	SOURCE=docker
	damage "docker/$IMAGE_ID.json"
	damage "docker/$(printf '%064x' 1)/layer.tar"
	[ "$tried" = 49 ]
	tote load bad
	tote verify --deep
}

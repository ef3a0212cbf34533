#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What comes out of layers is what went in: against GNU tar, bsdtar and umoci, alone and on top of each other.
# TREE_SEED=N repeats a run of random trees, TREE_COUNT=N makes more of them.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	new_store
}

teardown() {
	drop_store
}

# The image in oci, as the kernel shows it to a container, and as umoci unpacks it, are the same.
same_as_umoci() { # [LISTING OPTION...]
	rm -rf bundle
	umoci unpack --image oci:x bundle
	mount_image oci:x
	diff <(python3 "$BATS_TEST_DIRNAME/listing.py" "$@" bundle/rootfs) <(python3 "$BATS_TEST_DIRNAME/listing.py" "$@" "$MERGED") ||
		return 1
	umount "$MERGED"
}

from_tars() { # TAR...: the image oci:x is loaded
	rm -rf oci "$STORE"
	make_layout oci x "$@"
	tote load oci 2>/dev/null || tote load oci || return 1
	tote verify --deep
}

# A seeded tree of every kind of file.
random_tree() { # SEED DIR [CHARACTERS]
	python3 - "$@" <<-'END'
	import os, random, sys
	r, top = random.Random(int(sys.argv[1])), sys.argv[2]
	os.umask(0)
	os.mkdir(top)
	folders, files = [top], []
	for i in range(60):
	    folder = r.choice(folders)
	    name = os.path.join(folder, "".join(r.choice(sys.argv[3] if len(sys.argv) > 3 else "ab. -_\u00fc\n\\*") for _ in range(r.randint(1, 12))).strip(".") + str(i))
	    kind = r.choice("ddfffffffhslpcb")
	    if kind == "d":
	        os.mkdir(name)
	        folders.append(name)
	    elif kind == "h" and files:
	        os.link(r.choice(files), name)
	        continue
	    elif kind == "l":
	        os.symlink(r.choice([".", "..", "/", "x" * r.randint(1, 150), os.path.basename(r.choice(folders))]), name)
	    elif kind == "p":
	        os.mkfifo(name)
	    elif kind in "cb":
	        os.mknod(name, (0o020000 if kind == "c" else 0o060000) | 0o600, os.makedev(r.randint(1, 200), r.randint(0, 300)))
	    else:
	        with open(name, "wb") as f:
	            f.write(r.randbytes(r.choice([0, 1, 511, 512, 513, 10240, 200000])))
	            if kind == "s":
	                f.seek(r.randint(1, 100) * 4096, os.SEEK_CUR)
	                f.write(b"end")
	        files.append(name)
	        if r.random() < .2:
	            os.setxattr(name, "user." + "x" * r.randint(1, 20), r.randbytes(r.randint(0, 100)))
	for folder, folders, files in os.walk(top, topdown=False):
	    for name in [os.path.join(folder, f) for f in files] + [folder]:
	        os.chown(name, r.choice([0, 0, 1000, 2 ** 21 + 5]), r.choice([0, 7, 2 ** 22]), follow_symlinks=False)
	        if not os.path.islink(name):
	            os.chmod(name, r.choice([0o644, 0o755, 0o4755, 0o2711, 0o1777, 0, 0o400]))
	        ns = r.choice([-5 * 10 ** 9] + [n + s * 10 ** 9 for n in (0, 1, 999999999, 123456789) for s in (0, 1, 2 ** 33, 10 ** 9)])
	        os.utime(name, ns=(ns, ns), follow_symlinks=False)
	END
}

@test "round trips of generated trees through GNU tar and bsdtar" {
	local seed=${TREE_SEED:-$RANDOM}
	echo "TREE_SEED=$seed"
	for ((i = 0; i < ${TREE_COUNT:-4}; i++)); do
		random_tree $((seed + i)) "tree$i"
		pack "tree$i" "gnu$i.tar"
		bsdtar --format=pax --xattrs --numeric-owner -C "tree$i" -cf "bsd$i.tar.gz" -z .
		for layer in "gnu$i.tar" "bsd$i.tar.gz"; do
			from_tars "$layer"
			diff <(tree "tree$i") <(tree "$STORE"/layers/*/fs) || { echo "TREE_SEED=$((seed + i)) $layer"; return 1; }
		done
	done
	make_kinds kinds
	pack kinds kinds.tar
	from_tars kinds.tar
	diff <(tree kinds) <(tree "$STORE"/layers/*/fs)
	# Without the kinds of metadata that the older formats have not.
	for format in gnu ustar oldgnu; do
		rm -rf "kinds/$(printf 'd%.0s' {1..120})" "kinds/$(printf 'n%.0s' {1..200})"
		[ $format != ustar ] || chown 1:2 kinds/empty
		find kinds -exec touch -h -d @1000000000 {} +
		[ $format != oldgnu ] || sparse=--sparse
		tar --format=$format ${sparse:-} --numeric-owner --sort=name -C kinds -cf "$format.tar" .
		from_tars "$format.tar"
		diff <(tree kinds | sed 's/ [a-z]*\.[a-z]*=[0-9a-f]*$//') <(tree "$STORE"/layers/*/fs)
	done
	for version in 0.0 0.1 1.0; do
		tar --format=posix --sparse --sparse-version=$version --numeric-owner -C kinds -cf sparse.tar ./sparse
		from_tars sparse.tar
		cmp kinds/sparse "$STORE"/layers/*/fs/sparse
	done
}

# What is a directory in one tree alone goes from the other one.
of_one_kind() { # TREE OTHER
	local entry there
	while IFS= read -r -d '' entry; do
		there=$2/${entry:2}
		if [ "${entry:0:1}" = d ]; then
			[ -d "$there" ] && [ ! -L "$there" ] || rm -f -- "$there"
		else
			[ ! -d "$there" ] || [ -L "$there" ] || rm -rf -- "$there"
		fi
	done < <(find "$1" -mindepth 1 -printf '%y %P\0')
}

@test "round trips of generated trees through umoci, layer upon layer" {
	local seed=${TREE_SEED:-$RANDOM}
	echo "TREE_SEED=$seed"
	umoci init --layout oci
	umoci new --image oci:x
	umoci unpack --image oci:x bundle
	for ((i = 0; i < 3; i++)); do
		# umoci itself does not bear more, nor a directory that becomes something else.
		random_tree $((seed + i)) tree "ab. -_"
		of_one_kind bundle/rootfs tree
		# What was there goes, or stays and changes.
		find bundle/rootfs -mindepth 1 -maxdepth 1 -print0 | sort -z | awk 'BEGIN { RS = ORS = "\0" } NR % 2' | xargs -0r rm -rf --
		cp -a tree/. bundle/rootfs
		umoci repack --refresh-bundle --image oci:x bundle
		rm -rf tree
	done
	tote load oci
	tote verify --deep
	same_as_umoci
}

# Layers made by hand: each function fills a tree, lowest first.
layer() { # NAME: $L is its tree
	L=$WORK/$1
	mkdir -p "$L"
	LAYERS+=("$1.tar")
}

pack_layers() {
	for l in "${LAYERS[@]}"; do
		[ -e "$l" ] || pack "${l%.tar}" "$l"
	done
}

@test "whiteouts, opaque directories, hard links, directories that become files and back" {
	local LAYERS=()
	layer one
	make_kinds "$L"
	mkdir -p "$L"/{a/b/c,opaque/old/deep,turns,gone/x}
	for f in a/1 a/b/2 a/b/c/3 opaque/old/deep/f opaque/file turns/file gone/x/y stays twice; do
		echo "one $f" >"$L/$f"
	done
	ln "$L/stays" "$L/linked"
	layer two
	mkdir -p "$L"/{a/b,opaque,gone}
	touch "$L/a/.wh.1" "$L/a/b/.wh.c" "$L/opaque/.wh..wh..opq" "$L/.wh.gone" "$L/.wh.fifo" "$L/.wh.never"
	rmdir "$L/gone"
	echo new >"$L/opaque/new"
	echo file >"$L/turns"
	mkdir "$L/stays"
	echo in >"$L/stays/in"
	rm -rf "$L/.wh.twice"
	echo again >"$L/twice"
	layer three
	mkdir -p "$L"/{turns,gone,opaque/old}
	touch "$L/.wh.stays" "$L/gone/.wh..wh..opq" "$L/.wh.twice"
	echo back >"$L/gone/back"
	echo dir >"$L/turns/file"
	echo young >"$L/opaque/old/young"
	ln "$L/turns/file" "$L/turns/link"
	pack_layers
	from_tars "${LAYERS[@]}"
	same_as_umoci
	mount_image oci:x
	[ "$(cd "$MERGED" && echo a/* a/b/* opaque/* opaque/old/* gone/* turns/*)" = \
		"a/b a/b/2 opaque/new opaque/old opaque/old/young gone/back turns/file turns/link" ]
	[ ! -e "$MERGED/stays" ] && [ ! -e "$MERGED/twice" ] && [ ! -e "$MERGED/fifo" ]
	[ "$(cat "$MERGED/linked")" = "one stays" ]
	umount "$MERGED"
	# Nothing of it had to see what is below.
	[ -z "$(ls "$STORE/layers" | grep chain)" ]
}

@test "layers that rely on those below: implicit parents, links to directories, hard links to files below" {
	local LAYERS=()
	layer one
	mkdir -p "$L"/usr/lib/deep "$L"/{opt,data/sub}
	chmod 700 "$L/opt"
	chown 7:8 "$L/opt"
	ln -s usr/lib "$L/lib"
	ln -s /usr/lib "$L/absolute"
	echo libc >"$L/usr/lib/libc"
	echo gone >"$L/usr/lib/gone"
	echo data >"$L/data/file"
	echo sub >"$L/data/sub/file"
	touch -d '2020-02-02' "$L/data/file" "$L/opt" "$L/data"
	layer two
	echo two >"$L/two"
	pack_layers
	# A member below a link of the layer below, whiteouts there, and members whose directories are not in the archive.
	mkdir -p three/lib three/opt three/new/er three/absolute three/data/sub
	echo new >three/lib/new
	echo x >three/absolute/x
	: >three/lib/.wh.gone
	echo pkg >three/opt/pkg
	echo deep >three/new/er/file
	: >three/data/sub/.wh.file
	tar -C three --numeric-owner -cf three.tar lib/new lib/.wh.gone absolute/x opt/pkg new/er/file data/sub/.wh.file
	# A hard link to a file of a layer below.
	mkdir four
	echo data >four/target
	touch -d '2020-02-02' four/target
	ln four/target four/zz
	tar -C four -cf four.tar --transform 's,target,data/file,' target zz
	tar -f four.tar --delete data/file
	from_tars "${LAYERS[@]}" three.tar four.tar
	ls "$STORE/layers"
	[ "$(ls "$STORE/layers" | grep -c chain)" = 2 ]
	[ "$(find "$STORE/layers" -mindepth 2 -maxdepth 2 -printf '%f\n' | sort -u | tr '\n' ' ')" = "fs meta split " ]
	mount_image oci:x
	[ -L "$MERGED/lib" ] && [ "$(cat "$MERGED/usr/lib/new" "$MERGED/usr/lib/x" "$MERGED/lib/libc")" = $'new\nx\nlibc' ]
	[ ! -e "$MERGED/usr/lib/gone" ] && [ ! -e "$MERGED/data/sub/file" ] && [ -d "$MERGED/data/sub" ]
	[ "$(stat -c %a:%u:%g "$MERGED/opt")" = 700:7:8 ]
	[ "$(stat -c %a "$MERGED/new/er")" = 755 ]
	[ "$(cat "$MERGED/zz")" = data ]
	[ "$(stat -c %i "$MERGED/zz")" = "$(stat -c %i "$MERGED/data/file")" ]
	umount "$MERGED"
	# umoci makes what has no entry by the clock.
	same_as_umoci -t
	# Once more: nothing is new. Under another base: only what relies on it.
	before=$(ls "$STORE/layers")
	tote load oci 2>&1 | grep -c "was there" | grep -qx 4
	[ "$(ls "$STORE/layers")" = "$before" ]
	echo other >one/other
	pack one other.tar
	rm -rf oci
	make_layout oci y other.tar two.tar three.tar four.tar
	tote load oci
	[ "$(ls "$STORE/layers" | wc -l)" = 7 ]
	tote verify --deep
	# The layers do not need the archive any more, and gc knows what belongs to whom.
	tote rmi oci:x
	[ "$(ls "$STORE/layers" | wc -l)" = 4 ]
	tote verify --deep
}

@test "the same layer twice, and a file that is in an archive twice" {
	local LAYERS=()
	layer one
	echo one >"$L/file"
	pack_layers
	mkdir two
	echo first >two/file
	tar -C two -cf two.tar ./file
	echo second, longer >two/file
	tar -C two -rf two.tar ./file
	from_tars one.tar two.tar one.tar
	mount_image oci:x
	[ "$(cat "$MERGED/file")" = one ]
	umount "$MERGED"
	from_tars one.tar two.tar
	mount_image oci:x
	[ "$(cat "$MERGED/file")" = "second, longer" ]
	umount "$MERGED"
}

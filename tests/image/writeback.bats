#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the kernel could not write while layers were unpacked is not in the image: a load that was told of it by then only must fail.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	new_store
	# A disk of which 24 MiB are there: what is beyond is lost when it is written back, which no call but syncfs tells. Without
	# a journal the file system goes on.
	mkdir "$WORK/backing" "$WORK/disk"
	mount -t tmpfs -o size=24M none "$WORK/backing" || skip "cannot mount a tmpfs"
	truncate -s 400M "$WORK/backing/image"
	mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0,nodiscard "$WORK/backing/image"
	mount -o loop "$WORK/backing/image" "$WORK/disk" || skip "cannot mount a loop device here"
	export TOTE_STORE=$WORK/disk/store
}

teardown() {
	eventually umount "$WORK/disk" 2>/dev/null
	eventually umount "$WORK/backing" 2>/dev/null
	drop_store
}

# From the first loss on there is room again: the commit itself loses nothing.
grow_when_full() {
	local i
	for ((i = 0; i < 10000; i++)); do
		if [ "$(stat -f -c %f "$WORK/backing")" = 0 ]; then
			mount -o remount,size=600M "$WORK/backing"
			echo grown >"$WORK/grown"
			return
		fi
	done
}

@test "data that was lost before the commit fails the load" {
	cd "$WORK"
	mkdir files
	for i in {1..80}; do
		head -c 1000000 /dev/urandom >"files/$i"
	done
	tar -C files -cf files.tar .
	gzip -1 files.tar
	make_layout image image:1 files.tar.gz
	rm -r files
	grow_when_full 3>&- &
	run tote load -q image
	echo "$status $output"
	wait
	# Else it was not tested: nothing was written back before the commit, or everything was.
	[ -e grown ]
	[ "$status" != 0 ]
	[ -z "$(tote images -q)" ]
	tote load -q image
	tote verify --deep
}

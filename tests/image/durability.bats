#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The power is cut at random moments: a file system is shut down without a flush of its journal, and mounted again. Whatever is
# listed then is whole. POWER_CUTS=N cuts it more often.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cd "$BATS_FILE_TMPDIR"
	for i in 1 2 3; do
		mkdir "layer$i"
		for j in {1..300}; do
			head -c $((RANDOM % 9000 + 1)) /dev/urandom >"layer$i/$i-$j"
		done
		tar -C "layer$i" -cf "layer$i.tar" .
	done
	make_layout one one:1 layer1.tar
	make_layout two two:1 layer1.tar layer2.tar
	make_layout three three:1 layer2.tar layer3.tar
}

setup() {
	new_store
	make_disk 64M
	remount
	STORE=$DISK/store
	export TOTE_STORE=$STORE
}

teardown() {
	drop_store
}

# Its journal is written each second, so that names get there before data does: what usually takes half a minute.
remount() {
	umount "$DISK"
	mount -o loop,commit=1 "$DISK_FILE" "$DISK"
}

# EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing reaches the disk.
cut_power() {
	python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$DISK"
}

# From a copy, as another machine would read the disk: a mount namespace that somebody made meanwhile may hold the old mount, and with
# it the file system that was shut down.
power_returns() {
	eventually umount "$DISK" 2>/dev/null
	cp --sparse=always "$DISK_FILE" "$DISK_FILE.copy"
	mv "$DISK_FILE.copy" "$DISK_FILE"
	mount -o loop,commit=1 "$DISK_FILE" "$DISK"
}

# All that is listed is there to the last byte.
all_whole() {
	run --separate-stderr tote verify --deep
	[ "$status" = 0 ] && [ -z "$stderr" ] && return
	echo "code $status: $output $stderr"
	return 1
}

@test "the rig sees what is not synced" {
	mkdir "$DISK/unpacked"
	tar -C "$DISK/unpacked" -xf "$BATS_FILE_TMPDIR/layer1.tar"
	# The names are on disk, as they are half a minute later.
	python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$DISK/unpacked"
	cut_power
	power_returns
	[ "$(ls "$DISK/unpacked" | wc -l)" = 300 ]
	[ "$(find "$DISK/unpacked" -type f -size 0 | wc -l)" -gt 200 ]
}

@test "right after success all of it is there" {
	for image in one two three; do
		tote load -q "$BATS_FILE_TMPDIR/$image"
		cut_power
		power_returns
		[[ $(names) == *"$image:1"* ]]
		all_whole
	done
	tote tag one:1 again:1
	cut_power
	power_returns
	[[ $(names) == *again:1* ]]
	# Nor does what was removed come back in parts.
	tote rmi two:1
	cut_power
	power_returns
	[[ $(names) != *two:1* ]]
	all_whole
	tote gc
	all_whole
}

@test "at random moments of loads and removals: no bad file in anything listed" {
	local cut cuts=${POWER_CUTS:-10} pids interrupted=0
	for ((cut = 0; cut < cuts; cut++)); do
		pids=()
		for image in one two three; do
			# Without end, so that the cut always comes in the middle of something.
			(for _ in {1..200}; do tote load -q "$BATS_FILE_TMPDIR/$image" && tote rmi "$image:1" || exit 1; done) \
				>/dev/null 2>"err-$image" 3>&- &
			pids+=($!)
		done
		sleep "0.$(printf '%03d' $((RANDOM % 400)))"
		cut_power
		for pid in "${pids[@]}"; do
			wait "$pid" || interrupted=$((interrupted + 1))
		done
		power_returns
		# A store that was just being made is made again.
		[ -e "$STORE/version" ] || rm -rf "$STORE"
		[ -e "$STORE" ] || continue
		all_whole
		tote gc >/dev/null
		nothing_staged
		all_whole
		tote load -q "$BATS_FILE_TMPDIR/one"
		all_whole
		[ $((cut % 3)) = 0 ] || tote rmi --force one:1 two:1 three:1
	done
	echo "$interrupted loads were cut off"
	[ "$interrupted" -gt 0 ]
}

@test "a named volume is filled or not there" {
	make_rootfs
	mkdir -p "$ROOTFS/data"
	for i in {1..50}; do
		echo "$i" >"$ROOTFS/data/$i"
	done
	pack "$ROOTFS" base.tar
	make_layout oci pos:1 base.tar
	tote load -q oci
	tote run --rm -v data:/data pos:1 true
	# The names reach the disk.
	python3 -c 'import os, sys; os.fsync(os.open(sys.argv[1], os.O_RDONLY))' "$STORE/volumes"
	cut_power
	power_returns
	[ "$(ls "$STORE/volumes/data" | wc -l)" = 50 ]
	[ -z "$(find "$STORE/volumes/data" -size 0)" ]
	all_whole
}

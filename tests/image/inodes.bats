#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a run by name makes in the store: as few files as can be, since each is made and removed on a disk, and nothing that stays.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	make_rootfs
	cd "$BATS_FILE_TMPDIR"
	pack "$ROOTFS" base.tar
	make_layout plain pos:1 base.tar
	# As images are that begin from nothing: no place for any mount.
	mkdir bare
	cp -a "$ROOTFS/bin" bare/bin
	pack bare bare.tar
	make_layout scratch bare:1 bare.tar
	share_store plain scratch
}

setup() {
	enter_store
}

teardown() {
	leave_store
}

run_in() { # [OPTION...] IMAGE [COMMAND...]
	timeout 30 "$TOTE" --root "$ROOT" run --rm "$@" 3>&- </dev/null
}

# Of the only container.
files_of_it() {
	(cd "$STORE"/containers/* && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
}

nothing_stays() {
	[ -z "$(ls "$STORE/containers")" ] || { ls "$STORE/containers"; return 1; }
	[ -z "$(ls "$STORE/ids" 2>/dev/null)" ] || { ls "$STORE/ids"; return 1; }
}

@test "four files of ours, each made and removed by one system call" {
	run_in pos:1 true
	strace -f -y -qq -o trace -e trace=mkdirat,mknodat,symlinkat,linkat,openat,renameat,renameat2,unlinkat \
		"$TOTE" --root "$ROOT" run --rm pos:1 true 3>&- </dev/null
	# Without what is made in the container's /dev, a tmpfs.
	grep -F "<$STORE" trace | grep -v -e ' = -1 ' -e '/dev>' >ours
	cat ours
	[ "$(grep -cE 'mkdirat|mknodat|symlinkat|O_CREAT.*O_EXCL|rename' ours)" = 4 ]
	# And a link, and what overlayfs made.
	[ "$(grep -c linkat ours)" -le 10 ]
	nothing_stays
}

@test "what is mounted on lies in one layer for all, and nothing in a container's own" {
	local image options
	for image in pos:1 bare:1; do
		for options in "--userns host" "--userns host --network host" ""; do
			run_in $options -d --name box $image sleep 1000 >/dev/null 2>&1
			[ "$(files_of_it)" = "meta upper work work/work " ] || { files_of_it; false; }
			tote exec box /bin/sh -c 'read a </etc/hosts && test -n "$a" && test -d /proc/self && test -e /dev/null && test -d /sys/kernel'
			tote delete --force box
			nothing_stays
		done
	done
}

@test "what a container writes in those places is its own" {
	# With all rights that there are it gets at the files below the mounts, and changes a copy.
	run run_in --userns host --cap-add all --security-opt seccomp=unconfined --security-opt no-new-privileges=false pos:1 sh -c \
		'umount -l /etc/hosts && echo mine >/etc/hosts && cat /etc/hosts; echo x >/etc/new; umount -l /sys && mkdir /sys/made && ls /sys'
	echo "$output"
	[[ $output == *mine*made* ]]
	[ ! -s "$STORE/places/etc/hosts" ]
	[ "$(cd "$STORE/places" && find . | sort | tr '\n' ' ')" = ". ./dev ./etc ./etc/hosts ./etc/resolv.conf ./proc ./sys " ]
	run run_in --userns host --cap-add all --security-opt seccomp=unconfined pos:1 sh -c \
		'umount -l /etc/hosts; cat /etc/hosts; umount -l /sys; ls /sys; ls /etc'
	echo "$output"
	[[ $output != *mine* ]]
	[[ $output != *made* ]]
	[[ $output != *new* ]]
	nothing_stays
}

@test "places that a power cut took are made again, or in the container" {
	rm -rf "$STORE/places"
	run_in pos:1 sh -c 'read a </etc/hosts && test -n "$a"'
	[ -e "$STORE/places/etc/hosts" ]
	rm "$STORE/places/etc/hosts"
	run_in pos:1 sh -c 'read a </etc/hosts && test -n "$a"'
	rm "$STORE/places/etc/resolv.conf"
	run_in pos:1 sh -c 'read a </etc/resolv.conf'
	[ -e "$STORE/places/etc/hosts" ]
	# Whoever makes it, everybody has to be able to pass.
	rm -rf "$STORE/places"
	(umask 077 && run_in bare:1 /bin/sh -c 'read a </etc/hosts')
	[ "$(stat -c %a "$STORE/places" "$STORE/places/etc" "$STORE/places/etc/hosts" | tr '\n' ' ')" = "755 755 644 " ]
	nothing_stays
}

@test "a range of ids is a link to the container's record, and ends with it" {
	local slot
	run_in --userns auto pos:1 true || skip "this kernel does not map the ids of $STORE"
	run_in -d --name box --userns auto pos:1 sleep 1000 >/dev/null 2>&1
	slot=$(ls "$STORE/ids")
	[ "$STORE/ids/$slot" -ef "$(echo "$STORE"/containers/box-*/meta)" ]
	[ "$(tote exec box awk '{print $2}' /proc/self/uid_map)" = $(((1 << 31) + slot * 65536)) ]
	# What tote made it earlier: one whose container is there, and one that has none.
	ln -s "$(basename "$STORE"/containers/box-*)" "$STORE/ids/there"
	ln -s gone-0123456789abcdef "$STORE/ids/gone"
	tote gc
	[ "$(ls "$STORE/ids" | tr '\n' ' ')" = "$slot there " ]
	tote kill box KILL
	rm -rf "$STORE"/containers/box-*
	tote gc
	[ -z "$(ls "$STORE/ids")" ]
}

@test "a range of ids where there are no hard links; one that cannot be claimed never weakens a container" {
	run_in --userns auto pos:1 true || skip "this kernel does not map the ids of $STORE"
	run strace -f -qq -o /dev/null -e trace=linkat -e inject=linkat:error=EXDEV "$TOTE" --root "$ROOT" run --rm --userns auto pos:1 \
		awk '{print $2}' /proc/self/uid_map 3>&- </dev/null
	echo "$output"
	[ "$status" = 0 ] && [ "$output" -ge $((1 << 31)) ]
	[ -L "$STORE/ids/$(ls "$STORE/ids")" ]
	tote gc
	[ -z "$(ls "$STORE/ids")" ]
	for error in ENOSPC EMLINK; do
		run strace -f -qq -o /dev/null -e trace=linkat -e inject=linkat:error=$error "$TOTE" --root "$ROOT" run --rm pos:1 true 3>&- </dev/null
		echo "$output"
		[ "$status" = 125 ] && [[ $output == *"claim ids/"* ]]
	done
	nothing_stays
}

@test "killed at any moment: gc finds all that is left" {
	local i
	for i in $(seq 40); do
		timeout -s KILL "0.0$(printf '%02d' $((i - 1)))" "$TOTE" --root "$ROOT" run --rm pos:1 true 3>&- </dev/null >/dev/null 2>&1 || true
	done
	for i in $(tote list -q); do
		tote delete --force "$i"
	done
	tote gc >/dev/null
	nothing_stays
	run_in pos:1 true
}

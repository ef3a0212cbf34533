#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Loads that are killed, fail, are interrupted or find no space: nothing is left of them, and what was there is as it was.
# KILLS=N kills at more moments, FAULT_STEP=N looks at every Nth system call.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export FAULT=${FAULT:-$(dirname "$TOTE")/tests/fault/fault}
	cd "$BATS_FILE_TMPDIR"
	mkdir small
	echo two >small/two
	pack small small.tar
	make_layout good good:1 small.tar
	local layers=()
	for i in {1..6}; do
		mkdir "many$i"
		for j in {1..100}; do
			head -c 3000 /dev/urandom >"many$i/$i-$j"
		done
		tar -C "many$i" -cf "many$i.tar" .
		layers+=("many$i.tar")
	done
	# One relies on those below it.
	mkdir -p merged/lib
	echo merged >merged/lib/merged
	tar -C merged -cf merged.tar lib/merged
	make_layout many many:1 "${layers[@]}" merged.tar
	make_layout few few:1 small.tar many1.tar merged.tar
	archive few few.tar
	gzip few.tar
	mkdir big
	head -c 100000000 /dev/zero >big/zeros
	tar -C big -cf big.tar .
	gzip -1 big.tar
	make_layout big big:1 big.tar.gz
	rm -r big.tar.gz big/zeros many?
}

setup() {
	new_store
	MANY=$BATS_FILE_TMPDIR/many FEW=$BATS_FILE_TMPDIR/few GOOD=$BATS_FILE_TMPDIR/good BIG=$BATS_FILE_TMPDIR/big
	tote load -q "$GOOD"
	BEFORE=$(listing)
}

teardown() {
	drop_store
}

# No process works on the store any more.
all_dead() {
	! grep -lsF "$STORE" /proc/[0-9]*/cmdline /dev/null >/dev/null
}

# After gc the store is as it was before, and takes the image.
recovers() {
	eventually all_dead || { echo "a process is left"; return 1; }
	tote gc >gone 2>&1 || { cat gone; return 1; }
	nothing_staged || return 1
}

@test "SIGKILL at random moments" {
	local seen=0 kill pid code
	for ((kill = 0; kill < ${KILLS:-60}; kill++)); do
		"$TOTE" --store "$STORE" load -q "$MANY" >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.0$(printf '%03d' $((RANDOM % 120)))"
		kill -KILL "$pid" 2>/dev/null || true
		code=0
		wait "$pid" 2>/dev/null || code=$?
		# Whatever is listed is whole, before anything is cleaned up.
		tote verify --deep >/dev/null
		[ "$code" = 0 ] || [ -z "$(ls "$STORE/ingest")" ] || seen=$((seen + 1))
		if [[ $(names) == *many* ]]; then tote rmi many:1; fi
		recovers
		[ $((kill % 6)) != 5 ] || unchanged
	done
	unchanged
	echo "$seen of $kill left something that gc removed"
	[ "$seen" -gt 0 ]
	tote load -q "$MANY"
	tote verify --deep
}

@test "SIGKILL at sampled system calls, of the whole and of one process" {
	local n total step how ended=0
	[ -x "$FAULT" ] || skip "needs $FAULT (make fault-tool)"
	total=$("$FAULT" count -c -- "$TOTE" --store "$STORE" load -q -j 1 "$FEW.tar.gz" 2>/dev/null 3>&-)
	[ "$total" -gt 300 ]
	tote rmi few:1
	unchanged
	step=${FAULT_STEP:-$((total / 12))}
	for how in -a ""; do
		for ((n = 1 + RANDOM % step; n <= total; n += step)); do
			run not_127 timeout 60 "$FAULT" kill -n "$n" -c $how -- "$TOTE" --store "$STORE" load -q -j 1 "$FEW.tar.gz" 3>&-
			tote verify --deep >/dev/null || { echo "call $n of $total, $how"; return 1; }
			if [ "$status" != 0 ]; then
				ended=$((ended + 1))
				# When only a child dies, its parent says so and cleans up.
				[ -n "$how" ] || [ "$status" -gt 128 ] || { echo "$n: $status $output" && [ "$status" = 4 ] && nothing_staged; }
			fi
			if [[ $(names) == *few* ]]; then tote rmi few:1; fi
			recovers || { echo "call $n of $total, $how"; return 1; }
			[ "$(ls "$STORE/layers" | wc -l)" = 1 ]
		done
		unchanged
	done
	[ "$ended" -gt 15 ]
	tote load -q "$FEW"
	tote verify --deep
}

@test "sampled system calls fail: an error and nothing, or success and all of it" {
	local call total width name failed=0 first
	[ -x "$FAULT" ] || skip "needs $FAULT (make fault-tool)"
	# The dynamic linker's are not ours.
	first=$("$FAULT" count -c -- "$(dirname "$TOTE")/tote-image" --version 2>/dev/null 3>&-)
	total=$("$FAULT" count -c -- "$TOTE" --store "$STORE" load -q -j 1 "$FEW" 2>/dev/null 3>&-)
	tote rmi few:1
	width=${FAULT_STEP:-$(((total - first) / 5))}
	for name in EIO ENOSPC EINTR EMFILE; do
		for ((call = first + RANDOM % width; call <= total; call += width)); do
			run not_127 timeout 60 "$FAULT" fail -n "$call" -e "$name" -c -- "$TOTE" --store "$STORE" load -q -j 1 "$FEW" 3>&-
			echo "call $call of $total, $name: $status $output"
			# 124: it hangs. The C library aborts by itself, in words of its own.
			[ "$status" != 124 ]
			if [ "$status" = 0 ]; then
				[[ $(names) == *few* ]]
			else
				[ -n "$output" ]
				failed=$((failed + 1))
			fi
			tote verify --deep >verified || { cat verified; return 1; }
			if [[ $(names) == *few* ]]; then tote rmi few:1; fi
			recovers
		done
		unchanged
	done
	[ "$failed" -gt 5 ]
}

@test "Ctrl-C while it is read, and while it is unpacked" {
	for signal in INT TERM; do
		mkfifo fifo
		(exec >fifo; head -c 5000 "$FEW.tar.gz"; exec sleep 20) 3>&- &
		writer=$!
		env --default-signal setsid "$TOTE" load -q - <fifo >out 2>&1 3>&- &
		pid=$!
		eventually kill -0 -- "-$pid" 2>/dev/null
		sleep 0.3
		kill -$signal -- "-$pid"
		code=0
		wait "$pid" || code=$?
		kill "$writer"
		wait "$writer" || true
		[ "$code" = 130 ] || [ "$code" = 143 ]
		unchanged
		rm fifo
		# It may be done before the signal comes.
		for _ in 1 2 3 4 5; do
			env --default-signal setsid "$TOTE" load --progress=plain "$BIG" >out 2>&1 3>&- &
			pid=$!
			eventually unpacks_or_ended
			kill -$signal -- "-$pid" 2>/dev/null || true
			code=0
			wait "$pid" || code=$?
			cat out
			[ "$code" = 0 ] || break
			tote rmi "$(tail -n 1 out)"
		done
		[ "$code" = 130 ]
		grep -q interrupted out
		eventually all_dead
		nothing_staged
		unchanged
	done
}

unpacks_or_ended() {
	[ -n "$(find "$STORE/ingest" -name zeros)" ] || ! kill -0 "$pid" 2>/dev/null
}

on_disk() { # SIZE [MKFS OPTION...]: the store is on a file system of its own
	make_disk "$@"
	STORE=$DISK/store
	export TOTE_STORE=$STORE
	tote load -q --reserve 1 "$GOOD"
	BEFORE=$(listing)
}

@test "no space: seen before it begins, or in the middle" {
	on_disk 24M
	fails 5 "are needed" load --reserve 1 "$BIG"
	[[ $stderr == *MiB*MiB* ]]
	unchanged
	# Nothing in there tells its size: of two gzip members the last one's is known.
	mkdir big
	head -c 40000000 /dev/urandom >big/noise
	tar -C big -cf big.tar .
	(head -c 30000000 big.tar | gzip -1; tail -c +30000001 big.tar | head -c 9000000 | gzip -1; tail -c +39000001 big.tar | gzip -1) >noise.tar.gz
	dd if=/dev/zero of="$DISK/filler" bs=1M count=1 status=none
	make_layout noise noise:1 noise.tar.gz
	fails 5 "" load --reserve 1 noise
	unchanged
	mkdir zeros
	head -c 60000000 /dev/zero >zeros/zeros
	tar -C zeros -cf zeros.tar .
	(head -c 59000000 zeros.tar | gzip -1; tail -c +59000001 zeros.tar | head -c 1200000 | gzip -1; head -c 0 /dev/null | gzip) >zeros.tar.gz
	make_layout zeros zeros:1 zeros.tar.gz
	fails 5 "o space" load --reserve 1 zeros
	nothing_staged
	unchanged
	# Through a pipe there is no looking ahead.
	tar -C noise -cf - . | fails 5 "o space" load -
	unchanged
	tote verify --deep
	fill_up
	rmi_works
}

@test "no inodes" {
	on_disk 24M -N 400
	fails 5 "o space" load --reserve 1 "$MANY"
	nothing_staged
	unchanged
	tote verify --deep
	fill_up
	rmi_works
}

# Neither a byte nor an inode is free.
fill_up() {
	local i
	dd if=/dev/zero of="$DISK/filler" bs=64k status=none 2>/dev/null || true
	mkdir -p "$DISK/files"
	for ((i = 0; i < 5000; i++)); do
		: 2>/dev/null >"$DISK/files/$i" || break
	done
	dd if=/dev/zero of="$DISK/filler2" bs=1k status=none 2>/dev/null || true
	run ! mkdir "$DISK/one-more"
}

rmi_works() {
	tote images >/dev/null
	tote inspect good:1 >/dev/null
	tote verify good:1
	fails 5 "" load --reserve 1 "$FEW"
	unchanged
	tote rmi good:1
	[ -z "$(find "$STORE"/{layers,l,images,refs,ingest,blobs/*} -mindepth 1)" ] || { find "$STORE"; return 1; }
	rm -r "$DISK"/fill* "$DISK/files"
	tote load -q --reserve 1 "$GOOD"
	tote verify --deep
}

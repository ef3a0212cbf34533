# SPDX-License-Identifier: Apache-2.0
# Shared by the security tests: a canary outside every root file system, what the host looks like, small root file systems.
#
#   load attack
#
# Everything of tests/cli/helpers.bash is there as well.

load ../cli/helpers

# A tree that nobody may touch, with the names that a runtime makes or mounts on.
make_canary() {
	CANARY=$BATS_FILE_TMPDIR/canary
	[ -d "$CANARY" ] && return
	mkdir -p "$CANARY"/{pts,shm,mqueue,self,fs/cgroup,dir/sub}
	for name in null console ptmx tty zero kcore file dir/inner; do
		echo "do not touch $name" >"$CANARY/$name"
	done
	ln -s nowhere "$CANARY/dangling"
}

# All that an escape would change: contents, inodes, owners, times of the canary, and the host's mounts.
host_state() {
	find "$CANARY" -printf '%i %y %#m %U:%G %s %T@ %n %l %P\n' | sort
	find "$CANARY" -type f -exec sha256sum {} + | sort
	cut -d' ' -f3- /proc/self/mountinfo
}

# host_state as it was; says what differs.
host_unchanged() {
	host_state | diff "$1" -
}

# A root file system of hard links, so that hundreds are cheap. Shares its file system with make_rootfs's.
small_rootfs() {
	rm -rf "$1"
	mkdir -p "$1"/{bin,dev,etc,proc,sys,tmp,run}
	ln "$ROOTFS/bin/busybox" "$1/bin/busybox"
	ln -s busybox "$1/bin/sh"
	ln -s busybox "$1/bin/sleep"
	ln -s busybox "$1/bin/true"
}

compile() {
	"${CC:-cc}" -O2 -static -Wall -Wextra -Werror -o "$BATS_FILE_TMPDIR/$1" "$BATS_TEST_DIRNAME/$1.c"
}

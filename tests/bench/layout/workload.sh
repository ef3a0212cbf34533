#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What tote is asked most of the time, once each: layout.py watches which functions that takes. As root, in namespaces of its own.
set -eu
[ "${1:-}" = --inside ] || exec unshare --net --mount --cgroup --propagation private "$0" --inside
mount -t tmpfs -o mode=755 none /run
ip link set lo up
where=$(mktemp -d /run/layout.XXXXXX)
export TOTE_STORE="$where/store" TOTE_NET_DIR="$where/net" NETCONFPATH="$where/net.d"
mkdir -p "$NETCONFPATH" "$where/bundle/rootfs/bin" "$where/sealed"
cp /bin/busybox "$where/bundle/rootfs/bin/"
ln -s busybox "$where/bundle/rootfs/bin/sh"
ln -s busybox "$where/bundle/rootfs/bin/true"
tote() { "$TOTE" --root "$where/state" "$@"; }
words() { # FILE WORD...: of its process
	file=$1
	shift
	jq --args '.process.args = $ARGS.positional | .process.terminal = false | del(.process.rlimits)' "$@" <"$file" >"$file.new"
	mv "$file.new" "$file"
}

cd "$where/sealed"
"$TOTE" spec --seccomp
words config.json /bin/busybox true
ln -s ../bundle/rootfs rootfs
cd "$where/bundle"
"$TOTE" spec
words config.json /bin/busybox true
tote run once
tote run -b "$where/sealed" once
words config.json /bin/busybox sleep 1000
tote create box
tote state box
tote start box
tote state -q box
tote exec box /bin/busybox true
tote list
tote ps box
tote stats --no-stream --format json
tote metrics
tote pause box
tote resume box
tote kill box KILL
for _ in 1 2 3 4 5 6 7 8 9 10; do
	tote state -q box || break
	sleep 0.1
done
tote delete box
tar -C rootfs -cf "$where/box.tar" .
tote import "$where/box.tar" box:1
tote run --rm box:1 /bin/busybox true
tote run --rm --network bridge -p 8080:80 box:1 /bin/busybox true
tote run -d --name there box:1 /bin/busybox sleep 1000
tote delete --force there

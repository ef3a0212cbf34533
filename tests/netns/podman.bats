# SPDX-License-Identifier: Apache-2.0
# Podman with its CNI backend (libcni, as in containerd) runs containers on a network of its own making, whose plugins are
# links to tote-cni. All of it in namespaces of the test's own.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	GROUP=
	root=$BATS_TEST_DIRNAME/../..
	CNI=${BUILD:-build}/tote-cni
	[ "${CNI#/}" != "$CNI" ] || CNI=$root/$CNI
	[ -x "$CNI" ] || { echo "$CNI is not built"; return 1; }
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v podman >/dev/null || skip "podman is not installed"
	# crun refuses cgroups of both versions.
	runtime=$(command -v runc || command -v crun) || skip "neither runc nor crun is installed"
	[ -x /bin/busybox ] || skip "busybox is not installed"
	unshare --net --mount true 2>/dev/null || skip "cannot make namespaces"
	cd "$BATS_TEST_TMPDIR"
	GROUP=tote-podman-$$
	mkdir -p bin net box/{bin,proc,sys,dev,etc,run,tmp}
	cp /bin/busybox box/bin/
	for p in sh sleep ip nc ping; do ln -s busybox box/bin/$p; done
	for p in bridge portmap firewall tuning; do ln -s "$CNI" bin/$p; done
	cat >containers.conf <<-END
		[network]
		network_backend = "cni"
		cni_plugin_dirs = ["$PWD/bin"]
		network_config_dir = "$PWD/net"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "none"
		runtime = "$runtime"
	END
}

# conmon's group is free when conmon has ended, which is a little later than the container.
no_group() {
	find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} + 2>/dev/null || true
	[ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -name "$GROUP")" ]
}

teardown() {
	local tries
	[ -n "$GROUP" ] || return 0
	for ((tries = 0; tries < 100; tries++)); do
		no_group && return 0
		sleep 0.1
	done
	echo "$GROUP is left in a tree of groups"
	return 1
}

@test "podman's containers on a network of tote-cni" {
	cat >script <<-'END'
		set -eu
		mount -t tmpfs none /run
		mount -t tmpfs none /var/lib/containers
		ip link set lo up
		export CONTAINERS_CONF=$PWD/containers.conf
		# Since 5.0 there is only netavark.
		[ "$(podman info --format '{{.Host.NetworkBackend}}')" = cni ] || exit 77
		run() {
			podman run -d --cgroup-parent "/$GROUP" --ulimit nofile=1024:1024 --ulimit nproc=1000:1000 "$@" >>log
		}
		run --network none --rootfs "$PWD/box" sleep 100 || exit 78
		podman rm -f -t 0 -a
		podman network create --subnet 10.89.7.0/24 shop
		run --network shop --name web -p 8081:80 --rootfs "$PWD/box" sh -c 'while :; do echo served | nc -l -p 80; done'
		run --network shop --name till --mac-address 0a:00:00:00:00:09 --rootfs "$PWD/box" sleep 100
		web=$(podman inspect web --format '{{(index .NetworkSettings.Networks "shop").IPAddress}}')
		[[ $web == 10.89.7.* ]]
		podman exec till ip link show eth0 | grep -q 0a:00:00:00:00:09
		podman exec till ping -c 1 -W 5 $web
		for i in $(seq 100); do
			answer=$(timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8081; cat <&3' 2>/dev/null) && break
			sleep 0.3
		done
		[ "$answer" = served ]
		[ "$(ls /run/tote-net/attachments | wc -l)" = 2 ]
		podman rm -f -t 0 web till
		[ -z "$(ls /run/tote-net/attachments)" ]
		[ -z "$(find /run/tote-net/leases -type f -name '10.*')" ]
		for i in $(seq 600); do [ -n "$(ip -o link show type veth)" ] || break; sleep 0.05; done
		[ -z "$(ip -o link show type veth)" ]
	END
	GROUP=$GROUP run timeout 120 unshare --net --mount bash -x script
	echo "$output"
	[ "$status" != 77 ] || skip "this podman has no CNI backend"
	[ "$status" != 78 ] || skip "podman cannot run a container here"
	[ "$status" = 0 ]
}

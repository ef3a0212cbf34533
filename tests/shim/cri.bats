# SPDX-License-Identifier: Apache-2.0
# Pods through CRI, as a kubelet makes them, with the native shim: the scenarios of tests/shim/cri_pod.py, each under every version of
# containerd that is to be had (see tests/shim/fetch-containerd). The daemons are in network namespaces of their own.

bats_require_minimum_version 1.5.0
load ../bats
load ctr

PAUSE=tote.example/pause:1

more_config() {
	cat <<-END
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "$PAUSE"
		  restrict_oom_score_adj = true
		  stream_server_address = "127.0.0.1"
		  stream_server_port = "0"
		[plugins."io.containerd.grpc.v1.cri".cni]
		  bin_dir = "$CTR_DIR/cni/bin"
		  conf_dir = "$CTR_DIR/cni/debian"
		[plugins."io.containerd.grpc.v1.cri".containerd]
		  default_runtime_name = "tote"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tote]
		  runtime_type = "io.containerd.tote.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tote-cni]
		  runtime_type = "io.containerd.tote.v2"
		  cni_conf_dir = "$CTR_DIR/cni/tote"
	END
	networks
}

# For Debian's plugins and for tote-cni: the same network, as different bridges.
networks() {
	local cni=$CTR_DIR/cni plugins plugin
	mkdir -p "$cni"/{bin,debian,tote}
	for plugin in /usr/lib/cni/*; do
		[ ! -x "$plugin" ] || ln -s "$plugin" "$cni/bin/"
	done
	ln -s "$(dirname "$TOTE")/tote-cni" "$cni/bin/tote-cni"
	plugins='[{"type": "bridge", "bridge": $bridge, "isGateway": true, "ipMasq": true,
		"ipam": {"type": "host-local", "ranges": [[{"subnet": $subnet}]], "routes": [{"dst": "0.0.0.0/0"}]}},
		{"type": "portmap", "capabilities": {"portMappings": true}}]'
	jq -n --arg bridge debian0 --arg subnet 10.91.0.0/24 \
		'{cniVersion: "1.0.0", name: "debian", plugins: '"$plugins"'}' >"$cni/debian/net.conflist"
	jq -n --arg bridge tote0 --arg subnet 10.92.0.0/24 \
		'{cniVersion: "1.0.0", name: "tote", plugins: [{type: "tote-cni", capabilities: {portMappings: true}, plugins: '"$plugins"'}]}' \
		>"$cni/tote/net.conflist"
}

# Where CRI looks for them.
import_images() {
	image_archive "$PAUSE" '["sleep", "1000000"]' "$CTR_DIR/pause.tar"
	CTR_LIMIT=60 ctr -n k8s.io images import "$CTR_DIR/image.tar" >/dev/null
	CTR_LIMIT=60 ctr -n k8s.io images import "$CTR_DIR/pause.tar" >/dev/null
}

# CRI wants cpu.shares for the pause program, always. Where the cgroup2 tree has no such controller tote refuses that, so there
# containerd finds a program before the shim that takes it out.
wrap_shim() {
	grep -qsw cpu /sys/fs/cgroup/cgroup.controllers && return
	cat >"$BATS_FILE_TMPDIR/containerd-shim-tote-v2" <<-END
		#!/bin/bash
		case " \$* " in
		*" start "*) jq -c 'del(.linux.resources.cpu.shares)' config.json >config.new && mv config.new config.json ;;
		esac
		exec -a "\$0" "$CTR_BIN_ADD/containerd-shim-tote-v2" "\$@"
	END
	chmod 755 "$BATS_FILE_TMPDIR/containerd-shim-tote-v2"
	export CTR_BIN_ADD=$BATS_FILE_TMPDIR
}

setup_file() {
	/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null || skip "python3-grpcio or python3-protobuf is not installed"
	command -v protoc >/dev/null || skip "protobuf-compiler is not installed"
	[ -x "$CTR_BIN_ADD/containerd-shim-tote-v2" ] || skip "the shim is not built"
	export CTR_CRI=1 CTR_NET=1
	wrap_shim
	start_containerds
	each_containerd import_images
}
teardown_file() { stop_containerds; }

# A scenario under each version at the same time, in at most CRI_LIMIT seconds. cri_pod.py ends 77 with the reason when something is missing.
scenario() { # NAME
	local dir code skipped=
	for dir in $CTR_DIRS; do
		(
			. "$dir/env"
			code=0
			in_containerd env IMAGE="$IMAGE" CTR_BIN_ADD="$CTR_BIN_ADD" timeout -k 2 "${CRI_LIMIT:-40}" \
				/usr/bin/python3 "$SHIM_TESTS/cri_pod.py" "$1" >"$dir/out" 2>&1 </dev/null || code=$?
			echo "$code" >"$dir/code"
		) 3>&- &
	done
	wait
	for dir in $CTR_DIRS; do
		. "$dir/env"
		echo "containerd $CTR_VERSION"
		cat "$dir/out"
		code=$(cat "$dir/code")
		[ "$code" != 77 ] || skipped=$(cat "$dir/out")
		[ "$code" = 77 ] || [ "$code" = 0 ]
	done
	[ -z "$skipped" ] || skip "$skipped"
}

@test "the versions" {
	each_containerd true
	skip_missing_versions
}

@test "a pod from its beginning to its end" { scenario lifecycle; }
@test "pods have shims of their own" { scenario two_pods; }
@test "a container that cannot start" { scenario not_startable; }
@test "exec sync" { scenario exec_sync; }
@test "exec sync with a time limit" { scenario exec_sync_timeout; }
@test "exec: streams, half a close" { scenario exec_streams; }
@test "exec: a terminal" { scenario exec_terminal; }
@test "attach" { scenario attach; }
@test "attach to a terminal" { scenario attach_terminal; }
@test "logs" { scenario logs; }
@test "stop: SIGTERM is ignored" { scenario stop_timeout; }
@test "statistics" { scenario stats; }
@test "statistics are those of the controllers" { scenario stats_numbers; }
@test "one pid namespace" { scenario shared_pids; }
@test "OOMKilled" { scenario oom; }
@test "port-forward on the host's network" { scenario forward_host; }
@test "a bridge by Debian's CNI plugins" { scenario network_debian; }
@test "a bridge by tote-cni" { scenario network_tote; }
@test "containerd is killed and comes back" { scenario daemon_restart; }
@test "a shim is killed" { scenario shim_killed; }

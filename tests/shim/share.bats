# SPDX-License-Identifier: Apache-2.0
# What share/ tells other programs about tote: `make install` puts it below PREFIX/share/tote, and those programs take it.

bats_require_minimum_version 1.5.0
load ../bats
load ctr

setup_file() {
	export MADE TOP=$BATS_TEST_DIRNAME/../..
	MADE=$(mktemp -d /tmp/tote-share.XXXXXX)
	make -s -C "$TOP" BUILD="${BUILD:-build}" DESTDIR="$MADE" PREFIX=/opt/tote install-share >&2
	containerd_versions >"$MADE/versions" 2>"$MADE/missing"
}
teardown_file() { rm -rf "$MADE"; }

setup() {
	F=$MADE/opt/tote/share/tote
}

# dump FILE MAJOR: what each containerd of that release makes of it, in DUMPS/VERSION.
dump() {
	local version dir
	DUMPS=$BATS_TEST_TMPDIR/dumps
	mkdir -p "$DUMPS"
	while read -r version dir; do
		[ "${version%%.*}" = "$2" ] || continue
		"$dir/containerd" -c "$1" config dump >"$DUMPS/$version" 2>"$DUMPS/err" || { cat "$DUMPS/err"; return 1; }
		[ ! -s "$DUMPS/err" ] || { cat "$DUMPS/err"; return 1; }
	done <"$MADE/versions"
	[ -n "$(ls "$DUMPS" | grep -v err)" ] || skip "no containerd $2: $(tr '\n' ';' <"$MADE/missing")"
}

# runtimes MAJOR: name, type and program of each runtime, one a line, of all that was dumped.
runtimes() {
	python3 - "$DUMPS"/[0-9]* <<-'END'
		import sys, tomllib
		for path in sys.argv[1:]:
		    plugins = tomllib.load(open(path, "rb"))["plugins"]
		    cri = plugins.get("io.containerd.cri.v1.runtime") or plugins["io.containerd.grpc.v1.cri"]
		    for name, r in sorted(cri["containerd"]["runtimes"].items()):
		        print(name, r["runtime_type"], r.get("options", {}).get("BinaryName", "") or "-", ",".join(r["pod_annotations"] or []) or "-")
	END
}

are_ours() {
	run runtimes
	echo "$output"
	[ "$status" = 0 ]
	[ "$(sort -u <<<"$output")" = "runc io.containerd.runc.v2 - -
tote io.containerd.tote.v2 - org.tote.*
tote-cli io.containerd.runc.v2 /opt/tote/bin/tote org.tote.*" ]
}

@test "install: every file, with the prefix" {
	diff <(cd "$TOP/share" && find . -type f | sort) <(cd "$F" && find . -type f | sort)
	run ! grep -r '@PREFIX@' "$F"
	grep -rq /opt/tote/bin/tote "$F"
	[ -z "$(find "$F" -type f -not -perm 644)" ]
}

@test "containerd 1: the file itself" {
	dump "$F/containerd/config-1.toml" 1
	are_ours
}

@test "containerd 1: CRI starts with it" {
	CTR_CRI=1
	more_config() {
		grep -v '^version' "$F/containerd/config-1.toml"
		printf '[plugins."io.containerd.grpc.v1.cri".cni]\nconf_dir = "%s"\n' "$BATS_TEST_TMPDIR"
	}
	start_containerd
	[ "${CTR_VERSION%%.*}" = 1 ] || { stop_containerd; skip "containerd is $CTR_VERSION"; }
	ran ctr plugins ls
	local found
	found=$(grep -m 1 'cri plugin with config' "$CTR_DIR/log" | grep -oE '[a-z-]+:{Type:io[^ ]*' | sort | tr '\n' ' ')
	stop_containerd
	awk '$2 == "cri" { print $NF }' <<<"$output" | grep -qx ok
	echo "$found"
	[ "$found" = "runc:{Type:io.containerd.runc.v2 tote-cli:{Type:io.containerd.runc.v2 tote:{Type:io.containerd.tote.v2 " ]
}

@test "containerd 2: the file itself, and as an import that leaves the rest" {
	dump "$F/containerd/config-2.toml" 2
	are_ours
	cat >"$BATS_TEST_TMPDIR/main.toml" <<-END
		version = 3
		imports = ["$F/containerd/config-2.toml"]
		[plugins.'io.containerd.cri.v1.runtime']
		  max_container_log_line_size = 4711
	END
	dump "$BATS_TEST_TMPDIR/main.toml" 2
	are_ours
	grep -q '= 4711' "$DUMPS"/[0-9]*
}

# k3s' own template, as far as it matters: the configuration with runc in it.
based_on() { # TEMPLATE: with the base in its place, no comments
	local base
	base=$(mktemp -p "$BATS_TEST_TMPDIR")
	cat >"$base"
	sed -e '/^{{- \/\* .* \*\/ -}}$/d' -e "/^{{ template \"base\" . }}$/{r $base
d}" "$1" >"$BATS_TEST_TMPDIR/k3s.toml"
	run ! grep -F '{{' "$BATS_TEST_TMPDIR/k3s.toml"
}

@test "k3s: the templates after the base" {
	based_on "$F/k3s/config.toml.tmpl" <<-END
		version = 2
		[plugins."io.containerd.grpc.v1.cri".containerd]
		  snapshotter = "overlayfs"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
	END
	dump "$BATS_TEST_TMPDIR/k3s.toml" 1
	are_ours
	rm -r "$DUMPS"
	based_on "$F/k3s/config-v3.toml.tmpl" <<-END
		version = 3
		[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
	END
	dump "$BATS_TEST_TMPDIR/k3s.toml" 2
	are_ours
}

@test "Kubernetes: a RuntimeClass for each handler" {
	python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
	run python3 -c 'import sys, yaml
for d in yaml.safe_load_all(open(sys.argv[1])): print(d["apiVersion"], d["kind"], d["metadata"]["name"], d["handler"])' "$F/kubernetes/runtimeclass.yaml"
	[ "$output" = $'node.k8s.io/v1 RuntimeClass tote tote\nnode.k8s.io/v1 RuntimeClass tote-cli tote-cli' ]
}

@test "Docker: daemon.json" {
	[ "$(jq -r '.runtimes.tote.runtimeType' "$F/docker/daemon.json")" = io.containerd.tote.v2 ]
	[ "$(jq -r '.runtimes["tote-cli"].path' "$F/docker/daemon.json")" = /opt/tote/bin/tote ]
}

@test "nerdctl.toml" {
	[ "$(python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb")))' "$F/nerdctl/nerdctl.toml")" = "{'cgroup_manager': 'cgroupfs'}" ]
}

@test "podman takes the drop-in, and it names the runtime" {
	command -v podman >/dev/null || skip "podman is not installed"
	[ -d /etc/containers ] || skip "there is no /etc/containers"
	mkdir -p "$MADE/etc/containers.conf.d" "$MADE/opt/tote/bin"
	cp "$TOTE" "$MADE/opt/tote/bin/"
	sed "s|\"/opt|\"$MADE/opt|; s|^# runtime =|runtime =|" "$F/containers/tote.conf" >"$MADE/etc/containers.conf.d/tote.conf"
	printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$MADE" "$MADE" >"$MADE/etc/storage.conf"
	run unshare --mount --propagation private sh -c '
		mount --bind "$1/etc" /etc/containers && mount -t tmpfs -o mode=755 none /run || exit
		timeout 20 podman --log-level debug info --format "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}"' - "$MADE"
	[ "$status" = 0 ]
	# Keys that it does not know are told at that level.
	[[ $output != *"Failed to decode"* ]]
	[ "${lines[-1]}" = "tote $MADE/opt/tote/bin/tote" ] || grep -qx "tote $MADE/opt/tote/bin/tote" <<<"$output"
}

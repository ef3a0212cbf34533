# SPDX-License-Identifier: Apache-2.0
# Containers of an ordinary user in scopes of the user's systemd. The account "shop" of the virtual machine lingers; commands
# come from outside of its systemd's groups, as those of a login session do.

bats_require_minimum_version 1.5.0
load helpers

USER_ID=1000
RUNTIME=/run/user/$USER_ID

# Bats' own directories cannot be searched by others: everything that the user sees is below HOME_DIR.
setup_file() {
	needs_systemd
	[ -S "$RUNTIME/systemd/private" ] || skip "needs user $USER_ID with a systemd (tests/vm/run --systemd)"
	export HOME_DIR
	HOME_DIR=$(mktemp -d /tmp/tote-user.XXXXXX)
	chmod 755 "$HOME_DIR"
	cp "$TOTE" "$HOME_DIR/tote"
	cp "$(dirname "$TOTE")/tote-systemd" "$HOME_DIR/"
	(make_rootfs "$HOME_DIR/rootfs")
	chown -Rh $USER_ID:$USER_ID "$HOME_DIR/rootfs"
}

teardown_file() {
	[ -z "${HOME_DIR:-}" ] || rm -rf "$HOME_DIR"
}

setup() {
	BUNDLE=$HOME_DIR/bundle-$BATS_TEST_NUMBER
	ID=u$$-$BATS_TEST_NUMBER
	UNIT=tote-$ID.scope
	GROUP=/sys/fs/cgroup/user.slice/user-$USER_ID.slice/user@$USER_ID.service/user.slice/$UNIT
	install -d -o $USER_ID -g $USER_ID -m 700 "$BUNDLE"
	user "$HOME_DIR/tote" spec --rootless -b "$BUNDLE"
	config '.process.terminal = false | .root.path = $r' --arg r "$HOME_DIR/rootfs"
	config '.mounts |= map(select(.type != "cgroup" and .destination != "/sys/fs/cgroup"))'
	chown $USER_ID:$USER_ID "$BUNDLE/config.json"
}

teardown() {
	local id
	for id in $(tote list -q); do
		tote delete --force "$id"
	done
}

# A command of the user's.
user() {
	(cd "$BUNDLE" && setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$HOME_DIR" XDG_RUNTIME_DIR="${DIR-$RUNTIME}" USER=shop "$@")
}

tote() {
	user "$HOME_DIR/tote" --root "$RUNTIME/tote-$BATS_TEST_NUMBER" "$@"
}

systemctl() {
	user /bin/systemctl "$@"
}

in_scope() {
	command_is sleep 1000
	chown $USER_ID:$USER_ID "$BUNDLE/config.json"
	quietly tote --systemd-cgroup run -d "$ID"
}

no_unit_of_user() {
	USER_BUS=yes no_unit
	[ -z "$(USER_BUS=yes systemctl --user list-units --all --no-legend --plain 'tote_*')" ]
	[ ! -e "$GROUP" ]
}

@test "a scope of the user's systemd, with limits" {
	config '.linux.resources = {memory: {limit: 67108864}, pids: {limit: 3}}'
	in_scope
	[ "$(USER_BUS=yes shown ActiveState,MemoryMax,TasksMax,Slice)" = "ActiveState=active MemoryMax=67108864 Slice=user.slice TasksMax=3 " ]
	[ "$(cat "$GROUP/memory.max" "$GROUP/pids.max" "$GROUP/pids.current" | tr '\n' ' ')" = "67108864 3 1 " ]
	tote exec "$ID" true
	tote exec "$ID" sh -c 'sleep 1000 &'
	[ "$(wc -l <"$GROUP/cgroup.procs")" -eq 2 ]
	tote update --memory 32m --pids-limit 8 "$ID"
	[ "$(cat "$GROUP/memory.max" "$GROUP/pids.max" | tr '\n' ' ')" = "33554432 8 " ]
	[ "$(USER_BUS=yes shown MemoryMax,TasksMax)" = "MemoryMax=33554432 TasksMax=8 " ]
	tote pause "$ID"
	[ "$(tote state "$ID" | jq -r .status)" = paused ]
	tote delete --force "$ID"
	eventually no_unit_of_user
}

@test "run to the end leaves nothing, and the same ID can be used again" {
	command_is true
	for _ in 1 2 3; do
		tote --systemd-cgroup run "$ID"
	done
	eventually no_unit_of_user
}

@test "a caller that is in the user's systemd already is not moved" {
	command_is true
	user systemd-run --user --quiet --scope --unit "here-$BATS_TEST_NUMBER" sh -c '
		before=$(cat /proc/self/cgroup)
		"$@" || exit 1
		[ "$(cat /proc/self/cgroup)" = "$before" ]' sh "$HOME_DIR/tote" --root "$RUNTIME/tote-$BATS_TEST_NUMBER" --systemd-cgroup run "$ID"
	eventually no_unit_of_user
}

@test "root of a user namespace uses the user's systemd as well" {
	config '.linux.uidMappings[0].hostID = 0 | .linux.gidMappings[0].hostID = 0'
	# Its own group is all that it sees: the place that systemd chose, not the one that a uid of 0 made likely.
	config '.linux.namespaces |= map(select(.type != "cgroup")) |
		.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"]}]'
	config '.linux.resources = {memory: {limit: 67108864}}'
	command_is sleep 1000
	user unshare --user --map-root-user sh -c '
		id=$1 && shift
		"$@" --systemd-cgroup run -d $id >/dev/null 2>&1 </dev/null && "$@" exec $id cat /sys/fs/cgroup/memory.max &&
			systemctl --user show "tote-$id.scope" -p ActiveState,MemoryMax && "$@" delete --force $id' \
		sh "$ID" "$HOME_DIR/tote" --root "$RUNTIME/tote-$BATS_TEST_NUMBER" >"$BATS_TEST_TMPDIR/said"
	[ "$(sort "$BATS_TEST_TMPDIR/said" | tr '\n' ' ')" = "67108864 ActiveState=active MemoryMax=67108864 " ]
	eventually no_unit_of_user
}

@test "without a bus daemon the user's systemd is reached directly" {
	command_is true
	mkdir -p "$HOME_DIR/direct/systemd"
	chmod 755 "$HOME_DIR/direct"
	# Only the one socket, in another place.
	touch "$HOME_DIR/direct/systemd/private"
	unshare --mount --propagation private sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh \
		"$RUNTIME/systemd/private" "$HOME_DIR/direct/systemd/private" setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups \
		--inh-caps=-all env -i PATH="$PATH" HOME="$HOME_DIR" USER=shop XDG_RUNTIME_DIR="$HOME_DIR/direct" sh -c 'cd "$1" && shift && exec "$@"' \
		sh "$BUNDLE" "$HOME_DIR/tote" --root "$RUNTIME/tote-$BATS_TEST_NUMBER" --systemd-cgroup run "$ID"
	eventually no_unit_of_user
}

@test "without a bus of the user's the error says what to do" {
	local empty=$HOME_DIR/empty
	mkdir -p "$empty"
	command_is true
	DIR=$empty run tote --systemd-cgroup run "$ID"
	[ "$status" -eq 1 ]
	[[ $output == "tote: the user's systemd cannot be reached: "*"XDG_RUNTIME_DIR"*"loginctl"* ]]
	[ ! -e "$RUNTIME/tote-$BATS_TEST_NUMBER/$ID" ]
}

# SPDX-License-Identifier: Apache-2.0
# An ordinary user with a part of the tree that was handed to him, with none, and no groups at all.
load helpers

USER_ID=1000

# Bats' own directories cannot be searched by others: everything that the user sees is below $SHOP. The program is a script that
# becomes the user in the group $CALLER.
setup_file() {
	make_machine
	in_machine || return 0
	export SHOP
	SHOP=$(mktemp -d /tmp/tote-shop.XXXXXX)
	chmod 755 "$SHOP"
	mv "$BATS_FILE_TMPDIR/rootfs" "$SHOP/"
	cp "$TOTE" "$SHOP/tote"
	cat >"$SHOP/as-user" <<-END
		#!/bin/sh
		echo \$\$ >"$TREE\$CALLER/cgroup.procs" && exec setpriv --reuid=$USER_ID --regid=$USER_ID --clear-groups "$SHOP/tote" "\$@"
	END
	chmod 755 "$SHOP/as-user"
}

teardown_file() {
	[ -z "${SHOP:-}" ] || rm -rf "$SHOP"
}

setup() {
	start_clean
	ROOTFS=$SHOP/rootfs ROOT=$SHOP/state-$BATS_TEST_NUMBER BUNDLE=$SHOP/bundle-$BATS_TEST_NUMBER
	install -d -o $USER_ID -g $USER_ID -m 700 "$ROOT" "$BUNDLE"
	cd "$BUNDLE"
	export TOTE=$SHOP/as-user CALLER=/shop-$BATS_TEST_NUMBER/me
	NAMESPACES='{"type": "user"}'
	LINUX='"uidMappings": [{"containerID": 0, "hostID": '$USER_ID', "size": 1}],
		"gidMappings": [{"containerID": 0, "hostID": '$USER_ID', "size": 1}]'
	mkdir -p "$TREE$CALLER"
}

teardown() {
	clean_up
	[ ! -d "$TREE/shop-$BATS_TEST_NUMBER" ] || rmdir "$TREE/shop-$BATS_TEST_NUMBER"{/me,}
}

# "Model of Delegation" in the kernel's cgroup-v2.rst: these are the delegatee's, the limits are not.
delegate() {
	local group
	for group; do
		chown $USER_ID:$USER_ID "$TREE$group" "$TREE$group"/cgroup.{procs,threads,subtree_control}
	done
}

@test "delegated: all limits, in a group beside the caller's" {
	delegate "${CALLER%/me}" "$CALLER"
	G=$TREE${CALLER%/me}/tote-$ID
	RESOURCES='{"memory": {"limit": 33554432, "swap": 33554432}, "pids": {"limit": 4}, "cpu": {"shares": 512},
		"devices": [{"allow": false}]}'
	started
	reads memory.max 33554432 pids.max 4 cpu.weight 59
	# Only what was needed was switched on.
	[ "$(<"$TREE${CALLER%/me}/cgroup.subtree_control")" = "cpu memory pids" ]
	code=0
	tote exec "$ID" dd if=/dev/zero of=/dev/null bs=64M count=1 || code=$?
	[ $code = 137 ]
	tote update --pids-limit 1 --memory 64m --memory-swap 64m "$ID"
	reads pids.max 1 memory.max 67108864
	resources '{"devices": [{"allow": false}, {"allow": true, "type": "c", "major": 1, "minor": 3}], "pids": {"limit": 2}}'
	reads pids.max 2
	tote pause "$ID"
	reads cgroup.freeze 1
	status_is paused
	tote resume "$ID"
	[ "$(tote ps -f json "$ID" | tr -d '[] \n')" = "$(<"$G/cgroup.procs")" ]
	[[ $(tote events --stats "$ID") == *'"pids":{"current":1,"limit":2}'* ]]
	tote delete --force "$ID"
	[ ! -e "$G" ]
	[ -d "$TREE$CALLER" ]
}

@test "delegated: a relative cgroupsPath, a deep one, one that is somebody else's" {
	delegate "${CALLER%/me}" "$CALLER"
	GROUP=web/box RESOURCES='{"pids": {"limit": 4}}' G=$TREE${CALLER%/me}/web/box
	started
	reads pids.max 4
	[ "$(<"$TREE${CALLER%/me}/web/cgroup.subtree_control")" = pids ]
	tote delete --force "$ID"
	[ ! -e "$TREE${CALLER%/me}/web" ]
	GROUP=/nobodys-$ID/box
	bundle true
	refuses 1 "create cgroup /nobodys-$ID/box: Permission denied: the group above it is not delegated to this user" run "$ID"
	[ ! -e "$TREE/nobodys-$ID" ]
}

@test "not delegated: a limit is an error, no limit needs no group" {
	RESOURCES='{"pids": {"limit": 4}}'
	bundle true
	refuses 1 "tote-$ID: Permission denied: the group above it is not delegated to this user" run "$ID"
	RESOURCES='{}'
	started
	[ ! -e "$TREE${CALLER%/me}/tote-$ID" ] && [ ! -e "$TREE$CALLER/tote-$ID" ]
	# In the caller's own group.
	[ "$(tote exec "$ID" cat /proc/1/cgroup)" = 0::/ ]
	[ -n "$(<"$TREE$CALLER/cgroup.procs")" ]
	refuses 1 "update container $ID: " update --pids-limit 4 "$ID"
	tote delete --force "$ID"
	[ -z "$(<"$TREE$CALLER/cgroup.procs")" ]
}

@test "half delegated: only the caller's own group, which holds the caller" {
	delegate "$CALLER"
	RESOURCES='{"pids": {"limit": 4}}'
	bundle true
	refuses 1 "linux.resources.pids.limit: the pids controller is not delegated to cgroup ${CALLER%/me}; with systemd, set Delegate=yes" run "$ID"
	echo +pids >"$TREE${CALLER%/me}/cgroup.subtree_control"
	refuses 1 "linux.resources.pids.limit: the pids controller cannot be enabled below cgroup $CALLER: that group holds processes itself" \
		run "$ID"
	[ ! -e "$TREE$CALLER/tote-$ID" ]
	RESOURCES='{}' G=$TREE$CALLER/tote-$ID
	started
	[ -n "$(<"$G/cgroup.procs")" ]
	tote delete --force "$ID"
	[ ! -e "$G" ]
}

@test "--cgroup-manager disabled: the caller's group, no limits" {
	# As root: it is a choice there.
	TOTE=$SHOP/tote ROOT=$BATS_TEST_TMPDIR/state NAMESPACES='' LINUX=''
	RESOURCES='{"pids": {"limit": 4}}'
	bundle true
	refuses 1 "linux.resources: there is no cgroup to limit" --cgroup-manager disabled run "$ID"
	nothing_left
	RESOURCES='{}'
	bundle sleep 1000
	(echo $BASHPID >"$TREE$CALLER/cgroup.procs" && quietly tote --cgroup-manager disabled run -d "$ID")
	[ ! -e "$G" ]
	read -r pid <"$TREE$CALLER/cgroup.procs"
	[[ $(tote state "$ID") =~ \"pid\":\ ?$pid, ]]
	tote exec "$ID" true
	refuses 1 "update container $ID: " update --pids-limit 4 "$ID"
	refuses 1 "container $ID" pause "$ID"
	refuses 255 "--cgroup: container $ID has no cgroup" exec --cgroup x "$ID" true
	tote delete --force "$ID"
	[ -z "$(<"$TREE$CALLER/cgroup.procs")" ]
}

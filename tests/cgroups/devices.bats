# SPDX-License-Identifier: Apache-2.0
# Device rules: what is forbidden fails with EPERM, what is allowed works, and all who have a say must agree.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
	# The kernel's log, which nothing but a device rule keeps from who has the capability.
	DEVICES='{"path": "/dev/log0", "type": "c", "major": 1, "minor": 11}' CAPABILITIES='"CAP_SYSLOG"'
	DENY='{"allow":false}' LOG='{"allow":true,"type":"c","major":1,"minor":11'
}

teardown() {
	clean_up
}

# What a command in the container says on failure; nothing on success.
tries() {
	SAID=$(timeout 20 "$TOTE" --root "$ROOT" exec "$ID" sh -c "$1" 2>&1 3>&- </dev/null) || true
}

forbidden() {
	tries "$1"
	[[ $SAID == *"Operation not permitted"* ]] || { echo "$1: \"$SAID\""; return 1; }
}

works() {
	tries "$1"
	[ -z "$SAID" ] || { echo "$1: \"$SAID\""; return 1; }
}

@test "the default devices are always there, all else is forbidden" {
	RESOURCES='{"devices": ['$DENY']}' CAPABILITIES='"CAP_MKNOD", "CAP_SYS_RAWIO", "CAP_SYSLOG"'
	started
	works 'for d in null zero full random urandom; do head -c 1 /dev/$d >/dev/null || exit 1; done; echo x >/dev/null'
	# A pair of pseudo terminals, and the terminal that nobody has.
	tries 'exec 3<>/dev/ptmx; : </dev/pts/0; : </dev/tty'
	# The one is locked, the other is for whoever has a terminal: what EPERM would not say.
	[ "$SAID" = "sh: can't open /dev/pts/0: Input/output error" ]
	tries ': </dev/tty'
	[[ $SAID == *"No such device or address"* ]]
	forbidden ': >/dev/log0'
	forbidden 'head -c 1 /dev/log0'
	# A node may be made, as one that cannot be opened is harmless; not without the capability.
	works 'mknod /dev/disk b 254 16'
	forbidden 'head -c 1 /dev/disk'
	works 'mknod /dev/null2 c 1 3 && head -c 1 /dev/null2'
	works 'mknod -m 666 /dev/mem c 1 1'
	forbidden ': </dev/mem'
	tote delete --force "$ID"
	CAPABILITIES=
	started
	forbidden 'mknod /dev/null2 c 1 3'
}

@test "letters, wildcards and the order of rules hold" {
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	DEVICES+=', {"path": "/dev/disk", "type": "b", "major": '$major', "minor": '$minor'}'
	RESOURCES='{"devices": ['$DENY', '$LOG', "access": "w"}, {"allow": true, "type": "b", "major": '$major'},
		{"allow": false, "type": "b", "major": '$major', "minor": '$minor', "access": "w"}]}'
	started
	works ': >/dev/log0'
	forbidden 'head -c 1 /dev/log0'
	forbidden 'exec 3<>/dev/log0'
	works 'head -c 1 /dev/disk >/dev/null'
	forbidden 'exec 3<>/dev/disk'
}

@test "update replaces the rules, also of a created and of a paused container" {
	RESOURCES='{"devices": ['$DENY']}'
	bundle sleep 1000
	quietly tote create "$ID"
	resources '{"devices": ['$DENY', '$LOG', "access": "w"}]}'
	tote start "$ID"
	works ': >/dev/log0'
	resources '{"devices": ['$DENY']}'
	forbidden ': >/dev/log0'
	works ': </dev/null'
	tote pause "$ID"
	resources '{"devices": [{"allow": true}]}'
	tote resume "$ID"
	works ': >/dev/log0'
	resources '{"devices": ['$DENY']}'
	forbidden ': >/dev/log0'
	# Without rules those in force stay.
	resources '{"devices": [], "pids": {"limit": 50}}'
	forbidden ': >/dev/log0'
	reads pids.max 50
}

@test "the rules of a group above count as well, and are nobody else's to replace" {
	# The container above stands for whoever made the parent: systemd, or an engine.
	local above=$ID
	GROUP=/above-$ID RESOURCES='{"devices": ['$DENY', '$LOG', "access": "r"}]}'
	started
	ID=b$above GROUP=/above-$above/below RESOURCES='{"devices": ['$DENY', '$LOG', "access": "rw"}]}'
	started
	works 'exec 3</dev/log0'
	forbidden ': >/dev/log0'
	resources '{"devices": [{"allow": true}]}'
	works 'exec 3</dev/log0'
	forbidden ': >/dev/log0'
	tote delete --force "$ID"
	ID=$above
	works 'exec 3</dev/log0'
	resources '{"devices": ['$DENY']}'
	forbidden 'exec 3</dev/log0'
}

@test "in a group that was there before, the rules of the last container do not outlive it" {
	mkdir "$TREE/kept-$ID"
	GROUP=/kept-$ID RESOURCES='{"devices": ['$DENY']}'
	started
	forbidden ': >/dev/log0'
	tote delete --force "$ID"
	RESOURCES='{"devices": ['$DENY', '$LOG'}]}'
	started
	works ': >/dev/log0'
	tote delete --force "$ID"
	rmdir "$TREE/kept-$ID"
}

@test "a rule that cannot be is refused, and nothing is left" {
	local case
	for case in 'devices[0].type: is not one of a, b, c|{"allow": true, "type": "z"}' 'devices[0].access: must be made of the letters r, w and m|{"allow": true, "access": "rx"}' \
		'device major 4096 is larger than 4095|{"allow": true, "type": "c", "major": 4096}' \
		'device minor 1048576 is larger than 1048575|{"allow": true, "type": "c", "major": 1, "minor": 1048576}'; do
		RESOURCES='{"devices": ['${case#*|}'], "pids": {"limit": 9}}'
		bundle true
		refuses 1 "${case%%|*}" run "$ID"
	done
	nothing_left
	RESOURCES='{"devices": ['$DENY', '$LOG'}]}'
	started
	refuses_resources 'device major 4096 is larger than 4095' '{"devices": [{"allow": true, "type": "c", "major": 4096}], "pids": {"limit": 9}}'
	reads pids.max max
	works ': >/dev/log0'
}

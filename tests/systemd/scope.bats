# SPDX-License-Identifier: Apache-2.0
# Containers in scopes of the system's systemd.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	needs_systemd
	make_bundle
	UNIT=tote-$ID.scope
	GROUP=/sys/fs/cgroup/system.slice/$UNIT
}

teardown() {
	clean_up
}

# A waiting container of this manager.
in_scope() {
	command_is sleep 1000
	quietly tote --systemd-cgroup run -d "$ID"
}

# The contents of the group's files, on one line.
files() {
	(cd "$GROUP" && cat "$@") | tr '\n' ' '
}

@test "a scope has the limits in systemd and in the files" {
	config '.annotations = {"org.tote.memory.oom.group": "true"} |
		.linux.resources = {memory: {limit: 67108864, reservation: 33554432, swap: 100663296},
		cpu: {shares: 2048, quota: 50000, period: 100000, cpus: "1", mems: "0"}, pids: {limit: 1}, blockIO: {weight: 500},
		unified: {"memory.high": "48M"}}'
	in_scope
	[ "$(shown ActiveState,Slice,Description,Delegate,DefaultDependencies,CollectMode,ControlGroup)" = "ActiveState=active \
CollectMode=inactive-or-failed ControlGroup=/system.slice/$UNIT DefaultDependencies=no Delegate=yes \
Description=tote container $ID Slice=system.slice " ]
	[ "$(shown CPUAccounting,MemoryAccounting,TasksAccounting,IOAccounting)" = \
		"CPUAccounting=yes IOAccounting=yes MemoryAccounting=yes TasksAccounting=yes " ]
	[ "$(shown MemoryMax,MemoryLow,MemorySwapMax,MemoryHigh)" = \
		"MemoryHigh=50331648 MemoryLow=33554432 MemoryMax=67108864 MemorySwapMax=33554432 " ]
	[ "$(shown CPUQuotaPerSecUSec,AllowedCPUs,AllowedMemoryNodes,TasksMax)" = \
		"AllowedCPUs=1 AllowedMemoryNodes=0 CPUQuotaPerSecUSec=500ms TasksMax=1 " ]
	[ "$(files memory.max memory.low memory.swap.max memory.high cpu.max cpuset.cpus cpuset.mems pids.max pids.current)" = \
		"67108864 33554432 33554432 50331648 50000 100000 1 0 1 1 " ]
	[ "$(shown CPUWeight)" = "CPUWeight=$(cat $GROUP/cpu.weight) " ]
	[[ "default $(shown IOWeight)" = "default IOWeight="* ]]
	[ "$(tote ps --format json "$ID")" = "[$(tote state "$ID" | jq .pid)]" ]
	[ "$(cat $GROUP/cgroup.procs)" = "$(tote state "$ID" | jq .pid)" ]
	tote delete --force "$ID"
	no_unit
	[ ! -e "$GROUP" ]
}

@test "the program meets the limits from the start, also with run" {
	config '.linux.resources += {memory: {limit: 67108864}, pids: {limit: 1}}'
	command_is sh -c 'read m </sys/fs/cgroup/memory.max; read p </sys/fs/cgroup/pids.max; read n </sys/fs/cgroup/pids.current
		echo $m $p $n; true | true'
	run tote --cgroup-manager systemd run "$ID"
	[ "${lines[0]}" = "67108864 1 1" ]
	[[ ${lines[1]} == *"can't fork"* ]]
	[ "$status" -ne 0 ]
	no_unit
	nothing_left
}

@test "no limit of systemd's own" {
	in_scope
	[ "$(files pids.max memory.max cpu.max)" = "max max max 100000 " ]
	[ "$(shown TasksMax,MemoryMax)" = "MemoryMax=infinity TasksMax=infinity " ]
}

@test "update reaches systemd and the files, and a reload undoes nothing" {
	config '.linux.resources += {blockIO: {throttleReadBpsDevice: [{major: 254, minor: 16, rate: 1048576}]}}'
	in_scope
	# systemd has no property for this one while the unit runs.
	tote update -r - "$ID" <<<'{"unified": {"memory.oom.group": "1"}}'
	tote update --memory 64m --memory-swap 96m --pids-limit 9 --cpu-quota 12345 --cpu-period 50000 --cpuset-cpus 0 "$ID"
	[ "$(files memory.max memory.swap.max pids.max cpu.max cpuset.cpus)" = "67108864 33554432 9 12345 50000 0 " ]
	[ "$(shown MemoryMax,MemorySwapMax,TasksMax,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,AllowedCPUs)" = \
		"AllowedCPUs=0 CPUQuotaPerSecUSec=250ms CPUQuotaPeriodUSec=50ms MemoryMax=67108864 MemorySwapMax=33554432 TasksMax=9 " ]
	[ "$(files memory.oom.group)" = "1 " ]
	tote update --cpu-quota 20000 "$ID"
	[ "$(files cpu.max)" = "20000 50000 " ]
	tote update --cpu-period 100000 "$ID"
	[ "$(files cpu.max)" = "20000 100000 " ]
	tote update --cpu-idle 1 "$ID"
	[ "$(files cpu.idle)" = "1 " ]
	tote update --cpu-idle 0 --cpu-share 4096 "$ID"
	local weight
	weight=$(files cpu.weight)
	systemctl daemon-reload
	[ "$(files memory.max memory.swap.max pids.max cpu.max cpuset.cpus)" = "67108864 33554432 9 20000 100000 0 " ]
	[ "$(files cpu.idle cpu.weight)" = "0 $weight" ]
	[[ $(files io.max) == "254:16 rbps=1048576 "* ]]
	# Without a limit again.
	tote update --memory -1 --pids-limit -1 --cpu-quota -1 "$ID"
	[ "$(files memory.max pids.max cpu.max)" = "max max max 100000 " ]
	[ "$(shown MemoryMax,TasksMax,CPUQuotaPerSecUSec)" = "CPUQuotaPerSecUSec=infinity MemoryMax=infinity TasksMax=infinity " ]
	tote delete --force "$ID"
	no_unit
}

@test "a property that systemd refuses is no obstacle, and costs none of the others" {
	# No TasksMax for systemd, but a limit for the kernel.
	config '.linux.resources += {memory: {limit: 67108864}, cpu: {quota: 20000}, unified: {"pids.max": "0"}}'
	in_scope
	[ "$(files pids.max memory.max cpu.max)" = "0 67108864 20000 100000 " ]
	[ "$(shown MemoryMax,CPUQuotaPerSecUSec,Description,Delegate,MemoryAccounting)" = \
		"CPUQuotaPerSecUSec=200ms Delegate=yes Description=tote container $ID MemoryAccounting=yes MemoryMax=67108864 " ]
	tote update -r - "$ID" <<<'{"memory": {"limit": 33554432}, "unified": {"pids.max": "0"}}'
	[ "$(files pids.max memory.max)" = "0 33554432 " ]
	[ "$(shown MemoryMax)" = "MemoryMax=33554432 " ]
	tote delete --force "$ID"
	no_unit
}

@test "a refused update changes nothing" {
	config '.linux.resources += {memory: {limit: 67108864}}'
	in_scope
	run ! tote update -r - "$ID" <<<'{"memory": {"limit": 4096, "checkBeforeUpdate": true}}'
	[ "$(files memory.max)" = "67108864 " ]
	[ "$(shown MemoryMax)" = "MemoryMax=67108864 " ]
	[ "$(status_of "$ID")" = running ]
}

@test "slice, prefix and name" {
	config '.linux.cgroupsPath = "shop-till.slice:box:a+b"'
	UNIT='box-a\x2bb.scope'
	GROUP='/sys/fs/cgroup/shop.slice/shop-till.slice/box-a\x2bb.scope'
	in_scope
	[ "$(shown Slice)" = "Slice=shop-till.slice " ]
	[ -n "$(files cgroup.procs)" ]
	tote exec "$ID" cat /proc/self/cgroup
	tote delete "$ID" && return 1
	tote kill "$ID" KILL
	eventually no_unit
	tote delete "$ID"
	no_unit
	systemctl stop shop.slice
}

@test "exec, pause, resume, kill and start work in the scope" {
	command_is sleep 1000
	config '.linux.namespaces |= map(select(.type != "cgroup"))'
	quietly tote --systemd-cgroup create "$ID"
	[ "$(status_of "$ID")" = created ]
	[ "$(shown ActiveState)" = "ActiveState=active " ]
	tote start "$ID"
	# What later commands are told does not count: the container is what it is.
	[ "$(tote --cgroup-manager cgroupfs exec "$ID" cat /proc/self/cgroup)" = "0::/system.slice/$UNIT" ]
	tote pause "$ID"
	[ "$(files cgroup.freeze)" = "1 " ]
	[ "$(status_of "$ID")" = paused ]
	tote resume "$ID"
	[ "$(status_of "$ID")" = running ]
	tote pause "$ID"
	tote delete --force "$ID"
	no_unit
}

@test "a container that ran out of memory leaves no failed unit" {
	config '.linux.resources += {memory: {limit: 8388608, swap: 8388608}}'
	command_is tail /dev/zero
	run tote --systemd-cgroup run "$ID"
	[ "$status" -eq 137 ]
	no_unit
	[ -z "$(systemctl list-units --failed --no-legend --plain)" ]
}

@test "the same ID again at once, also after a container that ended by itself" {
	command_is true
	for _ in 1 2 3; do
		tote --systemd-cgroup run "$ID"
	done
	for _ in 1 2 3; do
		in_scope
		tote delete --force "$ID"
	done
	no_unit
	nothing_left
}

@test "children of the container that make groups of their own go with it" {
	config '(.mounts[] | select(.type == "cgroup") | .options) -= ["ro"]'
	command_is sh -c 'mkdir -p /sys/fs/cgroup/a/b && echo $$ >/sys/fs/cgroup/a/b/cgroup.procs && sleep 1000'
	quietly tote --systemd-cgroup run -d "$ID"
	eventually test -d "$GROUP/a/b"
	eventually grep -q . "$GROUP/a/b/cgroup.procs"
	tote delete --force "$ID"
	no_unit
	[ ! -e "$GROUP" ]
}

@test "a failed create leaves no unit" {
	command_is /no/such/program
	run ! tote --systemd-cgroup create "$ID"
	no_unit
	nothing_left
	command_is true
	config '.linux.resources += {unified: {"no.such.file": "1"}}'
	refuses 1 "no.such.file" --systemd-cgroup run "$ID"
	no_unit
	nothing_left
}

@test "somebody else's unit is left alone" {
	systemd-run --quiet --scope --unit "$UNIT" sleep 1000 3>&- &
	eventually systemctl --quiet is-active "$UNIT"
	refuses 1 "unit $UNIT exists already" --systemd-cgroup run "$ID"
	[ ! -e "$ROOT/$ID" ]
	systemctl --quiet is-active "$UNIT"
	systemctl stop "$UNIT"
}

@test "a cgroupsPath of another form is refused, also by plan" {
	for path in /absolute relative system.slice:box a.slice:b:c:d; do
		config '.linux.cgroupsPath = $p' --arg p "$path"
		refuses 1 'expects "slice:prefix:name"' --systemd-cgroup run "$ID"
		refuses 1 'expects "slice:prefix:name"' --systemd-cgroup plan "$BUNDLE"
	done
	config '.linux.cgroupsPath = "box:tote:a"'
	refuses 1 'linux.cgroupsPath: "box" is not the name of a slice' --systemd-cgroup run "$ID"
	config '.linux.cgroupsPath = "box.slice:tote:a"'
	[ "$(tote --systemd-cgroup plan "$BUNDLE" | head -n 1)" = "have systemd make tote-a.scope in box.slice" ]
}

@test "annotations set harmless properties and no others" {
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "7", "org.systemd.property.Description": "\"a till\"",
		"org.systemd.property.After": "['"'dbus.service'"']"}'
	in_scope
	[ "$(shown Description,TimeoutStopUSec)" = "Description=a till TimeoutStopUSec=7s " ]
	[[ $(shown After) == *dbus.service* ]]
	tote delete --force "$ID"
	no_unit
	config '.annotations = {"org.systemd.property.ExecStart": "true"}'
	refuses 1 'annotations["org.systemd.property.ExecStart"]' --systemd-cgroup run "$ID"
	# What this systemd does not know is not passed over in silence either.
	config '.annotations = {"org.systemd.property.CollectMode": "\"sometimes\""}'
	refuses 1 "unit $UNIT:" --systemd-cgroup run "$ID"
	no_unit
	nothing_left
}

@test "without the bus systemd is reached directly" {
	command_is true
	unshare --mount --propagation private sh -c 'mount -t tmpfs none /run/dbus && exec "$@"' sh \
		"$TOTE" --root "$ROOT" --systemd-cgroup run "$ID"
	no_unit
	nothing_left
}

@test "without systemd, or without tote-systemd, the error says what to do" {
	run unshare --mount --propagation private sh -c 'mount -t tmpfs none /run/systemd && exec "$@"' sh \
		"$TOTE" --root "$ROOT" --systemd-cgroup run "$ID"
	[ "$status" -eq 1 ]
	[ "$output" = "tote: systemd is not running here; use --cgroup-manager cgroupfs" ]
	cp "$TOTE" "$BATS_TEST_TMPDIR/tote"
	run "$BATS_TEST_TMPDIR/tote" --root "$ROOT" --systemd-cgroup run "$ID"
	[ "$status" -eq 1 ]
	[ "$output" = "tote: the systemd cgroup manager needs tote-systemd, which is not at $BATS_TEST_TMPDIR/tote-systemd" ]
	nothing_left
}

@test "a bus that hangs is waited for as long as was said, and delete --force needs none" {
	in_scope
	local bus start
	bus=$(systemctl show dbus.service -p MainPID --value)
	kill -STOP "$bus"
	run timeout 10 "$(dirname "$TOTE")/tote-systemd" --timeout 1000 stop "$UNIT"
	start=$SECONDS
	tote delete --force "$ID" || code=$?
	kill -CONT "$bus"
	[ "${code:-0}" -eq 0 ]
	[ $((SECONDS - start)) -le 10 ]
	[ "$status" -eq 1 ]
	[ "$output" = "tote-systemd: unit $UNIT: systemd does not answer" ]
	no_unit
	nothing_left
}

@test "features and doctor say that it is there" {
	[ "$(tote features | jq -c '[.linux.cgroup | .systemd, .systemdUser]')" = "[true,true]" ]
	tote doctor --format json >"$BATS_TEST_TMPDIR/report" || true
	[ "$(jq -r '.[] | select(.check == "systemd").status' <"$BATS_TEST_TMPDIR/report")" = ok ]
}

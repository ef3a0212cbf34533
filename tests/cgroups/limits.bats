# SPDX-License-Identifier: Apache-2.0
# What tote-cgroups(7) says of each limit, read back from the kernel: from config.json, and after update.
load helpers

setup_file() {
	make_machine
}

setup() {
	start_clean
}

teardown() {
	clean_up
}

# The file of weights that this kernel has, and what it says to the spec's 10, 500 and 1000.
weights() {
	WEIGHT=io.weight LEAST='default 1' MIDDLE='default 4950' MOST='default 10000'
	[ ! -e "$G/io.bfq.weight" ] || WEIGHT=io.bfq.weight LEAST='default 10' MIDDLE='default 500' MOST='default 1000'
}

@test "config.json: each field is in the file that stands for it" {
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	ANNOTATIONS='{"org.tote.memory.high": "90%", "org.tote.memory.oom.group": "true"}'
	RESOURCES='{"memory": {"limit": 67108864, "reservation": 16777216, "swap": 100663296},
		"cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 10000, "cpus": "1", "mems": "0"},
		"pids": {"limit": 40},
		"blockIO": {"weight": 500,
			"throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 1048576}],
			"throttleWriteBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 2097152}],
			"throttleReadIOPSDevice": [{"major": '$major', "minor": '$minor', "rate": 300}],
			"throttleWriteIOPSDevice": [{"major": '$major', "minor": '$minor', "rate": 400}]},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
		"unified": {"memory.min": "4194304", "pids.max": "41"}}'
	bundle true
	quietly tote create "$ID"
	weights
	reads memory.max 67108864 memory.low 16777216 memory.swap.max 33554432 memory.min 4194304 memory.oom.group 1
	# Nine tenths, in whole pages.
	reads memory.high 60395520
	reads cpu.weight 59 cpu.max '50000 200000' cpu.max.burst 10000 cpuset.cpus 1 cpuset.mems 0
	reads "$WEIGHT" "$MIDDLE" io.max "$major:$minor rbps=1048576 wbps=2097152 riops=300 wiops=400"
	reads hugetlb.2MB.max 4194304 hugetlb.2MB.rsvd.max 4194304
	# The spec's field says 40; what is meant for this kernel comes last.
	reads pids.max 41
}

@test "update: every option, on a created, a running and a paused container, up and down" {
	bundle sleep 1000
	quietly tote create "$ID"
	weights
	reads memory.max max cpu.max 'max 100000' cpu.weight 100 pids.max max
	tote update --memory 64m --memory-reservation 16M --memory-swap 96m --cpu-share 512 --cpu-quota 50000 --cpu-period 200000 \
		--cpu-burst 10000 --cpuset-cpus 0-1 --cpuset-mems 0 --pids-limit 40 --blkio-weight 10 "$ID"
	reads memory.max 67108864 memory.low 16777216 memory.swap.max 33554432 cpu.weight 59 cpu.max '50000 200000' cpu.max.burst 10000
	reads cpuset.cpus 0-1 cpuset.mems 0 pids.max 40 "$WEIGHT" "$LEAST"

	tote start "$ID"
	# A quota below the burst that is in force, with a burst to match; of a pair the other half stays.
	tote update --memory 32m --memory-swap 32m --cpu-share 262144 --cpu-quota 5000 --cpu-burst 4000 --cpuset-cpus 1 \
		--pids-limit 2 --blkio-weight 1000 "$ID"
	reads memory.max 33554432 memory.swap.max 0 cpu.weight 10000 cpu.max '5000 200000' cpu.max.burst 4000 cpuset.cpus 1 pids.max 2
	reads memory.low 16777216 "$WEIGHT" "$MOST"
	tote update --cpu-period 50000 "$ID"
	reads cpu.max '5000 50000'

	tote pause "$ID"
	tote update --memory 128m --memory-reservation -1 --memory-swap -1 --cpu-share 2 --cpu-burst 0 --cpu-quota -1 --pids-limit -1 "$ID"
	reads memory.max 134217728 memory.low max memory.swap.max max cpu.weight 1 cpu.max 'max 50000' cpu.max.burst 0 pids.max max
	reads cgroup.freeze 1 cpuset.cpus 1
	tote resume "$ID"
	tote update --cpu-idle 1 "$ID"
	reads cpu.idle 1
	# The kernel takes no weight while the group is idle.
	tote update --cpu-idle 0 --cpu-share 1024 "$ID"
	reads cpu.idle 0 cpu.weight 100
	tote update --memory -1 "$ID"
	reads memory.max max memory.swap.max max
}

@test "update: resources as JSON, and what has no option" {
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	started
	# Controllers that config.json had no need for are enabled now.
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 2097152}], "cpu": {"shares": 2048},
		"blockIO": {"throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 500000}],
			"throttleWriteIOPSDevice": [{"major": '$major', "minor": '$minor', "rate": 70}]},
		"unified": {"cpu.weight": "77", "memory.high": "30000000", "pids.max": "50"}}'
	reads hugetlb.2MB.max 2097152 hugetlb.2MB.rsvd.max 2097152 io.max "$major:$minor rbps=500000 wbps=max riops=max wiops=70"
	# unified is last.
	reads cpu.weight 77 memory.high 29999104 pids.max 50
	printf '{"blockIO": {"throttleReadBpsDevice": [{"major": %s, "minor": %s, "rate": 0}]}, "pids": {"limit": 0}}' "$major" "$minor" |
		tote update --resources=- --cpu-share 4096 "$ID"
	reads io.max "$major:$minor rbps=max wbps=max riops=max wiops=70" pids.max max cpu.weight 303
	# One line at a time: the kernel takes one device, or one part of one, a write.
	resources '{"unified": {"io.max": "'"$major:$minor"' wiops=max\n'"$major:$minor"' riops=8\n'"$major:$minor"' wbps=9000000\n",
		"cgroup.max.descendants": "3"}}'
	reads io.max "$major:$minor rbps=max wbps=9000000 riops=8 wiops=max" cgroup.max.descendants 3
}

@test "memory.high follows the limit, and is refused as anything but a share" {
	ANNOTATIONS='{"org.tote.memory.high": "50%"}' RESOURCES='{"memory": {"limit": 67108864}}'
	started
	reads memory.high 33554432 memory.oom.group 0
	tote update --memory 32m "$ID"
	reads memory.max 33554432 memory.high 16777216
	tote update --pids-limit 20 "$ID"
	reads memory.high 16777216
	tote update --memory -1 "$ID"
	reads memory.max max memory.high max
	tote delete --force "$ID"
	ANNOTATIONS='{"org.tote.memory.high": "101%"}'
	bundle true
	refuses 1 'annotations["org.tote.memory.high"]: expected a share of the memory limit from 1% to 100%, found "101%"' run "$ID"
	RESOURCES='{}' ANNOTATIONS='{"org.tote.memory.high": "90%"}'
	bundle true
	refuses 1 "a share of linux.resources.memory.limit, which is not set" run "$ID"
	nothing_left
}

@test "memory.high that was set for its own sake stays" {
	ANNOTATIONS='{"org.tote.memory.high": "90%"}' RESOURCES='{"memory": {"limit": 67108864}, "unified": {"memory.high": "30000000"}}'
	started
	reads memory.high 29999104
	tote update --memory 40m "$ID"
	reads memory.max 41943040 memory.high 29999104
	# Back to the annotation's share, which follows again; also of a limit that is no whole number of pages.
	resources '{"unified": {"memory.high": "37748736"}}'
	tote update --memory 10000000 "$ID"
	reads memory.high 8998912
	tote update --memory 20000000 "$ID"
	reads memory.high 17997824
}

@test "an update that is refused changes nothing" {
	read -r major minor < <(stat -c '%Hr %Lr' $DISK)
	started
	weights
	tote update --memory 64m --memory-swap 96m --cpu-share 512 --cpu-quota 50000 --cpu-period 200000 --cpu-burst 40000 --pids-limit 40 \
		--cpuset-cpus 0 --blkio-weight 500 "$ID"
	resources '{"blockIO": {"throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 500000}]}}'
	# Refused by the kernel, at the very end.
	refuses_resources 'linux.resources.unified["cpu.weight"]: write "20000" to cpu.weight' '{
		"memory": {"limit": 41943040, "swap": 41943040, "reservation": 4096},
		"cpu": {"shares": 2048, "quota": 30000, "period": 100000, "burst": 20000, "cpus": "1", "mems": "0"}, "pids": {"limit": 9},
		"blockIO": {"weight": 1000, "throttleReadBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 900000}],
			"throttleWriteBpsDevice": [{"major": '$major', "minor": '$minor', "rate": 800000}]},
		"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}], "unified": {"memory.high": "20000000", "cpu.weight": "20000"}}'
	reads memory.max 67108864 memory.swap.max 33554432 memory.low 0 memory.high max cpu.weight 59 cpu.max '50000 200000'
	reads cpu.max.burst 40000 cpuset.cpus 0 cpuset.mems 0 pids.max 40 "$WEIGHT" "$MIDDLE" hugetlb.2MB.max max
	reads io.max "$major:$minor rbps=500000 wbps=max riops=max wiops=max"
	# By what holds already.
	refuses 1 "linux.resources.cpu.quota: a burst of 40000 is more than the quota of 20000; give a smaller burst as well" \
		update --pids-limit 9 --cpu-quota 20000 "$ID"
	refuses 1 "linux.resources.cpu.burst: a burst of 60000 is more than the quota of 50000" update --pids-limit 9 --cpu-burst 60000 "$ID"
	reads cpu.max '50000 200000' cpu.max.burst 40000 pids.max 40
	# The kernel forgets the weight of a group that is told to idle.
	refuses_resources 'linux.resources.unified["cpu.max"]: write "none"' '{"cpu": {"idle": 1}, "unified": {"cpu.max": "none"}}'
	reads cpu.idle 0 cpu.weight 59
	# 0 says nothing.
	tote update --cpu-quota 0 --pids-limit 41 "$ID"
	reads cpu.max '50000 200000' pids.max 41
	tote update --cpu-idle 1 "$ID"
	refuses 1 "linux.resources.cpu.shares: the container is idle (cpu.idle is 1) and has no shares" update --pids-limit 9 --cpu-share 512 "$ID"
	tote update --cpu-idle 1 --cpu-share 512 "$ID"
	reads cpu.idle 1 pids.max 41
}

@test "checkBeforeUpdate: what is in use is not taken away, and nothing else changes" {
	# Pages of a file system in memory: nobody can drop them.
	started sh -c 'dd if=/dev/zero of=/dev/fill bs=1M count=20 2>/dev/null; exec sleep 1000'
	tote update --memory 64m "$ID"
	eventually in_use 20000000
	refuses_resources "linux.resources.memory.limit: " '{"memory": {"limit": 10000000, "checkBeforeUpdate": true}, "pids": {"limit": 9}}'
	[[ $stderr == *" bytes are in use, more than the new limit of 10000000" ]]
	reads memory.max 67108864 pids.max max
	resources '{"memory": {"limit": 41943040, "checkBeforeUpdate": true}, "pids": {"limit": 9}}'
	reads memory.max 41943040 pids.max 9
}

@test "checkBeforeUpdate: config.json's holds for updates that say nothing of it" {
	RESOURCES='{"memory": {"checkBeforeUpdate": true}}'
	started sh -c 'dd if=/dev/zero of=/dev/fill bs=1M count=20 2>/dev/null; exec sleep 1000'
	tote update --memory 64m "$ID"
	eventually in_use 20000000
	refuses 1 " bytes are in use, more than the new limit of 8388608" update --memory 8m --pids-limit 9 "$ID"
	reads memory.max 67108864 pids.max max
	status_is running
	resources '{"memory": {"limit": 33554432, "checkBeforeUpdate": false}}'
	reads memory.max 33554432
}

in_use() {
	[ "$(<"$G/memory.current")" -gt "$1" ]
}

@test "block I/O weights: by the cost model, of a device, by BFQ once there is one" {
	[ -e $TREE/io.cost.qos ] || skip "this kernel has no cost model for block I/O"
	[ ! -e /sys/module/bfq ] || skip "BFQ is in use already"
	local device
	device=$(stat -c '%Hr:%Lr' $DISK)
	RESOURCES='{"blockIO": {"weight": 10, "weightDevice": [{"major": '${device%:*}', "minor": '${device#*:}', "weight": 1000}]}}'
	bundle sleep 1000
	# The kernel has weights of a device only where the model was switched on once.
	if ! grep -q "^$device " $TREE/io.cost.qos; then
		refuses 1 "linux.resources.blockIO.weightDevice: write \"$device 10000\" to io.weight" run "$ID"
		nothing_left
	fi
	echo "$device enable=1" >$TREE/io.cost.qos
	quietly tote run -d "$ID"
	reads io.weight "default 1 $device 10000"
	echo "$device enable=0" >$TREE/io.cost.qos
	modprobe bfq || skip "this kernel has no BFQ"
	resources '{"blockIO": {"weight": 200}}'
	reads io.bfq.weight 'default 200' io.weight "default 1 $device 10000"
	modprobe -r bfq
}

@test "what only cgroup v1 has is refused, by run and by update" {
	started
	local case field
	for case in 'memory.kernel|{"memory": {"kernel": 1000000}}' 'memory.kernelTCP|{"memory": {"kernelTCP": 1000000}}' \
		'memory.swappiness|{"memory": {"swappiness": 60}}' 'memory.disableOOMKiller|{"memory": {"disableOOMKiller": true}}' \
		'cpu.realtimeRuntime|{"cpu": {"realtimeRuntime": 1000}}' 'cpu.realtimePeriod|{"cpu": {"realtimePeriod": 1000}}' \
		'blockIO.leafWeight|{"blockIO": {"leafWeight": 100}}' 'network.classID|{"network": {"classID": 1}}' \
		'network.priorities|{"network": {"priorities": [{"name": "eth0", "priority": 1}]}}'; do
		field=${case%%|*}
		refuses_resources "update container $ID: linux.resources.$field: cgroup v2 has no such thing" "${case#*|}"
	done
	tote delete --force "$ID"
	RESOURCES='{"pids": {"limit": 9}, "memory": {"swappiness": 60}}'
	bundle true
	refuses 1 "linux.resources.memory.swappiness: cgroup v2 has no such thing" run "$ID"
	nothing_left
}

@test "values and files that the kernel does not take are named" {
	started
	tote update --memory 64m --cpu-quota 50000 "$ID"
	refuses_resources 'linux.resources.cpu.cpus: write "900" to cpuset.cpus of cgroup /tote-'"$ID" '{"cpu": {"cpus": "900"}}'
	refuses_resources 'linux.resources.cpu.mems: write "77" to cpuset.mems' '{"cpu": {"mems": "77"}}'
	refuses_resources 'linux.resources.cpu.quota: write "10" to cpu.max' '{"cpu": {"quota": 10}}'
	refuses_resources 'linux.resources.cpu.burst: a burst of 60000 is more than the quota of 50000' '{"cpu": {"burst": 60000}}'
	refuses_resources 'linux.resources.memory.swap: is memory and swap together, it is less than memory.limit' '{"memory": {"swap": 1000000}}'
	refuses_resources 'linux.resources.blockIO.weight: is not in 10..1000' '{"blockIO": {"weight": 1001}}'
	refuses_resources 'linux.resources.blockIO.throttleReadBpsDevice: write "250:250 rbps=9" to io.max' \
		'{"blockIO": {"throttleReadBpsDevice": [{"major": 250, "minor": 250, "rate": 9}]}}'
	refuses_resources 'linux.resources.hugepageLimits: kernel lacks hugetlb.3MB.max' '{"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}'
	refuses_resources 'linux.resources.rdma: write "nothere0 hca_handle=3" to rdma.max' '{"rdma": {"nothere0": {"hcaHandles": 3}}}'
	refuses_resources 'linux.resources.unified["cpu.weight"]: write "20000" to cpu.weight' '{"unified": {"cpu.weight": "20000"}}'
	refuses_resources 'linux.resources.unified["memory.nothing"]: kernel lacks memory.nothing' '{"unified": {"memory.nothing": "1"}}'
	refuses_resources 'unified["../pids.max"]: is not the name of a cgroup file' '{"unified": {"../pids.max": "1"}}'
	reads memory.max 67108864 cpu.max '50000 100000'
	status_is running
}

# SPDX-License-Identifier: Apache-2.0
# The six kinds of hooks: when, where, with what they run, and what their failure does.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	LOG=$BATS_TEST_TMPDIR/log
	mkdir "$LOG"
	command_is sleep 1000
	# startContainer hooks see only the container.
	config '.mounts += [{"destination": "/log", "source": $p, "options": ["bind"]}]' --arg p "$LOG"
}

teardown() {
	clean_up
}

# hook KIND SCRIPT [JQ]: a hook that runs a shell script; JQ changes the hook's object.
hook() {
	config ".hooks[\$kind] += [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \$script], \"env\": [\"PATH=/bin:/usr/bin\"]} | ${3:-.}]" \
		--arg kind "$1" --arg script "$2"
}

# The directory that both the host's hooks and the container's can write to, as this kind sees it.
log_for() {
	if [ "$1" = startContainer ]; then echo /log; else echo "$LOG"; fi
}

# Every kind appends its name to "order" and keeps its state and its namespaces.
all_hooks() {
	local kind at
	for kind in poststop poststart startContainer createContainer createRuntime prestart; do
		at=$(log_for $kind)
		hook $kind "echo $kind >>$at/order; cat >$at/$kind.json; readlink /proc/self/ns/mnt >$at/$kind.mnt; \
			readlink /proc/self/ns/net >$at/$kind.net; readlink /proc/self/ns/uts >$at/$kind.uts"
	done
}

order() {
	tr '\n' ' ' <"$LOG/order"
}

state_of_hook() {
	jq -r "$2" "$LOG/$1.json"
}

@test "order: create, start, delete" {
	all_hooks
	quietly tote create "$ID"
	[ "$(order)" = "prestart createRuntime createContainer " ]
	quietly tote start "$ID"
	[ "$(order)" = "prestart createRuntime createContainer startContainer poststart " ]
	tote kill "$ID" 9
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	[ ! -e "$LOG/poststop.json" ]
	tote delete "$ID"
	[ "$(order)" = "prestart createRuntime createContainer startContainer poststart poststop " ]
	nothing_left
}

@test "order: run" {
	all_hooks
	command_is true
	run -0 tote run "$ID"
	[ "$(order)" = "prestart createRuntime createContainer startContainer poststart poststop " ]
	nothing_left
}

@test "several of one kind run in their order" {
	for n in 1 2 3; do
		hook createRuntime "echo r$n >>$LOG/order"
		hook createContainer "echo c$n >>$LOG/order"
		hook startContainer "echo s$n >>/log/order"
		hook poststop "echo p$n >>$LOG/order"
	done
	command_is true
	run -0 tote run "$ID"
	[ "$(order)" = "r1 r2 r3 c1 c2 c3 s1 s2 s3 p1 p2 p3 " ]
}

@test "the state on stdin: status, pid, id, bundle, annotations" {
	all_hooks
	config '.annotations = {"com.example": "yes"}'
	quietly tote create "$ID"
	pid=$(tote state "$ID" | jq .pid)
	tote start "$ID"
	tote delete --force "$ID"
	for pair in prestart:creating createRuntime:creating createContainer:creating startContainer:created \
		poststart:running poststop:stopped; do
		kind=${pair%:*}
		echo "$kind: $(cat "$LOG/$kind.json")"
		[ "$(state_of_hook $kind .status)" = "${pair#*:}" ]
		[ "$(state_of_hook $kind .id)" = "$ID" ]
		[ "$(state_of_hook $kind .bundle)" = "$BUNDLE" ]
		[ "$(state_of_hook $kind .ociVersion)" = "$(jq -r .ociVersion config.json)" ]
		[ "$(state_of_hook $kind '.annotations["com.example"]')" = yes ]
	done
	for kind in prestart createRuntime createContainer startContainer poststart; do
		[ "$(state_of_hook $kind .pid)" = "$pid" ]
	done
	[ "$(state_of_hook poststop '.pid // 0')" = 0 ]
}

@test "the namespaces they run in" {
	all_hooks
	quietly tote create "$ID"
	pid=$(tote state "$ID" | jq .pid)
	tote start "$ID"
	tote kill "$ID" 0
	for ns in mnt net uts; do
		inside=$(readlink /proc/$pid/ns/$ns)
		outside=$(readlink /proc/self/ns/$ns)
		[ "$inside" != "$outside" ]
		for kind in prestart createRuntime poststart; do
			[ "$(cat "$LOG/$kind.$ns")" = "$outside" ]
		done
		for kind in createContainer startContainer; do
			[ "$(cat "$LOG/$kind.$ns")" = "$inside" ]
		done
	done
}

@test "createRuntime sees the namespaces of the pid it is told" {
	hook createRuntime "pid=\$(jq .pid); readlink /proc/\$pid/ns/net >$LOG/net; nsenter -t \$pid -n true && echo entered >$LOG/entered"
	quietly tote create "$ID"
	[ "$(cat "$LOG/net")" = "$(readlink "/proc/$(tote state "$ID" | jq .pid)/ns/net")" ]
	[ "$(cat "$LOG/entered")" = entered ]
}

@test "createContainer runs after the mounts and before pivot_root" {
	hook createContainer "grep -c ' $ROOTFS/log ' /proc/self/mountinfo >$LOG/mounts; test -e $BUNDLE/config.json && echo host >$LOG/host"
	run -0 quietly tote create "$ID"
	[ "$(cat "$LOG/host")" = host ]
	[ "$(cat "$LOG/mounts")" -ge 1 ]
}

@test "arguments and environment are exactly the hook's" {
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["zero", "-c", $s, "one", "two words"], "env": ["A=1", "B=x y"]}]' \
		--arg s "tr '\\0' '\\n' </proc/\$\$/environ >$LOG/env; tr '\\0' '\\n' </proc/\$\$/cmdline >$LOG/args; echo \"\$0|\$1\" >>$LOG/args"
	LEAK=1 quietly tote create "$ID"
	[ "$(cat "$LOG/env")" = $'A=1\nB=x y' ]
	[ "$(head -n 1 "$LOG/args")" = zero ]
	[ "$(tail -n 1 "$LOG/args")" = "one|two words" ]
}

@test "hooks get no descriptor beyond stdio" {
	for kind in createRuntime createContainer startContainer poststart; do
		hook $kind "ls /proc/self/fd >$(log_for $kind)/$kind.fds"
	done
	exec 9</etc/hostname
	quietly tote create "$ID"
	quietly tote start "$ID"
	for kind in createRuntime createContainer startContainer poststart; do
		echo "$kind: $(tr '\n' ' ' <"$LOG/$kind.fds")"
		[ "$(wc -l <"$LOG/$kind.fds")" = 4 ]
	done
}

@test "a process that a hook leaves behind holds nobody up" {
	for kind in createRuntime createContainer startContainer; do
		hook $kind "sleep 30 </dev/null >/dev/null 2>&1 & echo \$! >$(log_for $kind)/$kind.pid"
	done
	SECONDS=0
	command_is true
	run -0 timeout 20 "$TOTE" --root "$ROOT" run "$ID"
	[ "$SECONDS" -lt 15 ]
	kill "$(cat "$LOG/createRuntime.pid")"
	nothing_left
}

@test "a process that a hook leaves behind does not hold create and start up" {
	hook createContainer "sleep 30 </dev/null >/dev/null 2>&1 &"
	hook startContainer "sleep 30 </dev/null >/dev/null 2>&1 &"
	quietly timeout 10 "$TOTE" --root "$ROOT" create "$ID"
	quietly timeout 10 "$TOTE" --root "$ROOT" start "$ID"
	[ "$(status_of "$ID")" = running ]
}

@test "a failing prestart, createRuntime or createContainer hook undoes everything" {
	for kind in prestart createRuntime createContainer; do
		config 'del(.hooks)'
		hook $kind 'exit 3'
		hook poststop "echo $kind >>$LOG/poststop"
		for verb in create run; do
			refuses 1 "3" $verb --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
			[[ $stderr == *hook* ]]
			nothing_left
			[ ! -e "$BATS_TEST_TMPDIR/pid" ]
		done
		# runtime.md: the container is destroyed, and its poststop hooks are run.
		[ "$(grep -c $kind "$LOG/poststop")" = 2 ]
	done
}

@test "the hooks after a failing one do not run" {
	hook createRuntime 'exit 1'
	hook createRuntime "touch $LOG/second"
	hook createContainer "touch $LOG/third"
	refuses 1 "createRuntime" create "$ID"
	[ ! -e "$LOG/second" ] && [ ! -e "$LOG/third" ]
}

@test "a failing startContainer hook: the program does not run, the container has stopped" {
	hook startContainer 'exit 4'
	command_is touch /log/ran
	quietly tote create "$ID"
	refuses 1 "4" start "$ID"
	[[ $stderr == *hook* ]]
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	[ ! -e "$LOG/ran" ]
	tote delete "$ID"
	refuses 1 "hook" run "$ID"
	[ ! -e "$LOG/ran" ]
	nothing_left
}

@test "a failing poststart hook: start fails and the container is stopped" {
	hook poststart 'exit 5'
	quietly tote create "$ID"
	refuses 1 "poststart" start "$ID"
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	tote delete "$ID"
	nothing_left
	refuses 1 "poststart" run "$ID"
	nothing_left
}

@test "a failing poststop hook is a warning, and the next ones still run" {
	hook poststop 'echo broken >&2; exit 6'
	hook poststop "touch $LOG/second"
	quietly tote create "$ID"
	run -0 --separate-stderr tote delete --force "$ID"
	[[ $stderr == *warning*poststop* ]]
	[ -e "$LOG/second" ]
	nothing_left
}

@test "hooks on the host run in the bundle, and in / when it is gone" {
	for kind in prestart createRuntime poststart poststop; do
		hook $kind "pwd >$LOG/$kind"
	done
	mkdir "$BATS_TEST_TMPDIR/elsewhere"
	cd "$BATS_TEST_TMPDIR/elsewhere"
	quietly tote create -b "$BUNDLE" "$ID"
	tote start "$ID"
	for kind in prestart createRuntime poststart; do
		[ "$(cat "$LOG/$kind")" = "$BUNDLE" ]
	done
	tote delete --force "$ID"
	[ "$(cat "$LOG/poststop")" = "$BUNDLE" ]
	quietly tote create -b "$BUNDLE" "$ID"
	mv "$BUNDLE" "$BUNDLE.gone"
	tote delete --force "$ID"
	mv "$BUNDLE.gone" "$BUNDLE"
	[ "$(cat "$LOG/poststop")" = / ]
}

@test "what a hook says on stderr is in the message" {
	hook createRuntime 'echo "no bridge br0" >&2; exit 1'
	refuses 1 "no bridge br0" create "$ID"
}

@test "a hook that does not exist, or is no program" {
	for kind in prestart createRuntime createContainer; do
		for path in /no/such/hook /etc/passwd; do
			config '.hooks = {($kind): [{"path": $path}]}' --arg kind $kind --arg path $path
			refuses 1 "hook" create "$ID"
			nothing_left
		done
	done
	config '.hooks = {"createRuntime": [{"path": "relative"}]}'
	refuses 1 "hooks.createRuntime[0].path" create "$ID"
}

@test "a timeout kills the hook and fails the create" {
	for kind in createRuntime createContainer; do
		config 'del(.hooks)'
		hook $kind "echo \$\$ >$LOG/pid; exec sleep 1000" '.timeout = 1'
		SECONDS=0
		refuses 1 "hook" create "$ID"
		[[ ${stderr,,} == *"timed out"* ]]
		[ "$SECONDS" -le 15 ]
		nothing_left
		[ "$kind" = createContainer ] || ! kill -0 "$(cat "$LOG/pid")" 2>/dev/null
	done
	config 'del(.hooks)'
	hook createRuntime true '.timeout = 30'
	quietly tote create "$ID"
}

@test "a timeout that is no positive number" {
	for timeout in 0 -1 '"1"'; do
		config ".hooks = {\"createRuntime\": [{\"path\": \"/bin/true\", \"timeout\": $timeout}]}"
		refuses 1 "hooks.createRuntime[0].timeout" create "$ID"
	done
}

@test "a hook that does not read its state is no error" {
	hook createRuntime 'exec <&-; exit 0'
	config '.annotations.big = ("x" * 100000)'
	quietly tote create "$ID"
	[ "$(status_of "$ID")" = created ]
}

@test "startContainer hooks run with the program's root" {
	hook startContainer 'cat /etc/passwd >/log/passwd; hostname >/log/hostname'
	quietly tote create "$ID"
	tote start "$ID"
	cmp "$ROOTFS/etc/passwd" "$LOG/passwd"
	[ "$(cat "$LOG/hostname")" = tote ]
}

@test "delete of a container that was never started runs poststop once" {
	hook poststop "echo x >>$LOG/count"
	quietly tote create "$ID"
	tote delete "$ID"
	tote delete --force "$ID"
	[ "$(wc -l <"$LOG/count")" = 1 ]
}

@test "delete --force ends in ten seconds, whatever a poststop hook does" {
	hook poststop "echo \$\$ >$LOG/pid; exec sleep 1000"
	quietly tote create "$ID"
	within 10 run -0 --separate-stderr tote delete --force "$ID"
	[ "$code" = 0 ]
	[[ $stderr == *warning*poststop*"timed out"* ]]
	run ! kill -0 "$(cat "$LOG/pid")"
	nothing_left
}

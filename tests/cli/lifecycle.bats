# SPDX-License-Identifier: Apache-2.0
# create, start, state, kill, delete, run, list, ps, pause and resume, in all orders, as containerd, podman and conmon call
# them.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	PID_FILE=$BATS_TEST_TMPDIR/pid
}

teardown() {
	clean_up
}

has_status() {
	[ "$(status_of "$ID")" = "$1" ]
}

# A program that ends with code 3 on SIGTERM; as process 1 it would ignore a signal that it does not handle.
TRAP='trap "exit 3" TERM; echo ready; while :; do sleep 0.02; done'

@test "create, start, state, kill, delete" {
	command_is sh -c "$TRAP"
	quietly tote create "$ID"
	[ ! -s "$OUT" ] && [ ! -s "$ERR" ]
	has_status created
	run -0 --separate-stderr tote start "$ID"
	[ -z "$output$stderr" ]
	has_status running
	eventually grep -q ready "$OUT"
	run -0 --separate-stderr tote kill "$ID"
	[ -z "$output$stderr" ]
	eventually has_status stopped
	run -0 --separate-stderr tote delete "$ID"
	[ -z "$output$stderr" ]
	nothing_left
	refuses 1 "container does not exist" state "$ID"
}

@test "nothing of the program runs before start" {
	mkdir "$BATS_TEST_TMPDIR/shared"
	config '.mounts += [{"destination": "/shared", "source": $p, "options": ["bind"]}]' --arg p "$BATS_TEST_TMPDIR/shared"
	command_is touch /shared/ran
	quietly tote create "$ID"
	sleep 0.2
	[ ! -e "$BATS_TEST_TMPDIR/shared/ran" ]
	tote start "$ID"
	eventually test -e "$BATS_TEST_TMPDIR/shared/ran"
}

@test "the calls of containerd's shim" {
	command_is sh -c 'cat; echo err >&2; exec sleep 1000'
	log=$BATS_TEST_TMPDIR/log.json
	shim() { "$TOTE" --root "$ROOT" --log "$log" --log-format json "$@"; }
	echo hello >"$BATS_TEST_TMPDIR/in"
	cd /
	shim create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" -no-subreaper "$ID" \
		<"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&-
	pid=$(cat "$BUNDLE/init.pid")
	shim start "$ID" 3>&-
	eventually grep -q hello "$BATS_TEST_TMPDIR/out"
	eventually grep -q err "$BATS_TEST_TMPDIR/err"
	[ "$(shim state "$ID" | jq -r .pid)" = "$pid" ]
	[ "$(shim ps --format json "$ID")" = "[$pid]" ]
	jq '.process | .args = ["sleep", "1000"]' "$BUNDLE/config.json" >"$BATS_TEST_TMPDIR/process.json"
	shim exec --process "$BATS_TEST_TMPDIR/process.json" --detach --pid-file "$BUNDLE/e1.pid" "$ID" \
		</dev/null >/dev/null 2>&1 3>&-
	exec_pid=$(cat "$BUNDLE/e1.pid")
	kill -0 "$exec_pid"
	[ "$(shim ps --format json "$ID" | jq -c 'sort')" = "$(jq -nc "[$pid, $exec_pid] | sort")" ]
	shim kill "$ID" 9
	eventually has_status stopped
	shim kill --all "$ID" 9
	shim delete "$ID"
	shim delete --force "$ID"
	[ ! -s "$log" ]
	run -1 shim state "$ID"
	[ "$(tail -n 1 "$log" | jq -r .level)" = error ]
	[[ $(tail -n 1 "$log" | jq -r .msg) == *"container does not exist"* ]]
	! kill -0 "$exec_pid" 2>/dev/null || [ "$(awk '{print $3}' "/proc/$exec_pid/stat")" = Z ]
	nothing_left
}

@test "start twice, start of a running, a stopped and a paused container" {
	command_is sh -c "$TRAP"
	quietly tote create "$ID"
	tote start "$ID"
	refuses 1 "running" start "$ID"
	tote pause "$ID"
	refuses 1 "paused" start "$ID"
	tote resume "$ID"
	tote kill "$ID" KILL
	eventually has_status stopped
	refuses 1 "container not running" start "$ID"
	has_status stopped
}

@test "delete of a running one is refused and changes nothing" {
	background
	pid=$(tote state "$ID" | jq .pid)
	refuses 1 "not stopped" delete "$ID"
	[[ $stderr == *"$ID"*running* ]]
	has_status running
	kill -0 "$pid"
	tote pause "$ID"
	refuses 1 "paused" delete "$ID"
	has_status paused
}

@test "delete --force of a created, a running, a paused and a stopped one" {
	command_is sleep 1000
	quietly tote create "$ID"
	run -0 --separate-stderr tote delete --force "$ID"
	[ -z "$output$stderr" ]
	nothing_left
	background
	run -0 --separate-stderr tote delete -f "$ID"
	[ -z "$output$stderr" ]
	nothing_left
	background
	tote pause "$ID"
	run -0 tote delete --force "$ID"
	nothing_left
	background
	tote kill "$ID" 9
	eventually has_status stopped
	run -0 tote delete --force "$ID"
	nothing_left
	run -0 --separate-stderr tote delete --force "$ID"
	[ -z "$output$stderr" ]
}

@test "delete of a created one ends its process" {
	command_is sleep 1000
	quietly tote create --pid-file "$PID_FILE" "$ID"
	kill -0 "$(cat "$PID_FILE")"
	run -0 tote delete "$ID"
	nothing_left
	! kill -0 "$(cat "$PID_FILE")" 2>/dev/null || [ "$(awk '{print $3}' "/proc/$(cat "$PID_FILE")/stat")" = Z ]
}

@test "delete --force ends what the program has started, also outside its session" {
	background sh -c 'setsid sleep 1001 & setsid sh -c "sleep 1002 & sleep 1003" & sleep 1000'
	eventually eval '[ $(tote ps -f json "$ID" | jq length) -ge 4 ]'
	pids=$(tote ps -f json "$ID" | jq -r '.[]')
	tote delete --force "$ID"
	for pid in $pids; do
		[ ! -e "/proc/$pid" ] || [ "$(awk '{print $3}' "/proc/$pid/stat")" = Z ]
	done
	nothing_left
}

@test "delete --regex" {
	command_is true
	for id in one-$ID two-$ID other-$ID; do
		quietly tote run --keep "$id"
	done
	tote delete --regex "^(one|two)-"
	[ "$(tote list -q)" = "other-$ID" ]
	refuses 1 "regular expression" delete --regex '('
	tote delete -r '.*'
	[ -z "$(tote list -q)" ]
}

@test "the pid file is the decimal number and nothing else" {
	command_is sleep 1000
	umask 077
	quietly tote create --pid-file "$PID_FILE" "$ID"
	pid=$(tote state "$ID" | jq .pid)
	printf %s "$pid" | cmp - "$PID_FILE"
	[ "$(ls -A "$BATS_TEST_TMPDIR" | grep -c pid)" = 1 ]
	[ "$(cat "/proc/$pid/root/etc/group")" = "$(cat "$ROOTFS/etc/group")" ]
}

@test "the pid file may be relative, and replaces an older one" {
	command_is sleep 1000
	echo 999999999999 >old.pid
	quietly tote run -d --pid-file=old.pid "$ID"
	[ "$(cat old.pid)" = "$(tote state "$ID" | jq .pid)" ]
}

@test "run passes the exit code on" {
	for code in 0 1 7 126 127 255; do
		command_is sh -c "exit $code"
		run -$code --separate-stderr tote run "$ID"
		[ -z "$output$stderr" ]
		nothing_left
	done
}

@test "run: a program ended by a signal gives 128+n" {
	command_is sh -c 'sh -c "kill -9 \$\$"; exit $?'
	run -137 tote run "$ID"
	command_is sh -c 'echo $$; exec sleep 1000'
	for signal in 9 15; do
		tote run "$ID" </dev/null >/dev/null 2>&1 3>&- &
		eventually has_status running 2>/dev/null
		[ $signal = 9 ] || break
		tote kill "$ID" "$signal"
		code=0
		wait $! || code=$?
		[ "$code" -eq $((128 + signal)) ]
		nothing_left
	done
	tote delete --force "$ID"
	code=0
	wait $! || code=$?
	[ "$code" -eq 137 ]
}

@test "run passes signals on to the program" {
	command_is sh -c "$TRAP"
	"$TOTE" --root "$ROOT" run "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	eventually grep -q ready "$BATS_TEST_TMPDIR/out"
	kill -TERM "$pid"
	code=0
	wait "$pid" || code=$?
	[ "$code" -eq 3 ]
	nothing_left
}

@test "run connects stdin, stdout and stderr" {
	command_is sh -c 'read line; echo "out $line"; echo "err $line" >&2'
	run -0 --separate-stderr tote run "$ID" <<<hello
	[ "$output" = "out hello" ]
	[ "$stderr" = "err hello" ]
}

@test "run --keep keeps the state, run -d returns at once" {
	command_is sh -c 'exit 5'
	run -5 tote run --keep "$ID"
	has_status stopped
	[ "$(tote state "$ID" | jq .pid)" = 0 ]
	tote delete "$ID"
	command_is sleep 1000
	SECONDS=0
	quietly tote run --detach --pid-file "$PID_FILE" "$ID"
	[ "$SECONDS" -lt 60 ]
	has_status running
	[ "$(tote state "$ID" | jq .pid)" = "$(cat "$PID_FILE")" ]
}

@test "run and create take the bundle from anywhere, and the configuration from a file" {
	command_is echo from-bundle
	cd /
	run -0 tote run -b "$BUNDLE" "$ID"
	[ "$output" = from-bundle ]
	cd "$BATS_TEST_TMPDIR"
	run -0 tote run -b=bundle "$ID"
	run -0 tote run --bundle=./bundle "$ID"
	[ "$output" = from-bundle ]
	jq '.process.args = ["echo", "from-file"]' "$BUNDLE/config.json" >"$BATS_TEST_TMPDIR/other.json"
	run -0 tote run --bundle bundle -f other.json "$ID"
	[ "$output" = from-file ]
}

@test "kill by number, name, SIGNAME and lower case" {
	command_is sh -c 'for s in HUP USR1 USR2 TERM; do trap "echo got $s" $s; done; echo ready; while :; do sleep 0.02; done'
	quietly tote run -d "$ID"
	eventually grep -q ready "$OUT"
	tote kill "$ID" 1
	eventually grep -q "got HUP" "$OUT"
	tote kill "$ID" USR1
	eventually grep -q "got USR1" "$OUT"
	tote kill "$ID" SIGUSR2
	eventually grep -q "got USR2" "$OUT"
	tote kill "$ID" term
	eventually grep -q "got TERM" "$OUT"
	[ "$(grep -c got "$OUT")" = 4 ]
	for signal in 65 -1 XYZ SIG "" 9x; do
		refuses 1 "unknown signal \"$signal\"" kill "$ID" "$signal"
	done
	has_status running
}

@test "kill with signal 0 tests" {
	background
	run -0 tote kill "$ID" 0
	has_status running
	tote kill "$ID" KILL
	eventually has_status stopped
	refuses 1 "container not running" kill "$ID" 0
}

@test "kill of a stopped one: 1, with --all 0" {
	command_is true
	quietly tote run --keep "$ID"
	refuses 1 "container not running" kill "$ID" 9
	refuses 1 "container not running" kill "$ID"
	run -0 tote kill --all "$ID" 9
	run -0 tote kill -a "$ID"
	has_status stopped
}

@test "kill --all reaches every process" {
	command_is sh -c 'sh -c "trap \"echo child; exit\" USR1; echo ready; while :; do sleep 0.02; done" & trap "echo parent" USR1; while :; do sleep 0.02; done'
	quietly tote run -d "$ID"
	eventually grep -q ready "$OUT"
	tote kill --all "$ID" USR1
	eventually grep -q child "$OUT"
	eventually grep -q parent "$OUT"
	tote kill --all "$ID" KILL
	eventually has_status stopped
}

@test "kill of a created one" {
	command_is sleep 1000
	quietly tote create "$ID"
	tote kill "$ID" 9
	eventually has_status stopped
	refuses 1 "container not running" start "$ID"
	tote delete "$ID"
	nothing_left
}

@test "KILL without a private pid namespace reaches the whole cgroup" {
	config '.linux.namespaces |= map(select(.type != "pid")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	background sh -c 'setsid sleep 1001 & exec sleep 1000'
	eventually eval '[ $(tote ps -f json "$ID" | jq length) = 2 ]'
	pids=$(tote ps -f json "$ID" | jq -r '.[]')
	tote kill "$ID" KILL
	eventually has_status stopped
	for pid in $pids; do
		eventually eval "[ ! -e /proc/$pid ] || [ \"\$(awk '{print \$3}' /proc/$pid/stat)\" = Z ]"
	done
}

@test "state: every field" {
	config '.annotations = {"com.example.key": "a \"quoted\" value", "b": ""}'
	command_is sleep 1000
	before=$(date -u +%Y-%m-%dT%H:%M:%S)
	quietly tote create --pid-file "$PID_FILE" "$ID"
	run -0 --separate-stderr tote state "$ID"
	[ -z "$stderr" ]
	echo "$output"
	[ "$(jq -c 'keys' <<<"$output")" = '["annotations","bundle","created","id","ociVersion","owner","pid","rootfs","status"]' ]
	[ "$(jq -r .ociVersion <<<"$output")" = "$(jq -r .ociVersion config.json)" ]
	[ "$(jq -r .id <<<"$output")" = "$ID" ]
	[ "$(jq .pid <<<"$output")" = "$(cat "$PID_FILE")" ]
	[ "$(jq -r .status <<<"$output")" = created ]
	[ "$(jq -r .bundle <<<"$output")" = "$BUNDLE" ]
	[ "$(jq -r .rootfs <<<"$output")" = "$ROOTFS" ]
	[ "$(jq -c .annotations <<<"$output")" = "$(jq -c .annotations config.json)" ]
	[ "$(jq -r '.owner | type' <<<"$output")" = string ]
	created=$(jq -r .created <<<"$output")
	[[ $created =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z$ ]]
	[[ ! ${created%%.*} < $before ]]
	tote kill "$ID" 9
	eventually has_status stopped
	run -0 tote state "$ID"
	[ "$(jq .pid <<<"$output")" = 0 ]
	[ "$(jq -r .created <<<"$output")" = "$created" ]
}

@test "state of a bundle given as a relative path is absolute" {
	cd "$BATS_TEST_TMPDIR"
	command_is sleep 1000
	quietly tote run -d -b ./bundle "$ID"
	[ "$(tote state "$ID" | jq -r .bundle)" = "$BUNDLE" ]
}

@test "list: nothing" {
	run -0 --separate-stderr tote list
	[[ $output =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	run -0 --separate-stderr tote list -f json
	[ "$output" = "[]" ]
	[ -z "$stderr" ]
	run -0 --separate-stderr tote list -q
	[ -z "$output" ]
	[ ! -e "$ROOT" ]
}

@test "list: table, json and ids" {
	command_is sleep 1000
	quietly tote create "b-$ID"
	command_is true
	quietly tote run --keep "a-$ID"
	run -0 --separate-stderr tote list
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	read -r id pid status bundle created owner <<<"${lines[1]}"
	[ "$id" = "a-$ID" ] && [ "$pid" = 0 ] && [ "$status" = stopped ] && [ "$bundle" = "$BUNDLE" ]
	date -d "$created" >/dev/null
	[ -n "$owner" ]
	read -r id pid status bundle _ <<<"${lines[2]}"
	[ "$id" = "b-$ID" ] && [ "$status" = created ] && kill -0 "$pid"
	run -0 --separate-stderr tote list --format json
	[ "${#lines[@]}" = 1 ]
	[ "$(jq -c '[.[] | [.id, .status, .bundle]]' <<<"$output")" = \
		"[[\"a-$ID\",\"stopped\",\"$BUNDLE\"],[\"b-$ID\",\"created\",\"$BUNDLE\"]]" ]
	[ "$(jq ".[] | select(.id == \"b-$ID\") | .pid" <<<"$output")" = "$pid" ]
	run -0 tote list --quiet
	[ "$output" = "a-$ID"$'\n'"b-$ID" ]
}

@test "list shows no files of other kinds, and none of the filter cache" {
	rm config.json
	"$TOTE" spec --seccomp -b "$BUNDLE"
	config ".process.terminal = false | .root.path = \"$ROOTFS\" | .process.args = [\"true\"]"
	run -0 tote run --keep "$ID"
	[ "$(tote list -q)" = "$ID" ]
	[ "$(tote list -f json | jq length)" = 1 ]
}

@test "ps: json and table" {
	command -v ps >/dev/null || skip "no ps(1)"
	background sh -c 'sleep 1001 & exec sleep 1000'
	pid=$(tote state "$ID" | jq .pid)
	eventually eval '[ $(tote ps -f json "$ID" | jq length) = 2 ]'
	run -0 --separate-stderr tote ps --format json "$ID"
	[ "${#lines[@]}" = 1 ] && [ -z "$stderr" ]
	[ "$(jq "index($pid) != null" <<<"$output")" = true ]
	[ "$(jq 'all(type == "number")' <<<"$output")" = true ]
	run -0 --separate-stderr tote ps "$ID"
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} == *PID*CMD* ]]
	[[ $output == *"sleep 1000"*"sleep 1001"* ]]
	run -0 --separate-stderr tote ps "$ID" -o pid,args
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} =~ ^\ *PID\ COMMAND ]]
	refuses 1 "xml" ps --format xml "$ID"
}

@test "pause and resume" {
	background sh -c 'i=0; while :; do i=$((i + 1)); echo $i; sleep 0.01; done'
	eventually test -s "$OUT"
	run -0 --separate-stderr tote pause "$ID"
	[ -z "$output$stderr" ]
	has_status paused
	[ "$(tote list -f json | jq -r '.[0].status')" = paused ]
	before=$(wc -l <"$OUT")
	sleep 0.2
	[ "$(wc -l <"$OUT")" = "$before" ]
	refuses 1 "paused" pause "$ID"
	run -0 --separate-stderr tote resume "$ID"
	[ -z "$output$stderr" ]
	has_status running
	eventually eval "[ \$(wc -l <'$OUT') -gt $before ]"
	refuses 1 "not paused" resume "$ID"
}

@test "a paused container dies of KILL" {
	background
	tote pause "$ID"
	tote kill "$ID" KILL
	eventually has_status stopped
	tote delete "$ID"
	nothing_left
}

@test "a created container that is paused starts when it was resumed, and not before" {
	command_is sleep 1000
	quietly tote create "$ID"
	tote pause "$ID"
	has_status paused
	refuses 1 "paused" start "$ID"
	refuses 1 "paused" pause "$ID"
	refuses 255 "paused" exec "$ID" true
	tote resume "$ID"
	has_status created
	tote start "$ID"
	has_status running
}

@test "resume of a paused container that was killed is an error" {
	background
	tote pause "$ID"
	tote kill "$ID" KILL
	eventually has_status stopped
	refuses 1 "container not running" resume "$ID"
	tote delete "$ID"
	nothing_left
}

@test "pause of a stopped one" {
	command_is true
	quietly tote run --keep "$ID"
	refuses 1 "container not running" pause "$ID"
	refuses 1 "$ID" resume "$ID"
}

@test "two creates of one id: one winner" {
	command_is sleep 1000
	for i in 1 2 3 4 5 6; do
		tote create --pid-file "$BATS_TEST_TMPDIR/pid$i" "$ID" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err$i" 3>&- &
		pids[i]=$!
	done
	won=0
	for i in 1 2 3 4 5 6; do
		if wait "${pids[i]}"; then
			won=$((won + 1))
			winner=$i
		else
			grep -q "already exists" "$BATS_TEST_TMPDIR/err$i"
			[ ! -e "$BATS_TEST_TMPDIR/pid$i" ]
		fi
	done
	[ "$won" = 1 ]
	has_status created
	[ "$(tote state "$ID" | jq .pid)" = "$(cat "$BATS_TEST_TMPDIR/pid$winner")" ]
	tote delete "$ID"
	nothing_left
}

@test "state answers while a hook holds create up" {
	mkfifo "$BATS_TEST_TMPDIR/go"
	config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", $hook]}]' --arg hook "read x <$BATS_TEST_TMPDIR/go"
	command_is sleep 1000
	tote create "$ID" </dev/null >/dev/null 2>&1 3>&- &
	creator=$!
	eventually eval 'status_of "$ID" 2>/dev/null | grep -q creating'
	run -0 timeout 30 "$TOTE" --root "$ROOT" state "$ID"
	[ "$(jq -r .status <<<"$output")" = creating ]
	run -0 timeout 30 "$TOTE" --root "$ROOT" list -q
	[ "$output" = "$ID" ]
	refuses 255 "container not running" exec "$ID" true
	kill -0 "$creator"
	echo >"$BATS_TEST_TMPDIR/go"
	wait "$creator"
	has_status created
}

@test "a create that is killed while its hook runs leaves what delete --force removes" {
	config '.hooks.createRuntime = [{"path": "/bin/sleep", "args": ["sleep", "3"]}]'
	"$TOTE" --root "$ROOT" create --pid-file "$PID_FILE" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	creator=$!
	eventually eval 'status_of "$ID" 2>/dev/null | grep -q creating'
	pid=$(tote state "$ID" | jq .pid)
	kill -9 "$creator"
	wait "$creator" || true
	run -0 tote delete --force "$ID"
	nothing_left
	[ ! -e "/proc/$pid" ] || [ "$(awk '{print $3}' "/proc/$pid/stat")" = Z ]
}

@test "later commands do not need the bundle" {
	command_is sleep 1000
	quietly tote create "$ID"
	mv "$BUNDLE" "$BUNDLE.gone"
	cd /
	tote start "$ID"
	run -0 tote exec "$ID" echo in
	[ "$output" = in ]
	tote kill "$ID" 9
	eventually has_status stopped
	tote delete "$ID"
	nothing_left
	mv "$BUNDLE.gone" "$BUNDLE"
}

@test "update --resources=- and --resources - read stdin" {
	background
	run -0 --separate-stderr tote update --resources=- "$ID" <<<'{}'
	[ -z "$output$stderr" ]
	run -0 tote update --resources - "$ID" <<<'{}'
	echo '{}' >"$BATS_TEST_TMPDIR/resources.json"
	run -0 tote update -r "$BATS_TEST_TMPDIR/resources.json" "$ID"
	run -1 --separate-stderr tote update --resources=- "$ID" <<<'{"pids": {"limit": "many"}}'
	[[ $stderr == *pids.limit* ]]
	run -1 --separate-stderr tote update --resources=- "$ID" <<<'{'
	refuses 1 "container does not exist" update --pids-limit 10 nobody
	has_status running
}

@test "update and create set a limit, or name the controller that is missing" {
	if grep -qw pids "$(cgroup2_mount)/cgroup.controllers"; then
		background
		tote update --pids-limit 77 "$ID"
		[ "$(cat "$(cgroup2_mount)/tote-$ID/pids.max")" = 77 ]
	else
		background
		refuses 1 "pids" update --pids-limit 77 "$ID"
		tote delete --force "$ID"
		config '.linux.resources.pids.limit = 77'
		refuses 1 "pids" create "$ID"
		nothing_left
	fi
}

@test "a failed run keeps a pid file that was there before" {
	echo mine >"$BATS_TEST_TMPDIR/pid"
	command_is no-such-program
	run -1 tote run --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = mine ]
}

@test "output that cannot be written is an error" {
	for command in list features doctor plan; do
		run -1 sh -c '"$0" --root "$1" "$2" >/dev/full' "$TOTE" "$ROOT" "$command"
	done
}

@test "delete --force ends all that is in a group that existed before" {
	local group
	group=$(cgroup2_mount)/tote-before-$ID
	mkdir "$group"
	command_is sh -c 'sleep 999 & sleep 998'
	config 'del(.linux.namespaces[] | select(.type == "pid")) | .linux.cgroupsPath = $p' --arg p "/tote-before-$ID"
	tote run -d "$ID"
	[ -n "$(cat "$group/cgroup.procs")" ]
	tote delete --force "$ID"
	[ -z "$(cat "$group/cgroup.procs")" ]
	rmdir "$group"
}

@test "a transient error does not make delete forget a container" {
	: "${FAULT:=$BATS_TEST_DIRNAME/../../build/tests/fault/fault}"
	[ -x "$FAULT" ] || skip "needs $FAULT (make fault-tool)"
	command_is sleep 60
	tote run -d "$ID"
	for n in $(seq 20 60); do
		"$FAULT" fail -n "$n" -e EMFILE -- "$TOTE" --root "$ROOT" delete "$ID" && return 1
		has_status running || return 1
	done
	tote delete --force "$ID"
}

@test "--debug logs the plan" {
	command_is true
	run -0 tote --debug run "$ID"
	[[ $output == *"pivot into the root"* ]]
}

@test "the group of a stopped container is nobody else's until it is deleted" {
	config ".linux.cgroupsPath = \"/tote-same-$ID\""
	command_is /bin/true
	tote run --keep "$ID"
	command_is sleep 1000
	refuses 1 "belongs to the container in $ROOT/$ID" create "$ID-b"
	tote delete "$ID"
	quietly tote run -d "$ID-b"
	[ "$(status_of "$ID-b")" = running ]
	quietly tote delete --force "$ID-b"
	nothing_left
}

@test "a state that names another container's group takes nothing from it" {
	background
	command_is /bin/true
	tote run --keep "$ID-b"
	for pid in 0 "$(jq .pid "$ROOT/$ID-b/state.json")"; do
		jq -c ".id = \"$ID-c\" | .cgroupPath = \"/tote-$ID\" | .cgroupLevels = 1 | .pid = $pid" "$ROOT/$ID-b/state.json" >"$BATS_TEST_TMPDIR/bent"
		cp -r "$ROOT/$ID-b" "$ROOT/$ID-c"
		cp "$BATS_TEST_TMPDIR/bent" "$ROOT/$ID-c/state.json"
		tote delete --force "$ID-c"
		[ "$(status_of "$ID")" = running ]
		[ -d "$(cgroup2_mount)/tote-$ID" ]
	done
	tote delete --force "$ID-b"
}

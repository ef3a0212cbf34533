#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ocf:tote:container: every operation as Pacemaker calls it, with the real tote.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_images; }
setup() { open_site; }
teardown() { close_site; }
teardown_file() { drop_images; }

# Notes in /data/notes what it is told, and ends by TERM or USR1.
NOTING="sh -c 'trap \"echo term >>/data/notes; exit 0\" TERM; trap \"echo usr1 >>/data/notes; exit 0\" USR1; echo up >/data/up; while :; do sleep 0.1; done'"
# Does not end by TERM.
STUBBORN="sh -c 'trap \"echo term >>/data/notes\" TERM; echo up >/data/up; while :; do sleep 0.1; done'"

noting() { # CODE ACTION [PARAMETER=VALUE...]
	does "$@" image=box:1 "run_opts=-v $DATA:/data" "run_cmd=${PROGRAM:-$NOTING}"
}

@test "shellcheck has nothing to say" {
	command -v shellcheck >/dev/null || skip "shellcheck is missing"
	shellcheck "$AGENT"
}

@test "make install-ocf puts it where its default finds tote" {
	make -C "$BATS_TEST_DIRNAME/../.." --no-print-directory install-ocf DESTDIR="$WORK/dest" PREFIX=/opt/tote >/dev/null
	[ "$(stat -c %a "$WORK/dest/opt/tote/lib/ocf/resource.d/tote/container")" = 755 ]
	mkdir "$WORK/dest/opt/tote/bin" "$WORK/ocf"
	cp "$ENGINE" "$WORK/dest/opt/tote/bin/tote"
	ln -s "$WORK/dest/opt/tote/lib/ocf/resource.d/tote" "$WORK/ocf/tote"
	AGENT=$WORK/ocf/tote/container run -0 agent validate-all image=box:1
}

@test "meta-data: as the DTD wants it, for nobody as well, and what the manual has" {
	run -0 --separate-stderr su nobody -s /bin/sh -c "$AGENT meta-data"
	[ -z "$stderr" ]
	printf '%s\n' "$output" >meta.xml
	(cd /usr/share/resource-agents && xmllint --noout --valid - <"$WORK/meta.xml")
	# Each text has its language.
	run ! grep -E '<(long|short)desc>' meta.xml
	diff <(sed -n 's/^<parameter name="\([a-z_]*\)".*/\1/p' meta.xml | sort) <(grep -o 'OCF_RESKEY_[a-z][a-z_]*' "$AGENT" | sed 's/OCF_RESKEY_//' | sort -u)
	diff <(sed -n 's/^<parameter name="\([a-z_]*\)".*/\1/p' meta.xml | sort) \
		<(sed -n '/^# PARAMETERS/,/^# [^P]/s/^\*\([a-z_]*\)\*.*/\1/p' "$BATS_TEST_DIRNAME/../../man/ocf_tote_container.7.scd" | sort)
}

@test "ocf-tester passes: an image, a bundle" {
	BUNDLE=$WORK/bundle
	"$TOTE" bundle box:1 "$BUNDLE"
	config 'del(.linux.resources)'
	for what in "image=box:1 -o monitor_cmd=true -o drain_cmd=true" "bundle=$BUNDLE"; do
		run env HA_RSCTMP="$WORK/tmp" timeout -s KILL 120 ocf-tester -n "$ID" -o $what -o "tote=$ENGINE" "$AGENT" </dev/null
		echo "$output"
		[ "$status" -eq 0 ]
		[[ $output == *"passed all tests"* ]]
	done
	[ "$(quiet_state)" = 3 ]
}

@test "what is started holds nothing of ours, and survives us" {
	for opts in "" --rm; do
		mkfifo pipe
		timeout 60 cat pipe >read &
		reader=$!
		{
			agent_command start image=box:1 "run_opts=$opts" "tote=$ENGINE"
			run -0 setsid --wait timeout -s KILL 60 "${COMMAND[@]}" </dev/null >"$WORK/out" 2>&1 4>pipe 5>&4 9>&4 3>&-
		}
		# The reader sees the end, though the container runs.
		wait "$reader"
		does 0 monitor "${IMAGE[@]}"
		does 0 stop "${IMAGE[@]}"
		rm pipe
	done
	agent_begins start "${IMAGE[@]}"
	agent_ends 0
	kill -KILL -- "-$AGENT_PID" 2>/dev/null || true
	does 0 monitor "${IMAGE[@]}"
}

@test "monitor: running, absent, stopped, paused, created; a probe gives no reason" {
	does 7 monitor "${IMAGE[@]}"
	says "is absent"
	does 7 monitor "${IMAGE[@]}" CRM_meta_interval=0
	[ -z "$output" ]
	does 0 start "${IMAGE[@]}"
	does 0 monitor "${IMAGE[@]}"
	does 0 start "${IMAGE[@]}"
	tote pause "$ID"
	does 1 monitor "${IMAGE[@]}"
	says "is paused"
	tote resume "$ID"
	does 0 monitor "${IMAGE[@]}"
	tote kill --all "$ID" KILL
	eventually eval '[ "$(quiet_state)" = 4 ]'
	does 7 monitor "${IMAGE[@]}"
	says "is stopped"
	does 0 start "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}"
	[ "$(quiet_state)" = 3 ]
	tote create --image box:1 "$ID" 3>&- >/dev/null </dev/null
	does 1 monitor "${IMAGE[@]}"
	says "unfinished"
	does 0 start "${IMAGE[@]}"
	tote pause "$ID"
	does 0 stop "${IMAGE[@]}"
	[ "$(quiet_state)" = 3 ]
	# Not even the image's volumes.
	[ -z "$(ls -A "$TOTE_STORE/containers")" ]
}

@test "unknown is an error, never stopped: a state that cannot be read, a tote that dies, hangs or says nonsense" {
	does 0 start "${IMAGE[@]}"
	cp "$ROOT/$ID/state.json" saved
	head -c 40 saved >"$ROOT/$ID/state.json"
	for action in monitor start stop; do
		does 1 $action "${IMAGE[@]}"
		says "unknown state"
	done
	[ -e "$ROOT/$ID/state.json" ]
	cp saved "$ROOT/$ID/state.json"
	does 0 monitor "${IMAGE[@]}"
	for line in 'exit 1' 'exit 2' 'exit 127' 'kill -KILL $$' 'echo nonsense; exit 77'; do
		engine "$line"
		does 1 monitor "${IMAGE[@]}"
		says "unknown state"
		does 1 stop "${IMAGE[@]}"
	done
	engine 'exec sleep 30'
	does 1 monitor "${IMAGE[@]}" CRM_meta_timeout=4000
	says "no answer"
	does 1 stop "${IMAGE[@]}" CRM_meta_timeout=4000
	# It says that it deleted, and did not.
	engine 'case $* in *delete*) exit 0 ;; esac; exec "$TOTE" --root "$ROOT" "$@"'
	does 1 stop "${IMAGE[@]}" CRM_meta_timeout=4000 force_kill=1
	says "cannot be stopped: it is running"
}

@test "no tote on this box: not installed, but on stop an error" {
	does 0 start "${IMAGE[@]}"
	chmod 644 "$ENGINE"
	for action in monitor start validate-all; do
		does 5 $action "${IMAGE[@]}"
		says "not on this box"
	done
	does 1 stop "${IMAGE[@]}"
	chmod 755 "$ENGINE"
	does 0 stop "${IMAGE[@]}"
}

@test "an image or a bundle that this box lacks is an error of this box, not of the cluster" {
	for action in start validate-all; do
		does 5 $action image=gone:1
		says "not on this box"
		does 5 $action "bundle=$WORK/gone"
	done
	does 7 monitor image=gone:1 CRM_meta_interval=0
	does 0 stop image=gone:1
}

@test "wrong parameters are those of the whole cluster" {
	does 0 validate-all image=box:1 allow_pull=0 "run_opts=-e 'A=b c'"
	while read -r words; do
		[ -n "$words" ] || continue
		eval "set -- $words"
		does 6 validate-all "$@" || return
		[[ $output == *ocf-exit-reason:* ]]
	done <<-'END'
		x=y
		image=box:1 bundle=/srv
		image=--help
		image=box:1 allow_pull=1
		image=box:1 allow_pull=yes
		image=box:1 name=a/b
		image=box:1 name=../b
		image=box:1 name=-b
		image=box:1 "run_opts=-e 'a"
		image=box:1 'run_cmd=a\'
		image=box:1 'monitor_cmd="'
		image=box:1 run_opts=--name=other
		image=box:1 "run_opts=--init -b /srv"
		image=box:1 mount_points=/a,b
		bundle=srv
		bundle=/srv run_cmd=true
	END
	does 6 stop image=box:1 name=a/b
}

@test "actions that it does not have" {
	for action in notify promote demote reload migrate_to migrate_from recover ""; do
		does 3 "$action" "${IMAGE[@]}"
	done
}

@test "words are split as by a shell, and nothing is expanded" {
	does 0 start image=box:1 "run_opts=-e 'A=b  c' -e B=\"it's\" -e C=\\\$HOME\\ x -e 'D=\$(touch /dev/shm/never)' -e E=\$HOME;x" \
		"run_cmd=sh -c 'echo \"\$A|\$B|\$C|\$D|\$E|\$1|\$2\" >/tmp/words; exec sleep 1000' sh 'last  one' ''" "monitor_cmd=test -e /tmp/words"
	[ "$(tote exec "$ID" cat /tmp/words)" = "b  c|it's|\$HOME x|\$(touch /dev/shm/never)|\$HOME;x|last  one|" ]
	[ ! -e /dev/shm/never ]
}

@test "mount_points are made before the container" {
	does 6 start image=box:1 "mount_points=$DATA/a/b, $DATA/with space,,$DATA" "run_opts=-v $DATA/a/b:/x"
	# A blank behind a comma belongs to no path.
	says "not an absolute path"
	does 0 start image=box:1 "mount_points=$DATA/a/b,$DATA/with space,,$DATA" "run_opts=-v $DATA/a/b:/x"
	[ -d "$DATA/with space" ]
	: >"$DATA/file"
	does 0 stop "${IMAGE[@]}"
	does 1 start image=box:1 "mount_points=$DATA/file/x"
	says "cannot make $DATA/file/x"
}

@test "names: of the resource, of a clone's instances, of its own" {
	run agent start image=box:1 "tote=$ENGINE" OCF_RESOURCE_INSTANCE="$ID:1"
	tote state --quiet "$ID"
	for n in 0 1; do
		run -0 agent start image=box:1 "tote=$ENGINE" OCF_RESOURCE_INSTANCE="$ID:$n" CRM_meta_globally_unique=true
		tote state --quiet "$ID-$n"
	done
	run -0 agent start image=box:1 "name=$ID-x" "tote=$ENGINE" OCF_RESOURCE_INSTANCE="$ID:7" CRM_meta_globally_unique=true
	tote state --quiet "$ID-x-7"
	run -0 agent stop image=box:1 "tote=$ENGINE" OCF_RESOURCE_INSTANCE="$ID:0" CRM_meta_globally_unique=true
	run -3 tote state --quiet "$ID-0"
	tote state --quiet "$ID-1"
}

# ---- stop ----

@test "stop: drain_cmd, then the stop signal" {
	noting 0 start "monitor_cmd=test -e /data/up"
	noting 0 stop "drain_cmd=sh -c 'echo drain >>/data/notes'"
	[ "$(cat "$DATA/notes")" = "drain
term" ]
	rm "$DATA"/*
	does 0 start image=box:1 "run_opts=-v $DATA:/data --stop-signal USR1" "run_cmd=$NOTING" "monitor_cmd=test -e /data/up"
	# What drain_cmd ends with is no failure of stop.
	noting 0 stop "drain_cmd=false"
	[ "$(cat "$DATA/notes")" = usr1 ]
}

@test "stop: the grace is 10 s less than the timeout, then all of it is killed" {
	PROGRAM=$STUBBORN noting 0 start "monitor_cmd=test -e /data/up"
	begin=$(date +%s%N)
	PROGRAM=$STUBBORN noting 0 stop CRM_meta_timeout=16000 "drain_cmd=sleep 100"
	took=$((($(date +%s%N) - begin) / 1000000))
	echo "$took ms"
	# drain_cmd had half of 6 s, the signal what was left.
	[ "$took" -ge 5500 ]
	[ "$took" -lt 60000 ]
	[ "$(cat "$DATA/notes")" = term ]
	[ "$(quiet_state)" = 3 ]
}

@test "stop: the floor of the grace is 1 s" {
	PROGRAM=$STUBBORN noting 0 start "monitor_cmd=test -e /data/up"
	begin=$(date +%s%N)
	PROGRAM=$STUBBORN noting 0 stop CRM_meta_timeout=6000
	took=$((($(date +%s%N) - begin) / 1000000))
	[ "$took" -ge 1000 ]
	[ "$(cat "$DATA/notes")" = term ]
}

@test "stop: force_kill gives no grace" {
	noting 0 start "monitor_cmd=test -e /data/up"
	noting 0 stop force_kill=1 "drain_cmd=sh -c 'echo drain >>/data/notes'"
	[ ! -e "$DATA/notes" ]
	[ "$(quiet_state)" = 3 ]
}

@test "stop: reuse leaves the ended container to be looked at; the next start makes a new one" {
	PROGRAM="sh -c 'echo new >>/root/kept; exec sleep 1000'"
	for _ in 1 2; do
		noting 0 start reuse=1 "monitor_cmd=test -e /root/kept"
		noting 0 stop reuse=1 force_kill=1
		[ "$(quiet_state)" = 4 ]
		does 7 monitor "${IMAGE[@]}"
		[ "$(tote export "$ID" | tar -xO root/kept)" = new ]
	done
	noting 0 stop reuse=1
	noting 0 stop
	[ "$(quiet_state)" = 3 ]
	noting 0 stop reuse=1
}

@test "another command holds the lock: monitor answers, stop tries on, and says so when it is in vain" {
	does 0 start "${IMAGE[@]}"
	exec 9<"$ROOT/$ID"
	flock 9
	does 0 monitor "${IMAGE[@]}" CRM_meta_timeout=5000 9<&-
	does 1 stop "${IMAGE[@]}" CRM_meta_timeout=4000 force_kill=1 9<&-
	says "cannot be stopped"
	exec 9<&-
	does 0 stop "${IMAGE[@]}" CRM_meta_timeout=40000
	[ "$(quiet_state)" = 3 ]
}

# ---- health ----

@test "depth 10 runs monitor_cmd in the container, depth 0 does not" {
	does 0 start "${IMAGE[@]}" "run_opts=-v $DATA:/data"
	does 0 monitor "${IMAGE[@]}" "monitor_cmd=test -e /data/well"
	does 1 monitor "${IMAGE[@]}" "monitor_cmd=test -e /data/well" OCF_CHECK_LEVEL=10
	says "not healthy: exit code 1"
	does 1 monitor "${IMAGE[@]}" "monitor_cmd=no-such-program" OCF_CHECK_LEVEL=10
	says "no-such-program"
	: >"$DATA/well"
	does 0 monitor "${IMAGE[@]}" "monitor_cmd=test -e /data/well" OCF_CHECK_LEVEL=10
	does 0 monitor "${IMAGE[@]}" OCF_CHECK_LEVEL=20
	does 7 monitor "${IMAGE[@]}" "name=$ID-other" "monitor_cmd=true" OCF_CHECK_LEVEL=10
}

@test "depth 10 without monitor_cmd asks the image's HEALTHCHECK, that of the image which was started" {
	: >"$DATA/well"
	does 0 start image=sick:1 "run_opts=-v $DATA:/data"
	does 0 monitor image=sick:1 OCF_CHECK_LEVEL=10
	rm "$DATA/well"
	does 0 monitor image=sick:1
	does 1 monitor image=sick:1 OCF_CHECK_LEVEL=10
	does 1 monitor image=gone:1 OCF_CHECK_LEVEL=10
	does 0 monitor image=sick:1 monitor_cmd=true OCF_CHECK_LEVEL=10
	does 0 stop image=sick:1 force_kill=1
	[ -z "$(ls -A "$WORK/tmp")" ]
}

@test "monitor_cmd fails as the container is gone meanwhile: not running" {
	does 0 start "${IMAGE[@]}" "run_opts=-v $DATA:/data"
	agent_begins monitor "${IMAGE[@]}" "monitor_cmd=sh -c ': >/data/asked; exec sleep 100'" OCF_CHECK_LEVEL=10
	eventually test -e "$DATA/asked"
	tote kill --all "$ID" KILL
	agent_ends 7
}

@test "a monitor_cmd that hangs is ended with all that it started, also when it does not heed TERM" {
	does 0 start "${IMAGE[@]}" "run_opts=-v $DATA:/data" "run_cmd=sleep 1000"
	for program in "sh -c 'sleep 987 & : >/data/asked; wait; sleep 987'" "sh -c 'trap \"\" TERM; sleep 987; sleep 987'"; do
		does 1 monitor "${IMAGE[@]}" "monitor_cmd=$program" OCF_CHECK_LEVEL=10 CRM_meta_timeout=6000
		says "no answer within"
		eventually eval "[ \$(tote ps -f json $ID | jq length) = 1 ]" || { tote ps "$ID"; return 1; }
	done
	does 0 monitor "${IMAGE[@]}"
}

@test "a monitor that Pacemaker kills leaves nothing that keeps stop from its work" {
	does 0 start "${IMAGE[@]}" "run_opts=-v $DATA:/data"
	agent_begins monitor "${IMAGE[@]}" "monitor_cmd=sh -c ': >/data/asked; exec sleep 100'" OCF_CHECK_LEVEL=10
	eventually test -e "$DATA/asked"
	agent_is_killed
	# Nothing of the agent's has gone on without it.
	eventually nobody_executes
	does 0 monitor "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}" force_kill=1
	[ "$(quiet_state)" = 3 ]
}

nobody_executes() { ! pgrep -f "exec --pid-file .* $ID " >/dev/null; }

@test "start waits until monitor_cmd succeeds, but not for ever" {
	agent_begins start "${IMAGE[@]}" "run_opts=-v $DATA:/data" "monitor_cmd=sh -c 'echo >>/data/tries; test -e /data/well'"
	eventually test -s "$DATA/tries"
	: >"$DATA/well"
	agent_ends 0
	does 0 stop "${IMAGE[@]}" force_kill=1
	does 1 start "${IMAGE[@]}" "monitor_cmd=false" CRM_meta_timeout=5000
	says "was not healthy in time"
	does 0 stop "${IMAGE[@]}" force_kill=1
	begin=$SECONDS
	does 1 start "${IMAGE[@]}" "monitor_cmd=sleep 100" CRM_meta_timeout=5000
	[ $((SECONDS - begin)) -lt 30 ]
	does 0 stop "${IMAGE[@]}" force_kill=1
	does 1 start "${IMAGE[@]}" "run_cmd=sleep 1" "monitor_cmd=false"
	says "did not stay up"
	does 1 start "${IMAGE[@]}" "run_cmd=no-such-program"
	says "no-such-program"
}

# ---- faults ----

@test "SIGKILL in the middle of start: stop takes it away, and start works again" {
	for delay in 0.05 0.06 0.07 0.08 0.09 0.1 0.11 0.12 0.14 0.16 0.2; do
		agent_begins start "${IMAGE[@]}"
		sleep "$delay"
		agent_is_killed
		case $delay in
		*[02468]) does 0 stop "${IMAGE[@]}" force_kill=1 && [ "$(quiet_state)" = 3 ] && [ ! -e "$ROOT/$ID" ] ;;
		esac
		does 0 start "${IMAGE[@]}"
		does 0 monitor "${IMAGE[@]}"
		does 0 stop "${IMAGE[@]}" force_kill=1
	done
	[ -z "$(ls -A "$TOTE_STORE/containers")" ]
}

@test "tote is killed at every stage of its work: what is left does not keep start from its own" {
	# A line of strace is a stage: this way of ending leaves more halves than any sleep.
	command -v strace >/dev/null || skip "strace is missing"
	for stage in mkdirat:1 mkdirat:4 flock:2 renameat:1 renameat:2 renameat:3 clone3:1 clone3:2 clone3:3 fsmount:1 sendto:1 recvmsg:1; do
		engine "case \$* in *' run '*) exec strace -o /dev/null -e trace=${stage%:*} -e inject=${stage%:*}:signal=KILL:when=${stage#*:} \"\$TOTE\" --root \"\$ROOT\" \"\$@\" ;; esac; exec \"\$TOTE\" --root \"\$ROOT\" \"\$@\""
		agent start "${IMAGE[@]}" "tote=$ENGINE" >"$WORK/out" 2>&1 3>&- || true
		engine 'exec "$TOTE" --root "$ROOT" "$@"'
		echo "$stage: state $(quiet_state): $(cat "$WORK/out")"
		killed=$((${killed:-0} + $(grep -c ' killed, or' "$WORK/out" || true)))
		does 0 start "${IMAGE[@]}"
		does 0 stop "${IMAGE[@]}" force_kill=1
		[ ! -e "$ROOT/$ID" ]
	done
	# Most stages are there on every kernel.
	[ "$killed" -ge 8 ]
}

@test "half of a container: a directory without a state" {
	mkdir -p -m 700 "$ROOT/$ID"
	does 7 monitor "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}"
	[ ! -e "$ROOT/$ID" ]
	mkdir -m 700 "$ROOT/$ID"
	does 0 start "${IMAGE[@]}"
	does 0 monitor "${IMAGE[@]}"
}

@test "a full or missing directory for its notes keeps nothing from stopping" {
	does 0 start "${IMAGE[@]}"
	rm -rf "$WORK/tmp"
	: >"$WORK/tmp"
	does 0 monitor "${IMAGE[@]}" monitor_cmd=true OCF_CHECK_LEVEL=10
	does 0 stop "${IMAGE[@]}" force_kill=1
	[ "$(quiet_state)" = 3 ]
}

@test "a hook that hangs: start gives up in time, and stop removes what there is" {
	BUNDLE=$WORK/bundle
	"$TOTE" bundle box:1 "$BUNDLE"
	config 'del(.linux.resources) | .hooks.createRuntime = [{path: "/bin/sleep", args: ["sleep", "100"]}]'
	begin=$SECONDS
	does 1 start "bundle=$BUNDLE" CRM_meta_timeout=8000
	says "cannot be started"
	[ $((SECONDS - begin)) -lt 60 ]
	does 0 stop "bundle=$BUNDLE"
	[ "$(quiet_state)" = 3 ]
}

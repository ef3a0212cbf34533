#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The agent's params_file: parameters of a box, not of the cluster. And what was made for files that programs write: probes, tries, the
# time to stop, words of more than one line.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_images; }
setup() {
	open_site
	FILE=$WORK/params
	IMAGE=("params_file=$FILE")
}
teardown() { close_site; }
teardown_file() { drop_images; }

params() { # LINE...
	printf '%s\n' "$@" >"$FILE"
}

noted() { cat "$WORK/tmp/tote-$ID.params"; }

@test "start, monitor and stop by a file" {
	params image=box:1 "run_opts=-e 'A=b c' -v $DATA:/data" "run_cmd=sh -c 'echo \"\$A\" >/tmp/a; exec sleep 1000'" "monitor_cmd=test -e /tmp/a"
	does 0 validate-all "${IMAGE[@]}"
	does 7 monitor "${IMAGE[@]}"
	does 0 start "${IMAGE[@]}"
	[ "$(tote exec "$ID" cat /tmp/a)" = "b c" ]
	does 0 monitor "${IMAGE[@]}" OCF_CHECK_LEVEL=10
	cmp "$FILE" "$WORK/tmp/tote-$ID.params"
	[ "$(stat -c %a "$WORK/tmp/tote-$ID.params")" = 600 ]
	does 0 stop "${IMAGE[@]}" CRM_meta_timeout=12000
	does 7 monitor "${IMAGE[@]}"
	[ -z "$(ls -A "$WORK/tmp")" ]
}

@test "a wrong file is an error of this box, never of the cluster; monitor and stop do without" {
	while IFS='|' read -r reason text; do
		[ -n "$reason" ] || continue
		printf '%b' "$text" >"$FILE"
		for action in start validate-all; do
			does 5 $action "${IMAGE[@]}"
			says "$reason" || return
		done
		does 7 monitor "${IMAGE[@]}" CRM_meta_interval=0
		does 0 stop "${IMAGE[@]}"
	done <<-'END'
		a line without =|image=box:1\nreuse\n
		a line without =|image=box:1\n\n
		"Image" is no parameter|Image=box:1\n
		"image " is no parameter|image =box:1\n
		"image bundle" is no parameter|image bundle=box:1\n
		"a;b" is no parameter|image=box:1\na;b=1\n
		"#image" is no parameter|#image=box:1\n
		colour cannot be there|image=box:1\ncolour=red\n
		name cannot be there|image=box:1\nname=x\n
		tote cannot be there|image=box:1\ntote=/bin/true\n
		params_file cannot be there|params_file=/x\n
		 cannot be there|=x\nimage=box:1\n
		image is there twice|image=box:1\nimage=box:1\n
		its last line has no end|image=box:1\nrun_cmd=sl
		image or bundle is needed|reuse=1\n
		image or bundle is needed|
		run_opts: a quote|image=box:1\nrun_opts='\n
		allow_pull|image=box:1\nallow_pull=1\n
		not on this box|image=gone:1\n
	END
	rm "$FILE"
	does 5 start "${IMAGE[@]}"
	says "no such file on this box"
	mkdir "$FILE"
	does 5 start "${IMAGE[@]}"
	rmdir "$FILE"
	mkfifo "$FILE"
	does 5 start "${IMAGE[@]}"
	does 7 monitor "${IMAGE[@]}"
	# What the cluster says is the cluster's.
	does 6 start params_file=params
	does 6 start "params_file=$FILE" name=a/b
}

@test "one parameter in the cluster and in the file: neither wins" {
	params image=box:1
	does 5 start "${IMAGE[@]}" image=box:1
	says "image is a parameter of the resource already"
	does 5 start "${IMAGE[@]}" image=
	does 0 stop "${IMAGE[@]}" image=box:1
	# Different ones go together.
	does 0 start "${IMAGE[@]}" run_cmd="sleep 1000"
	does 0 stop "${IMAGE[@]}" run_cmd="sleep 1000" force_kill=1
}

@test "nothing of a file is executed or expanded" {
	params 'image=box:1' 'run_opts=-e '\''A=$(touch /dev/shm/never) `touch /dev/shm/never` $HOME ${IFS} \n %s * "'\' 'run_cmd=sh -c '\''printf "%s" "$A" >/tmp/a; exec sleep 1000'\''' 'monitor_cmd=test -e /tmp/a'
	does 0 start "${IMAGE[@]}"
	[ "$(tote exec "$ID" cat /tmp/a)" = '$(touch /dev/shm/never) `touch /dev/shm/never` $HOME ${IFS} \n %s * "' ]
	cmp "$FILE" "$WORK/tmp/tote-$ID.params"
	[ ! -e /dev/shm/never ]
	does 0 stop "${IMAGE[@]}" CRM_meta_timeout=12000
	params 'image=$(touch /dev/shm/never)'
	does 1 start "${IMAGE[@]}"
	params 'reuse=$(touch /dev/shm/never)' 'image=box:1' 'stop_grace=a[$(touch /dev/shm/never)]'
	does 5 start "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}"
	[ ! -e /dev/shm/never ]
}

@test "the file may change under a running container: its note counts, and is gone with it" {
	params image=box:1 "run_opts=-v $DATA:/data" "run_cmd=sh -c 'trap \"echo term >>/data/notes; exit 0\" TERM; : >/data/up; while :; do sleep 0.1; done'" \
		"monitor_cmd=test -e /data/up" "drain_cmd=sh -c 'echo drain >>/data/notes'"
	does 0 start "${IMAGE[@]}"
	params image=gone:1 "monitor_cmd=false" "force_kill=1"
	does 0 monitor "${IMAGE[@]}" OCF_CHECK_LEVEL=10
	# The resource runs: nothing to be done.
	params image=box:1 "monitor_cmd=false" "force_kill=1"
	does 0 start "${IMAGE[@]}"
	does 0 stop "${IMAGE[@]}"
	[ "$(tr '\n' , <"$DATA/notes")" = drain,term, ]
	params image=box:1 "monitor_cmd=false"
	does 1 start "${IMAGE[@]}" CRM_meta_timeout=6000
	says "was not healthy in time"
	does 0 stop "${IMAGE[@]}" CRM_meta_timeout=12000
}

@test "without note and file a container is watched and stopped all the same" {
	params image=box:1 "monitor_cmd=false" "run_opts=-v $DATA:/data"
	agent_begins start "${IMAGE[@]}"
	eventually eval "[ \$(quiet_state) = 0 ]"
	agent_is_killed
	rm -f "$FILE" "$WORK"/tmp/*
	does 0 monitor "${IMAGE[@]}"
	does 0 monitor "${IMAGE[@]}" OCF_CHECK_LEVEL=10
	does 0 stop "${IMAGE[@]}" CRM_meta_timeout=12000
	[ "$(quiet_state)" = 3 ]
}

@test "a directory of notes that is full keeps a container from starting, and says so" {
	params image=box:1
	does 7 monitor "${IMAGE[@]}"
	mkdir -p "$WORK/tmp/tote-$ID.params.new"
	does 1 start "${IMAGE[@]}"
	says "cannot write $WORK/tmp/tote-$ID.params"
	[ "$(quiet_state)" = 3 ]
}

@test "monitor_probe: tcp, http, none; start waits for it" {
	SERVER="run_cmd=sh -c 'sleep 1; httpd -p 8080 -h /etc; exec sleep 1000'"
	does 0 start image=box:1 "$SERVER" "monitor_probe=http 8080/passwd"
	tote probe "$ID" tcp 8080
	does 0 monitor image=box:1 "monitor_probe=http 8080/passwd" OCF_CHECK_LEVEL=10
	does 0 monitor image=box:1 "monitor_probe=tcp 127.0.0.1:8080" OCF_CHECK_LEVEL=10
	does 1 monitor image=box:1 "monitor_probe=http 8080/none" OCF_CHECK_LEVEL=10
	says "HTTP status 404"
	does 1 monitor image=box:1 "monitor_probe=tcp 8081" OCF_CHECK_LEVEL=10
	says "Connection refused"
	does 0 monitor image=box:1 "monitor_probe=tcp 8081"
	does 0 stop image=box:1 force_kill=1
	# Without it, this image would have to be well.
	does 0 start image=sick:1 monitor_probe=none
	does 0 monitor image=sick:1 monitor_probe=none OCF_CHECK_LEVEL=10
	does 0 stop image=sick:1 force_kill=1
	for words in tcp "udp 53" "tcp  80" "none 80" "tcp 80 90"; do
		does 6 start image=box:1 "monitor_probe=$words" || return
	done
	does 6 start image=box:1 "monitor_probe=tcp 80" monitor_cmd=true
}

@test "monitor_tries: so many in a row, in the time of one operation" {
	does 0 start image=box:1 "run_opts=-v $DATA:/data"
	COUNT="sh -c 'echo >>/data/tries; test \$(wc -l </data/tries) -ge 3'"
	does 1 monitor image=box:1 "monitor_cmd=$COUNT" monitor_tries=2 OCF_CHECK_LEVEL=10
	[ "$(wc -l <"$DATA/tries")" = 2 ]
	rm "$DATA/tries"
	does 0 monitor image=box:1 "monitor_cmd=$COUNT" monitor_tries=3 OCF_CHECK_LEVEL=10
	[ "$(wc -l <"$DATA/tries")" = 3 ]
	begin=$SECONDS
	does 1 monitor image=box:1 "monitor_cmd=sleep 100" monitor_tries=3 CRM_meta_timeout=14000 OCF_CHECK_LEVEL=10
	[ $((SECONDS - begin)) -lt 60 ]
	for tries in 0 x 1000 -1 "1 2"; do
		does 6 start image=box:1 "monitor_tries=$tries" || return
	done
	agent_begins monitor image=box:1 "monitor_cmd=sh -c 'echo >/data/asked; exit 1'" monitor_tries=20 OCF_CHECK_LEVEL=10
	eventually test -e "$DATA/asked"
	tote kill --all "$ID" KILL
	agent_ends 7
}

@test "stop_grace ends before the timeout does" {
	does 0 start image=box:1 "run_cmd=sh -c 'trap : TERM; while :; do sleep 0.1; done'"
	begin=$(date +%s%N)
	does 0 stop image=box:1 stop_grace=2
	took=$((($(date +%s%N) - begin) / 1000000))
	echo "$took ms"
	[ "$took" -ge 1500 ]
	[ "$took" -lt 25000 ]
	does 6 start image=box:1 stop_grace=2s
}

@test "words of more than one line" {
	params image=box:1 "run_opts=-e \$'A=one\\n  two\\t\\\\ \\'x\\' \\\\n' -e \"B=\\\\\\\"\\\\\$x\\q\"" \
		"run_cmd=sh -c \$'printf \"%s|%s\" \"\$A\" \"\$B\" >/tmp/a\\nexec sleep 1000'" "monitor_cmd=sh -c \$'test -e /tmp/a &&\\ntrue'"
	cat "$FILE"
	does 0 start "${IMAGE[@]}"
	[ "$(tote exec "$ID" cat /tmp/a)" = $'one\n  two\t\\ \'x\' \\n|\\"\\$x\\q' ]
	for words in "\$'a" "\$'a\\x41'" "\$'a\\" "\"a\\\"" "a\\"; do
		does 6 validate-all image=box:1 "run_cmd=$words" || return
	done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The commands of `tote up` against a real supervisor and real containers: status, logs, attach, events, stop, restart, down.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_store; }
teardown_file() { drop_store; }
setup() { open_box; }
teardown() { close_box; }

# Until a service says it, 30 s at most.
says() { # WORDS SERVICE
	for _ in $(seq 150); do
		tote logs --no-prefix "$2" 2>/dev/null | grep -qF -- "$1" && return 0
		sleep 0.2
	done
	echo "$2 never said: $1"
	return 1
}

state() { # INSTANCE
	tote status --format json 2>/dev/null | jq -r ".projects[].services[].instances[] | select(.id == \"$1\") | .state"
}

until_state() { # INSTANCE STATE
	for _ in $(seq 150); do
		[ "$(state "$1")" = "$2" ] && return 0
		sleep 0.2
	done
	echo "$1: $(state "$1") instead of $2"
	return 1
}

until_why() { # WORDS
	for _ in $(seq 150); do
		[[ $(tote status 2>/dev/null) == *"$1"* ]] && return 0
		sleep 0.2
	done
	tote status
	return 1
}

@test "status, logs, events, stop, restart and down of a project" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  talker:
		    image: box:1
		    network_mode: none
		    init: true
		    command: [sh, -c, 'echo to out; echo to err >&2; printf "no end"; exec sleep 1000']
		    deploy: {replicas: 2}
		    volumes: [data:/data]
		    restart: always
		  done:
		    image: box:1
		    network_mode: none
		    command: [sh, -c, 'exit 0']
		    restart: on-failure
		volumes: {data: {}}
	EOF
	tote up --wait
	tote status
	[ "$(tote status --quiet | sort | xargs)" = "shop-done-1 shop-talker-1 shop-talker-2" ]
	[ "$(tote status --format json | jq .good)" = true ]
	says "to err" talker-2
	[ "$(tote logs --tail 2 talker-1 | head -n 1 | cut -c1-11)" = "talker-1 | " ]
	tote events --all | jq -se 'any(.event == "started" and .instance == "shop-talker-1")'
	tote events --all --project other | wc -l | grep -qx 0

	before=$(tote status --format json | jq '[.projects[0].services[].instances[] | select(.number == 1 and .state == "running") | .pid] | add')
	tote stop talker
	until_state shop-talker-1 stopped
	run -0 tote status talker
	[[ $output == *stopped*stopped* ]]
	tote restart talker
	until_state shop-talker-1 running
	[ "$(tote status --format json | jq '[.projects[0].services[].instances[] | select(.number == 1 and .state == "running") | .pid] | add')" != "$before" ]

	[ -d "$TOTE_STORE/volumes/shop_data" ]
	tote down --volumes
	[ ! -e "$TOTE_STORE/volumes/shop_data" ]
	[ ! -e "$STATE/shop.json" ]
	[ -z "$(tote list -q)" ]
	run -4 tote status
	tote logs -p shop --no-prefix talker-1 | grep -qx 'to out'
}

@test "status: exit code 2 while something is not up, with the reason" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  broken:
		    image: box:1
		    network_mode: none
		    command: [sh, -c, 'exit 7']
		    restart: always
	EOF
	tote up
	until_why "exit code 7"
	run -2 tote status
	run -2 tote status -q broken
	tote down
}

@test "attach: stdin, output, the end and its exit code; ctrl-p ctrl-q" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  reader:
		    image: box:1
		    network_mode: none
		    stdin_open: true
		    command: [sh, -c, 'while read -r line; do echo "got $$line"; [ "$$line" != bye ] || exit 5; done']
		    stop_grace_period: 0s
		    restart: "no"
		  shell:
		    image: box:1
		    network_mode: none
		    stdin_open: true
		    tty: true
		    stop_grace_period: 0s
		    restart: "no"
	EOF
	tote up --wait
	# Its stdin stays open.
	mkfifo typed
	exec 8<>typed
	(echo one; sleep 1; echo bye) >&8 3>&- &
	run -5 --separate-stderr in_box timeout 60 "$TOTE" --root "$ROOT" attach reader <typed
	exec 8>&-
	[ "$output" = "$(printf 'got one\ngot bye')" ]
	cat >script.py <<-'EOF'
		import os, pty, select, sys, termios, time
		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.argv[1], sys.argv[1:])
		import fcntl, struct
		fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 77, 0, 0))
		os.kill(pid, 28)
		seen, end = b"", time.time() + 40
		def until(words):
		    global seen
		    while words not in seen and time.time() < end:
		        if select.select([fd], [], [], 0.5)[0]:
		            try: seen += os.read(fd, 4096)
		            except OSError: break
		    if words not in seen: sys.exit("no %r in %r" % (words, seen))
		while termios.tcgetattr(fd)[3] & termios.ICANON and time.time() < end:
		    time.sleep(0.05)
		os.write(fd, b"echo a$((1+1))b; stty size\r")
		until(b"a2b"); until(b"31 77")
		os.write(fd, b"\x10"); time.sleep(0.2); os.write(fd, b"\x11")
		_, status = os.waitpid(pid, 0)
		sys.exit(os.waitstatus_to_exitcode(status))
	EOF
	run -0 in_box timeout 60 python3 script.py "$TOTE" --root "$ROOT" attach shell
	[ "$(state shop-shell-1)" = running ]
	tote down
}

@test "without a supervisor: containers go on, status and logs work, exit code 3" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  ticker:
		    image: box:1
		    network_mode: none
		    command: [sh, -c, 'n=0; while :; do n=$$((n+1)); echo tick $$n; sleep 0.2; done']
		    stop_grace_period: 0s
		    restart: always
	EOF
	tote up --wait
	kill_supervisor
	run -3 --separate-stderr tote status
	[[ $output == *"running  running"* && $stderr == *"no supervisor runs"* ]]
	says "tick 20" ticker
	run -3 tote stop
	run -3 tote events --all
	tote up
	run -0 tote status
	[ "$(tote status --format json | jq '.projects[0].services[0].instances[0].restarts')" = 0 ]
	tote down
}

@test "logs -f: every line of a service that fills many files, once and in order" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  writer:
		    image: box:1
		    network_mode: none
		    command: [sh, -c, 'echo ready; until [ -e /tmp/go ]; do usleep 50000; done; n=0; while [ $$n -lt 600 ]; do n=$$((n+1)); echo "line $$n of a good length, so that files are full soon"; usleep 10000; done; exec sleep 1000']
		    logging: {driver: json-file, options: {max-size: 8k, max-file: 6}}
		    tmpfs: /tmp
		    stop_grace_period: 0s
		    restart: always
	EOF
	tote up
	(LIMIT=120 tote logs -f --no-prefix writer >"$WORK/followed" 2>&1 3>&- || true) &
	FOLLOWER=$!
	# Not before it is there: the first lines are gone when the last are written.
	patiently grep -q '^ready' "$WORK/followed"
	tote exec shop-writer-1 touch /tmp/go
	patiently grep -q '^line 600 ' "$WORK/followed"
	[ "$(ls "$LOG/shop" | grep -c writer)" -eq 6 ]
	diff <(tail -n +2 "$WORK/followed" | cut -d' ' -f1,2) <(seq -f 'line %g' 600)
	[ "$(tote logs --tail 30 --no-prefix writer | cut -d' ' -f2 | xargs)" = "$(seq 571 600 | xargs)" ]
	tote down
}

@test "down removes the project's network and leaves others" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services: {web: {image: box:1, command: [sleep, "1000"], stop_grace_period: 0s}}
	EOF
	tote network create other --subnet 10.91.0.0/24
	tote up --wait
	tote network ls -q | grep -qx shop_default
	tote down
	[ "$(tote network ls -q | grep -v '^bridge$' | xargs)" = other ]
}

@test "down --force hurries what an earlier down has forgotten; then there is no such project" {
	mkdir shop && cd shop
	cat >compose.yaml <<-'EOF'
		services:
		  stubborn:
		    image: box:1
		    network_mode: none
		    command: [sh, -c, 'trap "" TERM; while :; do sleep 1; done']
		    stop_grace_period: 100s
	EOF
	tote up --wait
	tote down >down.log 2>&1 &
	eventually grep -q stopping "$RUN/i/shop-stubborn-1/status.json"
	[ ! -e "$STATE/shop.json" ]
	run -4 tote down nonsense
	[[ $output == *"no such service: nonsense"* ]]
	run -4 tote down --project other --force
	LIMIT=50 tote down --force
	[ -z "$(tote list -q)" ]
	wait $!
	run -4 tote down --force
	[[ $output == *"no such project: shop"* ]]
}

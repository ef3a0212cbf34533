#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Full disks, torn files, floods of log lines, a second supervisor: what runs goes on, and `tote status` says what is wrong.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_store; }
teardown_file() { drop_store; }
setup() { open_box; }
teardown() { close_box; }

come_back() {
	start_supervisor "$@"
	patiently ping_supervisor
}

# Below $TOTE_SUPERVISE_DIR: a file system of so much, in the box alone.
small_disk() { # DIR SIZE
	mkdir -p "$1"
	in_box mount -t tmpfs -o "mode=700,size=$2" none "$1"
}

fill() { in_box sh -c "cat /dev/zero >'$1/fill'" 2>/dev/null || true; } # DIR

ticker() {
	compose <<-'END'
	name: t
	services:
	  w:
	    image: box:1
	    command: ["sh", "-c", "n=0; while :; do n=$$((n + 1)); echo line $$n of a log that is not short, for it has to fill a disk; sleep 0.01; done"]
	    stop_grace_period: 0s
	    logging: {driver: local, options: {max-size: 64k, max-file: "3"}}
	END
}

@test "the disk for logs is full: the service goes on, what is lost is counted and told, and logging comes back" {
	small_disk "$LOG" 256k
	ticker
	come_back
	tote up
	patiently is_running t-w-1
	pid=$(init_of t-w-1)
	fill "$LOG"
	patiently dropped
	service_is w '.instances[0].state' running
	run tote status
	echo "$output"
	[[ $output = *[Ll]og* ]]
	[ "$(init_of t-w-1)" = "$pid" ]
	in_box rm "$LOG/fill"
	patiently logs_again
	[ "$(init_of t-w-1)" = "$pid" ]
	# Each line is whole.
	in_box sh -c "cat '$LOG'/t/t-w-1.log" | grep -v '^[^ ]* std\(out\|err\) [FP] ' >bad || true
	[ "$(wc -l <bad)" -le 1 ]
}

dropped() { [ "$(service w '.instances[0].logDropped')" -gt 0 ]; }
logs_again() {
	local size
	in_box sh -c "tail -c 200 '$LOG'/t/t-w-1.log" >one
	sleep 0.3
	in_box sh -c "tail -c 200 '$LOG'/t/t-w-1.log" >two
	! cmp -s one two
}

@test "the disk for what is desired is full: up is an error, what runs goes on, status says why; once there is room it works" {
	small_disk "$STATE" 64k
	ticker
	come_back
	tote up
	patiently is_running t-w-1
	pid=$(init_of t-w-1)
	fill "$STATE"
	sed -i 's/^  w:/  v: {image: "box:1", command: [sleep, "1000"], stop_grace_period: 0s, labels: {filler: "x"}}\n  w:/' compose.yaml
	run tote up
	echo "$output"
	[ "$status" != 0 ] || status_json | jq -e '.supervisor.trouble'
	[ "$(init_of t-w-1)" = "$pid" ]
	in_box rm "$STATE/fill"
	tote up
	patiently service_is v '.instances[0].state' running
	kill_supervisor
	come_back
	patiently service_is v '.instances[0].state' running
	[ "$(init_of t-w-1)" = "$pid" ]
}

@test "the disk for RUN is full: containers go on, and an end is known all the same when there is room again" {
	small_disk "$RUN" 512k
	compose <<-'END'
	name: r
	services:
	  w: {image: "box:1", command: ["sleep", "3600"], stop_grace_period: 0s}
	  e: {image: "box:1", command: ["sh", "-c", "sleep 2; exit 6"], restart: "no"}
	END
	come_back
	tote up
	patiently is_running r-w-1
	pid=$(init_of r-w-1)
	in_box sh -c "cat /dev/zero >'$RUN/fill'" 2>/dev/null || true
	sleep 3
	kill -0 "$pid"
	in_box rm "$RUN/fill"
	patiently service_is e '.instances[0].state' failed
	service_is e '.instances[0].exit.code' 6
	service_is w '.instances[0].pid' "$pid"
}

@test "a second supervisor is refused, and disturbs nothing" {
	ticker
	come_back
	tote up
	patiently is_running t-w-1
	pid=$(init_of t-w-1)
	run in_box timeout 20 "$SUPERVISE"
	echo "$output"
	[ "$status" != 0 ]
	[ "$status" != 124 ]
	ping_supervisor
	service_is w '.instances[0].pid' "$pid"
}

@test "garbage in RUN and STATE: told, the rest is looked after" {
	ticker
	come_back
	tote up
	patiently is_running t-w-1
	pid=$(init_of t-w-1)
	kill_supervisor
	echo '{"name":"torn","serv' >"$STATE/torn.json"
	head -c 1000 /dev/urandom >"$STATE/random.json"
	: >"$STATE/empty.json"
	echo '{"name":"other","services":[]}' >"$STATE/wrong-name.json"
	mkdir -p "$RUN/i/strange" "$RUN/i/half-made-1" "$RUN/i/t-w-7"
	head -c 300 /dev/urandom >"$RUN/i/half-made-1/status.json"
	head -c 300 /dev/urandom >"$RUN/i/t-w-7/made.json"
	echo '[]' >"$RUN/i/t-w-7/exit.json"
	touch "$RUN/i/file" "$RUN/i/half-made-1/record.json"
	ln -s /etc "$RUN/i/link"
	come_back
	patiently service_is w '.instances[0].pid' "$pid"
	for what in status exit record made; do
		head -c 300 /dev/urandom >"$RUN/i/t-w-1/$what.json"
	done
	kill_supervisor
	come_back
	# Its own memory is gone; the container, whose monitor lives, need not be.
	patiently service_is w '.instances[0].state' running
	[ -e /etc/passwd ]
	[ "$(strangers | grep -cE '^[0-9]+ sh -c .*line')" = 1 ]
}

@test "a flood of log lines stays within its cap, and stop works in it" {
	compose <<-'END'
	name: f
	services:
	  w:
	    image: box:1
	    command: ["sh", "-c", "exec cat /dev/zero | tr '\\0' 'x'"]
	    stop_grace_period: 1s
	    logging: {driver: local, options: {max-size: 1m, max-file: "3"}}
	  l:
	    image: box:1
	    command: ["yes", "a line of the flood"]
	    stop_grace_period: 1s
	    logging: {driver: json-file, options: {max-size: 1m, max-file: "2"}}
	END
	come_back
	tote up
	patiently is_running f-w-1
	patiently is_running f-l-1
	most=0
	# Until it has come close to its cap.
	for ((n = 0; n < 20 || n < 300 && most <= 2000000; n++)); do
		sleep 0.1
		now=$(size_of f-w-1)
		[ "$now" -le "$most" ] || most=$now
		[ "$(size_of f-l-1)" -le $((2 * 1048576 + 65536)) ]
	done
	echo "most: $most"
	[ "$most" -gt 2000000 ]
	[ "$most" -le $((3 * 1048576 + 65536)) ]
	[ "$(find "$LOG/f" -name 'f-w-1*' | wc -l)" -le 3 ]
	SECONDS=0
	tote down
	[ "$SECONDS" -lt 20 ]
	patiently nothing_left
}

# Of all files of an instance's log. One that is renamed meanwhile may be met twice, and counts once.
size_of() { # INSTANCE
	find "$LOG/f" -name "$1*" -printf '%f %s\n' | awk '{ size[$1] = $2 } END { for (name in size) sum += size[name]; print sum + 0 }'
}

@test "hundred odd requests on the control socket: it answers the next one" {
	ticker
	come_back
	tote up
	in_box python3 - "$RUN/control" <<-'END'
	import os, socket, sys
	for i in range(100):
	    s = socket.socket(socket.AF_UNIX)
	    s.settimeout(5)
	    s.connect(sys.argv[1])
	    try:
	        s.sendall([b"\n", b"{}\n", b"[]\n", b'{"do":1}\n', b'{"do":"apply"}\n', b'{"do":"apply","project":{}}\n', b'{"do":"down","project":"../x"}\n',
	                   b"x" * 100000 + b"\n", os.urandom(1000), b'{"do":"status"', b'{"do":"stop","project":null,"services":[1,2]}\n'][i % 11])
	        if i % 2:
	            s.settimeout(0.2)  # some get no answer, and none is looked at
	            s.recv(1000)
	    except OSError:
	        pass
	    if i % 3:
	        s.close()
	END
	ping_supervisor
	service_is w '.instances[0].state' running
}

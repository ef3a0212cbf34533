#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The supervisor by its control socket, without a Compose file: requests good and bad, clients that are slow or gone, what systemd
# and it say to each other, and updates that are cut off by a kill.

bats_require_minimum_version 1.5.0
load helpers

setup_file() { make_store; }
teardown_file() { drop_store; }
setup() {
	open_box
	DIGEST=$("$TOTE" inspect box:1 | jq -r 'if type == "array" then .[0] else . end | .digest')
	export RUN DIGEST
}
teardown() { close_box; }

# One request, its answers on stdout, a line each. 1: the last one is an error.
ask() { # JSON [TIMEOUT]
	python3 -c '
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(float(sys.argv[2]))
s.connect(os.environ["RUN"] + "/control")
s.sendall(sys.argv[1].encode() + b"\n")
for line in s.makefile():
    print(line, end="")
    v = json.loads(line)
    if "error" in v: sys.exit(1)
    if "done" in v: sys.exit(0)
sys.exit(2)' "$1" "${2:-60}"
}

service() { # NAME COMMAND [MORE-JSON]
	jq -cn --arg name "$1" --arg digest "$DIGEST" --arg command "$2" --argjson more "${3:-{\}}" '{name: $name, image: "box:1",
		digest: $digest, options: ["--network", "none"], args: ["sh", "-c", $command], restart: "always", stopGraceMs: 0} + $more'
}
apply() { # SERVICE...
	ask "$(printf '%s\n' "${@}" | jq -cs '{do: "apply", project: {name: "p", services: .}}')"
}
wait_up() { ask '{"do":"wait","project":"p","timeoutMs":60000}'; }
of() { # SERVICE JQ
	ask '{"do":"status"}' | jq -r --arg s "$1" "select(.projects) | .projects[].services[] | select(.name == \$s) | $2"
}
is_of() { [ "$(of "$1" "$2")" = "$3" ]; }

begin() {
	start_supervisor "$@"
	patiently ping_supervisor
}

@test "requests that are broken are answered, and nothing else happens" {
	begin
	for bad in 'nonsense' '[]' '{}' '{"do":7}' '{"do":"dance"}' '{"do":"apply"}' '{"do":"apply","project":{}}' \
		'{"do":"apply","project":{"name":"../x","services":[]}}' '{"do":"stop","project":"none"}' '{"do":"wait"}' \
		'{"do":"stop","project":"p","services":"a"}'; do
		run -1 ask "$bad"
		[[ $output = *'"error"'* ]]
	done
	run -1 ask '{"do":"down","project":"none"}'
	[[ $output = *'no such project: none'* ]]
	ask '{"do":"ping"}'
	[ -z "$(ls "$STATE")" ]
}

@test "a line without end is refused, and others are served meanwhile" {
	begin
	python3 -c '
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(os.environ["RUN"] + "/control")
t = socket.socket(socket.AF_UNIX)
t.connect(os.environ["RUN"] + "/control")
t.settimeout(60)
try:
    for n in range(6 << 4):
        s.sendall(b"x" * 65536)
        if n == 20:
            t.sendall(b"{\"do\":\"ping\"}\n")
            assert json.loads(t.recv(1000))["done"]
except (BrokenPipeError, ConnectionResetError):
    pass
assert "too long" in json.loads(s.recv(1000))["error"]'
}

@test "clients that do not read, or are gone, hold nobody up" {
	begin
	python3 -c '
import json, os, socket
def client():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(os.environ["RUN"] + "/control")
    return s
deaf = client()
for n in range(2000):
    try: deaf.send(b"{\"do\":\"status\"}\n", socket.MSG_DONTWAIT)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError): break
for n in range(50):
    s = client(); s.sendall(b"{\"do\":\"events\",\"follow\":true}\n{\"do\":\"st"); s.close()
s = client()
s.sendall(b"{\"do\":\"ping\"}\n")
assert json.loads(s.recv(1000))["done"]'
}

@test "too many connections are told so" {
	begin
	python3 -c '
import json, os, socket
def client():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(os.environ["RUN"] + "/control")
    return s
all = [client() for n in range(64)]
assert "too many" in json.loads(client().recv(1000))["error"]
all.pop().close()
s = client()
s.sendall(b"{\"do\":\"ping\"}\n")
answer = json.loads(s.recv(1000))
assert "done" in answer or "too many" in answer["error"]'
	patiently ask '{"do":"ping"}'
}

@test "other users are refused" {
	begin
	chmod 755 "$WORK" "$TOTE_SUPERVISE_DIR" "$RUN"
	chmod 666 "$RUN/control"
	run in_box python3 -c '
import os, socket, sys
os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.settimeout(60)
s.connect(sys.argv[1])
try:
    s.sendall(b"{\"do\":\"status\"}\n")
    print("got", s.recv(1000))
except (BrokenPipeError, ConnectionResetError):
    print("got", bytes())' "${RUN#/proc/"$BOX"/root}/control"
	echo "$output"
	[ "$output" = "got b''" ]
}

@test "systemd is told when it is ready, and the watchdog from then on" {
	python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
got = []
while got.count("WATCHDOG=1") < 3:
    got.append(s.recv(4096).decode())
    print(got[-1], flush=True)' "$WORK/notify" >"$WORK/told" 2>&1 3>&- &
	listener=$!
	patiently test -S "$WORK/notify"
	NOTIFY_SOCKET=$WORK/notify WATCHDOG_USEC=200000 begin
	patiently grep -q WATCHDOG=1 "$WORK/told"
	[ "$(head -n 1 "$WORK/told")" = READY=1 ]
	wait "$listener"
	[ "$(grep -c WATCHDOG=1 "$WORK/told")" -ge 3 ]
}

@test "the control socket may come from systemd" {
	mkdir -p "$RUN"
	chmod 700 "$TOTE_SUPERVISE_DIR" "$RUN"
	in_box python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(16)
os.dup2(s.fileno(), 3) if s.fileno() != 3 else os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])' "$RUN/control" "$SUPERVISE" --root "$ROOT" </dev/null >"$WORK/supervise.log" 2>&1 3>&- &
	inode=
	patiently ask '{"do":"ping"}'
	inode=$(stat -c %i "$RUN/control")
	apply "$(service a 'echo fds $LISTEN_FDS; sleep 1000')"
	wait_up
	[ "$(stat -c %i "$RUN/control")" = "$inode" ]
	patiently grep -q 'F fds *$' "$LOG/p/p-a-1.log"
	kill_supervisor
}

@test "--detach answers when it comes back, and a second one leaves it alone" {
	in_box "$SUPERVISE" --root "$ROOT" --detach
	ask '{"do":"ping"}'
	first=$(supervisors)
	in_box "$SUPERVISE" --root "$ROOT" --detach
	[ "$(supervisors)" = "$first" ]
	run -1 in_box "$SUPERVISE" --root "$ROOT"
	[[ $output = *"runs already"* ]]
}

@test "started in order, stopped in reverse; a stop is remembered by those who are to remember it" {
	begin
	apply "$(service a 'sleep 1000')" \
		"$(service b 'sleep 1000' '{"depends": [{"service": "a"}], "restart": "unless-stopped"}')" \
		"$(service c 'sleep 1000' '{"depends": [{"service": "b"}]}')"
	wait_up
	ask '{"do":"stop","project":"p"}'
	order=$(ask '{"do":"events"}' | jq -r 'select(.event == "started" or .event == "exited") | .event + " " + .service' | tr '\n' ' ')
	[ "$order" = "started a started b started c exited c exited b exited a " ]
	# Over a kill they stay so.
	kill_supervisor
	begin
	is_of a .state stopped
	kill_supervisor
	# A reboot, as far as it can be told one.
	echo another-boot >"$RUN/boot"
	begin
	patiently is_of a .state running
	is_of b .state stopped
}

@test "what nobody wants is ended and removed, what was half made as well" {
	begin
	apply "$(service a 'sleep 1000')"
	wait_up
	kill_supervisor
	rm "$STATE/p.json"
	mkdir "$RUN/i/p-x-1"
	begin
	patiently nothing_left
}

@test "a document that cannot be read leaves what runs alone" {
	begin
	apply "$(service a 'sleep 1000')"
	wait_up
	pid=$(init_of p-a-1)
	kill_supervisor
	echo '{"name":' >"$STATE/p.json"
	begin
	sleep 1
	[ "$(init_of p-a-1)" = "$pid" ]
	kill -0 "$pid"
	ask '{"do":"status"}' | jq -e 'select(.supervisor) | .supervisor.trouble'
	ask '{"do":"down","project":"p"}'
	patiently nothing_left
}

@test "an update that falls comes back, also when the supervisor is killed all along" {
	begin
	apply "$(service a 'sleep 1001')"
	wait_up
	apply "$(service a 'exit 5' '{"updateMs": 20000}')"
	run -1 wait_up
	[[ $output = *"taken back: exit code 5"* ]]
	patiently is_of a .state running
	[ "$(jq -r '.services[0].args[2]' "$STATE/p.json")" = "sleep 1001" ]
	[ "$(jq -r '.services[0].previous' "$STATE/p.json")" = null ]
	apply "$(service a 'exit 6' '{"updateMs": 20000}')"
	for n in 1 2 3 4 5 6; do
		kill_supervisor
		begin
	done
	is_back() { [ "$(jq -r '.services[0].args[2]' "$STATE/p.json")" = "sleep 1001" ] && is_of a '.instances | map(.state) | join(" ")' running; }
	patiently is_back
	of a .note | grep -q 'exit code 6'
	# Who asks for what came back has what was asked for.
	apply "$(service a 'sleep 1001')"
	wait_up
	[ "$(of a .note)" = null ]
}

@test "the old one stays until the new one is good where that is asked for" {
	begin
	apply "$(service a 'sleep 1001')"
	wait_up
	old=$(init_of p-a-1)
	apply "$(service a 'sleep 1002' '{"startFirst": true, "updateMs": 8000}')"
	patiently is_running p-a-1.b
	[ "$(init_of p-a-1)" = "$old" ]
	kill -0 "$old"
	wait_up
	patiently process_gone "$old"
	[ "$(instances)" = p-a-1.b ]
}

@test "an exec that cannot even be made stops nothing" {
	begin
	apply "$(service a 'sleep 1001')"
	wait_up
	old=$(init_of p-a-1)
	apply "$(service a x '{"args": ["/nonexistent"], "updateMs": 20000}')"
	run -1 wait_up
	[[ $output = *"taken back: could not be created"* ]]
	patiently is_of a '.instances | map(.id) | join(" ")' p-a-1
	[ "$(init_of p-a-1)" = "$old" ]
	kill -0 "$old"
}

@test "an update that comes back without what it depended on is still there after a kill" {
	begin
	apply "$(service db 'sleep 1000')" "$(service web 'sleep 1001' '{"depends": [{"service": "db"}]}')"
	wait_up
	# What it depended on has gone, or depends on it now.
	apply "$(service web 'exit 9' '{"updateMs": 20000}')"
	run -1 wait_up
	[[ $output = *"taken back: exit code 9"* ]]
	patiently is_of web .state running
	kill_supervisor
	begin
	patiently is_of web .state running
	ask '{"do":"status"}' | jq -e 'select(.supervisor) | .supervisor.trouble == null'
	apply "$(service db 'sleep 1000')" "$(service web 'sleep 1001' '{"depends": [{"service": "db"}]}')"
	wait_up
	apply "$(service db 'sleep 1000' '{"depends": [{"service": "web"}]}')" "$(service web 'exit 9' '{"updateMs": 20000}')"
	is_back() { [ "$(jq -r '.services[] | select(.name == "web") | .args[2]' "$STATE/p.json")" = "sleep 1001" ]; }
	patiently is_back
	kill_supervisor
	begin
	patiently is_of web .state running
	ask '{"do":"status"}' | jq -e 'select(.supervisor) | .supervisor.trouble == null'
}

@test "a service that has left the file is told by its name" {
	begin
	apply "$(service a 'sleep 1000')" "$(service gone 'sleep 1000')"
	wait_up
	run -0 apply "$(service a 'sleep 1000')"
	[[ $output = *'"change":"remove","service":"gone","why":"it is not in the file any more'* ]]
	ask '{"do":"events"}' | jq -se 'any(.service == "gone" and .event == "remove")'
}

@test "two projects do not share a container" {
	begin
	ask "$(service c 'sleep 1000' | jq -c '{do: "apply", project: {name: "a-b", services: [.]}}')"
	patiently is_of c .state running
	pid=$(init_of a-b-c-1)
	run -1 ask "$(service b-c 'sleep 1000' | jq -c '{do: "apply", project: {name: "a", services: [.]}}')"
	[[ $output = *'service b-c of project a and service c of project a-b would have the same containers'* ]]
	[ ! -e "$STATE/a.json" ]
	# Nor when it is found on the disk.
	kill_supervisor
	jq '.name = "a" | .services[0].name = "b-c"' "$STATE/a-b.json" >"$STATE/a.json"
	begin
	why_of() { ask '{"do":"status"}' | jq -r 'select(.projects) | .projects[] | select(.name == "a") | .services[0].instances[0].why'; }
	is_told() { why_of | grep -q 'of another project'; }
	patiently is_told
	[ "$(init_of a-b-c-1)" = "$pid" ]
	kill -0 "$pid"
	[ "$(jq -r .name "$RUN/i/a-b-c-1/made.json")" = c ]
}

@test "contents that nobody needs any more are removed, when they are not new" {
	old=$(printf old | sha256sum | cut -c 1-64) used=$(printf used | sha256sum | cut -c 1-64) new=$(printf new | sha256sum | cut -c 1-64)
	begin
	mkdir -m 700 "$STATE/files"
	for name in old used new; do printf %s "$name" >"$STATE/files/${!name}"; done
	touch -d '1 hour ago' "$STATE/files/$old" "$STATE/files/$used"
	apply "$(service a 'sleep 1000' "{\"files\": [{\"content\": \"$used\", \"target\": \"/x\"}]}")"
	[ "$(ls "$STATE/files")" = "$(printf '%s\n' "$used" "$new" | sort)" ]
	wait_up
	# The description of another project is damaged: who knows what it needs.
	kill_supervisor
	touch -d '1 hour ago' "$STATE/files/$new"
	echo '{' >"$STATE/q.json"
	begin
	[ -e "$STATE/files/$new" ]
	ask '{"do":"down","project":"q"}'
	[ "$(ls "$STATE/files")" = "$used" ]
	ask '{"do":"down","project":"p"}'
	[ -z "$(ls "$STATE/files")" ]
}

@test "a monitor that hangs keeps nobody from stopping its container" {
	begin
	apply "$(service a 'sleep 1000')" "$(service b 'sleep 1000')"
	wait_up
	monitor=$(awk '{print $1}' "$RUN/i/p-a-1/monitor")
	kill -STOP "$monitor"
	# More than its socket holds: connecting waits from then on.
	in_box python3 -c '
import socket, sys, time
all = []
for n in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setblocking(False)
    try: s.connect(sys.argv[1])
    except BlockingIOError: break
    all.append(s)
else: sys.exit(1)
print("full", flush=True)
time.sleep(60)' "$RUN/i/p-a-1/control" >"$WORK/connected" 2>&1 &
	patiently grep -q full "$WORK/connected"
	ask '{"do":"stop","project":"p","services":["a"]}' 90 >"$WORK/stop" &
	stop=$!
	ask '{"do":"ping"}' 5
	is_said() { of a '.instances[0].why' | grep -q 'does not answer'; }
	patiently is_said
	wait "$stop"
	[ "$(of a .state)" = stopped ]
	[ "$(of b .state)" = running ]
	ask '{"do":"events"}' | jq -se 'any(.event == "monitor killed")'
}

@test "who does not read what it says does not hold it up, and hears how much was lost" {
	mkfifo "$WORK/said"
	exec 7<>"$WORK/said"
	(exec nsenter -t "$BOX" -n -m -C --wdns="$PWD" sh -c 'echo 0 >/sys/fs/cgroup/driver/cgroup.procs && exec "$0" "$@"' \
		"$SUPERVISE" --root "$ROOT") </dev/null 2>"$WORK/said" >/dev/null 3>&- 7>&- &
	SUPERVISOR=$!
	patiently ping_supervisor
	head -c 64500 /dev/zero | tr '\0' x >&7
	# Each writes a line or two.
	another() {
		n=$((n + 1))
		ask "$(service "a$n" 'sleep 1000' | jq -c '{do: "apply", project: {name: "p", services: [. + {replicas: 0}]}}')" 20 >/dev/null
	}
	n=0
	while [ "$n" -lt 40 ]; do another; done
	timeout 100 cat <&7 >"$WORK/heard" 3>&- 7>&- &
	reader=$!
	is_heard() { another && grep -aq 'lines before this one are lost' "$WORK/heard"; }
	patiently is_heard
	kill "$reader"
	exec 7>&-
}

@test "the log of a detached one is started anew at 1 MiB" {
	mkdir -p "$LOG"
	head -c 1100000 /dev/zero | tr '\0' x >"$LOG/tote-supervise.log"
	in_box timeout 60 "$SUPERVISE" --root "$ROOT" --detach </dev/null >"$WORK/detach.log" 2>&1
	apply "$(service a 'sleep 1000')"
	[ "$(stat -c %s "$LOG/tote-supervise.log.1")" -ge 1048576 ]
	[ "$(stat -c %s "$LOG/tote-supervise.log")" -lt 100000 ]
	grep -q 'p/a: create' "$LOG/tote-supervise.log"
}

@test "what is stopping already is hurried by a second Ctrl-C, and by down --force" {
	begin
	apply "$(service a 'trap "" TERM; while :; do sleep 1; done' '{"stopGraceMs": 600000}')"
	wait_up
	ask '{"do":"down","project":"p"}' 100 >"$WORK/down" &
	down=$!
	stops() { is_of a '.instances[0].state' stopping; }
	patiently stops
	ask '{"do":"down","project":"p","force":true}'
	wait "$down"
	apply "$(service a 'trap "" TERM; while :; do sleep 1; done' '{"stopGraceMs": 600000}')"
	wait_up
	kill -INT "$SUPERVISOR"
	patiently stops
	kill -INT "$SUPERVISOR"
	patiently process_gone "$SUPERVISOR"
}

@test "a status that is too long for one line comes in several" {
	begin
	python3 -c '
import json, os, socket, sys
for n in range(6):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(os.environ["RUN"] + "/control")
    one = {"image": "box:1" + "x" * 900, "digest": os.environ["DIGEST"], "replicas": 0}
    s.sendall(json.dumps({"do": "apply", "project": {"name": "p%d" % n, "services": [dict(one, name="s%d" % k) for k in range(900)]}}).encode() + b"\n")
    for line in s.makefile():
        v = json.loads(line)
        if "done" in v or "error" in v: break
    assert "done" in v, v'
	ask '{"do":"status"}' >"$WORK/status"
	[ "$(wc -l <"$WORK/status")" = 7 ]
	[ "$(jq -s 'map(.projects[].services[]) | length' "$WORK/status")" = 5400 ]
	[ "$(tote status --format json | jq '[.projects[].services[]] | length')" = 5400 ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote probe: health checks by a connection that is made inside the container's network.

bats_require_minimum_version 1.5.0
load helpers

setup() { make_bundle; }
teardown() { clean_up; }

serving() { # LINE
	command_is sh -c "$1"
	quietly tote run -d "$ID"
}

answers() { # PORT
	tote probe "$ID" tcp "$1" 2>/dev/null
}

good() { # WORDS...
	run --separate-stderr tote probe "$ID" "$@"
	echo "$*: code $status $stderr"
	[ "$status" -eq 0 ] && [ -z "$output$stderr" ]
}

bad() { # REASON WORDS...
	run --separate-stderr tote probe "$ID" "${@:2}"
	echo "${*:2}: code $status $stderr"
	[ "$status" -eq 1 ] && [ -z "$output" ] && [ "${#stderr_lines[@]}" -eq 1 ] && [[ $stderr == *"$1"* ]]
}

@test "tcp and http, of a container with a network of its own" {
	serving 'ip link set lo up; httpd -p 8080 -h /etc && exec sleep 1000'
	eventually answers 8080
	good tcp 127.0.0.1:8080
	good tcp localhost:8080
	good http 8080/passwd
	good http "8080/passwd?x=1"
	good http --timeout 5 "[::1]:8080/passwd"
	good http 127.0.0.1:8080/passwd
	bad "HTTP status 404" http 8080/none
	bad "port 8081: Connection refused" tcp 8081
	bad "port 8081: Connection refused" http 8081/passwd
	# Nobody out here listens there.
	run ! bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'
}

@test "answers that are none, and none at all" {
	serving 'ip link set lo up; nc -ll -p 9001 -e echo "SSH-2.0-x" & nc -ll -p 9002 -e true & nc -ll -p 9003 -e sleep 1000 & nc -ll -p 9004 -e sh -c "printf HTTP/1.1; sleep 1000" & exec sleep 1000'
	for port in 9001 9002 9003 9004; do
		eventually answers $port
	done
	bad "not HTTP" http 9001
	bad "port 9002" http 9002
	begin=$SECONDS
	bad "no answer in time" --timeout 1 http 9003
	bad "no answer in time" --timeout 1 http 9004/x
	[ $((SECONDS - begin)) -lt 60 ]
}

@test "a container that does not run, one that is not there, wrong words" {
	bad "does not exist" tcp 80
	command_is sleep 1000
	quietly tote create "$ID"
	bad "is not running" tcp 80
	tote start "$ID"
	for words in "tcp x" "tcp 0" "tcp 65536" "tcp 80/x" "tcp ::1:80" "tcp example.org:80" "http /x" "http 80x"; do
		# shellcheck disable=SC2086
		bad "expected [ADDRESS:]PORT" $words
	done
	bad "blanks" http "80/a b"
	bad "blanks" http $'80/a\r\nX: y'
	bad "expected tcp or http" udp 80
	bad "more than an hour" --timeout 3601 tcp 80
	tote kill "$ID" KILL
	eventually bad "is not running" tcp 80
}

@test "it takes no lock" {
	serving 'ip link set lo up; nc -ll -p 9000 -e cat & exec sleep 1000'
	eventually answers 9000
	exec 8<"$ROOT/$ID"
	flock -n 8
	run timeout 20 "$TOTE" --root "$ROOT" probe "$ID" tcp 9000 8<&-
	exec 8<&-
	[ "$status" -eq 0 ]
}

# SPDX-License-Identifier: Apache-2.0
# Messages: --log in both formats, the words that clients look for, --version and --help.
bats_require_minimum_version 1.5.0
load helpers

setup() {
	make_bundle
	LOG=$BATS_TEST_TMPDIR/tote.log
}

teardown() {
	clean_up
}

# Every line of the log is one object with exactly these members, of these kinds.
valid_json_log() {
	[ -s "$LOG" ]
	iconv -f UTF-8 -t UTF-8 "$LOG" >/dev/null
	while IFS= read -r line; do
		[ "$(jq -c 'keys' <<<"$line")" = '["level","msg","time"]' ]
		[ "$(jq -r '[.level, .msg, .time] | all(type == "string")' <<<"$line")" = true ]
		[[ $(jq -r .level <<<"$line") =~ ^(error|warning|debug)$ ]]
		# RFC 3339
		[[ $(jq -r .time <<<"$line") =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$ ]]
		date -d "$(jq -r .time <<<"$line")" >/dev/null
	done <"$LOG"
}

# As go-runc and conmon do: the msg of the last line whose level is error.
last_error() {
	jq -r 'select(.level == "error") | .msg' "$LOG" | tail -n 1
}

@test "json: one object a line, and the same on stderr" {
	run -1 --separate-stderr tote --log "$LOG" --log-format json state nobody
	valid_json_log
	[ "$(wc -l <"$LOG")" = 1 ]
	[[ $(last_error) == *'container does not exist'* ]]
	[[ $stderr == *"$(last_error)"* ]]
	[ -z "$output" ]
}

@test "json: lines are appended, by many at once" {
	echo '{"level":"error","msg":"older","time":"2020-01-01T00:00:00Z"}' >"$LOG"
	for i in $(seq 20); do
		tote --log "$LOG" --log-format json state "nobody$i" 2>/dev/null 3>&- &
	done
	wait
	valid_json_log
	[ "$(wc -l <"$LOG")" = 21 ]
	[ "$(head -n 1 "$LOG" | jq -r .msg)" = older ]
	for i in $(seq 20); do grep -q "nobody$i\\\\\"" "$LOG"; done
}

@test "json: whatever is in a message" {
	for id in $'new\nline' 'quote"back\slash' $'\x01\x1b[31mred' $'bad\xffutf8' "$(printf 'ä%.0s' {1..100})" "$(printf 'ä%.0s' {1..2000})"; do
		run -1 tote --log "$LOG" --log-format json state "$id"
		command_is "/$id"
		run -1 tote --log "$LOG" --log-format json create "$ID"
	done
	valid_json_log
	[ "$(wc -l <"$LOG")" = 12 ]
}

@test "stderr: no control characters get through to the terminal" {
	run -1 --separate-stderr tote state $'\x1b[31mred\nline\x07'
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == *red*line* ]]
	[[ $stderr != *$'\x1b'* && $stderr != *$'\x07'* ]]
}

@test "json: warnings have their level, and the error comes last" {
	config '.process.capabilities.bounding += ["CAP_TIME_TRAVEL"]'
	command_is true
	run -0 tote --log "$LOG" --log-format json run "$ID"
	valid_json_log
	[ "$(jq -r .level "$LOG")" = warning ]
	[[ $(jq -r .msg "$LOG") == *CAP_TIME_TRAVEL* ]]
	: >"$LOG"
	run -0 tote --log "$LOG" --log-format json --log-level error run "$ID"
	[ ! -s "$LOG" ]
	command_is no-such-program
	run -1 tote --log "$LOG" --log-format json run "$ID"
	[ "$(tail -n 1 "$LOG" | jq -r .level)" = error ]
}

@test "with a log, stderr has errors only: at create it is the container's own" {
	config '.process.capabilities.bounding += ["CAP_TIME_TRAVEL"]'
	command_is sh -c 'echo mine >&2'
	run -0 --separate-stderr tote --log "$LOG" --log-format json --debug run "$ID"
	[ "$stderr" = mine ]
	valid_json_log
	jq -r .level "$LOG" | grep -q warning
	jq -r .level "$LOG" | grep -q debug
	command_is no-such-program
	run -1 --separate-stderr tote --log "$LOG" --log-format json --debug create "$ID"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ $stderr == "tote: "*"executable file not found"* ]]
}

@test "text: one line, with time and level; text is the default" {
	run -1 tote --log "$LOG" --log-format text state nobody
	run -1 tote --log="$LOG" state nobody
	[ "$(wc -l <"$LOG")" = 2 ]
	[ "$(grep -c 'error.*container does not exist' "$LOG")" = 2 ]
	grep -Eq '[0-9]{4}-[0-9]{2}-[0-9]{2}T' "$LOG"
}

@test "the log may be relative, and success leaves it empty" {
	command_is true
	cd "$BATS_TEST_TMPDIR"
	run -1 tote --log rel.log --log-format=json state nobody
	[ -s rel.log ]
	run -0 --separate-stderr tote --log "$LOG" --log-format json run -b "$BUNDLE" "$ID"
	[ ! -s "$LOG" ] && [ -z "$stderr$output" ]
}

@test "the log is not readable by others, and never leaks into the container" {
	umask 0
	command_is ls /proc/self/fd
	run -0 tote --log "$LOG" --log-format json run "$ID"
	[ "$output" = $'0\n1\n2\n3' ]
	[ "$(stat -c %a "$LOG")" = 600 ]
}

@test "--log-format: anything else is refused" {
	for format in yaml JSON '' xml; do
		refuses 1 "--log-format" --log-format "$format" list
	done
	refuses 1 "requires an argument" --log-format
}

@test "the words that clients look for" {
	command_is sleep 1000
	refuses 1 "container does not exist" state nobody
	refuses 1 "container does not exist" delete nobody
	refuses 1 "container does not exist" kill nobody 9
	refuses 255 "container does not exist" exec nobody true
	quietly tote create "$ID"
	refuses 1 "container with given ID already exists" create "$ID"
	refuses 255 "executable file not found in" exec "$ID" nothing
	refuses 255 "executable file not found in" exec "$ID" ""
	tote kill "$ID" 9
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	refuses 1 "container not running" kill "$ID" 9
	refuses 1 "container not running" start "$ID"
	refuses 255 "container not running" exec "$ID" true
	refuses 1 "container not running" pause "$ID"
}

@test "podman's exit codes 126 and 127 from the log" {
	for case in ':executable file not found in' '/etc/passwd:permission denied|operation not permitted' '/nothing:executable file not found in|no such file or directory|open executable' \
		'nothing:executable file not found in|no such file or directory|open executable'; do
		: >"$LOG"
		command_is "${case%%:*}"
		run -1 tote --log "$LOG" --log-format json create "$ID"
		last_error | grep -iE "${case#*:}"
	done
}

@test "--version" {
	for option in --version -v; do
		run -0 --separate-stderr "$TOTE" $option
		[ -z "$stderr" ]
		[[ ${lines[0]} =~ ^"tote version "[0-9]+\.[0-9]+ ]]
		[[ ${lines[1]} =~ ^"commit: ". ]]
		[ "${lines[2]}" = "spec: 1.3.0" ]
		[[ $output == *libseccomp*yajl* ]]
	done
}

@test "--help, of the program and of every command" {
	for option in --help -h; do
		run -0 --separate-stderr "$TOTE" $option
		[ -z "$stderr" ]
		for command in create run start state kill delete exec list ps pause resume update events spec features plan doctor; do
			grep -Eq "^ +$command +[a-z]" <<<"$output"
		done
		for flag in --root --log --log-format --log-level --debug --systemd-cgroup --cgroup-manager --rootless --criu --version --help; do
			grep -q -- "$flag" <<<"$output"
		done
	done
	for command in create run start state kill delete exec list ps pause resume update events spec features plan doctor; do
		run -0 --separate-stderr "$TOTE" $command --help
		[ -z "$stderr" ]
		[[ ${lines[0]} == "usage: tote $command"* ]]
		run -0 "$TOTE" $command -h
	done
}

@test "every flag of the contract is known" {
	known() {
		local command=$1 flag
		shift
		run -0 "$TOTE" $command --help
		for flag; do
			grep -qE -- "(^|[ ,])$flag([ ,]|\$)" <<<"$output" || { echo "$command: $flag is missing"; return 1; }
		done
	}
	known create -b --bundle -f --config --console-socket --pid-file --pidfd-socket --no-pivot --no-new-keyring --preserve-fds --no-subreaper
	known run -b --bundle -f --config --console-socket --pid-file --pidfd-socket --no-pivot --no-new-keyring --preserve-fds --no-subreaper -d --detach --keep
	known kill -a --all -r --regex
	known delete -f --force -r --regex
	known exec -p --process -d --detach -t --tty -u --user -e --env -c --cap --cwd --pid-file --pidfd-socket --console-socket \
		--process-label --apparmor --no-new-privs --preserve-fds --cgroup -g --additional-gids --ignore-paused
	known list -f --format -q --quiet
	known ps -f --format
	known update -r --resources --blkio-weight --cpu-period --cpu-quota --cpu-burst --cpu-share --cpu-rt-period --cpu-rt-runtime \
		--cpu-idle --cpuset-cpus --cpuset-mems --memory --memory-reservation --memory-swap --pids-limit --kernel-memory \
		--kernel-memory-tcp --l3-cache-schema --mem-bw-schema
	known events --stats --interval
	known spec -b --bundle -f --file --rootless
}

@test "features: one JSON document, and silence on stderr" {
	run -0 --separate-stderr "$TOTE" features
	[ -z "$stderr" ]
	[ "$(jq -r .ociVersionMin <<<"$output")" = 1.0.0 ]
	[[ $(jq -r .ociVersionMax <<<"$output") == 1.3* ]]
	[ "$(jq -r '.linux.cgroup.v2' <<<"$output")" = true ]
	[ "$(jq -c '.hooks | sort' <<<"$output")" = '["createContainer","createRuntime","poststart","poststop","prestart","startContainer"]' ]
	[ "$(jq '.linux.namespaces | length' <<<"$output")" = 8 ]
}

@test "plan: words, and nothing happens" {
	command_is sleep 1000
	config '.mounts += [{"destination": "/data", "source": "/usr", "options": ["rbind", "ro"]}]'
	run -0 --separate-stderr tote plan "$BUNDLE"
	[ -z "$stderr" ]
	[[ $output == *"bind /usr on /data"* && $output == *sleep* ]]
	[ ! -e "$ROOT" ]
	nothing_left
}

@test "--debug, the log levels and the other global options change nothing of the program" {
	command_is echo fine
	for options in --debug "--log-level debug" "--log-level warning" "--log-level=error" "--criu /bin/criu" "--rootless=auto" \
		"--rootless false" "--cgroup-manager cgroupfs"; do
		run -0 --separate-stderr tote $options run "$ID"
		[ "$output" = fine ]
	done
}

@test "--cgroup-manager disabled makes no group" {
	command_is sleep 1000
	quietly tote --cgroup-manager disabled run -d "$ID"
	[ ! -e "$(cgroup2_mount)/tote-$ID" ]
	[ "$(status_of "$ID")" = running ]
	refuses 1 "cgroup" pause "$ID"
	tote kill "$ID" 9
	eventually eval '[ "$(status_of "$ID")" = stopped ]'
	tote delete "$ID"
	nothing_left
	config '.linux.resources.pids.limit = 5'
	refuses 1 "cgroup" --cgroup-manager disabled create "$ID"
	nothing_left
}

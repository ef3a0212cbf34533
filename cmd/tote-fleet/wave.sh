# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# One wave: its stores are changed by GNU parallel, which has the list, the joblog and the limit of failures.
#
# Two traps of parallel's. --resume-failed takes a job for done when any line of it in the joblog is good, not the last one; and
# it counts jobs by their place in the list. So the joblog is written anew from what the stores have answered before each pass:
# a line for each store that is done, none for others. It cannot disagree with status/ then, whatever was killed in between.

# fd to wait on without a fork.
exec {IDLE}<> <(:)
INTERRUPTED=0

# The stores of a wave that can be called now: "store <tab> boxes <tab> until". Done ones are among them, as parallel counts.
wave_input() { # WAVE MODE FILE
	windows_table "$WORK/windows" &&
		awk -F '\t' -v OFS='\t' -v mode="$2" '
			NR == FNR { until[$1] = $2; next }
			$4 != "ssh" { next }
			mode != "apply" { if ($3 == "ok") print $2, $6, "-"; next }
			$3 == "ok" { print $2, $6, "-"; next }
			until[$5] != "0" { print $2, $6, until[$5] }' "$WORK/windows" "$WORK/table" >"$3"
}

# parallel writes a line when a job has ended. Torn or doubled lines, and those of stores that are not done, go.
wave_mend_joblog() { # INPUT JOBLOG
	touch "$2" && awk -F '\t' -v OFS='\t' '
		FILENAME == ARGV[1] { if ($3 == "ok") ok[$2] = 1; next }
		FILENAME == ARGV[2] { store[++n] = $1; next }
		FNR > 1 && NF == 9 && $7 == 0 && $8 == 0 { split($9, word, " "); line[word[4]] = $0 }
		END {
			print "Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command"
			for (i = 1; i <= n; i++) {
				if (!(store[i] in ok)) continue
				if (store[i] in line) { sub(/^[0-9]+/, i, line[store[i]]); print line[store[i]] }
				else print i, ":", "0.000", "0.000", 0, 0, 0, 0, "set -- apply " store[i]
			}
		}' "$WORK/table" "$1" "$2" | replace_file "$2"
}

# Runs MODE at all stores of INPUT. What became of them is in status/.
wave_parallel() { # WAVE MODE INPUT JOBLOG [QUIET]
	local pid out=1 jobs=${WAVE[$1 parallel]} stores
	mapfile -t stores <"$3"
	# Parallel tries at its start how many processes it can have.
	[ ${#stores[@]} -ge "$jobs" ] || jobs=${#stores[@]}
	rm -f "$ROLLOUT/stop" "$ROLLOUT/unreachable"
	export FLEET_DRIVER=$$ FLEET_DIR=$FLEET FLEET_ROLLOUT=$ROLLOUT FLEET_RELEASE=$RELEASE FLEET_PARTS=$PARTS
	export FLEET_RETRY="${OPT[retry]:+--retry}"
	export FLEET_TIMEOUT=${WAVE[$1 timeout]} FLEET_SEND_TIMEOUT=${WAVE[$1 send-timeout]} FLEET_QUIET=${5:-${OPT[quiet]:-0}}
	export FLEET_BUSY_TRIES=${TOTE_FLEET_BUSY_TRIES:-5} FLEET_BUSY_PAUSE=${TOTE_FLEET_BUSY_PAUSE:-10}
	export FLEET_SSH=${TOTE_FLEET_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ServerAliveCountMax=4}
	[ "$FORMAT" = text ] || out=2 FLEET_QUIET=1
	# Away from the terminal's ^C: it would kill stores' calls. Settings of the person who calls have no say.
	# The job is read by the shell that parallel starts anyway: one program less to start.
	# shellcheck disable=SC2016 # the variables are for the job's shell
	env -u PARALLEL PARALLEL_HOME="$ROLLOUT/.parallel" PARALLEL_SHELL=/bin/sh setsid setpriv --pdeathsig HUP \
		"$PARTS/parallel-guard" --will-cite -u -j "$jobs" --colsep '\t' --joblog "$4" --resume-failed --halt "soon,fail=$((LIMIT_FAIL + 1))" \
		-a "$3" "set -- $2"' {1} {2} {3}; . "$FLEET_PARTS"/store-job' </dev/null 1>&"$out" 2>"$ROLLOUT/parallel.log" &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		! wave_should_stop || kill -HUP "$pid" 2>/dev/null || true
		read -rt 0.2 -u "$IDLE" || true
	done
	wait "$pid" || true
	rm -f "$ROLLOUT/stop"
}

wave_should_stop() {
	local n
	[ $INTERRUPTED = 0 ] && rollout_flags || return 0
	[ "$LIMIT_UNREACHABLE" -lt "$WAVE_SIZE" ] && [ -e "$ROLLOUT/unreachable" ] || return 1
	mapfile -t n <"$ROLLOUT/unreachable"
	[ ${#n[@]} -gt "$LIMIT_UNREACHABLE" ] && : >"$ROLLOUT/stop"
}

# One pass over a wave, and what is to be said of it: 0 go on, 3 halted, 5 paused, 6 aborted, 1 error; UNFINISHED while stores wait.
wave_pass() { # WAVE
	local input=$ROLLOUT/waves/$1.input
	answers_table "$1" && wave_input "$1" apply "$input" && wave_mend_joblog "$input" "$ROLLOUT/$1.joblog" || return
	wave_pull "$1" || return
	[ ! -s "$input" ] || wave_parallel "$1" apply "$input" "$ROLLOUT/$1.joblog"
	wave_judge "$1" || return
	wave_reached "$1" "$input"
}

wave_judge() { # WAVE
	answers_table "$1" && answers_count "$1" || return
	if [ "${COUNT[failed]}" -gt "$LIMIT_FAIL" ]; then
		fail gate "halted: wave $1 has ${COUNT[failed]} failed stores of $WAVE_SIZE, $LIMIT_FAIL are allowed" || return
	elif [ "${COUNT[unreachable]}" -gt "$LIMIT_UNREACHABLE" ]; then
		fail gate "halted: wave $1 has ${COUNT[unreachable]} unreachable stores of $WAVE_SIZE, $LIMIT_UNREACHABLE are allowed" || return
	fi
	wave_may_go_on || return
	[ $INTERRUPTED = 0 ] || fail error "interrupted; \"tote-fleet run --rollout $ROLLOUT_ID\" goes on"
}

# What a pause can stop is stores that wait: where none does, this wave is through, and the next one does not begin.
wave_may_go_on() {
	[ "${COUNT[open]}" = 0 ] && [ ! -e "$ROLLOUT/aborted" ] || wave_flag
}

wave_flag() {
	local code=0
	rollout_flags || code=$?
	[ "$code" = 0 ] || wave_say_flag "$code"
	return "$code"
}

wave_say_flag() { # CODE
	local file=paused words
	[ "$1" = "$PAUSED" ] || file=aborted
	words=$(cat "$ROLLOUT/$file")
	WHY="rollout $ROLLOUT_ID is $file${words:+, $words}"
	say "$WHY"
}

# Every store that could be called was called, and somebody was there. A store that was not called has no answer of now: parallel
# has died, or the disk is full.
wave_reached() { # WAVE INPUT
	local left
	left=$(awk -F '\t' 'NR == FNR { called[$1] = $3; next }
		$1 != "" && $3 == "not-yet" && $2 in called && called[$2] == "-" { n++ } END { print n + 0 }' \
		"$2" "$WORK/table")
	[ "$left" = 0 ] || fail error "$left stores of wave $1 were not called: $(tail -n 1 "$ROLLOUT/parallel.log")" || return
	[ "${COUNT[open]}" = 0 ] || return "$UNFINISHED"
}

# Passes until nothing waits, or as long as --wait says.
wave_run() { # WAVE
	local deadline code=0
	wave_limits "$1"
	deadline=$((SECONDS + WAIT))
	while :; do
		code=0
		wave_pass "$1" || code=$?
		[ "$code" = "$UNFINISHED" ] && ((SECONDS < deadline)) || break
		read -rt "${TOTE_FLEET_POLL:-20}" -u "$IDLE" || true
	done
	if [ "$code" = "$UNFINISHED" ]; then
		fail absent "wave $1: ${COUNT[open]} stores are outside of their window or have not reported; run it again later" || return
	fi
	[ $code = 0 ] || return "$code"
	# Nobody who could tell has said that the release is good.
	[ "${COUNT[ok]}" -gt 0 ] || [ "${COUNT[by-hand]}" = "${COUNT[all]}" ] ||
		fail absent "wave $1: no store has the release yet, so the next wave does not begin"
}

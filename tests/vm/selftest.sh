#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# That tests/vm/run is honest: what fails in the virtual machine fails outside, and whatever happens to it, it ends and leaves
# nothing. First the reader of results alone, then whole machines.
here=$(dirname "$(realpath "$0")")
cd "$here/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP
n=0 failures=0

check() { # NAME COMMAND...
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/out"
		failures=$((failures + 1))
	fi
}

# What the reader says of a stream, with \1 for the runner's mark: the exit code in $code, the rest in $dir/out.
tap() { # STREAM FILE...
	stream=$1
	shift
	code=0
	# shellcheck disable=SC2059 # the stream is written as a format
	printf "$stream" | tests/vm/tap "$@" >"$dir/out" || code=$?
}
says() { # CODE LINE...
	[ "$code" -eq "$1" ] || { echo "# exit code $code, not $1"; return 1; }
	shift
	printf '%s\n' "$@" | cmp -s - "$dir/out"
}

tap '\1begin a\n1..2\nok 1 one\nok 2 - two # skip why\n\1end 0\n\1begin b\nok 1 three\n1..1\n\1end 0\n\1done\n' a b
check "tests of two files are one stream" says 0 'ok 1 a: one' 'ok 2 a: two # skip why' 'ok 3 b: three' '1..3'
tap '\1begin a\n1..2\nnot ok 1 one\n# because\nnoise\nok 2 two\n\1end 1\n\1done\n' a
check "a failure is one, its diagnostics stay" says 1 'not ok 1 a: one' '# because' '# noise' 'ok 2 a: two' '1..2'
tap '\1begin a\n1..2\nok 1 one\n\1end 0\n\1done\n' a
check "fewer tests than planned" says 1 'ok 1 a: one' 'not ok 2 a: 1 of 2 tests ran (exit code 0)' '1..2'
tap '\1begin a\n1..1\nok 1 one\nok 2 two\n\1end 0\n\1done\n' a
check "more tests than planned" says 1 'ok 1 a: one' 'ok 2 a: two' 'not ok 3 a: 2 of 1 tests ran (exit code 0)' '1..3'
tap '\1begin a\nok 1 one\n\1end 0\n\1done\n' a
check "no plan" says 1 'ok 1 a: one' 'not ok 2 a: no test plan (exit code 0)' '1..2'
tap '\1begin a\n1..1\nok 1 one\n\1end 139\n\1done\n' a
check "a bad exit code" says 1 'ok 1 a: one' 'not ok 2 a: exit code 139' '1..2'
tap '\1begin a\n1..0 # skip no disk\n\1end 0\n\1begin b\n1..0\n\1end 0\n\1done\n' a b
check "no tests: skipped with a reason only" says 1 'ok 1 a # skip no disk' 'not ok 2 b: no tests' '1..2'
tap '\1begin a\n1..2\nok 1 one\nok' a b
check "a stream that breaks off" says 1 'ok 1 a: one' 'ok 2 a: ' 'not ok 3 a: the virtual machine ended while it ran' \
	'not ok 4 b: not run, as the virtual machine ended before' '1..4'
tap '' a
check "no stream" says 1 'not ok 1 a: not run, as the virtual machine ended before' '1..1'
tap '\1begin a\n1..1\nok 1 one\n\1end 0\n' a
check "a stream without its end" says 1 'ok 1 a: one' '1..1'

[ "$(id -u)" = 0 ] || { echo "1..$n"; exit 1; }

file() { # NAME: from stdin
	cat >"$dir/$1"
	chmod +x "$dir/$1"
}
file good.bats <<'END'
@test "a pure v2 tree" { [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; }
@test "all controllers" { [ "$(cat /sys/fs/cgroup/cgroup.controllers)" = "cpuset cpu io memory hugetlb pids rdma misc" ]; }
END
file bad.bats <<'END'
@test "false" { false; }
END
file early.sh <<'END'
echo 1..2; echo ok 1 first; exit 0
END
file panic.sh <<'END'
echo 1..2; echo ok 1 first; sleep 3; echo c >/proc/sysrq-trigger; sleep 100
END
file hang.sh <<'END'
echo 1..1; sleep 1000
END

vm() { # ARGUMENT...
	code=0
	began=$(date +%s)
	tests/vm/run "$@" >"$dir/out" 2>"$dir/err" || code=$?
	took=$(($(date +%s) - began))
}
# Lines of the output, in order, whatever is between.
has() { # CODE LINE...
	[ "$code" -eq "$1" ] || { echo "# exit code $code, not $1"; return 1; }
	shift
	for line; do
		grep -qxF "$line" "$dir/out" || { echo "# missing: $line"; return 1; }
	done
}

# Starts a machine, ends tests/vm/run with a signal while it boots: ends the machine, too. $job is its directory.
interrupted_by() { # SIGNAL
	tests/vm/run -- sleep 100 >"$dir/out" 2>&1 &
	run=$! qemu='' tries=0
	until [ -n "$qemu" ] || [ $((tries += 1)) -gt 300 ]; do
		sleep 0.1
		children=$(pgrep -d , -P "$run") && qemu=$(pgrep -P "$children" qemu)
	done
	[ -n "$qemu" ] || { echo "# no qemu"; return 1; }
	job=$(tr '\0' '\n' <"/proc/$qemu/cmdline" | sed -n 's|^file=\(.*\)/disk.img,.*|\1|p')
	[ -d "$job" ] || { echo "# no directory"; return 1; }
	kill -"$1" "$run"
	wait "$run" 2>/dev/null
	tries=0
	while [ -e "/proc/$qemu" ] && [ $((tries += 1)) -lt 200 ]; do sleep 0.1; done
	[ ! -e "/proc/$qemu" ]
}

vm "$dir/good.bats" "$dir/bad.bats" "$dir/early.sh" "$dir/panic.sh" "$dir/good.bats"
check "good, bad and unfinished files, and a panic" has 125 \
	"ok 1 $dir/good.bats: a pure v2 tree" "ok 2 $dir/good.bats: all controllers" "not ok 3 $dir/bad.bats: false" \
	"ok 4 $dir/early.sh: first" "not ok 5 $dir/early.sh: 1 of 2 tests ran (exit code 0)" "ok 6 $dir/panic.sh: first" \
	"not ok 7 $dir/panic.sh: the virtual machine ended while it ran" \
	"not ok 8 $dir/good.bats: not run, as the virtual machine ended before" "1..8"
check "the panic is shown" grep -q '^# .*sysrq triggered crash' "$dir/out"
# Boots in no more than what all of that took, however slow the host.
limit=$((took + 5))
vm --timeout $limit "$dir/hang.sh"
check "a machine that hangs is killed" has 125 "1..1" "Bail out! the virtual machine was killed after $limit s"
check "soon" [ "$took" -lt $((limit + limit + 20)) ]
vm -- sh -c 'echo out; echo err >&2; exit 7'
check "a command's output and exit code" says 7 out
check "its stderr is apart" grep -qx err "$dir/err"
check "ended by TERM: no machine is left" interrupted_by TERM
check "and no directory" [ ! -e "$job" ]
check "ended by KILL: no machine is left" interrupted_by KILL
rm -rf "${job:?}"

echo "1..$n"
[ "$failures" -eq 0 ]

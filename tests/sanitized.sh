#!/bin/sh
# The command-line tests once more with a tote built with ASan and UBSan. TAP: one test a file.
# Leaks are not looked for: a command ends right after its work, and the kernel frees.
build=${BUILD:-build}
export TOTE="$PWD/$build/san/tote" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1
n=0 code=0
for f in tests/cli/lifecycle.bats tests/cli/bad_input.bats tests/cli/exec.bats tests/cli/mounts.bats \
	tests/cli/events.bats tests/cli/stats.bats tests/cli/metrics.bats; do
	[ -e "$f" ] || continue
	n=$((n + 1))
	log=$(mktemp)
	if bats --tap "$f" >"$log" 2>&1; then
		echo "ok $n - $f under ASan and UBSan"
	else
		echo "not ok $n - $f under ASan and UBSan"
		grep -A 20 '^not ok' "$log" | sed 's/^/# /'
		code=1
	fi
	rm -f "$log"
done
echo "1..$n"
exit $code

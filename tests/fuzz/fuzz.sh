#!/bin/sh
# Every fuzzer for FUZZ_SECONDS (default 3). TAP.
seconds=${FUZZ_SECONDS:-3}
set -- "${BUILD:-build}"/tests/fuzz/fuzz_*
n=0 code=0
for f in "$@"; do
	[ -x "$f" ] || continue
	case $f in *.d) continue ;; esac
	n=$((n + 1))
	log=$(mktemp)
	if "$f" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -artifact_prefix="${BUILD:-build}/" >"$log" 2>&1; then
		echo "ok $n - ${f##*/} for $seconds s"
	else
		echo "not ok $n - ${f##*/}"
		tail -n 40 "$log" | sed 's/^/# /'
		code=1
	fi
	rm -f "$log"
done
echo "1..$n"
exit $code

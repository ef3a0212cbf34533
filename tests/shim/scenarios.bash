# SPDX-License-Identifier: Apache-2.0
# For X.bats and X_vm.bats, whose tests are the scenarios of test_X.py: see harness.py.
#
#   load scenarios
#   @test "a whole life" { scenario whole_life; }
#   @test "all scenarios are here" { all_here; }

load ../bats

: "${TOTE:=$BATS_TEST_DIRNAME/../../build/tote}"
export TOTE=$(realpath "$TOTE")

scenarios_file() {
	local name
	name=$(basename "$BATS_TEST_FILENAME" .bats)
	echo "$BATS_TEST_DIRNAME/test_${name%_vm}.py"
}

# SCENARIO_LIMIT as in harness.py. Debian's own python has protobuf, others that come first in PATH may not.
scenario() { # NAME
	local out=$BATS_TEST_TMPDIR/out code=0
	[ "$(id -u)" = 0 ] || skip "needs root"
	timeout -k 5 $((${SCENARIO_LIMIT:-150} + 10)) /usr/bin/python3 "$(scenarios_file)" "$1" >"$out" 2>&1 3>&- </dev/null || code=$?
	[ $code != 77 ] || skip "$(sed -n 's/^SKIP //p' "$out")"
	cat "$out"
	return $code
}

all_here() {
	diff <(/usr/bin/python3 "$(scenarios_file)" --list | sort) \
		<(sed -n 's/^@test ".*" { scenario \([a-z0-9_]*\); }$/\1/p' "$BATS_TEST_FILENAME" | sort)
}

# SPDX-License-Identifier: Apache-2.0
# A containerd that is away for OUTAGE seconds, by hand some hundreds: see test_outage.py.
bats_require_minimum_version 1.5.0
load scenarios

setup_file() {
	export SCENARIO_LIMIT=$((${OUTAGE:-8} + 90))
}

@test "long outage" { scenario long_outage; }
@test "all scenarios are here" { all_here; }

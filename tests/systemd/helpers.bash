# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of the systemd cgroup manager. They need systemd as process 1: tests/vm/run --systemd FILE.

load ../cli/helpers

needs_systemd() {
	[ -d /run/systemd/system ] || skip "needs systemd as process 1 (tests/vm/run --systemd)"
}

# As in ../cli, for at least 20 s: the machine may be an emulated one on a busy host.
eventually() {
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

# What systemd knows of the container's unit: "NAME=VALUE", sorted, on one line.
shown() {
	systemctl ${USER_BUS:+--user} show "$UNIT" -p "$1" | sort | tr '\n' ' '
}

# The unit is gone, failed ones too, and what was written for it.
no_unit() {
	local left
	left=$(systemctl ${USER_BUS:+--user} list-units --all --no-legend --plain "${1:-$UNIT}")
	[ -z "$left" ] || { echo "left: $left"; return 1; }
	[ ! -e "/run/systemd/transient/${1:-$UNIT}" ] || { echo "left: the unit's file"; return 1; }
	[ ! -e "/run/systemd/transient/${1:-$UNIT}.d" ] || { echo "left: properties of the unit"; return 1; }
}

# SPDX-License-Identifier: Apache-2.0
# What compare*.bats share. All rows that a file has tests for run beforehand, several at a time; each test judges its own.

rows_of() { # FILE
	sed -n 's/^@test .*{ row \([a-z0-9-]*\); }$/\1/p' "$1"
}

lacking() {
	[ "$(id -u)" = 0 ] || { echo "needs root"; return 0; }
	unshare -nm true 2>/dev/null || { echo "cannot make namespaces"; return 0; }
	[ -x /usr/lib/cni/bridge ] || { echo "Debian's containernetworking-plugins are not installed"; return 0; }
	command -v tc >/dev/null || { echo "tc is not installed"; return 0; }
	return 1
}

setup_file() {
	export SAID=$BATS_FILE_TMPDIR/said
	mkdir "$SAID"
	! lacking >/dev/null || return 0
	# shellcheck disable=SC2046 # names
	timeout -k 5 900 python3 "$BATS_TEST_DIRNAME/compare.py" --into "$SAID" $(rows_of "$BATS_TEST_FILENAME") || true
}

setup() {
	local why
	! why=$(lacking) || skip "$why"
}

row() {
	[ -s "$SAID/$1" ] || { echo "nothing is said of $1"; return 1; }
	local said
	said=$(<"$SAID/$1")
	echo "$said"
	[[ $said != "skip "* ]] || skip "${said#*: }"
	[ "$said" = "ok $1" ]
}

each_has_its_test() { # FILE...: rows on stdin
	local row lost=
	while read -r row; do
		cat "$@" | grep -q "{ row $row; }" || lost+=" $row"
	done
	[ -z "$lost" ] || { echo "without a test:$lost"; return 1; }
}

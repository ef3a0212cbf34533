# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# Shared by the tests of tote-fleet: a headquarters in $FLEET, stores that are directories in $FAKE_STORES behind fake/ssh.
#
#   setup() { make_fleet 20; }          store0001 .. store0020, three boxes each

TESTS=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
FLEET_PROGRAM=$(realpath -- "$TESTS/../../cmd/tote-fleet/tote-fleet")
export TOTE=$TESTS/fake/tote
export FAKE_STORES TOTE_FLEET_SSH=$TESTS/fake/ssh TOTE_FLEET_BUSY_PAUSE=0.1 TOTE_FLEET_POLL=0.5

fleet() {
	timeout "${LIMIT:-120}" "$FLEET_PROGRAM" --dir "$FLEET" "$@"
}

make_fleet() { # COUNT [DIR]
	local base=${2:-$BATS_TEST_TMPDIR} i name group=lab dirs=()
	FLEET=$base/hq FAKE_STORES=$base/stores
	for ((i = 1; i <= $1; i++)); do
		printf -v name 'store%04d' "$i"
		((i <= 3)) || group=-
		printf '%s\t%s-1,%s-2,%s-3\tssh\t%s\t-\n' "$name" "$name" "$name" "$name" "$group"
		dirs+=("$FAKE_STORES/$name")
	done >"$base/stores.tsv"
	mkdir -p "$FLEET/releases" "${dirs[@]}"
	mv "$base/stores.tsv" "$FLEET/stores.tsv"
	printf 'wave canary stores=@lab fail=0\nwave w1 percent=10 fail=2%% parallel=16\nwave rest percent=100 fail=5%% parallel=32\n' >"$FLEET/plan"
}

# A release that verifies as far as headquarters looks; sets R.
make_release() { # SERIAL [EXPIRES]
	local dir=$FLEET/releases/.new$1 sum
	[ -f "$FLEET/../key" ] || ssh-keygen -q -t ed25519 -N '' -C hq -f "$FLEET/../key"
	mkdir -p "$dir"
	printf 'services:\n  till:\n    image: pos:1\n    # %s\n' "$1" >"$dir/compose.yaml"
	sum=$(sha256sum <"$dir/compose.yaml")
	printf 'tote-release 1\nserial %d\nname pos\nproject pos\nexpires %s\ncompose sha256:%s\nimage pos:1@sha256:%064d\n' \
		"$1" "${2:-2099-01-01T00:00:00Z}" "${sum%% *}" 0 >"$dir/manifest"
	ssh-keygen -q -Y sign -f "$FLEET/../key" -n tote-release "$dir/manifest" 2>/dev/null
	sum=$(sha256sum <"$dir/manifest") R=${sum%% *}
	mv "$dir" "$FLEET/releases/$R"
}

inject() { # STORE MODE...
	echo "${*:2}" >"$FAKE_STORES/$1/mode"
}

# How many stores run the release; how many were ever changed.
running() { # RELEASE
	grep -lxF "$1" "$FAKE_STORES"/*/release 2>/dev/null | wc -l
}

touched() { # RELEASE
	grep -lxF "$1" "$FAKE_STORES"/*/changes 2>/dev/null | wc -l
}

has_touched() { # COUNT
	[ "$(touched "$R")" -ge "$1" ]
}

# Each store was switched to the release once at the most.
no_double() { # RELEASE
	[ -z "$(grep -cxF "$1" "$FAKE_STORES"/*/changes /dev/null | grep -v ':[01]$')" ]
}

eventually() { # COMMAND...
	local i
	for ((i = 0; i < 300; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	echo "never: $*" >&2
	return 1
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tests/run itself: what fails is a failure, what fails once is unsteady, chains run at the same time.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	cd "$BATS_TEST_TMPDIR"
	unset TIMEOUT LANES UNSTEADY TESTS_NETWORK
	write good 'echo ok 1 good; echo 1..1'
	write bad 'echo not ok 1 bad; echo "# because"; echo 1..1; exit 1'
	write once "echo 1..2; echo ok 1 one; if mkdir been; then echo not ok 2 two; exit 1; fi; echo ok 2 two"
}

write() { # NAME SCRIPT
	echo "$2" >"$1.sh"
}

runs() { # CODE ARGUMENT...
	local code=$1
	shift
	run timeout 60 "${RUNNER:-$BATS_TEST_DIRNAME/../run}" "$@" 3>&-
	echo "$output"
	[ "$status" -eq "$code" ]
}

last_is() { [ "${lines[-1]}" = "$1" ]; }

@test "what passes" {
	runs 0 good.sh good.sh
	last_is '2 passed, 0 failed, 0 skipped'
}

@test "what fails, fails once more, and is counted once" {
	runs 1 good.sh bad.sh
	last_is '1 passed, 1 failed, 0 skipped'
	[ "$(grep -c '^bad.sh .*<-- 1 failed' <<<"$output")" = 2 ]
	[[ $output = *$'\nfailed:\nbad.sh: 1 failed\n'*'# because'* ]]
}

@test "bad ends: no plan, a short plan, an exit code, a signal, a time-out, no file" {
	write none 'echo ok 1 x'
	write short 'echo 1..2; echo ok 1 x'
	write code 'echo 1..1; echo ok 1 x; exit 3'
	write killed 'echo 1..1; echo ok 1 x; kill -9 $$'
	write slow 'echo 1..1; echo ok 1 x; sleep 20'
	for one in none short code killed slow nothing; do
		TIMEOUT=$([ $one = slow ] && echo 4 || echo 30) runs 1 good.sh $one.sh
		[[ ${lines[-1]} = *', 1 failed, 0 skipped' ]]
	done
}

@test "what fails once is unsteady: told in full, no failure" {
	runs 0 once.sh good.sh
	last_is '3 passed, 0 failed, 0 skipped, 1 unsteady'
	[[ $output = *'unsteady: once.sh failed'*'ok 1 one'*'not ok 2 two'* ]]
}

@test "more than UNSTEADY of them are a failure" {
	UNSTEADY=0 runs 1 once.sh good.sh
	last_is '2 passed, 1 failed, 0 skipped'
	rmdir been
	cp once.sh twice.sh
	sed -i s/been/seen/ twice.sh
	UNSTEADY=1 runs 1 once.sh,twice.sh good.sh
	last_is '3 passed, 2 failed, 0 skipped'
	# None was run again.
	[ "$(grep -c '^once.sh ' <<<"$output")" = 1 ]
}

@test "one that fails beside one that is unsteady" {
	runs 1 once.sh,bad.sh
	last_is '2 passed, 1 failed, 0 skipped, 1 unsteady'
}

@test "skips: listed with their reasons, never passed" {
	write some 'echo 1..2; echo ok 1 x; echo "ok 2 y # skip no disk"'
	write all 'echo "1..0 # skip no root"'
	runs 0 some.sh all.sh
	last_is '1 passed, 0 failed, 2 skipped'
	[[ $output = *'some.sh: ok 2 y # skip no disk'* ]]
	runs 1 all.sh
}

@test "chains: LANES at the same time, each in its order, and all of them" {
	# Each waits for the other one.
	write a 'echo 1..1; echo a >>order; mkfifo a 2>/dev/null; mkfifo b 2>/dev/null; echo x >a; read -r x <b; echo ok 1 a'
	write b 'echo 1..1; echo b >>order; mkfifo a 2>/dev/null; mkfifo b 2>/dev/null; read -r x <a; echo x >b; echo ok 1 b'
	write c 'echo 1..1; echo c >>order; echo ok 1 c'
	write d 'echo 1..1; echo d >>order; echo ok 1 d'
	LANES=2 TIMEOUT=30 runs 0 a.sh+c.sh,b.sh,d.sh good.sh
	last_is '5 passed, 0 failed, 0 skipped'
	[ "$(sort order | tr -d '\n')" = abcd ]
	[ "$(grep -n a order | cut -d: -f1)" -lt "$(grep -n c order | cut -d: -f1)" ]
	[ "$(wc -l <order)" = 4 ]
	: >order
	LANES=1 runs 0 c.sh+d.sh,c.sh,d.sh
	[ "$(tr -d '\n' <order)" = cdcd ]
}

@test "a file has its own mounts, interfaces and ports; ../online is where the runner is" {
	unshare -n ip link add mine type bridge 2>/dev/null || skip "cannot make namespaces or bridges"
	# Nothing is made where it would be seen.
	write apart "echo 1..1; [ \$(readlink /proc/self/ns/net) != $(readlink /proc/self/ns/net) ] || exit 1
		[ \$(readlink /proc/self/ns/mnt) != $(readlink /proc/self/ns/mnt) ] || exit 1
		ip link add mine type bridge && mount -t tmpfs mine /mnt && ip link show lo | grep -q LOWER_UP || exit 1
		[ \$('$BATS_TEST_DIRNAME/../online' readlink /proc/self/ns/net) = $(readlink /proc/self/ns/net) ] && echo ok 1 apart"
	runs 0 apart.sh apart.sh
	run ! ip link show mine
	run ! grep ' /mnt .* mine ' /proc/self/mountinfo
}

@test "../bats.bash: a test that fails says where" {
	# What bats would take for a test here.
	sed 's/^T/@test/' >some.bats <<-END
	. "$BATS_TEST_DIRNAME/../bats.bash"
	helper() {
		[ "\$1" = good ]
		true
	}
	teardown() {
		[ "\$BATS_TEST_NUMBER" != 5 ]
	}
	T "in a helper" {
		helper good
		helper bad
		true
	}
	T "in a loop" {
		for i in 1 2; do
			[[ \$i = 1 ]]
			true
		done
	}
	T "return" {
		true
		helper good || return 1
		return 3
	}
	T "exit" {
		true
		exit 4
	}
	T "teardown" {
		true
	}
	T "good" {
		run false
		if [ 1 = 2 ]; then true; fi
		[ 1 = 2 ] || true
	}
	END
	run -1 bats --tap some.bats
	echo "$output"
	[ "$(grep -oE '^(not )?ok [0-9]|line [0-9]+' <<<"$output" | tr '\n' ' ')" = \
		"not ok 1 line 3 line 11 not ok 2 line 16 not ok 3 line 23 not ok 4 line 27 not ok 5 line 7 ok 6 " ]
}

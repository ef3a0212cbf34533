# SPDX-License-Identifier: Apache-2.0
# What makes tests by bats cheap; every file of them loads it, most through their helpers:
#
#   load ../bats
#
# bats 1.8 follows each command with a trap of fifty lines of shell, to know where a test failed: 0.4 ms, and 25 ms in the virtual
# machine. Since version 5 bash itself knows that in its trap for errors. What ends a test without an error (exit, return) is looked
# for in the test's own lines only. Other versions are left as they are.
# shellcheck disable=SC2034 # bats reads them
if [[ ${BATS_VERSION:-} = 1.8.* ]]; then
	set +T
	bats_debug_trap() {
		case ${FUNCNAME[1]} in
		bats_perform_test) declare -ft "$BATS_TEST_NAME" bats_teardown_trap teardown ;;
		# Line 1 is what bash says while it exits.
		"$BATS_TEST_NAME") [ "${BASH_LINENO[0]}" = 1 ] || BATS_DEBUG_LASTLAST_STACK_TRACE=("${BASH_LINENO[0]} $BATS_TEST_NAME $BATS_TEST_SOURCE") ;;
		# bats calls it where no error is trapped.
		teardown) [ -n "${BATS_DEBUG_LAST_STACK_TRACE_IS_VALID:-}" ] || BATS_DEBUG_LAST_STACK_TRACE=("${BASH_LINENO[0]} teardown $BATS_TEST_SOURCE") ;;
		esac
	}
	bats_error_trap() {
		bats_check_status_from_trap
		[ -z "${BATS_DEBUG_LAST_STACK_TRACE_IS_VALID:-}" ] && [ "${FUNCNAME[1]}" != bats_perform_test ] || return 0
		bats_capture_stack_trace
		BATS_DEBUG_LAST_STACK_TRACE_IS_VALID=1
	}
fi

# jq 1.6 compiles its library whenever it starts, for 30 ms. This one says the same in three, with the keys of objects in order. Who
# sources parts of programs that call jq, to test them, sets REAL_JQ first.
[ -n "${REAL_JQ:-}" ] || jq() { gojq "$@"; }

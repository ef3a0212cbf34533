# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# How tote-site and tote-fleet speak: messages, exit codes by name, the reason of the last failure, JSON by jq. Sourced first by
# both programs and their tests. SAY_NAME is the program's name in messages.
#
# A function that can fail says why on stderr, leaves the words in WHY and returns the code of its class. As errexit is off in
# "f || return" and in conditions, each call says itself what shall happen when it fails.

: "${SAY_NAME:=${0##*/}}"
WHY=
REPLY=

# The same for every verb of both programs (tote-site(8), EXIT STATUS).
declare -grA CODE=([good]=0 [error]=1 [usage]=2 [gate]=3 [refused]=4 [rolled-back]=5 [between]=6 [busy]=7 [absent]=8 [full]=9)

# Which Debian package has a program of another name.
declare -grA PACKAGE_OF=([ssh-keygen]=openssh-client [ssh]=openssh-client [flock]=util-linux [parallel]=parallel [clush]=clustershell)

say() {
	printf '%s: %s\n' "$SAY_NAME" "$*" >&2
}

fail() { # CLASS WORDS...
	WHY="${*:2}"
	say "$WHY"
	return "${CODE[$1]}"
}

die() { # CLASS WORDS...
	fail "$@" || exit
}

class_of() { # EXIT-CODE
	local name
	REPLY=error
	for name in "${!CODE[@]}"; do
		[ "${CODE[$name]}" != "$1" ] || REPLY=$name
	done
}

need() { # PROGRAM...
	local program
	for program; do
		command -v "$program" >/dev/null ||
			fail error "$program is not installed (Debian package ${PACKAGE_OF[$program]:-$program})" || return
	done
}

bounded() { # SECONDS COMMAND...
	timeout -k 5 "$@"
}

# Like httpie: "key=text" is a string, "key:=json" is taken as it is.
json_object() { # KEY=TEXT|KEY:=JSON...
	local word words=()
	! json_plain "$@" || return 0
	for word; do
		case ${word%%=*} in
		*:) words+=(--argjson "${word%%:=*}" "${word#*:=}") ;;
		*) words+=(--arg "${word%%=*}" "${word#*=}") ;;
		esac
	done
	# The order of the words is kept, as jq keeps that of named arguments.
	REPLY=$(jq -nc '$ARGS.named' "${words[@]}") || fail error "jq cannot write an answer"
}

# The same without jq, which takes longer to begin than all else that an entry of a log costs: where no character needs an escape
# and what is taken as it is is a number or a word. Sets REPLY, or fails.
json_plain() { # KEY=TEXT|KEY:=JSON...
	local word key value text=''
	for word; do
		key=${word%%=*} value=${word#*=}
		if [[ $key == *: ]]; then
			[[ $value =~ ^(0|[1-9][0-9]{0,14}|true|false|null)$ ]] || return
			key=${key%:}
		else
			[[ $value != *[!\ -~]* && $value != *[\"\\]* ]] || return
			value=\"$value\"
		fi
		[[ $key =~ ^[A-Za-z0-9_-]+$ && $text != *"\"$key\":"* ]] || return
		text+=",\"$key\":$value"
	done
	REPLY="{${text#,}}"
}

# Functions to call when the program ends, the last one first. They must not fail.
AT_EXIT=()
at_exit() { # FUNCTION
	AT_EXIT+=("$1")
	trap run_at_exit EXIT
}

run_at_exit() {
	local i
	for ((i = ${#AT_EXIT[@]} - 1; i >= 0; i--)); do
		"${AT_EXIT[i]}" || true
	done
}

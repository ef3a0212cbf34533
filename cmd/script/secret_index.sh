# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# The signed list of a store's secrets. Each secret is encrypted to the store's boxes, but anybody can encrypt to them: without
# a signature whoever holds the stick could change a password. Needs release.sh and what that needs.

readonly SECRETS_NAMESPACE=tote-secrets SECRETS_NAME='[A-Za-z0-9][A-Za-z0-9._-]{0,62}' SECRETS_MAX=$((1024 * 1024))
declare -gA SECRETS=()
SECRETS_SERIAL=0

# Signs DIR/*.age.
secrets_make() { # DIR KEY STORE SERIAL
	local file sum
	{
		printf 'tote-secrets 1\nstore %s\nserial %s\n' "$3" "$4"
		for file in "$1"/*.age; do
			[ -f "$file" ] || continue
			sum=$(sha256sum <"$file") && echo "secret ${file##*/} sha256:${sum%% *}"
		done
	} | replace_file "$1/index" || return
	secrets_read "$1/index" "$3" && signed_make "$1/index" "$2" "$SECRETS_NAMESPACE"
}

# Signature and syntax; the files themselves by secrets_verify_files.
secrets_verify() { # DIR SIGNERS STORE
	secrets_verify_index "$@" && secrets_verify_files "$1"
}

secrets_verify_index() { # DIR SIGNERS STORE
	text_check "$1/index" "$SECRETS_MAX" &&
		signed_check "$1/index" "$1/index.sig" "$2" "$SECRETS_NAMESPACE" &&
		secrets_read "$1/index" "$3"
}

# Sets SECRETS and SECRETS_SERIAL.
secrets_read() { # INDEX STORE
	local lines line
	SECRETS=()
	text_check "$1" "$SECRETS_MAX" || return
	mapfile -t lines <"$1"
	[ "${lines[0]}" = "tote-secrets 1" ] || fail refused "index:1: no list of secrets" || return
	[ "${lines[1]:-}" = "store $2" ] || fail refused "index:2: not for the store $2" || return
	[[ "${lines[2]:-}" =~ ^serial\ ([1-9][0-9]{0,14})$ ]] || fail refused "index:3: no good serial" || return
	SECRETS_SERIAL=${BASH_REMATCH[1]}
	for line in "${lines[@]:3}"; do
		[[ $line =~ ^secret\ ($SECRETS_NAME\.age)\ sha256:($RELEASE_HEX)$ ]] && [ -z "${SECRETS[${BASH_REMATCH[1]}]:-}" ] ||
			fail refused "index: no good line, or twice: ${line@Q}" || return
		SECRETS[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
	done
}

secrets_verify_files() { # DIR
	local name sum
	for name in "${!SECRETS[@]}"; do
		[ -f "$1/$name" ] && [ ! -L "$1/$name" ] || fail refused "$name: the secret is missing" || return
		sum=$(sha256sum <"$1/$name") && [ "${sum%% *}" = "${SECRETS[$name]}" ] ||
			fail refused "$name: the secret is not what the index says" || return
	done
}

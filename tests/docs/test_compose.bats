#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tote-compose(7) against the tables of keys that `tote up` reads Compose files by. Needs no root, and no program.

bats_require_minimum_version 1.5.0
load ../bats

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
	PAGE=$TOP/man/tote-compose.7.scd
}

# Keys of a table: struct read_key NAME[] of a file.
keys_of() {
	sed -n "/ $2\[\] = {/,/^};/p" "$TOP/cmd/tote-compose/$1" | grep -oE '^	\{ "[a-z_-]+"' | tr -d '	{ "'
}

section() { # TITLE
	awk -v title="# $1" '/^# / { on = $0 == title } on' "$PAGE"
}

# Terms of a section: lines above an indented text.
terms() {
	section "$1" | grep -oE '^\*[a-z_*, -]+$' | grep -oE '[a-z_-]+' | sort -u
}

@test "every key of a service has its place: done, or refused with the reason" {
	[ "$(keys_of model.c service_keys | wc -l)" -ge 90 ]
	diff <(keys_of model.c service_keys | grep -vx x-tote | sort) <({ terms "KEYS OF A SERVICE"; terms "REFUSED KEYS OF A SERVICE"; } | sort -u)
}

@test "refused keys are those that the program refuses" {
	refused=$(sed -n '/ service_keys\[\] = {/,/^};/p' "$TOP/cmd/tote-compose/model.c" | grep -oE '^	\{ "[a-z_]+", read_refuse' | grep -oE '"[a-z_]+"' | tr -d '"' | sort)
	[ "$(wc -w <<<"$refused")" -ge 20 ]
	diff <(echo "$refused") <(terms "REFUSED KEYS OF A SERVICE")
}

@test "every key of the file, and of everything below a service, is named" {
	keys=$(grep -hoE '^	\{ "[a-z_-]+", read_' "$TOP"/cmd/tote-compose/model*.c | cut -d'"' -f2 | sort -u)
	[ "$(wc -w <<<"$keys")" -ge 150 ]
	for key in $keys; do
		grep -qE "[*_]$key(:[^*_]*)?[*_]" "$PAGE" || { echo "tote-compose(7) does not name $key"; return 1; }
	done
}

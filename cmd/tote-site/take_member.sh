# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One file of the stream of `tote-site take`: tar executes this with its content on stdin, its name in TAR_REALNAME. Writes it
# below TAKE_DIR, when its name is one of those that a depot has. The first reason to refuse is left in TAKE_DIR/.why, as
# "CLASS WORDS", and then nothing is written any more.
set -euo pipefail
export LC_ALL=C
umask 077

readonly HEX='[0-9a-f]{64}' WORD='\.?[A-Za-z0-9_][A-Za-z0-9._@+=-]*' MEMBERS_MAX=10000
# Pattern, and how many bytes such a file may have.
readonly KNOWN=(
	"releases/$HEX/$WORD(/$WORD){0,15}" $((64 * 1024 * 1024))
	"images/$HEX\.tar" $((64 * 1024 * 1024 * 1024))
	"secrets/[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,66}" $((16 * 1024 * 1024))
)

refuse() { # CLASS WORDS...
	[ -s "$TAKE_DIR/.why" ] || echo "$*" >"$TAKE_DIR/.why"
	# tar goes on to the next member; its content is not read.
	exit 1
}

limit_of() { # NAME
	local i
	for ((i = 0; i < ${#KNOWN[@]}; i += 2)); do
		[[ $1 =~ ^${KNOWN[i]}$ ]] && LIMIT=${KNOWN[i + 1]} && return
	done
	refuse refused "${1@Q}: does not belong to a depot"
}

[ ! -s "$TAKE_DIR/.why" ] || exit 1
name=${TAR_REALNAME#./} file=$TAKE_DIR/${TAR_REALNAME#./}
limit_of "$name"
[ "$TAR_SIZE" -le "$LIMIT" ] || refuse refused "$name: has $TAR_SIZE bytes"
[ ! -e "$file" ] || refuse refused "$name: is there twice"
printf . >>"$TAKE_DIR/.count"
[ "$(stat -c %s "$TAKE_DIR/.count")" -le "$MEMBERS_MAX" ] || refuse refused "too many files"
mkdir -p "${file%/*}" || refuse full "$name: cannot be written"
words=$(head -c "$LIMIT" 2>&1 >"$file") || case $words in
*"No space left"* | *"Disk quota exceeded"*) refuse full "$name: ${words##*: }" ;;
*) refuse error "$name: ${words:-its content did not come}" ;;
esac
[ "$(stat -c %s "$file")" = "$TAR_SIZE" ] || refuse refused "$name: is cut off"

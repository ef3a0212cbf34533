# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# Signed lists of lines: what a manifest and an index of secrets have in common. Signatures are those of `ssh-keygen -Y`, so that
# anybody can make and check one by hand (tote-release(5)). Needs say.sh and replace.sh.

SIGNER=

# Lines of printable ASCII, the last one ended. Nothing else may come near the parsers: no NUL, which bash drops, no CR, no tab.
text_check() { # FILE MAX-BYTES
	local size others
	[ -f "$1" ] && [ ! -L "$1" ] || fail refused "${1##*/}: is missing, or is no file" || return
	size=$(stat -c %s -- "$1")
	[ "$size" -gt 0 ] || fail refused "${1##*/}: is empty" || return
	[ "$size" -le "$2" ] || fail refused "${1##*/}: has more than $2 bytes" || return
	others=$(LC_ALL=C tr -d '\n -~' <"$1" | wc -c)
	[ "$others" -eq 0 ] || fail refused "${1##*/}: has $others bytes that are not printable ASCII" || return
	# Words of a command lose their last line's end.
	[ -z "$(tail -c 1 -- "$1")" ] || fail refused "${1##*/}: the last line has no end" || return
}

signed_make() { # FILE KEY NAMESPACE
	local words
	rm -f "$1.sig"
	words=$(ssh-keygen -Y sign -f "$2" -n "$3" "$1" 2>&1 </dev/null) || fail_by "cannot sign $1 with $2" "$words"
}

# Sets SIGNER to the principal of the allowed_signers line that fits.
signed_check() { # FILE SIGNATURE SIGNERS NAMESPACE
	local file=$1 sig=$2 signers=$3 name who names
	[ -s "$signers" ] || fail error "$signers: there are no signers" || return
	[ -f "$sig" ] && [ ! -L "$sig" ] && [ "$(stat -c %s -- "$sig")" -le 65536 ] ||
		fail refused "${sig##*/}: is missing, or is no signature" || return
	names=$(bounded 20 ssh-keygen -Y find-principals -s "$sig" -f "$signers" 2>/dev/null) ||
		fail refused "${file##*/}: nobody in $signers has made this signature" || return
	while IFS= read -r name; do
		# A line of signers may have several names with commas between; any one will do.
		who=${name%%,*}
		if bounded 20 ssh-keygen -Y verify -f "$signers" -I "$who" -n "$4" -s "$sig" <"$file" >/dev/null 2>&1; then
			SIGNER=$who
			return 0
		fi
	done < <(head -n 20 <<<"$names")
	fail refused "${file##*/}: the signature is not good for this content"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# secret: what only the boxes of one store can read. Encrypted by age to their ssh host keys, listed and signed, kept in
# secrets/STORE/ and sent with the next release or stick. Headquarters itself cannot read it any more.
#
# secrets/STORE is a link to .sets/STORE/SERIAL, a whole set: it changes by one rename, and no set changes.

verb_secret() { # put|list|hosts ...
	local what=${1:-}
	case $what in
	put | hosts) secret_"$what" "${@:2}" ;;
	list) secret_list "${@:2}" ;;
	*) die usage "secret put STORE NAME | list [STORE] | hosts STORE" ;;
	esac
}

secret_store() { # STORE
	work_dir && inventory_read || return
	cut -f 1 "$INVENTORY" | grep -qxF -- "$1" || fail usage "$1: there is no such store"
}

# put STORE NAME: the content is read from stdin, so that it is in no list of processes.
secret_put() { # STORE NAME
	local store=${1:-} name=${2:-} words serial
	[ $# = 2 ] && [[ $name =~ ^$SECRETS_NAME$ ]] || die usage "secret put STORE NAME, the content on stdin"
	need age || exit
	secret_store "$store" && sign_key || exit
	awk '$1 !~ /^[#@]/ && $2 ~ /^ssh-(ed25519|rsa)$/ { print $2, $3 }' "$FLEET/hostkeys/$store" 2>/dev/null |
		sort -u >"$WORK/recipients" || true
	[ -s "$WORK/recipients" ] || die error "hostkeys/$store has no key; \"tote-fleet secret hosts $store\" gets them"
	[ -z "${OPT[dry-run]:-}" ] || { say "would encrypt $name for $(wc -l <"$WORK/recipients") boxes of $store" && exit 0; }
	# Whoever types it has all the time, so the lock comes after that.
	words=$(age -R "$WORK/recipients" -o "$WORK/secret" 2>&1) || { fail_by "age cannot encrypt $name for $store" "$words" || exit; }
	secret_lock && secret_current "$store" || exit
	serial=${OPT[serial]:-$((SECRETS_SERIAL + 1))}
	[[ $serial =~ ^[1-9][0-9]{0,14}$ ]] && [ "$serial" -gt "$SECRETS_SERIAL" ] ||
		die usage "--serial has to be higher than that of the list before, $SECRETS_SERIAL"
	audit secret store="$store" name="$name" boxes:="$(wc -l <"$WORK/recipients")" || exit
	secret_set "$store" "$name" "$serial" || exit
	say "$name for $store, encrypted for $(wc -l <"$WORK/recipients") boxes, list number $serial"
}

# Two lists of one number would be two truths. The lock ends with the command.
secret_lock() {
	mkdir -p "$FLEET/secrets" && exec 7>>"$FLEET/secrets/.lock" || fail error "$FLEET/secrets: cannot be written" || return
	flock -w 60 7 || fail busy "somebody else changes secrets; nothing was done"
}

# Sets CURRENT to the directory of the store's set, or to nothing, and what secrets_read sets. Refuses what is not whole, as it would
# be signed again.
secret_current() { # STORE
	local link=$FLEET/secrets/$1 sets=$FLEET/secrets/.sets/$1 last
	CURRENT='' SECRETS=() SECRETS_SERIAL=0
	mkdir -p "$sets" || fail full "$sets: cannot be made" || return
	# One that a person has copied there.
	if [ -d "$link" ] && [ ! -L "$link" ]; then
		secrets_read "$link/index" "$1" && rm -rf "${sets:?}/$SECRETS_SERIAL" && replace_dir "$link" "$sets/$SECRETS_SERIAL" || return
	fi
	# Without a link: of a command that was killed. What it had made is the latest.
	last=$(find "$sets" -mindepth 1 -maxdepth 1 -type d -name '[1-9]*' -printf '%f\n' | sort -n | tail -n 1)
	[ ! -L "$link" ] || last=$(basename -- "$(readlink -- "$link")")
	[ -n "$last" ] || return 0
	CURRENT=$sets/$last
	secrets_read "$CURRENT/index" "$1" && secrets_verify_files "$CURRENT"
}

# The current set and WORK/secret become the next one. The one before stays, as a stream may be reading it.
secret_set() { # STORE NAME SERIAL
	local sets=$FLEET/secrets/.sets/$1 new=$FLEET/secrets/.sets/$1/.new file words
	words=$({ rm -rf "$new" "${sets:?}/$3" && mkdir "$new"; } 2>&1) || fail_by "$new" "$words" || return
	for file in "${!SECRETS[@]}"; do
		words=$(cp -- "$CURRENT/$file" "$new/$file" 2>&1) || fail_by "$new" "$words" || return
	done
	words=$(cp -- "$WORK/secret" "$new/$2.age" 2>&1) || fail_by "$new" "$words" || return
	secrets_make "$new" "$KEY" "$1" "$3" && replace_dir "$new" "$sets/$3" || return
	words=$({ ln -sfn ".sets/$1/$3" "$FLEET/secrets/.link" && mv -fT "$FLEET/secrets/.link" "$FLEET/secrets/$1"; } 2>&1) ||
		fail_by "$FLEET/secrets/$1" "$words" || return
	sync_dir "$FLEET/secrets" || return
	for file in "$sets"/*; do
		[ "$file" = "$sets/$3" ] || [ "$file" = "$CURRENT" ] || rm -rf -- "$file"
	done
}

secret_list() { # [STORE]
	local dir line
	[ $# -le 1 ] || die usage "secret list [STORE]"
	for dir in "$FLEET"/secrets/*/; do
		[ -f "$dir/index" ] && dir=${dir%/} || continue
		[ $# = 0 ] || [ "${dir##*/}" = "$1" ] || continue
		secrets_read "$dir/index" "${dir##*/}" || exit
		for line in "${!SECRETS[@]}"; do
			printf '%s\t%s\t%d\n' "${dir##*/}" "${line%.age}" "$SECRETS_SERIAL"
		done | sort
	done | if [ "$FORMAT" = json ]; then
		jq -Rnc '[inputs | split("\t") | {store: .[0], name: .[1], serial: .[2] | tonumber}]'
	else
		cat
	fi
}

# hosts STORE: the boxes' ssh host keys, from a file that came a trusted way, or from the network and looked at by a person.
secret_hosts() { # STORE
	local store=${1:-} boxes sum answer=
	[ $# = 1 ] || die usage "secret hosts STORE [--hosts FILE | --confirm SUM]"
	secret_store "$store" || exit
	if [ -n "${OPT[hosts]:-}" ]; then
		cat -- "${OPT[hosts]}" >"$WORK/hosts" || die error "${OPT[hosts]}: cannot be read"
	else
		boxes=$(awk -F '\t' -v s="$store" '$1 == s { gsub(/[^,]*@/, "", $2); print $2 }' "$INVENTORY")
		printf '%s\n' "${boxes//,/$'\n'}" | bounded 60 ssh-keyscan -T 10 -t ed25519 -f - >"$WORK/hosts" 2>/dev/null || true
	fi
	grep -Eq '^[^#@ ]+ ssh-(ed25519|rsa) [A-Za-z0-9+/=]+' "$WORK/hosts" || die error "$store: no host key was found"
	ssh-keygen -l -f "$WORK/hosts" >&2 || die error "$store: these are no host keys"
	if [ -z "${OPT[hosts]:-}" ]; then
		sum=$(sort "$WORK/hosts" | sha256sum | cut -c 1-16)
		if [ -t 0 ] && [ -z "${OPT[confirm]:-}" ]; then
			read -rp "Are these the fingerprints that the boxes show? (yes/no) " answer
			[ "$answer" != yes ] || OPT[confirm]=$sum
		fi
		[ "${OPT[confirm]:-}" = "$sum" ] || die refused "compare these fingerprints with those that the boxes show, then give --confirm $sum"
	fi
	[ -z "${OPT[dry-run]:-}" ] || exit 0
	audit secret store="$store" what="host keys" sum="$(sort "$WORK/hosts" | sha256sum | cut -c 1-64)" || exit
	mkdir -p "$FLEET/hostkeys" && replace_file "$FLEET/hostkeys/$store" <"$WORK/hosts" || exit
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# secret: what only the boxes of one store can read. Encrypted by age to their ssh host keys, listed and signed, kept in
# secrets/STORE/ and sent with the next release or stick. Headquarters itself cannot read it any more.

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
	local store=${1:-} name=${2:-} new dir serial=0
	[ $# = 2 ] && [[ $name =~ ^$SECRETS_NAME$ ]] || die usage "secret put STORE NAME, the content on stdin"
	need age || exit
	secret_store "$store" && sign_key || exit
	awk '$1 !~ /^[#@]/ && $2 ~ /^ssh-(ed25519|rsa)$/ { print $2, $3 }' "$FLEET/hostkeys/$store" 2>/dev/null | sort -u >"$WORK/recipients" || true
	[ -s "$WORK/recipients" ] || die error "hostkeys/$store has no key; \"tote-fleet secret hosts $store\" gets them"
	dir=$FLEET/secrets/$store new=$FLEET/secrets/.new.$store
	[ -z "${OPT[dry-run]:-}" ] || { say "would encrypt $name for $(wc -l <"$WORK/recipients") boxes of $store" && exit 0; }
	audit secret store="$store" name="$name" boxes:="$(wc -l <"$WORK/recipients")" || exit
	rm -rf "$new" && mkdir -p "$new" || die full "$new: cannot be made"
	[ ! -d "$dir" ] || cp -- "$dir"/*.age "$new/" 2>/dev/null || true
	age -R "$WORK/recipients" -o "$new/$name.age" || die error "age cannot encrypt $name for $store"
	[ ! -f "$dir/index" ] || { secrets_read "$dir/index" "$store" && serial=$SECRETS_SERIAL; } || exit
	secrets_make "$new" "$KEY" "$store" "${OPT[serial]:-$((serial + 1))}" || exit
	secret_swap "$new" "$dir" || exit
	say "$name for $store, encrypted for $(wc -l <"$WORK/recipients") boxes, list number ${OPT[serial]:-$((serial + 1))}"
}

# A directory cannot replace one that is not empty: the old one steps aside. Killed in between, the next put finds it.
secret_swap() { # NEW DIR
	local old=$FLEET/secrets/.old.${2##*/}
	rm -rf "$old"
	[ ! -d "$2" ] || mv -T "$2" "$old" || fail error "$2: cannot be replaced" || return
	replace_dir "$1" "$2" && rm -rf "$old"
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

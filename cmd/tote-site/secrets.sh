# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153
# A store's secrets: age files, encrypted to the ssh host keys of its boxes, with a signed index. They lie encrypted on the disk
# and open on a tmpfs only. Needs store.sh and cmd/script/secret_index.sh.
#
# SITE_DIR/secrets is a link to a directory with a whole set. A set is replaced by a rename of the link, as half of a new one
# could not be opened after a power cut.

: "${TOTE_SITE_HOST_KEY:=/etc/ssh/ssh_host_ed25519_key}"
readonly SECRETS_FILE_MAX=$((16 * 1024 * 1024))

# Takes the secrets of a depot in, if it has some for this store.
secrets_take() { # DEPOT
	local dir=$SITE_DIR/incoming/secrets code=0 words
	rm -rf -- "$dir"
	words=$(mkdir -p -- "$dir" 2>&1) || fail_by "$dir" "$words" || return
	depot_get "$1" "secrets/$CONF_STORE/index" "$dir/index" "$SECRETS_MAX" 2>/dev/null || code=$?
	case $code in
	0)
		secrets_take_index "$1" "$dir" || code=$?
		# Half a list is not a release that is not here.
		if [ "$code" = "${CODE[absent]}" ]; then
			code=0
			depot_there "$1" && fail refused "the secrets are half copied: $WHY" || code=$?
		fi
		;;
	# A depot without secrets is a good one.
	"${CODE[absent]}") code=0 ;;
	*) say "$WHY" ;;
	esac
	rm -rf -- "$dir"
	return "$code"
}

secrets_take_index() { # DEPOT DIR
	local name had=0
	depot_get "$1" "secrets/$CONF_STORE/index.sig" "$2/index.sig" 65536 && secrets_verify_index "$2" "$SITE_SIGNERS" "$CONF_STORE" || return
	if [ -f "$SITE_DIR/secrets/index" ]; then
		! cmp -s "$2/index" "$SITE_DIR/secrets/index" || return 0
		had=$(sed -n 's/^serial //p' "$SITE_DIR/secrets/index")
	fi
	[ "$SECRETS_SERIAL" -gt "$had" ] || fail refused "the secrets have the serial $SECRETS_SERIAL, and $had is here already" || return
	for name in "${!SECRETS[@]}"; do
		depot_get "$1" "secrets/$CONF_STORE/$name" "$2/$name" "$SECRETS_FILE_MAX" || return
	done
	secrets_verify_files "$2" && secrets_replace "$2"
}

secrets_replace() { # DIR
	local set=secrets.$SECRETS_SERIAL words link=$SITE_DIR/.secrets.new old
	rm -rf -- "${SITE_DIR:?}/$set"
	replace_dir "$1" "$SITE_DIR/$set" || return
	words=$({ ln -sfn "$set" "$link" && mv -fT "$link" "$SITE_DIR/secrets"; } 2>&1) || fail_by "$SITE_DIR/secrets" "$words" || return
	sync_dir "$SITE_DIR" || return
	for old in "$SITE_DIR"/secrets.*; do
		[ "$old" = "$SITE_DIR/$set" ] || rm -rf -- "$old"
	done
}

# Makes RUN/secrets what the index says, each file 0400. Without secrets nothing is done, and age is not needed.
secrets_open() {
	local dir=$SITE_DIR/secrets out=$SITE_RUN/secrets name file
	[ -f "$dir/index" ] || { rm -rf -- "$out"; return 0; }
	need age || return
	secrets_verify "$dir" "$SITE_SIGNERS" "$CONF_STORE" || return
	{ mkdir -p -- "$out" && chmod 700 -- "$out"; } || fail error "$out: cannot be made" || return
	[[ $(stat -fc %T -- "$out") == @(tmpfs|ramfs) ]] || fail error "$out: is not on a tmpfs, no secret is written there" || return
	for name in "${!SECRETS[@]}"; do
		secrets_decrypt "$dir/$name" "$out/${name%.age}" || return
	done
	for file in "$out"/* "$out"/.[!.]*; do
		name=${file##*/}
		[ -n "${SECRETS[$name.age]:-}" ] || rm -f -- "$file"
	done
}

secrets_decrypt() { # FROM TO
	local words new=${2%/*}/.${2##*/}.new
	rm -f -- "$new"
	words=$(umask 277 && bounded 30 age --decrypt -i "$TOTE_SITE_HOST_KEY" -o "$new" -- "$1" 2>&1) ||
		{ rm -f -- "$new"; fail_by "secret ${2##*/}" "${words%$'\n'age: report unexpected*}"; return; }
	chmod 400 -- "$new" && mv -fT -- "$new" "$2" || fail error "secret ${2##*/}: cannot be written"
}

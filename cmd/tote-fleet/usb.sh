# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# export-usb and import-status: the way to stores and back without any network.

# export-usb STORE... DIR: the release of the rollout (or --release), its images, the stores' secrets, and who wants it.
verb_export_usb() {
	local dir store stores
	[ $# -ge 2 ] || die usage "export-usb STORE|@GROUP... DIR"
	dir=${*: -1} stores=("${@:1:$#-1}")
	work_dir && inventory_read && usb_release || exit
	[ -d "$dir" ] && [ -w "$dir" ] || die error "$dir: is no directory that can be written"
	release_check "$RELEASE" && release_fresh || exit
	stores_choose "${stores[@]}" >"$WORK/chosen" || exit
	usb_room "$dir" || exit
	if [ -n "${OPT[dry-run]:-}" ]; then
		say "would write release $RELEASE_NAME ($RELEASE) for $(wc -l <"$WORK/chosen") stores to $dir"
		exit 0
	fi
	audit export-usb release="$RELEASE" stores="$(paste -sd, "$WORK/chosen")" dir="$dir" || exit
	depot_fill "$dir" "$RELEASE" || exit
	while IFS= read -r store; do
		depot_want "$dir" "$store" "$RELEASE" || exit
	done <"$WORK/chosen"
	sync -f "$dir" || exit
	say "release $RELEASE_NAME for $(wc -l <"$WORK/chosen") stores is on $dir"
}

usb_release() {
	RELEASE=${OPT[release]:-}
	[ -n "$RELEASE" ] || rollout_open "${OPT[rollout]:-}"
}

# Said before the first byte is written, as far as it can be known: layers are kept unpacked and their size as such.
usb_room() { # DIR
	local name need=1048576 size
	for name in "${RELEASE_IMAGE_NAMES[@]}"; do
		[ -f "$1/images/${RELEASE_IMAGES[$name]}.tar" ] && continue
		size=$("${TOTE:-tote}" inspect "sha256:${RELEASE_IMAGES[$name]}" 2>/dev/null | jq -r '.[0].size // 0 | tonumber') || size=
		[ -n "$size" ] || fail error "image $name is not in the image store here" || return
		need=$((need + size))
	done
	! disk_full "$1" "$need" || fail full "$1: about $need bytes are needed"
}

# import-status DIR: what the stores left in DIR/status.
verb_import_status() { # DIR
	[ $# = 1 ] || die usage "import-status DIR"
	[ -d "$1/status" ] || die error "$1: has no status/, so no store has been there"
	work_dir && inventory_read || exit
	[ -n "${OPT[rollout]:-}" ] || import_rollout || exit
	rollout_open "${OPT[rollout]}" || exit
	[ -n "${OPT[dry-run]:-}" ] || audit import-status rollout="$ROLLOUT_ID" dir="$1" || exit
	reports_take "$1" || exit
	answers_table "${WAVES[@]}" && answers_count && counts_in_words || exit
	say "rollout $ROLLOUT_ID: $TAKEN new answers; $REPLY"
	[ "$OTHERS" = 0 ] || say "$OTHERS reports are not about this rollout's release or stores, and were left; --rollout names another one"
	[ "$FORMAT" = text ] || { json_object rollout="$ROLLOUT_ID" taken:="$TAKEN" \
		ok:="${COUNT[ok]}" failed:="${COUNT[failed]}" stores:="${COUNT[all]}" && printf '%s\n' "$REPLY"; }
	# Stores that are brought by hand may be the last ones.
	[ -n "${OPT[dry-run]:-}" ] || [ "${COUNT[ok]}" != "${COUNT[all]}" ] || [ -e "$ROLLOUT/aborted" ] ||
		date -u +%FT%TZ | replace_file "$ROLLOUT/finished"
}

import_rollout() {
	rollout_current && OPT[rollout]=$REPLY
}

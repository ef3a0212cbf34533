# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# This box: which boot it is in, how long that lasts, and the environment that Compose files are read in. Needs conf.sh.

# Sets REPLY to a word that is another one after each boot. SITE_RUN is a tmpfs: what lies there tells so for machines, containers
# and network namespaces alike.
box_boot() {
	local file=$SITE_RUN/boot new=$SITE_RUN/boot.$BASHPID
	if [ ! -s "$file" ]; then
		# ln fails where somebody else was first.
		{ cat /proc/sys/kernel/random/uuid >"$new" && ln "$new" "$file"; } 2>/dev/null || true
		rm -f "$new"
	fi
	{ read -r REPLY <"$file"; } 2>/dev/null || fail error "$file: cannot be written"
}

# Sets REPLY to seconds that no clock which is set can change.
box_uptime() {
	read -r REPLY _ </proc/uptime
	REPLY=${REPLY%%.*}
}

# A Compose file means the same from ssh, from a timer and from a terminal: its variables are the store's, not the caller's.
box_compose() { # SECONDS COMMAND...
	local name words=(PATH="$PATH" HOME=/root LC_ALL=C STORE="$CONF_STORE" BOX="$CONF_BOX")
	for name in "${!TOTE_@}"; do
		words+=("$name=${!name}")
	done
	bounded "$1" env -i "${words[@]}" "${@:2}" </dev/null 9>&-
}

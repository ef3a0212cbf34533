# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Of init-store: keys. One ssh key pair for the store, with which its boxes call each other; a host key for each box, so that who it
# is is known before it exists; corosync's key. All secrets are files of mode 0600 or 0400 in directories of 0700.

init_keys() {
	local box
	install -d -m 700 "$INIT_WORK/.keys"
	ssh-keygen -q -t ed25519 -N '' -C "tote-site $INIT_NAME" -f "$INIT_WORK/.keys/store"
	for box in "${INIT_BOXES[@]}"; do
		[ -n "$INIT_KNOWN_HOSTS" ] || ssh-keygen -q -t ed25519 -N '' -C "$box" -f "$INIT_WORK/.keys/host-$box"
	done
	# As corosync-keygen does it.
	head -c 256 /dev/urandom >"$INIT_WORK/.keys/authkey"
	init_known_hosts >"$INIT_WORK/.keys/known_hosts"
}

init_known_hosts() {
	local box list
	if [ -n "$INIT_KNOWN_HOSTS" ]; then
		cat "$INIT_KNOWN_HOSTS"
		return
	fi
	for box in "${INIT_BOXES[@]}"; do
		IFS=, read -ra list <<<"${INIT_ADDRESS[$box]}"
		for address in "${list[@]}"; do
			echo "$address $(cut -d ' ' -f 1,2 "$INIT_WORK/.keys/host-$box.pub") $box"
		done
	done
}

init_box_keys() { # BOX
	local ssh=$1/etc/tote/ssh
	install -d -m 755 "$INIT_WORK/$1/etc/tote"
	install -d -m 700 "$INIT_WORK/$ssh"
	init_file "$ssh/id_ed25519" 600 <"$INIT_WORK/.keys/store"
	init_file "$ssh/id_ed25519.pub" <"$INIT_WORK/.keys/store.pub"
	init_file "$ssh/known_hosts" <"$INIT_WORK/.keys/known_hosts"
	init_authorized_keys | init_file "$ssh/authorized_keys" 600
	init_ssh_config | init_file "$ssh/config"
	chmod 700 "$INIT_WORK/$ssh"
	init_sshd_config | init_file "$1/etc/ssh/sshd_config.d/tote-site.conf"
	if [ -z "$INIT_KNOWN_HOSTS" ]; then
		init_file "$1/etc/ssh/ssh_host_ed25519_key" 600 <"$INIT_WORK/.keys/host-$1"
		init_file "$1/etc/ssh/ssh_host_ed25519_key.pub" <"$INIT_WORK/.keys/host-$1.pub"
	fi
	[ "${#INIT_BOXES[@]}" = 1 ] || init_file "$1/etc/corosync/authkey" 400 <"$INIT_WORK/.keys/authkey"
}

# The store's key can ask for `tote-site peer` and nothing else.
init_authorized_keys() {
	printf 'command="%s/bin/tote-site peer",restrict %s\n' "$INIT_PREFIX" "$(cat "$INIT_WORK/.keys/store.pub")"
	[ -z "$INIT_FLEET_KEY" ] || printf 'restrict %s\n' "$(grep -ve '^[[:space:]]*$' "$INIT_FLEET_KEY")"
}

init_ssh_config() {
	cat <<-'END'
		# How the boxes of a store call each other. By init-store.
		Host *
			User root
			BatchMode yes
			IdentityFile /etc/tote/ssh/id_ed25519
			IdentitiesOnly yes
			UserKnownHostsFile /etc/tote/ssh/known_hosts
			GlobalKnownHostsFile none
			StrictHostKeyChecking yes
			HostKeyAlgorithms ssh-ed25519
			UpdateHostKeys no
			ConnectTimeout 10
			ServerAliveInterval 5
			ServerAliveCountMax 3
			ForwardAgent no
	END
}

init_sshd_config() {
	cat <<-'END'
		# Root's keys of the store and of headquarters, beside root's own. By init-store.
		Match User root
			AuthorizedKeysFile .ssh/authorized_keys /etc/tote/ssh/authorized_keys
		Match all
	END
}

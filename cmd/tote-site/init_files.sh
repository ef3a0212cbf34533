# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Of init-store: the other files of a box, what headquarters keeps, and the README.

init_box_files() { # BOX
	init_box_keys "$1"
	init_site_conf "$1" | init_file "$1/etc/tote/site.conf"
	if [ -n "$INIT_SIGNERS" ]; then
		init_file "$1/etc/tote/release-signers" <"$INIT_SIGNERS"
	fi
	init_link "$1/etc/systemd/system/timers.target.wants/tote-site.timer" "$INIT_PREFIX/lib/systemd/system/tote-site.timer"
	if [ "${#INIT_BOXES[@]}" = 1 ]; then
		init_link "$1/etc/systemd/system/multi-user.target.wants/tote.service" "$INIT_PREFIX/lib/systemd/system/tote.service"
	else
		init_link "$1/etc/systemd/system/multi-user.target.wants/tote-site-boot.service" "$INIT_PREFIX/lib/systemd/system/tote-site-boot.service"
		init_cluster_files "$1"
	fi
}

init_cluster_files() { # BOX
	local section
	init_corosync_conf | init_file "$1/etc/corosync/corosync.conf"
	for section in crm_config rsc_defaults op_defaults resources constraints; do
		# A fence device's password may be in there.
		"init_$section" | init_file "$1/etc/tote/cluster/$section.xml" 600
	done
	init_pacemaker_unit | init_file "$1/etc/systemd/system/pacemaker.service.d/tote.conf"
	init_corosync_unit | init_file "$1/etc/systemd/system/corosync.service.d/tote.conf"
	[ "${INIT_FENCE[0]}" != sbd ] || init_sbd | init_file "$1/etc/default/sbd"
}

init_site_conf() { # BOX
	local box
	echo "store $INIT_NAME"
	echo "box $1"
	if [ "${#INIT_BOXES[@]}" = 1 ]; then echo "engine supervise"; else echo "engine pacemaker"; fi
	for box in "${INIT_BOXES[@]}"; do
		[ "$box" = "$1" ] || echo "peer $box ${INIT_ADDRESS[$box]%%,*}"
	done
	echo "ssh ssh -F /etc/tote/ssh/config"
	for box in "${INIT_DEPOTS[@]}"; do
		echo "depot $box"
	done
}

init_pacemaker_unit() {
	cat <<-'END'
		# By init-store. What containers need is there before Pacemaker starts some, and stays until Pacemaker has stopped them: images,
		# the rules of the firewall, and the parameters that tote-site writes anew at each boot.
		[Unit]
		RequiresMountsFor=/var/lib/tote /var/lib/tote-site
		Wants=tote-site-boot.service
		After=local-fs.target network.target nftables.service tote-site-boot.service

		[Service]
		# The package's own: containers are no business of systemd's, and go on while Pacemaker is started anew.
		KillMode=process
	END
}

init_corosync_unit() {
	cat <<-'END'
		# By init-store. Pacemaker ends when corosync does, and is started again by its own unit; corosync's has no such line.
		[Service]
		Restart=on-failure
		RestartSec=1
	END
}

init_sbd() {
	cat <<-'END'
		# By init-store: no disk, the hardware's watchdog alone. It resets the box when SBD has not heard of a healthy cluster for so long.
		SBD_DEVICE=""
		SBD_PACEMAKER=yes
		SBD_STARTMODE=always
		SBD_DELAY_START=no
		SBD_WATCHDOG_DEV=/dev/watchdog
		SBD_WATCHDOG_TIMEOUT=5
	END
}

# ---- headquarters ----

# What tote-fleet knows a store by: ssh host keys, to which secrets are encrypted as well, and its line of stores.tsv.
init_headquarters() {
	local addresses='' box
	for box in "${INIT_BOXES[@]}"; do
		addresses+=${addresses:+,}${INIT_ADDRESS[$box]%%,*}
	done
	init_file headquarters/hostkeys/"$INIT_NAME" <"$INIT_WORK/.keys/known_hosts"
	printf '%s\t%s\tssh\t-\t-\n' "$INIT_NAME" "$addresses" | init_file headquarters/stores.tsv
	rm -rf "$INIT_WORK/.keys"
}

# ---- README ----

init_readme() {
	local box packages='openssh-server jq age curl'
	[ "${#INIT_BOXES[@]}" = 1 ] || packages+=' corosync pacemaker pacemaker-cli-utils resource-agents'
	case ${INIT_FENCE[0]:-} in
	sbd) packages+=' sbd' ;;
	fence_*) packages+=' fence-agents' ;;
	esac
	echo "Store $INIT_NAME: ${INIT_BOXES[*]}. tote-store-recipe(7) explains it. The trees hold secret keys: keep this directory"
	echo "to yourself, and remove it when all boxes have theirs."
	echo
	echo "1. On each box, Debian 12 with tote below $INIT_PREFIX; the cluster must not start before it is configured:"
	echo
	echo "     systemctl mask corosync.service pacemaker.service"
	echo "     apt install --no-install-recommends $packages"
	[ "${#INIT_BOXES[@]}" = 1 ] || [ "$INIT_PREFIX" = /usr ] ||
		echo "     ln -sfn $INIT_PREFIX/lib/ocf/resource.d/tote /usr/lib/ocf/resource.d/tote"
	echo
	echo "2. From here, each box gets its tree. What is there already keeps its owner and mode:"
	echo
	for box in "${INIT_BOXES[@]}"; do
		echo "     tar -C $box --owner=0 --group=0 -c . | ssh root@${INIT_ADDRESS[$box]%%,*} tar -C / --no-overwrite-dir -x"
	done
	[ -n "$INIT_SIGNERS" ] ||
		printf '\n   and the public keys that sign releases, in the format of allowed_signers, as /etc/tote/release-signers.\n'
	echo
	echo "3. On each box, its name, then all at once:"
	echo
	for box in "${INIT_BOXES[@]}"; do
		echo "     hostnamectl set-hostname $box      # on ${INIT_ADDRESS[$box]%%,*}"
	done
	init_readme_start
	echo
	echo "5. The first release, on one box; tote-fleet does it from headquarters:"
	echo
	echo "     tote-site apply /media/usb --format json"
	echo
	echo "headquarters/ is for tote-fleet: append stores.tsv to its stores.tsv, and put hostkeys/$INIT_NAME into its hostkeys/."
}

init_readme_start() {
	if [ "${#INIT_BOXES[@]}" = 1 ]; then
		printf '     systemctl daemon-reload && systemctl restart ssh && systemctl start tote.service tote-site.timer\n\n'
		printf '4. There is no cluster to configure.\n'
		return
	fi
	echo "     systemctl daemon-reload && systemctl restart ssh && systemctl unmask corosync pacemaker"
	echo "     systemctl enable --now corosync pacemaker && systemctl start tote-site-boot.service tote-site.timer"
	echo
	echo "4. On one box, when all are online (crm_mon -1):"
	echo
	echo "     tote-site configure"
}

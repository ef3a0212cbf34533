# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Of init-store: corosync.conf and Pacemaker's base configuration, which `tote-site configure` puts into the running cluster.
# Every element has an id that begins with "tote-".

# Its parser wants each brace at the end of a line.
init_corosync_conf() {
	cat <<-END
		# Store $INIT_NAME, by init-store. The same on every box: boxes with different times suspect each other for ever. To change
		# it, stop the cluster on all boxes, change all files, start all.
		totem {
			version: 2
			cluster_name: $INIT_NAME
			transport: knet
			crypto_cipher: aes256
			crypto_hash: sha256
			token: 1000
			token_coefficient: 0
		}

		quorum {
			provider: corosync_votequorum
	END
	# It implies wait_for_all: after both were off, one alone may not start.
	[ "${#INIT_BOXES[@]}" != 2 ] || printf '\ttwo_node: 1\n\twait_for_all: 1\n'
	printf '}\n\nnodelist {\n'
	init_nodes
	cat <<-END
		}

		logging {
			to_stderr: yes
			to_logfile: no
			to_syslog: yes
			timestamp: on
		}
	END
}

init_nodes() {
	local box n=0 i list
	for box in "${INIT_BOXES[@]}"; do
		n=$((n + 1))
		IFS=, read -ra list <<<"${INIT_ADDRESS[$box]}"
		printf '\tnode {\n\t\tname: %s\n\t\tnodeid: %s\n' "$box" "$n"
		for i in "${!list[@]}"; do
			printf '\t\tring%s_addr: %s\n' "$i" "${list[i]}"
		done
		printf '\t}\n'
	done
}

init_escape() { # TEXT -> REPLY, for an attribute
	REPLY=${1//&/\&amp;}
	REPLY=${REPLY//</\&lt;}
	REPLY=${REPLY//\"/\&quot;}
}

init_nvpairs() { # ID NAME=VALUE...
	local id=$1 word
	shift
	for word; do
		init_escape "${word#*=}"
		printf '<nvpair id="%s-%s" name="%s" value="%s"/>\n' "$id" "${word%%=*}" "${word%%=*}" "$REPLY"
	done
}

# load-threshold: Pacemaker does one thing at a time on boxes with a load of 1.6 a processor, which is what a box has that takes
# over from another.
init_crm_config() {
	local words=(no-quorum-policy=stop dc-deadtime=5s cluster-recheck-interval=60s stonith-action=reboot stonith-timeout=60s
		start-failure-is-fatal=false load-threshold=400%
		pe-error-series-max=50 pe-warn-series-max=50 pe-input-series-max=50)
	case ${INIT_FENCE[0]} in
	none) words+=(stonith-enabled=false) ;;
	# Twice SBD_WATCHDOG_TIMEOUT, at which the box is surely off.
	sbd) words+=(stonith-enabled=true stonith-watchdog-timeout=10s) ;;
	*) words+=(stonith-enabled=true) ;;
	esac
	printf '<crm_config>\n<cluster_property_set id="tote-options">\n'
	init_nvpairs tote-options "${words[@]}"
	printf '</cluster_property_set>\n</crm_config>\n'
}

# What runs stays where it is. A start that fails is tried three times before another box takes over, and all is forgiven in time:
# nobody is there who would clean up.
init_rsc_defaults() {
	printf '<rsc_defaults>\n<meta_attributes id="tote-rsc-defaults">\n'
	init_nvpairs tote-rsc-defaults resource-stickiness=100 migration-threshold=3 failure-timeout=10min
	printf '</meta_attributes>\n</rsc_defaults>\n'
}

init_op_defaults() {
	printf '<op_defaults>\n<meta_attributes id="tote-op-defaults">\n'
	init_nvpairs tote-op-defaults timeout=90s
	printf '</meta_attributes>\n</op_defaults>\n'
}

init_resources() {
	local word
	printf '<resources>\n'
	[ -z "$INIT_VIP" ] || init_address
	case ${INIT_FENCE[0]} in
	none | sbd) ;;
	*)
		for word in "${INIT_FENCE[@]}"; do
			init_split_fence "$word"
			init_fence_device
		done
		;;
	esac
	printf '</resources>\n'
}

init_address() {
	printf '<primitive id="tote-address" class="ocf" provider="heartbeat" type="IPaddr2">\n'
	printf '<instance_attributes id="tote-address-parameters">\n'
	init_nvpairs tote-address "ip=${INIT_VIP%/*}" "cidr_netmask=${INIT_VIP#*/}"
	printf '</instance_attributes>\n<operations>\n'
	printf '<op id="tote-address-start" name="start" interval="0s" timeout="20s"/>\n'
	printf '<op id="tote-address-stop" name="stop" interval="0s" timeout="20s"/>\n'
	printf '<op id="tote-address-monitor" name="monitor" interval="10s" timeout="20s"/>\n'
	printf '</operations>\n</primitive>\n'
}

# Of two boxes that lose sight of each other the first shoots at once and the second waits.
init_fence_device() {
	local id=tote-fence${FENCE_BOX:+-$FENCE_BOX} all options words=() option
	all=$(printf '%s,' "${INIT_BOXES[@]}")
	words=("pcmk_host_list=${FENCE_BOX:-${all%,}}" pcmk_host_check=static-list)
	if [ "${#INIT_BOXES[@]}" = 2 ]; then
		case $FENCE_BOX in
		'') words+=("pcmk_delay_base=${INIT_BOXES[0]}:5s;${INIT_BOXES[1]}:0s") ;;
		"${INIT_BOXES[0]}") words+=(pcmk_delay_base=5s) ;;
		esac
	fi
	IFS=, read -ra options <<<"$FENCE_OPTIONS"
	for option in "${options[@]}"; do
		words+=("$option")
	done
	printf '<primitive id="%s" class="stonith" type="%s">\n' "$id" "$FENCE_AGENT"
	printf '<instance_attributes id="%s-parameters">\n' "$id"
	init_nvpairs "$id" "${words[@]}"
	printf '</instance_attributes>\n<operations>\n<op id="%s-monitor" name="monitor" interval="60s" timeout="20s"/>\n' "$id"
	printf '</operations>\n</primitive>\n'
}

# No box switches itself off.
init_constraints() {
	local word
	printf '<constraints>\n'
	for word in "${INIT_FENCE[@]}"; do
		init_split_fence "$word"
		[ -z "$FENCE_BOX" ] ||
			printf '<rsc_location id="tote-fence-%s-elsewhere" rsc="tote-fence-%s" node="%s" score="-INFINITY"/>\n' \
				"$FENCE_BOX" "$FENCE_BOX" "$FENCE_BOX"
	done
	printf '</constraints>\n'
}

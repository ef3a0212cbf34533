# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034,SC2154
# tote-site init-store: writes what the boxes of a store need on their disks to be one, as a tree for each box and a README with the
# commands that come next. It changes no box and needs no cluster: it runs at headquarters. Needs say.sh. The files themselves are in
# init_files.sh, init_cluster.sh and init_keys.sh.

for part in keys cluster files; do
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/init_$part.sh"
done

declare -gA INIT_ADDRESS=() # BOX -> address, or addresses of its links with "," between them
INIT_BOXES=()
INIT_FENCE=() # words of --fence
INIT_OUT=store INIT_NAME='' INIT_VIP='' INIT_SUBNET='' INIT_FORCE=0 INIT_DRY=0 INIT_PREFIX=/usr/local
INIT_SIGNERS='' INIT_FLEET_KEY='' INIT_KNOWN_HOSTS='' INIT_DEPOTS=()

init_usage() {
	cat <<-'END'
		usage: tote-site init-store [OPTION...] BOX[=ADDRESS[,ADDRESS2]]...

		Writes the configuration of a store of one, two or three boxes (or any odd number) to DIR/BOX/, a tree for each box's /.
		A BOX without an address is looked up by name, or counted through --subnet.

		  -o, --output DIR            where to (default: store)
		      --name STORE            the store's name (default: DIR's)
		      --address IP/PREFIX     a floating address, which is where the store's services are
		      --fence AGENT[:K=V,...] how a box is switched off; BOX=AGENT... for one box, may be repeated; "sbd" for a
		                              watchdog without a disk; "none" for none. Needed with two boxes or more
		      --subnet IP/PREFIX      the first box's address; the others follow
		      --signers FILE          allowed_signers of releases, becomes /etc/tote/release-signers
		      --fleet-key FILE        public ssh key of headquarters
		      --known-hosts FILE      the boxes keep the ssh host keys they have; these are they (ssh-keyscan)
		      --depot DIR|URL         where releases are fetched from, may be repeated
		      --prefix DIR            where tote is installed on the boxes (default: /usr/local)
		      --force                 replaces a DIR that init-store wrote
		      --dry-run               lists the files
	END
}

verb_init_store() {
	init_options "$@" || return
	[ "$INIT_DRY" != help ] || { init_usage; return 0; }
	init_check || return
	INIT_WORK=$(mktemp -d) || fail error "cannot make a directory for the work" || return
	at_exit init_sweep
	(umask 077 && init_write) || { fail error "init-store: nothing was written"; return; }
	if [ "$INIT_DRY" = 1 ]; then
		(cd "$INIT_WORK" && find . -mindepth 1 ! -type d -printf '%m %P\n' | LC_ALL=C sort -k 2)
		return 0
	fi
	init_install
}

init_sweep() {
	rm -rf "${INIT_WORK:-/nonexistent}"
}

# ---- what was asked for ----

init_options() {
	INIT_DRY=${DRY_RUN:-0}
	while [ $# -gt 0 ]; do
		case $1 in
		--*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
		esac
		case $1 in
		-h | --help) INIT_DRY=help && return 0 ;;
		--dry-run) INIT_DRY=1 ;;
		--force) INIT_FORCE=1 ;;
		-o | --output | --name | --address | --fence | --subnet | --signers | --fleet-key | --known-hosts | --depot | --prefix)
			[ $# -ge 2 ] || fail usage "init-store: $1 wants a value" || return
			init_option "$1" "$2" && shift || return
			;;
		-*) fail usage "init-store: unknown option $1" || return ;;
		*) init_box "$1" || return ;;
		esac
		shift
	done
}

init_option() { # OPTION VALUE
	case $1 in
	-o | --output) INIT_OUT=${2%/} ;;
	--name) INIT_NAME=$2 ;;
	--address) INIT_VIP=$2 ;;
	--fence) INIT_FENCE+=("$2") ;;
	--subnet) INIT_SUBNET=$2 ;;
	--signers) INIT_SIGNERS=$2 ;;
	--fleet-key) INIT_FLEET_KEY=$2 ;;
	--known-hosts) INIT_KNOWN_HOSTS=$2 ;;
	--depot) INIT_DEPOTS+=("$2") ;;
	--prefix) INIT_PREFIX=${2%/} ;;
	esac
}

init_box() { # BOX[=ADDRESS]
	local name=${1%%=*} address=
	[[ $1 != *=* ]] || address=${1#*=}
	# A host's name, which is also corosync's and Pacemaker's.
	[[ $name =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || fail usage "\"$name\" is no name for a box" || return
	[ -z "${INIT_ADDRESS[$name]+x}" ] || fail usage "box $name is named twice" || return
	INIT_ADDRESS[$name]=$address
	INIT_BOXES+=("$name")
}

# ---- checks ----

is_ipv4() {
	local byte bytes
	[[ $1 =~ ^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}$ ]] || return 1
	IFS=. read -ra bytes <<<"$1"
	for byte in "${bytes[@]}"; do
		[ "$byte" -le 255 ] || return 1
	done
}

# The form only; corosync and Pacemaker check the rest.
is_ipv6() {
	[[ $1 == *:*:* && $1 =~ ^[0-9a-f:]{3,39}$ && $1 != *:::* ]]
}

is_address() {
	is_ipv4 "$1" || is_ipv6 "$1"
}

is_prefixed() { # IP/PREFIX
	local most=128
	[[ $1 =~ ^[^/]+/(0|[1-9][0-9]{0,2})$ ]] && is_address "${1%/*}" || return 1
	! is_ipv4 "${1%/*}" || most=32
	[ "${1#*/}" -le $most ]
}

init_check() {
	local count=${#INIT_BOXES[@]} file
	[ "$count" -gt 0 ] || { init_usage >&2; return "${CODE[usage]}"; }
	[ "$count" -le 16 ] || fail usage "$count boxes: corosync's limit is 16" || return
	[ "$count" -le 2 ] || [ $((count % 2)) = 1 ] ||
		fail usage "$count boxes: an even number loses its quorum when it is cut in halves; take $((count - 1)) or $((count + 1))" || return
	: "${INIT_NAME:=$(basename -- "$(realpath -m -- "$INIT_OUT")")}"
	# Of fleets' lists and wanted/STORE: one word, no path.
	[[ $INIT_NAME =~ ^[a-z0-9][a-z0-9-]{0,62}$ && $INIT_NAME != default ]] ||
		fail usage "\"$INIT_NAME\" is no name for a store (--name)" || return
	[[ $INIT_PREFIX =~ ^(/[A-Za-z0-9._+-]+)+$ ]] || fail usage "--prefix: \"$INIT_PREFIX\" is no absolute path" || return
	[ -z "$INIT_VIP" ] || is_prefixed "$INIT_VIP" || fail usage "--address: \"$INIT_VIP\" is not IP/PREFIX" || return
	for file in "$INIT_SIGNERS" "$INIT_FLEET_KEY" "$INIT_KNOWN_HOSTS"; do
		[ -z "$file" ] || [ -r "$file" ] || fail usage "$file cannot be read" || return
	done
	[ -z "$INIT_FLEET_KEY" ] || init_check_key "$INIT_FLEET_KEY" || return
	init_check_depots && init_check_addresses && init_check_fence && init_check_target && need ssh-keygen
}

init_check_key() {
	local words
	words=$(grep -cve '^[[:space:]]*$' "$1") && [ "$words" = 1 ] && ssh-keygen -l -f "$1" >/dev/null 2>&1 && ! grep -q PRIVATE "$1" ||
		fail usage "--fleet-key: $1 is not one public ssh key"
}

init_check_depots() {
	local depot
	for depot in "${INIT_DEPOTS[@]}"; do
		[[ $depot =~ ^(/|https?://)[^[:space:]]*$ ]] || fail usage "--depot: \"$depot\" is neither a directory nor a URL" || return
	done
}

init_check_addresses() {
	local box address links='' n=0 seen=' ' list
	for box in "${INIT_BOXES[@]}"; do
		[ -n "${INIT_ADDRESS[$box]}" ] || init_find_address "$box" "$n" || return
		n=$((n + 1))
		IFS=, read -ra list <<<"${INIT_ADDRESS[$box]}"
		[ -z "$links" ] || [ "$links" = "${#list[@]}" ] || fail usage "box $box has not as many addresses as the others" || return
		links=${#list[@]}
		[ "$links" -le 8 ] || fail usage "box $box: corosync takes 8 links at most" || return
		for address in "${list[@]}"; do
			is_address "$address" || fail usage "box $box: \"$address\" is no address" || return
			[[ $seen != *" $address "* ]] || fail usage "address $address is given twice" || return
			seen+="$address "
		done
	done
	[ -z "$INIT_VIP" ] || [[ $seen != *" ${INIT_VIP%/*} "* ]] || fail usage "--address: ${INIT_VIP%/*} is a box's own"
}

init_find_address() { # BOX NUMBER
	if [ -z "$INIT_SUBNET" ]; then
		INIT_ADDRESS[$1]=$(getent ahosts -- "$1" | awk 'NR == 1 { print $1 }')
		[ -n "${INIT_ADDRESS[$1]}" ] || fail usage "box $1: no address is given, and its name does not resolve"
		return
	fi
	is_prefixed "$INIT_SUBNET" && is_ipv4 "${INIT_SUBNET%/*}" || fail usage "--subnet: \"$INIT_SUBNET\" is not IPv4/PREFIX" || return
	local a b c d host size
	IFS=. read -r a b c d <<<"${INIT_SUBNET%/*}"
	size=$((1 << (32 - ${INIT_SUBNET#*/})))
	host=$(((a << 24) + (b << 16) + (c << 8) + d))
	[ $((host % size)) != 0 ] || host=$((host + 1))
	[ $((host % size + $2)) -lt $((size - 1)) ] || fail usage "--subnet: $INIT_SUBNET has no room for box $1" || return
	host=$((host + $2))
	INIT_ADDRESS[$1]=$((host >> 24)).$((host >> 16 & 255)).$((host >> 8 & 255)).$((host & 255))
}

# AGENT[:K=V,...], or BOX=AGENT...: only a known box before the first "=" is one.
init_check_fence() {
	local word options option box
	declare -A has=()
	if [ "${#INIT_BOXES[@]}" = 1 ]; then
		[ "${#INIT_FENCE[@]}" = 0 ] || fail usage "--fence: nobody could switch a single box off"
		return
	fi
	[ "${#INIT_FENCE[@]}" -gt 0 ] ||
		fail usage "--fence is needed: without it a box that is cut off goes on with what the others start as well; or say --fence none" || return
	for word in "${INIT_FENCE[@]}"; do
		init_split_fence "$word"
		[[ $FENCE_AGENT =~ ^(fence_[a-z0-9_]+|sbd|none)$ ]] || fail usage "--fence: \"$FENCE_AGENT\" is no fence agent" || return
		case $FENCE_AGENT in
		sbd | none)
			[ "${#INIT_FENCE[@]}" = 1 ] && [ -z "$FENCE_BOX$FENCE_OPTIONS" ] ||
				fail usage "--fence: $FENCE_AGENT stands alone" || return
			;;
		esac
		IFS=, read -ra options <<<"$FENCE_OPTIONS"
		for option in "${options[@]}"; do
			[[ $option =~ ^[A-Za-z][A-Za-z0-9_-]*=[[:print:]]*$ ]] || fail usage "--fence: \"$option\" is not K=V" || return
		done
		[ -z "${has[${FENCE_BOX:-all}]:-}" ] || fail usage "--fence: ${FENCE_BOX:-all boxes}: named twice" || return
		has[${FENCE_BOX:-all}]=1
	done
	for box in "${INIT_BOXES[@]}"; do
		[ -n "${has[$box]:-}${has[all]:-}" ] || fail usage "--fence: nothing switches box $box off" || return
	done
}

# Sets FENCE_BOX FENCE_AGENT FENCE_OPTIONS.
init_split_fence() {
	local rest=$1
	FENCE_BOX='' FENCE_OPTIONS=''
	if [[ $rest == *=* && -n "${INIT_ADDRESS[${rest%%=*}]:-}" ]]; then
		FENCE_BOX=${rest%%=*} rest=${rest#*=}
	fi
	FENCE_AGENT=${rest%%:*}
	[[ $rest != *:* ]] || FENCE_OPTIONS=${rest#*:}
}

init_check_target() {
	[ "$INIT_DRY" = 1 ] || [ ! -e "$INIT_OUT" ] && [ ! -L "$INIT_OUT" ] || [ "$INIT_DRY" = 1 ] || {
		[ "$INIT_FORCE" = 1 ] || fail error "$INIT_OUT is there already (--force replaces it, with new keys)" || return
		[ -f "$INIT_OUT/.tote-store" ] || fail error "$INIT_OUT was not written by init-store: remove it yourself"
	}
}

# ---- writing ----

# stdin becomes FILE of the work, with its directories.
init_file() { # FILE [MODE]
	install -d -m 755 "$INIT_WORK/${1%/*}" && cat >"$INIT_WORK/$1" && chmod "${2:-644}" "$INIT_WORK/$1"
}

init_link() { # FILE TARGET
	install -d -m 755 "$INIT_WORK/${1%/*}" && ln -s "$2" "$INIT_WORK/$1"
}

init_write() {
	local box
	set -e
	echo 1 | init_file ./.tote-store
	init_keys
	for box in "${INIT_BOXES[@]}"; do
		init_box_files "$box"
	done
	init_headquarters
	init_readme | init_file ./README
}

# A tree is there whole or not at all.
init_install() {
	local beside words
	beside=$(dirname -- "$INIT_OUT")/.${INIT_OUT##*/}.new.$$
	words=$({ mkdir -p -- "$(dirname -- "$INIT_OUT")" && rm -rf "$beside" && cp -a "$INIT_WORK" "$beside" && chmod 700 "$beside" &&
		sync -f "$beside"; } 2>&1) || { rm -rf "$beside"; fail_by "$INIT_OUT" "$words"; return; }
	if [ -e "$INIT_OUT" ]; then
		words=$(mv -T "$INIT_OUT" "$beside.old" 2>&1) || { rm -rf "$beside"; fail_by "$INIT_OUT" "$words"; return; }
	fi
	words=$(mv -nT "$beside" "$INIT_OUT" 2>&1) || { fail_by "$INIT_OUT" "$words"; return; }
	rm -rf "$beside.old"
	sync_dir "$(dirname -- "$INIT_OUT")" || return
	init_say_losses
	echo "$INIT_OUT: store $INIT_NAME, ${#INIT_BOXES[@]} box(es); $INIT_OUT/README has the next commands"
}

init_say_losses() {
	case ${#INIT_BOXES[@]} in
	1) say "one box: no cluster; when it is lost, so is the store's service until it is back" ;;
	2) say "two boxes: one may fail, but after both were off both must be back (wait_for_all)" ;;
	esac
	[ "${INIT_FENCE[0]:-}" != none ] || say "no fencing: when a box is cut off, what runs on it runs twice until it has stopped there"
}

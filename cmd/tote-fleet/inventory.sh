# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# stores.tsv: which stores there are, how they are reached, and when they may be changed.

# Writes the checked lines, without comments, to WORK/stores; sets INVENTORY to that file and STORES to their number.
inventory_read() {
	local words
	INVENTORY=$WORK/stores
	[ -f "$FLEET/stores.tsv" ] || fail error "$FLEET/stores.tsv: there is no such file" || return
	words=$(awk -F '\t' -v out="$INVENTORY" -v name="$FLEET_NAME" "$INVENTORY_AWK" "$FLEET/stores.tsv" 2>&1) &&
		inventory_zones || fail error "stores.tsv${words:-:$WHY}" || return
	STORES=$(wc -l <"$INVENTORY")
}

# A POSIX awk has no bounds in patterns, some have: the name's length is compared by itself.
readonly INVENTORY_AWK='
function bad(why) { print ":" NR ": " why; failed = 1; exit 1 }
BEGIN { printf "" > out; box = "^([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9:][A-Za-z0-9.:_%-]*$" }
{ sub(/\r$/, "") }
/^[ \t]*(#|$)/ { next }
NF < 5 { bad("five columns with tabs between: store, boxes, transport, groups, window") }
NF > 5 { bad("more than five columns") }
$1 !~ /^[A-Za-z0-9][A-Za-z0-9._-]*$/ || length($1) > 63 { bad("\"" $1 "\" is no name for a store") }
# On a stick the case of letters may be lost.
tolower($1) == "default" { bad("\"" $1 "\" cannot be a store: wanted/default is the wish of all") }
$1 in seen { bad("the store " $1 " is there already") }
$3 !~ /^(ssh|pull|usb)$/ { bad("\"" $3 "\" is no transport: ssh, pull or usb") }
$4 != "-" && $4 !~ /^[A-Za-z0-9][A-Za-z0-9._-]*(,[A-Za-z0-9][A-Za-z0-9._-]*)*$/ { bad("\"" $4 "\" is no list of groups") }
$5 != "-" && $5 !~ /^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]( [A-Za-z0-9_+\/-]+)?$/ {
	bad("\"" $5 "\" is no window: as 22:00-05:00 Europe/Berlin, or -") }
{
	n = split($2, boxes, ",")
	if (n < 1 && $3 == "ssh") bad("the store " $1 " has no box")
	for (i = 1; i <= n; i++)
		if (boxes[i] !~ box && !($3 != "ssh" && $2 == "-")) bad("\"" boxes[i] "\" is no address")
	seen[$1] = 1
	print > out
}
END { if (close(out) != 0 && !failed) { print ": the scratch file cannot be written"; exit 1 } }
'

# An unknown time zone would silently be UTC.
inventory_zones() {
	local zone
	while IFS= read -r zone; do
		[ -f "/usr/share/zoneinfo/$zone" ] || { WHY=" the time zone $zone is not known here (Debian package tzdata)" && return 1; }
	done < <(cut -f 5 "$INVENTORY" | awk 'NF == 2 { print $2 }' | sort -u)
}

# REPLY = seconds until the window closes, 0 when it is closed now. "-" is always open.
window_left() { # WINDOW
	local from to now zone=UTC
	[ "$1" != - ] || { REPLY=- && return; }
	[[ $1 != *" "* ]] || zone=${1##* }
	now=$(TZ=$zone date +%H:%M:%S)
	now=$((10#${now:0:2} * 3600 + 10#${now:3:2} * 60 + 10#${now:6:2}))
	from=$((10#${1:0:2} * 3600 + 10#${1:3:2} * 60)) to=$((10#${1:6:2} * 3600 + 10#${1:9:2} * 60))
	# From and to the same minute: all day.
	REPLY=$(((to - now + 86400) % 86400))
	if [ $from = $to ]; then
		REPLY=86400
	elif [ $from -lt $to ]; then
		[ $now -ge $from ] && [ $now -lt $to ] || REPLY=0
	else
		[ $now -ge $from ] || [ $now -lt $to ] || REPLY=0
	fi
}

# A table "window <tab> uptime at which it closes" (0: closed, -: none): a job compares without a fork.
windows_table() { # FILE
	local window up
	while IFS= read -r window; do
		window_left "$window"
		IFS=' .' read -r up _ </proc/uptime
		case $REPLY in
		- | 0) printf '%s\t%s\n' "$window" "$REPLY" ;;
		*) printf '%s\t%s\n' "$window" $((up + REPLY)) ;;
		esac
	done < <(cut -f 5 "$INVENTORY" | sort -u) >"$1"
}

# Prints the stores that words on the command line mean, one a line.
stores_choose() { # STORE|@GROUP...
	local word
	for word; do
		awk -F '\t' -v word="$word" 'word == "@all" || $1 == word || (word ~ /^@/ && index("," $4 ",", "," substr(word, 2) ",")) { print $1; n++ }
			END { exit n == 0 }' "$INVENTORY" || fail usage "$word: there is no such store or group" || return
	done
}

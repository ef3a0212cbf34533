# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# The plan: ordered waves of stores and what each may cost. Read, checked, and turned into lists of stores.

WAVES=()
# "WAVE KEY" -> value; durations in seconds, shares as they were written.
declare -gA WAVE=()
# What a wave has when the plan does not say it, and what a value looks like.
declare -grA PLAN_DEFAULT=([stores]='' [percent]='' [soak]=0 [fail]=0 [unreachable]=100% [parallel]=32 [timeout]=30m [send-timeout]=2h
	[report]=1h [ask]=5m)
declare -grA PLAN_FORM=(
	[stores]="@?$FLEET_NAME(,@?$FLEET_NAME)*" [percent]='100|[1-9][0-9]?'
	[soak]='[0-9]{1,6}[smhd]?' [fail]='[0-9]{1,6}|(100|[0-9]{1,2})%' [unreachable]='[0-9]{1,6}|(100|[0-9]{1,2})%'
	[parallel]='[1-9][0-9]{0,2}' [timeout]='[1-9][0-9]{0,5}[smhd]?' [send-timeout]='[1-9][0-9]{0,5}[smhd]?'
	[report]='[0-9]{1,6}[smhd]?' [ask]='[1-9][0-9]{0,5}[smhd]?'
)

plan_read() { # FILE
	local line number=0
	WAVES=() WAVE=()
	[ -f "$1" ] || fail error "$1: there is no such file" || return
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		line=${line%$'\r'}
		[[ ! $line =~ ^[[:space:]]*(#|$) ]] || continue
		plan_wave "$line" || fail error "plan:$number: $WHY" || return
	done <"$1"
	[ ${#WAVES[@]} -gt 0 ] || fail error "$1: has no wave"
}

# Leaves words in WHY.
plan_wave() { # LINE
	local words word key name seen=' '
	read -ra words <<<"$1"
	name=${words[1]:-}
	[ "${words[0]}" = wave ] || { WHY="a line begins with \"wave NAME\"" && return 1; }
	is_name "$name" || { WHY="\"$name\" is no name for a wave" && return 1; }
	[[ " ${WAVES[*]} " != *" $name "* ]] || { WHY="the wave $name is there already" && return 1; }
	WAVES+=("$name")
	for key in "${!PLAN_DEFAULT[@]}"; do
		WAVE[$name $key]=${PLAN_DEFAULT[$key]}
	done
	for word in "${words[@]:2}"; do
		key=${word%%=*}
		[ -n "${PLAN_FORM[$key]+x}" ] && [[ $word == *=* ]] || { WHY="\"$word\": a wave has no such key" && return 1; }
		[[ ${word#*=} =~ ^(${PLAN_FORM[$key]})$ ]] || { WHY="\"$word\" has no good value" && return 1; }
		[[ $seen != *" $key "* ]] || { WHY="\"$key\" is there twice" && return 1; }
		seen+="$key "
		WAVE[$name $key]=${word#*=}
	done
	case ${WAVE[$name stores]:+stores}${WAVE[$name percent]:+percent} in
	stores | percent) ;;
	*) WHY="the wave $name needs either stores= or percent=" && return 1 ;;
	esac
	for key in soak timeout send-timeout report ask; do
		seconds_of "${WAVE[$name $key]}"
		WAVE[$name $key]=$REPLY
	done
}

# Which stores are in which wave: DIR/NAME.stores, in the order of their turn. A store is in the first wave that takes it.
# percent=N is of all stores in stores.tsv, rounded up, drawn from those of no earlier wave; 100 takes all that are left. The lot
# is the same for the same release, so that `plan` shows what `run` does, and another one for the next.
plan_assign() { # RELEASE DIR
	local words
	# Enough bytes for sort(1)'s key.
	printf '%s%s' "$1" "$1" >"$WORK/lot"
	cut -f 1 "$INVENTORY" | sort -R --random-source="$WORK/lot" >"$WORK/drawn" || fail error "the lot cannot be drawn" || return
	words=$(for_waves_awk | awk -v dir="$2" "$PLAN_AWK" - "$INVENTORY" "$WORK/drawn" 2>&1) ||
		fail error "plan: ${words:-the lists cannot be written}"
}

for_waves_awk() {
	local name
	for name in "${WAVES[@]}"; do
		printf '%s\t%s\t%s\n' "$name" "${WAVE[$name stores]:--}" "${WAVE[$name percent]:-0}"
	done
}

readonly PLAN_AWK='
BEGIN { FS = "\t" }
FNR == 1 { part++ }
part == 1 { wave[++waves] = $1; stores[waves] = $2; percent[waves] = $3; next }
part == 2 { store[++all] = $1; n = split($4, g, ","); groups[$1] = "," $4 ","; known[$1] = 1;
	for (i = 1; i <= n; i++) group[g[i]] = 1; next }
{ drawn[++draws] = $1 }
function take(w, s) { if (!(s in taken)) { taken[s] = 1; print s > file } }
function named(w,   n, words, i, j) {
	n = split(stores[w], words, ",")
	for (i = 1; i <= n; i++) {
		if (words[i] == "@all") { for (j = 1; j <= all; j++) take(w, store[j]) }
		else if (words[i] ~ /^@/) {
			if (!(substr(words[i], 2) in group)) { print "wave " wave[w] ": no store is in the group " words[i]; exit 1 }
			for (j = 1; j <= all; j++)
				if (index(groups[store[j]], "," substr(words[i], 2) ",")) take(w, store[j])
		} else if (!(words[i] in known)) { print "wave " wave[w] ": there is no store " words[i]; exit 1 }
		else take(w, words[i])
	}
}
END {
	for (w = 1; w <= waves; w++) {
		file = dir "/" wave[w] ".stores"
		printf "" > file
		if (stores[w] != "-") named(w)
		left = int((all * percent[w] + 99) / 100)
		for (i = 1; i <= draws && left > 0; i++)
			if (!(drawn[i] in taken)) { take(w, drawn[i]); left-- }
		if (close(file) != 0) { print "the list of wave " wave[w] " cannot be written"; exit 1 }
	}
}
'

# One line of JSON for each wave, by the lists of DIR and the transports of the inventory.
plan_table() { # DIR
	local name n fail unreachable
	for name in "${WAVES[@]}"; do
		n=$(wc -l <"$1/$name.stores")
		share_of "${WAVE[$name fail]}" "$n" && fail=$REPLY
		share_of "${WAVE[$name unreachable]}" "$n" && unreachable=$REPLY
		awk -F '\t' -v OFS='\t' -v w="$name" -v n="$n" -v f="$fail" -v u="$unreachable" \
			-v s="${WAVE[$name soak]}" -v p="${WAVE[$name parallel]}" '
			NR == FNR { in_wave[$1] = 1; next }
			$1 in in_wave { by[$3]++; if ($5 != "-") windows++ }
			END { print w, n, by["ssh"] + 0, by["pull"] + 0, by["usb"] + 0, windows + 0, s, f, u, p }' "$1/$name.stores" "$INVENTORY"
	done | jq -Rnc '[inputs | split("\t") | {name: .[0], stores: .[1] | tonumber, ssh: .[2] | tonumber, pull: .[3] | tonumber,
		usb: .[4] | tonumber, windows: .[5] | tonumber, soak: .[6] | tonumber, fail: .[7] | tonumber,
		unreachable: .[8] | tonumber, parallel: .[9] | tonumber}]'
}

plan_print() { # JSON RELEASE
	{
		printf 'WAVE\tSTORES\tSSH\tPULL\tUSB\tMAY FAIL\tUNREACHABLE\tAT ONCE\tSOAK\n'
		jq -r '.[] | [.name, .stores, .ssh, .pull, .usb, .fail, .unreachable, .parallel,
			if .soak % 3600 == 0 and .soak > 0 then "\(.soak / 3600)h" elif .soak % 60 == 0 and .soak > 0 then "\(.soak / 60)m" else "\(.soak)s" end]
			| @tsv' <<<"$1"
	} | column -t -s $'\t'
}

# plan [RELEASE]: without a release too, as it is what one looks at while writing the plan.
verb_plan() { # [RELEASE]
	local release=${1:-${OPT[release]:-}} waves covered id=''
	[ $# -le 1 ] || die usage "plan [RELEASE]"
	work_dir || exit
	inventory_read || exit
	if [ -n "${OPT[rollout]:-}" ]; then
		rollout_open "${OPT[rollout]}" || exit
		waves=$(plan_table "$ROLLOUT/waves") covered=$(cat "$ROLLOUT"/waves/*.stores | wc -l) release=$RELEASE id=$ROLLOUT_ID
	else
		[ -z "$release" ] || release_check "$release" || exit
		if [ -n "${OPT[freeze]:-}" ]; then
			rollout_new "$release" "$FLEET/plan" || exit
			waves=$(plan_table "$ROLLOUT/waves") covered=$(cat "$ROLLOUT"/waves/*.stores | wc -l) id=$ROLLOUT_ID
		else
			plan_read "$FLEET/plan" || exit
			plan_assign "${release:-$AUDIT_NONE}" "$WORK" || exit
			waves=$(plan_table "$WORK") covered=$(cat "$WORK"/*.stores | wc -l)
		fi
	fi
	if [ "$FORMAT" = json ]; then
		json_object release="$release" rollout="$id" stores:="$STORES" waves:="$waves" uncovered:=$((STORES - covered))
		printf '%s\n' "$REPLY"
	else
		[ -z "$id" ] || echo "rollout $id"
		plan_print "$waves"
		[ "$covered" -ge "$STORES" ] || say "$((STORES - covered)) of $STORES stores are in no wave"
	fi
}

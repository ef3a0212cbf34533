# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2016,SC2034,SC2153,SC2154
# The time between two waves: the wave's stores are asked again and again, and those that are no longer good count as failed.
# At the end each store's gate is run once more.

# waves/NAME.soak has the time at which it began, waves/NAME.done says that the wave is through; so a driver that goes on
# neither begins the time anew nor skips it.
soak() { # WAVE
	local begin end next now length=${WAVE[$1 soak]} every=${WAVE[$1 ask]} file=$ROLLOUT/waves/$1.soak
	[ -s "$file" ] || date +%s | replace_file "$file" || return
	begin=$(cat "$file")
	end=$((begin + length))
	printf -v now '%(%s)T' -1
	((now >= end)) || { show_duration $((end - now)) && say "wave $1: soaks for $REPLY"; }
	next=$((now + every))
	while ((now < end)); do
		wave_judge "$1" && wave_flag || return
		if ((now >= next)); then
			soak_ask "$1" status || return
			next=$((now + every))
		fi
		# The clock may be set back: not longer than the whole.
		((end - now <= length)) || end=$((now + length))
		read -rt 1 -u "$IDLE" || true
		printf -v now '%(%s)T' -1
	done
	[ "$length" = 0 ] || soak_ask "$1" gate
}

soak_ask() { # WAVE status|gate
	local input=$ROLLOUT/waves/$1.asked
	answers_table "$1" && wave_input "$1" "$2" "$input" || return
	rm -f "$ROLLOUT/$1.$2.joblog"
	[ ! -s "$input" ] || wave_parallel "$1" "$2" "$input" "$ROLLOUT/$1.$2.joblog" 1
	wave_judge "$1"
}

# SPDX-License-Identifier: Apache-2.0
# For tests of tote-site with real containers: one box as tests/supervise has them, with a depot and a site.conf in it.
#
#	load real
#	setup_file() { make_headquarters; }
#	setup()      { open_real; }
#	teardown()   { close_box; }

load helpers
load ../supervise/helpers

open_real() {
	# Before open_box, which does not ask whose it is.
	export TOTE_STORE
	open_box
	script_parts
	TOTE_STORE=$WORK/store
	mkdir -p "$TOTE_STORE" && chmod 700 "$TOTE_STORE"
	SITE=$WORK/site DEPOT=$WORK/depot
	export TOTE TOTE_SITE_CONF=$WORK/site.conf TOTE_SITE_SIGNERS=$HQ/signers TOTE_SITE_DIR=$SITE TOTE_SITE_RUN=$WORK/run
	mkdir -p "$DEPOT"/{wanted,releases,images,status}
	ln "$HQ"/images/* "$DEPOT/images/"
	printf '%s\n' 'store store0001' 'box box1' 'engine supervise' 'gate-seconds 1' 'gate-timeout 20' "depot $DEPOT" >"$TOTE_SITE_CONF"
	SERIAL=0
}

# Makes the next release with the service pos of an image, and sets REPLY. Further words are lines of the service.
next_release() { # IMAGE-ID [LINE...]
	local line
	SERIAL=$((SERIAL + 1))
	{
		printf 'services:\n  pos:\n    image: pos:1\n    network_mode: none\n    restart: always\n    init: true\n    stop_grace_period: 1s\n'
		[[ "${*:2}" == *x-tote:* ]] || echo '    x-tote: {update_timeout: 5s}'
		for line in "${@:2}"; do
			printf '    %s\n' "$line"
		done
	} >"$WORK/compose.yaml"
	rm -rf "$WORK/new"
	release_make "$WORK/new" "$HQ/key" serial=$SERIAL name=pos-$SERIAL project=pos expires="${EXPIRES:-2099-01-01T00:00:00Z}" \
		"compose=$WORK/compose.yaml" "image=pos:1@sha256:$1" || return
	REPLY=$RELEASE
	mv "$WORK/new" "$DEPOT/releases/$REPLY"
	echo "$REPLY" >"$DEPOT/wanted/default"
}

# In the box; what it starts does not hold our pipes.
site() {
	in_box timeout -k 5 "${LIMIT:-120}" "$SITE_SOURCE/tote-site" "$@" </dev/null
}

# Ends with the code of a class; sets $answer to its JSON.
site_ends() { # CLASS VERB...
	local code=0
	local begin=$EPOCHREALTIME
	site "${@:2}" --format json >"$WORK/answer" 2>"$WORK/said" || code=$?
	answer=$(cat "$WORK/answer")
	[ -z "${SITE_TIMES:-}" ] || echo "${*:2}: from $begin to $EPOCHREALTIME" >>"$SITE_TIMES"
	if [ "$code" != "${CODE[$1]}" ]; then
		echo "site ${*:2}: code $code instead of $1; $answer"
		cat "$WORK/said"
		return 1
	fi
	[ "$(jq .code <<<"$answer")" = "$code" ]
}

said() { [[ $(cat "$WORK/said") == *"$1"* ]] || { cat "$WORK/said"; return 1; }; }
answer_is() { jq -e "$1" <<<"$answer" >/dev/null || { echo "not $1: $answer"; return 1; }; } # JQ
version_runs() { in_box "$TOTE" exec pos-pos-1 cat /version || in_box "$TOTE" exec pos-pos-1.b cat /version; } 2>/dev/null

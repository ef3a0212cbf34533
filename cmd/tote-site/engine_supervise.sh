# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2015,SC2034
# The engine of boxes without a cluster: each box runs the whole release by `tote up`, and the supervisor keeps it running. Needs
# store.sh, services.sh, box.sh, peer.sh and lock.sh.

ENGINE_STANDBY=no

# ---- the lock: one on each box, in the order of names ----

ENGINE_LOCKED=()

engine_lock() {
	local box words code why
	read -ra words <<<"$LOCK_TOKEN"
	while IFS= read -r box; do
		# One that is off cannot begin anything either: that needs all boxes.
		jq -e '.online != false' <<<"${STATUS[$box]:-{\}}" >/dev/null || continue
		code=0
		box_do "$box" lock "${words[@]}" || code=$?
		if [ "$code" != 0 ]; then
			# It may have taken the lock and then gone.
			[ "$code" != 255 ] && code=${CODE[busy]} || ENGINE_LOCKED+=("$box")
			why=$WHY
			engine_unlock
			WHY=$why
			return "$code"
		fi
		ENGINE_LOCKED+=("$box")
	done < <(printf '%s\n' "${BOXES[@]}" | sort)
}

engine_unlock() {
	local box words
	read -ra words <<<"$LOCK_TOKEN"
	for box in "${ENGINE_LOCKED[@]}"; do
		box_do "$box" unlock "${words[@]}" || true
	done
	ENGINE_LOCKED=()
}

# On this box, whose own lock may be held by the one at work: the file has a lock of its own, for a moment.
engine_lock_here() { # BOX BOOT WORD
	engine_locked "$SITE_RUN/store-lock" engine_lock_take "$@"
}

engine_unlock_here() { # BOX BOOT WORD
	engine_locked "$SITE_RUN/store-lock" engine_lock_give "$@"
}

engine_locked() { # FILE FUNCTION WORD...
	local guard code=0
	exec {guard}>"$1.guard" || fail error "$1.guard: cannot be written" || return
	flock -w 60 "$guard" && "$2" "$1" "${@:3}" || code=$?
	exec {guard}>&-
	return "$code"
}

engine_lock_take() { # FILE BOX BOOT WORD
	local words=()
	[ ! -s "$1" ] || read -ra words <"$1"
	# Who asks has the lock of its box: an earlier tote-site of it has ended.
	if [ ${#words[@]} != 0 ] && [ "${words[0]}" != "$2" ] && ! lock_is_stale "${words[@]}"; then
		fail busy "${words[0]} is at work on the store (since $(date -ur "$1" +%FT%TZ))" || return
	fi
	replace_file "$1" 600 <<<"${*:2}"
}

engine_lock_give() { # FILE BOX BOOT WORD
	[ "$(cat "$1" 2>/dev/null)" != "${*:2}" ] || rm -f "$1"
}

# Nobody knows it but by asking.
engine_is_offline() { # BOX
	local code=0
	box_do "$1" boot || code=$?
	[ "$code" = 255 ]
}

# ---- in and out of the way: nothing to do ----

engine_standby() { :; }
engine_unstandby() { :; }
engine_begin() { :; }
engine_finish() { :; }
engine_boot() { :; }
engine_mend() { :; }

# ---- the change ----

# Whether this box can make a release's project: what engine_switch would do, without doing it.
engine_check() { # RELEASE
	services_load "$SITE_DIR/releases/$1"
}

# The images are pinned to those of the manifest: what their names mean in the store has no say.
engine_switch() { # RELEASE
	local desired code=0 words
	engine_check "$1" || return
	desired=$(jq -c --arg release "$1" \
		'{release: $release, project: .name, services: [.services[] | {name, image, digest, replicas, hash}]}' <<<"$SERVICES_PROJECT") ||
		fail error "release ${1:0:12}: tote config is not understood" || return
	replace_file "$SITE_DIR/desired.json" 600 <<<"$desired" || return
	words=$(exec 9>&- && box_compose $((CONF_GATE_TIMEOUT + 60)) "${TOTE:-tote}" up "${SERVICES_WORDS[@]}" \
		--wait --wait-timeout "$CONF_GATE_TIMEOUT" 2>&1 >/dev/null) || code=$?
	[ "$code" != 0 ] || return 0
	words=${words##*$'\n'}
	! is_space_error "$words" || fail full "release $RELEASE_NAME on $CONF_BOX: $words" || return
	# It did not come up: that is what the gate is about.
	fail gate "release $RELEASE_NAME on $CONF_BOX: ${words:-no answer in time}"
}

# ---- health ----

# What `tote status` says of a service, against desired.json and what the supervisor was told. $hash: of what it was told.
readonly ENGINE_HEALTH='
def seconds: ((.uptimeMs // 0) / 1000 | floor | if . < 0 then 0 else . end | tostring);
def instance($s): (.why // .healthWhy // "") as $why |
	if $s.wanted == "stopped" then "bad it was stopped by hand"
	elif .degraded then "bad it does not stay up: \($why)"
	elif .state == "failed" then "bad \($why)"
	elif $why != "" and .state != "running" then "wait \(.state): \($why)"
	elif .state == "completed" then "ok completed"
	elif (.health // "none") | IN("none", "healthy") | not then "wait \(.health) \($why)"
	elif $s.wanted == "on demand" and (.state | IN("created", "frozen")) then "ok on demand"
	elif .state == "running" then "\(seconds) running"
	else "wait \(.state)" end;
($status[0] // {}) as $status | ($stored[0] // {}) as $stored | ($desired[0] // {}) as $desired |
(if $status.supervisor == null then "supervisor wait no supervisor runs"
 elif ($status.supervisor.trouble // "") != "" then "supervisor wait \($status.supervisor.trouble)" else empty end),
([$status.projects[]? | select(.name == $desired.project)][0]) as $project |
if $project == null then "project bad \($desired.project) does not run here"
else
	(if ($project.trouble // "") != "" then "project wait \($project.trouble)" else empty end),
	($desired.services[] | . as $d | ([$project.services[] | select(.name == $d.name)][0]) as $s |
		([$stored.services[]? | select(.name == $d.name)][0]) as $told |
		if $s == null then "\($d.name) bad it is not there"
		elif $s.digest != $d.digest then "\($d.name) bad it has the image \($s.digest[7:19]) instead of \($d.digest[7:19]) \($s.note // "")"
		elif $d.hash != null and $told != null and $told.hash != $d.hash then "\($d.name) bad it is not as the release says \($s.note // "")"
		elif $s.updating then "\($d.name) wait it is being replaced"
		elif ($s.instances | length) < $d.replicas and $s.wanted != "stopped" then
			"\($d.name) wait \($s.instances | length) of \($d.replicas) are there \($s.why // "")"
		else ($s.instances[] | "\(.id) \(instance($s))") end),
	($project.services[] | select(.name as $n | $desired.services | all(.name != $n)) | "\(.name) wait it is not of this release")
end'

# Sets HEALTH.
engine_health() {
	local status code=0 desired=$SITE_DIR/desired.json stored=${TOTE_SUPERVISE_DIR:+$TOTE_SUPERVISE_DIR/state} release='' project=''
	# As engine_switch has written it: these two are the first.
	if { read -r status <"$desired"; } 2>/dev/null && [[ $status =~ ^'{"release":"'([0-9a-f]+)'","project":"'([a-z0-9_-]+)'",' ]]; then
		release=${BASH_REMATCH[1]} project=${BASH_REMATCH[2]}
	fi
	if [ "$release" != "$S_RELEASE" ]; then
		HEALTH=("release wait it was never brought up here whole")
		return
	fi
	status=$(box_compose 15 "${TOTE:-tote}" status -p "$project" --format json 2>/dev/null) || code=$?
	# 2: something is not up. 3: there is no supervisor. 4: no such project.
	case $code in
	[023]) ;;
	4) status='{"supervisor":{},"projects":[]}' ;;
	*) HEALTH=("supervisor wait tote status gives no answer") && return ;;
	esac
	stored=${stored:-/var/lib/tote-supervise}/$project.json
	[ -f "$stored" ] || stored=/dev/null
	mapfile -t HEALTH < <(jq -nr --slurpfile desired "$desired" --slurpfile stored "$stored" \
		--slurpfile status <(printf '%s' "$status") "$ENGINE_HEALTH" || echo "engine wait jq")
}

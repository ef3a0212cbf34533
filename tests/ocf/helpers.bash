# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of the resource agent: it is called as Pacemaker 2.1 does, with an environment of its own and the real tote.
#
#   load helpers
#   setup_file()    { make_images; }
#   setup()         { open_site; }
#   teardown()      { close_site; }
#   teardown_file() { drop_images; }
#
# agent ACTION [PARAMETER=VALUE...] runs it for the resource $ID; does CODE ACTION... also wants its exit code, and sets $output.
# tote() works on the same containers. $DATA is a directory for volumes.

load ../image/helpers

# One store for a file: box:1, which ends by TERM, and sick:1 with a HEALTHCHECK that looks for /data/well.
make_images() {
	[ "$(id -u)" = 0 ] || return 0
	SHARED=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-ocf.XXXXXX")
	export SHARED
	chmod 755 "$SHARED"
	export TOTE_STORE=$SHARED/store
	make_base
	cd "$SHARED"
	CONFIG='.config.Cmd = ["sh", "-c", "trap '"'exit 0'"' TERM; while :; do sleep 0.1; done"] | .config.Volumes = {"/var/spool": {}}' make_layout box box:1 "$BASE"
	CONFIG='.config.Cmd = ["sleep", "1000"] | .config.Healthcheck = {"Test": ["CMD-SHELL", "x=\"it'\''s\"; test \"$x\" = \"it'\''s\" && test -e /data/well"]}' \
		make_layout sick sick:1 "$BASE"
	"$TOTE" load -q box
	"$TOTE" load -q sick
}

drop_images() {
	[ -z "${SHARED:-}" ] || rm -rf "$SHARED"
}

open_site() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$(mktemp -d "$SHARED/site.XXXXXX")
	chmod 755 "$WORK"
	ROOT=$WORK/state DATA=$WORK/data ID=o$$-$BATS_TEST_NUMBER
	AGENT=$WORK/lib/ocf/resource.d/tote/container
	install -D -m 755 "$BATS_TEST_DIRNAME/../../cmd/ocf/container" "$AGENT"
	mkdir "$DATA" "$WORK/bin"
	ENGINE=$WORK/bin/tote
	engine 'exec "$TOTE" --root "$ROOT" "$@"'
	cd "$WORK"
}

# What the agent finds as tote: a shell's line.
engine() {
	printf '#!/bin/sh\nTOTE=%s ROOT=%s\n%s\n' "$TOTE" "$ROOT" "$1" >"$ENGINE.new"
	chmod 755 "$ENGINE.new"
	mv "$ENGINE.new" "$ENGINE"
}

close_site() {
	[ -z "${HOLDER:-}" ] || kill -KILL "$HOLDER" 2>/dev/null || true
	# What a test that failed had torn: with it, delete would not find the processes.
	[ ! -e "${WORK:-/nonexistent}/saved" ] || cp "$WORK/saved" "$ROOT/$ID/state.json" 2>/dev/null || true
	for id in $(ls -A "${ROOT:-/nonexistent}" 2>/dev/null); do
		[ "$id" = .seccomp ] || tote delete --force "$id"
	done
	cd /
	rm -rf "${WORK:-/nonexistent}"
}

# Sets COMMAND. Names in capitals are variables as they are, but for CRM_meta_*.
agent_command() {
	local action=$1 word
	shift
	COMMAND=(env -i PATH="$PATH" TOTE_STORE="$TOTE_STORE" HA_RSCTMP="$WORK/tmp" OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1
		OCF_RA_VERSION_MINOR=1 OCF_RESOURCE_INSTANCE="$ID" OCF_RESOURCE_PROVIDER=tote OCF_RESOURCE_TYPE=container
		OCF_EXIT_REASON_PREFIX=ocf-exit-reason: OCF_OUTPUT_FORMAT=text OCF_RESKEY_crm_feature_set=3.16.2
		OCF_RESKEY_CRM_meta_timeout=40000 OCF_RESKEY_CRM_meta_interval=10000)
	for word; do
		case $word in
		OCF_*) COMMAND+=("$word") ;;
		*) COMMAND+=("OCF_RESKEY_$word") ;;
		esac
	done
	COMMAND+=("$AGENT" "$action")
}

agent() {
	local COMMAND
	agent_command "$@"
	timeout -s KILL 90 "${COMMAND[@]}" </dev/null
}

# What most tests run.
IMAGE=(image=box:1)

does() { # CODE ACTION [PARAMETER=VALUE...]
	local want=$1
	shift
	run agent "$@" "tote=$ENGINE"
	echo "$*: code $status: $output"
	[ "$status" -eq "$want" ]
}

says() { # WORDS: the reason of the last one
	[[ $output == *"ocf-exit-reason:"*"$1"* ]]
}

# In the background, in a process group of its own as Pacemaker makes it: $AGENT_PID. Nothing of it holds bats's pipes.
agent_begins() { # ACTION [PARAMETER=VALUE...]
	local COMMAND
	agent_command "$@" "tote=$ENGINE"
	setsid "${COMMAND[@]}" </dev/null >"$WORK/out" 2>&1 3>&- &
	AGENT_PID=$!
}

agent_ends() { # CODE
	local code=0
	wait "$AGENT_PID" || code=$?
	echo "ended with $code: $(cat "$WORK/out")"
	[ "$code" -eq "$1" ]
}

# What Pacemaker does when its patience is over.
agent_is_killed() {
	{
		kill -KILL -- "-$AGENT_PID" || true # it may have ended
		wait "$AGENT_PID" || true
	} 2>/dev/null
}

quiet_state() {
	local code=0
	tote state --quiet "$ID" || code=$?
	echo "$code"
}

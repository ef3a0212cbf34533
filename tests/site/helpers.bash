# SPDX-License-Identifier: Apache-2.0
# Shared by the tests of tote-site: a box in a directory, a depot beside it, signers, and real images.
#
#   load helpers
#   setup_file() { make_headquarters; }     # $HQ: key, signers, images pos:1 and pos:2, their IDs $POS1 and $POS2 (64 digits)
#   setup()      { make_box; }              # $BOX: site.conf, site/, run/, store/; $DEPOT with release 1 as wanted, $R1
#   teardown()   { drop_box; }
#
# site VERB... is tote-site on that box. release SERIAL IMAGE-ID [WORD...] makes another release in the depot and sets REPLY.

REAL_JQ=1 # tote-site has it
load ../cli/helpers

SITE_SOURCE=$BATS_TEST_DIRNAME/../../cmd/tote-site

script_parts() {
	local part
	for part in say replace signed release secret_index depot; do
		# shellcheck source=/dev/null
		. "$BATS_TEST_DIRNAME/../../cmd/script/$part.sh"
	done
}

# Once for a file of tests, on a tmpfs.
make_headquarters() {
	export HQ POS1 POS2
	HQ=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-site.XXXXXX")
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$HQ/key"
	ssh-keygen -q -t ed25519 -N '' -C stranger -f "$HQ/stranger"
	echo "hq@shop.example $(cat "$HQ/key.pub")" >"$HQ/signers"
	make_rootfs "$HQ/rootfs"
	mkdir "$HQ/images"
	hq_image 1 && POS1=$REPLY
	hq_image 2 && POS2=$REPLY
	script_parts
}

hq_image() { # NUMBER: image pos:NUMBER
	echo "$1" >"$HQ/rootfs/version"
	tar -C "$HQ/rootfs" -cf "$HQ/pos.tar" .
	TOTE_STORE=$HQ/store "$TOTE" import -q --cmd 'sleep 3600' "$HQ/pos.tar" "pos:$1" >/dev/null
	REPLY=$(TOTE_STORE=$HQ/store "$TOTE" inspect "pos:$1" | jq -r '.[0].id')
	REPLY=${REPLY#sha256:}
	TOTE_STORE=$HQ/store "$TOTE" save -o "$HQ/images/$REPLY.tar" "pos:$1"
}

drop_headquarters() {
	[ -z "${HQ:-}" ] || rm -rf "$HQ"
}

make_box() {
	script_parts
	BOX=$(mktemp -d "$HQ/box.XXXXXX")
	DEPOT=$BOX/depot
	mkdir -p "$DEPOT"/{wanted,releases,images,status}
	ln "$HQ"/images/* "$DEPOT/images/"
	printf 'store store0001\nbox box1\nengine supervise\n' >"$BOX/site.conf"
	cp "$HQ/signers" "$BOX/signers"
	export TOTE TOTE_STORE=$BOX/store TOTE_SITE_CONF=$BOX/site.conf TOTE_SITE_SIGNERS=$BOX/signers TOTE_SITE_DIR=$BOX/site TOTE_SITE_RUN=$BOX/run
	SITE=$TOTE_SITE_DIR
	echo 'services: {pos: {image: "pos:1", init: true}}' >"$BOX/compose.yaml"
	release 1 "$POS1"
	R1=$REPLY
}

drop_box() {
	cd /
	[ -z "${BOX:-}" ] || rm -rf "$BOX"
}

# A release in the depot, wanted by all. Words replace those of the manifest. Sets REPLY.
release() { # SERIAL IMAGE-ID [WORD...]
	rm -rf "$BOX/new"
	release_make "$BOX/new" "${KEY:-$HQ/key}" "serial=$1" "name=pos-$1" project=pos expires=2099-01-01T00:00:00Z "compose=$BOX/compose.yaml" \
		"image=pos:1@sha256:$2" "${@:3}" || return
	REPLY=$RELEASE
	mv "$BOX/new" "$DEPOT/releases/$REPLY"
	echo "$REPLY" >"$DEPOT/wanted/default"
}

# At the start of a test that make check has no time for: make fleet-check runs it.
long_one() { [ "${ALL:-0}" = 1 ] || skip "takes long: ALL=1 runs it"; }

site() { timeout -k 5 "${LIMIT:-120}" "$SITE_SOURCE/tote-site" "$@" 3>&- </dev/null; }

state() { jq -r "$1" "$SITE/state.json"; } # JQ

# site VERB... ends with the code of that class, and stderr has these words. What it says is shown when not.
site_fails() { # CLASS WORDS VERB...
	run --separate-stderr site "${@:3}"
	echo "site ${*:3}: code $status, stdout \"$output\", stderr \"$stderr\""
	[ "$status" -eq "${CODE[$1]}" ] && [[ $stderr == *"$2"* ]]
}

# Whatever failed: no half release, each one that is here is whole, nothing lies about, and state.json can be read.
box_is_sound() {
	local dir
	for dir in "$SITE"/releases/*; do
		[ -d "$dir" ] || continue
		release_verify "$dir" "$TOTE_SITE_SIGNERS" && [ "$RELEASE" = "${dir##*/}" ] || { echo "$dir is no whole release"; return 1; }
	done
	[ ! -e "$SITE/state.json" ] || jq -e .phase "$SITE/state.json" >/dev/null || { echo "state.json: $(cat "$SITE/state.json")"; return 1; }
}

nothing_in_incoming() {
	[ -z "$(find "$SITE/incoming" -type f)" ] || { find "$SITE/incoming"; return 1; }
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The format of a release: what is made can be verified, by hand as well, and nothing else can.
bats_require_minimum_version 1.5.0

load helpers

setup_file() {
	export HQ
	HQ=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-release.XXXXXX")
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$HQ/key"
	ssh-keygen -q -t ed25519 -N '' -C stranger -f "$HQ/stranger"
	echo "hq@shop.example,hq2@shop.example $(cat "$HQ/key.pub")" >"$HQ/signers"
}
teardown_file() { rm -rf "$HQ"; }

setup() {
	script_parts
	WORK=$BATS_TEST_TMPDIR/work
	mkdir "$WORK"
	cd "$WORK"
	HEX=$(printf x | sha256sum | cut -c 1-64)
	echo 'services: {}' >compose.yaml
	echo '{"till": 1}' >till.json
}

make() { # WORD...: the release "r"
	release_make r "${KEY:-$HQ/key}" serial=42 name=pos-2026.11 project=pos expires=2099-01-31T00:00:00Z compose=compose.yaml \
		file=configs/till.json=till.json "image=pos:1.2@sha256:$HEX" "$@"
}

refused() { # WORDS COMMAND...
	run --separate-stderr "${@:2}"
	echo "${*:2}: code $status, \"$stderr\""
	[ "$status" -eq 4 ] && [[ $stderr == *"$1"* ]]
}

@test "what is made can be verified, and tells all it has" {
	make "image=db:7@sha256:$HEX"
	release_verify r "$HQ/signers"
	[ "$SIGNER" = hq@shop.example ]
	[ "$RELEASE_SERIAL $RELEASE_NAME $RELEASE_PROJECT $RELEASE_EXPIRES" = "42 pos-2026.11 pos 2099-01-31T00:00:00Z" ]
	[ "$RELEASE_EXPIRES_AT" = "$(date -u -d 2099-01-31T00:00:00Z +%s)" ]
	[ "${RELEASE_IMAGE_NAMES[*]}" = "pos:1.2 db:7" ]
	[ "${RELEASE_IMAGES[db:7]}" = "$HEX" ]
	[ "${!RELEASE_FILES[*]}" = configs/till.json ]
	[ "$RELEASE" = "$(sha256sum <r/manifest | cut -d ' ' -f 1)" ]
	[ "$RELEASE_COMPOSE" = "$(sha256sum <compose.yaml | cut -d ' ' -f 1)" ]
}

@test "by hand: signed and verified with nothing but OpenSSH and coreutils" {
	make
	rm r/manifest.sig
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release r/manifest
	ssh-keygen -Y verify -f "$HQ/signers" -I hq2@shop.example -n tote-release -s r/manifest.sig <r/manifest
	release_verify r "$HQ/signers"
}

@test "a key in ssh-agent signs" {
	eval "$(ssh-agent -s)" >/dev/null
	ssh-add -q "$HQ/key"
	cp "$HQ/key.pub" agent.pub
	code=0
	KEY=$WORK/agent.pub make || code=$?
	ssh-agent -k >/dev/null
	[ "$code" = 0 ]
	release_verify r "$HQ/signers"
}

@test "nothing is made of what could not be read again" {
	refused "serial" make serial=0
	refused "serial" make serial=9007199254740992
	refused "name" make name=Pos
	refused "project" make project=po.s
	refused "no such time" make expires=2099-02-30T00:00:00Z
	refused "expires" make expires=tomorrow
	refused "image" make "image=pos:2@sha256:123"
	refused "twice" make "image=pos:1.2@sha256:$HEX"
	run release_make r "$HQ/key" file=../x=till.json
	[ "$status" -eq 2 ]
	run release_make r "$HQ/key" serial=1 name=x project=x expires=2099-01-01T00:00:00Z compose=compose.yaml
	[ "$status" -eq 4 ]
	[ -z "$(find . -mindepth 1 ! -name '*.yaml' ! -name '*.json')" ]
}

@test "one changed byte anywhere is found" {
	local file
	make
	for file in manifest manifest.sig compose.yaml configs/till.json; do
		rm -rf s
		cp -a r s
		# The last byte but one, so that lines stay lines.
		printf '\x21' | dd of="s/$file" bs=1 seek=$(($(stat -c %s "s/$file") - 2)) conv=notrunc status=none
		refused "" release_verify s "$HQ/signers"
	done
}

@test "signatures of strangers, for other purposes, and of a key that has expired" {
	KEY=$HQ/stranger make
	refused "nobody in" release_verify r "$HQ/signers"
	rm -rf r
	make
	cp r/manifest m
	ssh-keygen -q -Y sign -f "$HQ/key" -n file m
	cp m.sig r/manifest.sig
	refused "not good" release_verify r "$HQ/signers"
	rm -rf r
	make
	echo "hq valid-before=\"20200101\" $(cat "$HQ/key.pub")" >old
	refused "" release_verify r old
	: >empty
	run release_verify r empty
	[ "$status" -eq 1 ]
}

@test "half a release: each file missing, and each one cut" {
	local file
	make
	for file in manifest manifest.sig compose.yaml configs/till.json configs; do
		rm -rf s
		cp -a r s
		rm -rf "s/$file"
		refused "missing" release_verify s "$HQ/signers"
		[ -d "r/$file" ] && continue
		rm -rf s
		cp -a r s
		truncate -s 10 "s/$file"
		refused "" release_verify s "$HQ/signers"
		rm -rf s
		cp -a r s
		truncate -s 0 "s/$file"
		refused "" release_verify s "$HQ/signers"
	done
}

@test "what does not belong to it: files, directories, links, pipes" {
	make
	release_verify r "$HQ/signers"
	touch r/more
	refused "'more': does not belong" release_verify r "$HQ/signers"
	rm r/more
	touch "r/@"
	refused "does not belong" release_verify r "$HQ/signers"
	rm "r/@"
	touch r/$'\n'
	refused "does not belong" release_verify r "$HQ/signers"
	rm r/$'\n'
	touch r/configs/.x
	refused "does not belong" release_verify r "$HQ/signers"
	rm r/configs/.x
	mkdir r/empty
	refused "does not belong" release_verify r "$HQ/signers"
	rmdir r/empty
	mkfifo r/pipe
	refused "does not belong" release_verify r "$HQ/signers"
	rm r/pipe
	mv r/compose.yaml y
	ln -s ../y r/compose.yaml
	refused "does not belong" release_verify r "$HQ/signers"
	mv -f y r/compose.yaml
	mv r/configs c
	ln -s ../c r/configs
	refused "does not belong" release_verify r "$HQ/signers"
	rm r/configs
	mv c r/configs
	rm r/compose.yaml
	mkfifo r/compose.yaml
	refused "does not belong" release_verify r "$HQ/signers"
	rm r/compose.yaml
	mv r/manifest m
	mkfifo r/manifest
	refused "no file" release_verify r "$HQ/signers"
}

# A manifest that an authorised signer has signed by mistake is refused as well. stdin: a sed program for it.
signed_otherwise() { # WORDS SED...
	rm -rf s && cp -a r s && rm s/manifest.sig
	sed -i "${@:2}" s/manifest
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release s/manifest
	refused "$1" release_verify s "$HQ/signers"
}

@test "syntax: order, doubles, unknown keys, bad values" {
	make
	signed_otherwise "manifest:1: " 1d
	signed_otherwise "manifest:1: " '1s/1/2/'
	signed_otherwise "manifest:2: \"serial\" has no good value" '2s/42/042/'
	signed_otherwise "manifest:2: " '2s/42/-1/'
	signed_otherwise "manifest:2: " '2s/42/99999999999999999999/'
	signed_otherwise "manifest:2: " '2s/ / /;2s/42/ 42/'
	signed_otherwise "\"serial\" is there already" '2{p}'
	signed_otherwise "\"serial\" is expected" 2d
	signed_otherwise "\"expires\" is expected" 5d
	signed_otherwise "no such key, or not at this place" '$a serial 43'
	signed_otherwise "expected" '3i colour red'
	signed_otherwise "no such key" '$a colour red'
	signed_otherwise "no such time" '5s/2099-01-31/2099-02-31/'
	signed_otherwise "manifest:5: " '5s/Z/+01:00/'
	signed_otherwise "manifest:6: " '6s/sha256:/sha512:/'
	signed_otherwise "manifest:6: " '6s/[0-9a-f]$//'
	signed_otherwise "manifest:7: " '7s|configs/till.json|../till.json|'
	signed_otherwise "manifest:7: " '7s|configs/till.json|configs/../../till.json|'
	signed_otherwise "manifest:7: " '7s|configs/till.json|/etc/passwd|'
	signed_otherwise "manifest:7: " '7s|configs/till.json|-rf|'
	signed_otherwise "manifest:7: " '7s|configs/till.json|a//b|'
	signed_otherwise "manifest:7: " '7s|configs/till.json|$(touch pwned)|'
	signed_otherwise "cannot have this name" '7s|configs/till.json|compose.yaml|'
	signed_otherwise "is there twice" '7{p}'
	signed_otherwise "manifest:8: " '8s/@sha256/@md5/'
	signed_otherwise "manifest:8: " '8s/pos:1.2/-v/'
	signed_otherwise "is there twice" '8{p}'
	signed_otherwise "no image" 8d
	signed_otherwise "manifest:" '4a\\'
	[ ! -e pwned ]
	[ ! -e s/pwned ]
}

@test "bytes: CR, tab, NUL, UTF-8, no end of the last line, no end at all" {
	make
	signed_otherwise "not printable" 's/$/\r/'
	signed_otherwise "not printable" '3s/ /\t/'
	signed_otherwise "not printable" '3s/pos/p\x00s/'
	signed_otherwise "not printable" '3s/pos/p\xc3\xb6s/'
	rm -rf s
	cp -a r s
	rm s/manifest.sig
	truncate -s -1 s/manifest
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release s/manifest
	refused "no end" release_verify s "$HQ/signers"
	rm -rf s
	cp -a r s
	yes "$(tail -n 1 r/manifest)" | head -n 20000 >>s/manifest || true
	refused "more than 1048576 bytes" release_verify s "$HQ/signers"
	truncate -s 100G s/manifest
	refused "more than 1048576 bytes" apart release_verify s "$HQ/signers"
}

@test "expiry: release_fresh" {
	make expires=2020-01-01T00:00:00Z
	release_verify r "$HQ/signers"
	refused "has expired, at 2020-01-01" release_verify r "$HQ/signers" release_fresh
	rm -rf r
	make
	release_verify r "$HQ/signers" release_fresh
}

# In a shell of its own, as bats looks at every command of this one.
apart() { # COMMAND...
	timeout 60 bash -c 'SAY_NAME=apart; for part in say replace signed release; do . "$0/$part.sh"; done; "$@"; code=$?; echo "${#RELEASE_IMAGE_NAMES[@]}"; exit $code' \
		"$BATS_TEST_DIRNAME/../../cmd/script" "$@"
}

@test "a manifest with as many lines as there may be is read in bounded time, one more is refused" {
	make
	sed -i '$d' r/manifest
	seq -f "image p%g:1@sha256:$HEX" $((2000 - $(wc -l <r/manifest))) >>r/manifest
	rm r/manifest.sig
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release r/manifest
	run --separate-stderr apart release_verify r "$HQ/signers"
	[ "$status" -eq 0 ]
	[ "$output" = 1993 ]
	echo "image last:1@sha256:$HEX" >>r/manifest
	rm r/manifest.sig
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release r/manifest
	refused "more lines" apart release_verify r "$HQ/signers"
}

@test "secrets: the index is signed, for one store" {
	mkdir s
	echo a >s/db.age
	echo b >s/web.age
	secrets_make s "$HQ/key" store0001 7
	secrets_verify s "$HQ/signers" store0001
	[ "$SECRETS_SERIAL" = 7 ]
	[ "${#SECRETS[@]}" = 2 ]
	refused "not for the store" secrets_verify s "$HQ/signers" store0002
	echo c >s/db.age
	refused "not what the index says" secrets_verify s "$HQ/signers" store0001
	rm s/db.age
	refused "is missing" secrets_verify s "$HQ/signers" store0001
	# A signature for a release is none for secrets.
	echo a >s/db.age
	secrets_make s "$HQ/key" store0001 8
	rm s/index.sig
	ssh-keygen -q -Y sign -f "$HQ/key" -n tote-release s/index
	refused "not good" secrets_verify s "$HQ/signers" store0001
}

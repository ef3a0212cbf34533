# SPDX-License-Identifier: Apache-2.0
# Headquarters without stores at the end of a line: signing, going back, sticks, stores that come for their release, secrets.
bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats
load helpers

setup() {
	command -v parallel >/dev/null || skip "needs GNU parallel"
	make_fleet 5
	ssh-keygen -q -t ed25519 -N '' -C hq -f "$BATS_TEST_TMPDIR/key"
	export TOTE=$TESTS/fake/tote TOTE_FLEET_KEY=$BATS_TEST_TMPDIR/key
	echo "hq $(cat "$BATS_TEST_TMPDIR/key.pub")" >"$FLEET/release-signers"
	SOURCE=$BATS_TEST_TMPDIR/pos
	mkdir -p "$SOURCE/configs"
	printf 'services:\n  till:\n    image: pos:1\n' >"$SOURCE/compose.yaml"
	echo '{"till": 1}' >"$SOURCE/configs/till.json"
	echo "wave all stores=@all" >"$FLEET/plan"
}

transport() { # STORE ssh|pull|usb
	sed -i "/^$1\t/s/\tssh\t/\t$2\t/" "$FLEET/stores.tsv"
}

# What a box of the store leaves in the depot after it took what it wants.
report() { # DEPOT STORE CODE TIME
	local release
	release=$(cat "$1/wanted/$2")
	jq -nc --arg s "$2" --arg r "$release" --argjson c "$3" --arg t "$4" \
		'{"tote-site": 1, store: $s, box: "b1", release: (if $c == 0 then $r else "old" end), serial: 1, name: "pos", phase: "settled", wanted: $r, highest: 1,
		failed: (if $c == 5 then [$r] else [] end), good: ($c == 0), why: "said \"so\"", code: $c, boxes: {b1: {release: (if $c == 0 then $r else "old" end), online: true, good: true}}, time: $t}' \
		>"$1/status/$2.json"
}

@test "sign: manifest, files and images; the serial goes up by itself; nothing by --dry-run" {
	run fleet sign "$SOURCE" --dry-run
	[ "$status" = 0 ]
	[[ $output == *"image=pos:1@sha256:0000"* ]]
	[ -z "$(ls "$FLEET/releases")" ]
	R=$(fleet sign "$SOURCE" --expires 2099-01-01T00:00:00Z)
	[ "$(sha256sum <"$FLEET/releases/$R/manifest" | cut -c 1-64)" = "$R" ]
	ssh-keygen -Y verify -f "$FLEET/release-signers" -I hq -n tote-release -s "$FLEET/releases/$R/manifest.sig" <"$FLEET/releases/$R/manifest"
	grep -qx 'serial 1' "$FLEET/releases/$R/manifest"
	grep -q '^file configs/till.json sha256:' "$FLEET/releases/$R/manifest"
	[ "$(fleet sign "$SOURCE" --format json | jq .serial)" = 2 ]
	ln -s /etc/passwd "$SOURCE/link"
	run fleet sign "$SOURCE"
	[ "$status" = 4 ]
}

@test "sign: odd names, a link to the directory, what is left out and what is told, words that cannot be" {
	echo odd >"$SOURCE/configs/a=b.conf"
	mkdir "$SOURCE/.git"
	ln -s /nowhere "$SOURCE/.git/HEAD"
	echo A=1 >"$SOURCE/.env"
	ln -s "$SOURCE" "$BATS_TEST_TMPDIR/shop-a-1.3"
	run fleet sign "$BATS_TEST_TMPDIR/shop-a-1.3"
	[ "$status" = 0 ]
	[[ $output == *"left out: .git"* ]]
	[[ $output == *"takes 'configs/a=b.conf'"* ]]
	R=${lines[-1]}
	[ "$(cat "$FLEET/releases/$R/configs/a=b.conf")" = odd ]
	[ -e "$FLEET/releases/$R/.env" ]
	[ ! -e "$FLEET/releases/$R/.git" ]
	grep -qx 'name pos' "$FLEET/releases/$R/manifest"
	# The version is not of the project's name, the rest is.
	R=$(fleet sign "$SOURCE" --name shop-a-1.3)
	grep -qx 'project shop-a' "$FLEET/releases/$R/manifest"
	rm "$FLEET/release-signers"
	run fleet sign "$SOURCE" --expires 2020-01-01T00:00:00Z
	[ "$status" = 4 ]
	[ "$(find "$FLEET/releases" -mindepth 1 -maxdepth 1 | wc -l)" = 2 ]
	run fleet sign "$SOURCE" --name POS
	[ "$status" = 2 ]
	run fleet sign "$SOURCE" --project POS
	[ "$status" = 2 ]
}

@test "sign refuses a key that nobody knows, and leaves nothing" {
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/other"
	run fleet sign "$SOURCE" --key "$BATS_TEST_TMPDIR/other"
	[ "$status" = 4 ]
	[ -z "$(ls -A "$FLEET/releases")" ]
	[ ! -s "$FLEET/audit.jsonl" ]
}

@test "rollback: the old content under a new serial, in a rollout of its own" {
	local old back
	old=$(fleet sign "$SOURCE")
	fleet run "$old" --quiet
	echo '{"till": 2}' >"$SOURCE/configs/till.json"
	R=$(fleet sign "$SOURCE")
	fleet run "$R" --quiet
	run fleet rollback --dry-run
	[ "$status" = 0 ]
	[ "$(running "$R")" = 5 ]
	fleet rollback --all --quiet
	[ "$(running "$R")" = 0 ]
	back=$(cat "$FAKE_STORES/store0001/release")
	[ "$back" != "$old" ]
	grep -qx 'serial 3' "$FLEET/releases/$back/manifest"
	cmp "$FLEET/releases/$old/configs/till.json" "$FLEET/releases/$back/configs/till.json"
	[ "$(running "$back")" = 5 ]
	[ "$(jq -r .verb <"$FLEET/audit.jsonl" | grep -c rollback)" = 1 ]
}

@test "rollback goes to what went well last: not to what was aborted, taken back, planned only, or is of another project" {
	local good other n
	good=$(fleet sign "$SOURCE")
	fleet run "$good" --quiet
	for n in aborted planned running; do
		echo "# $n" >>"$SOURCE/compose.yaml"
		R=$(fleet sign "$SOURCE")
		fleet plan --freeze "$R"
		[ $n != aborted ] || fleet abort
		[ $n != planned ] || other=$(fleet sign "$SOURCE" --project other)
	done
	fleet run "$other" --quiet
	fleet run --rollout 5-pos --quiet
	run fleet rollback --dry-run
	[ "$status" = 0 ]
	[[ $output == *"would abort 5-pos and bring the content of $good out again"* ]]
	fleet rollback --quiet
	# And from there to nothing: 5 was taken back, and 1 is what runs.
	run fleet rollback --dry-run
	[ "$status" = 1 ]
	[[ $output == *"--to"* ]]
}

@test "rollback --all has the limits of the last wave, or those of --fail" {
	fleet run "$(fleet sign "$SOURCE")" --quiet
	echo "# more" >>"$SOURCE/compose.yaml"
	printf 'wave canary stores=store0001\nwave rest percent=100 soak=0 fail=1 parallel=2\n' >"$FLEET/plan"
	fleet run "$(fleet sign "$SOURCE")" --quiet
	fleet rollback --all --quiet
	[ "$(cat "$FLEET/rollouts/3-pos/plan")" = "wave all stores=@all fail=1 parallel=2" ]
	echo "# even more" >>"$SOURCE/compose.yaml"
	fleet run "$(fleet sign "$SOURCE")" --quiet
	fleet rollback --all --fail 50% --quiet
	[ "$(cat "$FLEET/rollouts/5-pos/plan")" = "wave all stores=@all parallel=2 fail=50%" ]
	run fleet rollback --fail 5%
	[ "$status" = 2 ]
}

@test "rollback of a rollout that is under way ends it for good" {
	fleet run "$(fleet sign "$SOURCE")" --quiet
	echo "# changed" >>"$SOURCE/compose.yaml"
	R=$(fleet sign "$SOURCE")
	inject store0003 ill
	echo "wave all stores=@all fail=0 parallel=1" >"$FLEET/plan"
	run fleet run "$R" --quiet
	[ "$status" = 3 ]
	rm "$FAKE_STORES/store0003/mode"
	fleet rollback --quiet
	[ "$(running "$R")" = 0 ]
	run fleet run --rollout 2-pos
	[ "$status" = 6 ]
}

@test "a stick: out, and the answers back; without any network" {
	local stick=$BATS_TEST_TMPDIR/stick offline=()
	mkdir "$stick"
	transport store0004 usb
	transport store0005 usb
	R=$(fleet sign "$SOURCE")
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[[ $output == *"2 by hand"* ]]
	[ "$(id -u)" != 0 ] || offline=(unshare -n)
	fleet_program=("${offline[@]}" "$FLEET_PROGRAM" --dir "$FLEET")
	"${fleet_program[@]}" export-usb store0004 store0005 "$stick" --dry-run
	[ -z "$(ls "$stick")" ]
	"${fleet_program[@]}" export-usb store0004 store0005 "$stick"
	[ "$(cat "$stick/wanted/store0004")" = "$R" ]
	diff -r "$FLEET/releases/$R" "$stick/releases/$R"
	[ -s "$stick/images/$(printf %064d 0).tar" ]
	report "$stick" store0004 0 2026-11-23T10:00:00Z
	report "$stick" store0005 5 2026-11-23T10:00:00Z
	# Strangers' files: another store's, no JSON, a link, a huge one.
	report "$stick" store0004 0 2026-11-23T10:00:00Z
	cp "$stick/status/store0005.json" "$stick/status/store0001.json"
	echo '{' >"$stick/status/store0002.json"
	ln -s /etc/passwd "$stick/status/store0003.json"
	"${fleet_program[@]}" import-status "$stick" --dry-run
	[ "$(fleet status --format json | jq '.waves[0].by_hand')" = 2 ]
	"${fleet_program[@]}" import-status "$stick"
	[ "$(fleet status --format json | jq -c '.waves[0] | [.ok, .failed, .by_hand]')" = "[4,1,0]" ]
	[ "$(fleet status store0005 --format json | jq -r '.stores[0] | .class + " " + .why')" = 'rolled-back said "so"' ]
	# Older news is none; newer is.
	report "$stick" store0005 0 2026-11-23T09:00:00Z
	"${fleet_program[@]}" import-status "$stick"
	[ "$(fleet status store0005 --format json | jq -r '.stores[0].class')" = rolled-back ]
	report "$stick" store0005 0 2026-11-23T11:00:00Z
	"${fleet_program[@]}" import-status "$stick"
	[ "$(fleet status --format json | jq -r .state)" = finished ]
	# Reports of one release tell nothing of another, and that is said.
	R=$(fleet sign "$SOURCE")
	fleet plan --freeze "$R" >/dev/null
	run "${fleet_program[@]}" import-status "$stick"
	[ "$status" = 0 ]
	[[ $output == *"2-pos: 0 new answers"*"5 reports are not about this rollout's release"* ]]
	fleet audit >/dev/null
}

@test "a stick that is full: an error, and nothing on it is wanted yet" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local stick=$BATS_TEST_TMPDIR/stick
	mkdir "$stick"
	mount -t tmpfs -o size=1500k none "$stick"
	R=$(fleet sign "$SOURCE")
	dd if=/dev/zero of="$stick/fill" bs=4k count=350 2>/dev/null
	run fleet export-usb store0001 "$stick" --release "$R"
	umount "$stick"
	[ "$status" = 9 ]
}

@test "pull stores: told in their wave, awaited, counted by what they report" {
	transport store0001 pull
	transport store0005 pull
	printf 'wave canary stores=store0001,store0002 report=1h\nwave rest percent=100 report=0\n' >"$FLEET/plan"
	R=$(fleet sign "$SOURCE")
	run fleet run "$R" --quiet
	[ "$status" = 8 ]
	[ "$(cat "$FLEET/publish/wanted/store0001")" = "$R" ]
	# The next wave's is not told before its turn.
	[ ! -e "$FLEET/publish/wanted/store0005" ]
	[ "$(running "$R")" = 1 ]
	report "$FLEET/publish" store0001 0 2026-11-23T10:00:00Z
	run fleet run --quiet
	# The other one has no time to report, and counts as unreachable.
	[ "$status" = 8 ]
	[ "$(fleet status --format json | jq -r '.stores[0] | .store + " " + .class')" = "store0005 silent" ]
	report "$FLEET/publish" store0005 0 2026-11-23T10:00:00Z
	fleet run --quiet
	[ "$(fleet status --format json | jq -r .state)" = finished ]
}

@test "a pull store that reports a failure stops its wave" {
	transport store0001 pull
	printf 'wave canary stores=store0001,store0002\nwave rest percent=100\n' >"$FLEET/plan"
	R=$(fleet sign "$SOURCE")
	run fleet run "$R" --quiet
	report "$FLEET/publish" store0001 5 2026-11-23T10:00:00Z
	run fleet run --quiet
	[ "$status" = 3 ]
	[ "$(running "$R")" = 1 ]
}

@test "secrets: encrypted for the boxes, signed, listed, and sent with the release" {
	command -v age >/dev/null || skip "needs age"
	local i serial
	for i in 1 2 3; do
		ssh-keygen -q -t ed25519 -N '' -C "box$i" -f "$BATS_TEST_TMPDIR/box$i"
		echo "store0001-$i $(cut -d ' ' -f 1,2 "$BATS_TEST_TMPDIR/box$i.pub")"
	done >"$BATS_TEST_TMPDIR/keys"
	run fleet secret put store0001 db <<<"no keys yet"
	[ "$status" = 1 ]
	fleet secret hosts store0001 --hosts "$BATS_TEST_TMPDIR/keys"
	fleet secret put store0001 db <<<"pass word"
	fleet secret put store0001 api <<<"token"
	[ "$(fleet secret list | cut -f 1-2 | paste -sd,)" = "store0001	api,store0001	db" ]
	[ "$(fleet secret list --format json | jq -c 'map(.serial)')" = "[2,2]" ]
	for i in 1 2 3; do
		[ "$(age -d -i "$BATS_TEST_TMPDIR/box$i" "$FLEET/secrets/store0001/db.age")" = "pass word" ]
	done
	run ! age -d -i "$BATS_TEST_TMPDIR/key" "$FLEET/secrets/store0001/db.age"
	run ! grep -rq "pass word" "$FLEET"
	ssh-keygen -Y verify -f "$FLEET/release-signers" -I hq -n tote-secrets -s "$FLEET/secrets/store0001/index.sig" <"$FLEET/secrets/store0001/index"
	inject store0001 content
	inject store0002 content
	R=$(fleet sign "$SOURCE")
	fleet run "$R" --quiet
	tar -xOf "$FAKE_STORES/store0001/taken" ./secrets/store0001/db.age | age -d -i "$BATS_TEST_TMPDIR/box2" | grep -qx "pass word"
	run ! grep -q secrets <<<"$(tar -tf "$FAKE_STORES/store0002/taken")"
	mkdir "$BATS_TEST_TMPDIR/stick"
	fleet export-usb store0001 "$BATS_TEST_TMPDIR/stick" --release "$R"
	[ ! -L "$BATS_TEST_TMPDIR/stick/secrets/store0001" ]
	diff -r "$FLEET/secrets/store0001/" "$BATS_TEST_TMPDIR/stick/secrets/store0001"
}

@test "secrets: two at once, a full disk, and a put that was killed at any place lose nothing" {
	command -v age >/dev/null || skip "needs age"
	local i n
	mkdir -p "$FLEET/hostkeys"
	echo "box $(cut -d ' ' -f 1,2 "$BATS_TEST_TMPDIR/key.pub")" >"$FLEET/hostkeys/store0001"
	for i in 1 2 3; do
		fleet secret put store0001 two$i <<<x 3>&- &
	done
	wait
	[ "$(fleet secret list | cut -f 2-3 | paste -sd,)" = "two1	3,two2	3,two3	3" ]
	n=3
	# Killed where a program is begun: each time another one.
	mkdir "$BATS_TEST_TMPDIR/bin"
	for i in cp sync mv ln mkdir ssh-keygen; do
		printf '#!/bin/sh\nkill -9 0\n' >"$BATS_TEST_TMPDIR/bin/$i"
		chmod +x "$BATS_TEST_TMPDIR/bin/$i"
		PATH=$BATS_TEST_TMPDIR/bin:$PATH run fleet secret put store0001 "killed-$i" <<<x
		[ "$status" != 0 ]
		rm "$BATS_TEST_TMPDIR/bin/$i"
		fleet secret put store0001 "after-$i" <<<x
		n=$((n + 1))
		fleet secret list >"$BATS_TEST_TMPDIR/list"
		[ "$(grep -c "two\|after" "$BATS_TEST_TMPDIR/list")" = $n ]
		[ "$(cut -f 3 "$BATS_TEST_TMPDIR/list" | sort -u | wc -l)" = 1 ]
	done
	# Never a lower number than one that a box may have.
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/list" | cut -f 3)" -ge $n ]
	run fleet secret put store0001 x --serial 3 <<<x
	[ "$status" = 2 ]
	[ "$(find "$FLEET/secrets/.sets/store0001" -mindepth 1 -maxdepth 1 | wc -l)" -le 3 ]
	# What was changed by others is not signed again.
	echo more >>"$FLEET/secrets/store0001/two1.age"
	run fleet secret put store0001 x <<<x
	[ "$status" = 4 ]
}

@test "secrets: a set that a person has copied is gone on with; a full disk is told as such" {
	command -v age >/dev/null || skip "needs age"
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir -p "$FLEET/hostkeys" "$BATS_TEST_TMPDIR/small"
	echo "box $(cut -d ' ' -f 1,2 "$BATS_TEST_TMPDIR/key.pub")" >"$FLEET/hostkeys/store0001"
	fleet secret put store0001 one <<<x
	cp -RL "$FLEET/secrets/store0001" "$FLEET/copied"
	rm -rf "$FLEET/secrets"
	mkdir "$FLEET/secrets"
	mv "$FLEET/copied" "$FLEET/secrets/store0001"
	fleet secret put store0001 two <<<x
	[ "$(fleet secret list | cut -f 2-3 | paste -sd,)" = "one	2,two	2" ]
	mount -t tmpfs -o size=1m none "$BATS_TEST_TMPDIR/small"
	cp -a "$FLEET/secrets" "$BATS_TEST_TMPDIR/small/secrets"
	mv "$FLEET/secrets" "$FLEET/away"
	ln -s "$BATS_TEST_TMPDIR/small/secrets" "$FLEET/secrets"
	dd if=/dev/zero of="$BATS_TEST_TMPDIR/small/fill" bs=4k 2>/dev/null || true
	run fleet secret put store0001 three <<<x
	rm "$BATS_TEST_TMPDIR/small/fill"
	fleet secret list >"$BATS_TEST_TMPDIR/list"
	umount "$BATS_TEST_TMPDIR/small"
	[ "$status" = 9 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/list")" = 2 ]
}

@test "a file is never written through a link that is put beside it" {
	local i
	# shellcheck source=/dev/null
	. "$TESTS/../../cmd/script/say.sh"
	# shellcheck source=/dev/null
	. "$TESTS/../../cmd/script/replace.sh"
	cd "$BATS_TEST_TMPDIR"
	echo mine >victim
	# In the moment between: rm has been there.
	rm() {
		command rm "$@"
		ln -s victim .file.new
	}
	run replace_file file <<<"other"
	unset -f rm
	[ "$status" != 0 ]
	[ "$(cat victim)" = mine ]
	replace_file file 600 <<<"other"
	[ "$(cat file)" = other ]
	[ "$(stat -c %a file)" = 600 ]
}

@test "host keys from the network are taken only when somebody has compared them" {
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\necho "store0001-1 %s"\n' "$(cut -d ' ' -f 1,2 "$BATS_TEST_TMPDIR/key.pub")" >"$BATS_TEST_TMPDIR/bin/ssh-keyscan"
	chmod +x "$BATS_TEST_TMPDIR/bin/ssh-keyscan"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	run fleet secret hosts store0001 </dev/null
	[ "$status" = 4 ]
	[ ! -e "$FLEET/hostkeys/store0001" ]
	fleet secret hosts store0001 --confirm "$(sed -n 's/.*--confirm \([0-9a-f]*\)$/\1/p' <<<"$output")"
	[ -s "$FLEET/hostkeys/store0001" ]
}

#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# From a release to Pacemaker's resources and to the agent's files (cmd/tote-site/services.sh): what comes out is judged by Pacemaker's
# own schema and scheduler, and by the agent with the real tote.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	export SHARED TOTE_STORE
	[ "$(id -u)" = 0 ] || return 0
	SHARED=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/tote-services.XXXXXX")
	chmod 755 "$SHARED"
	TOTE_STORE=$SHARED/store
	make_rootfs "$SHARED/rootfs"
	tar -C "$SHARED/rootfs" -cf "$SHARED/box.tar" .
	"$TOTE" import -q --cmd '["sh","-c","trap '"'exit 0'"' TERM; while :; do sleep 0.1; done"]' "$SHARED/box.tar" box:1 >/dev/null
	"$TOTE" tag box:1 pos:1.2 db:16
	IMAGE_ID=$("$TOTE" inspect box:1 | jq -r '.[0].id')
	export IMAGE_ID
}

teardown_file() {
	[ -z "${SHARED:-}" ] || rm -rf "$SHARED"
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	WORK=$(mktemp -d "$SHARED/test.XXXXXX")
	chmod 755 "$WORK"
	ROOT=$WORK/state RELEASE_DIR=$WORK/release PARAMS=$WORK/run/params
	mkdir "$RELEASE_DIR" "$WORK/run"
	export TOTE_SITE_RUN=$WORK/run TOTE_SUPERVISE_DIR=$WORK/supervise
	script_parts
	for part in conf box services; do
		# shellcheck source=/dev/null
		. "$SITE_SOURCE/$part.sh"
	done
	CONF_STORE=store0001 CONF_BOX=box1
}

teardown() {
	[ -d "${WORK:-}" ] || return 0
	for id in $(ls -A "$ROOT" 2>/dev/null); do
		[ "$id" = .seccomp ] || "$TOTE" --root "$ROOT" delete --force "$id" || true
	done
	rm -rf "$WORK"
}

# compose.yaml on stdin becomes $RELEASE_DIR. Who signs it is another test's matter.
release_of() { # [PROJECT [IMAGE...]]
	local name
	cat >"$RELEASE_DIR/compose.yaml"
	{
		printf 'tote-release 1\nserial 1\nname pos-1\nproject %s\nexpires 2099-01-01T00:00:00Z\n' "${1:-shop}"
		printf 'compose sha256:%s\n' "$(sha256sum <"$RELEASE_DIR/compose.yaml" | cut -d ' ' -f 1)"
		for name in "${@:2}"; do
			printf 'image %s@%s\n' "$name" "$IMAGE_ID"
		done
		[ $# -ge 2 ] || printf 'image %s@%s\n' pos:1.2 "$IMAGE_ID" db:16 "$IMAGE_ID" box:1 "$IMAGE_ID"
	} >"$RELEASE_DIR/manifest"
}

shop() {
	release_of shop <<'END_OF_SHOP'
services:
  pos:
    image: pos:1.2
    restart: always
    command: [sh, -c, "exec pos"]
    ports: ["80:8080"]
    depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}
    healthcheck: {test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:8080/a b"], interval: 5s, timeout: 3s, retries: 2}
    stop_grace_period: 25s
    x-tote: {update_timeout: 60s}
  db:
    image: db:16
    restart: unless-stopped
    x-tote: {health: {tcp: 5432, interval: 10s, timeout: 4s, action: none}}
  cache:
    image: box:1
    restart: always
    stop_grace_period: 1s
  till:
    image: box:1
    restart: on-failure
    deploy: {mode: global}
    depends_on: {pos: {condition: service_healthy, required: false}, door: {condition: service_started}}
  door:
    image: box:1
    restart: always
    network_mode: none
    x-tote: {health: {http: "localhost:8080/ok?x=1"}, address: 10.0.0.5/24}
  web:
    image: box:1
    restart: always
    deploy: {replicas: 2}
    depends_on: [till]
  gone:
    image: box:1
    restart: always
    scale: 0
END_OF_SHOP
}

# A whole CIB of three boxes around what services_cib prints.
cib() { # FILE-OF-SERVICES_CIB
	cat <<END_OF_CIB
<cib validate-with="pacemaker-3.5" epoch="1" num_updates="0" admin_epoch="0"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="stonith" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="box1"/><node id="2" uname="box2"/><node id="3" uname="box3"/></nodes>
$(sed '1d;$d' "$1")
</configuration><status/></cib>
END_OF_CIB
}

# Where the scheduler puts things: "RESOURCE BOX" lines.
places() { # [BOX THAT IS DOWN]
	local box words=()
	for box in box1 box2 box3; do
		[ "$box" = "${1:-}" ] || words+=(--node-up "$box")
	done
	crm_simulate --xml-file "$WORK/cib.xml" --simulate --quorum 1 "${words[@]}" >"$WORK/simulated"
	sed -n '/^Executing/,/^Revised/s/.* Resource action: \([^ ]*\) *start on \(.*\)$/\1 \2/p' "$WORK/simulated" | sort
}

place_of() { # RESOURCE
	sed -n "s/^$1 //p" <<<"$PLACES"
}

params_of() { # SERVICE PARAMETER
	sed -n "s/^$2=//p" "$PARAMS/shop-$1"
}

# As Pacemaker calls it.
agent() { # ACTION SERVICE [PARAMETER=VALUE...]
	local word words=()
	for word in "${@:3}"; do
		case $word in
		OCF_*) words+=("$word") ;;
		*) words+=("OCF_RESKEY_$word") ;;
		esac
	done
	printf '#!/bin/sh\nexec %q --root %q "$@"\n' "$TOTE" "$ROOT" >"$WORK/tote"
	chmod 755 "$WORK/tote"
	env -i PATH="$PATH" TOTE_STORE="$TOTE_STORE" HA_RSCTMP="$WORK/tmp" OCF_ROOT=/usr/lib/ocf OCF_RA_VERSION_MAJOR=1 OCF_RA_VERSION_MINOR=1 \
		OCF_RESOURCE_INSTANCE="shop-$2" OCF_RESOURCE_PROVIDER=tote OCF_RESOURCE_TYPE=container OCF_EXIT_REASON_PREFIX=ocf-exit-reason: \
		OCF_RESKEY_CRM_meta_timeout=40000 OCF_RESKEY_CRM_meta_interval=10000 OCF_RESKEY_name="shop-$2" OCF_RESKEY_tote="$WORK/tote" \
		OCF_RESKEY_params_file="$PARAMS/shop-$2" "${words[@]}" timeout -s KILL 90 "$SITE_SOURCE/../ocf/container" "$1" </dev/null 3>&-
}

tote() { "$TOTE" --root "$ROOT" "$@"; }

@test "shellcheck has nothing to say" {
	cd "$SITE_SOURCE"
	shellcheck -x services.sh
}

@test "a shop becomes the resources of the golden file, which is as Pacemaker's schema wants it" {
	shop
	services_cib "$RELEASE_DIR" /run/tote-site/params >"$WORK/services.xml"
	[ -z "${UPDATE:-}" ] || cp "$WORK/services.xml" "$BATS_TEST_DIRNAME/golden/shop.xml"
	diff "$BATS_TEST_DIRNAME/golden/shop.xml" "$WORK/services.xml"
	cib "$WORK/services.xml" >"$WORK/cib.xml"
	xmllint --noout "$WORK/cib.xml"
	command -v crm_verify >/dev/null || skip "pacemaker-cli-utils is missing"
	crm_verify -VV -x "$WORK/cib.xml"
	# What is wrong would be seen.
	sed -i 's/kind="Mandatory"/kind="Often"/' "$WORK/cib.xml"
	run ! crm_verify -x "$WORK/cib.xml"
}

@test "the scheduler puts together what finds each other by name, and clones everywhere" {
	command -v crm_simulate >/dev/null || skip "pacemaker-cli-utils is missing"
	shop
	services_cib "$RELEASE_DIR" >"$WORK/services.xml"
	cib "$WORK/services.xml" >"$WORK/cib.xml"
	for down in "" box1 box2 box3; do
		PLACES=$(places $down)
		echo "-- without ${down:-none}"
		echo "$PLACES"
		[ -n "$(place_of shop-pos)" ]
		[ "$(place_of shop-db)" = "$(place_of shop-pos)" ]
		[ "$(place_of shop-cache)" = "$(place_of shop-pos)" ]
		[ "$(place_of shop-door)" = "$(place_of shop-ip-10.0.0.5)" ]
		[ "$(grep -c '^shop-till:' <<<"$PLACES")" = "$([ -n "$down" ] && echo 2 || echo 3)" ]
		[ "$(grep '^shop-web:' <<<"$PLACES" | cut -d ' ' -f 2 | sort -u | wc -l)" = 2 ]
	done
	# An order: the database, then who depends on it.
	sed -n 's/.*Resource action: \([^ ]*\) *start on.*/\1/p' "$WORK/simulated" >"$WORK/order"
	[ "$(grep -nx shop-db "$WORK/order" | cut -d : -f 1)" -lt "$(grep -nx shop-pos "$WORK/order" | cut -d : -f 1)" ]
	[ "$(grep -nx shop-ip-10.0.0.5 "$WORK/order" | cut -d : -f 1)" -lt "$(grep -nx shop-door "$WORK/order" | cut -d : -f 1)" ]
}

@test "the CIB is the same on each box, whatever its variables, its times and its images' manifests are" {
	shop
	services_cib "$RELEASE_DIR" >"$WORK/one"
	mkdir "$WORK/elsewhere"
	cp "$RELEASE_DIR"/* "$WORK/elsewhere"
	CONF_BOX=box2
	services_cib "$WORK/elsewhere" >"$WORK/two"
	cmp "$WORK/one" "$WORK/two"
}

@test "a list for the gate" {
	shop
	digest=$("$TOTE" inspect box:1 | jq -r '.[0].digest')
	run -0 services_list "$RELEASE_DIR"
	[ "$(wc -l <<<"$output")" = 6 ]
	grep -qxF "shop-pos	shop-pos	$digest	1	shop-pos	$IMAGE_ID" <<<"$output"
	grep -qxF "shop-till	shop-till	$digest	all	shop-till-clone	$IMAGE_ID" <<<"$output"
	grep -qxF "shop-web	shop-web	$digest	2	shop-web-clone	$IMAGE_ID" <<<"$output"
}

@test "ids of XML do not begin with a digit, containers may" {
	release_of 7even <<<'services: {"1": {image: "box:1", restart: always, network_mode: host}}'
	run -0 services_list "$RELEASE_DIR"
	[[ $output == "_7even-1	7even-1	"* ]]
	services_cib "$RELEASE_DIR" >"$WORK/services.xml"
	cib "$WORK/services.xml" | xmllint --noout -
	grep -q 'value="/.*/params/7even-1"' "$WORK/services.xml"
}

refused() { # WORDS LINES-OF-A-SERVICE...
	{
		printf 'services:\n  a:\n    image: box:1\n'
		printf '    %s\n' "${@:2}"
	} | release_of
	run services_check "$RELEASE_DIR"
	echo "$output"
	[ "$status" -eq "${CODE[refused]}" ]
	[[ $output == *"services.a: $1"* ]]
	run services_cib "$RELEASE_DIR"
	[ "$status" -eq "${CODE[refused]}" ]
	[[ $output != *"<primitive"* ]]
	run services_params "$RELEASE_DIR" "$PARAMS"
	[ "$status" -eq "${CODE[refused]}" ]
	[ -z "$(ls -A "$PARAMS")" ]
}

@test "what a cluster cannot do is refused with its reason" {
	refused "restart: no" "network_mode: none"
	refused "restart: no" "network_mode: none" 'restart: "no"'
	refused "x-tote.activate" "restart: always" "network_mode: host" "x-tote: {activate: {listen: 80}}"
	refused "tty" "restart: always" "network_mode: host" "tty: true"
	refused "tty" "restart: always" "network_mode: host" "stdin_open: true"
	refused "depends_on b: service_completed_successfully" "restart: always" "network_mode: host" \
		"depends_on: {b: {condition: service_completed_successfully}}" "labels: {x: y}" "
  b: {image: \"box:1\", network_mode: none}"
	# All that is wrong at once.
	[[ $output == *"services.b: restart: no"* ]]
}

@test "ids that two elements would have, addresses with two lengths" {
	release_of <<<'services: {a: {image: "box:1", restart: always, deploy: {mode: global}}, a-clone: {image: "box:1", restart: always}}'
	run services_check "$RELEASE_DIR"
	[ "$status" -eq "${CODE[refused]}" ]
	[[ $output == *"the id shop-a-clone"* ]]
	release_of <<<'services: {a: {image: "box:1", restart: always, x-tote: {address: 10.0.0.5/24}}, b: {image: "box:1", restart: always, x-tote: {address: 10.0.0.5/16}}}'
	run services_check "$RELEASE_DIR"
	[ "$status" -eq "${CODE[refused]}" ]
	[[ $output == *"10.0.0.5 has two lengths"* ]]
}

@test "a name that is found on one box only is warned of" {
	release_of <<<'services: {a: {image: "box:1", restart: always, deploy: {mode: global}, depends_on: [b]}, b: {image: "box:1", restart: always}}'
	run -0 services_check "$RELEASE_DIR"
	[[ $output == *"warning: services.a: b is found by name on the box only"* ]]
}

@test "an image that is not here, one that the manifest does not have" {
	release_of shop box:1 <<<'services: {a: {image: "box:1", restart: always}, b: {image: "db:16", restart: always}}'
	run services_check "$RELEASE_DIR"
	[ "$status" -eq "${CODE[error]}" ]
	[[ $output == *"services.b.image: no --pin says which \"db:16\" it is"* ]]
	sed -i "s/@sha256:.*/@sha256:$(printf %064d 1)/" "$RELEASE_DIR/manifest"
	run services_check "$RELEASE_DIR"
	[ "$status" -eq "${CODE[absent]}" ]
}

@test "the image is the manifest's, whatever its name means here" {
	release_of shop box:1 <<<'services: {a: {image: "box:1", restart: always, network_mode: none}}'
	digest=$("$TOTE" inspect box:1 | jq -r '.[0].digest')
	"$TOTE" import -q --cmd '["true"]' "$SHARED/box.tar" other:1 >/dev/null
	"$TOTE" tag other:1 box:1
	services_params "$RELEASE_DIR" "$PARAMS" || code=$?
	"$TOTE" tag "$IMAGE_ID" box:1
	[ -z "${code:-}" ]
	[ "$(params_of a image)" = "$digest" ]
}

# Whatever a shell, XML or the agent's splitter could take for something else.
NASTY=$'it\'s "x" $(touch /dev/shm/never) `touch /dev/shm/never` $HOME ${X} <a href="b">&amp; \\n \\ \ttab\nsecond line\n\n  third \'\' "'

nasty_release() {
	jq -n --arg nasty "$NASTY" '{services: {a: {image: "box:1", restart: "always", network_mode: "none", read_only: true,
		environment: {NASTY: ($nasty | gsub("\\$"; "$$")), PLAIN: "it'"'"'s \"one\" $$(line) \\", EMPTY: "", "name": "--name=x"}, tmpfs: ["/tmp"],
		entrypoint: ["sh", "-c", "trap \"exit 0\" TERM\nprintf \"%s\" \"$$1\" >/tmp/arg\nprintf \"%s\" \"$$PLAIN\" >/tmp/plain\nprintf \"%s\" \"$$NASTY\" >/tmp/env\nwhile :; do sleep 0.1; done"],
		command: ["sh", ($nasty | gsub("\\$"; "$$"))],
		healthcheck: {test: ["CMD-SHELL", "test -e /tmp/env &&\ntest -e /tmp/arg"], interval: "1s", timeout: "2s", retries: 2}}}}' | release_of
}

@test "nothing of a release is executed or expanded: the agent runs it as it is written" {
	rm -f /dev/shm/never
	nasty_release
	services_params "$RELEASE_DIR" "$PARAMS"
	[ "$(stat -c %a "$PARAMS/shop-a")" = 600 ]
	[ "$(wc -l <"$PARAMS/shop-a")" = 6 ]
	run -7 agent monitor a
	run -0 agent start a
	run -0 agent monitor a
	run -0 agent monitor a OCF_CHECK_LEVEL=10
	[ "$(tote exec shop-a cat /tmp/env; echo .)" = "$NASTY." ]
	[ "$(tote exec shop-a cat /tmp/arg; echo .)" = "$NASTY." ]
	[ "$(tote exec shop-a cat /tmp/plain; echo .)" = "it's \"one\" \$(line) \\." ]
	[ ! -e /dev/shm/never ]
	run -0 agent stop a
	run -7 agent monitor a
	run -3 tote state --quiet shop-a
	# Nor does it get out of an attribute.
	services_cib "$RELEASE_DIR" $'/run/"<x y=\'z\'>&\n$(id)' >"$WORK/services.xml"
	cib "$WORK/services.xml" | xmllint --xpath 'string(//nvpair[@name="params_file"]/@value)' - >"$WORK/value"
	[ "$(cat "$WORK/value")" = $'/run/"<x y=\'z\'>&\n$(id)/shop-a' ]
	[[ $(cat "$WORK/services.xml") != *never* ]]
}

@test "secrets and configs: files of a container's own, with owner and mode, that only root sees on the host" {
	printf 'geheim' >"$RELEASE_DIR/key"
	release_of <<-'END'
		services:
		  a: {image: "box:1", restart: always, network_mode: none, read_only: true, user: "7:8", secrets: [{source: key, uid: "7", gid: "8", mode: 0400}], configs: [{source: conf, target: /etc/x y.conf}]}
		  b: {image: "box:1", restart: always, network_mode: none, secrets: [key]}
		secrets: {key: {file: ./key}}
		configs: {conf: {content: "box $BOX of $STORE"}}
	END
	services_params "$RELEASE_DIR" "$PARAMS"
	[ "$(stat -c %a "$WORK/run/files")" = 700 ]
	[ "$(find "$WORK/run/files" -type f | wc -l)" = 3 ]
	[ ! -e "$WORK/run/.content" ]
	run -0 agent start a
	[ "$(tote exec shop-a cat /run/secrets/key)" = geheim ]
	[ "$(tote exec shop-a cat "/etc/x y.conf")" = "box box1 of store0001" ]
	[ "$(tote exec shop-a stat -c '%u %g %a' /run/secrets/key)" = "7 8 400" ]
	# Called again, beside the running container.
	services_params "$RELEASE_DIR" "$PARAMS"
	[ "$(tote exec shop-a cat /run/secrets/key)" = geheim ]
	for _ in 1 2; do
		run -0 agent stop a
		run -0 agent start a
		[ "$(tote exec shop-a stat -c '%u %g %a' /run/secrets/key)" = "7 8 400" ]
	done
	run -0 agent stop a
	# Another release: what it does not need goes, also what a crash has left.
	: >"$PARAMS/.shop-a.new"
	release_of <<<'services: {b: {image: "box:1", restart: always, network_mode: none}}'
	services_params "$RELEASE_DIR" "$PARAMS"
	[ "$(ls -A "$PARAMS")" = shop-b ]
	[ -z "$(ls -A "$WORK/run/files")" ]
}

@test "a release is switched under a running container: it is watched and stopped by what it was started with" {
	release_of <<<'services: {a: {image: "box:1", restart: always, network_mode: none, healthcheck: {test: [CMD, test, -e, /tmp/well], timeout: 1s, retries: 1}, entrypoint: [sh, -c, "trap \"exit 0\" TERM; : >/tmp/well; while :; do sleep 0.1; done"]}}'
	services_params "$RELEASE_DIR" "$PARAMS"
	run -0 agent start a
	release_of <<<'services: {a: {image: "box:1", restart: always, network_mode: none, healthcheck: {test: [CMD, "false"]}}}'
	services_params "$RELEASE_DIR" "$PARAMS"
	run -0 agent monitor a OCF_CHECK_LEVEL=10
	rm -r "$PARAMS"
	run -0 agent monitor a OCF_CHECK_LEVEL=10
	run -0 agent stop a
	run -7 agent monitor a
	run -5 agent start a
	[[ $output == *"no such file on this box"* ]]
}

@test "a full disk leaves the files that were there" {
	mkdir "$WORK/small"
	mount -t tmpfs -o size=64k none "$WORK/small"
	release_of <<<'services: {a: {image: "box:1", restart: always, network_mode: none}}'
	code=0
	services_params "$RELEASE_DIR" "$WORK/small/params" || code=$?
	[ "$code" = 0 ] || { umount "$WORK/small"; return 1; }
	before=$(cat "$WORK/small/params/shop-a")
	dd if=/dev/zero of="$WORK/small/full" bs=4k 2>/dev/null || true
	jq -n '{services: {a: {image: "box:1", restart: "always", network_mode: "none", environment: {BIG: ("x" * 9000)}}}}' | release_of
	services_params "$RELEASE_DIR" "$WORK/small/params" || code=$?
	after=$(cat "$WORK/small/params/shop-a")
	umount "$WORK/small"
	[ "$code" = "${CODE[full]}" ]
	[ "$before" = "$after" ]
}

# In a host of its own, as far as networks go: prepares the release, and says what its network is then.
prepare_alone() { # LINE...
	unshare -m -n bash -euc '
		mount -t tmpfs none /etc
		mkdir -p /etc/cni/net.d
		ip link set lo up
		[ ! -s "$WORK/lan" ] || cp "$WORK/lan" /etc/cni/net.d/shop_lan.conflist
		for part in script/say script/replace script/signed script/release tote-site/conf tote-site/box tote-site/services; do
			. "$SITE_SOURCE/../$part.sh"
		done
		CONF_STORE=store0001 CONF_BOX=box1 code=0
		services_params "$RELEASE_DIR" "$PARAMS" || code=$?
		cp /etc/cni/net.d/shop_lan.conflist "$WORK/lan"
		exit "$code"'
}

lan_of() { # SUBNET
	release_of <<-END
		services: {a: {image: "box:1", restart: always, networks: [lan]}}
		networks: {lan: {ipam: {config: [{subnet: $1}]}}}
	END
}

@test "a network that a release has another one of is made anew on the box" {
	export WORK SITE_SOURCE RELEASE_DIR PARAMS
	lan_of 10.77.1.0/24
	run -0 prepare_alone
	grep -q 10.77.1.0/24 "$WORK/lan"
	lan_of 10.77.2.0/24
	run -0 prepare_alone
	[[ $output == *"network shop_lan: it is another one now"* ]]
	grep -q 10.77.2.0/24 "$WORK/lan"
	run ! grep -q 10.77.1.0/24 "$WORK/lan"
	# Again nothing is said.
	run -0 prepare_alone
	[ -z "$output" ]
}

# SPDX-License-Identifier: Apache-2.0
# tote-cni as runtimes call it: the protocol, chains, plugins that are programs, crashes. HOST is a network namespace of
# the test's own that stands for the host, BOX one for a container. What the plugins in process do is tested elsewhere.

bats_require_minimum_version 1.5.0
load two

setup() {
	KILL=
	make_two tote-cni
	CNI=$PROGRAM
	cd "$BATS_TEST_TMPDIR"
	mkdir bin
	export TOTE_NET_DIR=$PWD/run CNI_PATH=$PWD/bin
	export CNI_CONTAINERID=box1 CNI_IFNAME=eth0 CNI_NETNS=/proc/$BOX/ns/net
	unset CNI_ARGS CNI_COMMAND CNI_NETNS_OVERRIDE
	LO='{"cniVersion":"1.0.0","name":"lo","type":"loopback"}'
}

teardown() {
	end_two $KILL
}

cni() { # COMMAND CONFIGURATION; output is stdout, stderr is apart
	run --separate-stderr host env CNI_COMMAND=$1 timeout 60 "$CNI" <<<"$2"
	echo "$1: exit code $status, $output, stderr: $stderr"
}

fails() { # CODE WORDS: the last cni did, with one line of JSON, and told nobody else
	[ "$status" = 1 ]
	[ "$(wc -l <<<"$output")" = 1 ]
	[ "$(jq -r .code <<<"$output")" = "$1" ]
	[[ $(jq -r .msg <<<"$output") == *"$2"* ]]
	[ -z "$stderr" ]
}

silent() { # the last cni succeeded without a word
	[ "$status" = 0 ]
	[ -z "$output" ]
	[ -z "$stderr" ]
}

nothing_left() {
	[ -z "$(find run/attachments run/leases -type f ! -name 'last_reserved_ip.*' 2>/dev/null)" ]
	[ -z "$(find run/attachments -mindepth 1 2>/dev/null)" ]
	[ -z "$(host ip -o link show type veth)" ]
}

# A plugin that writes what it was given to log/N.NAME.COMMAND, the conf to the same with .json, and then does what the
# script says. Behind its ADD the result is the one before, with an interface more.
plugin() { # NAME [SCRIPT]
	mkdir -p log
	cat >bin/$1 <<-END
		#!/bin/bash
		n=\$(printf %02d \$(ls $PWD/log/*.env 2>/dev/null | wc -l))
		f=$PWD/log/\$n.$1.\$CNI_COMMAND
		cat >\$f.json
		env | grep ^CNI_ | sort >\$f.env
		${2:-}
		[ \$CNI_COMMAND = ADD ] || exit 0
		jq -c '{cniVersion, interfaces: ((.prevResult.interfaces // []) + [{name: "$1"}]), ips: .prevResult.ips,
			routes: .prevResult.routes, dns: (.prevResult.dns // {})}' \$f.json
	END
	chmod +x bin/$1
}

calls() { # the plugins' names and commands in the order of the calls
	local f
	for f in log/*.env; do
		f=${f#log/??.}
		echo -n "${f%.env} "
	done
}

list() { # PLUGIN...: a conflist of these types or objects
	local p plugins=
	for p; do
		[[ $p == *\"* ]] || p="{\"type\":\"$p\"}"
		plugins+=${plugins:+,}$p
	done
	echo "{\"cniVersion\":\"1.0.0\",\"name\":\"shop\",\"plugins\":[$plugins]}"
}

BRIDGE='{"type":"bridge","bridge":"shop0","isGateway":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24"}]]}}'

need_veth() {
	host ip link add t0 type veth peer name t1 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip link del t0
	host ip link add t0 type bridge 2>/dev/null || skip "the kernel has no bridges"
	host ip link del t0
}

@test "VERSION needs no container and answers in the version that asks" {
	unset CNI_CONTAINERID CNI_IFNAME CNI_NETNS CNI_PATH
	cni VERSION '{"cniVersion":"0.4.0"}'
	[ "$status" = 0 ]
	[ "$output" = '{"cniVersion":"0.4.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}' ]
	cni VERSION '{}'
	[ "$(jq -r .cniVersion <<<"$output")" = 1.1.0 ]
	cni VERSION '{'
	fails 6 "invalid JSON"
	run host env CNI_COMMAND=VERSION "$CNI" </dev/null
	[ "$status" = 0 ]
	[ "$(jq -r .cniVersion <<<"$output")" = 1.1.0 ]
}

@test "variables that are missing are named all at once" {
	unset CNI_CONTAINERID CNI_IFNAME CNI_NETNS
	cni ADD "$LO"
	fails 4 "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME"
	[ "$(jq -r .cniVersion <<<"$output")" = 1.1.0 ]
	cni CHECK "$LO"
	fails 4 "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME"
	CNI_IFNAME=
	cni DEL "$LO"
	fails 4 "CNI_CONTAINERID, CNI_IFNAME"
	[[ $output != *CNI_NETNS* ]]
	run --separate-stderr "$CNI" <<<"$LO"
	fails 4 "CNI_COMMAND"
}

@test "variables that are wrong are named" {
	cni add "$LO"
	fails 4 'CNI_COMMAND: "add"'
	for id in ../box -box .box 'box 1' $'box\n1' "$(printf '%0256d' 0)"; do
		CNI_CONTAINERID=$id
		cni ADD "$LO"
		fails 4 CNI_CONTAINERID
	done
	CNI_CONTAINERID=box1
	for name in . .. a/b a:b 'a b' eth%d sixteen-bytes-xx; do
		CNI_IFNAME=$name
		cni ADD "$LO"
		fails 4 CNI_IFNAME
	done
	[ ! -e run/attachments ]
}

@test "a configuration that is wrong has code 6 or 7, a version that is unknown 1" {
	cni ADD ''
	fails 6 "invalid JSON"
	cni ADD '{"name":"x",}'
	fails 6 "invalid JSON"
	cni ADD '[]'
	fails 7 "object"
	cni ADD '{"cniVersion":"1.0.0","type":"loopback"}'
	fails 7 "name: missing"
	cni ADD '{"cniVersion":"1.0.0","name":"a/b","type":"loopback"}'
	fails 7 'name: "a/b"'
	cni ADD '{"cniVersion":"1.0.0","name":"x"}'
	fails 7 "type: missing"
	cni ADD '{"cniVersion":"1.0.0","name":"x","type":"../bridge"}'
	fails 7 'type: "../bridge"'
	cni ADD '{"cniVersion":"1.0.0","name":"x","plugins":[]}'
	fails 7 plugins
	cni ADD '{"cniVersion":"1.0.0","name":"x","type":"bridge","ipam":"host-local"}'
	fails 7 "ipam: expected an object"
	cni ADD '{"cniVersion":"1.0.0","name":"x","type":"bridge","ipam":{"type":"../dhcp"}}'
	fails 7 'ipam.type: "../dhcp"'
	cni ADD '{"cniVersion":"9.0.0","name":"x","type":"loopback"}'
	fails 1 9.0.0
	cni CHECK '{"cniVersion":"0.3.1","name":"x","type":"loopback"}'
	fails 1 "CHECK came with 0.4.0"
	[ "$(jq -r .cniVersion <<<"$output")" = 0.3.1 ]
	cni STATUS '{"cniVersion":"1.0.0","name":"x","type":"loopback"}'
	fails 1 "STATUS came with 1.1.0"
	cni GC '{"cniVersion":"1.0.0","name":"x","type":"loopback"}'
	fails 1 "GC came with 1.1.0"
	cni GC '{"cniVersion":"1.1.0","name":"x","type":"loopback"}'
	fails 7 "cni.dev/valid-attachments"
	cni ADD '{"cniVersion":"1.0.0","name":"x","type":"loopback","prevResult":{"ips":[{"address":"?"}]}}'
	fails 7 "prevResult: ips[0].address"
	[ -z "$(find run/attachments -mindepth 1 2>/dev/null)" ]
}

@test "of cniVersions the highest known is spoken" {
	cni ADD '{"cniVersion":"0.4.0","cniVersions":["0.3.1","1.0.0","7.0.0"],"name":"lo","type":"loopback"}'
	[ "$status" = 0 ]
	[ "$(jq -r .cniVersion <<<"$output")" = 1.0.0 ]
}

@test "a path that is no network namespace is refused by ADD and forgiven by DEL" {
	touch file
	mkfifo fifo
	for path in file:4 fifo:4 nowhere:3 /proc/$HOST/ns/mnt:4 /proc/$HOST/ns/net:4; do
		CNI_NETNS=${path%:*}
		[[ $CNI_NETNS == /* ]] || CNI_NETNS=$PWD/$CNI_NETNS
		cni ADD "$LO"
		fails ${path#*:} "CNI_NETNS: "
	done
	export CNI_NETNS_OVERRIDE=1
	cni ADD "$LO"
	[ "$status" = 0 ]
	cni DEL "$LO"
	silent
	unset CNI_NETNS_OVERRIDE
	cni DEL "$LO"
	fails 4 CNI_NETNS_OVERRIDE
	for path in $PWD/file $PWD/fifo $PWD/nowhere ""; do
		CNI_NETNS=$path
		cni DEL "$LO"
		silent
	done
	nothing_left
}

@test "ADD and DEL of one plugin, by any name of the program" {
	ln -s "$CNI" bin/bridge
	CNI=$PWD/bin/bridge
	cni ADD "$LO"
	[ "$status" = 0 ]
	[ "$(jq -r .cniVersion <<<"$output")" = 1.0.0 ]
	[[ $(box ip -o link show lo) == *UP* ]]
	[ "$(jq -r .network.name run/attachments/box1/eth0)" = lo ]
	cni DEL "$LO"
	silent
	nothing_left
	cni DEL "$LO"
	silent
	nothing_left
}

@test "the result has the form of its version" {
	need_veth
	for v in 0.1.0 0.2.0 0.3.0 0.3.1 0.4.0 1.0.0 1.1.0; do
		conf=$(list "$BRIDGE" | jq -c ".cniVersion = \"$v\"")
		cni ADD "$conf"
		[ "$status" = 0 ]
		[ "$(jq -r .cniVersion <<<"$output")" = $v ]
		case $v in
		0.1.0 | 0.2.0) [[ $(jq -r .ip4.ip <<<"$output") == 10.88.0.*/24 ]] ;;
		0.*) [ "$(jq -c '[.ips[0].version, .ips[0].interface, (.interfaces | length)]' <<<"$output")" = '["4",2,3]' ] ;;
		1.0.0) [ "$(jq -c '[.ips[0].version, .ips[0].interface, .interfaces[2].mtu]' <<<"$output")" = '[null,2,null]' ] ;;
		1.1.0) [ "$(jq -c '.interfaces[2].mtu' <<<"$output")" = 1500 ] ;;
		esac
		cni DEL "$conf"
		silent
	done
	nothing_left
}

@test "a program gets what the spec says" {
	plugin one
	plugin two
	export CNI_ARGS='K=v;L=w'
	conf=$(list one '{"type":"two","x":{"y":[1]},"capabilities":{"portMappings":true,"dns":false}}' |
		jq -c '.runtimeConfig = {portMappings: [{hostPort: 80}], dns: {searches: []}}')
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ "$(jq -c '[.interfaces[].name]' <<<"$output")" = '["one","two"]' ]
	[ "$(jq -c . log/00.one.ADD.json)" = '{"cniVersion":"1.0.0","name":"shop","type":"one"}' ]
	[ "$(jq -c 'del(.prevResult)' log/01.two.ADD.json)" = \
		'{"cniVersion":"1.0.0","name":"shop","runtimeConfig":{"portMappings":[{"hostPort":80}]},"type":"two","x":{"y":[1]}}' ]
	[ "$(jq -c '.prevResult | [.cniVersion, .interfaces]' log/01.two.ADD.json)" = '["1.0.0",[{"name":"one"}]]' ]
	diff log/01.two.ADD.env - <<-END
		CNI_ARGS=K=v;L=w
		CNI_COMMAND=ADD
		CNI_CONTAINERID=box1
		CNI_IFNAME=eth0
		CNI_NETNS=/proc/$BOX/ns/net
		CNI_PATH=$PWD/bin
	END
	unset CNI_ARGS
	CNI_NETNS=
	cni DEL "$(list one two)"
	silent
	[ "$(calls)" = "one.ADD two.ADD two.DEL one.DEL " ]
	[ "$(jq -c '[.prevResult.interfaces[].name]' log/03.one.DEL.json)" = '["one","two"]' ]
	# What the runtime does not tell at DEL is as it was at ADD.
	grep -qx "CNI_ARGS=K=v;L=w" log/02.two.DEL.env
	grep -qx "CNI_NETNS=/proc/$BOX/ns/net" log/02.two.DEL.env
	nothing_left
}

@test "a path that only the caller can open reaches programs, and is not recorded" {
	plugin one '[ $CNI_COMMAND != ADD ] || readlink $CNI_NETNS >'$PWD'/namespaces'
	CNI_NETNS=/proc/self/fd/9
	cni ADD "$(list one)" 9</proc/$BOX/ns/net
	[ "$status" = 0 ]
	[ "$(cat namespaces)" = "$(readlink /proc/$BOX/ns/net)" ]
	[ "$(jq -c '[.netns, (.netnsId | length > 0)]' run/attachments/box1/eth0)" = '[null,true]' ]
	CNI_NETNS=
	cni DEL "$(list one)"
	silent
	nothing_left
}

@test "programs of old versions speak their own" {
	plugin one 'if [ $CNI_COMMAND = ADD ]; then
		echo "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.9.0.2/24\"}}"; exit; fi'
	cni ADD '{"cniVersion":"1.0.0","name":"shop","type":"one"}'
	[ "$(jq -c '[.cniVersion, .ips]' <<<"$output")" = '["1.0.0",[{"address":"10.9.0.2/24"}]]' ]
	cni DEL '{"cniVersion":"0.3.1","name":"shop","type":"one"}'
	silent
	# prevResult came to DEL with 0.4.0.
	[ "$(jq -c .prevResult log/01.one.DEL.json)" = null ]
	[ "$(jq -r .cniVersion log/01.one.DEL.json)" = 0.3.1 ]
}

@test "a program's error keeps its code, and what it says on stderr comes through" {
	plugin bad 'if [ $CNI_COMMAND = ADD ]; then
		echo "a word of the plugin" >&2
		echo "{\"cniVersion\":\"1.0.0\",\"code\":117,\"msg\":\"no luck\",\"details\":\"today\"}"; exit 1; fi'
	cni ADD "$(list bad)"
	[ "$status" = 1 ]
	[ "$stderr" = "a word of the plugin" ]
	[ "$(jq -c '[.code, .msg]' <<<"$output")" = '[117,"bad: no luck; today"]' ]
	[ "$(calls)" = "bad.ADD bad.DEL " ]
	nothing_left
}

@test "programs that end badly, answer nonsense or are not there" {
	plugin dies 'echo "first line" >&2; kill -9 $$'
	cni ADD "$(list dies)"
	[ "$status" = 1 ]
	[ "$(jq -r .code <<<"$output")" = 5 ]
	[[ $output == *"ended with code 137: first line"* ]]
	plugin talks 'if [ $CNI_COMMAND = ADD ]; then echo hello; exit; fi'
	cni ADD "$(list talks)"
	fails 6 "talks: the result of $PWD/bin/talks: invalid JSON"
	plugin mute 'if [ $CNI_COMMAND = ADD ]; then exit; fi'
	cni ADD "$(list mute)"
	fails 6 "mute: the result of"
	plugin wrong 'if [ $CNI_COMMAND = ADD ]; then echo "{\"ips\":[{\"address\":\"x\"}]}"; exit; fi'
	cni ADD "$(list wrong)"
	fails 6 "ips[0].address"
	cni ADD "$(list absent)"
	fails 104 "\"absent\" is neither built in nor a program in $PWD/bin"
	touch bin/plain
	cni ADD "$(list plain)"
	fails 104 plain
	# A link to tote-cni is not another plugin: it would execute itself for ever.
	ln -s "$CNI" bin/mirror
	cni ADD '{"cniVersion":"1.0.0","name":"x","type":"mirror"}'
	fails 104 mirror
	nothing_left
}

@test "what a program says is bounded, and what it leaves running is not waited for" {
	plugin loud 'head -c 1000000 /dev/zero | tr "\0" x >&2; [ $CNI_COMMAND = DEL ] || sleep 30 & echo $! >>pids'
	SECONDS=0
	cni ADD "$(list loud)" >/dev/null
	[ "$status" = 0 ]
	[ "${#stderr}" = 65536 ]
	[ $SECONDS -lt 20 ]
	kill $(cat pids)
}

@test "what fails is undone from its end" {
	plugin one
	plugin two
	plugin three 'if [ $CNI_COMMAND = ADD ]; then echo "{\"code\":111,\"msg\":\"full\"}"; exit 1; fi
		echo "{\"code\":112,\"msg\":\"not now\"}"; exit 1'
	cni ADD "$(list one two three)"
	fails 111 "three: full"
	[ "$(calls)" = "one.ADD two.ADD three.ADD three.DEL two.DEL one.DEL " ]
	[ "$(jq -c '[.prevResult.interfaces[].name]' log/05.one.DEL.json)" = '["one","two"]' ]
	nothing_left
}

@test "what is made in process is undone when a program behind it fails" {
	need_veth
	plugin bad '[ $CNI_COMMAND != ADD ] || exit 1'
	cni ADD "$(list "$BRIDGE" bad)"
	[ "$status" = 1 ]
	nothing_left
	[ -z "$(box ip -o link show eth0 2>/dev/null)" ]
}

@test "DEL goes on after an error, keeps the record, and can be repeated" {
	plugin one
	plugin two '[ $CNI_COMMAND != DEL ] || [ -e '$PWD'/mended ] || exit 7'
	plugin three
	conf=$(list one two three)
	cni ADD "$conf"
	[ "$status" = 0 ]
	cni DEL "$conf"
	fails 5 "two: $PWD/bin/two ended with code 7"
	[ "$(calls)" = "one.ADD two.ADD three.ADD three.DEL two.DEL one.DEL " ]
	[ -e run/attachments/box1/eth0 ]
	touch mended
	cni DEL "$conf"
	silent
	nothing_left
}

@test "a configuration that has changed since the ADD: what was made goes as it was made" {
	need_veth
	plugin one
	plugin two
	conf=$(list "$(jq -c --arg d "$PWD/data" '.ipMasq = true | .ipam.dataDir = $d' <<<"$BRIDGE")" \
		'{"type":"portmap","capabilities":{"portMappings":true}}' '{"type":"firewall"}' one two |
		jq -c '.runtimeConfig = {portMappings: [{hostPort: 8080, containerPort: 80}]}')
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ -e data/shop/10.88.0.2 ]
	# A program that is in no configuration any more may not be installed any more either.
	rm bin/two
	cni DEL "$(list '{"type":"loopback"}' '{"type":"one","word":"new"}')"
	silent
	nothing_left
	[ ! -e data/shop/10.88.0.2 ]
	run ! grep -q 10.88.0.2 <<<"$(host nft list ruleset)"
	[ "$(calls)" = "one.ADD two.ADD one.DEL " ]
	[ "$(jq -r .word log/02.one.DEL.json)" = new ]
	# One by one.
	one=$(jq -c --arg d "$PWD/data" '. + {cniVersion: "1.0.0", name: "shop", ipMasq: true} | .ipam.dataDir = $d' <<<"$BRIDGE")
	cni ADD "$one"
	[ "$status" = 0 ]
	cni DEL '{"cniVersion":"1.0.0","name":"shop","type":"bridge"}'
	silent
	nothing_left
	[ -z "$(find data -name '10.*')" ]
	rules=$(host nft list ruleset)
	[[ $rules == *"map masqueraded4"* && $rules != *"elements = "* ]]
}

@test "DEL with the path of another container's namespace" {
	need_veth
	host ip link add nic0 type veth peer name far0
	macvlan='{"type":"macvlan","master":"nic0","ipam":{"type":"static","addresses":[{"address":"10.88.0.5/24"}]}}'
	unshare --net sleep 300 3>&- & OTHER=$!
	KILL=$OTHER
	wait_for_netns "$OTHER"
	for one in "$BRIDGE" "$macvlan"; do
		cni ADD "$(list "$one")"
		[ "$status" = 0 ]
		CNI_CONTAINERID=other CNI_NETNS=/proc/$OTHER/ns/net cni ADD "$(list "$one")"
		[ "$status" = 0 ]
		CNI_CONTAINERID=other cni DEL "$(list "$one")"
		silent
		box ip link show eth0
		[ -z "$(nsenter -t "$OTHER" -n ip -o link show eth0 2>/dev/null)" ]
		cni DEL "$(list "$one")"
		silent
		[ -z "$(box ip -o link show eth0 2>/dev/null)" ]
	done
	host ip link del nic0
	nothing_left
}

@test "a result that cannot be written leaves nothing" {
	need_veth
	run host sh -c "CNI_COMMAND=ADD '$CNI' >/dev/full" <<<"$(list "$BRIDGE")"
	[ "$status" = 1 ]
	nothing_left
}

@test "a second ADD is refused and harms nobody" {
	need_veth
	cni ADD "$(list "$BRIDGE")"
	[ "$status" = 0 ]
	before=$(box ip -o -4 addr show eth0)
	cni ADD "$(list "$BRIDGE")"
	fails 103 "eth0 of container box1 is on network shop already"
	[ "$(box ip -o -4 addr show eth0)" = "$before" ] # the kernel adds its own of IPv6 later
	cni DEL "$(list "$BRIDGE")"
	silent
	nothing_left
}

@test "an ADD that meets an interface of that name leaves it, with and without a record" {
	need_veth
	host ip link add nic0 type veth peer name far0
	for one in "$BRIDGE" '{"type":"macvlan","master":"nic0"}'; do
		conf=$(list "$one")
		cni ADD "$conf"
		[ "$status" = 0 ]
		before=$(box ip -o -4 addr show eth0)
		mv run lost
		cni ADD "$conf"
		fails 103 "container box1 has an interface eth0 already"
		box ip link show eth0
		[ "$(box ip -o -4 addr show eth0)" = "$before" ]
		[ -z "$(find run/attachments run/leases -type f 2>/dev/null)" ]
		cni DEL "$conf"
		silent
		[ -z "$(box ip -o link show eth0 2>/dev/null)" ]
		rm -r lost
	done
	host ip link del nic0
	nothing_left
}

@test "a plugin that refuses a second ADD keeps what its first one made" {
	need_veth
	one=$(jq -c '. + {cniVersion: "1.0.0", name: "shop"}' <<<"$BRIDGE")
	cni ADD "$one"
	[ "$status" = 0 ]
	before=$(box ip -o -4 addr show eth0) veth=$(host ip -o link show type veth | cut -d: -f1,2)
	tune='{"cniVersion":"1.0.0","name":"shop","type":"tuning","sysctl":{"net.ipv4.conf.eth0.arp_filter":"1"}}'
	tune=$(jq -c --argjson r "$output" '.prevResult = $r' <<<"$tune")
	cni ADD "$tune"
	[ "$status" = 0 ]
	record=$(cat run/attachments/box1/eth0)
	leases=$(ls run/leases/shop)
	cni ADD "$one"
	fails 103 "eth0 of container box1 is on network shop already"
	# What comes later in a chain may come again; when it fails the first one counts.
	cni ADD "$(jq -c '.sysctl = {"net.ipv4.conf.eth0.nosuch":"1"}' <<<"$tune")"
	[ "$status" = 1 ]
	[ "$(cat run/attachments/box1/eth0)" = "$record" ]
	cni ADD "$tune"
	[ "$status" = 0 ]
	[ "$(box ip -o -4 addr show eth0)" = "$before" ] # the kernel adds its own of IPv6 later
	[ "$(host ip -o link show type veth | cut -d: -f1,2)" = "$veth" ]
	[ "$(ls run/leases/shop)" = "$leases" ]
	cni DEL "$tune"
	silent
	cni DEL "$one"
	silent
	nothing_left
}

@test "a run directory that is full is told as it is" {
	mkdir small
	mount -t tmpfs -o nr_inodes=2,mode=700 tote-test small
	TOTE_NET_DIR=$PWD/small
	cni ADD "$LO"
	umount small
	[ "$status" = 1 ]
	[[ $(jq -r .msg <<<"$output") == *"make the directory of the attachments of box1: No space left on device"* ]]
}

@test "a relative dataDir is refused" {
	cni ADD "$(list "$(jq -c '.ipam.dataDir = "leases"' <<<"$BRIDGE")")"
	fails 7 'ipam.dataDir: "leases" is not an absolute path'
	[ ! -e leases ]
	nothing_left
}

# Waits until the plugin of a call is at its sleep, and sets $tote_cni and $KILL, the sleep.
sleeps() { # PID
	for i in $(seq 600); do
		tote_cni=$(pgrep -P "$1" -x tote-cni || echo "$1")
		! KILL=$(pgrep -P "$tote_cni" -x sleep) || return 0
		sleep 0.05
	done
	return 1
}

@test "killed in the middle: DEL removes what there is" {
	need_veth
	plugin slow '[ $CNI_COMMAND != ADD ] || exec sleep 30'
	conf=$(list "$BRIDGE" slow)
	host env CNI_COMMAND=ADD "$CNI" <<<"$conf" 3>&- & pid=$!
	sleeps $pid
	kill -9 $tote_cni
	wait $pid || true
	[ "$(jq .done run/attachments/box1/eth0)" = false ]
	[[ $(box ip -o link show eth0) == *UP* ]]
	cni DEL "$conf"
	silent
	nothing_left
	[ -z "$(box ip -o link show eth0 2>/dev/null)" ]
}

@test "killed in the middle: the next ADD removes it first" {
	need_veth
	plugin slow '[ $CNI_COMMAND != ADD ] || [ -e '$PWD'/begun ] || { touch '$PWD'/begun; exec sleep 30; }'
	conf=$(list "$BRIDGE" slow)
	host env CNI_COMMAND=ADD "$CNI" <<<"$conf" 3>&- & pid=$!
	sleeps $pid
	kill -9 $tote_cni
	wait $pid || true
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ "$(calls)" = "slow.ADD slow.DEL slow.ADD " ]
	[ "$(host ip -o link show type veth | wc -l)" = 1 ]
	cni DEL "$conf"
	silent
	nothing_left
}

@test "a container that is gone without a DEL does not keep its name from the next" {
	need_veth
	cni ADD "$(list "$BRIDGE")"
	[ "$status" = 0 ]
	kill $BOX
	wait $BOX || true
	unshare --net sleep 600 3>&- & BOX=$!
	wait_for_netns $BOX
	CNI_NETNS=/proc/$BOX/ns/net
	cni ADD "$(list "$BRIDGE")"
	[ "$status" = 0 ]
	[ "$(find run/leases -type f -name '10.*' | wc -l)" = 1 ]
	cni DEL "$(list "$BRIDGE")"
	silent
	nothing_left
}

@test "DEL after the namespace is gone, with and without its path" {
	need_veth
	cni ADD "$(list "$BRIDGE")"
	[ "$status" = 0 ]
	kill $BOX
	wait $BOX || true
	cni DEL "$(list "$BRIDGE")"
	silent
	nothing_left
	CNI_NETNS=
	cni DEL "$(list "$BRIDGE")"
	silent
}

@test "CHECK finds what is missing, with the result of the runtime or the record's" {
	need_veth
	cni ADD "$(list "$BRIDGE")"
	conf=$(list "$BRIDGE" | jq -c --argjson r "$output" '.prevResult = $r')
	cni CHECK "$conf"
	silent
	cni CHECK "$(list "$BRIDGE")"
	silent
	box ip addr flush dev eth0
	cni CHECK "$conf"
	[ "$status" = 1 ]
	[[ $(jq -r .msg <<<"$output") == *10.88.0.* ]]
	cni DEL "$conf"
	silent
	cni CHECK "$(list "$BRIDGE")"
	fails 104 "was not added"
}

@test "STATUS asks each plugin" {
	plugin one
	conf=$(list loopback one | jq -c '.cniVersion = "1.1.0"')
	unset CNI_CONTAINERID CNI_IFNAME CNI_NETNS
	cni STATUS "$conf"
	silent
	[ "$(calls)" = "one.STATUS " ]
	plugin one '[ $CNI_COMMAND != STATUS ] || { echo "{\"code\":51,\"msg\":\"half\"}"; exit 1; }'
	cni STATUS "$conf"
	fails 51 "one: half"
	rm bin/one
	cni STATUS "$conf"
	fails 50 one
}

@test "GC deletes attachments that are not in the list, and only of this network" {
	need_veth
	plugin one
	conf=$(list "$BRIDGE" one | jq -c '.cniVersion = "1.1.0"')
	cni ADD "$conf"
	[ "$status" = 0 ]
	CNI_IFNAME=eth1
	cni ADD "$conf"
	[ "$status" = 0 ]
	CNI_IFNAME=lo0
	cni ADD "$LO"
	[ "$status" = 0 ]
	unset CNI_CONTAINERID CNI_IFNAME CNI_NETNS
	cni GC "$(jq -c '."cni.dev/valid-attachments" = [{containerID: "box1", ifname: "eth0"}]' <<<"$conf")"
	silent
	[ "$(ls run/attachments/box1 | xargs)" = "eth0 lo0" ]
	[ "$(find run/leases -type f -name '10.*' | wc -l)" = 1 ]
	[ "$(host ip -o link show type veth | wc -l)" = 1 ]
	[[ $(box ip -o addr show eth0) == *10.88.0.* ]]
	[ "$(calls)" = "one.ADD one.ADD one.DEL one.GC " ]
	[ "$(jq -c '."cni.dev/valid-attachments"' log/03.one.GC.json)" = '[{"containerID":"box1","ifname":"eth0"}]' ]
	run ! grep -q CNI_CONTAINERID log/03.one.GC.env
	# As libcni 1.2.0 called it.
	cni GC "$(jq -c '."cni.dev/attachments" = [{containerID: "box1", ifname: "eth0"}]' <<<"$conf")"
	silent
	[ -e run/attachments/box1/eth0 ]
	cni GC "$(jq -c '.disableGC = true | ."cni.dev/valid-attachments" = []' <<<"$conf")"
	silent
	[ -e run/attachments/box1/eth0 ]
	# As Go writes a list of none.
	cni GC "$(jq -c '."cni.dev/valid-attachments" = null' <<<"$conf")"
	silent
	[ "$(ls run/attachments/box1)" = lo0 ]
}

@test "plugins that somebody runs one by one gather in one record" {
	need_veth
	one=$(jq -c '. + {cniVersion: "1.0.0", name: "shop"}' <<<"$BRIDGE")
	two='{"cniVersion":"1.0.0","name":"shop","type":"tuning","sysctl":{"net.ipv4.conf.eth0.arp_filter":"1"},"runtimeConfig":{"mac":"0a:00:00:00:00:07"}}'
	cni ADD "$one"
	[ "$status" = 0 ]
	result=$output
	two=$(jq -c --argjson r "$result" '.prevResult = $r' <<<"$two")
	cni ADD "$two"
	[ "$status" = 0 ]
	[ "$(jq -c .ips <<<"$output")" = "$(jq -c .ips <<<"$result")" ]
	[ "$(jq -c '[.gathered, .done, [.network.plugins[].type]]' run/attachments/box1/eth0)" = '[true,true,["bridge","tuning"]]' ]
	[ "$(jq -r '.network.plugins[1].runtimeConfig.mac' run/attachments/box1/eth0)" = 0a:00:00:00:00:07 ]
	[ "$(jq -c '.network.plugins[1].prevResult' run/attachments/box1/eth0)" = null ]
	[ "$(jq -r '.result.ips | length' run/attachments/box1/eth0)" = 1 ]
	cni DEL "$two"
	silent
	[ "$(jq -c '[.network.plugins[].type]' run/attachments/box1/eth0)" = '["bridge"]' ]
	cni DEL "$one"
	silent
	nothing_left
}

@test "a chain within one link of a list" {
	need_veth
	plugin one
	conf=$(jq -nc --argjson b "$BRIDGE" '{cniVersion: "1.0.0", name: "shop", type: "tote-cni", plugins: [$b,
		{type: "one", capabilities: {portMappings: true}}], runtimeConfig: {portMappings: [{hostPort: 80, containerPort: 80}]}}')
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ "$(jq '.interfaces | length' <<<"$output")" = 4 ]
	[ "$(jq .runtimeConfig.portMappings[0].hostPort log/00.one.ADD.json)" = 80 ]
	cni DEL "$conf"
	silent
	nothing_left
	cni ADD '{"cniVersion":"1.0.0","name":"shop","type":"tote-cni"}'
	fails 7 "tote-cni has to have"
}

@test "what is asked for and no plugin can do is an error" {
	plugin one
	cni ADD "$(list one | jq -c '.runtimeConfig = {portMappings: [{hostPort: 80, containerPort: 80}]}')"
	fails 2 "runtimeConfig.portMappings: no plugin of network shop"
	[ ! -e log/00.one.ADD.env ]
	cni ADD "$(list one | jq -c '.runtimeConfig = {portMappings: [], dns: {servers: ["10.0.0.1"]}}')"
	[ "$status" = 0 ]
}

@test "a program that calls tote-cni in its turn does not wait for its caller" {
	need_veth
	plugin delegates 'jq -c ".type = \"bridge\"" $f.json | timeout 20 '"$CNI"'; exit'
	conf=$(list "$(jq -c '.type = "delegates"' <<<"$BRIDGE")")
	SECONDS=0
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ "$(jq '.interfaces | length' <<<"$output")" = 3 ]
	[ "$(jq -c '[.network.plugins[].type]' run/attachments/box1/eth0)" = '["delegates"]' ]
	cni DEL "$conf"
	silent
	[ $SECONDS -lt 15 ]
	nothing_left
}

@test "two at a time for one container take turns" {
	plugin one '[ $CNI_COMMAND != ADD ] || sleep 0.5'
	conf=$(list one)
	host env CNI_COMMAND=ADD "$CNI" <<<"$conf" >first 3>&- & pid=$!
	for i in $(seq 600); do [ ! -e log/00.one.ADD.env ] || break; sleep 0.05; done
	cni DEL "$conf"
	silent
	wait $pid
	[ "$(calls)" = "one.ADD one.DEL " ]
	nothing_left
}

@test "Debian's plugins work in one chain with ours, before and behind" {
	need_veth
	[ -x /usr/lib/cni/bridge ] || skip "containernetworking-plugins is not installed"
	for p in bridge tuning; do cp /usr/lib/cni/$p bin/deb-$p; done
	CNI_PATH=$PWD/bin:/usr/lib/cni
	conf=$(list "$(jq -c --arg d "$PWD/deb" '.type = "deb-bridge" | .ipam.dataDir = $d' <<<"$BRIDGE")" \
		'{"type":"tuning","mac":"0a:00:00:00:00:07"}')
	cni ADD "$conf"
	[ "$status" = 0 ]
	[[ $(box ip -o link show eth0) == *0a:00:00:00:00:07* ]]
	cni DEL "$conf"
	silent
	[ -z "$(host ip -o link show type veth)" ]
	conf=$(list "$BRIDGE" '{"type":"deb-tuning","sysctl":{"net.ipv4.conf.eth0.arp_filter":"1"}}')
	cni ADD "$conf"
	[ "$status" = 0 ]
	[ "$(box cat /proc/sys/net/ipv4/conf/eth0/arp_filter)" = 1 ]
	cni CHECK "$(jq -c --argjson r "$output" '.prevResult = $r' <<<"$conf")"
	silent
	cni DEL "$conf"
	silent
	nothing_left
}

@test "addresses come from Debian's IPAM plugins as well" {
	need_veth
	[ -x /usr/lib/cni/host-local ] || skip "containernetworking-plugins is not installed"
	cp /usr/lib/cni/host-local bin/deb-local
	conf=$(list "$(jq -c --arg d "$PWD/deb" '.ipam.type = "deb-local" | .ipam.dataDir = $d' <<<"$BRIDGE")")
	cni ADD "$conf"
	[ "$status" = 0 ]
	[[ $(box ip -o addr show eth0) == *10.88.0.2/24* ]]
	[ -e deb/shop/10.88.0.2 ]
	cni DEL "$conf"
	silent
	[ ! -e deb/shop/10.88.0.2 ]
	nothing_left
}

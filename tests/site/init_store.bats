# SPDX-License-Identifier: Apache-2.0
# tote-site init-store: what it writes for a store's boxes, and what it refuses. What the cluster makes of it is in cluster.bats.

bats_require_minimum_version 1.5.0
REAL_JQ=1
load ../bats

setup() {
	SITE=$BATS_TEST_DIRNAME/../../cmd/tote-site/tote-site
	cd "$BATS_TEST_TMPDIR"
	ABC=(a=10.0.0.1 b=10.0.0.2 c=10.0.0.3)
}

init() {
	run timeout 60 "$SITE" init-store "$@" 3>&-
	echo "init-store $*: code $status: $output"
}

refused() { # WORDS ARGUMENT...
	local words=$1
	shift
	init -o out "$@"
	[ "$status" -eq 2 ] || return 1
	[[ $output == *"$words"* ]] || return 1
	[ ! -e out ]
}

# All of Pacemaker's sections as one document, as it checks them.
cib() { # BOX
	echo '<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration>'
	cat "out/$1/etc/tote/cluster/crm_config.xml"
	echo "<nodes/>"
	for section in resources constraints rsc_defaults op_defaults; do
		cat "out/$1/etc/tote/cluster/$section.xml"
	done
	echo '</configuration><status/></cib>'
}

@test "three boxes: what they share is the same, and each has its own" {
	init -o out --name store7 --fence fence_test --address 10.0.0.100/24 --depot https://hq.example/d "${ABC[@]}"
	[ "$status" -eq 0 ]
	for box in b c; do
		for file in etc/corosync/corosync.conf etc/corosync/authkey etc/tote/cluster/resources.xml etc/tote/ssh/id_ed25519 etc/tote/ssh/known_hosts; do
			cmp "out/a/$file" "out/$box/$file"
		done
		run ! cmp out/a/etc/ssh/ssh_host_ed25519_key "out/$box/etc/ssh/ssh_host_ed25519_key"
	done
	diff - out/b/etc/tote/site.conf <<-END
		store store7
		box b
		engine pacemaker
		peer a 10.0.0.1
		peer c 10.0.0.3
		ssh ssh -F /etc/tote/ssh/config
		depot https://hq.example/d
	END
	# Who the boxes are is known before they are there.
	for box in a b c; do
		key=$(cut -d ' ' -f 2 "out/$box/etc/ssh/ssh_host_ed25519_key.pub")
		[ "$(grep -c "$key" out/a/etc/tote/ssh/known_hosts)" = 1 ]
		[ "$(grep -c "$key" out/headquarters/hostkeys/store7)" = 1 ]
	done
	[ "$(cat out/headquarters/stores.tsv)" = $'store7\t10.0.0.1,10.0.0.2,10.0.0.3\tssh\t-\t-' ]
}

@test "secrets can be read by root alone, and nothing else is left of them" {
	init -o out --fence fence_test:passwd=geheim,ip=1.2.3.4 "${ABC[@]}"
	[ "$status" -eq 0 ]
	[ "$(stat -c %a out)" = 700 ]
	for box in a b c; do
		[ "$(stat -c %a "out/$box/etc/corosync/authkey")" = 400 ]
		[ "$(stat -c %s "out/$box/etc/corosync/authkey")" -ge 128 ]
	done
	grep -rlE 'PRIVATE KEY|geheim' out | while read -r file; do
		[ "$(stat -c %a "$file")" = 600 ] || { echo "$file"; exit 1; }
	done
	[ "$(grep -rl 'PRIVATE KEY' out | wc -l)" = 6 ]
	[ "$(grep -rl geheim out | wc -l)" = 3 ]
	# Directories as they are on a box already.
	for dir in etc etc/ssh etc/corosync etc/tote etc/systemd/system; do
		[ "$(stat -c %a "out/a/$dir")" = 755 ] || { echo "$dir"; return 1; }
	done
	[ -z "$(find "$BATS_TEST_TMPDIR" -mindepth 1 -maxdepth 1 ! -name out)" ]
}

@test "corosync, Pacemaker, sshd and ssh take it" {
	for program in corosync crm_verify sshd; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
	init -o out --fence "fence_test:passwd=a<b&\"c,ip=1.2.3.4" --address 10.0.0.100/24 "${ABC[@]}"
	[ "$status" -eq 0 ]
	COROSYNC_MAIN_CONFIG_FILE=$PWD/out/a/etc/corosync/corosync.conf COROSYNC_TOTEM_AUTHKEY_FILE=$PWD/out/a/etc/corosync/authkey timeout 20 corosync -t
	cib a >cib.xml
	timeout 20 crm_verify --xml-file cib.xml
	[ "$(xmllint --xpath 'string(//nvpair[@name="passwd"]/@value)' cib.xml)" = 'a<b&"c' ]
	{ cat out/a/etc/ssh/sshd_config.d/tote-site.conf; echo "HostKey $PWD/out/a/etc/ssh/ssh_host_ed25519_key"; } >sshd.conf
	mkdir -p /run/sshd
	timeout 20 sshd -T -f sshd.conf -C user=root,host=x,addr=1.2.3.4 | grep -x 'authorizedkeysfile .ssh/authorized_keys /etc/tote/ssh/authorized_keys'
	timeout 20 sshd -T -f sshd.conf -C user=nobody,host=x,addr=1.2.3.4 | grep -x 'authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2'
	timeout 20 ssh -G -F out/a/etc/tote/ssh/config 10.0.0.2 | grep -x 'stricthostkeychecking true'
	ssh-keygen -l -f out/a/etc/tote/ssh/authorized_keys
	[[ $(cat out/a/etc/tote/ssh/authorized_keys) == 'command="/usr/local/bin/tote-site peer",restrict ssh-ed25519 '* ]]
}

@test "one box has no cluster, two have a vote for two and shoot one after the other" {
	init -o one a=10.0.0.1
	[ "$status" -eq 0 ]
	grep -x 'engine supervise' one/a/etc/tote/site.conf
	[ ! -e one/a/etc/corosync ] && [ ! -e one/a/etc/tote/cluster ]
	[ -L one/a/etc/systemd/system/multi-user.target.wants/tote.service ]
	init -o out --fence a=fence_test:ip=1.1.1.1 --fence b=fence_test:ip=1.1.1.2 a=10.0.0.1 b=10.0.0.2
	[ "$status" -eq 0 ]
	[[ $output == *"wait_for_all"* ]]
	grep -P '^\ttwo_node: 1$' out/a/etc/corosync/corosync.conf
	[ "$(grep -c pcmk_delay_base out/a/etc/tote/cluster/resources.xml)" = 1 ]
	[ "$(grep -c rsc_location out/a/etc/tote/cluster/constraints.xml)" = 2 ]
	! command -v crm_verify >/dev/null || { cib a >cib.xml && crm_verify --xml-file cib.xml; }
}

@test "addresses: several links, a subnet, IPv6" {
	init -o links --fence sbd a=10.0.0.1,10.1.0.1 b=10.0.0.2,10.1.0.2 c=10.0.0.3,10.1.0.3
	[ "$status" -eq 0 ]
	[ "$(grep -c ring1_addr links/a/etc/corosync/corosync.conf)" = 3 ]
	grep -x 'peer b 10.0.0.2' links/a/etc/tote/site.conf
	grep -x SBD_WATCHDOG_DEV=/dev/watchdog links/a/etc/default/sbd
	init -o subnet --fence none --subnet 10.9.8.254/23 a b c
	[ "$status" -eq 0 ]
	[ "$(grep -o '10\.9\..*' subnet/c/etc/corosync/corosync.conf | tr '\n' ' ')" = "10.9.8.254 10.9.8.255 10.9.9.0 " ]
	init -o six --fence none a=fd00::1 b=fd00::2 c=fd00::3
	[ "$status" -eq 0 ]
}

@test "what is no store is refused, and nothing is written" {
	F=(--fence fence_test)
	refused "usage" "${F[@]}"
	refused "named twice" "${F[@]}" a=10.0.0.1 a=10.0.0.2 c=10.0.0.3
	refused "given twice" "${F[@]}" a=10.0.0.1 b=10.0.0.1 c=10.0.0.3
	refused "even number" "${F[@]}" "${ABC[@]}" d=10.0.0.4
	refused "no address" "${F[@]}" a=10.0.0.256 b=10.0.0.2 c=10.0.0.3
	refused "no address" "${F[@]}" a=010.0.0.1 b=10.0.0.2 c=10.0.0.3
	refused "no address" "${F[@]}" 'a=$(id)' b=10.0.0.2 c=10.0.0.3
	refused "does not resolve" "${F[@]}" a=10.0.0.1 b=10.0.0.2 no-such-box-of-mine
	refused "as many addresses" "${F[@]}" a=10.0.0.1,10.1.0.1 b=10.0.0.2 c=10.0.0.3
	for name in A a- a_b a.b ../a "a b" "$(printf 'a%.0s' {1..64})"; do
		refused "no name for a box" "${F[@]}" "$name=10.0.0.1" b=10.0.0.2 c=10.0.0.3
	done
	for name in Store ../x "a b" default; do
		refused "no name for a store" "${F[@]}" --name "$name" "${ABC[@]}"
	done
	refused "is not IP/PREFIX" "${F[@]}" --address 10.0.0.9 "${ABC[@]}"
	refused "is not IP/PREFIX" "${F[@]}" --address 10.0.0.9/33 "${ABC[@]}"
	refused "a box's own" "${F[@]}" --address 10.0.0.2/24 "${ABC[@]}"
	refused "no room" "${F[@]}" --subnet 10.0.0.253/24 a b c
	refused "--fence is needed" "${ABC[@]}"
	refused "no fence agent" --fence 'rm -rf' "${ABC[@]}"
	refused "no fence agent" --fence ../fence_x "${ABC[@]}"
	refused "is not K=V" --fence 'fence_x:ip' "${ABC[@]}"
	refused "stands alone" --fence none --fence fence_x "${ABC[@]}"
	refused "nothing switches box c off" --fence a=fence_x --fence b=fence_x "${ABC[@]}"
	refused "named twice" --fence fence_x --fence fence_y "${ABC[@]}"
	refused "nobody could" --fence fence_x a=10.0.0.1
	refused "neither a directory nor a URL" "${F[@]}" --depot ftp://x "${ABC[@]}"
	refused "no absolute path" "${F[@]}" --prefix 'x y' "${ABC[@]}"
	refused "cannot be read" "${F[@]}" --signers /no/such "${ABC[@]}"
	refused "wants a value" "${ABC[@]}" --name
	refused "unknown option --x" --x "${ABC[@]}"
	ssh-keygen -q -t ed25519 -N '' -f key
	refused "not one public ssh key" "${F[@]}" --fleet-key key "${ABC[@]}"
	cat key.pub key.pub >two
	refused "not one public ssh key" "${F[@]}" --fleet-key two "${ABC[@]}"
}

@test "nothing is overwritten without --force, and with it only what init-store wrote" {
	mkdir out && echo mine >out/file
	init -o out --fence none "${ABC[@]}"
	[ "$status" -eq 1 ]
	init -o out --force --fence none "${ABC[@]}"
	[ "$status" -eq 1 ]
	[ "$(cat out/file)" = mine ]
	init -o new --fence none "${ABC[@]}"
	[ "$status" -eq 0 ]
	cp new/a/etc/corosync/authkey old
	init -o new --fence none "${ABC[@]}"
	[ "$status" -eq 1 ]
	cmp old new/a/etc/corosync/authkey
	init -o new --force --fence none --name other "${ABC[@]}"
	[ "$status" -eq 0 ]
	run ! cmp old new/a/etc/corosync/authkey
	grep -x 'store other' new/a/etc/tote/site.conf
	[ "$(ls -A | tr '\n' ' ')" = "new old out " ]
}

@test "--dry-run lists what would be written, with modes, and writes nothing" {
	init -o out --dry-run --fence none "${ABC[@]}"
	[ "$status" -eq 0 ]
	listed=$output
	[ -z "$(ls -A)" ]
	init -o out --fence none "${ABC[@]}"
	[ "$listed" = "$(cd out && find . -mindepth 1 ! -type d -printf '%m %P\n' | LC_ALL=C sort -k 2)" ]
}

@test "a full disk leaves nothing and is said to be one" {
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null || skip "needs root"
	mkdir small
	run timeout 60 unshare -m --propagation private bash -c 'mount -t tmpfs -o size=64k none small && cd small && { "$0" init-store -o out --fence none "$@"; code=$?; ls -A; exit $code; }' \
		"$SITE" "${ABC[@]}" 3>&-
	echo "code $status: $output"
	[ "$status" -eq 9 ]
	[[ $output == *"No space left"* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "killed at any time it leaves a whole store or none" {
	for delay in 0.01 0.03 0.05 0.08 0.1 0.15 0.2 0.3; do
		timeout -s KILL "$delay" "$SITE" init-store -o out --fence none "${ABC[@]}" >/dev/null 2>&1 3>&- || true
		[ ! -e out ] || { [ -s out/c/etc/tote/site.conf ] && [ -s out/README ] && [ -s out/headquarters/stores.tsv ]; }
		rm -rf out
	done
}

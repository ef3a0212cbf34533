# SPDX-License-Identifier: Apache-2.0
# Networks made by tote-cni leave the kernel as those that Debian's CNI plugins make.
# One test a row of compare.py's table; `tests/netns/compare.py ROW` runs one by hand.

load ../bats
load compare

@test "every row has its test" {
	python3 "$BATS_TEST_DIRNAME/compare.py" --list >"$BATS_TEST_TMPDIR/rows"
	each_has_its_test "$BATS_TEST_FILENAME" <"$BATS_TEST_TMPDIR/rows"
}

@test "bridge-plain as Debian's plugins make it" { row bridge-plain; }
@test "bridge-no-ipam as Debian's plugins make it" { row bridge-no-ipam; }
@test "bridge-isgateway as Debian's plugins make it" { row bridge-isgateway; }
@test "bridge-isdefaultgateway as Debian's plugins make it" { row bridge-isdefaultgateway; }
@test "bridge-ipmasq as Debian's plugins make it" { row bridge-ipmasq; }
@test "bridge-mtu as Debian's plugins make it" { row bridge-mtu; }
@test "bridge-hairpin as Debian's plugins make it" { row bridge-hairpin; }
@test "bridge-promisc as Debian's plugins make it" { row bridge-promisc; }
@test "bridge-forceaddress as Debian's plugins make it" { row bridge-forceaddress; }
@test "bridge-exists as Debian's plugins make it" { row bridge-exists; }
@test "bridge-v6 as Debian's plugins make it" { row bridge-v6; }
@test "bridge-dual as Debian's plugins make it" { row bridge-dual; }
@test "bridge-ranges as Debian's plugins make it" { row bridge-ranges; }
@test "bridge-static as Debian's plugins make it" { row bridge-static; }
@test "bridge-routes as Debian's plugins make it" { row bridge-routes; }
@test "bridge-mac as Debian's plugins make it" { row bridge-mac; }
@test "bridge-ips as Debian's plugins make it" { row bridge-ips; }
@test "bridge-args-ip as Debian's plugins make it" { row bridge-args-ip; }
@test "bridge-dns as Debian's plugins make it" { row bridge-dns; }
@test "ptp as Debian's plugins make it" { row ptp; }
@test "ptp-ipmasq-mtu as Debian's plugins make it" { row ptp-ipmasq-mtu; }
@test "ptp-dual as Debian's plugins make it" { row ptp-dual; }
@test "loopback as Debian's plugins make it" { row loopback; }
@test "portmap as Debian's plugins make it" { row portmap; }
@test "portmap-dual as Debian's plugins make it" { row portmap-dual; }
@test "firewall as Debian's plugins make it" { row firewall; }
@test "tuning-sysctl as Debian's plugins make it" { row tuning-sysctl; }
@test "tuning-mac as Debian's plugins make it" { row tuning-mac; }
@test "tuning-mac-runtime as Debian's plugins make it" { row tuning-mac-runtime; }
@test "tuning-mtu as Debian's plugins make it" { row tuning-mtu; }
@test "tuning-modes as Debian's plugins make it" { row tuning-modes; }
@test "bandwidth as Debian's plugins make it" { row bandwidth; }
@test "bandwidth-ingress as Debian's plugins make it" { row bandwidth-ingress; }
@test "bandwidth-runtime as Debian's plugins make it" { row bandwidth-runtime; }
@test "bandwidth-ptp as Debian's plugins make it" { row bandwidth-ptp; }
@test "chain as Debian's plugins make it" { row chain; }
@test "host-device as Debian's plugins make it" { row host-device; }
@test "host-device-plain as Debian's plugins make it" { row host-device-plain; }
@test "host-device-hwaddr as Debian's plugins make it" { row host-device-hwaddr; }
@test "host-device-tuned as Debian's plugins make it" { row host-device-tuned; }
@test "host-device-renamed as Debian's plugins make it" { row host-device-renamed; }

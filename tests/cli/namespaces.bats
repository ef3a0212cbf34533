# SPDX-License-Identifier: Apache-2.0
# The eight namespaces: new, entered by path, and absent. A keeper, made with unshare(1), holds those that are entered.

load helpers

setup() {
	KEEPER= HOST=
	make_bundle
}

teardown() {
	local pid
	clean_up
	for pid in $KEEPER $HOST; do
		kill -9 "$pid" && wait "$pid" || true
	done
}

link() { # PID KIND
	readlink "/proc/$1/ns/$2"
}

differs_from_ours() { # PID KIND
	[ "$(link "$1" "$2")" != "$(link $$ "$2")" ]
}

# KIND as in /proc/PID/ns, and the options of unshare that make it.
keep() {
	local kind=$1
	shift
	unshare "$@" sleep 120 3>&- >/dev/null 2>&1 &
	KEEPER=$!
	eventually differs_from_ours "$KEEPER" "$kind"
}

namespaces_are() { # JSON objects
	config ".linux.namespaces = [$1]"
}

without() { # TYPE...
	config '.linux.namespaces |= map(select(.type as $t | $ARGS.positional | index($t) | not))' --args -- "$@"
}

enters() { # TYPE PATH
	without "$1"
	config '.linux.namespaces += [{type: $t, path: $p}]' --arg t "$1" --arg p "$2"
}

# What the container says of itself: "net net:[4026531840]" and so on.
show_links() {
	command_is sh -c 'for k in cgroup ipc mnt net pid time user uts; do [ -e /proc/self/ns/$k ] && echo $k $(readlink /proc/self/ns/$k); done; true'
}

link_in() { # KIND: of $output
	sed -n "s/^$1 //p" <<<"$output"
}

start_sleeper() {
	command_is sleep 120
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	PID=$(tote state "$ID" | jq .pid)
}

refused() { # PATTERN
	run tote run "$ID"
	[ "$status" = 1 ]
	[[ $output == $1 ]] || { echo "said: $output"; return 1; }
	nothing_left
}

need_time() {
	[ -e /proc/self/ns/time ] || skip "the kernel has no time namespaces"
}

@test "new namespaces of all kinds are the container's own" {
	local kind
	show_links
	[ ! -e /proc/self/ns/time ] || config '.linux.namespaces += [{type: "time"}]'
	run tote run "$ID"
	[ "$status" = 0 ]
	for kind in cgroup ipc mnt net pid time uts; do
		[ -e /proc/self/ns/$kind ] || continue
		[ -n "$(link_in $kind)" ]
		[ "$(link_in $kind)" != "$(link $$ $kind)" ] || { echo "$kind is the host's"; return 1; }
	done
	[ "$(link_in user)" = "$(link $$ user)" ]
	nothing_left
}

@test "absent namespaces are the host's" {
	local kind
	show_links
	namespaces_are '{type: "mount"}'
	config 'del(.hostname)'
	run tote run "$ID"
	[ "$status" = 0 ]
	for kind in cgroup ipc net pid time user uts; do
		[ "$(link_in $kind)" = "$(readlink /proc/$$/ns/$kind)" ] || { echo "$kind is not the host's"; return 1; }
	done
	[ "$(link_in mnt)" != "$(link $$ mnt)" ]
}

@test "a container without a mount namespace is refused" {
	without mount
	config 'del(.linux.maskedPaths, .linux.readonlyPaths)'
	refused '*mount namespace is needed*'
}

@test "settings of a namespace that is absent are refused" {
	without uts
	refused '*hostname: needs a namespace of type uts*'
	config 'del(.hostname) | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	without network
	refused '*net.ipv4.ip_forward*: needs a namespace of type network*'
	config '.linux.sysctl = {"kernel.shmmax": "65536"}'
	without ipc
	refused '*kernel.shmmax*: needs a namespace of type ipc*'
}

@test "net, ipc, uts and cgroup namespaces are entered by path" {
	local pair file type
	show_links
	config 'del(.hostname)'
	keep net --net --ipc --uts --cgroup
	for pair in net=network ipc=ipc uts=uts cgroup=cgroup; do
		file=${pair%=*} type=${pair#*=}
		enters "$type" "/proc/$KEEPER/ns/$file"
	done
	run tote run "$ID"
	[ "$status" = 0 ]
	for file in net ipc uts cgroup; do
		[ "$(link_in $file)" = "$(link "$KEEPER" $file)" ] || { echo "$file was not entered"; return 1; }
	done
	[ -d "/proc/$KEEPER" ]
	nothing_left
}

@test "a namespace is entered through a bind mount that outlives its makers" {
	show_links
	touch "$BATS_TEST_TMPDIR/net"
	keep net --net
	mount --bind "/proc/$KEEPER/ns/net" "$BATS_TEST_TMPDIR/net"
	local want
	want=$(link "$KEEPER" net)
	kill -9 "$KEEPER"
	wait "$KEEPER" || true
	KEEPER=
	enters network "$BATS_TEST_TMPDIR/net"
	run tote run "$ID"
	umount "$BATS_TEST_TMPDIR/net"
	[ "$status" = 0 ]
	[ "$(link_in net)" = "$want" ]
}

@test "a pid namespace is entered by path; killing the container spares its other processes" {
	keep pid_for_children --pid --fork
	local child
	eventually pgrep -P "$KEEPER"
	child=$(pgrep -P "$KEEPER")
	enters pid "/proc/$child/ns/pid"
	start_sleeper
	[ "$(link "$PID" pid)" = "$(link "$child" pid)" ]
	run tote exec "$ID" sh -c 'cat /proc/1/cmdline | tr "\0" " "'
	[ "$output" = "sleep 120 " ]
	tote kill "$ID" KILL
	eventually stopped
	[ -d "/proc/$child" ]
	tote delete "$ID"
	nothing_left
	kill -9 "$child"
}

stopped() { [ "$(status_of "$ID")" = stopped ]; }

@test "a time namespace is entered by path" {
	need_time
	show_links
	keep time_for_children --time --fork --boottime 86400
	local child
	eventually pgrep -P "$KEEPER"
	child=$(pgrep -P "$KEEPER")
	enters time "/proc/$child/ns/time"
	run tote run "$ID"
	[ "$status" = 0 ]
	[ "$(link_in time)" = "$(link "$child" time)" ]
	kill -9 "$child"
}

@test "a mount namespace is entered by path, and the host's mounts stay as they are" {
	local before
	show_links
	before=$(cut -d' ' -f5- /proc/self/mountinfo | sort)
	keep mnt --mount
	enters mount "/proc/$KEEPER/ns/mnt"
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$(link_in mnt)" = "$(link "$KEEPER" mnt)" ]
	[ "$(cut -d' ' -f5- /proc/self/mountinfo | sort)" = "$before" ]
}

@test "a user namespace is entered by path, with new namespaces that belong to it" {
	show_links
	keep user --user
	echo '0 100000 65536' >"/proc/$KEEPER/uid_map"
	echo '0 100000 65536' >"/proc/$KEEPER/gid_map"
	enters user "/proc/$KEEPER/ns/user"
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$(link_in user)" = "$(link "$KEEPER" user)" ]
	[ "$(link_in pid)" != "$(link $$ pid)" ]
	command_is sh -c 'id -u; cat /proc/self/uid_map; hostname inside && hostname'
	config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
	run tote run "$ID"
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0 ]
	[[ ${lines[1]} =~ ^\ *0\ +100000\ +65536$ ]]
	[ "${lines[2]}" = inside ]
}

@test "user, pid, net, ipc and uts namespaces are entered together, those of a keeper that owns them" {
	local kind child
	keep user --user --pid --net --ipc --uts --fork
	eventually pgrep -P "$KEEPER"
	child=$(pgrep -P "$KEEPER")
	echo '0 100000 65536' >"/proc/$child/uid_map"
	echo '0 100000 65536' >"/proc/$child/gid_map"
	config 'del(.hostname)'
	for kind in user pid ipc uts; do
		enters $kind "/proc/$child/ns/$kind"
	done
	enters network "/proc/$child/ns/net"
	show_links
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "$output"; kill -9 "$child"; return 1; }
	for kind in user pid net ipc uts; do
		[ "$(link_in $kind)" = "$(link "$child" $kind)" ] || { echo "$kind was not entered"; return 1; }
	done
	start_sleeper
	run tote exec "$ID" sh -c 'id -u; readlink /proc/self/ns/net'
	[ "$status" = 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = "$(link "$child" net)" ]
	tote delete --force "$ID"
	kill -9 "$child"
}

@test "a second container joins the namespaces of the first, as in a pod" {
	local first kind
	start_sleeper
	first=$PID
	for kind in ipc uts pid; do
		enters $kind "/proc/$first/ns/$kind"
	done
	enters network "/proc/$first/ns/net"
	config 'del(.hostname)'
	command_is sh -c 'hostname; readlink /proc/self/ns/net; tr "\0" " " </proc/1/cmdline'
	run tote run "$ID-b"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "${lines[0]}" = tote ]
	[ "${lines[1]}" = "$(link "$first" net)" ]
	[ "${lines[2]}" = "sleep 120 " ]
	[ "$(status_of "$ID")" = running ]
}

@test "a path that is missing, no namespace, or one of another kind is named in the error" {
	config 'del(.hostname)'
	enters network "$BATS_TEST_TMPDIR/missing"
	refused "*network namespace $BATS_TEST_TMPDIR/missing*No such file*"
	touch "$BATS_TEST_TMPDIR/file"
	enters network "$BATS_TEST_TMPDIR/file"
	refused '*network namespace*'
	enters network /proc/self/ns/uts
	refused '*network namespace*Invalid argument*'
	without network
	enters uts /proc/self/ns/user
	refused '*uts namespace*Invalid argument*'
}

@test "without a pid namespace KILL ends every process of the container" {
	without pid
	command_is sh -c 'sleep 121 & sleep 122 & echo ready; wait; wait'
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	eventually grep -q ready "$BATS_TEST_TMPDIR/out"
	local pids
	pids=$(tote ps -f json "$ID" | jq -r '.[]')
	[ "$(wc -w <<<"$pids")" = 3 ]
	tote kill "$ID" KILL
	eventually all_gone "$pids"
	stopped
	tote delete "$ID"
	nothing_left
}

all_gone() {
	local p
	for p in $1; do
		[ ! -d "/proc/$p" ] || [ "$(cut -d' ' -f3 "/proc/$p/stat")" = Z ] || return 1
	done
}

@test "without a pid namespace another signal goes to the first process alone, --all to all" {
	without pid
	command_is sh -c 'sleep 121 & echo ready; trap "echo term; exit 7" TERM; while :; do wait; done'
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	eventually grep -q ready "$BATS_TEST_TMPDIR/out"
	local pids
	pids=$(tote ps -f json "$ID" | jq -r '.[]')
	tote kill "$ID" TERM
	eventually stopped
	grep -q term "$BATS_TEST_TMPDIR/out"
	run all_gone "$pids"
	[ "$status" = 1 ]
	tote kill --all "$ID" TERM
	eventually all_gone "$pids"
	tote delete "$ID"
	nothing_left
}

@test "without a pid namespace delete ends what outlived the first process" {
	without pid
	command_is sh -c 'sleep 121 & echo $!'
	tote run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	eventually stopped
	local left
	left=$(tote ps -f json "$ID" | jq -r '.[]')
	[ -n "$left" ]
	tote delete "$ID"
	all_gone "$left"
	nothing_left
}

uptime_in() { # command in front
	"$@" cut -d. -f1 /proc/uptime
}

@test "a time namespace has its offsets, for the first process and for exec" {
	need_time
	config '.linux.namespaces += [{type: "time"}]
		| .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 5}, monotonic: {secs: 2000, nanosecs: 7}}'
	start_sleeper
	local ours theirs
	ours=$(uptime_in)
	theirs=$(uptime_in tote exec "$ID")
	[ $((theirs - ours)) -ge 999999 ] && [ $((theirs - ours)) -le 1000010 ]
	run tote exec "$ID" cat /proc/self/timens_offsets
	[[ ${lines[0]} =~ ^monotonic\ +2000\ +7$ ]]
	[[ ${lines[1]} =~ ^boottime\ +1000000\ +5$ ]]
	run cat "/proc/$PID/timens_offsets"
	[[ ${lines[1]} =~ ^boottime\ +1000000\ +5$ ]]
	[ "$(link "$PID" time)" != "$(link $$ time)" ]
}

@test "a single negative offset of a time namespace leaves the other clock alone" {
	need_time
	config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: -60}}'
	command_is cat /proc/self/timens_offsets /proc/uptime
	run tote run "$ID"
	[ "$status" = 0 ]
	[[ ${lines[0]} =~ ^monotonic\ +0\ +0$ ]]
	[[ ${lines[1]} =~ ^boottime\ +-60\ +0$ ]]
}

@test "time offsets that cannot be are refused" {
	need_time
	config '.linux.timeOffsets = {boottime: {secs: 60}}'
	refused '*timeOffsets: needs a new time namespace*'
	config '.linux.namespaces += [{type: "time", path: "/proc/self/ns/time"}]'
	refused '*timeOffsets: needs a new time namespace*'
	without time
	config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: -100000000000}}'
	refused '*time namespace*offsets*'
}

@test "a cgroup namespace shows the container's group as the root, also to exec" {
	command_is grep '^0:' /proc/self/cgroup
	run tote run "$ID"
	[ "$output" = "0::/" ]
	start_sleeper
	run tote exec "$ID" grep '^0:' /proc/self/cgroup
	[ "$output" = "0::/" ]
	run grep '^0:' "/proc/$PID/cgroup"
	[ "$output" = "0::/tote-$ID" ]
}

@test "without a cgroup namespace the whole path is seen" {
	without cgroup
	command_is grep '^0:' /proc/self/cgroup
	run tote run "$ID"
	[ "$output" = "0::/tote-$ID" ]
}

@test "hostname and domainname are set inside and nowhere else" {
	local host domain
	host=$(cat /proc/sys/kernel/hostname) domain=$(cat /proc/sys/kernel/domainname)
	config '.hostname = "box-1" | .domainname = "shop.example"'
	command_is cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname
	run tote run "$ID"
	[ "$status" = 0 ]
	[ "${lines[0]}" = box-1 ]
	[ "${lines[1]}" = shop.example ]
	[ "$(cat /proc/sys/kernel/hostname)" = "$host" ]
	[ "$(cat /proc/sys/kernel/domainname)" = "$domain" ]
	config 'del(.hostname, .domainname)'
	run tote run "$ID"
	[ "${lines[0]}" = "$host" ]
}

@test "a hostname of 64 bytes fits, one of 65 is refused" {
	config '.hostname = "x" * 64'
	command_is hostname
	run tote run "$ID"
	[ "$output" = "$(printf 'x%.0s' $(seq 64))" ]
	config '.hostname = "x" * 65'
	refused '*hostname: longer than 64 bytes*'
}

@test "sysctls are set in the container's namespaces and not on the host" {
	local key before
	before=$(cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward /proc/sys/fs/mqueue/msg_max)
	config '.linux.sysctl = {
		"kernel.shmmax": "123456", "kernel.domainname": "by.sysctl", "net.ipv4.ip_forward": "1",
		"net/ipv4/conf/lo/rp_filter": "2", "fs.mqueue.msg_max": "7"}'
	command_is sh -c 'cd /proc/sys; cat kernel/shmmax kernel/domainname net/ipv4/ip_forward net/ipv4/conf/lo/rp_filter fs/mqueue/msg_max'
	run tote run "$ID"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$output" = $'123456\nby.sysctl\n1\n2\n7' ]
	[ "$(cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_forward /proc/sys/fs/mqueue/msg_max)" = "$before" ]
}

@test "sysctls of the host, unknown ones and bad values are refused" {
	config '.linux.sysctl = {"kernel.panic": "1"}'
	refused '*kernel.panic*: belongs to no namespace*'
	config '.linux.sysctl = {"net.ipv4.no_such_thing": "1"}'
	refused '*net/ipv4/no_such_thing*No such file*'
	config '.linux.sysctl = {"net.ipv4.ip_forward": "maybe"}'
	refused '*net/ipv4/ip_forward*Invalid argument*'
	config '.linux.sysctl = {"net.ipv4/../../kernel/panic": "1"}'
	refused '*is not the name of a sysctl*'
}

@test "a sysctl reaches a network namespace that was entered" {
	keep net --net
	enters network "/proc/$KEEPER/ns/net"
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	command_is true
	tote run "$ID"
	[ "$(nsenter -t "$KEEPER" -n cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
}

@test "loopback is up in a new network namespace, and nothing else is there" {
	command_is sh -c 'ip -o link; ping -c 1 -W 2 127.0.0.1 >/dev/null && echo reachable'
	config '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
	run tote run "$ID"
	[[ ${lines[0]} == *"lo: <LOOPBACK,UP,LOWER_UP>"* ]]
	[ "${lines[-1]}" = reachable ]
	[ "$(grep -vcE '(lo|tunl0|gre0|sit0|ip6tnl0|[a-z0-9_]+@NONE):|reachable' <<<"$output")" = 0 ]
}

# netDevices: the host is a network namespace of the test's own, so that the real interfaces are never touched.

make_host() {
	unshare --net sleep 120 3>&- >/dev/null 2>&1 &
	HOST=$!
	eventually differs_from_ours "$HOST" net
	host ip link add eth7 type veth peer name peer7 2>/dev/null || skip "the kernel has no veth interfaces"
	host ip addr add 10.89.0.5/24 dev eth7
	host ip link set eth7 up
}

host() { nsenter -t "$HOST" -n "$@"; }

@test "a network device is lent to the container, renamed, and is back after delete" {
	make_host
	config '.linux.netDevices = {eth7: {name: "ctr0"}}'
	command_is sleep 120
	host "$TOTE" --root "$ROOT" run -d "$ID" </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1
	[ ! -s "$BATS_TEST_TMPDIR/out" ] || { echo "it printed:"; cat "$BATS_TEST_TMPDIR/out"; return 1; }
	run tote exec "$ID" ip -o -4 addr show dev ctr0
	[ "$status" = 0 ]
	[[ $output == *"10.89.0.5/24"* ]]
	run host ip link show eth7
	[ "$status" != 0 ]
	host "$TOTE" --root "$ROOT" delete --force "$ID"
	run host ip -o link show eth7
	[ "$status" = 0 ]
	nothing_left
}

@test "a network device keeps its name when none is asked for" {
	make_host
	config '.linux.netDevices = {eth7: {}}'
	command_is ip -o link show dev eth7
	run host "$TOTE" --root "$ROOT" run "$ID"
	[ "$status" = 0 ]
	[[ $output == *eth7* ]]
	[ "${#lines[@]}" = 1 ]
	nothing_left
}

@test "a network device that is not there is an error that leaves nothing behind" {
	make_host
	config '.linux.netDevices = {eth7: {name: "a0"}, nodev9: {}}'
	run host "$TOTE" --root "$ROOT" run "$ID"
	[ "$status" = 1 ]
	[[ $output == *linux.netDevices*nodev9* ]]
	host ip link show dev eth7
	nothing_left
	without network
	run host "$TOTE" --root "$ROOT" run "$ID"
	[ "$status" = 1 ]
	[[ $output == *"netDevices: needs a namespace of type network"* ]]
}

@test "exec finds the namespaces of the container, new, entered or absent" {
	local kind
	config 'del(.hostname)'
	keep net --net --ipc
	enters network "/proc/$KEEPER/ns/net"
	enters ipc "/proc/$KEEPER/ns/ipc"
	without uts
	[ ! -e /proc/self/ns/time ] || config '.linux.namespaces += [{type: "time"}]'
	start_sleeper
	run tote exec "$ID" sh -c 'for k in cgroup ipc mnt net pid time user uts; do [ -e /proc/self/ns/$k ] && echo $k $(readlink /proc/self/ns/$k); done; true'
	[ "$status" = 0 ]
	for kind in cgroup ipc mnt net pid time user uts; do
		[ ! -e /proc/self/ns/$kind ] || [ "$(link_in $kind)" = "$(link "$PID" $kind)" ] || { echo "exec misses $kind"; return 1; }
	done
	[ "$(link_in uts)" = "$(link $$ uts)" ]
}

# SPDX-License-Identifier: Apache-2.0
# For tests of what passes between containers, the host and another machine on its LAN, MACHINE. Behind net.bash.

change() { # JQ-EXPRESSION: changes the configuration
	conf=$(jq -c "$1" <<<"$conf")
}

ports() { # JSON: what the runtime asks for
	change ".runtimeConfig.portMappings = $1"
}

# The host is 192.0.2.1 and 2001:db8::1 there, the machine .2. A second address of the host's: 192.0.2.7, 2001:db8::7.
new_machine() {
	new_namespace MACHINE
	host ip link add lan0 type veth peer name eth0 netns "$MACHINE"
	host ip addr add 192.0.2.1/24 dev lan0
	host ip addr add 192.0.2.7/24 dev lan0
	host ip addr add 2001:db8::1/64 dev lan0 nodad
	host ip addr add 2001:db8::7/64 dev lan0 nodad
	host ip link set lan0 up
	at "$MACHINE" ip addr add 192.0.2.2/24 dev eth0
	at "$MACHINE" ip addr add 2001:db8::2/64 dev eth0 nodad
	at "$MACHINE" ip link set lo up
	at "$MACHINE" ip link set eth0 up
}

# Answers everybody with its name and the address it was asked from, until the test ends.
serve() { # PID NAME tcp|udp PORT [ADDRESS]
	local i
	# A function in the background would be a shell, which is killed in its place.
	nsenter -t "$1" -n python3 -c '
import socket, sys
name, kind, port, address = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
if address == "::":
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((address, int(port)))
if kind == "tcp":
    s.listen()
print("ready", flush=True)
def answer(peer):
    return (name + " " + peer[0].replace("::ffff:", "")).encode()
while True:
    if kind == "tcp":
        c, peer = s.accept()
        c.sendall(answer(peer))
        c.close()
    else:
        peer = s.recvfrom(100)[1]
        s.sendto(answer(peer), peer)
' "$2" "$3" "$4" "${5:-::}" >"$BATS_TEST_TMPDIR/ready" 3>&- &
	SERVERS+=($!)
	for i in $(seq 600); do
		[ ! -s "$BATS_TEST_TMPDIR/ready" ] || break
		sleep 0.05
	done
	rm "$BATS_TEST_TMPDIR/ready"
}

stop_servers() {
	local pid
	for pid in "${SERVERS[@]}"; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || true
	done
	SERVERS=()
}

# Prints the answer, or "nothing".
ask() { # PID ADDRESS PORT [udp]
	at "$1" python3 -c '
import socket, sys
address, port, kind = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(1)
try:
    s.connect((address, int(port)))
    if kind == "udp":
        s.send(b"?")
    print(s.recv(100).decode())
except OSError:
    print("nothing")
' "$2" "$3" "${4:-tcp}"
}

answers() { # EXPECTED PID ADDRESS PORT [udp]
	local answer
	answer=$(ask "${@:2}")
	[ "$answer" = "$1" ] || { echo "${*:2}: $answer instead of $1"; return 1; }
}

containers() { host ip -o link show type veth | grep -c ': veth'; }

elements() {
	host nft list table inet tote | awk '/elements = \{/ { inside = 1 } inside { print } /\}/ { inside = 0 }'
}

# A second container with ports of its own.
neighbour() { # VARIABLE NAME [PORTS]
	local mine=$conf
	new_namespace "$1"
	ports "${3:-[]}"
	cni ADD "$2" "${!1}"
	conf=$mine
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A box that loses its power: the virtual machine runs `tote up`, is reset without a warning, and boots once more from the same
# disk, with systemd, where everything has to come back in order by itself. On the way: limits that are felt, a clock that jumps.
#
#   tests/vm/check-reboot.sh                 TAP, from the host
#   tests/vm/check-reboot.sh before|after    in the machine
# tests/run calls it by sh.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -u
cd "$(dirname "$(realpath "$0")")/../.." || exit 1
n=0 bad=0

check() { # WORDS COMMAND...: one line of TAP
	local words=$1 result='not ok'
	shift
	n=$((n + 1))
	if "$@" >/tmp/check.out 2>&1; then result=ok; else bad=1; fi
	echo "$result $n - $words"
	[ "$result" = ok ] || sed 's/^/# /' /tmp/check.out | tail -n 40
}

patiently() { # COMMAND...: at most 40 s
	local end=$((SECONDS + 40))
	while [ $SECONDS -lt $end ]; do
		"$@" && return 0
		sleep 0.3
	done
	echo "waited in vain: $*"
	return 1
}

status_json() { timeout 30 tote status --format json; }
service() { # NAME JQ
	status_json | gojq -r --arg s "$1" '.projects[0].services[] | select(.name == $s) | '"$2"
}
service_is() { [ "$(service "$1" "$2")" = "$3" ] || { service "$1" .; return 1; }; }
at_least() { [ "$(service "$1" "$2")" -ge "$3" ] || { service "$1" .; return 1; }; } # SERVICE JQ NUMBER
started_at() { awk '{print $22}' "/proc/$(service "$1" '.instances[0].pid')/stat"; }
in_order() { # SERVICE...
	local last=0 now name
	for name; do
		now=$(started_at "$name") || return
		[ "$now" -ge "$last" ] || { echo "$name: $now after $last"; return 1; }
		last=$now
	done
}
page_is() {
	[ "$(python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8080/boots", timeout=5).read().decode(), end="")' |
		wc -l)" = "$1" ]
}

install_tote() {
	local program
	mkdir -p /usr/local/bin
	for program in "$BUILD"/tote*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] || cp "$program" /usr/local/bin/
	done
	if [ -e share/systemd/tote.service ]; then
		mkdir -p /etc/systemd/system/tote-vm.target.wants
		sed 's|@PREFIX@|/usr/local|g' share/systemd/tote.service >/etc/systemd/system/tote.service
		ln -s ../tote.service /etc/systemd/system/tote-vm.target.wants/
	fi
}

# On the host, as images are taken in by a program with libraries that the machine lacks: the store as a disk would bring it.
make_store() {
	local root=$work/box
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp} "$BUILD/tests/reboot"
	cp "$(command -v busybox)" "$root/bin/busybox"
	chroot "$root" /bin/busybox --install -s /bin
	tar -C "$root" -c . | TOTE_STORE=$work/store "$TOTE" import -q --cmd sh - box:1 >/dev/null || return
	tar -C "$work/store" -cf "$BUILD/tests/reboot/store.tar" .
	chmod +x "$BUILD/tests/reboot/store.tar" # what tests/vm/run brings along
}

write_compose() {
	mkdir -p /srv/shop
	echo secret >/srv/shop/key
	cat >/srv/shop/compose.yaml <<-'EOF'
	name: shop
	services:
	  web:
	    image: box:1
	    command: ["httpd", "-f", "-p", "80", "-h", "/data"]
	    ports: ["8080:80"]
	    volumes: ["data:/data"]
	    depends_on: {db: {condition: service_healthy}}
	    restart: always
	    mem_limit: 64m
	    cpus: 0.5
	    x-tote: {health: {http: "80/boots", interval: 2s, timeout: 5s, start_period: 30s, start_interval: 300ms}}
	  db:
	    image: box:1
	    command: ["sh", "-c", "trap 'exit 0' TERM; echo begins; cat /run/secrets/key >/dev/null && echo boot >>/data/boots; while :; do sleep 1; done"]
	    volumes: ["data:/data"]
	    secrets: [key]
	    healthcheck: {test: ["CMD", "test", "-s", "/data/boots"], interval: 5s, timeout: 5s, start_period: 30s, start_interval: 300ms}
	    restart: unless-stopped
	  halted: {image: "box:1", command: ["sleep", "3600"], stop_grace_period: 0s, restart: unless-stopped}
	  leak:
	    image: box:1
	    command: ["sh", "-c", "sleep 1; exec tail /dev/zero"]
	    mem_limit: 16m
	    memswap_limit: 16m
	    restart: always
	volumes: {data: {}}
	secrets: {key: {file: key}}
	EOF
}

before() {
	install_tote
	mkdir -m 700 /var/lib/tote
	tar -C /var/lib/tote -xf "$BUILD/tests/reboot/store.tar"
	sync # what an administrator does; from here on tote has to see to it
	write_compose
	cd /srv/shop || exit
	check "tote up --wait, without systemd" timeout 60 tote up --wait web db halted
	[ $bad = 0 ] || { tote status; cat /var/log/tote/tote-supervise.log; return; }
	check "a page through a published port" page_is 1
	tote up >/dev/null 2>&1
	check "limits are in the groups" grep -qx 67108864 /sys/fs/cgroup/*shop-web-1*/memory.max
	check "an end by lack of memory is told apart" patiently service_is leak '.instances[0].exit.oom' true
	check "tote status says so to people, too" patiently sh -c 'tote status | grep leak | grep -qi "out of memory"'
	check "a service is stopped by hand" timeout 30 tote stop halted
	echo "# before: $SECONDS s, $bad"
	status_json >/var/tmp/before.json
	sleep 1 # until the host has all lines
	echo b >/proc/sysrq-trigger
	sleep 60
}

# Boot times are by the kernel's clock, which no one sets.
clock_jumps() { # DATE-WORDS
	local was now
	was=$(status_json | gojq -c '[.projects[].services[] | select(.name != "leak") | .instances[] | {id, name, pid, run}]')
	date -s "$1" >/dev/null || return
	sleep 3
	now=$(status_json | gojq -c '[.projects[].services[] | select(.name != "leak") | .instances[] | {id, name, pid, run}]')
	[ "$was" = "$now" ] || { echo "$was"; echo "$now"; return 1; }
	service_is web .health healthy && service_is db .health healthy
}

restarts_soon() {
	local before
	before=$(service web '.instances[0].restarts')
	kill -KILL "$(service web '.instances[0].pid')"
	patiently at_least web '.instances[0].restarts' $((before + 1)) && patiently service_is web .health healthy
}

uptimes_make_sense() {
	[ "$(status_json | gojq '[.projects[].services[].instances[].uptimeMs // 0 | . >= 0 and . < 600000] | all')" = true ]
}

after() {
	if [ ! -e /etc/systemd/system/tote.service ]; then setsid tote-supervise --detach; fi
	check "everything is back, healthy, after the power was cut" patiently service_is web .health healthy
	[ $bad = 0 ] || { tote status; systemctl status tote.service; return; }
	check "what it depends on as well" service_is db .health healthy
	check "in order" in_order db web
	check "volumes and secrets are there" patiently page_is 2
	check "what was stopped by hand stays stopped" service_is halted '[.wanted, ([.instances[] | select(.state == "running")] | length)] | join(" ")' 'stopped 0'
	check "limits are in the groups again" sh -c 'grep -qx 67108864 $(find /sys/fs/cgroup -path "*shop-web-1*" -name memory.max)'
	check "a log is kept" grep -q 'stdout F begins' /var/log/tote/shop/shop-db-1.log
	check "out of memory again, told apart" patiently service_is leak '.instances[0].exit.oom' true
	if [ -e /etc/systemd/system/tote.service ]; then
		check "systemd knows that it is ready" [ "$(systemctl is-active tote.service)" = active ]
	fi
	check "the clock jumps by a year" clock_jumps '+1 year'
	check "the clock jumps back by two years" clock_jumps '-2 years'
	check "who ends then is started at once" restarts_soon
	check "uptimes make sense" uptimes_make_sense
	echo "# after: $bad"
}

case ${1:-} in
before | after)
	"$1"
	echo "1..$n"
	exit $bad
	;;
esac

# On the host.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' INT TERM
export BUILD=${BUILD:-build}
export TOTE=${TOTE:-$BUILD/tote}
make_store || { echo "1..1"; echo "not ok 1 - an image"; exit 1; }
tests/vm/run --timeout 600 --keep "$work/root.img" -- bash tests/vm/check-reboot.sh before >"$work/before" 2>"$work/before.err"
# The machine ended before its time, as it should.
if ! grep -q '^# before: ' "$work/before"; then sed 's/^/# /' "$work/before.err"; fi
options=()
[ ! -e share/systemd/tote.service ] || options=(--systemd)
[ "${INIT:-}" != plain ] || options=()
tests/vm/run --timeout 600 "${options[@]}" --keep "$work/root.img" -- bash tests/vm/check-reboot.sh after >"$work/after" 2>"$work/after.err" ||
	sed 's/^/# /' "$work/after.err"
sed -E '/^1\.\./d' "$work/before" "$work/after" | awk '
	/^(not )?ok / { n++; bad += /^not/; sub(/ok [0-9]+/, "ok " n) }
	/^# after: / { done = 1 }
	{ print }
	END {
		if (!done) { n++; print "not ok " n " - the second boot came to its end" }
		print "1.." n
		exit bad || !done
	}'

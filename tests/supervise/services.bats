#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `tote up` with real services of Debian's packages, and with some that misbehave. Which of them run unchanged under tote's
# defaults (capabilities, seccomp, ids of their own) shows here.

bats_require_minimum_version 1.5.0
load helpers

setup_file() {
	make_store services
	# The same service as a new image, and two that cannot come up: one that ends, one that never answers.
	import_image nginx:2 -e RELEASE=2 --cmd '["nginx","-g","daemon off;"]' "$IMAGES/nginx.tar"
	import_image nginx:ends --cmd '["sh","-c","echo cannot >&2; exit 9"]' "$IMAGES/nginx.tar"
	import_image nginx:hangs --cmd '["sleep","1000"]' "$IMAGES/nginx.tar"
}
teardown_file() { drop_store; }
setup() { open_box; }
teardown() { close_box; }

# A shop's box: what seeds a volume once, a cache, a broker, and a web server in front that needs all of them.
shop() {
	mkdir -p conf
	echo 'a secret' >conf/key
	printf 'FROM_FILE=yes\n' >conf/app.env
	compose <<-'END'
	name: shop
	services:
	  web:
	    image: nginx:${WEB:-1}
	    restart: unless-stopped
	    ports: ["8080:80"]
	    volumes: ["site:/var/www/html:ro"]
	    depends_on:
	      seed: {condition: service_completed_successfully}
	      cache: {condition: service_healthy}
	      broker: {condition: service_started}
	    x-tote:
	      health: {http: "80/", interval: 1s, timeout: 2s, start_period: 20s, start_interval: 200ms, retries: 3}
	      update_timeout: ${PATIENCE:-30s}
	  cache:
	    image: redis:1
	    restart: always
	    volumes: ["cache:/data"]
	    healthcheck: {test: "redis-cli ping | grep -q PONG", interval: 1s, timeout: 5s, start_period: 20s, start_interval: 200ms}
	  broker:
	    image: mosquitto:1
	    restart: always
	    volumes: ["broker:/var/lib/mosquitto"]
	    x-tote:
	      health: {tcp: 1883, interval: 1s, start_period: 20s, start_interval: 200ms}
	  seed:
	    image: box:1
	    command: ["sh", "-c", "sleep 0.3; echo \"<h1>$$SHOP</h1>\" >/site/index.html"]
	    environment: {SHOP: Lisbon}
	    volumes: ["site:/site"]
	    restart: "no"
	  app:
	    image: box:1
	    command: ["sh", "-c", "trap 'exit 0' TERM; env; id; cat /run/secrets/key; echo ready; while :; do sleep 0.1; done"]
	    user: "1000:1000"
	    hostname: till
	    read_only: true
	    tmpfs: /scratch
	    environment: ["TILL=3"]
	    env_file: conf/app.env
	    secrets: [key]
	    extra_hosts: ["pos.example:192.0.2.9"]
	    depends_on: [cache]
	    restart: unless-stopped
	volumes: {site: {}, cache: {}, broker: {}}
	secrets: {key: {file: conf/key}}
	END
}

started_at() { service "$1" '.instances[0].pid' | xargs -I {} awk '{print $22}' /proc/{}/stat; }

page() {
	in_box python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8080/", timeout=5).read().decode(), end="")'
}
page_is() { [[ $(page) = *"$1"* ]]; }

@test "services as they come: up, in order, healthy, what was asked for is there, down leaves nothing" {
	shop
	run --separate-stderr tote up --wait
	echo "$output" "$stderr"
	[ "$status" = 0 ]
	all_ok
	service_is web .health healthy
	service_is cache .health healthy
	service_is broker .health healthy
	service_is seed '.instances[0].exit.code' 0
	run page
	echo "page: $status $output"
	[ "$output" = '<h1>Lisbon</h1>' ]
	# In order: by the times at which the kernel started them.
	[ "$(started_at cache)" -lt "$(started_at web)" ]
	[ "$(started_at broker)" -le "$(started_at web)" ]
	# The dependency's name is its address.
	run tote exec shop-web-1 sh -c '(echo PING; sleep 3) | nc -w 10 cache 6379'
	echo "$output"
	[[ $output = *PONG* ]]
	# The broker passes a message's connection: CONNECT is answered by CONNACK.
	[ "$(tote exec shop-app-1 sh -c "printf '\\020\\014\\000\\004MQTT\\004\\002\\000\\074\\000\\000' | nc -w 5 broker 1883 | od -An -tx1" |
		tr -d ' ')" = 20020000 ]
	run tote exec shop-app-1 sh -c 'id -u; hostname; cat /run/secrets/key; grep pos.example /etc/hosts; echo x >/scratch/x; echo x >/bin/x'
	echo "$output"
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = till ]
	[ "${lines[2]}" = 'a secret' ]
	[[ ${lines[3]} = *192.0.2.9* ]]
	[[ ${lines[4]} = *[Rr]ead-only* ]]
	run tote logs app
	[[ $output = *TILL=3* ]]
	[[ $output = *FROM_FILE=yes* ]]
	[[ $output = *"a secret"* ]]
	[[ $output = *ready* ]]
	run tote logs web
	[[ $output = *"GET /"* ]]
	# Again: nothing changes.
	before=$(status_json | jq '[.projects[].services[].instances[] | {name, id, pid, run}]')
	tote up
	[ "$(status_json | jq '[.projects[].services[].instances[] | {name, id, pid, run}]')" = "$before" ]
	tote down
	patiently nothing_left
	# Volumes stay, with the owners that the services wanted.
	tote up --wait
	page_is Lisbon
	tote down
}

@test "defaults: eight capabilities, no new privileges, seccomp, ids of its own" {
	shop
	tote up --wait cache
	pid=$(service cache '.instances[0].pid')
	# busybox's su has given them all up: those of a root process, by exec.
	tote exec shop-cache-1 cat /proc/self/status >status
	bound=$(sed -n 's/^CapBnd:\t//p' status)
	[ "$(python3 -c "print(bin(0x$bound).count('1'))")" = 8 ]
	grep -q 'NoNewPrivs:.1' "/proc/$pid/status"
	grep -q 'Seccomp:.2' "/proc/$pid/status"
	[ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
	[ "$(stat -c %u "/proc/$pid")" -gt 65535 ]
}

@test "what one depends on is restarted, killed, stopped: the others do not mind" {
	shop
	tote up --wait
	web=$(service web '.instances[0].pid')
	kill -KILL "$(service cache '.instances[0].pid')"
	patiently service_is cache '.instances[0].restarts' 1
	patiently service_is cache .health healthy
	[ "$(service web '.instances[0].pid')" = "$web" ]
	tote stop cache
	service_is cache .state stopped
	[ "$(service web '.instances[0].pid')" = "$web" ]
	tote up --wait
	service_is cache .health healthy
	tote restart web
	patiently service_is web .health healthy
	[ "$(service web '.instances[0].pid')" != "$web" ]
	page_is Lisbon
}

@test "restart policies; one that crashes is told to be degraded and goes on; one that ignores SIGTERM" {
	compose <<-'END'
	name: bad
	services:
	  crash: {image: "box:1", command: ["sh", "-c", "exit 3"], restart: always}
	  thrice: {image: "box:1", command: ["sh", "-c", "echo once; exit 4"], restart: "on-failure:3"}
	  fine: {image: "box:1", command: ["true"], restart: on-failure}
	  never: {image: "box:1", command: ["sleep", "1000"], restart: "no"}
	  stubborn: {image: "box:1", command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], stop_grace_period: 1s}
	END
	tote up
	patiently service_is thrice '.instances[0].state' failed
	service_is thrice '.instances[0].restarts' 3
	service_is thrice '.instances[0].exit.code' 4
	[ "$(tote logs thrice | grep -c once)" = 4 ]
	patiently service_is fine '.instances[0].state' completed
	service_is fine '.instances[0].restarts' 0
	kill -KILL "$(service never '.instances[0].pid')"
	patiently service_is never '.instances[0].exit.code' 137
	service_is never '.instances[0].restarts' 0
	patiently crashed_often
	service_is crash '.instances[0].exit.code' 3
	run tote status
	echo "$output"
	[[ $output = *"crash loop"* ]]
	SECONDS=0
	tote stop stubborn
	[ "$SECONDS" -ge 1 ]
	[ "$SECONDS" -lt 9 ]
	service_is stubborn '.instances[0].exit.code' 137
	tote down
	patiently nothing_left
}

crashed_often() { [ "$(service crash '.instances[0].degraded')" = true ]; }

@test "an update: a good image replaces the old one, bad ones are taken back" {
	shop
	tote up --wait
	first=$(service web .digest)
	WEB=2 tote up --wait
	second=$(service web .digest)
	[ "$first" != "$second" ]
	tote exec "$(service web '.instances[0].name')" env | grep -q RELEASE=2
	page_is Lisbon
	for bad in ends hangs; do
		WEB=$bad PATIENCE=6s run tote up --wait
		echo "$output"
		[ "$status" != 0 ]
		patiently service_is web .health healthy
		page_is Lisbon
		[ "$(service web '.instances | length')" = 1 ]
		[[ $(service web .note) = *"taken back"* ]]
	done
	# What runs is what there was before.
	service_is web .digest "$second"
	tote exec "$(service web '.instances[0].name')" env | grep -q RELEASE=2
}

@test "replicas: more and fewer, the others stay" {
	compose <<-'END'
	name: many
	services:
	  w: {image: "box:1", command: ["sleep", "1000"], deploy: {replicas: "${N}"}, stop_grace_period: 0s}
	END
	N=3 tote up --wait
	before=$(service w '[.instances[].pid] | join(" ")')
	N=6 tote up --wait
	[ "$(service w '.instances | length')" = 6 ]
	[[ $(service w '[.instances[].pid] | join(" ")') = "$before"* ]]
	N=2 tote up --wait
	patiently service_is w '.instances | length' 2
	[[ "$before" = "$(service w '[.instances[].pid] | join(" ")')"* ]]
}

@test "SIGTERM: all stop in reverse order, and come back in order with the next supervisor" {
	compose <<-'END'
	name: order
	services:
	  a: {image: "box:1", command: &say ["sh", "-c", "trap 'sleep 0.2; cat /proc/uptime >/o/$$N.end; exit 0' TERM; cat /proc/uptime >/o/$$N; while :; do sleep 0.05; done"], environment: {N: a}, volumes: &o ["o:/o"]}
	  b: {image: "box:1", command: *say, environment: {N: b}, volumes: *o, depends_on: [a]}
	  c: {image: "box:1", command: *say, environment: {N: c}, volumes: *o, depends_on: [b]}
	volumes: {o: {}}
	END
	start_supervisor
	patiently ping_supervisor
	tote up --wait
	eventually order_is b c
	stop_supervisor
	[ "$code" = 0 ]
	order_is c.end b.end a.end
	SUPERVISOR=
	[ -z "$(strangers)" ]
	start_supervisor
	patiently ping_supervisor
	patiently all_ok
	order_is c.end a b c
}

# The files, which have a time in them, are in this order.
order_is() {
	local dir name last=0 time
	dir=$(find "$TOTE_STORE/volumes" "$WORK" -type d -path '*order*o*' 2>/dev/null -exec test -e {}/a \; -print | head -n 1)
	for name; do
		time=$(cut -d ' ' -f 1 "$dir/$name" | tr -d .)
		[ -n "$time" ] && [ "$time" -ge "$last" ] || { echo "$name: $time after $last"; return 1; }
		last=$time
	done
}

# SPDX-License-Identifier: Apache-2.0
# `tote up` without a supervisor: which file and which project are meant, what would change, what cannot be.
bats_require_minimum_version 1.5.0
load ../image/helpers

setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	make_rootfs
	tar -C "$ROOTFS" -cf "$BATS_FILE_TMPDIR/root.tar" .
	TOTE_STORE=$BATS_FILE_TMPDIR/store "$TOTE" import "$BATS_FILE_TMPDIR/root.tar" box:1 2>/dev/null
}

setup() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export TOTE_STORE=$BATS_FILE_TMPDIR/store
	export TOTE_SUPERVISE_DIR=$BATS_TEST_TMPDIR/supervise
	export NETCONFPATH=$BATS_TEST_TMPDIR/net.d
	unset COMPOSE_FILE COMPOSE_PROJECT_NAME COMPOSE_PROFILES
	mkdir -p "$BATS_TEST_TMPDIR/My Shop.1/below"
	cd "$BATS_TEST_TMPDIR/My Shop.1"
	printf 'services:\n  web:\n    image: box:1\n' >compose.yaml
}

up() {
	"$TOTE" up --dry-run "$@"
}

# What jq makes of the desired project.
desired() { # JQ [OPTION...]
	local program=$1
	shift
	"$TOTE" up --dry-run --format json "$@" 2>/dev/null | jq -r "$program"
}

# What runs already: as if a supervisor had stored it.
stored() {
	mkdir -m 700 -p "$TOTE_SUPERVISE_DIR" "$TOTE_SUPERVISE_DIR/state"
	"$TOTE" up --dry-run --format json "$@" >"$TOTE_SUPERVISE_DIR/state/myshop1.json"
}

refused() { # CODE WORDS [ARGUMENT...]
	local code=$1 words=$2
	shift 2
	run --separate-stderr "$TOTE" up --dry-run "$@"
	[ "$status" -eq "$code" ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"$words"* ]] || { echo "$stderr"; return 1; }
}

@test "a dry run shows what would be made, and makes nothing" {
	run --separate-stderr up
	[ "$status" -eq 0 ]
	[ "$output" = "+ web  create" ]
	[ -z "$stderr" ]
	[ ! -e "$TOTE_SUPERVISE_DIR" ]
	[ ! -e "$NETCONFPATH" ]
}

@test "the images are those of the store, by digest" {
	[ "$(desired '.services[0].digest')" = "$("$TOTE" inspect box:1 | jq -r '.[0].digest // .digest')" ]
	[ "$(desired '.services[0].image')" = box:1 ]
}

@test "an image that is not there is an error with service and line" {
	sed -i 's/box:1/box:2/' compose.yaml
	refused 1 "compose.yaml:3: services.web.image: no image \"box:2\": nothing is pulled, \`tote load\` it"
	TOTE_STORE=$BATS_TEST_TMPDIR/nowhere refused 1 "and no store at $BATS_TEST_TMPDIR/nowhere"
}

@test "the file is looked for here and above, in the order that people know" {
	cd below
	[ "$(desired .source)" = "$BATS_TEST_TMPDIR/My Shop.1/compose.yaml" ]
	cp ../compose.yaml docker-compose.yml
	[ "$(desired .source)" = "$PWD/docker-compose.yml" ]
	cp ../compose.yaml compose.yml
	[ "$(desired .source)" = "$PWD/compose.yml" ]
	cd "$(mktemp -d "$BATS_TEST_TMPDIR/empty.XXX")"
	refused 1 "no compose.yaml here or above: name the file by -f"
	COMPOSE_FILE="$BATS_TEST_TMPDIR/My Shop.1/compose.yaml" run up
	[ "$status" -eq 0 ]
	refused 1 "none.yaml" -f none.yaml
}

@test "the file may come by stdin" {
	run --separate-stderr up -f - -p a <compose.yaml
	[ "$output" = "+ web  create" ]
	run --separate-stderr up -f - -p a <<<'services: 1'
	[ "$status" -eq 1 ]
	[[ $stderr == *"stdin:1: services: expected a map, found a single value" ]]
}

@test "the project's name: option, environment, file, directory" {
	[ "$(desired .name)" = myshop1 ]
	echo 'name: from-${X:-file}' >>compose.yaml
	[ "$(desired .name)" = from-file ]
	[ "$(COMPOSE_PROJECT_NAME=from-env desired .name)" = from-env ]
	[ "$(COMPOSE_PROJECT_NAME=from-env desired .name -p given)" = given ]
	refused 1 "--project: \"Given\" is no project's name" -p Given
	sed -i 's/^name:.*/name: No Name/' compose.yaml
	refused 1 "compose.yaml:4: name: \"No Name\" is no project's name"
}

@test "variables: the environment before .env before --env-file in its place" {
	cat >compose.yaml <<-'END'
	services:
	  web:
	    image: box:${TAG}
	    command: ["$A", "${B:-b}"]
	END
	printf 'TAG=1\nA=env-file\n' >.env
	[ "$(desired '.services[0].args | join(" ")')" = "env-file b" ]
	[ "$(A=outer desired '.services[0].args | join(" ")')" = "outer b" ]
	printf 'TAG=1\nB=$TAG\n' >other
	run --separate-stderr up --env-file other
	[ "$status" -eq 0 ]
	[[ $stderr == *"warning: the variable A is not set: it is taken as empty" ]]
	[ "$(desired '.services[0].args | join(" ")' --env-file other)" = " 1" ]
	refused 1 "missing" --env-file missing
	printf 'TAG\n=1\n' >other
	refused 1 "other:2: a line without a name" --env-file other
}

@test "what is stored already is kept, replaced, scaled, removed" {
	cat >compose.yaml <<-END
	services:
	  same: {image: box:1}
	  command: {image: box:1, command: [a]}
	  options: {image: box:1}
	  number: {image: box:1}
	  gone: {image: box:1}
	  other: {image: box:1}
	END
	stored
	[ "$(up | cut -c1 | sort -u)" = "=" ]
	cat >compose.yaml <<-END
	services:
	  same: {image: box:1}
	  command: {image: box:1, command: [b]}
	  options: {image: box:1, init: true}
	  number: {image: box:1, scale: 2}
	  new: {image: box:1}
	  other: {image: box:1, stop_grace_period: 1s}
	END
	run --separate-stderr up
	[ "$status" -eq 0 ]
	diff - <(echo "$output") <<-END
	= same     keep
	~ command  replace  command changed
	~ options  replace  options changed
	~ number   scale    from 1 to 2
	+ new      create
	~ other    replace  configuration changed
	- gone     remove   not in the file
	END
	# What nobody asked for stays.
	[ "$(up new number | cut -c1-8 | tr '\n' ,)" = "~ number,+ new   ," ]
}

@test "a stored project that cannot be read is said, and taken as none" {
	stored
	echo broken >"$TOTE_SUPERVISE_DIR/state/myshop1.json"
	run --separate-stderr up
	[ "$status" -eq 0 ]
	[ "$output" = "+ web  create" ]
	[[ $stderr == *"warning: what runs now is not known: myshop1.json: invalid JSON"* ]]
}

@test "services by name bring what they depend on" {
	cat >compose.yaml <<-END
	services:
	  a: {image: box:1, depends_on: [b]}
	  b: {image: box:1}
	  c: {image: box:1}
	END
	[ "$(up a | tr '\n' ,)" = "+ b  create,+ a  create," ]
	refused 1 "compose.yaml: there is no service \"d\"" d
}

@test "profiles: by option, by environment, by a service's name" {
	cat >compose.yaml <<-END
	services:
	  a: {image: box:1}
	  b: {image: box:1, profiles: [p]}
	  c: {image: nowhere, profiles: [q]}
	END
	[ "$(desired '[.services[].name] | join(" ")')" = a ]
	[ "$(desired '[.services[].name] | join(" ")' --profile p)" = "a b" ]
	[ "$(COMPOSE_PROFILES=x,p desired '[.services[].name] | join(" ")')" = "a b" ]
	[ "$(up b)" = "+ b  create" ]
	refused 1 "compose.yaml:4: services.c.image: no image" --profile '*'
}

@test "several files are one: of -f, and an override beside" {
	printf 'services: {web: {command: [x]}, db: {image: "box:1"}}\n' >more.yaml
	[ "$(desired '[.services[] | .name + ":" + (.args | join(" "))] | join(" ")' -f compose.yaml -f more.yaml)" = "web:x db:" ]
	mv more.yaml compose.override.yaml
	[ "$(desired '[.services[].name] | join(" ")')" = "web db" ]
	[ "$(desired '[.services[].name] | join(" ")' -f compose.yaml)" = "web" ]
	printf 'services:\n  web:\n    build: .\n' >compose.override.yaml
	refused 1 "compose.override.yaml:3: services.web.build: tote builds no images"
}

@test "paths begin where the file is" {
	printf '    volumes: [./html:/www, ~/x:/x]\n    env_file: vars\n' >>compose.yaml
	echo 'V=1' >vars
	cd below
	[ "$(HOME=/h desired '.services[0].options | join(" ")' | grep -o -- '--volume [^ ]*.*--network ')" = \
		"--volume $BATS_TEST_TMPDIR/My Shop.1/html:/www --volume /h/x:/x --network " ]
	# However it is named, and whoever looks: else containers would be replaced for it.
	[ "$(desired '.services[0].hash' -f ../compose.yaml)" = "$(desired '.services[0].hash' -f "$BATS_TEST_TMPDIR/My Shop.1/compose.yaml")" ]
	[ "$(desired .source -f ../compose.yaml)" = "$BATS_TEST_TMPDIR/My Shop.1/compose.yaml" ]
}

@test "a healthcheck and a signal of the image count" {
	CONFIG='.config.StopSignal = "SIGQUIT" | .config.Healthcheck =
		{Test: ["CMD-SHELL", "true"], Interval: 5000000000, Retries: 7}' make_layout checked checked:1 "$BATS_FILE_TMPDIR/root.tar"
	"$TOTE" load checked 2>/dev/null
	sed -i 's/box:1/checked:1/' compose.yaml
	[ "$(desired '.services[0].stopSignal')" = SIGQUIT ]
	[ "$(desired '.services[0].health | [.kind, .command[2], .intervalMs, .timeoutMs, .retries] | join(" ")')" = "exec true 5000 30000 7" ]
	printf '    healthcheck: {disable: true}\n' >>compose.yaml
	[ "$(desired '.services[0].health')" = null ]
}

@test "the order of updates: option, x-tote, deploy" {
	[ "$(desired '.services[0].startFirst')" = false ]
	[ "$(desired '.services[0].startFirst' --replace-order start-first)" = true ]
	printf '    deploy: {update_config: {order: start-first}}\n' >>compose.yaml
	[ "$(desired '.services[0].startFirst')" = true ]
	printf '    x-tote: {replace_order: stop-first}\n' >>compose.yaml
	[ "$(desired '.services[0].startFirst')" = false ]
	refused 1 "--replace-order: expected stop-first or start-first, found \"any\"" --replace-order any
}

@test "secrets are in no output, only their hash" {
	printf '    secrets: [s]\nsecrets: {s: {environment: PW}}\n' >>compose.yaml
	PW=geheim run up --format json
	[ "$status" -eq 0 ]
	[[ $output != *geheim* ]]
	[[ $output == *"$(printf geheim | sha256sum | cut -d' ' -f1)"* ]]
	[ ! -e "$TOTE_SUPERVISE_DIR" ]
	refused 1 "compose.yaml:5: secrets.s: the variable PW is not set"
}

@test "a file with much in it: too large, too deep, too many aliases" {
	{ cat compose.yaml; head -c 5000000 /dev/zero | tr '\0' '#'; } >large.yaml
	refused 1 "large.yaml" -f large.yaml
	{ printf 'x-a: '; head -c 100 /dev/zero | tr '\0' '['; } >deep.yaml
	refused 1 "deep.yaml:1: more than 64 levels" -f deep.yaml
	{
		echo 'x0: &x0 [a, a, a, a, a, a, a, a, a, a]'
		for i in 1 2 3 4 5 6 7 8 9; do
			echo "x$i: &x$i [*x$((i - 1)), *x$((i - 1)), *x$((i - 1)), *x$((i - 1)), *x$((i - 1)), *x$((i - 1)), *x$((i - 1))]"
		done
	} >laughs.yaml
	refused 1 "more than 100000 values" -f laughs.yaml
}

@test "what is external has to be there before anything is made" {
	printf '    networks: [n]\nnetworks: {n: {external: true, name: far}}\n' >>compose.yaml
	run --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/run" up
	[ "$status" -eq 1 ]
	[[ $stderr == *"compose.yaml:5: the network \"far\" is external, and not there: "* ]]
	printf 'services: {web: {image: "box:1", network_mode: none, volumes: ["v:/v"]}}\nvolumes: {v: {external: true}}\n' >compose.yaml
	run --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/run" up
	[ "$status" -eq 1 ]
	[[ $stderr == *"the volume \"v\" is external, and not in the store" ]]
	[ ! -e "$TOTE_SUPERVISE_DIR" ]
	[ ! -e "$NETCONFPATH" ]
	# A dry run looks at the file only.
	up
}

# What would go on if nothing were wrong is refused as well: by a state directory that is a file.
cannot_start() {
	mkdir -p "$TOTE_SUPERVISE_DIR"
	: >"$TOTE_SUPERVISE_DIR/run"
}

@test "a network that is there has to be what the file says" {
	mkdir -p "$NETCONFPATH"
	"$TOTE" network create n --conf-dir "$NETCONFPATH" --subnet 10.91.7.0/24 --ip-range 10.91.7.128/25 --mtu 1400
	local cases='driver: macvlan|driver bridge where the file says macvlan
driver_opts: {mtu: 1300}|MTU 1400 where the file says 1300
driver_opts: {com.docker.network.bridge.name: br7}|bridge tote-n where the file says br7
driver_opts: {parent: eth0}, driver: bridge|no parent where the file says eth0
internal: true|a way out where the file says internal
ipam: {config: [{subnet: 10.91.8.0/24}]}|subnet 10.91.7.0/24 where the file says 10.91.8.0/24
ipam: {config: [{subnet: 10.91.7.0/24, gateway: 10.91.7.2}]}|gateway 10.91.7.1 where the file says 10.91.7.2
ipam: {config: [{subnet: 10.91.7.0/24, ip_range: 10.91.7.0/25}]}|range of addresses 10.91.7.128-10.91.7.255 where
' words
	cannot_start
	while IFS='|' read -r key words; do
		[ "$key" ] || continue
		printf 'services: {web: {image: "box:1", networks: [n]}}\nnetworks:\n  n: {name: n, %s}\n' "$key" >compose.yaml
		run --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/run" up
		[ "$status" -eq 1 ]
		[[ $stderr == *"compose.yaml:3: the network \"n\" is there already, and has $words"*"tote network rm n"* ]] ||
			{ echo "$key: $stderr"; return 1; }
	done <<<"$cases"
	for key in "driver_opts: {mtu: 1400}" "driver: bridge" "internal: false" \
		"ipam: {config: [{subnet: 10.91.7.0/24, gateway: 10.91.7.1, ip_range: 10.91.7.128/25}]}"; do
		printf 'services: {web: {image: "box:1", networks: [n]}}\nnetworks:\n  n: {name: n, %s}\n' "$key" >compose.yaml
		run --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/run" up
		[[ $stderr != *"is there already"* ]] || { echo "$key: $stderr"; return 1; }
	done
}

@test "a project is its directory's" {
	stored
	mkdir -p "$BATS_TEST_TMPDIR/other/My Shop.1"
	cp compose.yaml other.yaml
	up
	up -f other.yaml
	cp compose.yaml "$BATS_TEST_TMPDIR/other/My Shop.1"
	cd "$BATS_TEST_TMPDIR/other/My Shop.1"
	refused 1 "the project \"myshop1\" is that of $BATS_TEST_TMPDIR/My Shop.1/compose.yaml: name this one"
	cannot_start
	run --separate-stderr "$TOTE" --root "$BATS_TEST_TMPDIR/run" up
	[[ $stderr == *"name this one"* ]]
	up -f - <compose.yaml
	run --separate-stderr up -p myshop1
	[ "$status" -eq 0 ]
	[[ $stderr == *"warning: project myshop1: $PWD/compose.yaml takes the place of $BATS_TEST_TMPDIR/My Shop.1/compose.yaml"* ]]
	up -p another
	rm "$BATS_TEST_TMPDIR/My Shop.1/compose.yaml"
	run --separate-stderr up
	[ "$status" -eq 0 ]
	[[ $stderr == *"takes the place of"* ]]
}

# In a network namespace of its own, as networks and ports are made.
real() {
	timeout 120 unshare -n bash -euc 'ip link set lo up; '"$1"
}

end_supervisor() {
	local pid
	for pid in $(pgrep -f "tote-supervise --root $BATS_TEST_TMPDIR/run "); do
		kill "$pid"
		eventually eval "! kill -0 $pid 2>/dev/null"
	done
}

@test "up makes networks, directories and secrets, starts a supervisor and waits" {
	export TOTE_NET_DIR=$BATS_TEST_TMPDIR/net TOTE R="--root $BATS_TEST_TMPDIR/run" PW=geheim
	cat >compose.yaml <<-'END'
	services:
	  db:
	    image: box:1
	    command: [httpd, -f, -p, "80", -h, /]
	    stop_grace_period: 0s
	    networks: {default: {aliases: [database]}, inner: }
	    x-tote: {health: {tcp: 80, interval: 1s, start_interval: 100ms, start_period: 20s}}
	  web:
	    image: box:1
	    command: sh -c 'cat /run/secrets/s /given/x; wget -q -O - http://database/etc/group; exec sleep 1000'
	    stop_grace_period: 0s
	    depends_on: {db: {condition: service_healthy}}
	    volumes: ["./made:/made", "./given:/given"]
	    secrets: [s]
	networks: {inner: {internal: true, ipam: {config: [{subnet: 10.91.0.0/24}]}}}
	secrets: {s: {environment: PW}}
	END
	mkdir given
	echo file >given/x
	run --separate-stderr real '"$TOTE" $R up --wait --wait-timeout 60
		for _ in $(seq 200); do "$TOTE" $R logs web | grep -q root:x && break; sleep 0.1; done; "$TOTE" $R logs web
		"$TOTE" $R exec myshop1-db-1 ip addr show eth1; "$TOTE" $R up; "$TOTE" $R up --dry-run db; "$TOTE" $R down'
	end_supervisor
	echo "$output" "$stderr"
	[ "$status" -eq 0 ]
	[[ $output == "+ db   create"$'\n'"+ web  create"* ]]
	[[ $output == *"geheimfile"* ]]
	[[ $output == *"root:x:0:"* ]]
	[[ $output == *"inet 10.91.0."* ]]
	[[ $output == *"= db   keep"$'\n'"= web  keep"$'\n'"= db  keep"* ]]
	[[ $stderr == *"made the network myshop1_default"*"made the network myshop1_inner"*"made the directory $PWD/made"*"started a supervisor"*"myshop1-db-1: healthy"* ]]
	[ "$(stat -c %a "$TOTE_SUPERVISE_DIR/state/files/$(printf geheim | sha256sum | cut -d' ' -f1)")" = 600 ]
}

@test "wrong options" {
	refused 1 "--format: expected table or json, found \"xml\"" --format xml
	run --separate-stderr "$TOTE" up --never-heard-of
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	run "$TOTE" up --help
	[ "$status" -eq 0 ]
	[[ $output == *"--wait-timeout SECONDS"* ]]
}

@test "without root a dry run works as well, on a store of one's own" {
	local home
	home=$(mktemp -d /tmp/tote-up.XXXXXX)
	cp -r "$TOTE_STORE" "$home/store"
	cp compose.yaml "$home"
	cp "$(dirname "$TOTE")"/tote{,-compose} "$home"
	chown -R 12345:12345 "$home"
	cd "$home"
	run --separate-stderr setpriv --reuid 12345 --regid 12345 --clear-groups env -u XDG_RUNTIME_DIR -u TOTE_SUPERVISE_DIR \
		HOME="$home" TOTE_STORE="$home/store" ./tote up --dry-run -p own
	cd /
	rm -rf "$home"
	[ "$status" -eq 0 ]
	[ "$output" = "+ web  create" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ $stderr == *"networks need root: services do not find each other by name" ]]
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a service says becomes words of `tote create`, or an error with its line. */
#include "compose_test.h"

#include "schema_keys.h"

#define WEB "services:\n  web:\n    image: x\n"

/* What stands behind WEB, and what the words have to be, with "|" between them. */
static const struct {
	const char *text, *words;
} good[] = {
	{ "", "" },
	{ "    user: '1:2'\n", "--user|1:2|" },
	{ "    user: 1000\n", "--user|1000|" },
	{ "    group_add: [a, 7]\n", "--group-add|a|--group-add|7|" },
	{ "    working_dir: /x\n    hostname: h\n", "--workdir|/x|--hostname|h|" },
	{ "    init: true\n    read_only: yes\n    tty: true\n    stdin_open: \"true\"\n",
	  "--init|--interactive|--tty|--read-only|" },
	{ "    init: false\n    privileged: false\n    oom_kill_disable: false\n", "" },
	{ "    labels: {a: 1, b: x}\n", "--label|a=1|--label|b=x|" },
	{ "    labels: [a=1, b]\n", "--label|a=1|--label|b=|" },
	{ "    annotations: {a.b: c}\n", "--annotation|a.b=c|" },
	{ "    tmpfs: /run\n", "--tmpfs|/run|" },
	{ "    tmpfs: [/run, \"/tmp:size=1m\"]\n", "--tmpfs|/run|--tmpfs|/tmp:size=1m|" },
	{ "    shm_size: 64mb\n", "--shm-size|67108864|" },
	{ "    devices: [\"/dev/ttyS0:/dev/x:rw\", /dev/fuse]\n",
	  "--device|/dev/ttyS0:/dev/x:rw|--device|/dev/fuse|" },
	{ "    devices: [{source: /dev/a, target: /dev/b}]\n", "--device|/dev/a:/dev/b:rwm|" },
	{ "    mem_limit: 1.5g\n    mem_reservation: 512k\n    memswap_limit: -1\n",
	  "--memory|1610612736|--memory-reservation|524288|--memory-swap|-1|" },
	{ "    cpus: .5\n    cpu_shares: 512\n    cpuset: 0-1\n",
	  "--cpus|0.5|--cpu-shares|512|--cpuset-cpus|0-1|" },
	{ "    cpus: 1.50\n", "--cpus|1.50|" },
	{ "    pids_limit: -1\n    oom_score_adj: -500\n",
	  "--pids-limit|-1|--oom-score-adj|-500|" },
	{ "    blkio_config: {weight: 300}\n", "--blkio-weight|300|" },
	{ "    ulimits: {nofile: 1024, core: {soft: 0, hard: -1}}\n",
	  "--ulimit|nofile=1024|--ulimit|core=0:-1|" },
	{ "    sysctls: {net.core.somaxconn: 1024}\n", "--sysctl|net.core.somaxconn=1024|" },
	{ "    sysctls: [net.core.somaxconn=1024]\n", "--sysctl|net.core.somaxconn=1024|" },
	{ "    cgroup_parent: /a\n    cgroup: private\n", "--cgroup-parent|/a|" },
	{ "    cap_add: [NET_ADMIN]\n    cap_drop: [ALL]\n",
	  "--cap-add|NET_ADMIN|--cap-drop|ALL|" },
	{ "    userns_mode: host\n    pid: host\n    ipc: private\n    uts: host\n",
	  "--userns|host|--pid|host|--ipc|private|--uts|host|" },
	{ "    extra_hosts: [\"a:10.0.0.1\", \"b=::1\"]\n",
	  "--add-host|a:10.0.0.1|--add-host|b:::1|" },
	{ "    extra_hosts: {a: [10.0.0.1, 10.0.0.2], b: 10.0.0.3}\n",
	  "--add-host|a:10.0.0.1|--add-host|a:10.0.0.2|--add-host|b:10.0.0.3|" },
	{ "    dns: 9.9.9.9\n    dns_search: [a, b]\n    dns_opt: [\"ndots:1\"]\n",
	  "--dns|9.9.9.9|--dns-search|a|--dns-search|b|--dns-option|ndots:1|" },
	{ "    stop_signal: usr1\n", "--stop-signal|SIGUSR1|" },
	{ "    stop_signal: 15\n", "--stop-signal|SIGTERM|" },
	{ "    stop_signal: SIGRTMIN+3\n", "--stop-signal|SIGRTMIN+3|" },
	{ "    security_opt: [no-new-privileges, \"seccomp:unconfined\", \"apparmor=p\"]\n",
	  "--security-opt|no-new-privileges=true|--security-opt|seccomp=unconfined|"
	  "--security-opt|apparmor=p|" },
	{ "    security_opt: [\"no-new-privileges:false\", \"seccomp=./s.json\"]\n",
	  "--security-opt|no-new-privileges=false|--security-opt|seccomp=/p/s.json|" },
	/* environment */
	{ "    environment: {A: 1, B: 'x y', C: true, D: 0x10, E: 1.50, F: 1.0, G: 010}\n",
	  "--env|A=1|--env|B=x y|--env|C=true|--env|D=16|--env|E=1.5|--env|F=1|--env|G=8|" },
	{ "    environment: {A: '0x10', B: \"1.50\", C: -5, D: 1e3, E: 1.2.30}\n",
	  "--env|A=0x10|--env|B=1.50|--env|C=-5|--env|D=1e3|--env|E=1.2.30|" },
	{ "    environment: [A=1, B=, \"A=2\"]\n", "--env|A=2|--env|B=|" },
	{ "    environment: [SET, UNSET]\n", "--env|SET=value|" },
	{ "    environment: {SET: , UNSET: }\n", "--env|SET=value|" },
	{ "    environment: {A: \"$N\", B: \"${UNSET:-d}\", C: $$x}\n",
	  "--env|A=3|--env|B=d|--env|C=$x|" },
	{ "    env_file: env\n",
	  "--env|HOME=/home/u|--env|C=x\ty|--env|B=single $A|--env|A=file|" },
	{ "    env_file: [env2, {path: ./none, required: false}]\n    environment: {A: 1}\n",
	  "--env|A=1|--env|D=second/none|" },
	{ "    env_file: [{path: raw, format: raw}]\n", "--env|Q=\"$A\"|" },
	/* command */
	{ "    entrypoint: /a b\n    command: [c, d]\n", "--entrypoint|/a|= b c d" },
	{ "    command: sh -c \"echo 'a  b' c\\\\d\"\n", "= sh -c echo 'a  b' c\\d" },
	{ "    command: ['']\n", "= " },
	{ "    entrypoint: []\n    command: x\n", "--entrypoint||= x" },
	{ "    command:\n    entrypoint: ~\n", "" },
	/* ports */
	{ "    ports: [\"80:8080\", 127.0.0.1:81:81/udp, \"90-91:90-91\"]\n",
	  "--publish|80:8080|--publish|127.0.0.1:81:81/udp|--publish|90-91:90-91|" },
	{ "    ports: [\"[::1]:80:80\"]\n", "--publish|[::1]:80:80|" },
	{ "    ports: [\"::1:80:80\"]\n", "--publish|[::1]:80:80|" },
	{ "    ports: [22:22]\n", "--publish|22:22|" },
	{ "    ports: [22:22, 22:22/udp]\n  b: {image: x, ports: ['23:22']}\n"
	  "  c: {image: x, profiles: [no], ports: ['22:22']}\n",
	  "--publish|22:22|--publish|22:22/udp|" },
	{ "    ports: ['10.0.0.1:80:80']\n  b: {image: x, ports: ['10.0.0.2:80:80', "
	  "'[::]:80:80']}\n",
	  "--publish|10.0.0.1:80:80|" },
	{ "    ports: [{target: 80, published: \"8080\", host_ip: 10.0.0.1, protocol: udp, mode: "
	  "host}]\n",
	  "--publish|10.0.0.1:8080:80/udp|" },
	{ "    expose: [80, \"81/udp\", \"90-92\"]\n", "" },
	/* mounts */
	{ "    volumes: [./a:/b, ../c:/d:ro, /e:/f:rw, ~/g:/h, .:/i]\n",
	  "--volume|/p/a:/b|--volume|/p/../c:/d:ro|--volume|/e:/f|--volume|/home/u/g:/h|"
	  "--volume|/p:/i|" },
	{ "    volumes: [v:/v:z, w:/w:ro]\nvolumes:\n  v:\n  w: {external: true}\n",
	  "--volume|shop_v:/v|--volume|w:/w:ro|" },
	{ "    volumes: [v:/v]\nvolumes: {v: {name: other}}\n", "--volume|other:/v|" },
	{ "    volumes: [\"/a:/b:ro,rslave\"]\n", "--volume|/a:/b:ro,rslave|" },
	{ "    volumes: [{type: bind, source: ./a, target: /b, read_only: true, bind: "
	  "{propagation: rshared}}]\n",
	  "--volume|/p/a:/b:ro,rshared|" },
	{ "    volumes: [{type: volume, source: v, target: /v, volume: {nocopy: false}}]\n"
	  "volumes: {v: {driver: local}}\n",
	  "--volume|shop_v:/v|" },
	{ "    volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 01777}}]\n",
	  "--tmpfs|/t:size=1048576,mode=1777|" },
	{ "    volumes: [{type: tmpfs, target: /t}]\n", "--tmpfs|/t|" },
	/* networks */
	{ "    network_mode: host\n", "--network|host|!" },
	{ "    network_mode: none\n", "--network|none|!" },
	{ "    network_mode: ''\n", "--network|shop_default|--network-alias|web|!" },
	{ "    depends_on: {b: {condition: service_healthy}}\n  b: {image: checked}\n", "" },
	{ "    network_mode: bridge\n    ports: ['80:80']\n",
	  "--publish|80:80|--network|bridge|--network-alias|web|!" },
	{ "    networks: [a]\nnetworks: {a: }\n", "--network|shop_a|--network-alias|web|!" },
	{ "    networks: [a, default]\nnetworks: {a: {name: n}}\n",
	  "--network|n|--network|shop_default|--network-alias|web|!" },
	{ "    networks: {a: {aliases: [x, web, y]}, b: }\nnetworks: {a: {external: true}, b: }\n",
	  "--network|a|--network|shop_b|--network-alias|web|--network-alias|x|--network-alias|y|"
	  "!" },
	{ "    networks: {a: , b: {ipv4_address: 10.1.0.2}}\nnetworks: {a: , b: }\n",
	  "--network|shop_b|--network|shop_a|--ip|10.1.0.2|--network-alias|web|!" },
	{ "    networks: {a: , b: {priority: 10}}\nnetworks: {a: , b: }\n",
	  "--network|shop_b|--network|shop_a|--network-alias|web|!" },
	{ "    mac_address: 02:00:00:00:00:01\n",
	  "--network|shop_default|--mac-address|02:00:00:00:00:01|--network-alias|web|!" },
	{ "networks: {default: {name: d}}\n", "--network|d|--network-alias|web|!" },
	/* deploy */
	{ "    deploy: {resources: {limits: {cpus: '0.5', memory: 64m, pids: 9}, reservations: "
	  "{memory: 32m}}}\n",
	  "--memory|67108864|--memory-reservation|33554432|--cpus|0.5|--pids-limit|9|" },
	{ "    mem_limit: 64m\n    deploy: {resources: {limits: {memory: 64M}}}\n",
	  "--memory|67108864|" },
	/* what has no meaning here, or the one that it has anyway */
	{ "    x-anything: [1]\n    attach: false\n    isolation: default\n    pull_policy: "
	  "never\n",
	  "" },
	{ "x-top: 1\nversion: '3.8'\n", "" },
};

/* Of all but a service's own network, which is always the same, unless words end in "!". */
static void join(const struct desired_service *s, const char *wanted, struct buf *b)
{
	bool all = *wanted && wanted[strlen(wanted) - 1] == '!';

	for (size_t i = 0; i < s->options.count; i++) {
		const char *word = s->options.items[i];

		if (!all && strncmp(word, "--network", 9) == 0)
			i++;
		else
			buf_addf(b, "%s|", word);
	}
	if (s->args.count)
		buf_adds(b, "=");
	for_each (arg, &s->args)
		buf_addf(b, " %s", *arg);
	if (all)
		buf_adds(b, "!");
}

static void services_become_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		char *text = arena_printf(&a, WEB "%s", good[i].text);
		struct translation t;
		struct err err = { 0, "" };

		if (test_translate(text, "", "", &a, &t, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		join(desired_find(&t.project, "web"), good[i].words, &b);
		assert_string_equal(buf_str(&b), good[i].words);
	}
}

/* Line 4 is the first behind WEB. */
static const struct {
	const char *text, *words;
} bad[] = {
	{ "    build: .\n", "c.yaml:4: services.web.build: tote builds no images" },
	{ "    build:\n", "c.yaml:4: services.web.build: tote builds no images" },
	{ "    nonsense: 1\n", "c.yaml:4: services.web.nonsense: unknown key" },
	{ "    Image: x\n", "c.yaml:4: services.web.Image: unknown key" },
	{ "nonsense: 1\n", "c.yaml:4: nonsense: unknown key" },
	{ "x-tote: {}\n", "c.yaml:4: x-tote: it belongs in a service" },
	{ "include: [a]\n", "c.yaml:4: include: name the files by -f" },
	{ "    extends: {service: a}\n", "c.yaml:4: services.web.extends: write it out" },
	{ "    container_name: x\n",
	  "c.yaml:4: services.web.container_name: containers are called PROJECT-SERVICE-NUMBER" },
	{ "    privileged: true\n",
	  "c.yaml:4: services.web.privileged: no container has all rights" },
	{ "    links: [db]\n", "c.yaml:4: services.web.links: services of one network" },
	{ "    pull_policy: always\n",
	  "c.yaml:4: services.web.pull_policy: \"always\": nothing is pulled here" },
	{ "    platform: plan9/mips\n",
	  "c.yaml:4: services.web.platform: \"plan9/mips\" does not" },
	{ "    init: maybe\n", "c.yaml:4: services.web.init: expected true or false" },
	{ "    init: [true]\n",
	  "c.yaml:4: services.web.init: expected a single value, found a list" },
	{ "    command: 'a \"b'\n", "c.yaml:4: services.web.command: a quotation mark" },
	{ "    command: []\n", "c.yaml:4: services.web: command is empty" },
	{ "    command: {a: b}\n", "c.yaml:4: services.web.command: expected a list, found a map" },
	{ "    cap_add: NET_ADMIN\n",
	  "c.yaml:4: services.web.cap_add: expected a list, found a single value" },
	{ "    cap_add: [a]\n    group_add:\n      - x\n      -\n",
	  "c.yaml:7: services.web.group_add: expected a value, found nothing" },
	{ "    mem_limit: 5x\n", "c.yaml:4: services.web.mem_limit: expected a size like 64m" },
	{ "    mem_limit: ''\n", "c.yaml:4: services.web.mem_limit: expected a size" },
	{ "    mem_limit: 9999999p\n", "c.yaml:4: services.web.mem_limit: expected a size" },
	{ "    cpus: a\n", "c.yaml:4: services.web.cpus: expected a number like 0.5" },
	{ "    cpus: 1.2.3\n", "c.yaml:4: services.web.cpus: expected a number like 0.5" },
	{ "    cpus: .\n", "c.yaml:4: services.web.cpus: expected a number like 0.5" },
	{ "    pids_limit: many\n", "c.yaml:4: services.web.pids_limit: expected a number" },
	{ "    pids_limit: 99999999999999999999\n", "c.yaml:4: services.web.pids_limit: expected" },
	{ "    stop_grace_period: 30\n",
	  "c.yaml:4: services.web.stop_grace_period: expected a time like 1m30s" },
	{ "    stop_grace_period: 60d\n", "c.yaml:4: services.web.stop_grace_period: expected" },
	{ "    stop_signal: SIGNONE\n", "c.yaml:4: services.web.stop_signal: there is no signal" },
	{ "    stop_signal: 0\n", "c.yaml:4: services.web.stop_signal: there is no signal" },
	{ "    stop_signal: SIGRTMIN+31\n", "c.yaml:4: services.web.stop_signal: there is no" },
	{ "    restart: sometimes\n",
	  "c.yaml:4: services.web.restart: \"sometimes\" is not one of no, always, unless-stopped, "
	  "on-failure" },
	{ "    restart: on-failure:x\n",
	  "c.yaml:4: services.web.restart: expected on-failure:NUMBER" },
	{ "    ports: [80]\n", "c.yaml:4: services.web.ports[0]: no port of the host" },
	{ "    ports:\n      - 80:80\n      - 80:x\n",
	  "c.yaml:6: services.web.ports[1]: \"x\" is no port or range of ports" },
	{ "    ports: ['0:80']\n", "c.yaml:4: services.web.ports[0]: \"0\" is no port" },
	{ "    ports: ['80:65536']\n", "c.yaml:4: services.web.ports[0]: \"65536\" is no port" },
	{ "    ports: ['80-82:80-81']\n", "c.yaml:4: services.web.ports[0]: 80-82 and 80-81" },
	{ "    ports: ['82-80:80-82']\n", "c.yaml:4: services.web.ports[0]: \"82-80\" is no port" },
	{ "    ports: ['x:80:80']\n", "c.yaml:4: services.web.ports[0]: \"x\" is no address" },
	{ "    ports: ['80:80/icmp']\n", "c.yaml:4: services.web.ports[0]: \"icmp\" is none of" },
	{ "    ports: [{published: 80}]\n", "c.yaml:4: services.web.ports[0]: \"\" is no port" },
	{ "    ports: [{target: 80, x: 1}]\n", "c.yaml:4: services.web.ports[0].x: unknown key" },
	{ "    ports: ['80:80', 81:80, '79-80:79-80']\n",
	  "c.yaml:4: services.web: ports: port 80/tcp of the host is services.web's (c.yaml:4)" },
	{ "    ports: ['10.0.0.1:80:80']\n  b:\n    image: x\n    ports:\n      - '70-90:70-90'\n",
	  "c.yaml:8: services.b: ports: port 80/tcp of the host is services.web's (c.yaml:4)" },
	{ "    ports: ['0.0.0.0:80:80']\n  b: {image: x, ports: ['10.0.0.1:80:80/tcp']}\n",
	  "c.yaml:5: services.b: ports: port 80/tcp of" },
	{ "    ports: ['127.0.0.1:80:80/udp']\n  b: {image: x, ports: ['127.0.0.1:80:8/udp']}\n",
	  "c.yaml:5: services.b: ports: port 80/udp of" },
	{ "    ports: ['[::1]:80:80']\n  b: {image: x, x-tote: {activate: {listen: '[::1]:80'}}}\n",
	  "c.yaml:5: services.b: ports: port 80/tcp of" },
	{ "    x-tote: {activate: {listen: [81, 80]}}\n  b: {image: x, x-tote: {activate: {listen: "
	  "'127.0.0.1:80'}}}\n",
	  "c.yaml:5: services.b: ports: port 80/tcp of" },
	{ "    ports: ['80:80']\n    scale: 2\n",
	  "c.yaml:4: services.web: 2 replicas cannot have one port" },
	{ "    ports: ['80:80']\n    network_mode: host\n",
	  "c.yaml:4: services.web: with network_mode: host there is no port" },
	{ "    network_mode: service:db\n",
	  "c.yaml:4: services.web.network_mode: an update gives" },
	{ "    network_mode: none\n    networks: [a]\n",
	  "c.yaml:2: services.web: network_mode and networks exclude" },
	{ "    networks: [a]\n",
	  "c.yaml:4: services.web: networks: the file has no network \"a\"" },
	{ "    networks: {a: {ipv4_address: 1.2.3.4}, b: {mac_address: x}}\nnetworks: {a: , b: }\n",
	  "c.yaml:4: services.web: networks.b: only the first network" },
	{ "    networks: {a: {ipv4_address: 1.2.3.4}}\n    scale: 2\nnetworks: {a: }\n",
	  "c.yaml:4: services.web: networks.a: 2 replicas cannot have one address" },
	{ "    networks: {a: {link_local_ips: []}}\n",
	  "c.yaml:4: services.web.networks.a.link_local_ips: tote gives no" },
	{ "networks: {a: {driver: overlay}}\n", "c.yaml:4: networks.a.driver: \"overlay\": only" },
	{ "networks:\n  a:\n    external: true\n    driver: bridge\n",
	  "c.yaml:7: networks.a: \"driver\" does not go with external" },
	{ "networks: {a: {driver_opts: {x: 1}}}\n",
	  "c.yaml:4: networks.a: tote does not know \"x\"" },
	{ "networks: {a: {ipam: {config: [{aux_addresses: {}}]}}}\n",
	  "c.yaml:4: networks.a.ipam.config[0].aux_addresses: give the network" },
	{ "    volumes: [v:/v]\n",
	  "c.yaml:4: services.web: volumes: the file has no volume \"v\"" },
	{ "    volumes: [/a:/x, /b:/x]\n",
	  "c.yaml:4: services.web: volumes: duplicate mount point \"/x\"" },
	{ "    volumes: [/a:/x]\n    tmpfs: ['/x/y', '/x:size=1m']\n",
	  "c.yaml:4: services.web: volumes: duplicate mount point \"/x\"" },
	{ "    volumes: [/data]\n", "c.yaml:4: services.web.volumes[0]: a volume without a name" },
	{ "    volumes: [/a:b]\n", "c.yaml:4: services.web.volumes[0]: \"b\" is no absolute path" },
	{ "    volumes: [/a:/b:what]\n", "c.yaml:4: services.web.volumes[0]: tote does not know" },
	{ "    volumes: [a/b:/b]\n", "c.yaml:4: services.web.volumes[0]: \"a/b\" is no name" },
	{ "    volumes: [{target: /a}]\n", "c.yaml:4: services.web.volumes[0]: no type" },
	{ "    volumes: [{type: npipe, target: /a}]\n",
	  "c.yaml:4: services.web.volumes[0].type: \"npipe\" is not one of" },
	{ "    volumes: [{type: tmpfs, target: /a, source: b}]\n",
	  "c.yaml:4: services.web.volumes[0]: a tmpfs has no source" },
	{ "    volumes: [{type: volume, source: v, target: /v, volume: {subpath: x}}]\n",
	  "c.yaml:4: services.web.volumes[0].volume.subpath: only a whole volume" },
	{ "volumes: {v: {driver: nfs}}\n", "c.yaml:4: volumes.v.driver: \"nfs\": volumes are" },
	{ "volumes: {v: {driver_opts: {}}}\n", "c.yaml:4: volumes.v.driver_opts: mount it" },
	{ "    secrets: [s]\n",
	  "c.yaml:4: services.web: secrets: the file has no \"s\" under \"secrets\"" },
	{ "secrets: {s: {external: true}}\n", "c.yaml:4: secrets.s.external: there is no store" },
	{ "secrets: {s: {}}\n", "c.yaml:4: secrets.s: one of file, environment and content" },
	{ "secrets: {s: {file: a, environment: b}}\n", "c.yaml:4: secrets.s: one of file" },
	{ "secrets: {s: }\n", "c.yaml:4: secrets.s: expected a map, found nothing" },
	{ "secrets: {s: {content: x}}\n", "c.yaml:4: secrets.s.content: unknown key" },
	{ "    secrets: [s]\nsecrets: {s: {file: none}}\n",
	  "c.yaml:5: secrets.s: open /p/none: No such file" },
	{ "    configs: [s]\nconfigs: {s: {environment: UNSET}}\n",
	  "c.yaml:5: configs.s: the variable UNSET is not set" },
	{ "    secrets: [{target: /x}]\n", "c.yaml:4: services.web.secrets[0]: no source" },
	{ "    secrets: [{source: s, mode: \"9\"}]\n",
	  "c.yaml:4: services.web.secrets[0].mode: expected a mode like 0440" },
	{ "    secrets: [{source: s, uid: root}]\n",
	  "c.yaml:4: services.web.secrets[0].uid: expected a number" },
	{ "    env_file: none\n", "c.yaml:4: services.web: env_file: open /p/none" },
	{ "    env_file: bad\n", "/p/bad:2: a line without a name" },
	{ "    env_file: [{path: x, format: json}]\n",
	  "c.yaml:4: services.web.env_file[0].format: \"json\": the only other" },
	{ "    environment: [=x]\n", "c.yaml:4: services.web.environment[0]: expected NAME=VALUE" },
	{ "    environment: {A: [1]}\n",
	  "c.yaml:4: services.web.environment.A: expected a single" },
	{ "    environment: {A: \"$\"}\n", "c.yaml:4: no name behind \"$\"" },
	{ "    extra_hosts: [a]\n",
	  "c.yaml:4: services.web.extra_hosts[0]: expected HOST=ADDRESS" },
	{ "    ulimits: {files: 1}\n", "c.yaml:4: services.web.ulimits.files: there is no such" },
	{ "    ulimits: {nofile: {soft: 1}}\n", "c.yaml:4: services.web.ulimits.nofile: soft and" },
	{ "    devices: [vendor.com/x=y]\n",
	  "c.yaml:4: services.web.devices[0]: expected a device's path" },
	{ "    security_opt: [label=disable]\n",
	  "c.yaml:4: services.web: security_opt: tote does not know" },
	{ "    security_opt: [seccomp]\n", "c.yaml:4: services.web: security_opt: tote does not" },
	{ "    logging: {driver: syslog}\n",
	  "c.yaml:4: services.web.logging.driver: \"syslog\" is not one of local, json-file" },
	{ "    logging: {options: {tag: x}}\n",
	  "c.yaml:4: services.web.logging.options.tag: unknown key" },
	{ "    logging: {options: {max-size: 1k}}\n",
	  "c.yaml:4: services.web.logging: max-size has" },
	{ "    logging: {driver: none, options: {max-file: 2}}\n",
	  "c.yaml:4: services.web.logging: options are for local" },
	{ "    healthcheck: {test: []}\n",
	  "c.yaml:4: services.web.healthcheck.test: expected [NONE]" },
	{ "    healthcheck: {test: [curl, x]}\n",
	  "c.yaml:4: services.web.healthcheck.test: expected" },
	{ "    healthcheck: {test: [CMD]}\n", "c.yaml:4: services.web.healthcheck.test: expected" },
	{ "    healthcheck: {test: [CMD-SHELL, a, b]}\n",
	  "c.yaml:4: services.web.healthcheck.test" },
	{ "    healthcheck: {test: ''}\n", "c.yaml:4: services.web.healthcheck.test: no command" },
	{ "    healthcheck: {test: x, retries: 0}\n",
	  "c.yaml:4: services.web.healthcheck: interval" },
	{ "    healthcheck: {test: x, interval: 0s}\n",
	  "c.yaml:4: services.web.healthcheck: inter" },
	{ "    x-tote: {health: {tcp: 80, http: 80}}\n",
	  "c.yaml:4: services.web.x-tote.health.http: one of tcp and http" },
	{ "    x-tote: {health: {tcp: 0}}\n",
	  "c.yaml:4: services.web.x-tote.health.tcp: expected" },
	{ "    x-tote: {health: {http: /x}}\n",
	  "c.yaml:4: services.web.x-tote.health.http: expected" },
	{ "    x-tote: {health: {http: '80/a b'}}\n",
	  "c.yaml:4: services.web.x-tote.health.http: bl" },
	{ "    x-tote: {health: {interval: 1s}}\n",
	  "c.yaml:4: services.web: x-tote.health: one of" },
	{ "    x-tote: {health: {tcp: 80, action: reboot}}\n",
	  "c.yaml:4: services.web.x-tote.health.action: \"reboot\" is not one of restart, none" },
	{ "    x-tote: {heath: 1}\n", "c.yaml:4: services.web.x-tote.heath: unknown key" },
	{ "    x-tote: {activate: {idle: 1s}}\n",
	  "c.yaml:4: services.web.x-tote.activate: nothing" },
	{ "    x-tote: {activate: {listen: x}}\n",
	  "c.yaml:4: services.web.x-tote.activate.listen: expected [ADDRESS:]PORT" },
	{ "    x-tote: {activate: {listen: 80, mode: fast}}\n",
	  "c.yaml:4: services.web.x-tote.activate.mode: \"fast\" is not one of start, thaw" },
	{ "    x-tote: {activate: {listen: 80}}\n    scale: 2\n",
	  "c.yaml:2: services.web: x-tote.activate: only with one replica" },
	{ "    deploy: {mode: job}\n",
	  "c.yaml:4: services.web.deploy.mode: \"job\" is not one of" },
	{ "    deploy: {mode: global, replicas: 1}\n",
	  "c.yaml:2: services.web: deploy.mode: global is" },
	{ "    x-tote: {address: 10.0.0.5}\n",
	  "c.yaml:4: services.web.x-tote.address: expected ADDRESS/LENGTH, found \"10.0.0.5\"" },
	{ "    x-tote: {address: 10.0.0.5/0}\n",
	  "c.yaml:4: services.web.x-tote.address: expected" },
	{ "    x-tote: {address: 10.0.0.5/33}\n",
	  "c.yaml:4: services.web.x-tote.address: expected" },
	{ "    x-tote: {address: 10.0.0.5/24}\n    scale: 2\n",
	  "c.yaml:2: services.web: x-tote.address: only with one replica" },
	{ "    x-tote: {address: 10.0.0.5/24}\n    deploy: {mode: global}\n",
	  "c.yaml:2: services.web: x-tote.address: only with one replica" },
	{ "    deploy: {placement: {}}\n", "c.yaml:4: services.web.deploy.placement: there is no" },
	{ "    deploy: {replicas: 1001}\n", "c.yaml:2: services.web: more than 1000 replicas" },
	{ "    deploy: {replicas: 2}\n    scale: 3\n",
	  "c.yaml:2: services.web: scale says 3 and deploy.replicas 2" },
	{ "    deploy: {resources: {limits: {memory: 1m}}}\n    mem_limit: 2m\n",
	  "c.yaml:2: services.web: mem_limit says 2097152 and deploy.resources 1048576" },
	{ "    deploy: {resources: {reservations: {cpus: '1'}}}\n",
	  "c.yaml:4: services.web.deploy.resources.reservations.cpus: no processors" },
	{ "    deploy: {restart_policy: {delay: 5s}}\n",
	  "c.yaml:4: services.web.deploy.restart_policy.delay: the time between" },
	{ "    deploy: {restart_policy: {condition: any, max_attempts: 3}}\n",
	  "c.yaml:4: services.web.deploy.restart_policy: max_attempts is for" },
	{ "    deploy: {update_config: {parallelism: 2}}\n",
	  "c.yaml:4: services.web.deploy.update_config.parallelism: \"2\": only 1" },
	{ "    depends_on: [db]\n",
	  "c.yaml:4: services.web: depends_on: there is no service \"db\"" },
	{ "    depends_on: {db: {condition: up}}\n",
	  "c.yaml:4: services.web.depends_on.db.condition: \"up\" is not one of service_started" },
	{ "    depends_on: [web]\n", "c.yaml: services depend on each other: web -> web" },
	{ "    depends_on: [b]\n  b: {image: x, depends_on: [c]}\n"
	  "  c: {image: x, depends_on: [web]}\n",
	  "c.yaml: services depend on each other: web -> b -> c -> web" },
	{ "    depends_on: [b]\n  b: {image: x, profiles: [p]}\n",
	  "c.yaml:4: services.web: depends_on: no profile of \"b\" is active" },
	{ "  b: {image: missing}\n",
	  "c.yaml:4: services.b.image: no image \"missing\": nothing is pulled, `tote load` it" },
	{ "  b: {}\n", "c.yaml:4: services.b: no image" },
	{ "  b:\n", "c.yaml:4: services.b: expected a map, found nothing" },
	{ "  b c: {image: x}\n", "c.yaml:4: services.b c: this is no service's name" },
	{ "    depends_on: {b: {condition: service_healthy}}\n  b: {image: x}\n",
	  "c.yaml:4: services.web: depends_on: \"b\" has no healthcheck, and its image none" },
	{ "    ports: ['79-81:79-81']\n    x-tote: {activate: {listen: ['[::]:80']}}\n",
	  "c.yaml:4: services.web: ports: x-tote.activate listens on port 80" },
	{ "    expose: [http]\n", "c.yaml:4: services.web.expose[0]: expected PORT" },
};

static void what_is_wrong_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autoarena a = ARENA_INIT;
		char *text = arena_printf(&a, WEB "%s", bad[i].text);
		struct translation t;
		struct err err = { 0, "" };
		int r = test_translate(text, "", "", &a, &t, &err);

		if (r >= 0 || strncmp(err.msg, bad[i].words, strlen(bad[i].words)) != 0)
			fail_msg("%s: %d %s", bad[i].text, r, err.msg);
	}
}

/* With "%s" replaced; the words of the error, or "". */
static void read_with(const char *document, const char *key, struct arena *a, struct err *err)
{
	const char *at = strstr(document, "%s");
	char *text = arena_printf(a, "%.*s%s%s", (int)(at - document), document, key, at + 2);
	struct compose_file file;
	struct yaml_node *root;

	err->msg[0] = '\0';
	if (yaml_load(text, strlen(text), "c.yaml", a, &root, err) == 0)
		model_read(root, a, &file, err);
}

static void every_key_of_the_specification_is_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specified); i++) {
		autoarena a = ARENA_INIT;
		char *keys = arena_strdup(&a, specified[i].keys), *key;
		struct err err;

		while ((key = strsep(&keys, " "))) {
			read_with(specified[i].document, key, &a, &err);
			if (strstr(err.msg, "unknown key"))
				fail_msg("%s: %s", specified[i].place, err.msg);
		}
		read_with(specified[i].document, "never_heard_of", &a, &err);
		if (!strstr(err.msg, "never_heard_of: unknown key"))
			fail_msg("%s: %s", specified[i].place, err.msg);
	}
}

static void times_and_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} times[] = {
		{ "0", 0 },	  { "0s", 0 },	    { "1s", 1000 },	 { "1m30s", 90000 },
		{ "1.5s", 1500 }, { "100ms", 100 }, { "2h", 7200000 },	 { "1d", 86400000 },
		{ "1us", 1 },	  { "1ns", 0 },	    { "1w", 604800000 }, { "", -1 },
		{ "1", -1 },	  { "s", -1 },	    { "1x", -1 },	 { "-1s", -1 },
		{ "1s2", -1 },	  { "1..5s", -1 },  { "99999999h", -1 }, { " 1s", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		uint32_t ms = 0;
		int r = parse_duration(times[i].text, &ms);

		if ((times[i].ms < 0) != (r < 0) || (r == 0 && ms != times[i].ms))
			fail_msg("%s: %d %u", times[i].text, r, ms);
	}
}

/* The part of the first service's JSON that is about its health, or "none". */
static const struct {
	const char *text, *json;
} health[] = {
	{ "", "none" },
	{ "    healthcheck: {test: a b}\n",
	  "{\"kind\":\"exec\",\"command\":[\"/bin/sh\",\"-c\",\"a b\"],\"intervalMs\":30000,"
	  "\"timeoutMs\":30000,\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":3,"
	  "\"restart\":false}" },
	{ "    healthcheck: {test: [CMD, a, b], interval: 1s, timeout: 2s, start_period: 3s, "
	  "start_interval: 4s, retries: 5}\n    restart: always\n",
	  "{\"kind\":\"exec\",\"command\":[\"a\",\"b\"],\"intervalMs\":1000,\"timeoutMs\":2000,"
	  "\"startPeriodMs\":3000,\"startIntervalMs\":4000,\"retries\":5,\"restart\":true}" },
	{ "    healthcheck: {test: [NONE]}\n", "none" },
	{ "    healthcheck: {test: x, disable: true}\n", "none" },
	{ "    image: checked\n",
	  "{\"kind\":\"exec\",\"command\":[\"ok\"],\"intervalMs\":7000,\"timeoutMs\":30000,"
	  "\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":3,\"restart\":false}" },
	{ "    image: checked\n    healthcheck: {retries: 9}\n    x-tote: {health: {action: "
	  "restart}}\n",
	  "{\"kind\":\"exec\",\"command\":[\"ok\"],\"intervalMs\":7000,\"timeoutMs\":30000,"
	  "\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":9,\"restart\":true}" },
	{ "    image: checked\n    healthcheck: {disable: true}\n", "none" },
	{ "    x-tote: {health: {tcp: 80}}\n    healthcheck: {interval: 9s}\n",
	  "{\"kind\":\"tcp\",\"port\":80,\"intervalMs\":9000,\"timeoutMs\":30000,"
	  "\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":3,\"restart\":false}" },
	{ "    x-tote: {health: {http: \"[::1]:80/a?b\", interval: 1s, action: none}}\n"
	  "    restart: always\n",
	  "{\"kind\":\"http\",\"host\":\"::1\",\"port\":80,\"path\":\"/a?b\",\"intervalMs\":1000,"
	  "\"timeoutMs\":30000,\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":3,"
	  "\"restart\":false}" },
	{ "    x-tote: {health: {http: 8080}}\n",
	  "{\"kind\":\"http\",\"port\":8080,\"path\":\"/\",\"intervalMs\":30000,"
	  "\"timeoutMs\":30000,\"startPeriodMs\":0,\"startIntervalMs\":5000,\"retries\":3,"
	  "\"restart\":false}" },
};

static void probes_are_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(health); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		bool own = strncmp(health[i].text, "    image", 9) == 0;
		char *text = arena_printf(&a, "services:\n  web:\n%s%s",
					  own ? "" : "    image: x\n", health[i].text);
		struct translation t;
		struct json_writer w;
		struct json_value *v;
		struct err err = { 0, "" };
		const struct json_value *h;
		autobuf part = BUF_INIT;

		if (test_translate(text, "", "", &a, &t, &err) < 0)
			fail_msg("%s: %s", health[i].text, err.msg);
		json_writer_init(&w, &b, false);
		desired_write_service(&t.project.services.items[0], &w);
		json_writer_done(&w);
		assert_int_equal(json_parse(b.data, b.len, &a, &v, &err), 0);
		h = json_get(v, "health");
		if (h) {
			json_writer_init(&w, &part, false);
			json_put_value(&w, h);
			json_writer_done(&w);
		}
		assert_string_equal(h ? buf_str(&part) : "none", health[i].json);
	}
}

/* Services that are there, in their order; "*" those that the command is about. */
static const struct {
	const char *text, *profiles, *services, *there;
} chosen[] = {
	{ "services: {b: {image: x, depends_on: [a]}, a: {image: x}}", "", "", "a b" },
	{ "services: {c: {image: x}, b: {image: x, depends_on: [a]}, a: {image: x}}", "", "b",
	  "c a* b*" },
	{ "services: {a: {image: x}, b: {image: x, profiles: [p]}}", "", "", "a" },
	{ "services: {a: {image: x}, b: {image: x, profiles: [p]}}", "p", "", "a b" },
	{ "services: {a: {image: x}, b: {image: x, profiles: [q, p]}}", "'*'", "", "a b" },
	{ "services: {a: {image: x}, b: {image: missing, profiles: [p]}}", "", "a", "a*" },
	{ "services: {a: {image: x}, b: {image: x, profiles: [p]}}", "", "b", "a b*" },
	{ "services: {a: {image: x, depends_on: {b: {condition: service_started, required: "
	  "false}}}, b: {image: x, profiles: [p]}}",
	  "", "", "a" },
};

static void services_are_chosen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct translation t;
		struct err err = { 0, "" };

		if (test_translate(chosen[i].text, chosen[i].profiles, chosen[i].services, &a, &t,
				   &err) < 0)
			fail_msg("%s: %s", chosen[i].text, err.msg);
		for_each (s, &t.project.services) {
			buf_addf(&b, "%s%s", b.len ? " " : "", s->name);
			for_each (name, &t.services)
				buf_adds(&b, strcmp(*name, s->name) == 0 ? "*" : "");
		}
		assert_string_equal(buf_str(&b), chosen[i].there);
	}
}

/* What only a cluster acts on makes no other container. */
static void what_is_for_a_cluster_is_told(void **state)
{
	autoarena a = ARENA_INIT;
	const struct desired_service *web, *till;
	struct translation alone, t;
	struct err err = { 0, "" };

	(void)state;
	assert_int_equal(test_translate("services:\n  web: {image: x}\n  till: {image: x}\n", "",
					"", &a, &alone, &err),
			 0);
	if (test_translate("services:\n  web: {image: x, x-tote: {address: 'FD00:0::5/64'}}\n"
			   "  till: {image: x, deploy: {mode: global}}\n",
			   "", "", &a, &t, &err) < 0)
		fail_msg("%s", err.msg);
	web = desired_find(&t.project, "web");
	till = desired_find(&t.project, "till");
	assert_string_equal(web->address, "fd00::5/64");
	assert_true(!web->global && till->global && !till->address);
	assert_int_equal(till->replicas, 1);
	assert_string_equal(web->hash, desired_find(&alone.project, "web")->hash);
	assert_string_equal(till->hash, desired_find(&alone.project, "till")->hash);
}

static void what_has_to_be_there_is_listed(void **state)
{
	static const char text[] =
		"services:\n"
		"  a:\n"
		"    image: x\n"
		"    networks: [lan, out]\n"
		"    volumes: [./made:/a, {type: bind, source: /not, target: /b, bind: "
		"{create_host_path: false}}, v:/v]\n"
		"    secrets: [s, {source: s, target: t, uid: '5', gid: 6, mode: 0400}]\n"
		"    configs: [c]\n"
		"  b: {image: x, configs: [c]}\n"
		"volumes: {v: {external: true, name: vv}}\n"
		"secrets: {s: {file: secret}}\n"
		"configs: {c: {content: \"n=$N\"}}\n"
		"networks:\n"
		"  unused:\n"
		"  out: {external: true}\n"
		"  lan: {driver: macvlan, driver_opts: {parent: eth0, mtu: 1400}, internal: true,\n"
		"    ipam: {config: [{subnet: 10.1.0.0/24, gateway: 10.1.0.1, ip_range: "
		"10.1.0.64/26}]}}\n";
	autoarena a = ARENA_INIT;
	autobuf b = BUF_INIT;
	struct translation t;
	struct desired_file *f;
	struct err err = { 0, "" };

	(void)state;
	if (test_translate(text, "", "", &a, &t, &err) < 0)
		fail_msg("%s", err.msg);
	for_each (n, &t.networks) {
		buf_addf(&b, "%s%s:", n->external ? "external " : "", n->name);
		for_each (word, &n->words)
			buf_addf(&b, " %s", *word);
		buf_adds(&b, "\n");
	}
	assert_string_equal(
		buf_str(&b),
		"shop_default: shop_default\n"
		"external out: out\n"
		"shop_lan: --driver macvlan --subnet 10.1.0.0/24 --gateway 10.1.0.1 "
		"--ip-range 10.1.0.64/26 --parent eth0 --mtu 1400 --internal shop_lan\n");
	assert_int_equal(t.directories.count, 1);
	assert_string_equal(t.directories.items[0], "/p/made");
	assert_int_equal(t.volumes.count, 1);
	assert_string_equal(t.volumes.items[0], "vv");
	assert_int_equal(t.contents.count, 2);
	assert_string_equal(t.contents.items[0].data, "geheim");
	assert_string_equal(t.contents.items[1].data, "n=3");
	f = t.project.services.items[0].files.items;
	assert_int_equal(t.project.services.items[0].files.count, 3);
	assert_string_equal(f[0].target, "/run/secrets/s");
	assert_int_equal(f[0].mode, 0444);
	assert_string_equal(f[1].target, "/run/secrets/t");
	assert_string_equal(f[1].content, f[0].content);
	assert_int_equal(f[1].uid, 5);
	assert_int_equal(f[1].gid, 6);
	assert_int_equal(f[1].mode, 0400);
	assert_string_equal(f[2].target, "/c");
}

static const struct {
	const char *base, *over, *merged; /* in the form of `dump`, of services.web */
} merges[] = {
	{ "image: a", "image: b", "{image: b}" },
	{ "image: a", "tty: true", "{image: a, tty: true}" },
	{ "command: [a, b]", "command: [c]", "{command: [c]}" },
	{ "entrypoint: a", "entrypoint: [c]", "{entrypoint: [c]}" },
	{ "cap_add: [A, B]", "cap_add: [B, C]", "{cap_add: [A, B, C]}" },
	{ "environment: {A: 1, B: 2}", "environment: [B=3, C]",
	  "{environment: {A: 1, B: '3', C: }}" },
	{ "environment: [A=1]", "environment: [A=2]", "{environment: {A: '2'}}" },
	{ "volumes: ['/a:/x', '/b:/y']", "volumes: ['/c:/x:ro', {type: tmpfs, target: /z}]",
	  "{volumes: ['/c:/x:ro', '/b:/y', {type: tmpfs, target: /z}]}" },
	{ "healthcheck: {test: [CMD, a], retries: 2}", "healthcheck: {test: [CMD, b]}",
	  "{healthcheck: {test: [CMD, b], retries: 2}}" },
	{ "depends_on: [a]", "depends_on: {b: {condition: service_healthy}}",
	  "{depends_on: {a: {condition: 'service_started'}, b: {condition: service_healthy}}}" },
	{ "networks: [a]", "networks: {b: {aliases: [x]}}",
	  "{networks: {a: , b: {aliases: [x]}}}" },
	{ "logging: {driver: local, options: {max-file: 2}}", "logging: {driver: none}",
	  "{logging: {driver: none}}" },
	{ "logging: {driver: local}", "logging: {options: {max-file: 2}}",
	  "{logging: {driver: local, options: {max-file: 2}}}" },
	{ "deploy: {replicas: 1, resources: {limits: {pids: 1}}}", "deploy: {replicas: 2}",
	  "{deploy: {replicas: 2, resources: {limits: {pids: 1}}}}" },
	{ "labels: {a: 1}", "labels: ", "{labels: {a: 1}}" },
};

static void dump(const struct yaml_node *n, struct buf *b)
{
	size_t count = 0;

	if (n->kind == YAML_SCALAR) {
		buf_addf(b, n->plain ? "%s" : "'%s'", n->text);
		return;
	}
	buf_adds(b, n->kind == YAML_MAP ? "{" : "[");
	for (const struct yaml_node *m = n->first; m; m = m->next) {
		if (m->key)
			buf_addf(b, "%s: ", m->key);
		dump(m, b);
		buf_adds(b, m->next ? ", " : "");
		count++;
	}
	/* Room is made for so many. */
	assert_int_equal(n->count, count);
	buf_adds(b, n->kind == YAML_MAP ? "}" : "]");
}

static struct yaml_node *load_web(const char *text, const char *name, struct arena *a)
{
	char *whole = arena_printf(a, "services: {web: {%s}}", text);
	struct yaml_node *root;
	struct err err;

	if (yaml_load(whole, strlen(whole), name, a, &root, &err) < 0)
		fail_msg("%s", err.msg);
	return root;
}

static void files_are_merged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
		autoarena a = ARENA_INIT;
		autobuf b = BUF_INIT;
		struct yaml_node *base = load_web(merges[i].base, "1", &a);

		merge_trees(base, load_web(merges[i].over, "2", &a), &a);
		dump(yaml_get(yaml_get(base, "services"), "web"), &b);
		assert_string_equal(buf_str(&b), merges[i].merged);
	}
}

static void lines_of_merged_files_are_their_own(void **state)
{
	autoarena a = ARENA_INIT;
	struct yaml_node *base = load_web("image: x", "one.yaml", &a);
	struct compose_file file;
	struct err err;

	(void)state;
	merge_trees(base, load_web("\n build: .", "two.yaml", &a), &a);
	assert_int_equal(model_read(base, &a, &file, &err), -EINVAL);
	assert_true(strncmp(err.msg, "two.yaml:2: services.web.build: ", 32) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_become_words),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(every_key_of_the_specification_is_known),
		cmocka_unit_test(times_and_sizes),
		cmocka_unit_test(probes_are_chosen),
		cmocka_unit_test(services_are_chosen),
		cmocka_unit_test(what_is_for_a_cluster_is_told),
		cmocka_unit_test(what_has_to_be_there_is_listed),
		cmocka_unit_test(files_are_merged),
		cmocka_unit_test(lines_of_merged_files_are_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

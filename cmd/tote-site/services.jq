# SPDX-License-Identifier: Apache-2.0
# From a desired project, as `tote config` prints it, to what Pacemaker is told and to what the agent ocf:tote:container reads.
# services.sh calls the functions without a "_" in front, tote-store-services(7) explains the result.
# All text of a project that gets into XML goes through _escape, all that gets into a line of words through _word.

# ---- the project ----

def _seconds: (. + 999) / 1000 | floor;

# "--option value" pairs; flags stand alone.
def _options: reduce .options[] as $w ({done: [], open: null};
	if .open != null then .done += [[.open, $w]] | .open = null
	elif any("--init", "--interactive", "--tty", "--read-only"; . == $w) then .done += [[$w]]
	else .open = $w end) | .done;

# Those whose names and addresses are of one box.
def _networks: [_options[] | select(.[0] == "--network") | .[1]
	| select(. != "host" and . != "none" and (startswith("container:") or startswith("ns:") | not))];

# An XML ID begins with a letter or "_".
def _id: if test("^[0-9]") then "_" + . else . end;

# What a resource is made of. Services with 0 replicas have none.
def _services: (.name | _id) as $p | .name as $project | [.services[] | select(.replicas > 0)
	| .id = "\($p)-\(.name)" | .container = "\($project)-\(.name)"
	| .many = (.global == true or .replicas > 1)
	| .top = (if .many then "\(.id)-clone" else .id end)
	| .networks = _networks
	| .ip = (if .address then .address | split("/")[0] else null end)
	| .ipid = (if .ip then "\($p)-ip-\(.ip | gsub(":"; "_"))" else null end)];

def _by_name: map({key: .name, value: .}) | from_entries;

# ---- what cannot be ----

def _refuse: . as $s | "services.\(.name): " +
	((select(.restart == "no") | "restart: no: Pacemaker keeps all that it has running: write restart: always, a job has no place in it"),
	(select(.activate) | "x-tote.activate: Pacemaker cannot start what somebody connects to"),
	(select(.tty or .stdinOpen) | "tty and stdin_open: nobody is at the other end"),
	((.depends // [])[] | select(.condition == "completed")
		| "depends_on \(.service): service_completed_successfully: Pacemaker does not wait for jobs"));

def _doubles: group_by(.) | map(select(length > 1) | .[0]);

# ---- constraints ----

# [$a that depends, $b, $depend] of what is in the cluster.
def _edges: . as $all | _by_name as $by | [$all[] as $a | ($a.depends // [])[] as $d
	| select($by[$d.service]) | [$a, $by[$d.service], $d]];

# By name they find each other on one box only; an address is found from everywhere.
def _together: .[0] as $a | .[1] as $b | ($b.ip | not) and ($a.networks - ($a.networks - $b.networks) | length) > 0;

def warnings: _services | [_edges[] | select(_together and .[0].many and (.[1].many | not))
	| "services.\(.[0].name): \(.[1].name) is found by name on the box only that it runs on: give it x-tote.address"] | unique | .[];

def _escape: tostring | @html | split("\n") | join("&#10;") | split("\t") | join("&#9;") | split("\r") | join("&#13;");

def _element($name; $attributes; $children): "<\($name)" + ($attributes | map(" \(.[0])=\"\(.[1] | _escape)\"") | join("")) +
	if ($children | length) == 0 then "/>" else ">" + ($children | join("")) + "</\($name)>" end;

# A list of names and values with ids.
def _set($tag; $id; $pairs): _element($tag; [["id", "\($id)-\($tag)"]];
	$pairs | map(_element("nvpair"; [["id", "\($id)-\($tag)-\(.[0])"], ["name", .[0]], ["value", .[1]]]; [])));

def _order($first; $second; $kind; $id): _element("rsc_order"; [["id", $id], ["kind", $kind], ["first", $first], ["then", $second],
	["symmetrical", "true"]]; []);

def _colocation($a; $b; $score; $id): _element("rsc_colocation"; [["id", $id], ["score", $score], ["rsc", $a], ["with-rsc", $b]]; []);

# An order that is mandatory stops who depends when the other moves: what runs on many boxes would stop on all of them.
def _kind: if .[2].optional or (.[0].many and (.[1].many or .[2].restart | not)) then "Optional" else "Mandatory" end;

def _depend_constraints: .[0] as $a | .[1] as $b | .[2].optional as $optional
	| _order($b.top; $a.top; _kind; "\($a.id)-after-\($b.name)"),
	(select(_together and (($a.many and ($b.many | not)) | not))
		| _colocation($a.top; $b.top; if $optional then "1000" else "INFINITY" end; "\($a.id)-with-\($b.name)"));

# Two that one service needs beside it: if they were put apart, it could not run.
def _near_constraints: [_edges[] | select(_together and (.[2].optional | not) and (.[0].many or .[1].many | not))]
	| group_by(.[0].name) | [.[] | .[0][1] as $first | .[1:][]
	| _colocation(.[1].top; $first.top; "100000"; "\(.[1].id)-near-\($first.name)")] | unique | .[];

def _address_constraints: select(.ip) | _order(.ipid; .top; "Mandatory"; "\(.id)-after-ip-\(.ip | gsub(":"; "_"))"),
	_colocation(.top; .ipid; "INFINITY"; "\(.id)-with-ip-\(.ip | gsub(":"; "_"))");

# ---- resources ----

def _op($id; $name; $interval; $timeout; $more; $children): _element("op"; [["id", "\($id)-\($name)-\($interval)"], ["name", $name],
	["interval", $interval], ["timeout", "\($timeout)s"]] + $more; $children);

# A box where it has failed three times within five minutes is left alone for as long.
def _meta($id): _set("meta_attributes"; $id; [["resource-stickiness", "100"], ["migration-threshold", "3"], ["failure-timeout", "300s"]]);

def _tries: [.health.retries, 999] | min;

# Another interval than that of depth 0: Pacemaker knows a monitor by it.
def _deep: select(.health) | .id as $id | ([11, (.health.intervalMs | _seconds)] | max | tostring + "s") as $interval
	| _op($id; "monitor"; $interval; _tries * ((.health.timeoutMs | _seconds) + 1) + 6;
		if .health.restart then [] else [["on-fail", "ignore"]] end;
		[_set("instance_attributes"; "\($id)-monitor-\($interval)"; [["OCF_CHECK_LEVEL", "10"]])]);

def _primitive($params): .id as $id | _element("primitive"; [["id", $id], ["class", "ocf"], ["provider", "tote"], ["type", "container"]]; [
	_set("instance_attributes"; $id; [["name", .container], ["params_file", "\($params)/\(.container)"]]),
	_meta($id),
	_element("operations"; []; [
		_op($id; "start"; "0s"; (.updateMs | _seconds) + 10; []; []),
		_op($id; "stop"; "0s"; (.stopGraceMs | _seconds) + 20; []; []),
		_op($id; "monitor"; "10s"; 30; []; []),
		_deep])]);

def _resource($params): if .many then _element("clone"; [["id", .top]]; [
	_set("meta_attributes"; .top; (if .global then [] else [["clone-max", .replicas]] end) +
		[["clone-node-max", "1"], ["interleave", "true"], ["globally-unique", "false"]]),
	_primitive($params)]) else _primitive($params) end;

def _address: .ipid as $id | (.address | split("/")) as $parts | _element("primitive"; [["id", $id], ["class", "ocf"],
	["provider", "heartbeat"], ["type", "IPaddr2"]]; [
	_set("instance_attributes"; $id; [["ip", $parts[0]], ["cidr_netmask", $parts[1]]]),
	_meta($id),
	_element("operations"; []; [_op($id; "start"; "0s"; 20; []; []), _op($id; "stop"; "0s"; 20; []; []),
		_op($id; "monitor"; "10s"; 20; []; [])])]);

def _resources($params): (map(select(.ip)) | unique_by(.ipid) | .[] | _address), (.[] | _resource($params));

def _constraints: (.[] | _address_constraints), (_edges[] | _depend_constraints), _near_constraints;

# One element a line, so that they can be compared and applied one by one.
def cib($params): _services | "<configuration>", "<resources>", _resources($params), "</resources>", "<constraints>", _constraints,
	"</constraints>", "</configuration>";

def refused: _services as $s | ($s[] | _refuse),
	([$s[] | select(.ip) | [.ip, .address]] | unique | group_by(.[0])[] | select(length > 1)
		| "x-tote.address: \(.[0][0]) has two lengths of its prefix"),
	(["\([$s[] | _resource("/")] + [$s | _constraints] | join(""))" | scan(" id=\"([^\"]*)\"")[0]] | _doubles[]
		| "two elements would have the id \(.): give a service another name");

# ---- what the agent reads ----

# As the agent splits words: only $'' can have more than one line.
def _word: if test("^[A-Za-z0-9_./:=,@%+-]+$") and (test("\n") | not) then .
	elif test("\n") then "$'" + (split("\\") | join("\\\\") | split("'") | join("\\'") | split("\n") | join("\\n")) + "'"
	else "'" + (split("'") | join("'\\''")) + "'" end;

def _words: map(_word) | join(" ");

def _file($service): "\($service.container)-\(.content[0:32])-\(.uid)-\(.gid)-\(.mode)";

def _mounts($files): . as $s | [(.files // [])[] | "--mount", "type=bind,source=\($files)/\(_file($s)),target=\(.target),readonly,lend"];

def _endpoint: .host as $h | "\(.port)" | if $h == null or $h == "localhost" then . elif ($h | test(":")) then "[\($h)]:\(.)"
	else "\($h):\(.)" end;

def _health: if .health == null then "monitor_probe=none"
	elif .health.kind == "exec" then "monitor_cmd=\(.health.command | _words)"
	elif .health.kind == "tcp" then "monitor_probe=tcp \(.health | _endpoint)"
	else "monitor_probe=http \(.health | _endpoint)\(.health.path)" end;

# What systemd gave Pacemaker is not for containers; an option of the file comes behind it.
def _params($files): "image=\(.digest)",
	"run_opts=\(["--oom-score-adj", "0"] + .options + _mounts($files) | _words)",
	(select(.args | length > 0) | "run_cmd=\(.args | _words)"),
	_health,
	(select(.health) | "monitor_tries=\(_tries)"),
	"stop_grace=\([1, (.stopGraceMs | _seconds)] | max)";

# ---- for scripts ----

def files: _services[] as $s | $s.files // [] | .[] | [.content, ($s | .container), .uid, .gid, .mode, _file($s)] | @tsv;

def list($pins): _services[] | [.id, .container, .digest, (if .global then "all" else .replicas end), .top, ($pins[.image] // "-")] | @tsv;

# All of it, each line with a word in front that says what it is. A "param" is of the container before it.
def plan($params; $place; $pins): (refused | "refused\t\(.)"), (warnings | "warning\t\(.)"), (files | "file\t\(.)"),
	(_services[] | "container\t\(.container)", (_params($place) | "param\t\(.)")),
	(list($pins) | "list\t\(.)"), (cib($params) | "cib\t\(.)");

# SPDX-License-Identifier: Apache-2.0
"""
The native shim without containerd: what containerd does around it is done here. A test file has scenarios:

    from harness import *

    @scenario
    def ends(w):
        c = w.container("a", "sh", "-c", "exit 3")         # a bundle on busybox, FIFOs with readers, started by `start`
        c.create(); c.start()
        assert c.wait().exit_status == 3
        c.delete()

    main(__name__)

`test_x.py NAME` runs one of them, `test_x.py --list` names them. Each runs as its own processes: a mount namespace with a /run of its
own and cgroup2 on /sys/fs/cgroup, a pid namespace that takes everything with it at the end, and a time limit (SCENARIO_LIMIT, 150 s).
A scenario that returns must have left nothing behind: what is still alive is ended as containerd would, then processes, mounts, groups,
sockets, states and descriptors are looked for.

World: what a containerd has
    w.container(id, *command, ...)  see Container
    w.events                        EventServer of ttrpc.py, the shim's TTRPC_ADDRESS
    w.run_shim(*arguments)          the program as containerd calls it: CompletedProcess, output in one
    w.delete_command(id)            `delete`, its DeleteResponse
    w.allow_log                     words that lines of the shim's log may have; any other line fails the scenario
    w.ordered = False               the events of this one do not make a whole: check_order() is not for them
    w.check_nothing_left()          what is done at the end
Container: a task, and how to speak to its shim
    c.client                        Client of ttrpc.py; c.connect() is a new one
    c.create() c.start() c.begin_wait() c.wait() c.state() c.kill(9) c.delete() c.exec("x", "ls") ...
    c.io                            Streams
    c.stop()                        kill -9, wait, delete
"""
import contextlib, functools, glob, importlib, json, os, re, select, shutil, signal, socket, stat, struct, subprocess, sys, tempfile
import threading, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(HERE, "../../build"))
TOTE = os.environ.get("TOTE") or os.path.join(BUILD, "tote")
SHIM = os.environ.get("SHIM") or os.path.join(os.path.dirname(TOTE), "containerd-shim-tote-v2")
LIMIT = int(os.environ.get("SCENARIO_LIMIT", "150"))
PATIENCE = 60  # seconds for anything that is about to happen: the machine may be busy
INSIDE = "TOTE_SHIM_GROUP"  # set to the name of the scenario's cgroup
NAMESPACE = "tests"

if INSIDE in os.environ:
    sys.path.insert(0, HERE)
    from ttrpc import Client, EventServer, Failure, Frame, V2, V3, messages as pb

# containerd.v1.types.Status
UNKNOWN, CREATED, RUNNING, STOPPED, PAUSED, PAUSING = range(6)
NO_TIME = -62135596800
OK, ERROR, INVALID, DEADLINE, NOT_FOUND, EXISTS, EXHAUSTED, PRECONDITION, UNIMPLEMENTED = 0, 2, 3, 4, 5, 6, 8, 9, 12
SPEC = "types.containerd.io/opencontainers/runtime-spec/1/"

scenarios = {}


def scenario(f):
    scenarios[f.__name__] = f
    return f


def skip(reason):
    print("SKIP " + reason, flush=True)
    os._exit(77)


def eventually(what, limit=PATIENCE, pause=0.01):
    """Waits until what() is true and returns it."""
    end = time.monotonic() + limit
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit} s: {getattr(what, '__name__', what)}")
        time.sleep(pause)


def unchanged(what, pause):
    """Whether what() is the same a little later."""
    before = what()
    time.sleep(pause)
    return what() == before


def read(path, default=None):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        if default is None:
            raise
        return default


def fails(code, message, call, *args, **kwargs):
    """The call must fail with this status; message: the whole text, or a compiled pattern that must be found."""
    try:
        answer = call(*args, **kwargs)
    except Failure as e:
        same = message.search(e.message) if hasattr(message, "search") else message == e.message
        assert e.code == code and same, f"{e.code} {e.message!r} instead of {code} {message!r}"
        return e
    raise AssertionError(f"done ({answer}) instead of {code} {message!r}")


# Processes.

def process_state(pid):
    """The letter of ps; "" when there is none."""
    return (read(f"/proc/{pid}/stat", "").rpartition(")")[2].split() or [""])[0]


def alive(pid):
    return process_state(pid) not in ("", "Z", "X")


def children(pid):
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and (read(f"/proc/{p}/stat", "").rpartition(")")[2].split() + ["", ""])[1] == str(pid)]


def shim_processes():
    found = []
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samefile(f"/proc/{p}/exe", SHIM):
                found.append(int(p))
        except OSError:
            pass
    return found


def descriptors(pid):
    fds = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            fds[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
    return fds


def memory(pid):
    """{"Rss": KiB, ...} of smaps_rollup; clean pages of the program are shared as soon as there are two of it, so the dirty ones count."""
    values = {}
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0])
    return values


def mounts_below(path):
    lines = read("/proc/self/mountinfo").splitlines()
    return [line.split()[4] for line in lines if (line.split()[4] + "/").startswith(path.rstrip("/") + "/")]


# Events.

def check_order(events):
    """
    What holds for the events of any scenario. Per container: create, start, exit, delete, each once; per exec: added, started, exit;
    nothing is paused, started or added to what has not begun or has ended; the exit of init comes behind those of all its execs.
    """
    tasks, seen = {}, []

    def demand(right, words):
        seen_lines = "\n".join(seen)
        assert right, f"{words}:\n{seen_lines}"

    for event in events:
        m, verb = event.message, event.topic.rpartition("/")[2]
        seen.append(f"{event.topic} {' '.join(str(m).split())}")
        demand(event.namespace == NAMESPACE, "namespace " + event.namespace)
        if verb == "create":
            demand(m.container_id not in tasks, "made twice")
            tasks[m.container_id] = dict(state="created", pid=m.pid, execs={})
            continue
        demand(m.container_id in tasks, "of an unknown container")
        task = tasks[m.container_id]
        execs = task["execs"]
        if verb == "start":
            demand(task["state"] == "created", "started when " + task["state"])
            demand(m.pid and m.pid == task["pid"], f"pid of create is {task['pid']}")
            task["state"] = "running"
        elif verb == "exec-added":
            demand(m.exec_id not in execs or execs[m.exec_id][0] != "running", "id of a running exec")
            execs[m.exec_id] = ("added", 0)
        elif verb == "exec-started":
            demand(execs.get(m.exec_id, "")[0] == "added", "started, not added before")
            demand(task["state"] in ("created", "running"), "started when init was " + task["state"])
            demand(m.pid > 0, "pid")
            execs[m.exec_id] = ("running", m.pid)
        elif verb == "exit" and m.id != m.container_id:
            demand(execs.get(m.id) == ("running", m.pid), "end of an exec that did not run")
            demand(task["state"] != "stopped", "behind the end of init")
            demand(m.exited_at.seconds > 0, "time")
            execs[m.id] = ("stopped", m.pid)
        elif verb == "exit":
            demand(task["state"] in ("created", "running"), "ended when " + task["state"])
            demand(m.pid == task["pid"] and m.exited_at.seconds > 0, "pid or time")
            demand(not [e for e in execs.values() if e[0] == "running"], "execs still run")
            task["state"] = "stopped"
        elif verb == "delete":
            demand(task["state"] in ("created", "stopped"), "deleted when " + task["state"])
            demand(m.pid == task["pid"], "pid")
            del tasks[m.container_id]
        elif verb in ("paused", "resumed", "oom", "checkpointed"):
            demand(task["state"] != "stopped" or verb == "oom", verb + " when stopped")
        else:
            demand(False, "unknown topic")


# Streams.

class Reader:
    """Reads a FIFO as containerd's client does: from before the shim opens it until its end."""

    def __init__(self, path):
        self.data, self._news, self._eof, self._hold = b"", threading.Condition(), False, False
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._end_r, self._end_w = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(self._end_r, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._end_r in ready:
                break
            with self._news:
                self._news.wait_for(lambda: not self._hold)
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                continue
            with self._news:
                self.data += data
                self._eof = not data
                self._news.notify_all()
            if not data:
                break
        os.close(self._fd)

    def hold(self, hold=True):
        with self._news:
            self._hold = hold
            self._news.notify_all()

    def expect(self, text, limit=PATIENCE):
        text = text.encode() if isinstance(text, str) else text
        with self._news:
            if not self._news.wait_for(lambda: text in self.data or self._eof, limit) or text not in self.data:
                raise AssertionError(f"{text!r} is not in {self.data!r}{' which has ended' if self._eof else ''}")

    def all(self, limit=PATIENCE):
        """What there is at the end of it."""
        with self._news:
            if not self._news.wait_for(lambda: self._eof, limit):
                raise AssertionError(f"no end of output within {limit} s, so far {self.data[-200:]!r}")
            return self.data

    @property
    def ended(self):
        return self._eof

    def close(self):
        """Goes away, as a client that dies."""
        self.hold(False)
        os.write(self._end_w, b"x")
        self._thread.join(5)


class Streams:
    """FIFOs and who is at their other ends. want: of "i", "o", "e", those that there are; read=False: nobody reads."""

    def __init__(self, where, want="ioe", terminal=False, read=True):
        self.terminal, self.want = terminal, want.replace("e", "") if terminal else want
        os.makedirs(where)
        self.paths = {}
        for letter in self.want:
            self.paths[letter] = os.path.join(where, letter)
            os.mkfifo(self.paths[letter], 0o700)
        self.out = self.err = None
        self._in = None
        if read:
            self.attach()

    def attach(self):
        """New readers, as after a restart of containerd."""
        self.out = Reader(self.paths["o"]) if "o" in self.paths else None
        self.err = Reader(self.paths["e"]) if "e" in self.paths else None

    def detach(self):
        for reader in (self.out, self.err):
            if reader:
                reader.close()
        self.close_input()

    def fields(self):
        return dict(in_path=self.paths.get("i", ""), out_path=self.paths.get("o", ""), err_path=self.paths.get("e", ""),
                    terminal=self.terminal)

    def open_input(self, limit=PATIENCE):
        def attempt():
            try:
                return os.open(self.paths["i"], os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC) + 1
            except OSError:
                return 0
        if self._in is None:
            self._in = eventually(attempt, limit) - 1
            os.set_blocking(self._in, True)
        return self._in

    def write(self, data):
        fd = self.open_input()
        data = data.encode() if isinstance(data, str) else data
        while data:
            data = data[os.write(fd, data):]

    def close_input(self):
        if self._in is not None:
            os.close(self._in)
            self._in = None


# Containers.

class Process:
    """What a container's init and its execs have in common."""
    exec_id = ""

    @property
    def client(self):
        return self.container._client

    def _at(self):
        return dict(id=self.container.id, exec_id=self.exec_id)

    def start(self, **more):
        self.pid = self.client.start(**self._at(), **more).pid
        return self.pid

    def state(self, **more):
        return self.client.state(**self._at(), **more)

    def begin_wait(self, timeout_ns=0, client=None):
        return (client or self.client).begin("Wait", pb.WaitRequest(**self._at()), timeout_ns=timeout_ns)

    def wait(self, limit=PATIENCE):
        return self.begin_wait().result(limit)

    def kill(self, signal=9, all=False, **more):
        return self.client.kill(**self._at(), signal=signal, all=all, **more)

    def delete(self, limit=PATIENCE, **more):
        answer = self.client.delete(**self._at(), limit=limit, **more)
        self.gone = True
        return answer

    def resize(self, width, height):
        return self.client.resize_pty(**self._at(), width=width, height=height)

    def close_io(self):
        return self.client.close_io(**self._at(), in_closed=True)

    def has_status(self, status):
        return self.state().status == status

    def until(self, status, limit=PATIENCE):
        return eventually(functools.partial(self.has_status, status), limit)

    def stop(self):
        """Ends and deletes it, whatever state it is in."""
        with contextlib.suppress(Failure):
            if self.state().status == PAUSED:
                self.client.resume(id=self.container.id)
        with contextlib.suppress(Failure):
            self.kill(9)
        if self.state().status != CREATED or not self.exec_id:
            self.wait()
        return self.delete()


class Exec(Process):
    def __init__(self, container, exec_id, command, io, process):
        self.container, self.exec_id, self.io, self.gone, self.pid = container, exec_id, io, False, 0
        spec = dict(args=list(command), cwd="/", env=["PATH=/bin:/sbin", "TERM=xterm"], user=dict(uid=0, gid=0))
        spec.update(process)
        container._execs.append(self)
        self.client.exec(id=container.id, exec_id=exec_id, spec=any_json("Process", spec), **io.fields())


def any_json(kind, value):
    return pb.Any(type_url=SPEC + kind, value=value if isinstance(value, bytes) else json.dumps(value).encode())


class Container(Process):
    """
    A bundle, its FIFOs, and the shim that `start` gives. change(config): changes the spec; annotations: into the spec; mounts: of the
    CreateRequest, by default a bind mount of the file system on BUNDLE/rootfs; io: Streams, or letters of them; options: an Any.
    """

    def __init__(self, world, id, command, io="ioe", terminal=False, change=None, annotations={}, mounts=None, options=None,
                 start_shim=True, service=None):
        self.world, self.id, self.container, self.gone, self.options = world, id, self, False, options
        self._failed = False
        self.pid, self.created, self._execs, self.service = 0, False, [], service or V2
        self.bundle = os.path.join(world.tasks, id)
        self.mounts = world.root_mounts() if mounts is None else mounts
        self._make_bundle(command or ["sleep", "1000"], terminal, change, annotations)
        self.io = io if isinstance(io, Streams) else world.streams(io, terminal)
        self._client = None
        if start_shim:
            self.start_shim()

    def _make_bundle(self, command, terminal, change, annotations):
        os.makedirs(self.bundle, 0o700)
        config = json.loads(self.world.default_spec())
        config["process"]["args"] = list(command)
        config["process"]["terminal"] = terminal
        config["process"]["env"] = ["PATH=/bin:/sbin", "TERM=xterm"]
        config["linux"]["cgroupsPath"] = f"/{self.world.group}/{self.id}"
        config["annotations"] = dict(annotations)
        if change:
            change(config)
        self.config = config
        with open(os.path.join(self.bundle, "config.json"), "w") as f:
            json.dump(config, f)
        os.mkfifo(os.path.join(self.bundle, "log"), 0o700)
        self.world.close_log(os.path.join(self.bundle, "log"))
        self.world.read_log(os.path.join(self.bundle, "log"))

    def start_shim(self, **more):
        done = self.world.run_shim("-id", self.id, "start", cwd=self.bundle, **more)
        assert done.returncode == 0, (done.returncode, done.stdout)
        self.address = done.stdout.decode()
        assert re.fullmatch(r"unix:///run/containerd/s/[0-9a-f]{64}", self.address), self.address
        assert read(os.path.join(self.bundle, "address")) == self.address
        self.connect()
        return self.address

    @property
    def socket(self):
        return self.address[len("unix://"):]

    def connect(self):
        """A connection of its own from here on."""
        self._client = Client(self.address, service=self.service)
        return self._client

    @property
    def server(self):
        """The shim's pid."""
        return self.client.connect(id=self.id).shim_pid

    @property
    def rootfs(self):
        return os.path.join(self.bundle, "rootfs")

    def create_request(self, **more):
        fields = dict(id=self.id, bundle=self.bundle, rootfs=self.mounts, options=self.options, **self.io.fields())
        fields.update(more)
        return pb.CreateRequest(**fields)

    def begin_create(self, **more):
        return self.client.begin("Create", self.create_request(**more))

    def create(self, limit=PATIENCE, **more):
        # The readers of an attempt that failed have seen their end.
        if self._failed:
            self.io = self.world.streams(self.io.want, self.io.terminal)
        self._failed = True
        self.pid = self.begin_create(**more).result(limit).pid
        self.created, self._failed = True, False
        return self.pid

    def run(self):
        self.create()
        self.start()
        return self

    def exec(self, exec_id, *command, io="ioe", terminal=False, **process):
        """Adds it; process: more of the process object."""
        streams = io if isinstance(io, Streams) else self.world.streams(io, terminal)
        return Exec(self, exec_id, command, streams, process)

    def run_exec(self, exec_id, *command, **more):
        e = self.exec(exec_id, *command, **more)
        e.start()
        return e

    def shutdown(self):
        return self.client.shutdown(id=self.id)

    def pids(self):
        return [p.pid for p in self.client.pids(id=self.id).processes]

    def cgroup(self, file=""):
        return os.path.join("/sys/fs/cgroup", self.world.group, self.id, file)

    def end(self):
        """As containerd ends one: then the bundle is gone as well."""
        if self._client and self._client.closed:
            self._client = None
        if self.created and not self.gone and self._client:
            for e in self._execs:
                if not e.gone:
                    with contextlib.suppress(Failure):
                        e.stop()
            with contextlib.suppress(Failure):
                self.stop()
        if self._client:
            with contextlib.suppress(Failure, ConnectionError):
                self.shutdown()
            self._client.close()
        self._client = None
        if os.path.isdir(self.bundle):
            self.world.delete_command(self.id)
        self.world.close_log(os.path.join(self.bundle, "log"))
        self.world.remove_bundle(self.bundle)


class World:
    def __init__(self):
        self.group = os.environ[INSIDE]
        self.dir = "/run/world"
        self.tasks = "/run/containerd/io.containerd.runtime.v2.task/" + NAMESPACE
        self.address = "/run/containerd/containerd.sock"
        self.namespace = NAMESPACE
        self.containers, self.lines, self.allow_log, self.ordered, self._streams = [], [], [], True, 0
        for path in (self.dir, self.tasks, "/run/containerd/fifo"):
            os.makedirs(path, 0o711)
        self._make_rootfs()
        self._logs, self._log_poll, self._log_lock = {}, select.epoll(), threading.Lock()
        threading.Thread(target=self._read_logs, daemon=True).start()
        self.events = EventServer(self.address + ".ttrpc")

    def _make_rootfs(self):
        self.rootfs = os.path.join(self.dir, "rootfs")
        for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "root", "run", "var"):
            os.makedirs(os.path.join(self.rootfs, name))
        shutil.copy(shutil.which("busybox"), os.path.join(self.rootfs, "bin/busybox"))
        subprocess.run(["chroot", self.rootfs, "/bin/busybox", "--install", "-s", "/bin"], check=True)
        with open(os.path.join(self.rootfs, "etc/passwd"), "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        with open(os.path.join(self.rootfs, "etc/group"), "w") as f:
            f.write("root:x:0:\nnobody:x:65534:\n")

    @functools.lru_cache(maxsize=None)
    def default_spec(self):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run([TOTE, "spec", "-b", d], check=True, stdout=subprocess.DEVNULL)
            return read(os.path.join(d, "config.json"))

    def root_mounts(self):
        return [pb.Mount(type="bind", source=self.rootfs, options=["rbind", "rw"])]

    def streams(self, want="ioe", terminal=False, read=True):
        self._streams += 1
        return Streams(f"/run/containerd/fifo/{self._streams}", want, terminal, read)

    def container(self, id="c", *command, **more):
        c = Container(self, id, command, **more)
        self.containers.append(c)
        return c

    def read_log(self, path):
        """Opened as containerd does, before `start`."""
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._logs[path] = [fd, b""]
        self._log_poll.register(fd, select.EPOLLIN)

    def _drain_log(self, log):
        with contextlib.suppress(OSError):
            while True:
                log[1] += os.read(log[0], 65536)
        *lines, log[1] = log[1].split(b"\n")
        self.lines += [line.decode(errors="replace") for line in lines]

    def _read_logs(self):
        while True:
            ready = {fd for fd, _ in self._log_poll.poll()}
            with self._log_lock:
                for log in self._logs.values():
                    if log[0] in ready:
                        self._drain_log(log)

    def close_log(self, path):
        with self._log_lock:
            log = self._logs.pop(path, None)
            if log:
                self._drain_log(log)
                self._log_poll.unregister(log[0])
                os.close(log[0])

    def run_shim(self, *arguments, cwd=None, stdin=b"", address=None, environment={}, namespace=None, limit=PATIENCE):
        command = [SHIM, "-namespace", namespace or NAMESPACE, "-address", address or self.address,
                   "-publish-binary", "/usr/bin/containerd", *arguments]
        env = {**os.environ, "TTRPC_ADDRESS": self.address + ".ttrpc", "GOMAXPROCS": "2", **environment}
        return subprocess.run(command, cwd=cwd, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
                              timeout=limit, process_group=0)

    def delete_command(self, id):
        """Reads stdout alone; stderr must stay empty, as containerd logs it as warnings."""
        bundle = os.path.join(self.tasks, id)
        command = [SHIM, "-namespace", NAMESPACE, "-address", self.address, "-publish-binary", "/usr/bin/containerd",
                   "-id", id, "-bundle", bundle, "delete"]
        done = subprocess.run(command, cwd=bundle if os.path.isdir(bundle) else self.tasks, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=5)
        assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
        return pb.DeleteResponse.FromString(done.stdout)

    @staticmethod
    def remove_bundle(bundle):
        for path in reversed(mounts_below(bundle)):
            subprocess.run(["umount", "-l", path], check=False)
        shutil.rmtree(bundle, ignore_errors=True)

    def bad_lines(self):
        return [line for line in self.lines if not any(word in line for word in self.allow_log)]

    def end(self):
        for c in reversed(self.containers):
            c.end()

    def check_nothing_left(self):
        self.check_processes()
        # A mount of the container's own would show: its namespace is gone with it.
        assert not mounts_below(self.tasks), mounts_below(self.tasks)
        states = [os.path.join(d, f) for d, _, names in os.walk("/run/containerd/tote") for f in names]
        assert not states, states
        assert not os.path.isdir("/run/containerd/tote/" + NAMESPACE) or not os.listdir("/run/containerd/tote/" + NAMESPACE)
        assert glob.glob("/run/containerd/s/*") == [], os.listdir("/run/containerd/s")
        group = os.path.join("/sys/fs/cgroup", self.group)
        groups = [d for d, _, _ in os.walk(group) if d != group]
        assert not groups, groups

    def check_processes(self):
        """None of the shim, and none of a container's: those of this scenario are pid 1, timeout and ourselves."""
        known = {1, os.getpid(), os.getppid()}

        def rest():
            return [p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if p not in known and alive(p)]
        with contextlib.suppress(TimeoutError):
            eventually(lambda: not rest())
        left = {p: read(f"/proc/{p}/cmdline", "").replace("\0", " ") or read(f"/proc/{p}/comm", "") for p in rest()}
        assert not left, f"processes left: {left}"


def _inside(f):
    w = None
    try:
        w = World()
        f(w)
        w.end()
        w.check_nothing_left()
        if w.ordered:
            check_order(w.events.events)
        assert not w.bad_lines(), "the shim's log has " + "\n".join(w.bad_lines())
    except BaseException:
        traceback.print_exc()
        if w:
            print("\n".join(w.lines), file=sys.stderr)
            print("events:", *[f"{e.topic} {str(e.message).split()}" for e in w.events.events], sep="\n  ", file=sys.stderr)
            for p in shim_processes():
                print(p, read(f"/proc/{p}/wchan", ""), read(f"/proc/{p}/stack", ""), descriptors(p), file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


# pid 1 reaps what nobody waits for, and removes the groups at the end.
AROUND = """
mount -t tmpfs -o mode=755 none /run || exit
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup || exit
mkdir /sys/fs/cgroup/$TOTE_SHIM_GROUP || exit
timeout -k 2 "$LIMIT" "$@"
code=$?
[ $code != 124 ] || echo "no end within $LIMIT s" >&2
kill -KILL -1 2>/dev/null
n=0
while [ -d /sys/fs/cgroup/$TOTE_SHIM_GROUP ] && [ $n -lt 40 ]; do
	find /sys/fs/cgroup/$TOTE_SHIM_GROUP -depth -type d -exec rmdir {} + 2>/dev/null
	n=$((n + 1))
	sleep 0.05
done
exit $code
"""


def main(name):
    if name != "__main__":
        return
    if sys.argv[1:] == ["--list"]:
        print(*scenarios, sep="\n")
        return
    if len(sys.argv) != 2 or sys.argv[1] not in scenarios:
        sys.exit("which one? " + " ".join(scenarios))
    if INSIDE in os.environ:
        _inside(scenarios[sys.argv[1]])
    os.environ[INSIDE] = f"tote-shim-{os.getpid()}"
    os.environ["LIMIT"] = str(LIMIT)
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                          "sh", "-c", AROUND, "sh", sys.executable, os.path.abspath(sys.argv[0]), sys.argv[1]])

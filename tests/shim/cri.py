# SPDX-License-Identifier: Apache-2.0
"""
A small client of the Container Runtime Interface: what a kubelet does, for tests. Pods and their containers are objects.

    cri = Runtime("/path/of/containerd.sock")
    pod = cri.run_pod("web", log_directory="/tmp/logs", network=NODE)
    c = pod.create("nginx", ["sh", "-c", "..."]); c.start()
    code, out, err = c.exec_sync("ls", "/", timeout=5)
    with c.exec("cat") as s:                            # tote's tests/shim/spdy.py: s.stdin.send(b"x"); s.stdin.close(); s.stdout.read()
    with c.attach(stdin=True) as s: ...
    with pod.forward(80) as connection: ...
    c.stop(timeout=1); c.remove(); pod.stop(); pod.remove()
    cri.call("Status", verbose=True)                    # any method by its name and fields

Every call has a time limit; errors are grpc.RpcError, with code() and details(). Needs python3-grpcio, python3-protobuf and
protobuf-compiler, so Debian's own python: /usr/bin/python3.
"""
import importlib.util, os, shutil, subprocess, tempfile, time

import grpc

from spdy import Streams

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cri.proto")
LIMIT = 30


def _generate():
    where = tempfile.mkdtemp(prefix="tote-proto.")
    try:
        subprocess.run(["protoc", "--proto_path=" + os.path.dirname(PROTO), "--python_out=" + where, PROTO], check=True)
        spec = importlib.util.spec_from_file_location("cri_pb2", os.path.join(where, "cri_pb2.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        shutil.rmtree(where)


pb = _generate()
POD, CONTAINER, NODE = pb.POD, pb.CONTAINER, pb.NODE
READY, NOT_READY = pb.SANDBOX_READY, pb.SANDBOX_NOTREADY
CREATED, RUNNING, EXITED = pb.CONTAINER_CREATED, pb.CONTAINER_RUNNING, pb.CONTAINER_EXITED


def eventually(what, limit=LIMIT, pause=0.02):
    """Waits until what() is true and returns it."""
    end = time.monotonic() + limit
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit} s")
        time.sleep(pause)


class Runtime:
    def __init__(self, address, handler="tote", image="", cgroup_parent=""):
        self.handler, self.image, self.cgroup_parent = handler, image, cgroup_parent
        self.address = address
        self.pods = 0
        self.connect()

    def connect(self):
        """Anew, for a daemon that was restarted: gRPC waits for seconds before it tries again."""
        # Without a proxy, whatever the environment says.
        self.channel = grpc.insecure_channel("unix://" + self.address, options=[("grpc.enable_http_proxy", 0)])
        self.methods = {}

    def call(self, method, limit=LIMIT, **fields):
        """A method of RuntimeService by its name; fields are those of its request, messages as dictionaries."""
        if method not in self.methods:
            self.methods[method] = self.channel.unary_unary(
                "/runtime.v1.RuntimeService/" + method, request_serializer=getattr(pb, method + "Request").SerializeToString,
                response_deserializer=getattr(pb, method + "Response").FromString)
        return self.methods[method](getattr(pb, method + "Request")(**fields), timeout=limit)

    def run_pod(self, name, log_directory, network=POD, pid=CONTAINER, ports=(), handler=None):
        self.pods += 1
        namespaces = {"network": network, "pid": pid}
        config = pb.PodConfig(
            metadata={"name": name, "uid": f"{name}-{os.getpid()}-{self.pods}", "namespace": "tests"}, log_directory=log_directory,
            # Without one the host's is copied, which may be none.
            dns_config={"servers": ["192.0.2.1"]},
            hostname="" if network == NODE else name, port_mappings=[{"container_port": c, "host_port": h} for c, h in ports],
            linux={"cgroup_parent": self.cgroup_parent, "security_context": {"namespace_options": namespaces}})
        answer = self.call("RunPodSandbox", config=config, runtime_handler=handler or self.handler)
        return PodSandbox(self, answer.pod_sandbox_id, config, namespaces)


class PodSandbox:
    def __init__(self, runtime, id, config, namespaces):
        self.runtime, self.id, self.config, self.namespaces = runtime, id, config, namespaces

    def create(self, name, command, env=None, stdin=False, stdin_once=False, tty=False, memory=0):
        linux = {"resources": {"memory_limit_in_bytes": memory}, "security_context": {"namespace_options": self.namespaces}}
        config = pb.ContainerConfig(
            metadata={"name": name}, image={"image": self.runtime.image}, command=command, log_path=name + ".log", stdin=stdin,
            stdin_once=stdin_once, tty=tty, envs=[{"key": k, "value": v} for k, v in (env or {}).items()], linux=linux)
        answer = self.runtime.call("CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        return Container(self.runtime, self, answer.container_id)

    def run(self, name, command, **options):
        container = self.create(name, command, **options)
        container.start()
        return container

    def status(self, verbose=False):
        return self.runtime.call("PodSandboxStatus", pod_sandbox_id=self.id, verbose=verbose)

    def forward(self, port):
        """A connection to that port of the pod."""
        url = self.runtime.call("PortForward", pod_sandbox_id=self.id, port=[port]).url
        return Streams(url, "portforward.k8s.io", ["error", "data"], {"port": str(port), "requestID": "0"})

    def stop(self):
        self.runtime.call("StopPodSandbox", pod_sandbox_id=self.id)

    def remove(self):
        self.runtime.call("RemovePodSandbox", pod_sandbox_id=self.id)


class Container:
    def __init__(self, runtime, pod, id):
        self.runtime, self.pod, self.id = runtime, pod, id

    def _call(self, method, **fields):
        return self.runtime.call(method, container_id=self.id, **fields)

    def start(self):
        self._call("StartContainer")

    def stop(self, timeout=0):
        self._call("StopContainer", timeout=timeout)

    def remove(self):
        self._call("RemoveContainer")

    def status(self):
        return self._call("ContainerStatus").status

    def stats(self):
        return self._call("ContainerStats").stats

    def wait(self, limit=LIMIT):
        """Its status after its end."""
        return eventually(lambda: (s := self.status()).state == EXITED and s, limit)

    def exec_sync(self, *command, timeout=10):
        answer = self._call("ExecSync", cmd=command, timeout=timeout)
        return answer.exit_code, answer.stdout, answer.stderr

    def exec(self, *command, stdin=False, tty=False):
        url = self._call("Exec", cmd=command, tty=tty, stdin=stdin, stdout=True, stderr=not tty).url
        return self._streams(url, stdin, tty)

    def attach(self, stdin=False, tty=False):
        url = self._call("Attach", tty=tty, stdin=stdin, stdout=True, stderr=not tty).url
        return self._streams(url, stdin, tty)

    def _streams(self, url, stdin, tty):
        names = ["error"] + ["stdin"] * stdin + ["stdout"] + (["resize"] if tty else ["stderr"])
        return Streams(url, "v4.channel.k8s.io", names)

    def log(self):
        """The lines of its log: (stream, tag, text); fails when a line is not in CRI's format."""
        with open(os.path.join(self.pod.config.log_directory, self.status().log_path), "rb") as f:
            lines = f.read().split(b"\n")
        assert lines.pop() == b"", "the log ends in the middle of a line"
        entries = []
        for line in lines:
            stamp, stream, tag, text = line.split(b" ", 3)
            assert stamp[10:11] == b"T" and stream in (b"stdout", b"stderr") and tag in (b"F", b"P"), line
            entries.append((stream.decode(), tag.decode(), text))
        return entries

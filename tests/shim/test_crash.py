#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
SIGKILL of a worker, of what it makes, and of the server, at every STEP-th system call (which ones depends on the day; STEP=1: all).
Whoever asked gets an error or what was asked for, the server goes on if it is not the one, the next attempt succeeds, and nothing stays.
"""
import datetime

from harness import *
from crash import Killer

GROUP = {"io.containerd.runc.v2.group": "g"}
SERVER, WORKER, MADE, SECOND_MADE = [], [1], [1, 1], [1, 2]
POINT_LIMIT = 20
STATES = "/run/containerd/tote/" + NAMESPACE
STEP = int(os.environ.get("STEP", "0"))


def points(usual):
    step = STEP or usual
    n = 1 + datetime.date.today().timetuple().tm_yday % step
    while True:
        yield n
        n += step


def sweep(usual, least, point):
    """point(n) is done until it is False: the victim did not come so far. least: so many calls there must be."""
    for n in points(usual):
        began = time.monotonic()
        try:
            hit = point(n)
            spent = time.monotonic() - began
            assert spent < POINT_LIMIT, f"{spent:.1f} s"
        except BaseException:
            print(f"killed at system call {n}:", file=sys.stderr)
            raise
        if not hit:
            break
    assert n > least, f"only {n} system calls"
    print(f"# {n} system calls")


def attempt(pid, victim, n, ask):
    """ask() while the victim is killed: (its answer or the error, whether it was)."""
    killer = Killer(pid, victim, n)
    try:
        answer = ask()
    except (Failure, ConnectionError, BrokenPipeError) as e:
        answer = e
    # An end that the victim may have behind its answer, too: time for it.
    time.sleep(0.005)
    hit = killer.end()
    if isinstance(answer, Exception):
        assert hit, answer
    return answer, hit


def leave(io):
    """Its readers go, with all that they had."""
    io.detach()
    for reader in (io.out, io.err):
        os.close(reader._end_r)
        os.close(reader._end_w)


class Beside:
    """A server with a container that nothing is done to, and one that it is done to."""

    def __init__(self, w):
        self.w = w
        w.allow_log += ["killed?", "worker"]
        self.keeper = w.container("g", annotations=GROUP, io="").run()
        self.c = w.container("a", annotations=GROUP)
        self.server = self.c.server
        assert self.server == self.keeper.server
        self.once()
        self.settle()

    def settle(self):
        """What there is, when nothing ends any more, is how it is to be after each point."""
        eventually(lambda: unchanged(self.seen, 0.2))
        self.base = self.seen()

    def once(self):
        self.c.io = self.w.streams()
        self.c.create()
        self.c.stop()
        self.c.gone = False
        self.c.created = False
        leave(self.c.io)

    def seen(self):
        """All that could grow."""
        known = {1, os.getpid(), os.getppid()}
        return dict(processes=sorted(p for p in map(int, filter(str.isdigit, os.listdir("/proc"))) if p not in known),
                    descriptors=sorted(re.sub("[0-9]+", "N", d) for d in descriptors(self.server).values()),
                    mounts=mounts_below(self.w.tasks), states=sorted(os.listdir(STATES)),
                    groups=sorted(next(os.walk(self.keeper.cgroup("..")))[1]))

    def check(self):
        assert self.keeper.state().status == RUNNING
        try:
            eventually(lambda: self.seen() == self.base)
        except TimeoutError:
            raise AssertionError(f"{self.seen()} instead of {self.base}") from None


def create_of(w, victim, usual, least):
    b = Beside(w)

    def point(n):
        c = b.c
        c.io = w.streams()
        answer, hit = attempt(b.server, victim, n, lambda: c.begin_create().result(POINT_LIMIT))
        if isinstance(answer, Exception):
            assert answer.code == ERROR and answer.message.startswith("OCI runtime create failed: "), answer
        else:
            c.stop()
        leave(c.io)
        b.check()
        w.delete_command("a")
        b.once()
        b.check()
        return hit
    sweep(usual, least, point)


@scenario
def worker_of_create(w):
    create_of(w, WORKER, 6, 150)


@scenario
def helper_of_create(w):
    """What makes the network namespace beside it is a help, not a need."""
    create_of(w, MADE, 1, 2)


@scenario
def init_of_create(w):
    create_of(w, SECOND_MADE, 9, 150)


def start_of_exec(w, victim, usual, least):
    b = Beside(w)
    b.c.io = w.streams()
    b.c.run()
    b.settle()

    def point(n):
        io = w.streams()
        e = b.c.exec("x", "sleep", "1000", io=io)
        answer, hit = attempt(b.server, victim, n, lambda: b.c.client.start(id="a", exec_id="x", limit=POINT_LIMIT))
        if isinstance(answer, Exception):
            assert answer.code == ERROR and answer.message.startswith("OCI runtime exec failed: "), answer
            e.delete()
        else:
            e.stop()
        leave(io)
        b.check()
        io = w.streams()
        e = b.c.run_exec("x", "true", io=io)
        assert e.wait().exit_status == 0
        e.delete()
        leave(io)
        b.check()
        b.c._execs.clear()
        return hit
    sweep(usual, least, point)


@scenario
def worker_of_exec(w):
    start_of_exec(w, WORKER, 6, 100)


@scenario
def process_of_exec(w):
    start_of_exec(w, MADE, 5, 50)


@scenario
def worker_of_delete(w):
    b = Beside(w)

    def point(n):
        c = b.c
        c.io = w.streams()
        c.run()
        c.kill(9)
        assert c.wait().exit_status == 137
        answer, hit = attempt(b.server, WORKER, n, lambda: c.client.delete(id="a", limit=POINT_LIMIT))
        if isinstance(answer, Exception):
            assert answer.code == ERROR and answer.message.startswith("failed to delete task: "), answer
            # It is there as before, and goes with the next one.
            assert c.state().status == STOPPED
            answer = c.delete()
        assert answer.exit_status == 137
        leave(c.io)
        b.check()
        b.once()
        return hit
    sweep(5, 80, point)


def server_in(w, usual, least, prepare, ask):
    """The server itself: what is left goes with containerd's `delete`."""
    w.ordered = False

    def point(n):
        c = w.container("a")
        server = c.server
        prepare(c)
        answer, hit = attempt(server, SERVER, n, lambda: ask(c))
        if hit:
            eventually(lambda: not alive(server))
            eventually(lambda: c.client.closed)
            # As nobody takes the next connection, containerd knows that it is to clear up.
            assert w.delete_command("a").exit_status == 137
            assert not mounts_below(c.bundle) and not os.path.exists(c.socket)
            assert not os.path.isdir(c.cgroup()) and not os.path.exists(STATES + "/a")
            c._execs.clear()
            c.client.close()
            c.start_shim()
            leave(c.io)
            c.io = w.streams()
            c.run()
            c.gone = False
        elif not c.created:
            c.pid, c.created = c.state().pid, True
        c.end()
        w.containers.remove(c)
        leave(c.io)
        w.check_nothing_left()
        return hit
    sweep(usual, least, point)


@scenario
def server_in_create(w):
    server_in(w, 3, 20, lambda c: None, lambda c: c.begin_create().result(POINT_LIMIT))


@scenario
def server_in_exec(w):
    def prepare(c):
        c.run()
        c.exec("x", "sleep", "1000", io="")
    server_in(w, 3, 20, prepare, lambda c: c.client.start(id="a", exec_id="x", limit=POINT_LIMIT))


@scenario
def server_in_delete(w):
    def prepare(c):
        c.run()
        c.kill(9)
        c.wait()

    def ask(c):
        c.delete(POINT_LIMIT)
    server_in(w, 3, 15, prepare, ask)


main(__name__)

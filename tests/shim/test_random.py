#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Lives of containers at random, many at once in one shim: requests are sent without waiting for answers, in any order. Whatever comes
of each, every one is answered, what is answered agrees, and the events obey check_order(). SCHEDULES (default 240) is how many,
SEED (default 1) which; a failure names the seed of its schedule.
"""
import random

from harness import *

GROUP = {"io.containerd.runc.v2.group": "random"}
COMMANDS = (["true"], ["false"], ["sleep", "1000"], ["sleep", "1000"], ["sleep", "0.02"], ["sh", "-c", "sleep 0.01; exit 9"])
CODES = {ERROR, INVALID, NOT_FOUND, EXISTS, PRECONDITION}
AT_ONCE = 4


def host_pids(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]


class Schedule:
    def __init__(self, w, number, seed):
        self.w, self.r, self.calls, self.waits = w, random.Random(seed), [], {}
        self.c = w.container(f"s{number}", *self.r.choice(COMMANDS), io="", annotations=GROUP,
                             change=host_pids if self.r.random() < 0.3 else None)

    def send(self, method, request):
        self.calls.append(self.c.client.begin(method, request))

    def step(self):
        r, id = self.r, self.c.id
        exec_id = r.choice(("", "x", "x", "y"))
        at = dict(id=id, exec_id=exec_id)
        what = r.choice(("start", "start", "exec", "exec", "exec", "kill", "wait", "wait", "pause", "resume", "delete", "state", "pids",
                         "stats", "nap", "nap", "nap", "update", "reconnect"))
        if what == "start":
            self.send("Start", pb.StartRequest(**at))
        elif what == "exec":
            spec = any_json("Process", dict(args=r.choice(COMMANDS + (["nosuchbin"],)), cwd="/", env=["PATH=/bin"]))
            self.send("Exec", pb.ExecRequest(id=id, exec_id=exec_id or "z", spec=spec))
            self.send("Start", pb.StartRequest(id=id, exec_id=exec_id or "z"))
        elif what == "kill":
            self.send("Kill", pb.KillRequest(signal=r.choice((0, 9, 9, 15)), all=r.random() < 0.2, **at))
        elif what == "wait":
            self.waits.setdefault(exec_id, []).append(self.c.client.begin("Wait", pb.WaitRequest(**at)))
        elif what in ("pause", "resume"):
            self.send(what.capitalize(), getattr(pb, what.capitalize() + "Request")(id=id))
        elif what == "delete":
            # That of init would end all too soon, most times.
            if exec_id or r.random() < 0.1:
                self.send("Delete", pb.DeleteRequest(**at))
        elif what == "state":
            self.send("State", pb.StateRequest(**at))
        elif what == "pids":
            self.send("Pids", pb.PidsRequest(id=id))
        elif what == "stats":
            self.send("Stats", pb.StatsRequest(id=id))
        elif what == "update":
            self.send("Update", pb.UpdateRequest(id=id, resources=any_json("LinuxResources", {})))
        elif what == "reconnect" and r.random() < 0.2:
            self.c.client.close()
            self.calls, self.waits = [], {}
            self.c.connect()
        elif what == "nap":
            time.sleep(r.random() * 0.02)

    def answer(self, call):
        try:
            return call.result()
        except Failure as e:
            assert e.code in CODES and e.message, e

    def end_of(self, exec_id):
        """Ends it and returns what State, Wait and Delete agree on."""
        at, k = dict(id=self.c.id, exec_id=exec_id), self.c.client
        with contextlib.suppress(Failure):
            k.kill(signal=9, **at)
        s = self.answer(k.begin("State", pb.StateRequest(**at)))
        if s and s.status not in (CREATED, STOPPED):
            answer = k.call("Wait", pb.WaitRequest(**at))
            s = k.state(**at)
            assert (s.status, s.exit_status, s.exited_at) == (STOPPED, answer.exit_status, answer.exited_at), (s, answer)
        d = self.answer(k.begin("Delete", pb.DeleteRequest(**at)))
        assert not d or not s or s.status == CREATED or (d.exit_status, d.exited_at) == (s.exit_status, s.exited_at), (s, d)
        return s

    def run(self):
        self.send("Create", self.c.create_request())
        if self.r.random() < 0.9:
            self.answer(self.calls[0])
            self.send("Start", pb.StartRequest(id=self.c.id))
        for _ in range(self.r.randrange(3, 16)):
            self.step()
        # All but waits are answered by themselves.
        for call in self.calls:
            self.answer(call)
        # A Create whose connection was closed is still under way.
        with contextlib.suppress(Failure, TimeoutError):
            eventually(lambda: self.c.client.connect(id=self.c.id).task_pid, 0.5)
        with contextlib.suppress(Failure):
            self.c.client.resume(id=self.c.id)
        states = {exec_id: self.end_of(exec_id) for exec_id in ("x", "y", "z", "")}
        for exec_id, waits in self.waits.items():
            answers = [a for a in map(self.answer, waits) if a]
            s = states[exec_id]
            # An id may have been used again; init's was not.
            if s and s.status == STOPPED and not exec_id:
                assert all((a.exit_status, a.exited_at) == (s.exit_status, s.exited_at) for a in answers), (s, answers)
        fails(NOT_FOUND, "container not created: not found", self.c.client.state, id=self.c.id)
        self.c.end()
        self.w.containers.remove(self.c)


def run_all(w, count, seed):
    numbers, failures = iter(range(count)), []

    def work():
        for number in numbers:
            try:
                Schedule(w, number, f"{seed}-{number}").run()
            except BaseException:
                failures.append(f"schedule {number} of seed {seed}:\n{traceback.format_exc()}")
            if failures:
                return
    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, "\n".join(failures)


@scenario
def schedules(w):
    # Keeps the server there from one to the next.
    keep = w.container("keep", io="", annotations=GROUP).run()
    server, count, seed = keep.server, int(os.environ.get("SCHEDULES", "240")), os.environ.get("SEED", "1")
    run_all(w, min(count, 40), seed + "a")
    fds, before = len(descriptors(server)), memory(server)
    run_all(w, count, seed)
    eventually(lambda: len(descriptors(server)) <= fds)
    after = memory(server)
    assert after["Private_Dirty"] <= before["Private_Dirty"] + 60, (before, after)
    assert keep.server == server and keep.state().status == RUNNING
    eventually(lambda: children(server) == [keep.pid])
    deletes = w.events.topics().count("/tasks/delete")
    print(f"# {count} schedules, {len(w.events.events)} events, {deletes} deleted; private {after['Private_Dirty']} KiB")


main(__name__)

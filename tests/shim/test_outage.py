#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
A containerd that is away for OUTAGE seconds, and what ends meanwhile: all of it is told when it is back, in order, with the true
status and time. By hand: OUTAGE=600 SCENARIO_LIMIT=800 tests/shim/test_outage.py long_outage
"""
import random

from harness import *

OUTAGE = float(os.environ.get("OUTAGE", "8"))
GROUP = {"io.containerd.runc.v2.group": "g"}
# Whose default is to end a process without a core file.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM)
EXECS = 20


def cpu_ms(pid):
    ticks = sum(map(int, read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13]))
    return ticks * 1000 // os.sysconf("SC_CLK_TCK")


def numbers(server):
    used = memory(server)
    return f"{used['Private_Dirty']} KiB dirty, {used['Rss']} KiB resident, {len(descriptors(server))} descriptors"


def end_one(process, with_signal):
    """Ends it behind the shim's back; (who, status, from, to) once the shim has reaped it."""
    began = time.time()
    os.kill(process.pid, with_signal)
    eventually(lambda: not os.path.exists(f"/proc/{process.pid}"))
    return (process.container.id, process.exec_id or process.container.id), 128 + with_signal, began, time.time()


def leave_socket(path):
    """As a containerd that is killed leaves it: it is there, and nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(path)


@scenario
def long_outage(w):
    chance = random.Random(1)
    containers = [w.container(f"c{i}", annotations=GROUP, io="").run() for i in range(4)]
    execs = [c.run_exec(f"x{i}", "sleep", "100000", io="") for c in containers for i in range(EXECS)]
    server, path = containers[0].server, w.events.path
    assert all(c.server == server for c in containers)
    told = len(containers) * 2 + len(execs) * 2
    eventually(lambda: len(w.events.events) == told)
    before, cpu = memory(server), cpu_ms(server)
    print(f"# {told} events before; {numbers(server)}")

    w.events.down()
    leave_socket(path)
    for c in containers:
        c.client.close()
    # The last container ends with all that runs in it, the first goes on, of the others all ends one by one.
    inits = {c.id: c for c in containers[1:3]}
    lone = [e for e in execs if e.container.id != "c3"]
    chance.shuffle(lone)
    ends, began = [], time.monotonic()
    for i, e in enumerate(lone):
        time.sleep(max(0, began + OUTAGE * (i + 1) / (len(lone) + 2) - time.monotonic()))
        ends.append(end_one(e, chance.choice(SIGNALS)))
        left = [o for o in lone[i + 1:] if o.container.id == e.container.id]
        if not left and e.container.id in inits:
            ends.append(end_one(e.container, signal.SIGKILL))
    together = end_one(containers[3], signal.SIGKILL)
    time.sleep(max(0, began + OUTAGE - time.monotonic()))
    away = time.monotonic() - began
    kept = memory(server)
    print(f"# after {away:.0f} s: {numbers(server)}, {cpu_ms(server) - cpu} ms of the processor")
    assert len(w.events.events) == told
    # An event is some 400 bytes.
    assert kept["Private_Dirty"] <= before["Private_Dirty"] + 100, (before, kept)

    os.unlink(path)
    w.events.up()
    back = time.monotonic()
    eventually(lambda: len(w.events.events) >= told + len(ends) + EXECS + 1)
    print(f"# {len(w.events.events) - told} events {time.monotonic() - back:.1f} s after it is back")
    for c in containers:
        c.connect()
        assert c.state().status == (RUNNING if c.id == "c0" else STOPPED)
        if c.id != "c0":
            assert c.wait().exit_status == 137
    news = w.events.events[told:]
    assert {e.topic for e in news} == {"/tasks/exit"}
    assert len(news) == len(ends) + EXECS + 1, len(news)
    exits = [e.message for e in news]
    assert [((m.container_id, m.id), m.exit_status) for m in exits[:len(ends)]] == [end[:2] for end in ends]
    # What ends at the same time has no order, but init is the last.
    assert {(m.id, m.exit_status) for m in exits[len(ends):-1]} == {(f"x{i}", 137) for i in range(EXECS)}
    assert (exits[-1].container_id, exits[-1].id) == ("c3", "c3")
    for m, (_, _, first, last) in zip(exits, ends + [together] * (EXECS + 1)):
        at = m.exited_at.seconds + m.exited_at.nanos / 1e9
        assert first - 0.05 <= at <= last + 0.05, (m, first, last)
    eventually(lambda: memory(server)["Private_Dirty"] <= before["Private_Dirty"] + 16)
    print(f"# in the end: {numbers(server)}")


main(__name__)

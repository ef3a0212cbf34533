# SPDX-License-Identifier: Apache-2.0
"""What a pod costs: memory, threads and descriptors of its server. tests/bench/shim.py has the whole table."""
from harness import *

PRIVATE, RSS = 300, 2048  # KiB


def private(pid):
    m = memory(pid)
    return m["Private_Dirty"] + m["Private_Clean"]


def some_execs(c, count):
    for i in range(count):
        x = c.run_exec(f"x{i}", "true")
        assert x.wait().exit_status == 0
        x.delete()
        c._execs.remove(x)


def settle(server, fds):
    """Streams are closed behind the answer to Delete."""
    eventually(lambda: len(descriptors(server)) <= fds)
    return private(server)


@scenario
def execs_leave_nothing(w):
    """A pod of five, and another, as clean pages of the program are shared as soon as there are two of it."""
    def change(config):
        config["annotations"]["io.containerd.runc.v2.group"] = "pod"
    pod = [w.container(f"p{i}", change=change).run() for i in range(5)]
    w.container("other").run()
    server = pod[0].server
    assert all(c.server == server for c in pod), [c.server for c in pod]
    some_execs(pod[0], 5)
    fds = len(descriptors(server))
    some_execs(pod[0], 300)
    first = settle(server, fds)
    some_execs(pod[0], 300)
    second = settle(server, fds)
    rss = memory(server)["Rss"]
    threads = os.listdir(f"/proc/{server}/task")
    print(f"# private {first}, then {second} KiB; RSS {rss} KiB; {fds} descriptors")
    assert second <= PRIVATE, second
    assert second <= first + 4, (first, second)  # a page, for two answers that met
    assert rss <= RSS, rss
    assert len(threads) == 1, threads


main(__name__)

# SPDX-License-Identifier: GPL-2.0-or-later
"""--pid and --cgroup: only these processes are observed, whatever they are called, and exactly."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.cgroups import Unit  # noqa: E402
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402
from goldpan_test.loads import ab  # noqa: E402
from goldpan_test.servers import Nginx, wait_closed  # noqa: E402

REQUESTS = 400


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Only(KnownCase):
    def check(self, recording, **counts):
        """Servers by port, with their requests, and nothing else: no service, no endpoint."""
        ports = {end.port: end.requests for end in recording.endpoints()}
        self.assertEqual(ports, counts.pop("ports"))
        self.assertEqual({r["service"] for r in recording.of_type("service")} - {"other"},
                         counts.pop("services"))
        self.assert_nothing_dropped(recording)

    def two(self, **keywords):
        """Two servers of one program, and so of one name."""
        return [self.slow(stem="same", **keywords) for _ in range(2)]

    def test_a_process(self):
        one, other = self.two()
        observer = self.goldpan("--pid", str(one.pid))
        for server in (one, other, one):
            self.call(server, "-c", REQUESTS)
        self.check(observer.finish(), ports={one.port: 2 * REQUESTS}, services={one.name})

    def test_its_children_then_and_later(self):
        """Workers of nginx, and those that it starts anew; not another nginx."""
        first = free_ports(2)
        one, other = (self.keep(Nginx(self.directory, [first + i], workers=2)) for i in range(2))
        observer = self.goldpan("--pid", str(one.pid), "-p", f"{first}-{first + 1}")
        for _ in range(2):
            for i in range(2):
                ab(first + i, REQUESTS, 2, keep_alive=True)
            older = children(one.pid)
            one.popen.send_signal(signal.SIGHUP)
            wait_until(lambda: len(children(one.pid)) == 2 and
                       not set(children(one.pid)) & set(older), 10, "new workers")
        wait_closed(first)
        self.check(observer.finish(), ports={first: 2 * REQUESTS}, services={"nginx"})
        self.assertTrue(other)

    def test_children_whose_parent_is_gone(self):
        """A program that a shell leaves behind is still what came of the shell."""
        shell = self.start(["/bin/sh", "-c", 'read go; "$@" & wait', "sh", "/bin/sh", "-c",
                            '"$@" >"$0" & exit 0', os.path.join(self.directory, "said"),
                            self.known("slow", "left"), ], stdin=-1, name="shell")
        observer = self.goldpan("--pid", str(shell.pid))
        shell.popen.stdin.write(b"go\n")
        shell.popen.stdin.close()
        said = os.path.join(self.directory, "said")
        wait_until(lambda: os.path.exists(said) and os.path.getsize(said), 10,
                   "the server that was left behind")
        with open(said, encoding="ascii") as file:
            port = int(file.read().split()[1])
        shell.popen.wait(10)
        self.call(port, "-c", REQUESTS)
        recording = observer.finish()
        os.kill(self.left_behind(), signal.SIGTERM)
        end = recording.endpoint(port=port)
        self.assertEqual((end.service, end.requests), (self.service("left"), REQUESTS))

    def left_behind(self):
        """The pid of the program that has no parent of this test's any more."""
        path = self.known("slow", "left")
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if file.read().split(b"\0")[0] == path.encode():
                        return int(name)
            except OSError:
                continue
        raise LookupError(path)

    def unit(self, stem):
        unit = Unit(self.service(stem))
        self.addCleanup(unit.discard)
        return unit

    def check_group(self, path_of):
        """Of two servers of one name, the one in a group, or in one below it."""
        unit = self.unit("unit")
        one, other = self.slow(stem="same", inside=unit.prefix), self.slow(stem="same")
        observer = self.goldpan("--cgroup", path_of(unit))
        for server in (one, other):
            self.call(server, "-c", REQUESTS)
        self.check(observer.finish(), ports={one.port: REQUESTS}, services={unit.name})
        one.stop()

    def test_a_group(self):
        for name, path_of in (("directory", lambda u: u.path),
                              ("path", lambda u: f"/system.slice/{u.name}.service")):
            with self.subTest(name):
                self.check_group(path_of)

    def test_a_group_of_v1(self):
        if not os.path.isdir("/sys/fs/cgroup/cpu"):
            self.skipTest("no v1 hierarchy of the cpu controller")
        self.check_group(lambda u: u.cpu_path)

    def test_a_group_inside(self):
        unit = self.unit("unit")
        inner = os.path.join(unit.path, "inner")
        os.mkdir(inner)
        server = self.slow()
        self.move(server, inner)
        observer = self.goldpan("--cgroup", unit.path)
        self.call(server, "-c", REQUESTS)
        self.check(observer.finish(), ports={server.port: REQUESTS}, services={unit.name})
        server.stop()
        wait_until(lambda: self.is_removed(inner), 5, "an empty group")

    @staticmethod
    def is_removed(group):
        try:
            os.rmdir(group)
        except OSError:
            return False
        return True

    def test_a_group_that_is_entered_and_left(self):
        unit = self.unit("unit")
        server = self.slow()
        observer = self.goldpan("--cgroup", unit.path, interval="60s")
        self.call(server, "-c", 10)
        self.move(server, unit.path)
        self.call(server, "-c", REQUESTS)
        records = [r for r in export_now(observer) if r["type"] == "endpoint"]
        self.assertEqual([(r["service"], r["port"], r["requests"]) for r in records],
                         [(unit.name, server.port, REQUESTS)])
        self.move(server, unit.v2)
        self.call(server, "-c", 10)
        recording = observer.finish()
        self.assertEqual(sum(e.requests for e in recording.endpoints()), REQUESTS)

    def move(self, server, group):
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(server.pid))
        time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()

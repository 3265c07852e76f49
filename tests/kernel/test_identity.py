# SPDX-License-Identifier: GPL-2.0-or-later
"""Services by the control groups that they are in: real groups, with the paths that systemd,
container engines and Kubernetes make, and a server in each."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.cgroups import mounted, read  # noqa: E402
from goldpan_test.harness import wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402

ID = f"f{os.getpid():063d}"  # the others' begin with another letter
SHORT = ID[:12]
POD = f"6f0ac3b2-58a3-4e0f-9f4b-{os.getpid():012d}"
USER = 42_000
REQUESTS = 20


class Identity(KnownCase):
    def setUp(self):
        super().setUp()
        self.root = mounted("cgroup2")
        if not self.root:
            self.skipTest("no v2 hierarchy of control groups")
        self.made = []
        self.addCleanup(self.remove_groups)

    def remove_groups(self):
        for path in reversed(self.made):
            wait_until(lambda at=path: not read(at, "cgroup.procs"), 10, f"the end of all in {path}")
            os.rmdir(path)

    def group(self, path, owner=None):
        """Makes what is missing of a group, and gives the last one to `owner`. Its directory."""
        at = self.root
        for name in path.strip("/").split("/"):
            at = os.path.join(at, name)
            if not os.path.isdir(at):
                os.mkdir(at)
                self.made.append(at)
        if owner:
            os.chown(at, owner, owner)
        return at

    def serve(self, path, stem):
        """A server in the group of this path."""
        inside = ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', self.group(path))
        return self.slow(stem=stem, inside=inside)

    def check(self, forms):
        """`forms`: path, service, unit, container of each; {} stands for this test's number."""
        number = os.getpid()
        servers = [self.serve(form[0].format(number), f"p{i}") for i, form in enumerate(forms)]
        observer = self.goldpan(interval="60s")
        for server in servers:
            self.call(server, "-c", REQUESTS)
        records = export_now(observer)
        ends = {r["port"]: r for r in records if r["type"] == "endpoint" and r["role"] == "server"}
        for server, (path, *names) in zip(servers, forms):
            names = [name and name.format(number, name=server.name) for name in names]
            with self.subTest(path=path):
                end = ends[server.port]
                self.assertEqual([end["service"], end["unit"], end["container"]], names)
                self.assertEqual(end["exe"].rsplit("/", 1)[1], "slow")
                self.assertEqual(end["requests"], REQUESTS)
                one, = [r for r in records
                        if r["type"] == "service" and r["service"] == end["service"]]
                self.assertEqual((one["unit"], one["container"]), tuple(names[1:]))
        for server in servers:
            server.stop()

    def test_units_and_containers(self):
        pod = POD.replace("-", "_")
        self.check((
            ("/system.slice/gp-{}.service", "gp-{}", "gp-{}.service", None),
            ("/system.slice/gp2-{}.service/docker-" + ID + ".scope", SHORT, "gp2-{}.service", ID),
            (f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod}.slice/"
             f"cri-containerd-a{ID[1:]}.scope", f"a{SHORT[1:]}", f"pod{POD}", f"a{ID[1:]}"),
            (f"/kubepods/besteffort/pod{POD}/b{ID[1:]}", f"b{SHORT[1:]}", f"pod{POD}",
             f"b{ID[1:]}"),
            (f"/docker/c{ID[1:]}", f"c{SHORT[1:]}", None, f"c{ID[1:]}"),
            (f"/machine.slice/libpod-d{ID[1:]}.scope/container", f"d{SHORT[1:]}", None,
             f"d{ID[1:]}"),
            (f"/machine.slice/libpod-conmon-e{ID[1:]}.scope", "{name}", None, None),
            ("/lxc.payload.web{}/system.slice/nginx.service", "web{}", None, "web{}"),
        ))

    def test_sessions(self):
        self.check((
            ("/user.slice/user-42000.slice/session-{}.scope", "user@42000/{name}", None, None),
            (f"/user.slice/user-42001.slice/user@42001.service/app.slice/docker-{ID}.scope",
             "user@42001/{name}", None, None),
        ))

    def test_groups_of_others(self):
        """Below a group that root has given away, names are what its owner likes."""
        number = os.getpid()
        self.group(f"/gp-{number}", USER)
        self.group(f"/system.slice/web-{number}.service", USER)
        self.check((
            ("/gp-{}/nginx.service", f"user@{USER}/{{name}}", None, None),
            (f"/gp-{{}}/docker-{ID}.scope", f"user@{USER}/{{name}}", None, None),
            ("/system.slice/web-{}.service/nginx.service", "web-{}", "web-{}.service", None),
        ))

    def test_many_programs_of_a_unit(self):
        """More than there are services for are one, under the unit's name: nothing is in `other`."""
        number, count = os.getpid(), 80
        group = self.group(f"/system.slice/gp-{number}.service")
        server = self.slow()
        observer = self.goldpan("-p", str(server.port), interval="60s")
        inside = ("sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', group)
        for i in range(count):
            self.call(server, "-c", 3, stem=f"n{i}", inside=inside)
        recording = observer.finish()
        end = recording.endpoint(role="client", port=server.port)
        self.assertEqual((end.service, end.requests), (f"gp-{number}", 3 * count))
        self.assert_nothing_dropped(recording)


if __name__ == "__main__":
    unittest.main()

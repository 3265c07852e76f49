# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers in network namespaces of their own, as containers have them: observed, whether they or
goldpan came first, and their accept queues equal to what ss says there."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.cgroups import Unit  # noqa: E402
from goldpan_test.known import export_now  # noqa: E402
from goldpan_test.puppet import RowCase  # noqa: E402

REQUESTS = 200
WAITING = (3, 5)  # connections that wait to be accepted, in each network


class Networks(RowCase):
    def setUp(self):
        super().setUp()
        self.unit = Unit(self.service("pod"))
        self.addCleanup(self.unit.discard)
        self.inside = [self.network_named(self.service(stem)) for stem in ("gp-a", "gp-b")]

    def network_named(self, name):
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        return ("ip", "netns", "exec", name)

    def servers(self):
        """One in each network, of one unit and on one port, that accepts nothing by itself."""
        made = []
        for i, inside in enumerate(self.inside):
            server = self.puppet(f"server-{i}", inside=[*self.unit.prefix, *inside])
            server.do(f"l = listen({self.port}, backlog={16 + i})")
            made.append(server)
        return made

    def ss(self, inside):
        """(length, limit) of the port's queue in a network."""
        line = subprocess.run([*inside, "ss", "-ltnH", f"sport = :{self.port}"], check=True,
                              capture_output=True, text=True).stdout
        return tuple(map(int, line.split()[1:3]))

    def both(self, older):
        """The same port of the same service in two networks: one endpoint, all added."""
        servers = self.servers() if older else None
        observer = self.goldpan("-p", str(self.port), interval="60s")
        servers = servers or self.servers()
        clients = []
        for inside, server, waiting in zip(self.inside, servers, WAITING):
            client = self.puppet(f"client-{waiting}", inside=inside)
            client.do(f"c = [connect({self.port}) for _ in range({waiting})]")
            clients.append(client)
        found = [r for r in export_now(observer)
                 if r["type"] == "endpoint" and r["role"] == "server"]
        self.assertEqual([(r["service"], r["unit"], r["port"]) for r in found],
                         [(self.unit.name, f"{self.unit.name}.service", self.port)])
        queues = [self.ss(inside) for inside in self.inside]
        self.assertEqual([length for length, _ in queues], list(WAITING))
        self.assertEqual(found[0]["accept_queue"]["length"], sum(length for length, _ in queues))
        self.assertEqual(found[0]["accept_queue"]["limit"], sum(limit for _, limit in queues))
        for server, client, waiting in zip(servers, clients, WAITING):
            server.begin(f"for _ in range({waiting}):\n with accept(l) as s:\n"
                         "  while s.recv(9): s.sendall(b'!')")
            client.do("for s in c:\n for _ in range(10): s.sendall(b'?'); s.recv(9)\n s.close()")
            server.end()
        recording = observer.finish()
        end = recording.endpoint(role="server", port=self.port)
        self.assertEqual((end.requests, end.opened, end.closed, end.aborted),
                         (10 * sum(WAITING), sum(WAITING), sum(WAITING), 0))
        for waiting in WAITING:
            end = recording.endpoint(role="client", service=self.service(f"client-{waiting}"))
            self.assertEqual(end.requests, 10 * waiting)
        self.assert_nothing_dropped(recording)
        for puppet in (*servers, *clients):
            puppet.stop()

    def test_two_networks(self):
        self.both(older=False)

    def test_two_networks_older_than_goldpan(self):
        self.both(older=True)

    def test_connections_older_than_goldpan(self):
        """In a network that nothing but a process keeps, as that of a container."""
        inside = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
        server = self.puppet("server", inside=inside)
        server.do(f"l = listen({self.port})")
        server.do("fork(serve, l, 4, b'!')")
        server.do(f"c = connect({self.port})")
        server.do("c.sendall(b'1234')")
        server.do("take(c, 1)")
        observer = self.goldpan("-p", str(self.port))
        server.do(f"[(c.sendall(b'1234'), take(c, 1)) for _ in range({REQUESTS})] and None")
        server.do("c.close()")
        recording = observer.finish()
        for role in ("server", "client"):
            end = recording.endpoint(role=role, port=self.port)
            self.assertEqual((end.service, end.requests, end.closed),
                             (server.name, REQUESTS, 1), role)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What an unprivileged user does costs the others nothing: their counts stay exact, what of his own
has no name any more is in `other`, and `dropped` says how much that is.

GOLDPAN_FULL=1 in the environment: 10,000 programs, 20,000 listening ports, 100,000 connections.
"""

import os
import re
import shutil
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports  # noqa: E402
from goldpan_test.known import PROGRAMS, Dialogue, KnownCase, export_now  # noqa: E402
from goldpan_test.loads import ab, redis_benchmark  # noqa: E402
from goldpan_test.protocols import operations  # noqa: E402
from goldpan_test.puppet import PUPPET, Puppet  # noqa: E402
from goldpan_test.servers import PAGE_BYTES, Nginx, Redis, wait_closed  # noqa: E402

FULL = bool(os.environ.get("GOLDPAN_FULL"))
NAMES, PORTS, CONNECTIONS = (10_000, 20_000, 100_000) if FULL else (1_000, 2_000, 8_000)
EACH = 10_000  # files of one process
USER = 41_000 + os.getpid() % 1000
PROGRAMS_OF_ONE, REMOTES_OF_ONE, REQUESTS = 64, 32, 3_000
OLDER = 40  # ports of nginx
PIPELINES = 1_000
# The user's programs, and where those go that have no name: others may have ports in between.
OWN = re.compile(r"mischief|asker|[mn]\d+|other")
GET = b"GET / HTTP/1.1\r\nHost: page\r\n\r\n"
SERVERS_OF_ONE = 1024 * 3 // 4 // 4  # a quarter of the endpoints that servers have


def ask(client):
    """One request on a connection to nginx, and its whole answer."""
    client.sendall(GET)
    answer = b""
    while not answer.endswith(b"g" * PAGE_BYTES):
        answer += client.recv(65536)


class User(KnownCase):
    """A user whose processes are outside every slice, beside nginx."""

    def setUp(self):
        super().setUp()
        self.home = os.path.join(self.directory, "home")
        os.mkdir(self.home)
        self.program = os.path.join(self.home, "mischief")
        shutil.copy(os.path.join(PROGRAMS, "mischief"), self.program)
        os.chown(self.home, USER, USER)
        self.page = free_ports()
        self.nginx = self.keep(Nginx(self.directory, [self.page]))

    address = "127.0.0.1"

    def mischief(self, *words, program="mischief"):
        """A program of the user's, and the first thing that it says."""
        path = os.path.join(self.home, program)
        if not os.path.exists(path):
            os.symlink(self.program, path)
        argv = [path, *map(str, words)]
        dialogue = self.keep(_Dialogue(argv, self.directory, program))
        return dialogue, dialogue.hear()

    def serve(self, program="mischief"):
        """A port that the user serves."""
        port = free_ports()
        _, said = self.mischief("serve", self.address, port, 1, program=program)
        self.assertEqual(said, "ready")
        return port

    def ask(self, port, count, span, program="asker"):
        asker, said = self.mischief("ask", self.address, port, count, span, program=program)
        self.assertEqual(said, f"answered {count}")
        return asker

    def polite(self):
        """What the others do meanwhile. Their own count."""
        return ab(self.page, REQUESTS, 4, keep_alive=False)["requests"]

    def check_others(self, recording, requests):
        for match in ({"role": "server", "service": "nginx"}, {"role": "client", "service": "ab"}):
            end = recording.endpoint(port=self.page, **match)
            self.assertEqual((end.requests, end.aborted, end.active), (requests, 0, 0), match)

    def check_sums(self, recording, exchanges, first, count=1):
        """Every exchange of the user's is counted at either end; those without a name in `other`,
        of the service or of all, and as many in `dropped`."""
        own = range(first, first + count)
        for role in ("server", "client"):
            ends = [e for e in recording.endpoints(role=role)
                    if (e.port in own or e.port is None) and OWN.fullmatch(e.service)]
            self.assertEqual(sum(e.requests for e in ends), exchanges, role)
            self.assertEqual(sum(e.aborted for e in ends), 0, role)
        dropped = recording.dropped()
        ends = recording.endpoints()
        self.assertEqual(dropped.pop("services"),
                         sum(e.requests for e in ends if e.service == "other"))
        self.assertEqual(dropped.pop("endpoints"),
                         sum(e.requests for e in ends
                             if e.service != "other" and e.address == "other"))
        self.assertEqual({kind: n for kind, n in dropped.items() if n}, {})

    def test_programs(self):
        """Thousands of programs with names of their own: some have services, all are counted."""
        port = self.serve()
        observer = self.goldpan("-p", str(self.page), "-p", str(port), interval="60s")
        polite = self.polite()
        _, said = self.mischief("names", self.home, NAMES, self.address, port)
        self.assertEqual(said, f"answered {NAMES}")
        polite += self.polite()
        newcomer = self.keep(Redis(self.directory, free_ports()))
        wait_closed(self.page)
        recording = observer.finish()
        self.check_others(recording, polite)
        self.check_sums(recording, NAMES, port)
        named = {e.service for e in recording.endpoints(role="client", port=port)
                 if e.service != "other"}
        self.assertLessEqual(len(named), PROGRAMS_OF_ONE)
        self.assertGreater(len(named), PROGRAMS_OF_ONE // 2)
        self.assertTrue(recording.of_type("service", service=newcomer.name),
                        "a program that starts after all of the user's has a service")

    def test_ports(self):
        """Thousands of listening ports, of many programs: a quarter of the endpoints at most."""
        # So many are free only where clients have theirs, at an address that is nobody else's.
        self.address, first = f"127.9.9.{os.getpid() % 250 + 1}", 40_000
        programs = [f"m{i}" for i in range(8)]
        share = PORTS // len(programs)
        observer = self.goldpan("-p", str(self.page), "-p", f"{first}-{first + PORTS - 1}",
                                interval="60s")
        for i, program in enumerate(programs):
            _, said = self.mischief("serve", self.address, first + i * share, share,
                                    program=program)
            self.assertEqual(said, "ready")
        polite = self.polite()
        self.ask(first, PORTS, PORTS)
        polite += self.polite()
        wait_closed(self.page)
        recording = observer.finish()
        self.check_others(recording, polite)
        self.check_sums(recording, PORTS, first, PORTS)
        named = [e for e in recording.endpoints(role="server") if e.service in programs and e.port]
        self.assertLessEqual(len(named), SERVERS_OF_ONE)
        self.assertGreater(len(named), SERVERS_OF_ONE // 2)

    def test_ports_older_than_goldpan(self):
        """Where goldpan finds more listening ports than it can keep anything of, it still knows who
        serves on older connections."""
        self.address, first, count = f"127.9.8.{os.getpid() % 250 + 1}", 40_000, 2 * EACH
        for begin in (0, EACH):
            self.mischief("serve", self.address, first + begin, EACH)
        page = free_ports(OLDER)
        pages = list(range(page, page + OLDER))
        self.keep(Nginx(self.directory, pages))
        clients = []
        for page in pages:
            clients.append(socket.create_connection(("127.0.0.1", page)))
            ask(clients[-1])
        observer = self.goldpan("-p", f"{pages[0]}-{pages[-1]}", "-p", f"{first}-{first + count}")
        for client in clients * 3:
            ask(client)
        recording = observer.finish()
        for client in clients:
            client.close()
        for page in pages:
            self.assertEqual(recording.endpoint(role="server", port=page).requests, 3)
        # A program has so many addresses of its own, and the rest in one `other` that speaks HTTP.
        ends = recording.endpoints(role="client", service="python3", protocol="http")
        self.assertEqual(sorted(e.requests for e in ends),
                         [3] * REMOTES_OF_ONE + [3 * (OLDER - REMOTES_OF_ONE)])
        other, = [e for e in ends if e.port is None]
        self.assertEqual((other.address, other.active), ("other", OLDER - REMOTES_OF_ONE))
        self.assertEqual(operations(other), {("GET", "200"): 3 * (OLDER - REMOTES_OF_ONE)})

    def test_connections(self):
        """Thousands of connections, held open."""
        ports = -(-CONNECTIONS // EACH)
        first = free_ports(ports)
        for i in range(ports):
            self.mischief("serve", self.address, first + i, 1)
        observer = self.goldpan("-p", str(self.page), "-p", f"{first}-{first + ports - 1}")
        polite = self.polite()
        for i in range(ports):
            self.ask(first + i, min(EACH, CONNECTIONS - i * EACH), 1)
        polite += self.polite()
        wait_closed(self.page)
        recording = observer.finish()
        self.check_others(recording, polite)
        self.check_sums(recording, CONNECTIONS, first, ports)
        ends = recording.endpoints(role="server", service="mischief")
        self.assertEqual(sum(e.active for e in ends), CONNECTIONS)

    def test_a_name_of_somebody_else(self):
        """A user's `nginx` is his own, whichever came first."""
        for first in (True, False):
            with self.subTest(older=first):
                if first:
                    port = self.serve(program="nginx")
                observer = self.goldpan("-p", f"{min(self.page, 10240)}-32000")
                if not first:
                    port = self.serve(program="nginx")
                polite = self.polite()
                asker = self.ask(port, 500, 1, program="nginx")
                wait_closed(self.page)
                asker.discard()
                recording = observer.finish()
                self.check_others(recording, polite)
                own = f"user@{USER}/nginx"
                for role in ("server", "client"):
                    end = recording.endpoint(role=role, port=port)
                    self.assertEqual((end.service, end.requests), (own, 500))

    def test_pipelines(self):
        """Connections with requests that wait for each other: those of others are still followed."""
        port, redis_port = free_ports(), free_ports()
        redis = self.keep(Redis(self.directory, redis_port))
        observer = self.goldpan("-p", str(redis_port), "-p", str(port))
        inside = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups")
        server, client = (self.keep(Puppet([*inside, "/usr/bin/python3", PUPPET], self.directory,
                                           name)) for name in ("taker", "pusher"))
        server.do(f"l = listen({port}, backlog=2000)")
        client.do(f"c = [connect({port}) for _ in range({PIPELINES})]")
        server.do(f"c = [accept(l) for _ in range({PIPELINES})]")
        client.do(f"[s.sendall({GET + GET!r}) for s in c] and None")
        server.do(f"[take(s, {2 * len(GET)}) for s in c] and None")
        asked = redis_benchmark(redis_port, 20_000, 10, pipeline=16)["requests"]
        wait_closed(redis_port)
        recording = observer.finish()
        for match in ({"role": "server", "service": redis.name},
                      {"role": "client", "service": "redis-benchmark"[:15]}):
            end = recording.endpoint(port=redis_port, protocol="redis", **match)
            gets = sum(o["requests"] for r in end.records for o in r["operations"] or ()
                       if o["operation"] == "GET")
            self.assertEqual(gets, asked, match)
        self.assertGreater(recording.dropped()["pipeline"], 0, "the user had all that he may")

    def test_threads_of_somebody_else(self):
        """Nor are its threads and its CPU time those of a service that has the name."""
        server = self.slow(stem="bank")
        for older in (True, False):
            with self.subTest(older=older):
                asker = self.ask(self.serve(), 1, 1, program=server.name) if older else None
                observer = self.goldpan()
                asker = asker or self.ask(self.serve(), 1, 1, program=server.name)
                records = export_now(observer)
                threads = {r["service"]: r["threads"] for r in records if r["type"] == "service"}
                self.assertEqual(threads[server.name], len(os.listdir(f"/proc/{server.pid}/task")))
                self.assertEqual(threads[f"user@{USER}/{server.name}"], 1)
                asker.discard()
                observer.discard()


class _Dialogue(Dialogue):
    """As Dialogue, by the user."""

    def __init__(self, argv, directory, name):
        self.popen = None
        super().__init__(["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups",
                          *argv], directory, name)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP and DNS: every query, rcode, error and byte is as the client and the server count them, at
both ends; what has no answer; and other datagrams, of which there are only bytes."""

import collections
import json
import os
import random
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import dns  # noqa: E402
from goldpan_test.clients import Account, together  # noqa: E402
from goldpan_test.dns import Client, Server, bound  # noqa: E402
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.known import export_now, total  # noqa: E402
from goldpan_test.protocols import (ABSOLUTE_S, QUANTILES, RELATIVE, ProtocolCase,  # noqa: E402
                                    operations, quantile)

QUERIES = 10_000
WORKERS = 4
OPEN = 32  # queries of a socket that are kept apart
OLD_S = 30
NAMES = ("noerror", "nxdomain", "servfail", "refused", "notimp", "slow")
KINDS = ("A", "AAAA", "MX", "TXT", "SRV", "PTR", "HTTPS", 4711)


def asked(rng):
    """One of all kinds of questions, those that are asked most the most often."""
    name = rng.choices(NAMES, (60, 20, 5, 2, 1, 2))[0]
    kind = rng.choices(KINDS, (50, 30, 4, 4, 4, 4, 4, 1))[0]
    return ".".join([name, *("x" * rng.randrange(1, 63) for _ in range(rng.randrange(4)))]), kind


class DnsTest(ProtocolCase):
    protocol, client = "dns", dns

    def goldpan(self, *options, **keywords):
        return super().goldpan("--protocols", "all", *options, **keywords)

    def serve(self, *options):
        self.port = free_ports()
        self.observer = self.goldpan("-p", str(self.port), *options)
        self.start_server(bound(self.port))
        return "127.0.0.1", self.port

    def start_server(self, *sockets):
        self.server = self.keep(Server(*sockets))
        for s in sockets:
            s.close()

    def ends(self, recording, **match):
        return [recording.endpoint(role=role, transport="udp", **match)
                for role in ("server", "client")]

    def check_both(self, account):
        """Ends the server, then goldpan, and compares. The recording and the server's account."""
        served = self.server.stop()
        recording = self.observer.finish()
        server, client = self.ends(recording, port=self.port)
        served.connections = 1
        served.sent, served.received = served.received, served.sent  # as a client sees it
        self.check_side(server, served)
        self.check_side(client, account)
        self.assertEqual(served.requests, account.requests)
        self.assert_nothing_dropped(recording)
        return recording, served

    def load(self, server, count, seed):
        rng, account = random.Random(seed), Account()
        while count:
            with Client(account, server) as client:
                for _ in range(min(count, 50)):
                    client.lookup(*asked(rng))
                    count -= 1
        return account

    def test_mixed(self):
        server = self.serve()
        account = together([lambda seed=seed: self.load(server, QUERIES // WORKERS, seed)
                            for seed in range(WORKERS)])
        self.assertEqual(account.total(), QUERIES)
        self.assertGreater(len(account.requests), 20)
        self.check_both(account)

    def test_times(self):
        server = self.serve()
        account = self.load(server, QUERIES, 7)
        recording, served = self.check_both(account)
        for endpoint, known in zip(self.ends(recording, port=self.port), (served, account)):
            ordered = sorted(known.durations_ns)
            for q in QUANTILES:
                have, want = endpoint.latency.quantile(q), quantile(ordered, q)
                print(f"# dns, {endpoint.role}, p{100 * q:g}: goldpan {have * 1e6:.1f} us, "
                      f"known {want * 1e6:.1f} us")
                with self.subTest(role=endpoint.role, q=q):
                    self.assertLessEqual(abs(have - want), RELATIVE * want + ABSOLUTE_S)
            self.assertEqual(endpoint.latency.count, endpoint.first_byte.count)

    def test_many_open_at_once(self):
        server, account, rng = self.serve(), Account(), random.Random(3)
        with Client(account, server) as client:
            for _ in range(100):
                batch = [asked(rng) for _ in range(OPEN)]
                for name, kind in batch:
                    client.ask(name.replace("slow", "noerror"), kind)
                for _ in batch:
                    client.hear()
        self.check_both(account)

    def test_without_answer(self):
        """One query in five is silent: pushed out of the kept ones, or open until the close."""
        server, account = self.serve(), Account()
        with Client(account, server) as client:
            for i in range(200):
                client.lookup("noerror", "AAAA")
                if i % 5 == 0:
                    client.ask("silent", "A")
            for _ in range(OPEN + 8):
                client.ask("silent", "MX")
            records = export_now(self.observer)
        for role in ("server", "client"):
            record, = (r for r in records if r["type"] == "endpoint" and r["role"] == role)
            self.assertEqual(record["in_flight"]["now"], OPEN)
            self.assertGreater(record["in_flight"]["oldest_s"], 0)
        self.assertEqual(account.requests["A", "none"], 40)
        self.check_both(account)

    def test_given_up(self):
        """Unanswered for 30 s: no longer in flight, although both sockets are still there."""
        server, account = self.serve(), Account()
        with Client(account, server) as client:
            client.lookup("noerror")
            for _ in range(5):
                client.ask("silent")
            time.sleep(1)

            def given_up():
                recording = self.observer.recording()
                return all(end.aborted == 5 and not end.in_flight
                           for end in self.ends(recording, port=self.port))
            self.assertFalse(given_up())
            wait_until(given_up, OLD_S + 5, "queries given up")
        self.check_both(account)

    def test_never_answered(self):
        """By a server that has never sent anything: both are told by what is asked alone. Seen in
        flight while the server is still there."""
        server, account = self.serve(), Account()
        for _ in range(10):
            with Client(account, server) as client:
                client.ask("silent")
        records = [r for r in export_now(self.observer) if r["type"] == "endpoint"]
        self.assertEqual([r["in_flight"]["now"] for r in records if r["role"] == "server"], [10])
        self.assertEqual(dict(account.requests), {("A", "none"): 10})
        self.check_both(account)

    def test_never_answered_by_an_older_server(self):
        self.port, account = free_ports(), Account()
        self.start_server(bound(self.port))
        self.observer = self.goldpan("-p", str(self.port))
        with Client(account, ("127.0.0.1", self.port)) as client:
            client.ask("silent")
        self.check_both(account)

    def test_asked_again(self):
        """The same again, with the same id, before there is an answer: one exchange from the first
        on. Another question with it: two."""
        server, account = self.serve(), Account()
        with Client(account, server) as client:
            client.lookup("noerror")
            for _ in range(3):
                client.ask("silent")
                del client.open[client.number]
                client.number -= 1
            client.ask("silent", "MX")
            client.number -= 1
            client.lookup("noerror", "SRV")
        served = self.server.stop()
        recording = self.observer.finish()
        for end in self.ends(recording, port=self.port):
            self.assertEqual(dict(operations(end)), {
                ("A", "NOERROR"): 1, ("A", "none"): 1, ("MX", "none"): 1, ("SRV", "NOERROR"): 1})
        self.assertEqual(served.received, self.ends(recording, port=self.port)[0].bytes_in)

    def test_one_socket_asks_several(self):
        """Not connected, over IPv4 and IPv6: each server that is asked is an endpoint."""
        self.port = free_ports()
        self.observer = self.goldpan("-p", str(self.port))
        addresses = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
        self.start_server(*(bound(self.port, a) for a in (*addresses, "::1")))
        account, account6 = Account(), Account()
        with Client(account) as client:
            for i in range(300):
                for address in addresses:
                    client.ask("noerror" if i % 2 else "nxdomain", to=(address, self.port))
                for _ in addresses:
                    client.hear()
        with Client(account6, family=socket.AF_INET6) as client:
            for _ in range(100):
                client.lookup("noerror", "AAAA", to=("::1", self.port))
        self.server.stop()
        recording = self.observer.finish()
        for address in addresses:
            client = recording.endpoint(role="client", port=self.port, address=address)
            self.assertEqual(dict(operations(client)), {("A", "NOERROR"): 150,
                                                        ("A", "NXDOMAIN"): 150})
        client = recording.endpoint(role="client", port=self.port, address="::1")
        self.assertEqual(dict(operations(client)), {("AAAA", "NOERROR"): 100})
        server = recording.endpoint(role="server", port=self.port)
        self.assertEqual(dict(operations(server)), dict(account.requests + account6.requests))
        self.assertEqual(server.bytes_in, account.sent + account6.sent)
        self.assertEqual(server.opened, 4)
        self.assert_nothing_dropped(recording)

    def test_older_than_goldpan(self):
        """Sockets that were there before, with a query on the way: from the next one on, each in
        its role, although the first thing seen is an answer."""
        port, account = free_ports(), Account()
        with bound(port) as server, Client(Account(), ("127.0.0.1", port)) as client:
            def reply():
                data, peer = server.recvfrom(4096)
                server.sendto(dns.answer(data), peer)
                client.hear()

            client.ask("noerror")
            observer = self.goldpan("-p", str(port))
            reply()
            client.account = account
            for _ in range(100):
                client.ask("nxdomain", "TXT")
                reply()
        for end in self.ends(observer.finish(), port=port):
            self.assertEqual(dict(operations(end)), dict(account.requests), end.role)

    def test_other_datagrams(self):
        """Of no known protocol: bytes, and no exchanges."""
        port = free_ports()
        observer, sent = self.goldpan("-p", str(port)), 0
        with bound(port) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for size in range(500):
                client.sendto(b"x" * size, ("127.0.0.1", port))
                _, peer = server.recvfrom(4096)
                server.sendto(b"y" * (size // 2), peer)
                client.recv(4096)
                sent += size
        recording = observer.finish()
        for end, (inward, outward) in zip(self.ends(recording, port=port),
                                          ((sent, sent // 2 - 125), (sent // 2 - 125, sent))):
            self.assertEqual((end.protocol, end.requests, end.bytes_in, end.bytes_out, end.opened),
                             ("unknown", 0, inward, outward, 1))
            self.assertEqual({r["framing"] for r in end.records}, {"none"})

    def test_only_received(self):
        """As by a log daemon: known by who bound the socket."""
        port = free_ports()
        observer = self.goldpan("-p", str(port))
        with bound(port) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(100):
                client.sendto(b"<13>a line", ("127.0.0.1", port))
                server.recvfrom(4096)
        server, client = self.ends(observer.finish(), port=port)
        self.assertEqual((server.bytes_in, server.bytes_out), (1000, 0))
        self.assertEqual((client.bytes_in, client.bytes_out), (0, 1000))

    def test_exemplars(self):
        """Of slow, failed and unanswered queries: who was asked what, and by whom."""
        events = os.path.join(self.directory, "events.json")
        slow_s = 0.002
        server, account = self.serve("--slow", f"{slow_s:.9f}", "--events", events), Account()
        with Client(account, server) as client:
            for _ in range(5):
                client.ask("silent", "AAAA")
                client.lookup("noerror")  # so the server has read what goes before
                client.lookup("slow", "TXT")
                client.lookup("servfail", "MX")
            mine = client.socket.getsockname()[1]
        self.check_both(account)
        with open(events, encoding="utf-8") as file:
            told = [e for e in map(json.loads, file) if e["type"] == "exemplar"]
        for role in ("server", "client"):
            kinds = {"TXT": ("NOERROR", "slow"), "MX": ("SERVFAIL", "error"),
                     "AAAA": ("none", "aborted"), "A": ("NOERROR", "slow")}
            seen = collections.Counter(e["operation"] for e in told if e["role"] == role)
            self.assertEqual([seen[kind] for kind in ("TXT", "MX", "AAAA")], [5] * 3, role)
            for e in (e for e in told if e["role"] == role):
                status, reason = kinds[e["operation"]]
                # On a busy host what fails may be slow as well, and then is told as that.
                if reason != "aborted" and e["duration_s"] >= slow_s:
                    reason = "slow"
                self.assertEqual((e["status"], e["reason"]), (status, reason), e)
        self.assertEqual({e["peer"] for e in told if e["role"] == "server"}, {f"127.0.0.1:{mine}"})
        self.assertEqual({(e["peer"], e["pid"]) for e in told if e["role"] == "client"},
                         {(f"127.0.0.1:{self.port}", os.getpid())})

    def test_called_by_a_service(self):
        """What a server of TCP looks up for a request is waited for downstream, and an edge."""
        port, self.port = free_ports(), free_ports()
        self.start_server(bound(self.port))
        observer = self.goldpan("-p", str(port), "-p", str(self.port))
        child = os.fork()
        if not child:
            with socket.create_server(("127.0.0.1", port)) as listener:
                connection, _ = listener.accept()
                while connection.recv(100):
                    with Client(Account(), ("127.0.0.1", self.port)) as client:
                        client.lookup("slow")
                    connection.send(b"done")
            os._exit(0)
        connection = wait_until(lambda: self.reach(port), 5, "a server")
        for _ in range(100):
            connection.send(b"go")
            connection.recv(100)
        connection.close()
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        recording = observer.finish()
        server = recording.endpoint(role="server", transport="tcp", port=port)
        self.assertGreater(total(server, "stages_s", "downstream"),
                           0.9 * dns.SLOW_S * 100)
        calls = sum(e["calls"] for e in recording.of_type("edge", port=port)
                    if e["to"]["port"] == self.port and e["to"]["protocol"] == "dns")
        self.assertEqual(calls, 100)

    @staticmethod
    def reach(port):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            return None

    def test_not_by_itself(self):
        """Unless asked for, it is observed only where its port is served, as is said."""
        port = free_ports()
        observer = super().goldpan("-p", f"{port}", "-p", "53")
        self.assertIn("DNS is not observed: nothing here serves UDP port 53", observer.stderr())
        meta = observer.finish().of_type("meta")[0]
        self.assertNotIn("dns", meta["protocols"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
            served.bind(("127.0.0.1", 53))
            observer = super().goldpan("-p", f"{port}", "-p", "53")
            meta = observer.finish().of_type("meta")[0]
        self.assertIn("dns", meta["protocols"])

    def test_left_out(self):
        """Without DNS among the protocols datagrams are not looked at."""
        server, account = self.serve("--protocols", "http"), Account()
        with Client(account, server) as client:
            client.lookup("noerror")
        self.server.stop()
        self.assertEqual(self.observer.finish().endpoints(transport="udp"), [])

    def test_without_the_privilege(self):
        """With CAP_BPF and CAP_PERFMON alone, and what it takes to become somebody else: no programs
        at control groups, but the rest."""
        port = free_ports()
        observer = self.goldpan(prefix=("setpriv", "--bounding-set",
                                        "-all,+bpf,+perfmon,+setuid,+setgid,+setpcap"))
        with socket.create_server(("127.0.0.1", port)) as listener, \
                socket.create_connection(("127.0.0.1", port)) as client, \
                listener.accept()[0] as server:
            client.send(b"a")
            server.recv(1)
            server.send(b"b")
            client.recv(1)
        recording = observer.finish()
        self.assertIn("UDP and DNS are not observed", observer.stderr())
        self.assertEqual(recording.endpoint(role="server", port=port).requests, 1)
        self.assertEqual(recording.endpoints(transport="udp"), [])

    def test_resolver_of_the_system(self):
        """getaddrinfo asks for both kinds of addresses at once, on one socket for each name."""
        observer = self.goldpan("-p", "53")
        resolv = os.path.join(self.directory, "resolv.conf")
        with open(resolv, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\n")
        script = ("import os, socket, sys; sys.path.insert(0, sys.argv[1])\n"
                  "from goldpan_test.dns import Server, bound\n"
                  "server = Server(bound(53))\n"
                  "for i in range(50):\n"
                  "    socket.getaddrinfo(f'noerror.{i}.test', 80, type=socket.SOCK_STREAM)\n"
                  "    try: socket.getaddrinfo('nxdomain.test', 80)\n"
                  "    except socket.gaierror: pass\n"
                  "server.stop()\n")
        lib = os.path.join(os.path.dirname(dns.__file__), "..")
        subprocess.run(["unshare", "-mn", "sh", "-c", 'ip link set lo up && mount --bind "$0" '
                        '/etc/resolv.conf && exec "$@"', resolv, sys.executable, "-c", script, lib],
                       check=True)
        recording = observer.finish()
        want = {("A", "NOERROR"): 50, ("AAAA", "NOERROR"): 50, ("A", "NXDOMAIN"): 50,
                ("AAAA", "NXDOMAIN"): 50}
        for end in self.ends(recording, port=53):
            self.assertEqual(dict(operations(end)), want, end.role)


if __name__ == "__main__":
    unittest.main()

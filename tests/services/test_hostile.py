# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes that mean harm, on the ports of every protocol and in the answers of servers: nothing about
other connections changes, and the observer goes on."""

import os
import random
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import http_client, postgresql_client, redis_client  # noqa: E402
from goldpan_test.clients import Account, batches, together  # noqa: E402
from goldpan_test.harness import ROOT, free_ports  # noqa: E402
from goldpan_test.http_client import Request  # noqa: E402
from goldpan_test.known import total  # noqa: E402
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.postgresql_client import Query  # noqa: E402
from goldpan_test.protocols import operations  # noqa: E402
from goldpan_test.puppet import RowCase  # noqa: E402
from goldpan_test.redis_client import Command  # noqa: E402
from goldpan_test.servers import Nginx, Redis, wait_closed  # noqa: E402

CORPUS = os.path.join(ROOT, "tests", "fuzz", "corpus")
ATTACKS, POLITE = 1500, 3000
SEGMENT = 65536


def mix(protocol):
    def http(rng):
        return rng.choice((Request("GET", "/"), Request("GET", "/missing"), Request("HEAD", "/"),
                           Request("POST", "/", b"p" * rng.randrange(2000))))

    def redis(rng):
        return rng.choice((Command("PING"), Command("GET", "row"), Command("LPUSH", "row", "x"),
                           Command("SET", "other", "y" * rng.randrange(2000))))

    def postgresql(rng):
        return rng.choice((Query("SELECT 1"), Query("SELEC 1", operation="other"),
                           Query("BEGIN; ROLLBACK", operation="BEGIN")))
    return {"http": http, "redis": redis, "postgresql": postgresql}[protocol]


class Hostile(RowCase):
    def serve(self, protocol):
        """Two servers, or two ports: one for the polite alone, and one for all."""
        ports = free_ports(2)
        if protocol == "http":
            self.keep(Nginx(self.directory, [ports, ports + 1]))
        elif protocol == "redis":
            for port in (ports, ports + 1):
                self.keep(Redis(self.directory, port))
        else:
            for port in (ports, ports + 1):
                self.keep(PostgreSQL(self.directory, port))
        return ports

    def polite(self, protocol, port, count=POLITE):
        module = {"http": http_client, "redis": redis_client,
                  "postgresql": postgresql_client}[protocol]

        def job(seed):
            rng = random.Random(seed)
            depth = 1 if protocol == "postgresql" else 6
            return module.load(port, batches(rng, mix(protocol), count // 2, depth))
        return together([lambda seed=seed: job(seed) for seed in range(2)])

    def check_polite(self, recording, port, account, roles):
        for role in roles:
            with self.subTest(port=port, role=role):
                match = {"role": role, "port": port, "protocol": self.protocol}
                if role == "client":
                    match["service"] = "python3"
                found = recording.endpoint(**match)
                self.assertEqual(dict(operations(found)), dict(account.requests))
                inward, outward = account.sent, account.received
                if role == "client":
                    inward, outward = outward, inward
                self.assertEqual((found.requests, found.bytes_in, found.bytes_out, found.aborted),
                                 (account.total(), inward, outward, 0))

    def attack(self, protocol):
        """The polite beside the hostile, and once more after them."""
        self.protocol = protocol
        own = self.serve(protocol)
        shared = own + 1
        observer = self.goldpan("-p", f"{own}-{shared}")
        self.client.do("import talk")
        folder = os.path.join(CORPUS, protocol)
        here, there = Account(), Account()
        for seed in range(2):
            self.client.begin(f"talk.attack({shared}, {folder!r}, {ATTACKS // 2}, {seed})")
            there.add(self.polite(protocol, shared))
            here.add(self.polite(protocol, own))
            self.client.end()
        wait_closed(own)
        recording = observer.finish()
        self.check_polite(recording, own, here, ("server", "client"))
        self.check_polite(recording, shared, there, ("client",))
        hostile = recording.endpoints(service=self.client.name, role="client")
        self.assertGreaterEqual(sum(e.opened for e in hostile), ATTACKS * 0.9)
        print(f"# {protocol}: {sum(e.requests for e in hostile)} exchanges in "
              f"{sum(e.opened for e in hostile)} hostile connections, dropped: "
              f"{ {k: n for k, n in recording.dropped().items() if n} }", file=sys.stderr)

    def test_http(self):
        self.attack("http")

    def test_redis(self):
        self.attack("redis")

    def test_postgresql(self):
        self.attack("postgresql")

    def test_answers(self):
        """Servers that answer right requests with harm."""
        for protocol in ("http", "redis", "postgresql"):
            with self.subTest(protocol=protocol):
                self.protocol = "http"
                port = free_ports(3)
                self.keep(Nginx(self.directory, [port + 1]))
                observer = self.goldpan("-p", f"{port}-{port + 1}")
                folder = os.path.join(CORPUS, protocol)
                for puppet in (self.client, self.server):
                    puppet.do("import talk")
                self.server.do(f"talk.serve_harm({port}, {folder!r}, 1)")
                self.client.begin(f"talk.ask_harm({port}, {folder!r}, {ATTACKS // 3}, 1)")
                account = self.polite("http", port + 1)
                self.client.end()
                wait_closed(port + 1)
                recording = observer.finish()
                self.check_polite(recording, port + 1, account, ("server", "client"))
                ends = recording.endpoints(role="client", port=port)
                self.assertGreaterEqual(sum(e.opened for e in ends), ATTACKS // 3 * 0.9)


class Crowded(RowCase):
    """As many requests as fit in 64 KiB, by one send."""

    def crowd(self, port, request, answers):
        """Sends as many as fit; `answers(socket, count)` reads all that come. How many."""
        count = SEGMENT // len(request)
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.settimeout(20)
            s.sendall(request * count)
            answers(s, count)
        return count

    def check_crowd(self, recording, port, count):
        dropped = {k: n for k, n in recording.dropped().items() if n}
        for role in ("server", "client"):
            found = recording.endpoints(role=role, port=port)
            have = sum(e.requests for e in found)
            print(f"# {role}: {have} of {count} counted, dropped: {dropped}, "
                  f"{[dict(operations(e)) for e in found]}", file=sys.stderr)
            with self.subTest(role=role):
                self.assertEqual(sum(e.in_flight for e in found), 0)
                self.assertEqual(sum(total(e, "connections", "opened") for e in found), 1)
                self.assertLessEqual(have, count)
                if not dropped.get("bytes_unseen"):
                    self.assertEqual(have, count)

    def test_redis(self):
        port = free_ports()
        self.keep(Redis(self.directory, port))
        observer = self.goldpan("-p", port)

        def answers(s, count):
            left = 7 * count  # +PONG
            while left:
                left -= len(s.recv(left))
        count = self.crowd(port, b"PING\r\n", answers)
        wait_closed(port)
        self.check_crowd(observer.finish(), port, count)

    def test_http(self):
        port = free_ports()
        self.keep(Nginx(self.directory, [port]))
        observer = self.goldpan("-p", port)

        def answers(s, count):
            seen = b""
            while count:
                data = seen[-11:] + s.recv(1 << 18)
                count -= data.count(b"HTTP/1.1 200")
                seen = data
        count = self.crowd(port, b"HEAD / HTTP/1.1\nHost:a\n\n", answers)
        wait_closed(port)
        self.check_crowd(observer.finish(), port, count)


if __name__ == "__main__":
    unittest.main()

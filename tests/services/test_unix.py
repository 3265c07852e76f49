# SPDX-License-Identifier: GPL-2.0-or-later
"""Unix stream sockets: what is said on them is told apart as on TCP, and every count is as the
client has it, at both ends."""

import collections
import os
import random
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import http_client, loads, redis_client  # noqa: E402
from goldpan_test.clients import Account, Connection, batches, together  # noqa: E402
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.http_client import Request  # noqa: E402
from goldpan_test.known import total  # noqa: E402
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.protocols import ProtocolCase  # noqa: E402
from goldpan_test.redis_client import Command  # noqa: E402
from goldpan_test.servers import Nginx, Redis, unix_connections_of  # noqa: E402

REQUESTS, BENCHMARK = 12000, 51200
WORKERS = 4
DEPTH, DEPTHS = 64, (16, 64)  # answers to as many are more than what can be read of one send
TURNS = 500


class UnixCase(ProtocolCase):
    def finish_at(self, path):
        wait_until(lambda: not unix_connections_of(path), 10, f"the last close of {path}")
        return self.observer.finish()

    def check_path(self, recording, path, account, closed=None, but=()):
        """Every count of both ends of the connections to `path`. Nothing is dropped but `but`."""
        self.assertEqual({k: n for k, n in recording.dropped().items() if n and k not in but}, {})
        closed = account.connections if closed is None else closed
        for role in ("server", "client"):
            with self.subTest(role=role):
                endpoint = recording.endpoint(role=role, transport="unix", address=path)
                self.assertIsNone(endpoint.port)
                self.check_side(endpoint, account)
                self.assertEqual(endpoint.closed, closed)

    def load(self, module, path, mix, depth):
        """REQUESTS by WORKERS at once, in batches of up to `depth`: the account of all."""
        def job(seed):
            rng = random.Random(seed)
            return module.load(path, batches(rng, mix, REQUESTS // WORKERS, depth))
        self.observer = self.goldpan()
        return together([lambda seed=seed: job(seed) for seed in range(WORKERS)])


def redis_mix(rng):
    key, value = f"key:{rng.randrange(50)}", rng.randbytes(rng.randrange(60))
    return rng.choices((
        Command("GET", key),
        Command("SET", key, value),
        Command("INCR", "counter"),
        Command("LPUSH", "list", value),
        Command("LTRIM", "list", 0, 10),
        Command("PING", inline=True),
        Command("LPUSH", "counter", 1),  # WRONGTYPE
        Command("GET"),  # ERR: wrong number of arguments
    ), (20, 20, 5, 5, 5, 3, 2, 2))[0]


class RedisUnix(UnixCase):
    protocol, client = "redis", redis_client

    def check_mixed(self, depth):
        server = self.keep(Redis(self.directory, free_ports()))
        account = self.load(redis_client, server.socket_path, redis_mix, depth)
        self.assertEqual(account.total(), REQUESTS)
        self.check_path(self.finish_at(server.socket_path), server.socket_path, account)

    def test_one_by_one(self):
        self.check_mixed(1)

    def test_pipelined(self):
        self.check_mixed(DEPTH)

    def test_benchmark(self):
        """redis-benchmark's own count, and the two settings that it asks for first."""
        server = self.keep(Redis(self.directory, free_ports()))
        server.command("SET", "key:__rand_int__", "g" * 100)
        self.observer = self.goldpan()
        for depth in DEPTHS:
            said = loads.redis_benchmark(server.socket_path, BENCHMARK, 8, pipeline=depth)
            self.assertEqual(said["requests"], BENCHMARK)
        recording = self.finish_at(server.socket_path)
        self.assert_nothing_dropped(recording)
        for role in ("server", "client"):
            with self.subTest(role=role):
                endpoint = recording.endpoint(role=role, transport="unix",
                                              address=server.socket_path)
                self.assert_operations(endpoint, collections.Counter(
                    {("GET", "OK"): 2 * BENCHMARK, ("CONFIG GET", "OK"): 4}))

    def test_older_than_goldpan(self):
        """What was said before is not counted, nor that it was opened."""
        server = self.keep(Redis(self.directory, free_ports()))
        account = Account()
        with Connection(server.socket_path, account) as connection:
            connection.exchange([Command("PING")])
            self.observer = self.goldpan()
            account.requests.clear()
            account.sent = account.received = account.connections = 0
            for _ in range(TURNS):
                connection.exchange([Command("PING")])
        recording = self.finish_at(server.socket_path)
        self.check_path(recording, server.socket_path, account, closed=1)


def http_mix(rng):
    return rng.choices((
        Request("GET", "/"),
        Request("HEAD", "/"),
        Request("GET", "/missing"),
        Request("GET", "/busy"),
        Request("POST", "/none", rng.randbytes(rng.choice((0, 10, 500, 5000)))),
    ), (20, 3, 3, 2, 5))[0]


class HttpUnix(UnixCase):
    protocol, client = "http", http_client

    def serve(self, **more):
        """nginx on a path besides its port; which is that of static files."""
        self.path = os.path.join(self.directory, "nginx.sock")
        self.port = free_ports()
        self.keep(Nginx(self.directory, [self.port], http=f"""
            server {{ listen unix:{self.path}; root {self.directory}/nginx-{self.port}/www;
                      location /busy {{ return 503; }} location /none {{ return 204; }} }}
            """ + more.get("http", "").replace("PATH", self.path)))

    def check_mixed(self, depth):
        self.serve()
        account = self.load(http_client, self.path, http_mix, depth)
        self.assertEqual(account.total(), REQUESTS)
        self.check_path(self.finish_at(self.path), self.path, account,
                        but=("pipeline", "clock"))  # more pieces than are kept; read before told of

    def test_one_by_one(self):
        self.check_mixed(1)

    def test_pipelined(self):
        self.check_mixed(DEPTHS[0])

    def test_proxy(self):
        """nginx before itself: the server's end of the path is what the proxy waited for."""
        proxied = free_ports()
        self.serve(http=f"""upstream behind {{ server unix:PATH; keepalive 4; }}
            server {{ listen 127.0.0.1:{proxied}; location / {{ proxy_pass http://behind;
                      proxy_http_version 1.1; proxy_set_header Connection ""; }} }}""")
        self.observer = self.goldpan()
        account = http_client.load(proxied, [[Request("GET", "/")] for _ in range(TURNS)])
        recording = self.observer.finish()
        front = recording.endpoint(role="server", transport="tcp", port=proxied)
        ends = [recording.endpoint(role=role, transport="unix", address=self.path)
                for role in ("server", "client")]
        self.assertEqual([e.requests for e in (front, *ends)], [account.total()] * 3)
        downstream = total(front, "stages_s", "downstream")
        self.assertGreater(downstream, 0)
        self.assertLessEqual(downstream, ends[1].latency.sum_s * 1.01)
        calls = collections.Counter()
        for edge in recording.of_type("edge"):
            if edge["to"]["address"] == self.path:
                calls[edge["service"], edge["port"], edge["to"]["service"]] += edge["calls"]
        self.assertEqual(dict(calls), {("nginx", proxied, "nginx"): TURNS})


class PostgresqlUnix(UnixCase):
    def check_pgbench(self, mode):
        clients, each = 4, 300
        server = self.keep(PostgreSQL(self.directory, free_ports()))
        path = os.path.join(server.home, f".s.PGSQL.{server.port}")
        server.pgbench("-i", "-q")
        wait_until(lambda: not unix_connections_of(path), 10, "the end of pg_isready")
        self.observer = self.goldpan()
        said = server.pgbench("-n", "-M", mode, "-c", str(clients), "-j", "2", "-t", str(each),
                              host=server.home)
        done = int(re.search(r"actually processed: (\d+)", said).group(1))
        want = {("BEGIN", "OK"): done, ("UPDATE", "OK"): 3 * done, ("SELECT", "OK"): done + 2,
                ("INSERT", "OK"): done, ("END", "OK"): done, ("other", "OK"): clients + 1}
        if mode == "prepared":  # a prepared END says that it was a COMMIT
            want["COMMIT", "OK"] = want.pop(("END", "OK"))
            want["PARSE", "OK"] = 7 * clients
        recording = self.finish_at(path)
        for role in ("server", "client"):
            with self.subTest(role=role):
                endpoint = recording.endpoint(role=role, transport="unix", address=path)
                self.assert_operations(endpoint, collections.Counter(want))
                self.assertEqual((endpoint.opened, endpoint.closed), (clients + 1,) * 2)

    def test_pgbench_simple(self):
        self.check_pgbench("simple")

    def test_pgbench_prepared(self):
        self.check_pgbench("prepared")


if __name__ == "__main__":
    unittest.main()

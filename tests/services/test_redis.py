# SPDX-License-Identifier: GPL-2.0-or-later
"""Redis, told by what is said: RESP2, RESP3 and inline, under mixed loads, pipelined and not. Every
command, error and byte is as the client counts them, at both ends."""

import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import loads, mixes, redis_client  # noqa: E402
from goldpan_test.clients import Account, Connection, batches, together  # noqa: E402
from goldpan_test.harness import free_ports, thinned  # noqa: E402
from goldpan_test.protocols import ProtocolCase, operations  # noqa: E402
from goldpan_test.redis_client import Command, Subscriber, load  # noqa: E402
from goldpan_test.servers import Redis  # noqa: E402

REQUESTS = thinned(16000)
WORKERS = 4
DEPTH = 64  # as many operations as goldpan keeps apart
HELLO3 = Command("HELLO", 3)
# What only a state that is known goes through: one batch, never cut up by others.
TRANSACTIONS = (
    (Command("MULTI"), Command("SET", "t", 1), Command("INCR", "t"), Command("EXEC")),
    (Command("MULTI"), Command("GET"), Command("EXEC")),
    (Command("MULTI"), Command("SET", "t", 1), Command("DISCARD")),
    (Command("EXEC"),),
)


def small(rng):
    """As mixes.redis, but so that the answers to a whole batch are less than 64 KiB."""
    return mixes.redis(rng, 60)


class RedisTest(ProtocolCase):
    protocol, client = "redis", redis_client

    def serve(self, count=1):
        """As many servers, observed. The first port."""
        first = free_ports(count)
        self.servers = [self.keep(Redis(self.directory, port))
                        for port in range(first, first + count)]
        self.observe(first, count)
        return first

    def mixed(self, port, depth, is_cut, of=mixes.redis):
        """REQUESTS by WORKERS at once, in batches of up to `depth`; half of them in RESP3."""
        def job(seed):
            rng = random.Random(seed)
            return load(port, batches(rng, of, REQUESTS // WORKERS, depth), rng if is_cut else None,
                        first=[HELLO3] * (seed % 2))
        account = together([lambda seed=seed: job(seed) for seed in range(WORKERS)])
        self.assertEqual(account.total(), REQUESTS + WORKERS // 2)
        statuses = {status for _, status in account.requests}
        self.assertEqual(statuses, {"OK", "ERR", "WRONGTYPE", "NOSCRIPT", "NOPROTO"})
        return account

    def test_one_by_one(self):
        port = self.serve(2)
        whole, cut = self.mixed(port, 1, False), self.mixed(port + 1, 1, True)
        recording = self.finish()
        for p, account in ((port, whole), (port + 1, cut)):
            self.check(recording, p, account, but=("pipeline",))  # by more pieces than are kept

    def test_pipelined(self):
        """Up to DEPTH commands in one send, and cut anywhere into several."""
        port = self.serve(2)
        whole = self.mixed(port, DEPTH, False, of=small)
        cut = self.mixed(port + 1, DEPTH, True, of=small)
        recording = self.finish()
        self.check(recording, port, whole, but=("pipeline",))
        self.check(recording, port + 1, cut, but=("pipeline",))

    def test_times(self):
        port = self.serve()
        rng = random.Random(1)
        account, recording, wire = self.timed(
            port, lambda: load(port, batches(rng, mixes.redis, REQUESTS, 1)))
        self.check(recording, port, account)
        self.check_times(recording, port, account, wire)

    def test_transactions_and_blocking(self):
        port = self.serve()
        rng = random.Random(3)
        account = load(port, [rng.choice(TRANSACTIONS) for _ in range(500)])
        account.add(load(port, [[Command("BLPOP", "none", 0.05)]] * 10))
        self.assertIn(("EXEC", "EXECABORT"), account.requests)
        recording = self.finish()
        self.check(recording, port, account)
        for role in ("server", "client"):
            slow = recording.endpoint(role=role, port=port).latency
            self.assertGreater(slow.sum_s, 0.5)

    def test_password(self):
        port = self.serve()
        self.servers[0].command("CONFIG", "SET", "requirepass", "secret")
        account = Account()
        for _ in range(100):
            account.add(load(port, [[Command("GET", "a")], [Command("AUTH", "wrong")],
                                    [Command("AUTH", "secret"), Command("GET", "a")]]))
        self.assertEqual(dict(account.requests), {
            ("GET", "NOAUTH"): 100, ("AUTH", "WRONGPASS"): 100, ("AUTH", "OK"): 100,
            ("GET", "OK"): 100})
        recording = self.finish()
        self.check(recording, port, account)

    def test_the_servers_own_errors(self):
        """Without memory it refuses what takes some."""
        port = self.serve()
        self.servers[0].command("CONFIG", "SET", "maxmemory", "1")
        account = load(port, [[Command("SET", "a", i), Command("GET", "a")] for i in range(200)])
        self.assertEqual(dict(account.requests), {("SET", "OOM"): 200, ("GET", "OK"): 200})
        recording = self.finish()
        self.check(recording, port, account)

    def test_subscribers(self):
        """A stream from the answer on: its bytes count, its messages are no exchanges."""
        port = self.serve()
        subscribers = [Subscriber(port, "news") for _ in range(3)]
        account = load(port, [[Command("PUBLISH", "news", "x" * 100)]] * 500)
        for subscriber in subscribers:
            subscriber.hear(500)
            account.add(subscriber.leave())
        recording = self.finish()
        self.check(recording, port, account)
        for role in ("server", "client"):
            records = recording.endpoint(role=role, port=port).records
            self.assertEqual(max(r["connections"]["streams"] or 0 for r in records), 3, role)

    def test_pushes_between_answers(self):
        """RESP3: what the server says unasked answers nothing."""
        port, account = self.serve(), Account()
        with Connection(port, account) as tracker, Connection(port, account) as writer:
            tracker.exchange([HELLO3])
            tracker.exchange([Command("CLIENT", "TRACKING", "ON", operation="CLIENT TRACKING")])
            for i in range(300):
                tracker.exchange([Command("GET", "key"), Command("PING")])
                writer.exchange([Command("SET", "key", i)])
            tracker.exchange([Command("PING")])
        recording = self.finish()
        self.check(recording, port, account)

    def test_benchmark_pipelined(self):
        """redis-benchmark's own count, and the two settings that it asks for first."""
        count, depths = 200_000, (16, 64)
        self.serve(len(depths))
        for port, server, depth in zip(self.ports, self.servers, depths):
            server.command("SET", "key:__rand_int__", "g" * 100)
            said = loads.redis_benchmark(port, count, 50, pipeline=depth)
            self.assertEqual(said["requests"], count)
        recording = self.finish()
        for port in self.ports:
            for role in ("server", "client"):
                with self.subTest(port=port, role=role):
                    endpoint = recording.endpoint(role=role, port=port)
                    self.assertEqual(dict(operations(endpoint)),
                                     {("GET", "OK"): count, ("CONFIG GET", "OK"): 2})
                    self.assertEqual(endpoint.requests, count + 2)


if __name__ == "__main__":
    unittest.main()

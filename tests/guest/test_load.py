# SPDX-License-Identifier: GPL-2.0-or-later
"""A short load on real servers, each request counted: by the client's own account, by goldpan's.

One goldpan sees all of it, so that a kernel under emulation, where it takes seconds to load, is
through with it in half a minute. What saw the data is printed, as goldpan's `meta` has it.
"""

import collections
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import loads  # noqa: E402
from goldpan_test.harness import Case, free_ports  # noqa: E402
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.protocols import operations  # noqa: E402
from goldpan_test.servers import Nginx, Redis, wait_closed  # noqa: E402

# Events of data, as $GOLDPAN_HOOKS and as `meta` call them; and how a way's hook begins.
DATA = {"arrive": "data readable", "read": "application receives", "send": "application sends",
        "payload": "payload received"}
WAYS = {"tp": "tp_btf/", "fentry": "fentry/", "adjust": "tp_btf/tcp_rcv_space_adjust",
        "dynptr": "kfunc/", "pages": "pages/"}
FORCED = dict(pair.split("=") for pair in filter(None, os.environ.get(
    "GOLDPAN_HOOKS", "").split(",")))
BY_TURNS = FORCED.get("read") == "adjust"  # this way does not see what is received
CONFIGS = {("CONFIG GET", "OK"): 2}  # what redis-benchmark asks for first, in one write

# What a port was used for: the services at both ends, {(operation, status): count}, and what it
# comes to by turns: answered and not, None where requests are pipelined.
Use = collections.namedtuple("Use", "server client operations turns")


class Load(Case):
    def nginx(self, port):
        """Kept connections, then a connection for each request."""
        kept, each = 2000, 300
        for count, keep_alive in ((kept, True), (each, False)):
            self.assertEqual(loads.ab(port, count, 8, keep_alive)["requests"], count)
        return Use("nginx", "ab", {("GET", "200"): kept + each}, (kept + each, 0))

    def redis(self, port, count, depth):
        said = loads.redis_benchmark(port, count, 8, pipeline=depth)
        self.assertEqual(said["requests"], count)
        return Use("redis-server", "redis-benchmark", {("GET", "OK"): count, **CONFIGS},
                   (count + 1, 0) if depth == 1 else None)

    def postgresql(self, port):
        """pgbench's transactions, seven statements each. By turns each connection's request for
        TLS counts, too, which is turned down, and its farewell, which is not answered."""
        clients, each = 4, 40
        said = self.database.pgbench("-n", "-M", "simple", "-c", str(clients), "-t", str(each))
        done = int(re.search(r"actually processed: (\d+)", said).group(1))
        self.assertEqual(done, clients * each)
        return Use("postgres", "pgbench", {
            ("BEGIN", "OK"): done, ("UPDATE", "OK"): 3 * done, ("SELECT", "OK"): done + 2,
            ("INSERT", "OK"): done, ("END", "OK"): done, ("other", "OK"): clients + 1},
            (7 * done + 2 + 2 * (clients + 1), clients + 1))

    def check_hooks(self, recording):
        """What `meta` says, printed; each way that was forced is the one that was taken."""
        hooks = {row["event"]: row["hook"] for row in recording.of_type("meta")[0]["hooks"]}
        print("# data by " + ", ".join(filter(None, map(hooks.get, DATA.values()))))
        for key, way in FORCED.items():
            self.assertTrue(hooks[DATA[key]].startswith(WAYS[way]), f"{key}={way}: {hooks}")

    def check_end(self, endpoint, service, use):
        """An endpoint's counts: its operations, which add up, and nothing that is left over."""
        answered, unanswered = use.turns if BY_TURNS else (sum(use.operations.values()), 0)
        if not BY_TURNS:
            self.assertEqual(dict(operations(endpoint)), use.operations)
        self.assertEqual((endpoint.service, endpoint.latency.count, endpoint.aborted,
                          endpoint.active, endpoint.in_flight),
                         (service, answered, unanswered, 0, 0))

    def test_counts(self):
        first = free_ports(4)
        web, store, pipelined, base = ports = range(first, first + 4)
        self.keep(Nginx(self.directory, [web]))
        for port in (store, pipelined):
            server = self.keep(Redis(self.directory, port))
            server.command("SET", "key:__rand_int__", "g" * 100)
        self.database = self.keep(PostgreSQL(self.directory, base))
        self.database.pgbench("-i", "-q")
        goldpan = self.goldpan("-p", f"{ports[0]}-{ports[-1]}")
        uses = {web: self.nginx(web), store: self.redis(store, 2000, 1),
                pipelined: self.redis(pipelined, 12000, 16), base: self.postgresql(base)}
        for port in ports:
            wait_closed(port)
        recording = goldpan.finish()
        self.check_hooks(recording)
        for port, use in uses.items():
            for role, service in (("server", use.server), ("client", use.client)):
                if use.turns or not BY_TURNS:
                    with self.subTest(service=service, port=port):
                        self.check_end(recording.endpoint(role=role, port=port), service, use)
        with self.subTest(skipped=recording.skipped):
            self.assert_nothing_dropped(recording)


if __name__ == "__main__":
    unittest.main()

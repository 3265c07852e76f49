# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL, told by what is said: simple and extended queries under mixed loads, pipelined and
not. Every statement, SQLSTATE and byte is as the client counts them, at both ends."""

import collections
import os
import random
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import mixes, postgresql_client  # noqa: E402
from goldpan_test.clients import Account, batches, together  # noqa: E402
from goldpan_test.harness import free_ports, thinned  # noqa: E402
from goldpan_test.mixes import POSTGRESQL_FIRST as FIRST  # noqa: E402
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.postgresql_client import (  # noqa: E402
    Copy, Query, Session, cancelled, load, refused_ssl, refused_start)
from goldpan_test.protocols import ProtocolCase  # noqa: E402
from goldpan_test.servers import wait_closed  # noqa: E402

REQUESTS = thinned(12000)
WORKERS = 4
COPY_OUT = "COPY (SELECT i, repeat('c', 500) FROM generate_series(1, 8000) i) TO STDOUT"


class PostgreSQLTest(ProtocolCase):
    protocol, client = "postgresql", postgresql_client

    @classmethod
    def setUpClass(cls):
        """One server for all, with pgbench's tables; each test observes it anew."""
        super().setUpClass()
        home = tempfile.mkdtemp(prefix="goldpan-test-")
        cls.addClassCleanup(shutil.rmtree, home)
        os.chmod(home, 0o755)
        cls.server = PostgreSQL(home, free_ports())
        cls.addClassCleanup(cls.server.discard)
        cls.server.pgbench("-i", "-q")

    def serve(self):
        wait_closed(self.server.port)
        self.observe(self.server.port)
        return self.server.port

    def check_mixed(self, depth, is_cut, but=()):
        """REQUESTS by WORKERS at once, in batches of up to `depth`."""
        port = self.serve()

        def job(seed):
            rng = random.Random(seed)
            return load(port, batches(rng, mixes.postgresql, REQUESTS // WORKERS, depth),
                        rng if is_cut else None, first=FIRST)
        account = together([lambda seed=seed: job(seed) for seed in range(WORKERS)])
        self.assertEqual(account.total(), REQUESTS + WORKERS * (1 + len(FIRST)))
        statuses = {status for _, status in account.requests}
        self.assertLessEqual({"OK", "22012", "22P02", "23505", "25P02", "26000", "42601", "42P01"},
                             statuses)
        self.check(self.finish(), port, account, but)

    def test_one_by_one(self):
        self.check_mixed(1, False)

    def test_one_by_one_in_pieces(self):
        self.check_mixed(1, True, but=("pipeline",))

    def test_pipelined(self):
        self.check_mixed(30, False, but=("pipeline",))

    def test_pipelined_in_pieces(self):
        self.check_mixed(30, True, but=("pipeline",))

    def test_times(self):
        port = self.serve()
        rng = random.Random(1)
        account, recording, wire = self.timed(
            port, lambda: load(port, batches(rng, mixes.postgresql, REQUESTS, 1), first=FIRST))
        self.check(recording, port, account)
        self.check_times(recording, port, account, wire)

    def test_starts_and_refusals(self):
        """A session's start is one exchange; to ask for TLS, to leave and to cancel are none."""
        port, account = self.serve(), Account()
        for _ in range(30):
            account.add(refused_ssl(port))
            account.add(refused_start(port, database="nowhere"))
            account.add(refused_start(port, user="nobody"))
        self.assertEqual(dict(account.requests), {
            ("other", "OK"): 30, ("SELECT", "OK"): 30, ("other", "3D000"): 30,
            ("other", "28000"): 30})
        self.check(self.finish(), port, account)

    def test_the_servers_own_errors(self):
        """A query that takes too long, or is called off."""
        port, account = self.serve(), Account()
        for _ in range(20):
            account.add(load(port, [[Query("SET statement_timeout = 20")],
                                    [Query("SELECT pg_sleep(5)")]]))
            account.add(cancelled(port, "SELECT pg_sleep(5)"))
        self.assertEqual(account.requests["SELECT", "57014"], 40)
        self.check(self.finish(), port, account)

    def test_copy(self):
        """A stream from its answer on, until the answer ends; its data are bytes."""
        port, account = self.serve(), Account()
        rows = [b"%d\tcopied %s\n" % (i, b"c" * (i % 100)) for i in range(1000, 1200)]
        for _ in range(20):
            account.add(load(port, [
                [Copy("COPY things FROM STDIN", rows)], [Query("SELECT count(*) FROM things")],
                [Copy("COPY things TO STDOUT")], [Query("SELECT 1"), Query("SELECT 2")]],
                first=FIRST))
        self.assertEqual(account.requests["COPY", "OK"], 40)
        self.check(self.finish(), port, account, but=("pipeline",))

    def test_long_copy(self):
        """More of it than goldpan looks at, and then the session ends."""
        port, account = self.serve(), Account()
        rows = [b"%d\t%s\n" % (i, b"c" * 500) for i in range(1000, 9000)]
        for _ in range(3):
            account.add(load(port, [[Copy("COPY things FROM STDIN", rows)]], first=FIRST))
            account.add(load(port, [[Copy(COPY_OUT)]], first=FIRST))
        self.check(self.finish(), port, account, but=("bytes_unseen", "pipeline"))

    def test_notifications(self):
        """What comes to a session that listens is a stream, between others' answers nothing."""
        port, account = self.serve(), Account()
        with Session(port, account) as listener:
            listener.exchange([Query("LISTEN news")])
            account.add(load(port, [[Query(f"NOTIFY news, '{i}'")] for i in range(300)]))
            for _ in range(300):
                postgresql_client.read_answer(listener, until=b"A")
        recording = self.finish()
        self.check(recording, port, account, but=("pipeline",))
        for role in ("server", "client"):
            records = recording.endpoint(role=role, port=port).records
            self.assertEqual(max(r["connections"]["streams"] or 0 for r in records), 1, role)

    def check_pgbench(self, mode):
        """TPC-B of pgbench: seven statements a transaction, and two that ask for its tables."""
        clients, each = 4, 500
        port = self.serve()
        said = self.server.pgbench("-n", "-M", mode, "-c", str(clients), "-j", "2", "-t", str(each))
        done = int(re.search(r"actually processed: (\d+)", said).group(1))
        self.assertEqual(done, clients * each)
        want = {("BEGIN", "OK"): done, ("UPDATE", "OK"): 3 * done, ("SELECT", "OK"): done + 2,
                ("INSERT", "OK"): done, ("END", "OK"): done, ("other", "OK"): clients + 1}
        if mode == "prepared":  # a prepared END says that it was a COMMIT
            want["COMMIT", "OK"] = want.pop(("END", "OK"))
            want["PARSE", "OK"] = 7 * clients
        recording = self.finish()
        for role in ("server", "client"):
            with self.subTest(role=role):
                endpoint = recording.endpoint(role=role, port=port)
                self.assert_operations(endpoint, collections.Counter(want))
                self.assertEqual(endpoint.requests, sum(want.values()))

    def test_pgbench_simple(self):
        self.check_pgbench("simple")

    def test_pgbench_extended(self):
        self.check_pgbench("extended")

    def test_pgbench_prepared(self):
        self.check_pgbench("prepared")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP/1.x, told by what is said: nginx under mixed loads, pipelined and not. Every method and
status, every error and byte is as the client counts them, at both ends."""

import os
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import http_client, mixes  # noqa: E402
from goldpan_test.clients import Account, Connection, batches, together  # noqa: E402
from goldpan_test.harness import free_ports, thinned  # noqa: E402
from goldpan_test.http_client import Request, alone, continued, given_up, load  # noqa: E402
from goldpan_test.protocols import ProtocolCase, operations  # noqa: E402
from goldpan_test.mixes import MixedNginx  # noqa: E402

REQUESTS = thinned(12000)
WORKERS = 4
DEPTH = 30


class HttpTest(ProtocolCase):
    protocol, client = "http", http_client

    def serve(self, count=1, workers=1):
        """nginx on so many ports, observed. The first of them."""
        first = free_ports(count)
        self.nginx = self.keep(MixedNginx(self.directory, range(first, first + count),
                                          workers=workers))
        self.observe(first, count)
        return first

    def mixed(self, port, depth, is_cut):
        """REQUESTS by WORKERS at once, in batches of up to `depth`."""
        def job(seed):
            rng = random.Random(seed)
            return load(port, batches(rng, mixes.http, REQUESTS // WORKERS, depth),
                        rng if is_cut else None)
        account = together([lambda seed=seed: job(seed) for seed in range(WORKERS)])
        self.assertEqual(account.total(), REQUESTS)
        statuses = {status for _, status in account.requests}
        self.assertLessEqual({"200", "201", "204", "302", "304", "404", "405", "503"}, statuses)
        return account

    def test_one_by_one(self):
        port = self.serve(2, workers=2)
        whole, cut = self.mixed(port, 1, False), self.mixed(port + 1, 1, True)
        recording = self.finish()
        for p, account in ((port, whole), (port + 1, cut)):
            self.check(recording, p, account, but=("pipeline",))  # by more pieces than are kept

    def test_pipelined(self):
        """Up to DEPTH requests in one send, and cut anywhere into several."""
        port = self.serve(2, workers=2)
        whole, cut = self.mixed(port, DEPTH, False), self.mixed(port + 1, DEPTH, True)
        recording = self.finish()
        self.check(recording, port, whole, but=("pipeline",))
        self.check(recording, port + 1, cut, but=("pipeline",))

    def test_times(self):
        port = self.serve()
        rng = random.Random(1)
        account, recording, wire = self.timed(
            port, lambda: load(port, batches(rng, mixes.http, REQUESTS, 1)))
        self.check(recording, port, account)
        self.check_times(recording, port, account, wire)

    def test_large_bodies(self):
        """In many segments, with their length or in chunks, announced and continued."""
        port = self.serve()
        rng = random.Random(2)
        account = Account()
        with Connection(port, account) as connection:
            for i in range(200):
                body = rng.randbytes(rng.randrange(100_000, 250_000))
                chunked = (0, 8000, 120_000)[i % 3]
                connection.exchange([Request("PUT", f"/files/{i}", body, chunked)])
                continued(connection, Request("PUT", f"/files/{i}", body, chunked,
                                              headers=("Expect: 100-continue",)))
                connection.exchange([Request("GET", f"/files/{i}"), Request("HEAD", "/")])
        recording = self.finish()
        self.check(recording, port, account)

    def test_over_the_ends_of_pages(self):
        """Senders fill pages one after the other: some requests and answers lie in two pieces, cut
        anywhere, the first of their connections among them."""
        port = self.serve()
        account = Account()
        for i in range(4000):
            with Connection(port, account) as connection:
                connection.exchange([Request("GET", "/" + "x" * (i % 97))])
                connection.exchange([Request("GET", "/files/none", headers=("A: " + "b" * 150,))])
        recording = self.finish()
        self.check(recording, port, account)

    def test_answers_that_end_with_the_connection(self):
        """Close, as asked for or as HTTP/1.0 has it, where only the end tells a body's length."""
        port = self.serve()
        account = Account()
        for i in range(300):
            account.add(alone(port, (
                Request("GET", "/", headers=("Connection: close",)),
                Request("GET", "/", version="1.0"),
                Request("GET", "/chunked/index.html", version="1.0"),
                Request("POST", "/broken", b"some"),
                Request("TRACE", "/"),
                Request("GET", "/", headers=("Host: again",)))[i % 6]))
        self.assertEqual({status for _, status in account.requests}, {"200", "400", "405", "500"})
        recording = self.finish()
        self.check(recording, port, account)

    def test_out_of_step(self):
        """A body in more chunks than goldpan looks at of one send: until two messages behind it
        make sense, exchanges count by turns; none is lost, and no bytes."""
        port = self.serve()
        hidden = Request("PUT", "/files/0", b"c" * 5000, chunked=1)
        plain = [[Request("GET", "/")]] * 200
        account = load(port, [*plain, [hidden], *plain])
        recording = self.finish()
        self.assertGreater(recording.dropped()["bytes_unseen"], 0)
        for role, inward in (("server", account.sent), ("client", account.received)):
            with self.subTest(role=role):
                endpoint = recording.endpoint(role=role, port=port)
                counts = operations(endpoint)
                self.assertEqual(endpoint.protocol, "http")
                self.assertEqual((endpoint.requests, endpoint.latency.count), (401, 401))
                self.assertEqual(endpoint.bytes_in, inward)
                self.assertLessEqual(set(counts), {("GET", "200"), ("PUT", "201"),
                                                   ("other", "other")})
                self.assertGreaterEqual(counts["GET", "200"], 390)

    def test_given_up(self):
        """Requests of which the head or the body is not all there when the client leaves: often
        enough to show that nothing of them stays behind."""
        port = self.serve()
        account = Account()
        for i in range(1500):
            account.add(given_up(port, *(
                ("PUT", b"PUT /files/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome"),
                ("GET", b"GET / HTTP/1.1\r\nHost: a\r\nX-Unfinished: "))[i % 2]))
            account.add(alone(port, Request("GET", "/", headers=("Connection: close",))))
        recording = self.finish()
        self.check(recording, port, account)

    def test_wrk_pipelined_16_deep(self):
        """What wrk counts, and what was under way when it stopped."""
        port, connections, depth = self.serve(), 8, 16
        script = os.path.join(self.directory, "pipeline.lua")
        with open(script, "w", encoding="ascii") as file:
            file.write(f"""
                init = function(args)
                    local all = {{}}
                    for i = 1, {depth} do all[i] = wrk.format("GET", "/?n=" .. i) end
                    batch = table.concat(all)
                end
                request = function() return batch end
                """)
        said = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d3s", "-s", script,
                               f"http://127.0.0.1:{port}/"], check=True, timeout=30, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        answered = int(re.search(r"(\d+) requests in", said).group(1))
        recording = self.finish()
        self.nginx.stop()
        served = self.nginx.requests_by_port()[port]
        server, client = (recording.endpoint(role=role, port=port) for role in ("server", "client"))
        print(f"# wrk: {answered}, nginx: {served}, goldpan: {server.requests} and "
              f"{client.requests}, of them aborted {server.aborted} and {client.aborted}")
        self.assertLessEqual(served, answered + connections * depth)
        self.assertEqual(server.requests, client.requests)
        begun = self.nginx.requests_by_port(is_answered=True)[port]
        self.assertEqual(server.requests - server.aborted, begun)
        # Of each connection one answer may be cut off: it began, and wrk does not count it.
        cut_off = client.requests - client.aborted - answered
        self.assertTrue(0 <= cut_off <= connections, client)
        for endpoint in (server, client):
            self.assertGreaterEqual(operations(endpoint)["GET", "200"], answered)
        self.assertLessEqual(set(operations(server)), {("GET", "200"), ("GET", "none")})


if __name__ == "__main__":
    unittest.main()

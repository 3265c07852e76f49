# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS, told by what is said: its handshake is no exchange, and behind it turns of data are. nginx
under loads of which every exchange and byte is as the client counts them, at both ends."""

import itertools
import os
import pwd
import random
import shutil
import subprocess
import sys
import time
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import http_client, loads, mixes, tls  # noqa: E402
from goldpan_test.clients import Account, Connection  # noqa: E402
from goldpan_test.harness import free_ports, thinned  # noqa: E402
from goldpan_test.http_client import Request  # noqa: E402
from goldpan_test.known import total  # noqa: E402
from goldpan_test.postgresql import USER, PostgreSQL  # noqa: E402
from goldpan_test.protocols import ProtocolCase  # noqa: E402
from goldpan_test.servers import wait_closed  # noqa: E402

REQUESTS = thinned(10000)
PAGE = Request("GET", "/")
LARGE = 20_000_000  # bytes, more than sockets hold
ASKED = "GET / HTTP/1.1\nHost: a\n\n"


class TlsTest(ProtocolCase):
    protocol, client = "tls", http_client

    def serve(self, count=1, **options):
        """nginx on so many ports, observed. The first of them."""
        first = free_ports(count)
        self.nginx = self.keep(tls.nginx(self.directory, range(first, first + count), **options))
        self.observe(first, count)
        return first

    def check_side(self, endpoint, account):
        inward, outward = account.sent, account.received
        if endpoint.role == "client":
            inward, outward = outward, inward
        n = account.total()
        want = {"protocol": self.protocol, "framing": {"turns"} if n else set(), "requests": n,
                "aborted": 0, "opened": account.connections, "closed": account.connections,
                "active": 0, "in flight": 0, "streams": 0}
        have = {"protocol": endpoint.protocol,
                "framing": {r["framing"] for r in endpoint.records if r["requests"]},
                "requests": endpoint.requests, "aborted": endpoint.aborted,
                "opened": endpoint.opened, "closed": endpoint.closed, "active": endpoint.active,
                "in flight": endpoint.in_flight,
                "streams": total(endpoint, "connections", "streams")}
        # What a server still sends when the client has gone, nobody knows.
        for name, n, known in (("in", inward, endpoint.bytes_in),
                               ("out", outward, endpoint.bytes_out)):
            if n is not None and (endpoint.role, name) != ("server", "out"):
                want[f"bytes {name}"], have[f"bytes {name}"] = n, known
        self.assertEqual(have, want)

    def check_served(self, port, account):
        """And nginx's log has the same."""
        self.nginx.stop()
        self.assertEqual(self.nginx.requests_by_port().get(port, 0), account.total())

    def test_keep_alive(self):
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve()
                account = tls.load(port, [[PAGE]] * REQUESTS, tls.context(version))
                self.assertEqual(account.version, version)
                self.check(self.finish(), port, account)
                self.check_served(port, account)

    def each(self, job, but=(), **options):
        """The job's account for each version, and goldpan's, and nginx's."""
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve(**options)
                account = job(port, version)
                self.check(self.finish(), port, account, but)
                self.check_served(port, account)

    def test_connection_for_each_request(self):
        """The client's last flight and its request apart, and together."""
        def job(port, version):
            account = Account()
            for i in range(400):
                account.add(tls.load(port, [[PAGE]], tls.context(version), held=i % 2))
            return account
        self.each(job)

    def test_resumption(self):
        def job(port, version):
            settings, account, session = tls.context(version), Account(), None
            for i in range(200):
                one = tls.load(port, [[PAGE]] * 3, settings, held=i % 2, session=session)
                self.assertEqual(one.resumed, i > 0)
                session = one.session
                account.add(one)
            return account
        self.each(job)

    def test_mixed(self):
        """Bodies and answers of many records, and of many segments."""
        def job(port, version):
            rng = random.Random(3)
            mix = [[mixes.http(rng)] for _ in range(1000)]
            mix += [[Request("PUT", f"/files/{i}", rng.randbytes(250_000))] for i in range(20)]
            mix += [[Request("GET", f"/files/{i}")] for i in range(20)]
            rng.shuffle(mix)
            return tls.load(port, mix, tls.context(version))
        self.each(job)

    def test_cut(self):
        """Records, and their heads, in several segments, from the first on."""
        def job(port, version):
            account = Account()
            for seed in range(100):
                rng = random.Random(seed)
                account.add(tls.load(port, [[PAGE]] * 5, tls.context(version), rng=rng))
            return account
        self.each(job, but=("pipeline",))  # more pieces than arrivals are kept of

    def test_hello_again(self):
        """A server that wants another group than the client has guessed."""
        def job(port, version):
            account = Account()
            for i in range(50):
                account.add(tls.load(port, [[PAGE]] * 5, tls.context(version), held=i % 2))
            return account
        self.each(job, server="ssl_ecdh_curve secp384r1;")

    def test_certificates_of_clients(self):
        chain = tls.certificate(self.directory, "client")

        def job(port, version):
            account = Account()
            for i in range(50):
                account.add(tls.load(port, [[PAGE]] * 5, tls.context(version, chain=chain),
                                     held=i % 2))
            return account
        self.each(job, server="ssl_verify_client optional_no_ca;")

    def test_times(self):
        port = self.serve()
        account, recording, wire = self.timed(
            port, lambda: tls.load(port, [[PAGE]] * REQUESTS, tls.context()))
        self.check(recording, port, account)
        self.check_times(recording, port, account, wire)

    def test_ab(self):
        """By a real client that counts itself, many connections at once."""
        for version, keep_alive in itertools.product(("TLS1.2", "TLS1.3"), (True, False)):
            with self.subTest(version=version, keep_alive=keep_alive):
                port = self.serve()
                said = loads.ab(port, REQUESTS // 5, 16, keep_alive, tls=version)
                recording = self.finish()
                for role in ("server", "client"):
                    endpoint = recording.endpoint(role=role, port=port)
                    self.assertEqual((endpoint.protocol, endpoint.requests, endpoint.aborted),
                                     ("tls", said["requests"], 0))
                self.assert_nothing_dropped(recording)

    def test_no_request(self):
        """Handshakes that are given up at once, in the middle, and at the end, by close_notify and
        without: nothing was asked."""
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve()
                settings, account = tls.context(version), Account()
                for i in range(60):
                    if i % 3 == 0:
                        with tls.TlsConnection(port, account, settings, held=i % 2):
                            pass
                    elif i % 3 == 1:
                        tls.TlsConnection(port, account, settings).socket.close()
                    else:
                        with Connection(port, account) as connection:
                            connection.send(tls.hello(settings))
                            connection.take(100)
                account.received = None  # tickets may be left unread
                self.check(self.finish(), port, account)

    def test_refused(self):
        """By an alert, as there is no version in common."""
        port = self.serve(protocols="TLSv1.3")
        account = Account()
        for _ in range(20):
            with Connection(port, account) as connection:
                connection.send(tls.hello(tls.context("TLSv1.2")))
                connection.rest()
        recording = self.finish()
        self.check(recording, port, account)

    def test_http_where_tls_is_spoken(self):
        port = self.serve()
        account = http_client.alone(port, PAGE)
        self.assertEqual(set(account.requests), {("GET", "400")})
        recording = self.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            self.assertEqual((endpoint.protocol, endpoint.requests), ("http", 1))

    def test_older_than_goldpan(self):
        """Whose handshake was not seen: by turns, as of any protocol that is not known."""
        port = free_ports()
        self.keep(tls.nginx(self.directory, [port]))
        account = Account()
        with tls.TlsConnection(port, account, tls.context()) as connection:
            connection.exchange([PAGE])
            self.observe(port)
            for _ in range(100):
                connection.exchange([PAGE])
            time.sleep(0.1)
            recording = self.observer.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            self.assertEqual((endpoint.protocol, endpoint.requests), ("unknown", 100))

    def check_curl(self, recording, port, **want):
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            have = {"requests": endpoint.requests, "opened": endpoint.opened,
                    "streams": total(endpoint, "connections", "streams")}
            self.assertEqual((endpoint.protocol, endpoint.aborted, have), ("tls", 0, want))
        self.assert_nothing_dropped(recording)

    def curl(self, version, port, *options, count=5):
        """`count` requests on one connection."""
        if not shutil.which("curl"):
            self.skipTest("needs curl")
        url = f"https://localhost:{port}/"
        subprocess.run(["curl", "-s", "-k", "-o", "/dev/null", *options, f"--tlsv{version[4:]}",
                        "--tls-max", version[4:], *([url, "-o", "/dev/null"] * (count - 1)), url],
                       check=True, timeout=20)

    def test_http2(self):
        """Agreed on in the handshake: bytes alone, in a stream."""
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve(listen="ssl http2")
                for _ in range(10):
                    self.curl(version, port)
                self.curl(version, port, "--http1.1", count=7)
                recording = self.finish()
                self.nginx.stop()
                self.assertEqual(self.nginx.requests_by_port()[port], 57)
                self.check_curl(recording, port, requests=7, opened=11, streams=10)

    def test_http2_not_agreed(self):
        """curl offers it, and the server has it not: turns."""
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve()
                for _ in range(20):
                    self.curl(version, port)
                recording = self.finish()
                self.check_curl(recording, port, requests=100, opened=20, streams=0)

    def test_overlap(self):
        """Requests sent before the answer was read make a stream of it."""
        for version in tls.VERSIONS:
            with self.subTest(version=version):
                port = self.serve()
                with open(f"{self.nginx.files}/large", "wb") as file:
                    file.write(bytes(LARGE))
                account = Account()
                with tls.TlsConnection(port, account, tls.context(version)) as connection:
                    for _ in range(3):
                        connection.exchange([PAGE])
                    connection.send(Request("GET", "/files/large").data)
                    time.sleep(0.1)
                    connection.send(PAGE.data)
                    for request in (Request("GET", "/files/large"), PAGE):
                        self.assertEqual(request.answer(connection), ("GET", "200"))
                    for _ in range(3):
                        connection.exchange([PAGE])
                recording = self.finish()
                for role in ("server", "client"):
                    endpoint = recording.endpoint(role=role, port=port)
                    self.assertEqual((endpoint.requests, endpoint.aborted,
                                      total(endpoint, "connections", "streams")), (4, 0, 1), role)

    def test_tickets_before_the_request_ends(self):
        """A client that goes on when they lie unread asks nothing new."""
        port = self.serve()
        account = Account()
        with tls.TlsConnection(port, account, tls.context("TLSv1.3"), held=True) as connection:
            request = Request("PUT", "/files/some", b"body")
            connection.send(request.head)
            time.sleep(0.05)
            connection.send(request.body)
            self.assertEqual(request.answer(connection), ("PUT", "201"))
            for _ in range(5):
                connection.exchange([PAGE])
        endpoint = self.finish().endpoint(role="client", port=port)
        self.assertEqual((endpoint.requests, endpoint.aborted), (6, 0))

    def test_new_keys(self):
        """Announced by the client between two requests: none of its own."""
        port = self.serve()
        client = self.start(["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect",
                             f"127.0.0.1:{port}"], stdin=subprocess.PIPE, text=True, bufsize=1)
        for line in (ASKED, "K\n", ASKED, "k\n", ASKED):
            client.popen.stdin.write(line)
            time.sleep(0.2)
        client.popen.stdin.close()
        client.popen.wait(10)
        self.assertEqual(client.stdout().count("200 OK"), 3)
        recording = self.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            self.assertEqual((endpoint.protocol, endpoint.requests, endpoint.aborted),
                             ("tls", 3, 0), role)

    def test_postgresql(self):
        """It asks for TLS in words of its own, and is not known inside."""
        port, owner = free_ports(), pwd.getpwnam(USER)
        crt, key = tls.certificate(self.directory)
        os.chown(key, owner.pw_uid, owner.pw_gid)
        server = self.keep(PostgreSQL(self.directory, port, "ssl=on", f"ssl_cert_file={crt}",
                                      f"ssl_key_file={key}"))
        script = os.path.join(self.directory, "script")
        with open(script, "w", encoding="ascii") as file:
            file.write("SELECT 1;")
        self.observe(port)
        with mock.patch.dict(os.environ, PGSSLMODE="require", HOME=server.home):
            server.pgbench("-n", "-f", script, "-t", "100")
        recording = self.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            # Of each connection, its start is one, and Terminate one that is aborted; but a client
            # that is slow to close has the server's close_notify, and nobody looks at that.
            self.assertEqual((endpoint.protocol, endpoint.requests),
                             ("tls", 100 + 2 * endpoint.opened), role)
            if role == "server":
                self.assertEqual(endpoint.aborted, endpoint.opened)
            self.assertLessEqual(endpoint.aborted, endpoint.opened)
        self.assert_nothing_dropped(recording)

    def test_not_asked_for(self):
        """It costs nothing, and the handshake's turns are counted like others."""
        port = free_ports()
        self.keep(tls.nginx(self.directory, [port]))
        goldpan = self.goldpan("-p", str(port), "--protocols", "http")
        tls.load(port, [[PAGE]] * 10, tls.context())
        wait_closed(port)
        recording = goldpan.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            self.assertEqual((endpoint.protocol, endpoint.records[0]["framing"]),
                             ("unknown", "turns"))
            self.assertGreater(endpoint.requests, 10)


if __name__ == "__main__":
    unittest.main()

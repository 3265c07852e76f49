# SPDX-License-Identifier: GPL-2.0-or-later
"""`bytes` of exemplars: of each exchange those that its client has sent and received, at both ends;
by turns and followed, over TCP and unix sockets, on connections kept and closed."""

import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports  # noqa: E402
from goldpan_test.known import KnownCase  # noqa: E402
from goldpan_test.servers import Nginx, wait_closed  # noqa: E402

LARGE_BYTES = (4 << 30) + 12345  # more than 32 bits hold
PAUSE_S = 0.11  # at most 10 exemplars a second of one endpoint, while others have some


class Client:
    """A connection that knows the bytes of each exchange: `asked` is [(sent, received)]."""

    def __init__(self, family, address):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(60)
        self.socket.connect(address)
        self.asked = []

    def send(self, *requests):
        self.socket.sendall(b"".join(requests))
        return [len(request) for request in requests]

    def _take(self, buffer):
        got = self.socket.recv_into(buffer)
        if not got:
            raise EOFError("the server closed early")
        return got

    def receive(self, is_head=False):
        """The bytes of one answer of HTTP, whose body has a length."""
        head = bytearray()
        byte = bytearray(1)
        while not head.endswith(b"\r\n\r\n"):
            self._take(byte)
            head += byte
        body = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:") and not is_head:
                body = int(line.split(b":")[1])
        left, room = body, bytearray(1 << 20)
        while left:
            left -= self._take(memoryview(room)[:min(left, len(room))])
        return len(head) + body

    def exchange(self, *requests, is_head=False):
        """All in one send; then the answers, in order."""
        sent = self.send(*requests)
        self.asked += [(n, self.receive(is_head)) for n in sent]
        time.sleep(PAUSE_S * len(requests))


def request(path="/", method="GET", fields="", body=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n".encode() + body


def with_body(size):
    return request("/", "POST", f"Content-Length: {size}\r\n", b"b" * size)


def chunked(size):
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"c" * size)
    return request("/", "POST", "Transfer-Encoding: chunked\r\n", body)


class ExemplarBytes(KnownCase):
    def setUp(self):
        super().setUp()
        self.events_path = os.path.join(self.directory, "events.json")

    def watch(self, *options):
        return self.goldpan("--slow", "0.000001", "--events", self.events_path, *options)

    def bytes_of(self, **match):
        """[(in, out)] of the exemplars whose fields are these, in their order."""
        with open(self.events_path, encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        return [(x["bytes"]["in"], x["bytes"]["out"]) for x in found
                if all(x[key] == value for key, value in match.items())]

    def check(self, asked, backwards=True, **match):
        """A server's exemplars have what the client sent and received, a client's the reverse."""
        self.assertEqual(self.bytes_of(role="server", **match), asked)
        if backwards:
            self.assertEqual(self.bytes_of(role="client", **match), [(b, a) for a, b in asked])

    def http(self, client):
        for path in ("/", "/?" + "q" * 300, "/none"):
            client.exchange(request(path))
        client.exchange(request(method="HEAD"), is_head=True)
        client.exchange(with_body(10_000))
        client.exchange(chunked(5000))
        client.exchange(*(request("/?" + "p" * i) for i in (1, 2, 2, 300)))
        client.exchange(request("/?again"))
        client.exchange(request("/?last", fields="Connection: close\r\n"))
        self.assertEqual(client.socket.recv(1), b"")
        client.socket.close()

    def test_http(self):
        port = free_ports()
        nginx = self.keep(Nginx(self.directory, [port]))
        goldpan = self.watch("-p", str(port))
        client = Client(socket.AF_INET, ("127.0.0.1", port))
        self.http(client)
        wait_closed(port)
        self.assert_nothing_dropped(goldpan.finish())
        nginx.stop()
        self.check(client.asked, port=port)

    def test_large(self):
        port = free_ports()
        nginx = self.keep(Nginx(self.directory, [port]))
        with open(os.path.join(nginx.home, "www", "large"), "wb") as file:
            file.truncate(LARGE_BYTES)  # without a block on any disk
        goldpan = self.watch("-p", str(port))
        client = Client(socket.AF_INET, ("127.0.0.1", port))
        for path in ("/", "/large", "/"):
            client.exchange(request(path))
        self.assertGreater(client.asked[1][1], LARGE_BYTES)
        client.socket.close()
        wait_closed(port)
        goldpan.finish()
        self.check(client.asked, port=port)

    def test_unix(self):
        port = free_ports()
        path = os.path.join(self.directory, "socket")
        self.keep(Nginx(self.directory, [port], server=f"listen unix:{path};"))
        goldpan = self.watch()
        client = Client(socket.AF_UNIX, path)
        self.http(client)
        time.sleep(1.5)  # that a unix socket closed shows at a collection
        goldpan.finish()
        self.check(client.asked, transport="unix", protocol="http")

    def test_by_turns(self):
        """Of a protocol that nobody knows."""
        server = self.slow()
        goldpan = self.watch("-p", str(server.port))
        caller = self.caller(server, "-c", 8, "-k", "-i", int(PAUSE_S * 1e3))
        self.result(caller)
        wait_closed(server.port)
        goldpan.finish()
        self.check([(64, 128)] * 8, port=server.port)


if __name__ == "__main__":
    unittest.main()

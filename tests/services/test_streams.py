# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that become streams: the exchange that opened one ends at the first byte of its
response and is counted, and from then on bytes alone."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.postgresql_client import COPY_DONE, Query, Startup, message  # noqa: E402
from goldpan_test.puppet import RowCase, pause  # noqa: E402
from goldpan_test.redis_client import Command  # noqa: E402

GET = b"GET / HTTP/1.1\r\nHost: row\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UPGRADE = (b"GET /chat HTTP/1.1\r\nHost: row\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
SWITCHING = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
ASKS_FOR_EVENTS = b"GET /news HTTP/1.1\r\nHost: row\r\nAccept: text/event-stream\r\n\r\n"
EVENTS = (b"HTTP/1.1 200 OK\r\nServer: row\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
          b"Cache-Control: no-cache\r\nContent-Type: text/event-stream\r\n\r\n")
READY = message(b"Z", b"I")


class Streams(RowCase):
    def open_stream(self, request, response, operation, status):
        """The exchange that opens it: it ends where its answer begins."""
        start = self.client.send(request)
        self.server.take(len(request))
        pause()
        first = self.server.send(response)
        self.client.take(len(response))
        self.expect(operation, status, start, first)

    def go_on(self, up, down):
        """Bytes both ways, with pauses that are in no figure."""
        for _ in range(4):
            pause()
            self.server.send(down)
            self.client.take(len(down))
            if up:
                self.client.send(up)
                self.server.take(len(up))

    def test_websocket(self):
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.open_stream(UPGRADE, SWITCHING, "GET", "101")
        self.go_on(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x81\x05Hello")
        self.check(streams=1)

    def test_websocket_speaks_in_the_same_segment(self):
        """And what it says looks like requests and answers."""
        self.open()
        self.open_stream(UPGRADE, SWITCHING + OK, "GET", "101")
        self.go_on(GET, OK)
        self.check(streams=1)

    def test_events(self):
        """To a plain request."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.open_stream(ASKS_FOR_EVENTS, EVENTS, "GET", "200")
        self.go_on(b"", b"data: tick\n\n")
        self.check(streams=1)

    def test_events_behind_a_pipeline(self):
        self.open()
        start = self.client.send(GET + GET)
        self.server.take(2 * len(GET))
        first = self.server.send(OK)
        self.expect("GET", "200", start, first)
        pause()
        first = self.server.send(EVENTS + b"data: first\n\n")
        self.expect("GET", "200", start, first)
        self.client.take(len(OK + EVENTS) + 13)
        self.go_on(b"", b"data: tick\n\n")
        self.check(streams=1)

    def test_subscribe(self):
        self.protocol = "redis"
        self.open()
        self.exchange(Command("PING").data, b"+PONG\r\n", "PING", "OK")
        self.open_stream(Command("SUBSCRIBE", "row").data,
                         b"*3\r\n$9\r\nsubscribe\r\n$3\r\nrow\r\n:1\r\n", "SUBSCRIBE", "OK")
        self.go_on(b"", b"*3\r\n$7\r\nmessage\r\n$3\r\nrow\r\n$5\r\nhello\r\n")
        self.check(streams=1)

    def test_monitor(self):
        self.protocol = "redis"
        self.open()
        self.open_stream(b"MONITOR\r\n", b"+OK\r\n", "MONITOR", "OK")
        self.go_on(b"", b'+1700000000.000000 [0 127.0.0.1:1] "ping"\r\n')
        self.check(streams=1)

    def start_session(self):
        self.protocol = "postgresql"
        self.open()
        self.exchange(Startup().data, message(b"R", struct.pack("!i", 0)) + READY, "other", "OK")
        self.select()

    def select(self):
        self.exchange(Query("SELECT 1").data, message(b"C", "SELECT 1") + READY, "SELECT", "OK")

    def test_listen(self):
        self.start_session()
        self.open_stream(Query("LISTEN row").data, message(b"C", "LISTEN") + READY, "LISTEN", "OK")
        self.go_on(b"", message(b"A", struct.pack("!i", 1), "row", "hello"))
        self.check(streams=1)

    def test_copy_in(self):
        """A stream until the server is ready again."""
        self.start_session()
        self.open_stream(Query("COPY t FROM STDIN").data, message(b"G", b"\0", 1, 0), "COPY", "OK")
        for _ in range(3):
            pause()
            row = message(b"d", b"1\n")
            self.client.send(row)
            self.server.take(len(row))
        self.client.send(COPY_DONE)
        self.server.take(len(COPY_DONE))
        pause()
        done = message(b"C", "COPY 3") + READY
        self.server.send(done)
        self.client.take(len(done))
        self.select()
        self.check(streams=1)

    def test_copy_out(self):
        self.start_session()
        self.open_stream(Query("COPY t TO STDOUT").data, message(b"H", b"\0", 1, 0), "COPY", "OK")
        self.go_on(b"", message(b"d", b"1\n"))
        done = message(b"c") + message(b"C", "COPY 4") + READY
        self.server.send(done)
        self.client.take(len(done))
        self.select()
        self.check(streams=1)


if __name__ == "__main__":
    unittest.main()

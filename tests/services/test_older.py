# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections older than goldpan are observed from their first whole exchange on, and from then on
the same traffic gives the same figures."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.puppet import RowCase, pause  # noqa: E402

GET = b"GET / HTTP/1.1\r\nHost: row\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: row\r\nContent-Length: 10\r\n\r\n0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Older(RowCase):
    def test_in_a_request(self):
        """A connection in the middle of a message: counted from its first whole exchange on."""
        self.older_in_a_request(())

    def test_used_before(self):
        self.older_in_a_request((GET, POST))

    def older_in_a_request(self, before):
        self.open(watched=False)
        for request in before:
            self.exchange(request, OK, "GET", "200")
            pause()
        self.expected.clear()
        head, body = POST[:-10], POST[-10:]
        self.client.send(head)
        self.server.take(len(head))
        self.watch()
        self.client.send(body)
        self.server.take(len(body))
        self.server.send(OK)
        self.client.take(len(OK))
        passed = len(body), len(OK)
        self.client.sent, self.server.sent = passed
        for _ in range(3):
            self.exchange(GET, OK, "GET", "200")
        self.check(opened=0)

    def test_in_the_answer(self):
        self.open(watched=False)
        self.client.send(GET)
        self.server.take(len(GET))
        self.server.send(OK[:20])
        self.client.take(20)
        self.watch()
        self.client.sent, self.server.sent = 0, 0
        self.server.send(OK[20:])
        self.client.take(len(OK) - 20)
        for _ in range(3):
            self.exchange(GET, OK, "GET", "200")
        self.check(opened=0)

    def traffic(self):
        """Some of everything."""
        self.exchange(GET, OK, "GET", "200")
        self.exchange(POST, OK, "POST", "200")
        for depth in (2, 7, 30):
            start = self.client.send((GET + POST) * depth)
            self.server.take(len(GET + POST) * depth)
            pause()
            first = self.server.send(OK * 2 * depth)
            self.client.take(len(OK) * 2 * depth)
            for _ in range(depth):
                self.expect("GET", "200", start, first)
                self.expect("POST", "200", start, first)
            self.exchange(GET, OK, "GET", "200")
        self.exchange(GET, b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, "GET", "200")
        self.exchange(b"DELETE /x HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 Gone\r\n\r\n", "DELETE", "204")

    def test_traffic_of_a_new_one(self):
        self.open()
        self.traffic()
        self.check()

    def test_traffic_of_an_older_one(self):
        """The same, behind a pipeline that was half answered when goldpan came."""
        self.open(watched=False)
        self.traffic()
        self.client.send(GET * 5)
        self.server.take(len(GET) * 5)
        pause()
        self.server.send(OK * 2 + OK[:9])
        pause()
        self.watch()
        self.expected.clear()
        self.client.sent = self.server.sent = 0
        self.server.send(OK[9:] + OK * 2)
        self.client.take(len(OK) * 5)
        self.traffic()
        self.check(opened=0)


if __name__ == "__main__":
    unittest.main()

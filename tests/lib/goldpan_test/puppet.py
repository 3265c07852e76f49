# SPDX-License-Identifier: GPL-2.0-or-later
"""Exchanges made step by step at both ends (tests/servers/puppet.py), each with its bounds in time
known, and compared with what goldpan says of them."""

import ast
import collections
import os
import time

from .harness import ROOT, free_ports
from .known import Dialogue, KnownCase, total
from .protocols import operations
from .servers import wait_closed

PAUSE_S = 0.03
# What is sent on loopback has arrived when the send returns, but for an interrupt that is put off.
SLACK_NS = 5_000_000
PUPPET = os.path.join(ROOT, "tests", "servers", "puppet.py")

Span = collections.namedtuple("Span", "began_ns ended_ns value")


def pause():
    """Long enough to be told from what is done at once."""
    time.sleep(PAUSE_S)


class Puppet(Dialogue):
    """Runs lines of Python in a process of its own, and knows what it sent."""

    def __init__(self, argv, directory, name):
        super().__init__(argv, directory, name)
        self.sent = 0

    def begin(self, line):
        """Tells it to do something; `end` waits for that."""
        self.tell(repr(line))

    def end(self):
        said = self.hear()
        if not said:
            raise RuntimeError(f"{self.name} is gone: {self.stderr()}")
        began, ended, value, error = ast.literal_eval(said)
        if error:
            raise RuntimeError(f"{self.name}: {error}")
        return Span(began, ended, value)

    def do(self, line):
        """Runs it to its end: the Span it took, with its value."""
        self.begin(line)
        return self.end()

    def send(self, data, connection="s"):
        self.sent += len(data)
        return self.do(f"{connection}.sendall({data!r})")

    def send_by(self, line, size):
        """`size` bytes, in a way of the line's own."""
        self.sent += size
        return self.do(line)

    def take(self, size, connection="s"):
        span = self.do(f"take({connection}, {size})")
        if len(span.value) != size:
            raise RuntimeError(f"{self.name} got {span.value!r}, not {size} bytes")
        return span

    def close(self, connection="s"):
        return self.do(f"{connection}.close()")


Expected = collections.namedtuple("Expected", "operation status start first last")


class RowCase(KnownCase):
    """A server and a client that do as the test says, and a goldpan that watches their port.

    Exchanges are added by `expect`; `check` ends it all and compares."""

    protocol, framing = "http", "protocol"

    def setUp(self):
        super().setUp()
        self.port = free_ports()
        self.server, self.client = self.puppet("server"), self.puppet("client")
        self.expected = []
        self.connections = 0

    def puppet(self, stem, inside=()):
        link = os.path.join(self.directory, self.service(stem))
        if not os.path.islink(link):
            os.symlink("/usr/bin/python3", link)
        return self.keep(Puppet([*inside, link, PUPPET], self.directory, self.service(stem)))

    def watch(self, *options):
        self.observer = self.goldpan("-p", self.port, *options)

    def goldpan(self, *options, **keywords):
        return super().goldpan(*map(str, options), **keywords)

    def open(self, listening=(), connecting=(), watched=True):
        """One connection, accepted."""
        self.server.do(f"l = listen({self.port}, {listening!r})")
        if watched:
            self.watch()
        self.connect(connecting)
        self.server.do("s = accept(l)")

    def connect(self, options=()):
        self.connections += 1
        return self.client.do(f"s = connect({self.port}, {options!r})")

    def expect(self, operation, status, start=None, first=None, last=None):
        """An exchange whose request began during the span `start` and whose answer began and ended
        during `first` and `last` (the same, if there is but one). Without them it was aborted."""
        self.expected.append(Expected(operation, status, start, first, last or first))

    def exchange(self, request, response, operation, status):
        """One that is as simple as can be."""
        start = self.client.send(request)
        self.server.take(len(request))
        first = self.server.send(response)
        self.client.take(len(response))
        self.expect(operation, status, start, first)

    def finish(self):
        """Closes both ends, the client's first, and ends goldpan."""
        self.client.do("s.close()")
        self.server.do("s.close()")
        wait_closed(self.port)
        return self.observer.finish()

    def check(self, recording=None, sides=("server", "client"), but=(), **also):
        """Compares both ends with what was expected. Nothing is dropped but what `but` names.
        `also`: counts that are not as they are most often, by their names in check_side."""
        recording = recording or self.finish()
        for role in sides:
            with self.subTest(role=role):
                self.check_side(recording.endpoint(role=role, port=self.port), also)
        if "client" in sides:
            with self.subTest(what="edges"):
                self.check_calls(recording)
        with self.subTest(what="dropped"):
            dropped = {k: n for k, n in recording.dropped().items() if n and k not in but}
            self.assertEqual(dropped, {})
        return recording

    def check_side(self, endpoint, also):
        inward, outward = self.client.sent, self.server.sent
        name = self.server.name
        if endpoint.role == "client":
            inward, outward, name = outward, inward, self.client.name
        want_operations = collections.Counter((e.operation, e.status) for e in self.expected)
        answered = [e for e in self.expected if e.start]
        want = {"service": name, "protocol": self.protocol,
                "framing": {self.framing} if self.expected else set(),
                "requests": len(self.expected), "latencies": len(answered),
                "aborted": len(self.expected) - len(answered),
                "bytes in": inward, "bytes out": outward, "opened": self.connections,
                "closed": self.connections, "active": 0, "in flight": 0,
                "streams": 0, "handed_over": 0, **also}
        have = {"service": endpoint.service, "protocol": endpoint.protocol,
                "framing": {r["framing"] for r in endpoint.records if r["requests"]},
                "requests": endpoint.requests, "latencies": endpoint.latency.count,
                "aborted": endpoint.aborted, "bytes in": endpoint.bytes_in,
                "bytes out": endpoint.bytes_out, "opened": endpoint.opened,
                "closed": endpoint.closed, "active": endpoint.active,
                "in flight": endpoint.in_flight,
                "streams": total(endpoint, "connections", "streams"),
                "handed_over": total(endpoint, "connections", "handed_over")}
        self.assertEqual(have, {**want, **also})
        if self.protocol != "unknown":
            self.assertEqual(dict(operations(endpoint)), dict(want_operations))
        self.check_time("durations", endpoint.latency, answered, "last")
        self.check_time("first bytes", endpoint.first_byte, answered, "first")

    def check_calls(self, recording):
        """Each of the client's exchanges is a call on nobody's behalf; those that were aborted, or
        answered with a server's error (of HTTP), are its errors."""
        edges = [edge for edge in recording.of_type("edge") if edge["to"]["port"] == self.port]
        self.assertEqual({edge["service"] for edge in edges}, {None} if self.expected else set())
        self.assertEqual(
            [sum(edge[count] for edge in edges) for count in ("calls", "errors")],
            [len(self.expected), sum(e.status == "none" or e.status[:1] == "5"
                                     for e in self.expected)])

    def check_time(self, what, histogram, answered, end):
        """The sum lies between the bounds that the spans give."""
        slack = SLACK_NS * len(answered)
        least = sum(max(getattr(e, end).began_ns - e.start.ended_ns, 0) for e in answered)
        most = sum(getattr(e, end).ended_ns - e.start.began_ns for e in answered)
        have = histogram.sum_s * 1e9
        self.assertGreaterEqual(have, least - slack, f"{what}: more than {least / 1e9} s")
        self.assertLessEqual(have, most + slack, f"{what}: less than {most / 1e9} s")

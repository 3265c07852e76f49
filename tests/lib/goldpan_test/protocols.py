# SPDX-License-Identifier: GPL-2.0-or-later
"""What goldpan says of exchanges that a protocol's framing tells apart, and a client's account."""

import collections
import math

from . import capture
from .harness import Case
from .known import total
from .servers import wait_closed

RELATIVE, ABSOLUTE_S = 0.045, 20e-6
QUANTILES = (0.5, 0.9, 0.99)
ATTEMPTS = 3


def operations(endpoint):
    """{(operation, status): requests} over the whole recording."""
    counts = collections.Counter()
    for record in endpoint.records:
        for row in record["operations"]:
            counts[row["operation"], row["status"]] += row["requests"]
    return counts


def quantile(ordered, q):
    """The value of rank ceil(q n), in seconds, of ordered nanoseconds."""
    return ordered[math.ceil(q * len(ordered)) - 1] / 1e9


class ProtocolCase(Case):
    """A Case that compares both ends of a port with the account of the client that used it.

    `protocol`, and what its statuses mean (is_server_error, is_client_error), of a client's module.
    """

    protocol = None
    client = None

    def observe(self, first, count=1):
        """Starts a goldpan for some neighbouring ports."""
        self.ports = range(first, first + count)
        self.observer = self.goldpan("-p", f"{first}-{first + count - 1}")

    def finish(self):
        """What was observed, once the last connection is closed."""
        for port in self.ports:
            wait_closed(port)
        return self.observer.finish()

    def timed(self, port, use):
        """use()'s account, and the recording and the capture of it; all anew if that has losses."""
        for _ in range(ATTEMPTS):
            tcpdump = self.keep(capture.Capture(self.directory, port, port))
            account, recording = use(), self.finish()
            try:
                return account, recording, tcpdump.finish()
            except capture.Dropped:
                self.observe(port)
        raise capture.Dropped(f"in each of {ATTEMPTS} runs")

    def check(self, recording, port, account, but=()):
        """Every count of both endpoints. Nothing is dropped but what `but` names."""
        for role in ("server", "client"):
            with self.subTest(port=port, role=role):
                self.check_side(recording.endpoint(role=role, port=port, transport="tcp"), account)
        with self.subTest(port=port, what="dropped"):
            dropped = {k: n for k, n in recording.dropped().items() if n and k not in but}
            self.assertEqual(dropped, {})

    def check_side(self, endpoint, account):
        inward, outward = account.sent, account.received
        if endpoint.role == "client":
            inward, outward = outward, inward
        aborted = account.with_status(lambda status: status == "none")
        errors = {"server": account.with_status(self.client.is_server_error),
                  "client": account.with_status(self.client.is_client_error), "aborted": aborted}
        want = {"protocol": self.protocol, "framing": {"protocol"}, "requests": account.total(),
                "errors": errors, "latencies": account.total() - aborted,
                "bytes in": inward, "bytes out": outward, "opened": account.connections,
                "active": 0, "in flight": 0}
        have = {"protocol": endpoint.protocol,
                "framing": {record["framing"] for record in endpoint.records
                            if record["requests"]},
                "requests": endpoint.requests,
                "errors": {kind: total(endpoint, "errors", kind) for kind in errors},
                "latencies": endpoint.latency.count, "bytes in": endpoint.bytes_in,
                "bytes out": endpoint.bytes_out, "opened": endpoint.opened,
                "active": endpoint.active, "in flight": endpoint.in_flight}
        self.assert_operations(endpoint, account.requests)
        self.assertEqual(have, want)

    def assert_operations(self, endpoint, want):
        have = operations(endpoint)
        self.assertEqual((dict(have - want), dict(want - have)), ({}, {}), "too many, missing")

    def check_times(self, recording, port, account, wire):
        """Quantiles of the durations, where each exchange was alone on its connection: at the
        server's end those on the wire (a capture's file), at the client's those by its clock."""
        for role, ordered in (("server", capture.exchanges(wire, port)[0]),
                              ("client", account.durations_ns)):
            ordered = sorted(ordered)
            endpoint = recording.endpoint(role=role, port=port, transport="tcp")
            for q in QUANTILES:
                have, want = endpoint.latency.quantile(q), quantile(ordered, q)
                print(f"# {self.protocol}, {role}, p{100 * q:g}: goldpan {have * 1e6:.1f} us, "
                      f"known {want * 1e6:.1f} us")
                with self.subTest(role=role, q=q):
                    self.assertLessEqual(abs(have - want), RELATIVE * want + ABSOLUTE_S)

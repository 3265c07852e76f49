# SPDX-License-Identifier: GPL-2.0-or-later
"""What goldpan says of exchanges that a protocol's framing tells apart, beside a client's account."""

import collections
import math

from .harness import Case
from .known import total

RELATIVE, ABSOLUTE_S = 0.045, 20e-6
QUANTILES = (0.5, 0.9, 0.99)


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
        """A goldpan for some neighbouring ports."""
        return self.goldpan("-p", f"{first}-{first + count - 1}")

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
        self.assertEqual(dict(operations(endpoint)), dict(account.requests))
        self.assertEqual(have, want)

    def check_times(self, recording, port, account):
        """Quantiles of the durations, where each exchange was alone on its connection. The client's
        begin before the request is sent, so they may be a little longer than the server's."""
        ordered = sorted(account.durations_ns)
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port, transport="tcp")
            self.assertEqual(endpoint.latency.count, len(ordered))
            for q in QUANTILES:
                have, want = endpoint.latency.quantile(q), quantile(ordered, q)
                print(f"# {self.protocol}, {role}, p{100 * q:g}: goldpan {have * 1e6:.1f} us, "
                      f"client {want * 1e6:.1f} us")
                with self.subTest(role=role, q=q):
                    self.assertLessEqual(abs(have - want), RELATIVE * want + ABSOLUTE_S)

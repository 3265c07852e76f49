# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts are exact: requests equal the client's own, bytes and connections those of a capture.

Each way to use a server is run ten times ($GOLDPAN_TEST_RUNS) with 50,000 requests, each time on a
port of its own, so that one goldpan and one capture see all runs and still tell them apart. Both
sides are on this host: what the server's endpoint says, the client's must say mirrored.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import capture  # noqa: E402
from goldpan_test.harness import Case  # noqa: E402
from goldpan_test.ways import REQUESTS, EveryWay  # noqa: E402

RUNS = int(os.environ.get("GOLDPAN_TEST_RUNS", "10"))


class ExactTest(EveryWay, Case):
    def try_way(self, way):
        ports, clients, recording, path = self.observe(way, RUNS)
        wire = capture.count(path, ports)
        for port in ports:
            with self.subTest(run=port - ports[0]):
                self.assertEqual(clients[port]["requests"], REQUESTS, "the client's own count")
                self.assertEqual(way.served(port), REQUESTS, "the server's own count")
                if "bytes" in clients[port]:
                    self.assertEqual(wire[port].bytes_out, clients[port]["bytes"], "the capture")
                self.check_sides(way, port, recording, wire[port])
        self.assert_nothing_dropped(recording)

    def check_sides(self, way, port, recording, wire):
        """Both endpoints of `port` against the client's count and the wire."""
        for role, service, inward, outward in (
                ("server", way.services[0], wire.bytes_in, wire.bytes_out),
                ("client", way.services[1], wire.bytes_out, wire.bytes_in)):
            endpoint = recording.endpoint(role=role, port=port, transport="tcp")
            requests = REQUESTS + way.extra(port, endpoint.records[0]["framing"])
            want = {"service": service, "requests": requests, "answered": requests, "aborted": 0,
                    "bytes in": inward, "bytes out": outward, "opened": wire.connections,
                    "closed": wire.connections, "active": 0, "in flight": 0}
            have = {"service": endpoint.service, "requests": endpoint.requests,
                    "answered": endpoint.latency.count, "aborted": endpoint.aborted,
                    "bytes in": endpoint.bytes_in, "bytes out": endpoint.bytes_out,
                    "opened": endpoint.opened, "closed": endpoint.closed,
                    "active": endpoint.active, "in flight": endpoint.in_flight}
            self.assertEqual(have, want, f"{role} side of port {port}; the kernel skipped "
                                         f"{recording.skipped} runs of goldpan's programs")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Times are true: p50, p90, p99 of duration and first byte equal those of a packet capture.

On the wire the duration is from the first packet with bytes of the request to the last with bytes
of the response. A packet on loopback is stamped when it is queued for the receiver: for a request
that is just before it becomes readable, for a response just after its send began; so the capture's
times are a little longer than goldpan's, by what the kernel's own path takes.
"""

import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import capture  # noqa: E402
from goldpan_test.harness import Case  # noqa: E402
from goldpan_test.ways import EveryWay  # noqa: E402

RELATIVE, ABSOLUTE_S = 0.045, 20e-6
QUANTILES = (0.5, 0.9, 0.99)


def quantile(ordered, q):
    """The value of rank ceil(q n), in seconds, of ordered nanoseconds."""
    return ordered[math.ceil(q * len(ordered)) - 1] / 1e9


class QuantilesTest(EveryWay, Case):
    def try_way(self, way):
        (port,), _, recording, path = self.observe(way, 1)
        capture.count(path, [port])  # fails if the capture has holes
        durations, firsts = map(sorted, capture.exchanges(path, port))
        self.assert_nothing_dropped(recording)
        endpoint = recording.endpoint(role="server", port=port)
        # On the wire turns are told apart: of what was pipelined the first only.
        pipelined = way.extra(port, endpoint.records[0]["framing"]) - way.extra(port, "turns")
        self.assertEqual(endpoint.latency.count, len(durations) + pipelined)
        self.assertEqual(endpoint.first_byte.count, len(firsts) + pipelined)
        wrong, lines = False, []
        for name, histogram, wire in (("duration", endpoint.latency, durations),
                                      ("first byte", endpoint.first_byte, firsts)):
            for q in QUANTILES:
                have, want = histogram.quantile(q), quantile(wire, q)
                is_near = abs(have - want) <= RELATIVE * want + ABSOLUTE_S
                wrong = wrong or not is_near
                lines.append(f"{name} p{100 * q:g}: goldpan {have * 1e6:.1f} us, capture "
                             f"{want * 1e6:.1f} us{'' if is_near else ', TOO FAR'}")
        if os.environ.get("GOLDPAN_TEST_VERBOSE"):
            print(self.id(), *lines, sep="\n  ", file=sys.stderr)
        self.assertFalse(wrong, "\n" + "\n".join(lines))


if __name__ == "__main__":
    unittest.main()

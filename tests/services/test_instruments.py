# SPDX-License-Identifier: GPL-2.0-or-later
"""What the other tests measure with is right itself: captures and JSON lines made by hand, with the
answers known. Needs no privileges."""

import json
import os
import shutil
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import capture  # noqa: E402
from goldpan_test.capture import FIN, RST, SYN  # noqa: E402
from goldpan_test.jsonlines import Recording  # noqa: E402

CLIENT, SERVER = 40000, 80
NEAR_END = 0xFFFFFFF0  # sequence numbers that wrap after a few bytes


class Directory(unittest.TestCase):
    def setUp(self):
        directory = tempfile.mkdtemp(prefix="goldpan-test-")
        self.addCleanup(shutil.rmtree, directory)
        self.path = os.path.join(directory, "made-by-hand")


class CaptureTest(Directory):
    def write(self, *packets):
        """Each packet: (microsecond, source port, sequence, length, flags)."""
        address = bytes((127, 0, 0, 1))
        with open(self.path, "wb") as file:
            file.write(struct.pack("=IHHiIII", capture.MAGIC_NANO, 2, 4, 0, 0, capture.SNAP, 1))
            for us, source, sequence, length, flags in packets:
                target = SERVER if source != SERVER else CLIENT
                file.write(struct.pack("=IIII", 7, us * 1000, capture.SNAP, 66 + length))
                file.write(bytes(14) + struct.pack(">BBH8x", 0x45, 0, 52 + length))
                file.write(address * 2 + struct.pack(">HHIIBB6x", source, target,
                                                     sequence & capture.MASK, 0, 0x80, flags))

    def opened(self, client=NEAR_END, server=500):
        return (1, CLIENT, client - 1, 0, SYN), (2, SERVER, server - 1, 0, SYN)

    def count(self):
        total = capture.count(self.path, [SERVER])[SERVER]
        return total.bytes_in, total.bytes_out, total.connections, total.resets

    def test_bytes_across_the_wrap_once_each(self):
        self.write(*self.opened(), (3, CLIENT, NEAR_END, 10, 0), (4, CLIENT, NEAR_END + 10, 30, 0),
                   (5, CLIENT, NEAR_END, 10, 0),  # again
                   (6, CLIENT, NEAR_END + 30, 20, 0),  # again in part, ten more
                   (7, SERVER, 500, 7, FIN), (8, SERVER, 507, 0, FIN),
                   (9, CLIENT, NEAR_END + 50, 0, FIN))
        self.assertEqual(self.count(), (50, 7, 1, 0))

    def test_segments_out_of_order(self):
        self.write(*self.opened(100), (3, CLIENT, 110, 5, 0), (4, CLIENT, 120, 5, 0),
                   (5, CLIENT, 100, 10, 0), (6, CLIENT, 115, 5, 0))
        self.assertEqual(self.count(), (25, 0, 1, 0))

    def test_a_hole_is_not_passed_over(self):
        self.write(*self.opened(100), (3, CLIENT, 110, 5, 0))
        self.assertRaisesRegex(ValueError, "missing", self.count)

    def test_a_capture_that_began_late_is_refused(self):
        self.write((3, CLIENT, 110, 5, 0))
        self.assertRaisesRegex(ValueError, "without a SYN", self.count)

    def test_ports_used_again(self):
        self.write(*self.opened(100), (3, CLIENT, 100, 10, 0), (4, CLIENT, 110, 0, RST),
                   (5, CLIENT, 9999, 0, SYN), (5, CLIENT, 9999, 0, SYN), (6, SERVER, 99, 0, SYN),
                   (7, CLIENT, 10000, 20, 0))
        self.assertEqual(self.count(), (30, 0, 2, 1))

    def test_exchanges_by_turns(self):
        self.write(*self.opened(100), (10, CLIENT, 100, 5, 0), (12, CLIENT, 105, 5, 0),
                   (30, SERVER, 500, 5, 0), (40, SERVER, 505, 5, 0), (41, SERVER, 505, 5, 0),
                   (100, CLIENT, 110, 5, 0), (107, SERVER, 510, 5, 0),
                   (200, CLIENT, 115, 5, 0), (201, CLIENT, 120, 0, FIN))
        durations, firsts = capture.exchanges(self.path, SERVER)
        self.assertEqual(durations, [30000, 7000])  # the third had no answer
        self.assertEqual(firsts, [20000, 7000])


def endpoint_record(buckets, **changes):
    """A server's endpoint record with one exchange for each bucket."""
    n = len(buckets)
    distribution = {"count": n, "sum": 0.5 * n, "max": 0.5, "p50": 0.5, "p90": 0.5, "p99": 0.5,
                    "p999": 0.5}
    histogram = {"scale": 3, "underflow": 0, "overflow": 0, "counts": [[i, 1] for i in buckets]}
    stages = dict.fromkeys(("runqueue", "backlog", "cpu", "downstream", "io", "sleep",
                            "unattributed", "transfer"), 0.0)
    stages["cpu"] = 0.5 * n
    record = {"schema": "goldpan/1", "type": "endpoint", "host": "h", "start": "t", "time": "t",
              "interval_s": 1.0, "service": "nginx", "role": "server", "transport": "tcp",
              "port": 80, "protocol": "unknown", "address": None, "requests": n,
              "errors": {"aborted": 0}, "bytes": {"in": 10 * n, "out": 20 * n},
              "connections": {"opened": 1, "closed": 0, "active": 3, "failed": None},
              "latency_s": distribution, "first_byte_s": distribution, "histogram": histogram,
              "first_byte_histogram": histogram, "stages_s": stages, "in_flight": {"now": 0}}
    record.update(changes)
    return record


class RecordingTest(Directory):
    def read(self, *records, tail="", **options):
        meta = dict(endpoint_record([]), type="meta")
        with open(self.path, "w", encoding="utf-8") as file:
            for record in (meta, *records):
                file.write(json.dumps(record) + "\n")
            file.write(tail)
        return Recording(self.path, **options)

    def test_intervals_add_up(self):
        recording = self.read(endpoint_record([-80, -8]), endpoint_record([-8, -8, 0]),
                              endpoint_record([5], port=81))
        e = recording.endpoint(port=80, role="server")
        self.assertEqual((e.requests, e.bytes_in, e.bytes_out, e.opened), (5, 50, 100, 2))
        self.assertEqual(e.active, 3)
        self.assertEqual(e.latency.counts, {-80: 1, -8: 3, 0: 1})
        self.assertAlmostEqual(e.latency.quantile(0.2), 2 ** (-79.5 / 8))
        self.assertEqual(e.latency.quantile(0.5), 0.5)  # the bucket's middle is above max
        self.assertRaises(LookupError, recording.endpoint, role="server")

    def test_what_contradicts_itself_is_refused(self):
        bad = endpoint_record([0, 1])
        shorter = endpoint_record([0])["histogram"]
        for changes in ({"requests": 3}, {"first_byte_histogram": shorter},
                        {"stages_s": dict(bad["stages_s"], transfer=0.1)}, {"role": "client"},
                        {"schema": "goldpan/2"}):
            with self.subTest(changes=changes):
                self.assertRaises(ValueError, self.read, dict(bad, **changes))

    def test_a_line_that_is_cut_off(self):
        self.assertRaises(ValueError, self.read, tail='{"schema":')
        self.assertEqual(len(self.read(tail='{"schema":', is_running=True).records), 1)

    def test_dropped(self):
        records = [dict(endpoint_record([]), type="self", dropped={"clock": n, "edges": None})
                   for n in (1, 2)]
        self.assertEqual(self.read(*records).dropped(), {"clock": 3, "edges": 0})


if __name__ == "__main__":
    unittest.main()

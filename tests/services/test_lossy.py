# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire that loses 5 % of the segments and brings others late: counts stay exact."""

import collections
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import ROOT, free_ports, wait_until  # noqa: E402
from goldpan_test.known import Dialogue, total  # noqa: E402
from goldpan_test.protocols import operations  # noqa: E402
from goldpan_test.puppet import RowCase  # noqa: E402

WIRE = os.path.join(ROOT, "tests", "servers", "wire.py")
SERVER = "10.77.0.1"
LOSS, LATE = 0.05, 0.05
CONNECTIONS, REQUESTS = 8, 4000


class Lossy(RowCase):
    def setUp(self):
        super().setUp()
        if not os.path.exists("/dev/net/tun"):
            self.skipTest("no tun devices")
        names = [self.service("goldpan") + end for end in "ab"]
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=True)
        self.wire = self.keep(Dialogue(["/usr/bin/python3", WIRE, *names, str(LOSS), str(LATE),
                                        "1"], self.directory, "wire"))
        self.assertEqual(self.wire.hear(), "ready", self.wire.stderr())
        self.inside = [("ip", "netns", "exec", name) for name in names]
        for inside, other in zip(self.inside, (2, 1)):
            # What is lost is sent again soon, so that the test does not take minutes.
            subprocess.run([*inside, "ip", "route", "change", f"10.77.0.{other}", "dev", "wire",
                            "rto_min", "5ms"], check=True)

    def run_load(self, depth, most):
        """REQUESTS by the client, and both ends as goldpan has them."""
        server = self.puppet("far", self.inside[0])
        client = self.puppet("near", self.inside[1])
        port = free_ports()
        observer = self.goldpan("-p", port)
        server.do("import talk")
        server.do(f"talk.serve('{SERVER}', {port})")
        client.do("import talk")
        counts, sent, received = client.do(
            f"talk.talk('{SERVER}', {port}, {CONNECTIONS}, {REQUESTS}, {depth}, {most})").value
        wait_until(lambda: server.do("threading.active_count()").value <= 2, 20, "the last close")
        recording = observer.finish()
        self.wire.popen.stdin.close()
        lost, late = map(int, self.wire.hear().split())
        print(f"# {lost} segments lost, {late} late; dropped: "
              f"{ {k: n for k, n in recording.dropped().items() if n} }", file=sys.stderr)
        self.assertGreater(lost, 100)
        self.assertGreater(late, 100)
        counts = {(method, status): n for method, status, n in counts}
        for role, inward, outward, inside in (("server", sent, received, self.inside[0]),
                                              ("client", received, sent, self.inside[1])):
            with self.subTest(role=role):
                self.check_end(recording.endpoint(role=role, port=port),
                               counts, inward, outward, self.sent_again(inside))
        return recording

    def sent_again(self, inside):
        """The segments that its kernel sent again in a namespace that nobody else uses."""
        said = subprocess.run([*inside, "cat", "/proc/net/snmp"], capture_output=True, text=True,
                              check=True).stdout
        names, values = [line.split() for line in said.splitlines() if line.startswith("Tcp:")]
        return int(values[names.index("RetransSegs")])

    def check_end(self, endpoint, counts, inward, outward, sent_again):
        self.assertEqual((endpoint.requests, endpoint.aborted), (REQUESTS, 0))
        self.assertEqual((endpoint.bytes_in, endpoint.bytes_out), (inward, outward))
        self.assertGreater(sent_again, 0)
        self.assertEqual(total(endpoint, "tcp", "retransmits"), sent_again)
        have = operations(endpoint)
        unseen = have.pop(("other", "other"), 0)
        self.assertEqual(sum((collections.Counter(counts) - have).values()), unseen)
        self.assertEqual(have - collections.Counter(counts), collections.Counter())

    def test_one_by_one(self):
        self.run_load(1, 6000)

    def test_pipelined(self):
        self.run_load(12, 3000)


if __name__ == "__main__":
    unittest.main()

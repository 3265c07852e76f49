# SPDX-License-Identifier: GPL-2.0-or-later
"""A Go program (tests/servers/goroutines.go): its run-time moves what works on a request from
thread to thread. Durations are exact; what is attributed is true, the rest is `unattributed`, and
said."""

import os
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import test_stages  # noqa: E402
from goldpan_test.known import PROGRAMS, Slow  # noqa: E402
from test_stages import CLOSE, CONNECTIONS, SLACK_S  # noqa: E402

SO_TIMESTAMPNS = 35
FIRST_S = 1e-3  # what a case's first request, which is not in `used_s`, takes of CPU time at most
LINES = {
    "cpu": "cpu 3ms",
    "sleep": "sleep 5ms",
    "lock": "lock 5ms",
    "mixed": "cpu 1ms;sleep 2ms;lock 2ms;cpu 1ms",
}


class Goroutines(test_stages.StagesCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not os.path.exists(os.path.join(PROGRAMS, "goroutines")):
            raise unittest.SkipTest("no Go when the tests' servers were built")

    def setUp(self):
        super().setUp()
        # The kernel stamps no packet, and begins to only a while after, unless a socket wants it.
        stamps = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stamps.close)
        stamps.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def places(self, *options, stem):
        return self.dialogue("goroutines", *options, stem=stem, kind=Slow)

    def check(self, stages, said):
        self.check_duration(stages, said)
        slack = SLACK_S * stages.requests
        self.assertLessEqual(stages["cpu"], said["used_s"] * (1 + CLOSE) + FIRST_S, stages)
        asleep = said["sleep"] + said["wait"]  # its thread may block when it has to wait for one
        self.assertLessEqual(stages["sleep"], asleep * (1 + CLOSE) + slack, stages)
        for name in ("io", "downstream", "transfer"):
            self.assertLess(stages[name], slack, f"{name} of {stages}")
        print(f"# {stages.endpoint.service.rpartition('-')[0]}, {stages.requests} requests: "
              f"unattributed {stages['unattributed'] / stages.duration_s():.1%}")

    def test_each_alone_and_mixed(self):
        self.check_cases([(f"go{name}{n}", (), line, n, ())
                          for name, line in LINES.items() for n in CONNECTIONS], self.check)


if __name__ == "__main__":
    unittest.main()

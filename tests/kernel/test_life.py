# SPDX-License-Identifier: GPL-2.0-or-later
"""goldpan killed at any moment leaves nothing behind and starts anew; two of them do not mind."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import bpfobjects  # noqa: E402
from goldpan_test.harness import GOLDPAN, wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402

KILLS = 20


class Life(KnownCase):
    def check_counts(self, recording, server, caller_name, count):
        for end in (recording.endpoint(service=server.name, role="server"),
                    recording.endpoint(service=caller_name, role="client")):
            self.assertEqual((end.requests, end.aborted), (count, 0), end)
            self.assertEqual(end.bytes_in + end.bytes_out, count * (64 + 128), end)

    def sessions(self):
        """The sessions of all processes, but for those that ended and wait for their parent."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    state, _, _, session = file.read().rpartition(")")[2].split()[:4]
            except OSError:  # gone meanwhile
                continue
            if state != "Z":
                found.add(int(session))
        return found

    def end_session(self, leader):
        """Whatever a failed test has left."""
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_killed_at_any_moment(self):
        """While it opens, loads, attaches, walks over what was there, observes, exports: each lives
        a little longer than the one before, up to twice as long as one has taken to start."""
        before = bpfobjects.existing()
        step_s = 2 * self.time_to_attach() / KILLS
        server = self.slow()
        steady = self.caller(server, "-c", 1_000_000, "-i", 1, stem="steady")
        observed = 0
        for i in range(KILLS):
            goldpan = self.start([GOLDPAN, "-i", "100ms", "-o", "json"], name="goldpan",
                                 start_new_session=True)
            self.addCleanup(self.end_session, goldpan.pid)
            time.sleep(i * step_s)
            self.assertEqual(goldpan.stop(signal.SIGKILL), -signal.SIGKILL, goldpan.stderr())
            observed += "observing" in goldpan.stderr()
            wait_until(lambda leader=goldpan.pid: leader not in self.sessions(), 1,
                       "the end of its children")
        print(f"\nof {KILLS} killed, {observed} had come to observe", file=sys.stderr)
        self.assertGreater(observed, 0)
        steady.stop()
        wait_until(lambda: not bpfobjects.unheld(before), 5,
                   f"the end of {bpfobjects.unheld(before)}")
        goldpan = self.goldpan()
        self.call(server, "-c", 500)
        recording = goldpan.finish()
        self.assert_nothing_dropped(recording)
        self.check_counts(recording, server, self.service("caller"), 500)

    def test_regular_end_leaves_nothing(self):
        before = bpfobjects.existing()
        goldpan = self.goldpan()
        held = set(bpfobjects.existing()) - set(before)
        self.assertEqual({kind for kind, _ in held}, set(bpfobjects.KINDS), "bpfobjects sees them")
        goldpan.finish()
        wait_until(lambda: not bpfobjects.unheld(before), 5,
                   f"the end of {bpfobjects.unheld(before)}")

    def test_two_at_once(self):
        """Both count everything; one ends and the other goes on."""
        first, second = self.goldpan(), self.goldpan(interval="400ms")
        server = self.slow("-t", 2)
        caller = self.caller(server, "-I")
        caller.ask(200)
        export_now(first)
        export_now(second)
        one = first.finish()
        caller.ask(100)
        other = second.finish()
        self.check_counts(one, server, caller.name, 200)
        self.check_counts(other, server, caller.name, 300)
        self.assert_nothing_dropped(one)
        self.assert_nothing_dropped(other)

    def time_to_attach(self):
        began = time.monotonic()
        goldpan = self.goldpan()
        took = time.monotonic() - began
        goldpan.finish()
        return took

    def test_time_to_attach(self):
        """Reported, not judged: design.md's 0.25 s hold on a quiet machine."""
        took = [self.time_to_attach() for _ in range(3)]
        print(f"\nhooks attached after {min(took):.3f} s at best of {len(took)}", file=sys.stderr)


if __name__ == "__main__":
    unittest.main()

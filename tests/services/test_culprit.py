# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the time of slow requests went, as goldpan says it: of servers that are slow now and then,
for their CPU limit, for others on their CPU, or for a service that they call.

What is asked of a run is that most of its intervals say so: other load on the host may spoil one.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.cgroups import Unit  # noqa: E402
from goldpan_test.known import Slow  # noqa: E402
from goldpan_test.places import PlacesCase  # noqa: E402

LIMITED = "CPU limit"
INTERVALS_MIN = 3


class CulpritCase(PlacesCase):
    def slowest(self, recording, port):
        """(stage, cause) of each interval in which the server on the port had slow requests."""
        endpoint = recording.endpoint(role="server", port=port)
        said = [(r["slowest"]["stage"], r["slowest"]["cause"])
                for r in endpoint.records if r["slowest"]]
        self.assertGreaterEqual(len(said), INTERVALS_MIN, said)
        return said

    def assert_most(self, said, expected):
        self.assertGreater(2 * said.count(expected), len(said), said)


class Runqueue(CulpritCase):
    """A server that has a CPU for 20 ms of each 100 ms: the cases differ in what keeps it from one,
    not in what is asked of it."""

    def serve(self, *options):
        """A places server in a unit of its own, self.unit."""
        name = self._testMethodName.removeprefix("test_").replace("_", "-")
        self.unit = self.keep(Unit(f"gp-culprit-{name}-{os.getpid()}"))
        return self.dialogue("places", *options, stem="held", inside=self.unit.prefix, kind=Slow)

    def observe(self, server, requests):
        """(recording, table) of so many requests, one after the other."""
        goldpan = self.goldpan("-o", "table")
        self.ask(server, "-n", requests, lines=["cpu 2ms"])
        return goldpan.finish(), goldpan.stdout()

    def throttled_s(self, recording):
        records = recording.of_type("service", service=self.unit.name)
        self.assertTrue(records)
        return sum(r["cpu"]["throttled_s"] for r in records)

    def test_limit(self):
        server = self.serve()
        self.unit.limit(0.2)
        recording, table = self.observe(server, 500)  # a second of CPU: five in all
        self.assert_most(self.slowest(recording, server.port), ("runqueue", LIMITED))
        self.assertGreater(self.throttled_s(recording), 1)
        self.assertIn(LIMITED, table)

    def test_others(self):
        """As long a wait, and no limit. Both are in one group, because the kernel weighs threads
        against each other, by their nice values, only inside of one."""
        cpu = min(os.sched_getaffinity(0))
        server = self.serve("-u", cpu)
        other = self.dialogue("burner", "-c", cpu, "-n", 100, "-b", 80_000, "-s", 20_000,
                              stem="other", inside=(*self.unit.prefix, "nice", "-n", "-20"))
        self.assertEqual(other.hear(), "ready")
        other.tell("go")
        recording, table = self.observe(server, 500)
        said = self.slowest(recording, server.port)
        self.assert_most(said, ("runqueue", None))
        self.assertNotIn(LIMITED, [cause for _, cause in said])
        self.assertEqual(self.throttled_s(recording), 0)
        self.assertNotIn(LIMITED, table)


class Downstream(CulpritCase):
    def test_one_request_of_fifty(self):
        called = self.places(stem="called")
        server = self.places(stem="calling")
        goldpan = self.goldpan("-o", "table")
        self.ask(server, "-c", 4, "-n", 5000,
                 lines=[f"call {called.port} 40ms"] + ["cpu 10us"] * 49)
        recording = goldpan.finish()
        cause = f"{called.name} 127.0.0.1:{called.port}"
        self.assert_most(self.slowest(recording, server.port), ("downstream", cause))
        self.assertIn(f"downstream → {cause}", goldpan.stdout())


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Many restarts, many peers: the bounds hold, nothing is lost, and newcomers find room."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports  # noqa: E402
from goldpan_test.known import KnownCase  # noqa: E402
from goldpan_test.loads import ab  # noqa: E402
from goldpan_test.servers import Nginx  # noqa: E402

RESTARTS = 500
# Each makes three services (its shell's and its parent's name in the new control group too). Slots
# come back at a collection: so many a second fit between two of them, and 500 do not fit in all.
RESTART_EVERY_S = 0.02
ADDRESSES = 20_000
REMOTES = 32  # client addresses that a service may hold before its `other`


def unified_hierarchy():
    """Where the v2 hierarchy of control groups is mounted; None if it is not."""
    with open("/proc/mounts", encoding="utf-8") as file:
        for line in file:
            _, place, kind = line.split()[:3]
            if kind == "cgroup2":
                return place
    return None


class Restarts(KnownCase):
    def control_group(self):
        """A place below which each restart gets a new control group, as systemd does it."""
        root = unified_hierarchy()
        if not root:
            self.skipTest("no v2 hierarchy of control groups")
        place = os.path.join(root, self.service("goldpan"))
        os.mkdir(place)
        self.addCleanup(os.rmdir, place)
        return os.path.join(place, "service")

    def live_once(self, group, port):
        """Starts the service, sends it one request, and ends it, all in a new control group."""
        os.mkdir(group)
        into = ("sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', group)
        server = self.slow("-p", port, stem="again", inside=into)
        self.caller_of_all.ask(1)
        server.stop(signal.SIGKILL)
        os.rmdir(group)
        server.discard()

    def check_totals(self, recording):
        """requests_total of a series never goes back, and grows by what is reported. Of this test's
        own services: others on the host may end, and come back as new series."""
        last = {}
        own = [r for r in recording.of_type("endpoint")
               if r["service"] == "nginx" or r["service"].endswith(f"-{os.getpid()}")]
        self.assertGreater(len(own), 0)
        for record in own:
            key = tuple(record[k] for k in ("service", "role", "transport", "port", "protocol",
                                            "address"))
            self.assertEqual(record["requests_total"], last.get(key, 0) + record["requests"], key)
            last[key] = record["requests_total"]

    def check_remotes(self, recording, name, count):
        """A program that calls many addresses: a bounded number by name, the rest in its `other`,
        all counted."""
        ends = recording.endpoints(service=name, role="client")
        self.assertEqual(sum(e.requests for e in ends), count)
        named = [e for e in ends if e.address != "other"]
        other, = [e for e in ends if e.address == "other"]
        self.assertEqual(len(named), REMOTES)
        self.assertIsNone(other.port)
        self.assertEqual(other.requests, count - REMOTES)

    def test_restarts_then_addresses_then_a_newcomer(self):
        goldpan = self.goldpan()
        group, port = self.control_group(), free_ports()
        self.caller_of_all = self.caller(port, "-I", "-k", stem="caller")
        began = time.monotonic()
        for _ in range(RESTARTS):
            self.live_once(group, port)
            time.sleep(RESTART_EVERY_S)
        restarted = time.monotonic()

        server = self.slow(stem="open")
        sources = self.call(server, "-S", ADDRESSES, "-c", ADDRESSES, "-k", stem="sources")
        targets = self.call(server, "-T", ADDRESSES, "-c", ADDRESSES, "-k", stem="targets")
        for done in (sources, targets):
            self.assertEqual(done["requests"], ADDRESSES)
        called = time.monotonic()
        print(f"\n{RESTARTS} restarts in {restarted - began:.1f} s, then {2 * ADDRESSES} "
              f"connections in {called - restarted:.1f} s", file=sys.stderr)

        page = free_ports(2)
        nginx = self.keep(Nginx(self.directory, [page]))
        self.assertEqual(ab(page, 100, 1, keep_alive=False)["requests"], 100)
        nginx.stop()
        self.check(goldpan.finish(), port, server, page)

    def check_restarted(self, recording, port):
        """Every life of the service is counted, nearly all by name. The rest, when so many came
        between two collections that no slot was left, in `other`."""
        again = recording.endpoint(service=self.service("again"), role="server")
        ends = recording.endpoints(role="server", port=port)
        self.assertEqual([e for e in ends if e.service not in (again.service, "other")], [])
        self.assertEqual(again.port, port)
        for what in ("requests", "opened", "closed"):
            self.assertEqual(sum(getattr(e, what) for e in ends), RESTARTS, f"{what} of {ends}")
        self.assertEqual(sum(e.aborted for e in ends), 0)
        self.assertGreaterEqual(again.requests, 0.95 * RESTARTS)

    def check_dropped(self, recording):
        """What is in an `other` is in `dropped`, and nothing else is."""
        dropped = recording.dropped()
        ends = recording.endpoints()
        self.assertEqual(dropped.pop("services"),
                         sum(e.requests for e in ends if e.service == "other"))
        self.assertEqual(dropped.pop("endpoints"),
                         sum(e.requests for e in ends
                             if e.service != "other" and e.address == "other"))
        self.assertEqual({kind: n for kind, n in dropped.items() if n}, {})

    def check(self, recording, port, server, page):
        self.check_restarted(recording, port)
        caller = recording.endpoint(service=self.service("caller"), role="client")
        self.assertEqual((caller.requests, caller.address), (RESTARTS, "127.0.0.1"))

        end = recording.endpoint(service=server.name, role="server")
        self.assertEqual((end.requests, end.opened, end.closed), (2 * ADDRESSES,) * 3)
        self.assertEqual((end.bytes_in, end.bytes_out),
                         (2 * ADDRESSES * 64, 2 * ADDRESSES * 128))
        end = recording.endpoint(service=self.service("sources"), role="client")
        self.assertEqual(end.requests, ADDRESSES)

        end = recording.endpoint(service="nginx", role="server", port=page)
        self.assertEqual(end.requests, 100, "the newcomer has an endpoint of its own")
        self.check_totals(recording)
        self.check_remotes(recording, self.service("targets"), ADDRESSES)
        self.check_dropped(recording)


if __name__ == "__main__":
    unittest.main()

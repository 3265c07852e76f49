# SPDX-License-Identifier: GPL-2.0-or-later
"""The requests behind the tail: exemplars of slow and aborted exchanges, against what the client
and the server know of each of them by their own clocks.

A client knows how long a request took at least (from the end of the send) and at most. What a
stalled machine makes slow by accident is slow all the same: the client tells of it, too.
"""

import datetime
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.known import total  # noqa: E402
from goldpan_test.places import PlacesCase  # noqa: E402
from goldpan_test.servers import wait_closed  # noqa: E402
from goldpan_test.stolen import Stolen  # noqa: E402

A_SECOND = 100  # exemplars that are written in one, at most
SLACK_S = 0.001
# Between fast and slow, and a border of the histogram's buckets, so that it has the exact number.
SLOW_S, SLOW_BUCKET = 2**-5, -40
FAST_CONNECTIONS, FAST_EACH = 8, 125_000
# Slow requests, each with what it does, how often, and the pause before each: about 25 s for all.
SLOW = {
    "sleep": ("sleep 40ms", 500, 5000),
    "lock": ("lock 40ms", 300, 35_000),
    "cpu": ("cpu 40ms", 100, 170_000),
    "call": ("call {port} 40ms", 100, 190_000),
}
STAGE = {"sleep": "sleep", "lock": "sleep", "cpu": "cpu", "call": "downstream"}
# What a places server says of a request, by the stage that it is.
PARTS = {"runqueue": "runqueue", "backlog": "late", "cpu": "cpu", "downstream": "call",
         "io": "io", "sleep": "sleep"}


class Asked:
    """A request that may have been slow, as its client tells of it."""

    def __init__(self, kind, line):
        told = json.loads(line)
        self.kind, self.port, self.sent_s = kind, told["port"], told["sent_s"]
        self.least_s, self.most_s = told["least_s"], told["most_s"]
        said = dict(word.split("=") for word in told["reply"].split())
        self.parts_s = {stage: int(said[part]) / 1e9 for stage, part in PARTS.items()}

    @property
    def is_surely_slow(self):
        return self.least_s >= SLOW_S + SLACK_S

    def __repr__(self):
        return f"<{self.kind} from port {self.port}, {self.least_s} to {self.most_s} s, " \
               f"{self.parts_s}>"


def moment_s(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def largest(times):
    return max(times, key=times.get)


class ExemplarsCase(PlacesCase):
    def setUp(self):
        super().setUp()
        self.events_path = os.path.join(self.directory, "events.json")

    def watch(self, servers, slow_s, *options):
        """A goldpan that writes events, of these servers' ports only."""
        ports = [word for server in servers for word in ("-p", server.port)]
        return self.goldpan("--slow", f"{slow_s:.9f}", "--events", self.events_path,
                            *map(str, ports), *options)

    def asker(self, kind, server, *options):
        """A client in the background."""
        stem = f"ask-{kind}"
        return self.start([self.known("asker", stem), "-p", str(server.port), *map(str, options)],
                          name=self.service(stem))

    def finished(self, asker, timeout_s=120):
        """(requests that may have been slow, the sums), once it has ended."""
        self.assertEqual(asker.popen.wait(timeout_s), 0, asker.stderr())
        *lines, last = asker.stdout().splitlines()
        kind = asker.name.split("-")[1]
        return [Asked(kind, line) for line in lines], json.loads(last)

    def exemplars(self, **match):
        """All that were written, in order, if their fields equal `match`."""
        with open(self.events_path, encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        for x in found:
            self.assertEqual((x["schema"], x["type"]), ("goldpan/1", "exemplar"))
        return [x for x in found if all(x[k] == v for k, v in match.items())]

    def check_stages(self, x):
        """They add up to the duration, to the nanosecond."""
        parts = sum(round(value * 1e9) for value in x["stages_s"].values())
        self.assertEqual(parts, round(x["duration_s"] * 1e9), x)


class Slow(ExemplarsCase):
    """1,000 slow requests among 1,000,000 fast ones, of one server."""

    def load(self, front, down):
        """All that may have been slow; and the threads of `front` meanwhile."""
        self.stolen = Stolen().start()
        self.addCleanup(self.stolen.stop)
        told = ("-t", int(SLOW_S * 1e6))
        askers = [self.asker("fast", front, "-c", FAST_CONNECTIONS, "-n", FAST_EACH, *told, "")]
        for kind, (line, count, pause_us) in SLOW.items():
            askers.append(self.asker(kind, front, "-n", count, "-i", pause_us, *told,
                                     line.format(port=down.port)))
        time.sleep(1)
        threads = set(map(int, os.listdir(f"/proc/{front.pid}/task")))
        asked = [a for asker in askers for a in self.finished(asker)[0]]
        wait_closed(front.port)
        return asked, threads

    def match(self, exemplars, asked):
        """Pairs (exemplar, request): by the client's port and the time."""
        left = list(asked)
        for x in exemplars:
            address, port = x["peer"].rsplit(":", 1)
            self.assertEqual(address, "127.0.0.1")
            came_s = moment_s(x["time"])  # cut off to milliseconds
            found = [a for a in left if a.port == int(port)
                     and a.sent_s - SLACK_S <= came_s <= a.sent_s + a.most_s]
            self.assertEqual(len(found), 1, x)
            left.remove(found[0])
            yield x, found[0]

    def check_accident(self, x, a, first):
        """The stage that was the longest is so by the server's account, too. A wake-up that a CPU
        does not come to see (a guest's, which does not run) the kernel's account begins late: what
        is run queue here is time before the read there."""
        known = dict(a.parts_s)
        known["runqueue"] += known["backlog"]
        known["backlog"] = known["runqueue"]
        self.assertGreaterEqual(known.get(first, 0), 0.95 * max(known.values()), (x, a))

    def check_one(self, x, a, front, down):
        self.assertTrue(a.least_s - SLACK_S <= x["duration_s"] <= a.most_s + SLACK_S, (x, a))
        self.check_stages(x)
        first = largest(x["stages_s"])
        if first != STAGE.get(a.kind):  # an accident, of which the server knows as well
            self.check_accident(x, a, first)
        self.assertEqual((x["pid"], x["transport"], x["port"]), (front.pid, "tcp", front.port))
        call = x["downstream"]
        if a.kind != "call":
            self.assertIsNone(call, x)
            return
        self.assertEqual((call["service"], call["address"], call["port"]),
                         (down.name, "127.0.0.1", down.port))
        self.assertGreaterEqual(call["seconds"], 0.04, x)
        self.assert_near(call["seconds"], x["stages_s"]["downstream"], 0.02, x)

    def check_front(self, front, down, asked, threads):
        """The exemplars of the server that everybody asks."""
        pairs = list(self.match(self.exemplars(service=front.name, role="server"), asked))
        threads_of = {}
        for x, a in pairs:
            self.check_one(x, a, front, down)
            threads_of.setdefault(a.port, set()).add(x["tid"])
        for port, tids in threads_of.items():
            self.assertEqual(len(tids), 1, f"port {port} has a thread of its own")
        tids = set.union(*threads_of.values())
        self.assertEqual(len(tids), len(threads_of))
        self.assertLessEqual(tids, threads)
        return [a for _, a in pairs]

    def check_calls(self, front, down):
        """The calls of `front` are slow exchanges of both their ends."""
        calls = SLOW["call"][1]
        ends = (self.exemplars(service=front.name, role="client"),
                self.exemplars(service=down.name, role="server"))
        self.assertEqual([len(found) for found in ends], [calls, calls])
        for x in ends[0]:
            self.assertEqual((x["pid"], x["port"], x["peer"]),
                             (front.pid, down.port, f"127.0.0.1:{down.port}"))
            self.assertIsNone(x["stages_s"])
            self.assertIsNone(x["downstream"])
        for x in ends[1]:
            self.check_stages(x)
            self.assertEqual(x["pid"], down.pid)
            self.assertGreaterEqual(x["stages_s"]["sleep"], 0.04 - SLACK_S, x)
            self.assertEqual(largest(x["stages_s"]), "sleep", x)
        self.assertEqual(len({x["tid"] for x in ends[0]}), 1)

    def check_counts(self, recording, front, asked, shown):
        """All of them, or else counted."""
        slow = {end.key: end.latency.overflow + sum(n for i, n in end.latency.counts.items()
                                                    if i >= SLOW_BUCKET)
                for end in recording.endpoints()}
        end = recording.endpoint(service=front.name, role="server")
        self.assertEqual(end.requests, FAST_CONNECTIONS * FAST_EACH
                         + sum(count for _, count, _ in SLOW.values()))
        surely = [a for a in asked if a.is_surely_slow]
        self.assertTrue(len(surely) <= slow[end.key] <= len(asked),
                        f"{len(surely)} <= {slow[end.key]} <= {len(asked)}")
        written, dropped = len(self.exemplars()), recording.dropped()["exemplars"]
        self.assertEqual(written + dropped, sum(slow.values()))
        self.assertEqual(dropped, 0, "they were spread over time")
        self.assertEqual([a for a in surely if a not in shown], [])
        print(f"# {end.requests} requests, {slow[end.key]} slow, of which "
              f"{slow[end.key] - 1000} by accident; {written} exemplars")

    def test_a_thousand_among_a_million(self):
        front, down = self.places(stem="front"), self.places(stem="down")
        goldpan = self.watch((front, down), SLOW_S, "-x", "ask-*")
        asked, threads = self.load(front, down)
        recording = goldpan.finish()
        shown = self.check_front(front, down, asked, threads)
        self.check_calls(front, down)
        self.check_counts(recording, front, asked, shown)
        self.assertEqual({x["reason"] for x in self.exemplars()}, {"slow"})


class Fair(ExemplarsCase):
    def test_flood_leaves_others_their_share(self):
        """5,000 slow ones of one endpoint in about a second, five of another meanwhile."""
        flooded, quiet = self.places(stem="flooded"), self.places(stem="quiet")
        goldpan = self.watch((flooded, quiet), 0.0005, "--no-client")
        began_s = time.monotonic()
        flood = self.asker("flood", flooded, "-c", 16, "-n", 313, "sleep 1ms")
        few = self.asker("few", quiet, "-n", 5, "-i", 50_000, "sleep 1ms")
        asked = self.finished(flood)[1]["requests"]
        took_s = time.monotonic() - began_s
        self.finished(few)
        wait_closed(flooded.port)
        recording = goldpan.finish()
        self.assertEqual(len(self.exemplars(service=quiet.name)), 5)
        written = len(self.exemplars(service=flooded.name))
        self.assertGreaterEqual(written, A_SECOND / 2)
        self.assertLessEqual(written, A_SECOND * (took_s + 2))
        self.assertEqual(written + recording.dropped()["exemplars"], asked)


class Aborted(ExemplarsCase):
    """Told of however long they took, and without --slow."""

    def check(self, count, server, caller, waited_s):
        for name, role, pid, port in ((server.name, "server", server.pid, None),
                                      (caller.name, "client", caller.pid, server.port)):
            found = self.exemplars(service=name, role=role)
            self.assertEqual(len(found), count, name)
            for x in found:
                self.assertEqual((x["reason"], x["status"], x["first_byte_s"], x["downstream"]),
                                 ("aborted", "none", None, None))
                self.assertEqual((x["pid"], x["tid"] is not None), (pid, True), x)
                self.assert_near(x["duration_s"], waited_s, 0.2, x)
                address, peer = x["peer"].rsplit(":", 1)
                self.assertEqual((address, port or int(peer)), ("127.0.0.1", int(peer)))
                if role == "server":
                    self.check_stages(x)
                    self.assertEqual(x["stages_s"]["transfer"], 0)

    def test_aborted(self):
        server = self.slow("-H")
        goldpan = self.goldpan("--events", self.events_path, "-p", str(server.port))
        caller = self.caller(server, "-c", 5, "-k", "-R", "-L", 300)
        self.result(caller)
        wait_closed(server.port)
        recording = goldpan.finish()
        self.check(5, server, caller, 0.3)
        self.assertEqual(recording.dropped()["exemplars"], 0)
        self.assertEqual(total(recording.endpoint(service=server.name), "errors", "aborted"), 5)

    def test_fast_ones_are_none(self):
        server = self.slow()
        goldpan = self.goldpan("--events", self.events_path, "-p", str(server.port))
        self.call(server, "-c", 100)
        recording = goldpan.finish()
        self.assertEqual(self.exemplars(), [])
        self.assertEqual(recording.dropped()["exemplars"], 0)


if __name__ == "__main__":
    unittest.main()

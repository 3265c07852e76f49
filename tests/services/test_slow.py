# SPDX-License-Identifier: GPL-2.0-or-later
"""Durations of servers that are slow in a known place, against the client's own clock; what hangs,
is given up, half-closed or older than goldpan; every address family; connections that fail."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now, total  # noqa: E402
from goldpan_test.servers import connecting_to, connections_of, wait_closed  # noqa: E402

EXACT = 0.01  # the share by which a duration may differ from the client's
LOOPBACK_S = 0.0005  # and what a short exchange may differ by: delivery and waking of both ends


class Durations(KnownCase):
    """The duration equals the client's, at the server and at the client."""

    def check(self, goldpan, server, caller_name, result, records=1):
        """`result` is the sum over `records` exchanges, as the caller measured it."""
        wait_closed(server.port)
        recording = goldpan.finish()
        self.assert_nothing_dropped(recording)
        ends = (recording.endpoint(service=server.name, role="server"),
                recording.endpoint(service=caller_name, role="client"))
        for end in ends:
            self.assertEqual((end.requests, end.aborted), (records, 0), end)
            self.assertEqual(end.latency.count, records, end)
            self.assert_near(end.latency.sum_s, result["sum_s"], EXACT, f"{end}: duration")
            self.assert_near(end.latency.max_s, result["max_s"], EXACT, f"{end}: longest")
            self.assertEqual((end.in_flight, end.active), (0, 0), end)
        server_end, client_end = ends
        self.assertEqual((server_end.bytes_in, server_end.bytes_out),
                         (result["bytes_out"], result["bytes_in"]))
        self.assertEqual((client_end.bytes_in, client_end.bytes_out),
                         (result["bytes_in"], result["bytes_out"]))
        return ends

    def test_reads_late_on_one_connection(self):
        """170 ms in the receive queue; the idle time between the requests is in no figure."""
        goldpan = self.goldpan()
        server = self.slow("-r", 170)
        result = self.call(server, "-c", 5, "-i", 120)
        for end in self.check(goldpan, server, self.service("caller"), result, 5):
            self.assert_near(end.first_byte.sum_s, result["first_byte_sum_s"], EXACT,
                             f"{end}: first byte")
            self.assertEqual((end.opened, end.closed), (1, 1), end)

    def test_reads_late_on_new_connections(self):
        goldpan = self.goldpan()
        server = self.slow("-r", 170)
        result = self.call(server, "-c", 5, "-k")
        for end in self.check(goldpan, server, self.service("caller"), result, 5):
            self.assertEqual((end.opened, end.closed), (5, 5), end)

    def test_accepts_late(self):
        """60 ms in the accept queue, most of it after the request was there."""
        goldpan = self.goldpan()
        server = self.slow("-a", 60)
        result = self.call(server, "-c", 10, "-k")
        self.check(goldpan, server, self.service("caller"), result, 10)

    def test_stopped_for_a_second(self):
        goldpan = self.goldpan()
        server = self.slow()
        os.kill(server.pid, signal.SIGSTOP)
        caller = self.caller(server)
        time.sleep(1)
        os.kill(server.pid, signal.SIGCONT)
        result = self.result(caller)
        time.sleep(0.1)
        self.assertGreater(result["sum_s"], 0.9)
        self.check(goldpan, server, self.service("caller"), result)

    def test_sendfile_to_a_slow_reader(self):
        """20 MB. Small buffers: what is under way in them is less than 0.3 % of the answer."""
        size = 20_000_000
        goldpan = self.goldpan()
        server = self.slow("-f", "-w", size, "-b", 16384)
        result = self.call(server, "-w", size, "-b", 16384, "-r", 16384, "-s", 1)
        self.assertGreater(result["sum_s"], 0.5)
        for end in self.check(goldpan, server, self.service("caller"), result):
            self.assertLess(end.first_byte.sum_s, 0.05, "the first byte was quick")

    def test_half_closed_client_gets_its_answer(self):
        """The client's FIN follows its request; the answer is a whole exchange all the same."""
        goldpan = self.goldpan()
        server = self.slow("-r", 170)
        result = self.call(server, "-c", 3, "-h")
        self.check(goldpan, server, self.service("caller"), result, 3)

    def test_server_speaks_first(self):
        """Greetings are bytes and no exchange, whether requests follow or not."""
        goldpan = self.goldpan()
        server, mute = self.slow("-g", 40, "-t", 20), self.slow("-g", 40, stem="mute")
        result = self.call(server, "-g", 40, "-c", 3)
        self.call(mute, "-g", 40, "-n", 0, "-w", 0, "-c", 4, "-k", stem="listener")
        self.check(goldpan, server, self.service("caller"), result, 3)
        for end in (goldpan.recording().endpoint(service=mute.name, role="server"),
                    goldpan.recording().endpoint(service=self.service("listener"))):
            self.assertEqual((end.requests, end.opened, end.closed), (0, 4, 4), end)
            self.assertEqual(end.bytes_in + end.bytes_out, 160, end)

    def test_time_to_connect(self):
        """What connect() took by the client's clock; one whose first SYN was dropped, about 1 s."""
        goldpan = self.goldpan()
        server = self.slow()
        result = self.call(server, "-c", 20, "-k", stem="quick")
        full = self.slow("-l", 0)  # room for one in the accept queue
        os.kill(full.pid, signal.SIGSTOP)
        first = self.caller(full)
        wait_until(lambda: connections_of(full.port) == 1, 5, "the first connection")
        second = self.caller(full, stem="second")
        wait_until(lambda: connecting_to(full.port) == 1, 5, "the second one's SYN")
        os.kill(full.pid, signal.SIGCONT)
        self.result(first)
        waited = self.result(second)
        recording = goldpan.finish()
        quick = recording.endpoint(service=self.service("quick"))
        self.assertEqual(total(quick, "connect_s", "count"), 20)
        took = total(quick, "connect_s", "sum")
        self.assertGreater(took, 0)
        self.assertLessEqual(took, result["connect_sum_s"])
        late = recording.endpoint(service=self.service("second"))
        self.assertGreater(waited["connect_sum_s"], 0.9)
        self.assert_near(total(late, "connect_s", "sum"), waited["connect_sum_s"], EXACT, "connect")


class Unanswered(KnownCase):
    """What never ends, or ends without an answer."""

    def one_in_flight(self, records, name, role):
        """The age of the one exchange of an endpoint that is in flight, as one export has it."""
        found = [r for r in records if r["type"] == "endpoint" and r["service"] == name
                 and r["role"] == role]
        self.assertEqual([(r["in_flight"]["now"], r["requests"]) for r in found], [(1, 0)], name)
        return found[0]["in_flight"]["oldest_s"]

    def hang(self, *leave):
        """Lets a caller wait for a server that never answers, and leave it."""
        goldpan = self.goldpan(interval="60s")
        server = self.slow("-H")
        began = time.monotonic()
        caller = self.caller(server, "-L", 1500, *leave)
        ages = {"server": [], "client": []}
        for _ in range(3):
            time.sleep(0.3)
            records = export_now(goldpan)
            waited = time.monotonic() - began
            for name, role in ((server.name, "server"), (caller.name, "client")):
                ages[role].append(self.one_in_flight(records, name, role))
                self.assertLess(ages[role][-1], waited)
        for grown in ages.values():
            self.assertEqual(grown, sorted(grown), "the age grows")
            self.assertGreater(grown[-1] - grown[0], 0.55)
        self.result(caller)
        time.sleep(0.1)
        return goldpan, server, caller

    def check_aborted(self, recording, name, role):
        end = recording.endpoint(service=name, role=role)
        self.assertEqual((end.requests, end.aborted, end.latency.count, end.in_flight),
                         (1, 1, 0, 0), end)

    def test_client_leaves_by_reset(self):
        goldpan, server, caller = self.hang("-R")
        recording = goldpan.finish()
        self.check_aborted(recording, server.name, "server")
        self.check_aborted(recording, caller.name, "client")

    def test_client_closes(self):
        """The server cannot tell it from a half-close: its exchange goes on until it closes too."""
        goldpan, server, caller = self.hang()
        self.one_in_flight(export_now(goldpan), server.name, "server")
        server.stop(signal.SIGKILL)
        recording = goldpan.finish()
        self.check_aborted(recording, server.name, "server")
        self.check_aborted(recording, caller.name, "client")

    def receive_queues(self, port):
        """The bytes that lie unread at the server's end of connections, as the kernel has them."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        return sum(int(row[4].partition(":")[2], 16) for row in rows
                   if int(row[1][-4:], 16) == port and row[3] == "01")

    def test_bytes_unread(self):
        goldpan = self.goldpan(interval="60s")
        server = self.slow("-r", 60_000)
        for size in (64, 1000):
            self.caller(server, "-n", size)
        wait_until(lambda: self.receive_queues(server.port) == 1064, 5, "two requests")
        end, = [r for r in export_now(goldpan) if r["type"] == "endpoint"
                and r["port"] == server.port and r["role"] == "server"]
        self.assertEqual((end["unread_bytes"], end["in_flight"]["now"]), (1064, 2))

    def test_bytes_never_read(self):
        """The server dies with a request in its receive queue: one aborted exchange."""
        goldpan = self.goldpan()
        server = self.slow("-r", 60_000)
        caller = self.caller(server)
        time.sleep(0.2)
        server.stop(signal.SIGKILL)
        self.result(caller)
        recording = goldpan.finish()
        self.check_aborted(recording, server.name, "server")
        self.check_aborted(recording, caller.name, "client")


class Places(KnownCase):
    """Address families, ports, namespaces, and what was there before goldpan."""

    def test_families(self):
        """IPv4, IPv6, and IPv4 on an IPv6 socket, at the server's end and at the client's."""
        goldpan = self.goldpan()
        both, four = self.slow("-6", "-t", 20, stem="both"), self.slow("-t", 20, stem="four")
        results = [
            self.call(both, "-c", 3, "127.0.0.1", stem="mapped"),
            self.call(both, "-c", 4, "::1", stem="six"),
            self.call(both, "-c", 5, "::ffff:127.0.0.1", stem="twice"),
        ]
        alone = self.call(four, "-c", 6, "127.0.0.1", stem="plain")
        recording = goldpan.finish()
        self.assert_nothing_dropped(recording)
        for stem, address, count in (("mapped", "127.0.0.1", 3), ("six", "::1", 4),
                                     ("twice", "127.0.0.1", 5), ("plain", "127.0.0.1", 6)):
            end = recording.endpoint(service=self.service(stem))
            self.assertEqual((end.role, end.address, end.requests), ("client", address, count))
        for server, done in ((both, results), (four, [alone])):
            end = recording.endpoint(service=server.name)
            self.assertEqual((end.role, end.port), ("server", server.port))
            self.assertEqual(end.requests, sum(r["requests"] for r in done))
            self.assert_near(end.latency.sum_s, sum(r["sum_s"] for r in done), EXACT, end,
                             slack=end.requests * LOOPBACK_S)

    def test_two_ports_are_two_endpoints(self):
        goldpan = self.goldpan()
        first, second = self.slow(), self.slow()
        self.assertEqual(first.name, second.name)
        self.call(first, "-c", 3)
        self.call(second, "-c", 4)
        recording = goldpan.finish()
        for server, count in ((first, 3), (second, 4)):
            end = recording.endpoint(service=server.name, role="server", port=server.port)
            self.assertEqual(end.requests, count)

    def older_than_goldpan(self, inside=()):
        """Whole exchanges count from goldpan's start on: on an old connection, on a new one of an
        old listener, and not the one that was under way at the start."""
        server, slow = self.slow(inside=inside), self.slow("-t", 1200, stem="busy", inside=inside)
        old = self.caller(server, "-I", stem="old", inside=inside)
        under_way = self.caller(slow, "-I", stem="way", inside=inside)
        old.ask(3)
        under_way.tell(1)
        time.sleep(0.1)
        goldpan = self.goldpan()
        old.ask(5)
        self.call(server, "-c", 2, inside=inside, stem="new")
        self.result(under_way)
        under_way.ask(1)
        recording = goldpan.finish()
        self.assert_nothing_dropped(recording)
        for name, role, count in ((server.name, "server", 7), (slow.name, "server", 1),
                                  (old.name, "client", 5), (under_way.name, "client", 1),
                                  (self.service("new"), "client", 2)):
            end = recording.endpoint(service=name, role=role)
            self.assertEqual((end.requests, end.aborted), (count, 0), end)
            self.assertEqual(end.port, (slow if name in (slow.name, under_way.name)
                                        else server).port)
        end = recording.endpoint(service=server.name)
        self.assertEqual((end.bytes_in, end.bytes_out), (7 * 64, 7 * 128))
        self.assertEqual((end.opened, end.closed, end.active), (1, 1, 1))

    def test_older_than_goldpan(self):
        self.older_than_goldpan()

    def test_older_than_goldpan_in_another_network(self):
        self.older_than_goldpan(self.network())


class Failures(KnownCase):
    """Connections that never were: refused, and given up."""

    def failed(self, recording, stem):
        end = recording.endpoint(service=self.service(stem), role="client")
        self.assertEqual((end.requests, end.opened), (0, 0), end)
        self.assertEqual(total(end, "connect_s", "count"), 0)
        return {kind: n for kind, n in end.failed.items() if n}

    def test_refused(self):
        goldpan = self.goldpan()
        port = free_ports()
        for address, count in (("127.0.0.1", 3), ("::1", 2)):
            result = self.call(port, "-c", count, address, stem=f"to{count}")
            self.assertEqual(result["refused"], count)
        recording = goldpan.finish()
        self.assertEqual(self.failed(recording, "to3"), {"refused": 3})
        self.assertEqual(self.failed(recording, "to2"), {"refused": 2})

    def test_timed_out(self):
        """An address that loops back to a host that does not have it: SYNs vanish."""
        inside = self.network()
        for argv in (("sysctl", "-qw", "net.ipv4.tcp_syn_retries=1"),
                     ("ip", "route", "add", "198.18.0.2", "dev", "lo")):
            self.assertEqual(self.start([*inside, *argv]).popen.wait(5), 0, argv)
        goldpan = self.goldpan()
        result = self.call(80, "198.18.0.2", inside=inside, stem="lost")
        self.assertEqual(result["timeout"], 1)
        recording = goldpan.finish()
        self.assertEqual(self.failed(recording, "lost"), {"timeout": 1})


if __name__ == "__main__":
    unittest.main()

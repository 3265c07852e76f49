# SPDX-License-Identifier: GPL-2.0-or-later
"""Accept queues held full, against ss and nstat of a network with no other traffic, and the wait in
them against the clock of who connects and who accepts: the test itself.

A moment is known as what lies between two looks at the clock, so a wait is known as a range. The
kernel may establish a connection a little after connect() has returned, hence the slack.
"""

import concurrent.futures
import ctypes
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.jsonlines import Histogram  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402

CLONE_NEWNET = 0x40000000
EXACT, SLACK_S = 0.01, 0.001  # of a wait: the smaller one
BUCKET = 0.045
REQUEST, ANSWER = b"?" * 64, b"!" * 128


class Moment:
    """When something happened: between two looks at the clock, in seconds."""

    def __enter__(self):
        self.begin_s = time.monotonic()
        return self

    def __exit__(self, *_):
        self.end_s = time.monotonic()


class Client:
    """One end of a connection, and when that was established."""

    def __init__(self, sock):
        self.socket = sock

    def connect(self, address):
        with Moment() as self.connected:
            self.socket.connect(address)

    def ask(self):
        self.socket.sendall(REQUEST)


class Wait:
    """From established to the first receive, in seconds: at least, at most."""

    def __init__(self, connected, received):
        self.least_s = received.begin_s - connected.end_s
        self.most_s = received.end_s - connected.begin_s


class Queues(KnownCase):
    def setUp(self):
        super().setUp()
        self.inside = self.network()
        self.port = free_ports()
        self.address = ("127.0.0.1", self.port)

    def make(self, family=socket.AF_INET):
        """A socket in the test's network: it stays where it was made, whoever uses it."""
        def enter_and_make():
            with open(f"/run/netns/{self.inside[-1]}", encoding="ascii") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.socket(family)

        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            made = thread.submit(enter_and_make).result()
        self.addCleanup(made.close)
        return made

    def listener(self, limit, family=socket.AF_INET, **options):
        made = self.make(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if "defer_s" in options:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, options["defer_s"])
        made.bind(("::" if family == socket.AF_INET6 else self.address[0], self.port))
        made.listen(limit)
        return made

    def clients(self, count):
        """Connections that the kernel has accepted, one after the other."""
        made = [Client(self.make()) for _ in range(count)]
        for client in made:
            client.connect(self.address)
        return made

    def refuse(self, count, times):
        """So many more connections than there is room for, until `times` more SYNs had none. At
        its end nothing of them is left that could send another."""
        before = self.nstat()["ListenOverflows"]
        more = [self.make() for _ in range(count)]
        for sock in more:
            sock.setblocking(False)
            sock.connect_ex(self.address)
        self.wait_overflows(before + times)
        for sock in more:
            sock.close()

    def wait_overflows(self, count):
        wait_until(lambda: self.nstat()["ListenOverflows"] >= count, 10, "more of what has no room")

    def accept(self, listener):
        """Takes a connection and its request, and answers. When it was received, and whose."""
        connection, peer = listener.accept()
        self.addCleanup(connection.close)
        with Moment() as received:
            self.assertEqual(connection.recv(len(REQUEST)), REQUEST)
        connection.sendall(ANSWER)
        return received, peer

    def accept_of(self, listener, client):
        """As accept, of a certain client: its Wait."""
        received, peer = self.accept(listener)
        self.assertEqual(peer[1], client.socket.getsockname()[1])
        return Wait(client.connected, received)

    def run_inside(self, *argv):
        return subprocess.run([*self.inside, *argv], check=True, capture_output=True,
                              text=True).stdout

    def nstat(self):
        counters = json.loads(self.run_inside("nstat", "-a", "-s", "-z", "-j"))["kernel"]
        return {name: counters[f"TcpExt{name}"] for name in ("ListenOverflows", "ListenDrops")}

    def ss(self):
        """{"length", "limit"}: what all listeners of the port have."""
        lines = self.run_inside("ss", "-ltnH", f"sport = :{self.port}").splitlines()
        queues = [line.split()[1:3] for line in lines]
        self.assertTrue(queues)
        return {"length": sum(int(q[0]) for q in queues), "limit": sum(int(q[1]) for q in queues)}

    def queue(self, goldpan):
        """`accept_queue` of the port's only endpoint, as a new export has it."""
        found = [r for r in export_now(goldpan) if r["type"] == "endpoint"
                 and (r["role"], r["port"]) == ("server", self.port)]
        self.assertEqual(len(found), 1, found)
        return found[0]["accept_queue"]

    def check_full(self, goldpan, work, at_least):
        """Compares a window in which `work` is done, and after which nothing moves any more."""
        before = self.nstat()
        export_now(goldpan)
        work()
        counted = {name: n - before[name] for name, n in self.nstat().items()}
        queue = self.queue(goldpan)
        self.assertGreaterEqual(counted["ListenOverflows"], at_least)
        self.assertEqual(counted["ListenOverflows"], counted["ListenDrops"])
        self.assertEqual(queue["overflows"], counted["ListenOverflows"])
        self.assertEqual({name: queue[name] for name in ("length", "limit")}, self.ss())
        return queue

    def check_waits(self, queue, waits):
        got = queue["wait_s"]
        self.assertEqual(got["count"], len(waits))
        for name, add in (("sum", sum), ("max", max)):
            least, most = add(w.least_s for w in waits), add(w.most_s for w in waits)
            slack = min(least * EXACT, SLACK_S * (len(waits) if name == "sum" else 1))
            self.assertTrue(least - slack <= got[name] <= most + slack,
                            f"{name}: {got[name]} is not in {least} .. {most}")
        histogram = Histogram()
        histogram.add(got["histogram"], got)
        self.assertEqual(histogram.count, len(waits))
        middle = statistics.median_low((w.least_s + w.most_s) / 2 for w in waits)
        self.assert_near(got["p50"], middle, BUCKET, "median", slack=middle * BUCKET + SLACK_S)


class Full(Queues):
    """Length, limit and overflows."""

    def test_held_full(self):
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(7)
        clients = self.clients(8)  # the kernel lets in one more than the limit
        queue = self.check_full(goldpan, lambda: self.refuse(5, 12), 12)
        self.assertEqual((queue["length"], queue["limit"]), (8, 7))
        self.check_full(goldpan, lambda: self.refuse(2, 3), 3)
        queue = self.check_full(goldpan, lambda: None, 0)
        for client in clients[:3]:
            client.ask()
            self.accept_of(listener, client)
        queue = self.check_full(goldpan, lambda: None, 0)
        self.assertEqual((queue["length"], queue["overflows"]), (5, 0))

    def test_limit_changes(self):
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(3)
        clients = self.clients(4)
        self.check_full(goldpan, lambda: self.refuse(1, 1), 1)
        listener.listen(20)
        queue = self.check_full(goldpan, lambda: clients.extend(self.clients(5)), 0)
        self.assertEqual((queue["length"], queue["limit"]), (9, 20))

    def test_both_families(self):
        """One IPv6 listener that takes IPv4 as well."""
        goldpan = self.goldpan(interval="60s")
        self.listener(2, socket.AF_INET6)
        clients = self.clients(2)
        clients.append(Client(self.make(socket.AF_INET6)))
        clients[-1].connect(("::1", self.port))
        self.check_full(goldpan, lambda: self.refuse(3, 5), 5)

    def test_several_listeners(self):
        """Of one port: the kernel spreads the connections over them, goldpan adds them."""
        goldpan = self.goldpan(interval="60s")
        listeners = [self.listener(limit) for limit in (2, 4, 6)]
        clients = []

        def work():
            for _ in range(40):
                clients.append(self.make())
                clients[-1].setblocking(False)
                clients[-1].connect_ex(self.address)
            time.sleep(1.2)  # until SYNs without an answer are sent again
            for client in clients:
                try:
                    client.getpeername()
                except OSError:  # not connected
                    client.close()

        queue = self.check_full(goldpan, work, 40)
        self.assertEqual((queue["length"], queue["limit"]), (15, 12))
        listeners.pop().close()
        queue = self.check_full(goldpan, lambda: None, 0)
        self.assertEqual((queue["length"], queue["limit"]), (8, 6))

    def test_older_than_goldpan(self):
        """What stands in the queue is seen, what overflowed earlier is not."""
        listener = self.listener(3)
        clients = self.clients(2)
        clients[0].ask()
        clients.extend(self.clients(2))
        self.refuse(2, 4)
        goldpan = self.goldpan(interval="60s")
        queue = self.queue(goldpan)
        self.assertEqual((queue["length"], queue["limit"], queue["overflows"]), (4, 3, 0))
        self.check_full(goldpan, lambda: self.refuse(2, 3), 3)
        for client in clients[1:]:
            client.ask()
        for client in clients:
            self.accept_of(listener, client)
        queue = self.queue(goldpan)
        self.assertEqual((queue["length"], queue["overflows"]), (0, 0))
        self.assertEqual(queue["wait_s"]["count"], 0, "when they came is not known")

    def test_closed_meanwhile(self):
        """What a listener had not room for counts although it is gone."""
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(0)
        clients = self.clients(1)
        self.queue(goldpan)
        before = self.nstat()["ListenOverflows"]
        self.refuse(2, 3)
        counted = self.nstat()["ListenOverflows"] - before
        listener.close()
        queue = self.queue(goldpan)
        self.assertEqual(queue["overflows"], counted)
        self.assertEqual((queue["length"], queue["limit"]), (None, None))
        del clients

    def test_deferred(self):
        """With TCP_DEFER_ACCEPT a connection comes with its first bytes: nothing overflows."""
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(50, defer_s=5)
        clients = []

        def work():
            clients.extend(self.clients(10))
            for client in clients:
                client.ask()

        queue = self.check_full(goldpan, work, 0)
        self.assertEqual(queue["length"], 10)
        for client in clients:
            self.accept_of(listener, client)

    def test_deferred_and_full(self):
        """There is no room for what has been connected already: data is sent again and again."""
        goldpan = self.goldpan(interval="60s")
        self.listener(2, defer_s=5)

        def work():
            before = self.nstat()["ListenOverflows"]
            clients = self.clients(5)
            for client in clients:
                client.ask()
            self.wait_overflows(before + 5)
            for client in clients[3:]:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
                client.socket.close()

        self.assertEqual(self.check_full(goldpan, work, 5)["length"], 3)


class Waits(Queues):
    """From established to the first receive."""

    def test_accepted_late(self):
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(20)
        clients = self.clients(9)
        for client in clients:
            client.ask()
        waits = []
        for client in clients:
            time.sleep(0.05)
            waits.append(self.accept_of(listener, client))
        queue = self.queue(goldpan)
        self.check_waits(queue, waits)
        self.assertEqual(queue["length"], 0)

    def test_only_what_came_before_accept(self):
        """Who asks late waited all the same; whose request came after accept is not counted, nor
        a second request on a connection."""
        goldpan = self.goldpan(interval="60s")
        listener = self.listener(20)
        late, later = self.clients(2)
        time.sleep(0.2)
        late.ask()
        time.sleep(0.1)
        waits = [self.accept_of(listener, late)]
        connection, _ = listener.accept()
        self.addCleanup(connection.close)
        time.sleep(0.05)
        later.ask()
        for client, end in ((later, connection), (later, connection)):
            self.assertEqual(end.recv(len(REQUEST)), REQUEST)
            end.sendall(ANSWER)
            client.socket.recv(len(ANSWER))
            client.ask()
            time.sleep(0.02)
        self.check_waits(self.queue(goldpan), waits)

    def test_new_connection_of_an_older_listener(self):
        listener = self.listener(20)
        goldpan = self.goldpan(interval="60s")
        clients = self.clients(3)
        for client in clients:
            client.ask()
        time.sleep(0.3)
        waits = [self.accept_of(listener, client) for client in clients]
        self.check_waits(self.queue(goldpan), waits)

    def test_several_listeners(self):
        goldpan = self.goldpan(interval="60s")
        listeners = [self.listener(20) for _ in range(3)]
        clients = {client.socket.getsockname()[1]: client for client in self.clients(12)}
        for client in clients.values():
            client.ask()
        time.sleep(0.3)
        waits = []
        for listener in listeners:
            listener.setblocking(False)
            while True:
                try:
                    received, peer = self.accept(listener)
                except BlockingIOError:
                    break
                waits.append(Wait(clients[peer[1]].connected, received))
        self.assertEqual(len(waits), 12)
        self.check_waits(self.queue(goldpan), waits)


if __name__ == "__main__":
    unittest.main()

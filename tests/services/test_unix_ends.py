# SPDX-License-Identifier: GPL-2.0-or-later
"""Unix stream sockets by what they are: names of all kinds, beginnings and ends, what is left out,
and single slow exchanges. The protocol is nobody's, so turns decide."""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import Case  # noqa: E402

ASK, REPLY = b"\x02" * 20, b"\x01" * 30
TURNS = 300
SLOW_S, ASK_SLOWLY = 0.03, b"\x03" * 20
HANG_UP = b"\x04" * 20
PIECE = 100_000  # several skbs


def answer(connection):
    """Serves a connection until its client closes it, or asks to hang up."""
    with connection, contextlib.suppress(ConnectionResetError):
        while len(asked := connection.recv(len(ASK), socket.MSG_WAITALL)) == len(ASK):
            if asked == HANG_UP:
                return
            if asked == ASK_SLOWLY:
                time.sleep(SLOW_S)
            connection.sendall(REPLY)


def ask(client, asked=ASK):
    client.sendall(asked)
    return client.recv(len(REPLY), socket.MSG_WAITALL)


class UnixEnds(Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.directory, "turns.sock")

    @contextlib.contextmanager
    def server(self, name, serve=answer):
        """A listener bound to `name`, each of whose connections a thread serves; its own name."""
        threads = []

        def accept():
            with contextlib.suppress(OSError):  # it is shut down
                while True:
                    connection, _ = listener.accept()
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            listener.listen(64)
            accepting = threading.Thread(target=accept)
            accepting.start()
            try:
                yield listener.getsockname()
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                accepting.join()
                for thread in threads:
                    thread.join()

    @staticmethod
    @contextlib.contextmanager
    def client(name, own=None):
        with socket.socket(socket.AF_UNIX) as s:
            if own is not None:
                s.bind(own)
            s.connect(name)
            yield s

    def both(self, recording, address):
        return [recording.endpoint(role=role, transport="unix", address=address)
                for role in ("server", "client")]

    def check(self, address, requests, aborted=0, connections=1, sizes=None):
        """What both ends are said to have seen, after the end."""
        recording = self.observer.finish()
        self.assert_nothing_dropped(recording)
        for endpoint in self.both(recording, address):
            with self.subTest(role=endpoint.role):
                self.assertIsNone(endpoint.port)
                have = (endpoint.requests, endpoint.aborted, endpoint.opened, endpoint.closed,
                        endpoint.active, endpoint.in_flight)
                self.assertEqual(have, (requests, aborted, connections, connections, 0, 0))
                moved = (endpoint.bytes_in, endpoint.bytes_out)
                if sizes:
                    self.assertEqual(moved if endpoint.role == "server" else moved[::-1], sizes)

    def turns(self, name, address, own=None):
        """TURNS and a request that is never answered."""
        with self.server(name) as bound:
            self.observer = self.goldpan()
            with self.client(bound, own) as client:
                for _ in range(TURNS):
                    self.assertEqual(ask(client), REPLY)
                client.sendall(ASK[:5])
        self.check(address or "@" + bound[1:].decode(), TURNS + 1, aborted=1,
                   sizes=(TURNS * len(ASK) + 5, TURNS * len(REPLY)))

    def test_path(self):
        self.turns(self.path, self.path)

    def test_abstract(self):
        name = f"goldpan-test-{os.getpid()}"
        self.turns("\0" + name, "@" + name)

    def test_autobind(self):
        """Both have a name that the kernel chose; the endpoint is the server's."""
        self.turns("", None, own="")

    def test_client_with_a_path(self):
        """The address is the server's at both ends."""
        self.turns(self.path, self.path, own=os.path.join(self.directory, "client.sock"))

    def test_many_connections(self):
        """Each one opened, used once and closed."""
        with self.server(self.path):
            self.observer = self.goldpan()
            for _ in range(TURNS):
                with self.client(self.path) as client:
                    self.assertEqual(ask(client), REPLY)
        self.check(self.path, TURNS, connections=TURNS)

    def test_server_hangs_up(self):
        """Requests that it read and did not answer are aborted."""
        with self.server(self.path):
            self.observer = self.goldpan()
            for _ in range(TURNS // 10):
                with self.client(self.path) as client:
                    self.assertEqual(ask(client), REPLY)
                    self.assertEqual(ask(client, HANG_UP), b"")
        self.check(self.path, 2 * (TURNS // 10), aborted=TURNS // 10, connections=TURNS // 10)

    def test_client_leaves_with_the_answer_unread(self):
        """It was answered: nothing is aborted."""
        with self.server(self.path):
            self.observer = self.goldpan()
            for _ in range(TURNS // 10):
                with self.client(self.path) as client:
                    self.assertEqual(ask(client), REPLY)
                    client.sendall(ASK)
                    self.assertEqual(client.recv(1, socket.MSG_PEEK), REPLY[:1])
        self.check(self.path, 2 * (TURNS // 10), connections=TURNS // 10)

    def test_large(self):
        """A request and an answer of several skbs each, read in parts, are one exchange."""
        def serve(connection):
            with connection:
                while connection.recv(PIECE, socket.MSG_WAITALL):
                    connection.sendall(b"\x01" * PIECE)
        with self.server(self.path, serve):
            self.observer = self.goldpan()
            with self.client(self.path) as client:
                for _ in range(TURNS):
                    client.sendall(b"\x02" * PIECE)
                    left = PIECE
                    while left:
                        left -= len(client.recv(min(left, 7777)))
        self.check(self.path, TURNS, sizes=(TURNS * PIECE, TURNS * PIECE))

    def test_older_than_goldpan(self):
        """A connection that was idle before counts from its next exchange on."""
        with self.server(self.path):
            with self.client(self.path) as client:
                self.assertEqual(ask(client), REPLY)
                self.observer = self.goldpan()
                for _ in range(TURNS):
                    self.assertEqual(ask(client), REPLY)
        recording = self.observer.finish()
        self.assert_nothing_dropped(recording)
        for endpoint in self.both(recording, self.path):
            with self.subTest(role=endpoint.role):
                self.assertEqual((endpoint.requests, endpoint.aborted, endpoint.opened,
                                  endpoint.closed), (TURNS, 0, 0, 1))

    def test_left_out(self):
        """By a port, by the name of a service, or clients."""
        for option, roles in ((("-p", "1-65535"), ()), (("-x", "python*"), ()),
                              (("--no-client",), ("server",))):
            with self.subTest(option=option), self.server(self.path):
                self.observer = self.goldpan(*option)
                with self.client(self.path) as client:
                    for _ in range(10):
                        ask(client)
                recording = self.observer.finish()
                found = {e["role"] for e in recording.of_type("endpoint")
                         if e["address"] == self.path}
                self.assertEqual(found, set(roles))
            os.unlink(self.path)

    def test_slow_ones(self):
        """They are told one by one, without a port: clients by the path that they called."""
        events = os.path.join(self.directory, "events.json")
        with self.server(self.path):
            self.observer = self.goldpan("--slow", f"{SLOW_S * 0.9}", "--events", events)
            with self.client(self.path) as client:
                for i in range(50):
                    ask(client, ASK if i % 10 else ASK_SLOWLY)
        self.observer.finish()
        with open(events, encoding="utf-8") as file:
            told = [x for x in map(json.loads, file) if x["pid"] == os.getpid()]
        for role, peer in (("server", None), ("client", self.path)):
            slow = [x for x in told if x["role"] == role and x["duration_s"] < 2 * SLOW_S]
            self.assertEqual(len(slow), 5, told)
            for x in slow:
                self.assertEqual((x["transport"], x["port"], x["peer"], x["reason"]),
                                 ("unix", None, peer, "slow"))


if __name__ == "__main__":
    unittest.main()

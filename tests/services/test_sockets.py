# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever way bytes and sockets take: the system calls, options and states of sockets that real
programs use. Each test makes one kind, step by step at both ends."""

import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.known import Dialogue, total  # noqa: E402
from goldpan_test.puppet import RowCase, pause  # noqa: E402

GET = b"GET / HTTP/1.1\r\nHost: row\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: row\r\nContent-Length: 10\r\n\r\n0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SMALL_BUFFERS = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),
                 (socket.SOL_SOCKET, socket.SO_SNDBUF, 4096))
TCP_FASTOPEN = (socket.IPPROTO_TCP, 23, 16)
DEFER_ACCEPT = (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
ZEROCOPY = "s.setsockopt(socket.SOL_SOCKET, 60, 1)"
MSG_ZEROCOPY, MSG_FASTOPEN = 0x4000000, 0x20000000


class Calls(RowCase):
    """Ways to send and receive."""

    def by_calls(self, request, response, sending, answering, taking="s.recv(65536)",
                 getting="s.recv(65536)"):
        """Twice the same: two exchanges, by lines of the puppets' own."""
        self.open()
        for _ in range(2):
            start = self.client.send_by(sending, len(request))
            self.server.do(taking)
            pause()
            first = self.server.send_by(answering, len(response))
            pause()
            self.client.do(getting)
            self.expect("POST" if request == POST else "GET", "200", start, first)
        self.check()

    def test_writev_and_readv(self):
        """Cut in the middle of tokens."""
        self.by_calls(
            POST, OK, f"os.writev(s.fileno(), [{POST[:3]!r}, b'', {POST[3:40]!r}, {POST[40:]!r}])",
            f"os.writev(s.fileno(), [{OK[:4]!r}, {OK[4:11]!r}, {OK[11:]!r}])",
            "os.readv(s.fileno(), [bytearray(5), bytearray(200)])",
            "os.readv(s.fileno(), [bytearray(1), bytearray(200)])")

    def test_writev_of_a_plain_request(self):
        self.by_calls(GET, OK, f"os.writev(s.fileno(), [{GET[:5]!r}, {GET[5:]!r}])",
                      f"os.writev(s.fileno(), [{OK[:20]!r}, {OK[20:]!r}])")

    def test_sendmsg_and_recvmsg(self):
        self.by_calls(GET, OK, f"s.sendmsg([{GET!r}])", f"s.sendmsg([{OK[:-2]!r}, {OK[-2:]!r}])",
                      "s.recvmsg(500)", "s.recvmsg(500)")

    def test_sendmmsg_and_recvmmsg(self):
        """Three requests in one call, and three answers in one."""
        self.open()
        for _ in range(2):
            start = self.client.send_by(f"sendmmsg(s, [{GET!r}, {POST!r}, {GET!r}])",
                                        len(GET + POST + GET))
            self.assertEqual(start.value, 3)
            pause()
            size = len(GET + POST + GET)
            self.server.do(f"recvmmsg(s, [20, 30, {size}])")
            pause()
            first = self.server.send_by(f"sendmmsg(s, [{OK!r}] * 3)", 3 * len(OK))
            pause()
            self.client.do("recvmmsg(s, [10, 10, 10, 200])")
            for operation in ("GET", "POST", "GET"):
                self.expect(operation, "200", start, first)
        self.check()

    def test_zerocopy(self):
        self.open()
        body = 20_000
        head = b"PUT /z HTTP/1.1\r\nHost: row\r\nContent-Length: %d\r\n\r\n" % body
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % body
        for puppet, first in ((self.client, head), (self.server, answer)):
            puppet.do(ZEROCOPY)
            puppet.do(f"data = {first!r} + b'z' * {body}")
        for _ in range(3):
            start = self.client.send_by(f"s.send(data, {MSG_ZEROCOPY})", len(head) + body)
            self.assertEqual(start.value, len(head) + body)
            self.server.do(f"drain(s, {len(head) + body})")
            pause()
            first = self.server.send_by(f"s.send(data, {MSG_ZEROCOPY})", len(answer) + body)
            self.assertEqual(first.value, len(answer) + body)
            self.client.do(f"drain(s, {len(answer) + body})")
            self.expect("PUT", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_peek(self):
        """A look is no read: at the request, twice, and at the answer."""
        self.open()
        for request, operation in ((GET, "GET"), (POST, "POST"), (GET, "GET")):
            start = self.client.send(request)
            for _ in range(2):
                self.server.do("s.recv(1000, socket.MSG_PEEK)")
                pause()
            self.server.take(len(request))
            first = self.server.send(OK)
            self.client.do("s.recv(1000, socket.MSG_PEEK)")
            pause()
            self.client.take(len(OK))
            self.expect(operation, "200", start, first)
        self.check()

    def test_peek_at_pipelined(self):
        """The first part alone, again and again, and then one request after the other."""
        self.open()
        start = self.client.send(GET + POST + GET)
        for operation, request in (("GET", GET), ("POST", POST), ("GET", GET)):
            self.server.do("s.recv(10, socket.MSG_PEEK)")
            self.server.do("s.recv(1000, socket.MSG_PEEK)")
            self.server.take(len(request))
            pause()
            first = self.server.send(OK)
            self.client.take(len(OK))
            self.expect(operation, "200", start, first)
        self.check()

    def unseen(self, line):
        """A request that the server reads in a way that no hook sees: its operation is unknown."""
        self.open()
        self.server.do("r, w = os.pipe()")
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET)
        pause()
        self.assertEqual(self.server.do(line).value, len(GET))
        pause()
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("GET", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        recording = self.finish()
        self.check(recording, sides=("client",), but=("bytes_unseen",))
        self.expected[1] = self.expected[1]._replace(operation="other", status="other")
        self.check(recording, sides=("server",), but=("bytes_unseen",))
        self.assertGreater(recording.dropped()["bytes_unseen"], 0)

    def test_splice(self):
        self.unseen(f"splice(s.fileno(), w, {len(GET)})")

    def test_truncated(self):
        """MSG_TRUNC: the bytes are thrown away unread."""
        self.unseen("LIBC.recv(s.fileno(), None, 1000, socket.MSG_TRUNC)")

    def test_splice_of_a_body(self):
        """What is read so is the body alone: nothing is lost, since no step need see it."""
        self.open()
        size = 30_000
        head = b"PUT /s HTTP/1.1\r\nHost: row\r\nContent-Length: %d\r\n\r\n" % size
        self.server.do("r, w = os.pipe()")
        for _ in range(2):
            start = self.client.send(head)
            self.server.take(len(head))
            self.client.send_by(f"s.sendall(b's' * {size})", size)
            self.server.do(f"splice(s.fileno(), w, {size})")
            self.server.do(f"os.read(r, {size})")
            first = self.server.send(OK)
            self.client.take(len(OK))
            self.expect("PUT", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_io_uring(self):
        """A server that uses nothing else."""
        count = 20
        link = self.known("ring", "ring")
        try:
            ring = self.keep(Dialogue([link, str(self.port), str(count), str(len(GET)),
                                       OK.decode()], self.directory, self.service("ring")))
        except RuntimeError as error:
            self.skipTest(f"no io_uring: {error}")
        if ring.hear() != "ready":
            self.assertEqual(ring.popen.wait(5), 77, ring.stderr())
            self.skipTest(f"no io_uring: {ring.stderr().strip()}")
        self.watch()
        self.connect()
        self.server.do("import builtins as s; s.close = lambda: None")  # it is not in this one
        for _ in range(count):
            start = self.client.send(GET)
            got = self.client.take(len(OK))
            self.expect("GET", "200", start, got._replace(began_ns=start.began_ns))
            self.server.sent += len(OK)
        self.assertEqual(ring.hear(), "done")
        self.server.name = ring.name
        self.check()


class Options(RowCase):
    """Options of sockets, and how connections begin."""

    def test_defer_accept(self):
        """The listener sleeps until data is there."""
        self.server.do(f"l = listen({self.port}, [{DEFER_ACCEPT!r}])")
        self.watch()
        self.connect()
        pause()
        start = self.client.send(GET)
        self.server.do("s = accept(l)")
        self.server.take(len(GET))
        pause()
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("GET", "200", start, first)
        self.exchange(POST, OK, "POST", "200")
        self.check()

    def test_late_accept(self):
        """The whole request waits in the accept queue, and so does its clock."""
        self.server.do(f"l = listen({self.port})")
        self.watch()
        self.connect()
        start = self.client.send(POST)
        pause()
        self.server.do("s = accept(l)")
        self.server.take(len(POST))
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("POST", "200", start, first)
        self.check()

    def test_fast_open(self):
        """Data with the SYN, once the client has the server's cookie."""
        inside = self.network()
        subprocess.run([*inside, "sysctl", "-qw", "net.ipv4.tcp_fastopen=3"], check=True)
        self.server, self.client = self.puppet("in", inside), self.puppet("out", inside)
        self.server.do(f"l = listen({self.port}, [{TCP_FASTOPEN!r}])")
        self.watch()
        for request, operation in ((GET, "GET"), (GET, "GET"), (POST, "POST")):
            self.connections += 1
            self.client.do("s = socket.socket()")
            start = self.client.send_by(
                f"s.sendto({request!r}, {MSG_FASTOPEN}, ('127.0.0.1', {self.port}))",
                len(request))
            self.server.do("s = accept(l)")
            self.server.take(len(request))
            pause()
            first = self.server.send(OK)
            self.client.take(len(OK))
            self.expect(operation, "200", start, first)
            self.client.close()
            self.server.close()
        used = self.server.do("open('/proc/net/netstat').read()").value.split("\n")
        names, values = used[0].split(), used[1].split()
        self.assertGreater(int(values[names.index("TCPFastOpenPassive")]), 0, "no fast open")
        recording = self.finish()
        self.check(recording, sides=("server",), but=("clock", "bytes_unseen"))
        self.assertEqual(recording.dropped()["bytes_unseen"], 2)
        # What the client sends with a SYN no hook sees.
        self.expected[1:] = [e._replace(operation="other", status="other")
                             for e in self.expected[1:]]
        self.check(recording, sides=("client",), but=("clock", "bytes_unseen"))

    def test_low_water_mark(self):
        """SO_RCVLOWAT: nobody is told of the first bytes."""
        self.open()
        self.server.do(f"s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, {len(POST)})")
        sent = []
        for _ in range(2):
            sent.append(self.client.send(POST[:20]))
            pause()
            start = self.client.send(POST[20:])  # the first event at which the server sees them
            self.server.take(len(POST))
            pause()
            first = self.server.send(OK)
            self.client.take(len(OK))
            self.expect("POST", "200", start, first)
        recording = self.finish()
        self.check(recording, sides=("server",))
        self.expected = [e._replace(start=start) for e, start in zip(self.expected, sent)]
        self.check(recording, sides=("client",))

    def workers(self, count):
        """So many connections, each with two exchanges."""
        for _ in range(count):
            self.connect()
            for _ in range(2):
                start = self.client.send(GET)
                got = self.client.take(len(OK))
                self.server.sent += len(OK)
                self.expect("GET", "200", start, got._replace(began_ns=start.began_ns))
            self.client.close()
        self.server.do("s = socket.socket()")

    def test_reuseport(self):
        """Four listeners of one port, a worker of the same service each."""
        option = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        others = [self.puppet("server") for _ in range(3)]
        for each in (self.server, *others):
            each.do(f"l = listen({self.port}, [{option!r}])")
            each.do(f"threading.Thread(target=serve, args=(l, {len(GET)}, {OK!r}), "
                    "daemon=True).start()")
        self.watch()
        self.workers(40)
        self.check()

    def test_inherited_listener(self):
        """Four workers that have inherited one."""
        self.server.do(f"l = listen({self.port})")
        self.watch()
        for _ in range(4):
            self.server.do(f"fork(serve, l, {len(GET)}, {OK!r})")
        self.workers(40)
        self.check()

    def test_passed_to_another(self):
        """SCM_RIGHTS: at the end of the exchange the connection is the other service's."""
        self.open()
        other = self.puppet("other")
        path = os.path.join(self.directory, "pass")
        other.do(f"u = socket.socket(socket.AF_UNIX); u.bind({path!r}); u.listen()")
        self.exchange(GET, OK, "GET", "200")
        self.server.do(f"u = socket.socket(socket.AF_UNIX); u.connect({path!r})")
        self.server.do("socket.send_fds(u, [b'x'], [s.fileno()])")
        other.do("v = u.accept()[0]; s = socket.socket(fileno=socket.recv_fds(v, 1, 1)[1][0])")
        self.server.close()
        for _ in range(3):
            self.client.send(GET)
            other.take(len(GET))
            other.send(OK)
            self.client.take(len(OK))
        self.client.close()
        other.close()
        self.server.do("s = l")
        recording = self.finish()
        self.assert_nothing_dropped(recording)
        ends = {e.service: e for e in recording.endpoints(role="server", port=self.port)}
        here, there = ends[self.server.name], ends[other.name]
        # It is seen to be the other's when that receives: at the end of that exchange it moves.
        self.assertEqual(here.requests + there.requests, 4)
        self.assertGreaterEqual(there.requests, 2)
        self.assertEqual(sum(total(e, "connections", "handed_over") for e in (here, there)), 1)
        self.assertEqual((here.active, there.active), (0, 0))


    @unittest.expectedFailure
    def test_mptcp(self):
        """Counted once, on the parent socket. Such sockets are not observed yet."""
        self.server.do(f"l = listen({self.port}, protocol=262)")
        self.watch()
        self.connections += 1
        self.client.do("s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)")
        self.client.do(f"s.settimeout(20); s.connect(('127.0.0.1', {self.port}))")
        self.server.do("s = l.accept()[0]")
        for _ in range(3):
            self.exchange(GET, OK, "GET", "200")
            pause()
        recording = self.finish()
        for role in ("server", "client"):
            with self.subTest(role=role):
                ends = recording.endpoints(role=role, port=self.port)
                self.assertEqual(sum(e.requests for e in ends), 3)
                self.assertEqual(sum(e.opened for e in ends), 1)


class States(RowCase):
    """What connections go through."""

    def test_half_closed_by_the_client(self):
        """It has sent all it has to say: the answer comes all the same."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        for_end = self.client.send(POST)
        self.client.do("s.shutdown(socket.SHUT_WR)")
        self.server.take(len(POST))
        pause()
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("POST", "200", for_end, first)
        self.check()

    def test_half_closed_by_the_server(self):
        """It has answered, and hears what else the client has to say, unanswered."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.server.do("s.shutdown(socket.SHUT_WR)")
        pause()
        self.client.send(GET)
        self.server.take(len(GET))
        pause()
        self.expect("GET", "none")
        self.check()

    def test_answer_to_the_end(self):
        """Without a length: it ends where the connection does."""
        self.open()
        start = self.client.send(POST)
        self.server.take(len(POST))
        pause()
        first = self.server.send(b"HTTP/1.0 200 OK\r\n\r\nsome")
        pause()
        last = self.server.send(b"more")
        self.server.close()
        self.client.do("take(s, 1000)")
        self.expect("POST", "200", start, first, last)
        self.check()

    def test_window_of_the_client_is_full(self):
        """The answer's last bytes are taken when the client reads at last."""
        self.open(listening=SMALL_BUFFERS, connecting=SMALL_BUFFERS)
        size = 400_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET)
        self.server.take(len(GET))
        first = self.server.send(head)
        self.server.sent += size
        self.server.begin(f"s.sendall(b'w' * {size})")
        for _ in range(3):
            pause()
        drained = self.client.do(f"drain(s, {size + len(head)})")
        last = self.server.end()
        # Its last part is taken while the client reads.
        self.expect("GET", "200", start, first, last._replace(began_ns=drained.began_ns))
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_window_of_the_server_is_full(self):
        self.open(listening=SMALL_BUFFERS, connecting=SMALL_BUFFERS)
        size = 400_000
        head = b"PUT /w HTTP/1.1\r\nHost: row\r\nContent-Length: %d\r\n\r\n" % size
        start = self.client.send(head)
        self.client.sent += size
        self.client.begin(f"s.sendall(b'w' * {size})")
        for _ in range(3):
            pause()
        self.server.do(f"drain(s, {size + len(head)})")
        self.client.end()
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("PUT", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_refused_to_take_anything(self):
        """Sends that the full buffer refuses (EAGAIN) begin no answer and end none."""
        self.open(listening=SMALL_BUFFERS, connecting=SMALL_BUFFERS)
        size = 100_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET)
        self.server.take(len(GET))
        first = self.server.send(head)
        self.server.do("s.setblocking(False)")
        pushed = self.server.do(f"push(s, b'w' * {size})").value
        refusals = 0
        while refusals < 3:
            pause()
            taken = self.server.do("push(s, b'w' * 100)").value
            pushed += taken
            refusals += not taken
        self.client.do(f"drain(s, {len(head) + pushed})")
        self.server.do("s.settimeout(20)")
        self.server.begin(f"s.sendall(b'w' * {size - pushed})")
        self.client.do(f"drain(s, {size - pushed})")
        last = self.server.end()
        self.server.sent += size
        self.expect("GET", "200", start, first, last)
        self.check()


if __name__ == "__main__":
    unittest.main()

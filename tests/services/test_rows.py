# SPDX-License-Identifier: GPL-2.0-or-later
"""design.md, "An exchange, precisely": a test for each row, made step by step at both ends."""

import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.puppet import PAUSE_S, RowCase, pause  # noqa: E402
from goldpan_test.known import export_now  # noqa: E402

GET = b"GET / HTTP/1.1\r\nHost: row\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: row\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: row\r\nContent-Length: 10\r\n\r\n0123456789"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Broken\r\nContent-Length: 1\r\n\r\nb"


class Rows(RowCase):
    def test_idle_between_requests(self):
        self.open()
        for _ in range(5):
            self.exchange(GET, OK, "GET", "200")
            pause()
        self.check()

    def test_request_in_segments(self):
        self.open()
        start = self.client.send(POST[:7])
        for at in range(7, len(POST), 11):
            pause()
            self.client.send(POST[at:at + 11])
        self.server.take(len(POST))
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("POST", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_request_in_segments_read_one_by_one(self):
        self.open()
        start = None
        for at in range(0, len(POST), 9):
            part = POST[at:at + 9]
            start = start or self.client.send(part)
            if at:
                self.client.send(part)
            self.server.take(len(part))
            pause()
        first = self.server.send(MISSING)
        self.client.take(len(MISSING))
        self.expect("POST", "404", start, first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_response_in_several_writes(self):
        self.open()
        start = self.client.send(GET)
        self.server.take(len(GET))
        pause()
        spans = []
        for part in (OK[:5], OK[5:30], OK[30:]):
            spans.append(self.server.send(part))
            self.client.take(len(part))
            pause()
        self.expect("GET", "200", start, spans[0], spans[-1])
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_response_of_a_file(self):
        """sendfile: the bytes are pages that no hook reads. What cannot be seen is the body."""
        self.open()
        size = 50_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        self.server.do("import tempfile; f = tempfile.TemporaryFile()")
        self.server.do(f"f.write(b'f' * {size}); f.flush()")
        for _ in range(3):
            start = self.client.send(GET)
            self.server.take(len(GET))
            first = self.server.send(head)
            pause()
            last = self.server.send_by(f"os.sendfile(s.fileno(), f.fileno(), 0, {size})", size)
            self.assertEqual(last.value, size)
            self.client.do(f"drain(s, {size + len(head)})")
            self.expect("GET", "200", start, first, last)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_response_that_is_a_file_whole(self):
        """By splice from a pipe, the head too: counted by turns on the server's side."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.server.do("r, w = os.pipe()")
        self.server.do(f"os.write(w, {OK!r})")
        start = self.client.send(GET)
        self.server.take(len(GET))
        pause()
        first = self.server.send_by(f"splice(r, s.fileno(), {len(OK)})", len(OK))
        self.client.take(len(OK))
        self.expect("GET", "200", start, first)
        self.exchange(GET, OK, "GET", "200")
        recording = self.finish()
        self.check(recording, sides=("client",), but=("bytes_unseen",))
        self.expected[1] = self.expected[1]._replace(operation="other", status="other")
        self.check(recording, sides=("server",), but=("bytes_unseen",))
        self.assertGreater(recording.dropped()["bytes_unseen"], 0)

    def test_continue(self):
        """1xx is no response: the clock runs on."""
        self.open()
        head, body = POST[:-10], POST[-10:]
        self.exchange(GET, OK, "GET", "200")
        for asides in (1, 3):
            start = self.client.send(head)
            self.server.take(len(head))
            for _ in range(asides):
                self.server.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.client.take(25)
                pause()
            self.client.send(body)
            self.server.take(len(body))
            pause()
            first = self.server.send(BROKEN)
            self.client.take(len(BROKEN))
            self.expect("POST", "500", start, first)
        self.check()

    def test_early_hints(self):
        """103 in front of the answer to a plain request, apart and in one send with it."""
        self.open()
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </s>; rel=preload\r\n\r\n"
        start = self.client.send(GET)
        self.server.take(len(GET))
        self.server.send(hints)
        pause()
        first = self.server.send(OK)
        self.client.take(len(hints + OK))
        self.expect("GET", "200", start, first)
        self.exchange(GET, hints + OK, "GET", "200")
        self.exchange(HEAD, hints + MISSING, "HEAD", "404")
        self.check()

    def test_server_speaks_first(self):
        """Bytes, and no exchange; then turns, of a protocol nobody knows."""
        self.protocol, self.framing = "unknown", "turns"
        self.open()
        self.server.send(b"220 row ready\r\n")
        self.client.take(15)
        pause()
        for _ in range(3):
            self.exchange(b"EHLO row\r\n", b"250 row\r\n", "other", "other")
        self.check()

    def test_server_speaks_alone(self):
        self.protocol, self.framing = "unknown", "none"
        self.open()
        for _ in range(3):
            self.server.send(b"tick\r\n")
            self.client.take(6)
        self.check()

    def test_aborted_before_it_was_read(self):
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.client.send(GET)
        pause()
        self.server.do("reset(s)")
        self.client.do("s.close()")
        self.expect("GET", "none")
        recording = self.finish()
        self.check(recording, sides=("client",))
        self.expected[-1] = self.expected[-1]._replace(operation="other")  # nobody looked at it
        self.check(recording, sides=("server",))

    def test_aborted_by_the_client(self):
        """It hangs up on a request that was read, and on one that is not whole."""
        for request, operation in ((GET, "GET"), (POST[:-3], "POST")):
            with self.subTest(operation=operation):
                self.port += 1
                self.expected, self.connections = [], 0
                self.client.sent = self.server.sent = 0
                self.open()
                self.exchange(GET, OK, "GET", "200")
                self.client.send(request)
                self.server.take(len(request))
                pause()
                self.expect(operation, "none")
                self.check()

    def test_cut_off_in_the_answer(self):
        """The answer had begun: in the histogram, to its last byte."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET)
        self.server.take(len(GET))
        pause()
        first = self.server.send(OK[:30])
        pause()
        last = self.server.send(OK[30:-1])
        self.client.take(len(OK) - 1)
        pause()
        self.server.do("s.close()")
        self.expect("GET", "200", start, first, last)
        self.check()

    def test_bytes_that_nobody_reads(self):
        """Many requests that were never read are one aborted exchange."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        for _ in range(3):
            self.client.send(GET + GET)
        pause()
        self.server.do("s.close()")
        self.expect("other", "none")
        self.check(sides=("server",))

    def test_too_little_to_tell(self):
        """The first bytes of a request, which say nothing yet, and then the client leaves."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.client.send(GET[:2])
        self.server.take(2)
        pause()
        for role in ("server", "client"):
            found, = [r for r in export_now(self.observer) if r["type"] == "endpoint"
                      and r["role"] == role and r["protocol"] == "http"]
            self.assertEqual(found["in_flight"]["now"], 1)
        self.expect("other", "none")
        self.check()

    def test_no_answer(self):
        """A request that hangs is seen, with its age, though nothing completes."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET)
        self.server.take(len(GET))
        time.sleep(0.5)
        for role in ("server", "client"):
            before = time.monotonic_ns()
            found, = [r for r in export_now(self.observer)
                      if r["type"] == "endpoint" and r["role"] == role and r["in_flight"]["now"]]
            after = time.monotonic_ns()
            self.assertEqual(found["in_flight"]["now"], 1)
            age_ns = found["in_flight"]["oldest_s"] * 1e9
            self.assertGreaterEqual(age_ns, before - start.ended_ns)
            self.assertLessEqual(age_ns, after - start.began_ns)
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("GET", "200", start, first)
        self.check()

    def test_hand_off(self):
        """One thread reads, another answers: the duration is exact."""
        self.open()
        for _ in range(3):
            start = self.client.send(GET)
            self.server.take(len(GET))
            pause()
            first = self.server.send_by(
                f"t = threading.Thread(target=s.sendall, args=({OK!r},)); t.start(); t.join()",
                len(OK))
            self.client.take(len(OK))
            self.expect("GET", "200", start, first)
        self.check()


class Quiet(RowCase):
    """Answers that pause for longer than an exchange by turns may be quiet."""

    def pausing(self, request, operation):
        self.open()
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(request)
        self.server.take(len(request))
        first = self.server.send(OK[:-1])
        time.sleep(2.5)
        last = self.server.send(OK[-1:])
        self.client.take(len(OK))
        self.expect(operation, "200", start, first, last)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_answer_that_pauses(self):
        self.pausing(GET, "GET")

    def test_answer_that_pauses_to_a_body(self):
        self.pausing(POST, "POST")


class Pipelined(RowCase):
    def answer(self, starts, kinds):
        """Answers each in turn, a pause before each."""
        for start, (operation, status, response) in zip(starts, kinds):
            pause()
            first = self.server.send(response)
            self.client.take(len(response))
            self.expect(operation, status, start, first)

    KINDS = ("GET", "200", OK), ("POST", "500", BROKEN), ("GET", "404", MISSING)

    def test_one_segment(self):
        """They share the arrival; the wait behind earlier ones is in the duration."""
        self.open()
        start = self.client.send(GET + POST + GET)
        self.server.take(len(GET + POST + GET))
        self.answer((start,) * 3, self.KINDS)
        self.check()

    def test_one_segment_one_answer(self):
        self.open()
        self.exchange(GET, OK, "GET", "200")
        start = self.client.send(GET * 40)
        self.server.take(len(GET) * 40)
        pause()
        first = self.server.send(OK * 40)
        self.client.take(len(OK) * 40)
        for _ in range(40):
            self.expect("GET", "200", start, first)
        self.check()

    def test_many_segments(self):
        """Cut anywhere: each has the arrival of the segment that it begins in."""
        self.open()
        whole, begins = GET + POST + GET, (0, len(GET), len(GET + POST))
        sent = []
        for at in range(0, len(whole), 23):
            sent.append((at, self.client.send(whole[at:at + 23])))
            pause()
        self.server.take(len(whole))
        starts = [[span for at, span in sent if at <= begin][-1] for begin in begins]
        self.answer(starts, self.KINDS)
        self.check(but=("pipeline",))

    def test_read_late(self):
        """They arrive apart, and are read together."""
        self.open()
        for _ in range(2):
            starts = []
            for request in (GET, POST, GET):
                starts.append(self.client.send(request))
                pause()
            self.server.take(len(GET + POST + GET))
            self.answer(starts, self.KINDS)
        self.check()

    def test_read_one_by_one(self):
        """All arrive at once, and each is read when the one before is answered."""
        self.open()
        for _ in range(2):
            start = self.client.send(GET + POST + GET)
            for request, kind in zip((GET, POST, GET), self.KINDS):
                self.server.take(len(request))
                self.answer((start,), (kind,))
        self.check()

    def test_read_apart_and_answered_together(self):
        self.open()
        start = self.client.send(GET + POST + GET)
        for request in (GET, POST, GET):
            self.server.take(len(request))
            pause()
        response = OK + BROKEN + MISSING
        first = self.server.send(response)
        self.client.take(len(response))
        for operation, status, _ in self.KINDS:
            self.expect(operation, status, start, first)
        self.check()

    def test_sent_before_the_answer(self):
        """Keep-alive, and the next request is there before the answer to the one before it."""
        self.open()
        starts = [self.client.send(GET)]
        for turn in range(6):
            self.server.take(len(GET))
            starts.append(self.client.send(GET))
            pause()
            first = self.server.send(OK)
            self.client.take(len(OK))
            self.expect("GET", "200", starts[turn], first)
        self.server.take(len(GET))
        first = self.server.send(OK)
        self.client.take(len(OK))
        self.expect("GET", "200", starts[6], first)
        self.exchange(GET, OK, "GET", "200")
        self.check()

    def test_more_arrivals_than_are_kept(self):
        """Older arrivals merge, which is counted; the number stays exact."""
        self.open()
        starts = []
        for _ in range(20):
            starts.append(self.client.send(GET))
            time.sleep(PAUSE_S / 10)
        self.server.take(len(GET) * 20)
        first = self.server.send(OK * 20)
        self.client.take(len(OK) * 20)
        for _ in range(20):  # the first one's arrival stands for the merged ones
            self.expect("GET", "200", starts[0]._replace(ended_ns=starts[-1].ended_ns), first)
        recording = self.check(but=("pipeline",))
        self.assertGreater(recording.dropped()["pipeline"], 0)

    def test_in_flight(self):
        """Each one that waits is in flight."""
        self.open()
        start = self.client.send(GET + POST + GET)
        self.server.take(len(GET + POST + GET))
        self.answer((start,), self.KINDS[:1])
        for role in ("server", "client"):
            found, = [r for r in export_now(self.observer) if r["type"] == "endpoint"
                      and r["role"] == role and r["protocol"] == "http"]
            self.assertEqual(found["in_flight"]["now"], 2)
            self.assertGreater(found["in_flight"]["oldest_s"], PAUSE_S)
        self.answer((start,) * 2, self.KINDS[1:])
        self.check()

    def test_begun_with_the_one_before(self):
        """Its first bytes are read with the request before it, too few to tell a message; the rest
        once that is answered. Then it is in flight, and where its time goes is known."""
        self.open()
        start = self.client.send(GET + GET + POST[:3])
        self.server.take(len(GET + GET) + 3)
        self.answer((start,) * 2, self.KINDS[:1] * 2)
        self.client.send(POST[3:])
        self.server.take(len(POST) - 3)
        pause()
        for role in ("server", "client"):
            found, = [r for r in export_now(self.observer) if r["type"] == "endpoint"
                      and r["role"] == role and r["protocol"] == "http"]
            self.assertEqual(found["in_flight"]["now"], 1)
        self.answer((start,), self.KINDS[1:2])
        recording = self.check()
        stages = recording.endpoint(role="server", port=self.port).records[-1]["stages_s"]
        self.assertLess(stages["unattributed"], PAUSE_S)
        self.assertGreater(stages["sleep"], PAUSE_S)

    def test_aborted_with_some_waiting(self):
        """Three requests, one answer, and the server hangs up."""
        self.open()
        start = self.client.send(GET + POST + GET)
        self.server.take(len(GET + POST + GET))
        self.answer((start,), self.KINDS[:1])
        self.server.do("s.close()")
        self.expect("POST", "none")
        self.expect("GET", "none")
        self.check()

    def test_nonsense_with_some_waiting(self):
        """What waits when its connection falls out of step is counted, as a call, too."""
        self.open()
        self.exchange(GET, OK, "GET", "200")
        self.client.send(GET * 4)
        self.server.take(len(GET) * 4)
        self.server.send(OK + b"nonsense\n\n")
        self.client.take(len(OK) + 10)
        recording = self.finish()
        self.assertGreater(recording.dropped()["bytes_unseen"], 0)
        for role in ("server", "client"):
            self.assertEqual(recording.endpoint(role=role, port=self.port).requests, 5)
        calls = sum(edge["calls"] for edge in recording.of_type("edge"))
        self.assertEqual(calls, 5)

    def test_some_unread_at_the_end(self):
        """One is answered and two are never read: these are one exchange, whatever they hold."""
        self.open()
        start = self.client.send(GET + POST + GET)
        self.server.take(len(GET))
        self.answer((start,), self.KINDS[:1])
        self.server.do("s.close()")
        self.expect("other", "none")
        self.check(sides=("server",))


if __name__ == "__main__":
    unittest.main()

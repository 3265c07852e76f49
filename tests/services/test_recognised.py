# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens before a connection's protocol is known goes to the protocol that was last
recognised at the same place (design.md, "endpoint"); only what is of none stays `unknown`."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.puppet import RowCase, pause  # noqa: E402

GET = b"GET / HTTP/1.1\r\nHost: row\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASKED, TOLD = b"\x00\x01ask", b"\x00\x02told"
FEW = 10  # exchanges after which a connection is looked at no more


class Recognised(RowCase):
    def setUp(self):
        super().setUp()
        self.server.do(f"l = listen({self.port}, ())")
        # One export, at the end: nothing is shown before something was recognised.
        self.observer = self.goldpan("-p", self.port, interval="600s")

    def opened(self, *names):
        """Connections of these names, in both puppets."""
        for name in names:
            self.client.do(f"{name} = connect({self.port}, ())")
            self.server.do(f"{name} = accept(l)")

    def closed(self, *names):
        for name in names:
            self.client.close(name)
            self.server.close(name)

    def talk(self, name, request, response):
        self.client.send(request, name)
        self.server.take(len(request), name)
        self.server.send(response, name)
        self.client.take(len(response), name)

    def ends(self):
        """Both ends as goldpan has them: what each protocol has, by its name."""
        pause()
        recording = self.observer.finish()
        self.assert_nothing_dropped(recording)
        for role in ("server", "client"):
            have = {}
            for r in recording.of_type("endpoint", role=role, port=self.port):
                self.assertNotIn(r["protocol"], have)
                connections = r["connections"]
                have[r["protocol"]] = (r["requests"], r["errors"]["aborted"], r["bytes"]["in"],
                                       r["bytes"]["out"], connections["opened"],
                                       connections["closed"], connections["active"])
            yield role, have

    def mirrored(self, role, inward, outward):
        return (inward, outward) if role == "server" else (outward, inward)

    def test_opened_before_the_first_was_recognised(self):
        """One that is recognised, one that never says anything, one whose request is never read,
        and one that speaks something else."""
        self.opened("says", "mute", "unread", "other")
        for _ in range(FEW):
            self.talk("other", ASKED, TOLD)
        self.talk("says", GET, OK)
        self.client.send(GET, "unread")
        pause()
        self.server.close("unread")
        self.client.close("unread")
        self.closed("says", "mute", "other")
        for role, have in self.ends():
            with self.subTest(role=role):
                self.assertEqual(have, {
                    "http": (2, 1, *self.mirrored(role, 2 * len(GET), len(OK)), 4, 3, 0),
                    "unknown": (FEW, 0, *self.mirrored(role, FEW * len(ASKED), FEW * len(TOLD)),
                                0, 1, 0)})

    def test_open_at_the_end(self):
        """Neither has said a byte; the request of the other is not read yet."""
        self.opened("says", "mute", "unread")
        self.talk("says", GET, OK)
        self.client.send(GET, "unread")
        for role, have in self.ends():
            with self.subTest(role=role):
                self.assertEqual(have, {
                    "http": (1, 0, *self.mirrored(role, 2 * len(GET), len(OK)), 3, 0, 3)})

    def test_one_that_seems_to_speak_it(self):
        """It is of none, as its answer shows: and changes nothing for those to come."""
        self.opened("says")
        self.talk("says", GET, OK)
        self.opened("seems")
        self.talk("seems", GET, TOLD)
        self.opened("mute")
        self.closed("says", "seems", "mute")
        for role, have in self.ends():
            with self.subTest(role=role):
                self.assertEqual(have, {
                    "http": (1, 0, *self.mirrored(role, len(GET), len(OK)), 3, 2, 0),
                    "unknown": (1, 0, *self.mirrored(role, len(GET), len(TOLD)), 0, 1, 0)})


if __name__ == "__main__":
    unittest.main()

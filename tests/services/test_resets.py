# SPDX-License-Identifier: GPL-2.0-or-later
"""Resets of connections, at both ends, against those that the test has made."""

import os
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.known import KnownCase, total  # noqa: E402
from goldpan_test.servers import wait_closed  # noqa: E402

RESETS = 25
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closed by a reset


class Resets(KnownCase):
    def test_reset_by_clients(self):
        server = self.slow()
        goldpan = self.goldpan("-p", str(server.port))
        for i in range(2 * RESETS):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                if i % 2:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                time.sleep(0.002)  # it is accepted by then
        wait_closed(server.port)
        recording = goldpan.finish()
        for role, sent, received in (("server", 0, RESETS), ("client", RESETS, 0)):
            endpoint = recording.endpoint(role=role, port=server.port)
            self.assertEqual((total(endpoint, "tcp", "resets_sent"),
                              total(endpoint, "tcp", "resets_received"), endpoint.opened),
                             (sent, received, 2 * RESETS), role)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""nginx as a proxy of a slow server and of static files at once: what it waited for the one is
`downstream`, the other has none, and the edges say who called whom how often."""

import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import loads  # noqa: E402
from goldpan_test.harness import free_ports  # noqa: E402
from goldpan_test.places import PlacesCase, Stages  # noqa: E402
from goldpan_test.servers import Nginx, wait_closed  # noqa: E402

CLOSE = 0.02
SLACK_S = 50e-6  # a request
CONNECTIONS = 64
SLOW_US = 20_000
PROXIED, STATIC = 4000, 20000
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'


class Proxy(PlacesCase):
    def serve(self, is_kept):
        """An nginx with one worker for both: a proxy of `self.upstream`, and static files; on their
        ports, and on a third one static files again."""
        self.upstream = self.places("-s", SLOW_US, stem="upstream")
        first = free_ports(3)
        self.proxied, self.static, self.alone = range(first, first + 3)
        keep, kept = (f"keepalive {CONNECTIONS};", KEPT) if is_kept else ("", "")
        self.keep(Nginx(self.directory, [self.static, self.alone], http=f"""
            upstream slow {{ server 127.0.0.1:{self.upstream.port}; {keep} }}
            server {{ listen 127.0.0.1:{self.proxied};
                      location / {{ proxy_pass http://slow; {kept} }} }}"""))

    def load(self):
        """Both kinds of request at once, then static ones alone."""
        side = threading.Thread(target=loads.ab, args=(self.static, STATIC, CONNECTIONS, True))
        side.start()
        loads.ab(self.proxied, PROXIED, CONNECTIONS, keep_alive=True)
        side.join()
        loads.ab(self.alone, STATIC, CONNECTIONS, keep_alive=True)
        for port in (self.proxied, self.static, self.alone):
            wait_closed(port)

    def check_downstream(self, recording):
        """What the proxy waited is what its calls took, by their own ends."""
        stages = Stages(recording.endpoint(service="nginx", role="server", port=self.proxied))
        client = recording.endpoint(service="nginx", role="client", port=self.upstream.port)
        server = recording.endpoint(service=self.upstream.name, role="server")
        self.assertEqual((stages.requests, client.requests, server.requests), (PROXIED,) * 3)
        for end in (client, server):
            self.assert_near(stages["downstream"], end.first_byte.sum_s, CLOSE,
                             f"downstream of {stages} and the calls at {end}",
                             slack=SLACK_S * PROXIED)
        self.assertGreater(stages["downstream"], PROXIED * SLOW_US / 1e6)
        for port in (self.static, self.alone):
            stages = Stages(recording.endpoint(service="nginx", role="server", port=port))
            self.assertEqual((stages.requests, stages["downstream"]), (STATIC, 0), stages)

    def check_edges(self, recording):
        """As many calls as the upstream had requests, all on behalf of the proxy's endpoint."""
        calls, seconds = {}, 0.0
        for edge in recording.of_type("edge"):
            to = edge["to"]
            if to["port"] == self.upstream.port and edge["service"] != self.service("asker"):
                key = edge["service"], edge["port"], to["service"], to["address"]
                calls[key] = calls.get(key, 0) + edge["calls"]
                seconds += edge["seconds"]
            self.assertNotIn(edge["port"], (self.static, self.alone), edge)
        self.assertEqual(calls, {("nginx", self.proxied, self.upstream.name, "127.0.0.1"): PROXIED})
        client = recording.endpoint(service="nginx", role="client", port=self.upstream.port)
        self.assert_near(seconds, client.latency.sum_s, CLOSE, "seconds of the edge")

    def check(self, is_kept):
        self.serve(is_kept)
        goldpan = self.goldpan()
        self.load()
        recording = goldpan.finish()
        self.assert_nothing_dropped(recording)
        self.check_downstream(recording)
        self.check_edges(recording)

    def test_kept_connections_to_the_upstream(self):
        self.check(is_kept=True)

    def test_a_connection_for_each_call(self):
        self.check(is_kept=False)


if __name__ == "__main__":
    unittest.main()

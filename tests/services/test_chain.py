# SPDX-License-Identifier: GPL-2.0-or-later
"""A chain of proxies: a client, an nginx, another one, and a server behind them. Both ends of each
hop say the same, and it is what the client counts and what a capture of the hop holds; the edges
say that each asked the next as often as it was asked."""

import collections
import copy
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import (capture, http_client, mixes, postgresql_client,  # noqa: E402
                          redis_client)
from goldpan_test.clients import batches, together  # noqa: E402
from goldpan_test.harness import free_ports  # noqa: E402
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.protocols import ATTEMPTS, ProtocolCase  # noqa: E402
from goldpan_test.servers import NGINX, Nginx, Redis  # noqa: E402

REQUESTS = 10000
WORKERS = 4
DEPTH = 16
HOPS = 3
STREAM = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;"


def known_method(rng):
    """As mixes.http. What a proxy asks first on a connection to the next may be any of them, and an
    unknown method is no sign of the protocol."""
    while True:
        request = mixes.http(rng)
        if request.method in http_client.METHODS:
            return request


class ChainCase(ProtocolCase):
    """Three ports from `first` on: of the proxies `front` and `back`, and of the server."""

    maxDiff = None
    server_name = None

    def named(self, stem):
        """nginx as a program, and so a service, of its own."""
        link = os.path.join(self.directory, f"{stem}-{os.getpid()}"[:15])
        if not os.path.islink(link):
            os.symlink(NGINX, link)
        return link

    def proxy(self, stem, port):
        """An nginx on `port` before whatever listens on the next one."""
        raise NotImplementedError

    def serve(self, port):
        """What stands at the chain's end."""
        raise NotImplementedError

    def job(self, port, seed, depth):
        """The load of one client: its account."""
        raise NotImplementedError

    def observed(self, depth):
        """(first port, the clients' account, the recording, the capture's totals by port)."""
        for _ in range(ATTEMPTS):
            first = free_ports(HOPS)
            ports = range(first, first + HOPS)
            self.serve(ports[2])
            self.names = [os.path.basename(self.proxy(stem, port).popen.args[0])
                          for stem, port in (("back", ports[1]), ("front", ports[0]))][::-1]
            tcpdump = self.keep(capture.Capture(self.directory, ports[0], ports[2]))
            self.observe(first, HOPS)
            account = together([lambda seed=seed: self.job(first, seed, depth)
                                for seed in range(WORKERS)])
            recording = self.finish()
            try:
                return first, account, recording, capture.count(tcpdump.finish(), ports)
            except capture.Dropped:
                continue
        raise capture.Dropped(f"in each of {ATTEMPTS} runs")

    def check_edges(self, recording, first, account, may_lose_caller):
        """Each asked the next on behalf of its own endpoint, and the clients on nobody's, as often
        as was asked."""
        calls, errors = collections.Counter(), 0
        for edge in recording.of_type("edge"):
            to = edge["to"]
            self.assertEqual(to["protocol"], self.protocol, edge)
            caller = edge["service"], edge["port"], edge["protocol"]
            if may_lose_caller and to["port"] == first + 1:
                self.assertIn(caller, ((self.names[0], first, self.protocol), (None,) * 3))
                caller = (self.names[0], first, self.protocol)
            calls[caller, to["service"], to["port"]] += edge["calls"]
            errors += edge["errors"]
        front, back = self.names
        self.assertEqual(dict(calls), {
            ((None, None, None), front, first): account.total(),
            ((front, first, self.protocol), back, first + 1): account.total(),
            ((back, first + 1, self.protocol), self.server_name, first + 2): account.total()})
        self.assertEqual(errors, HOPS * account.with_status(self.client.is_server_error))

    def check_chain(self, depth, but=(), may_lose_caller=False):
        first, account, recording, wire = self.observed(depth)
        self.assertGreaterEqual(account.total(), REQUESTS)
        self.assertEqual((wire[first].bytes_in, wire[first].bytes_out, wire[first].connections),
                         (account.sent, account.received, account.connections))
        for port in range(first, first + HOPS):
            hop = copy.copy(account)
            hop.sent, hop.received = wire[port].bytes_in, wire[port].bytes_out
            hop.connections = wire[port].connections
            self.check(recording, port, hop, but)
        self.check_edges(recording, first, account, may_lose_caller)


class StreamCase(ChainCase):
    """Proxies that pass bytes on and know nothing of what they mean."""

    def proxy(self, stem, port):
        return self.keep(Nginx(self.directory, [free_ports()], program=self.named(stem), top=f"""
            {STREAM}
            stream {{ server {{ listen 127.0.0.1:{port}; tcp_nodelay on;
                                proxy_pass 127.0.0.1:{port + 1}; }} }}"""))


class RedisChain(StreamCase):
    protocol, client, server_name = "redis", redis_client, "redis-server"

    def serve(self, port):
        self.keep(Redis(self.directory, port))

    def job(self, port, seed, depth):
        rng = random.Random(seed)
        return redis_client.load(port, batches(rng, lambda r: mixes.redis(r, 60),
                                               REQUESTS // WORKERS, depth))

    def test_one_by_one(self):
        self.check_chain(1)

    def test_pipelined(self):
        self.check_chain(DEPTH, but=("pipeline",))


class PostgreSQLChain(StreamCase):
    protocol, client, server_name = "postgresql", postgresql_client, "postgres"

    def serve(self, port):
        self.keep(PostgreSQL(self.directory, port))

    def job(self, port, seed, depth):
        rng = random.Random(seed)
        return postgresql_client.load(port, batches(rng, mixes.postgresql, REQUESTS // WORKERS,
                                                    depth), first=mixes.POSTGRESQL_FIRST)

    def test_one_by_one(self):
        self.check_chain(1)

    def test_pipelined(self):
        self.check_chain(DEPTH, but=("pipeline",))


class HttpChain(ChainCase):
    """Proxies that speak the protocol, and keep connections to the next one."""

    protocol, client, server_name = "http", http_client, "nginx"

    def serve(self, port):
        self.keep(mixes.MixedNginx(self.directory, [port]))

    def proxy(self, stem, port):
        return self.keep(Nginx(self.directory, [free_ports()], program=self.named(stem), http=f"""
            upstream next {{ server 127.0.0.1:{port + 1}; keepalive {WORKERS};
                             keepalive_timeout 1s; }}
            server {{ listen 127.0.0.1:{port}; client_max_body_size 300k;
                      location / {{ proxy_pass http://next; proxy_http_version 1.1;
                                    proxy_set_header Connection ""; }} }}"""))

    def job(self, port, seed, depth):
        rng = random.Random(seed)
        return http_client.load(port, batches(rng, known_method, REQUESTS // WORKERS, depth))

    def test_one_by_one(self):
        self.check_chain(1)

    def test_pipelined(self):
        """To the first; it asks the next for one after the other. A request that lies in the
        proxy's own memory while that serves others begins unseen: the call for it is nobody's."""
        self.check_chain(DEPTH, but=("pipeline",), may_lose_caller=True)


if __name__ == "__main__":
    unittest.main()

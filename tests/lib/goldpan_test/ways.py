# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways in which real clients use real servers that every claim is tested on."""

from . import loads
from .capture import Capture, Dropped
from .harness import free_ports, thinned
from .servers import Nginx, Redis, wait_closed

REQUESTS = thinned(50000)
ATTEMPTS = 3


class NginxWay:
    """One static page from nginx with one worker, by ApacheBench."""

    services = ("nginx", "ab")

    def __init__(self, connections, keep_alive):
        self.connections, self.keep_alive = connections, keep_alive

    def serve(self, case, ports):
        """Starts what listens on `ports`; it ends with the test."""
        self.nginx = case.keep(Nginx(case.directory, ports))

    def load(self, port):
        """One run; the client's own count."""
        return loads.ab(port, REQUESTS, self.connections, self.keep_alive)

    def served(self, port):
        """What the server itself counts. Ends it: only then the log is whole."""
        self.nginx.stop()
        return self.nginx.requests_by_port()[port]

    def extra(self, _port, _framing):
        """Exchanges of a run that the client does not count."""
        return 0


class RedisWay:
    """GET of a value of 100 bytes, by redis-benchmark; a server for each port."""

    services = ("redis-server", "redis-benchmark")

    def __init__(self, connections):
        self.connections = connections

    def serve(self, case, ports):
        self.servers = {port: case.keep(Redis(case.directory, port)) for port in ports}
        for server in self.servers.values():
            server.command("SET", "key:__rand_int__", "g" * 100)

    def load(self, port):
        return loads.redis_benchmark(port, REQUESTS, self.connections)

    def served(self, port):
        return self.servers[port].calls()["get"]

    def extra(self, port, framing):
        """redis-benchmark asks for two settings in one write: by turns that is one exchange."""
        others = sum(n for name, n in self.servers[port].calls().items() if name != "get")
        return min(others, 1) if framing == "turns" else others


class EveryWay:
    """Beside Case: each way is a test, and `try_way(way)` of the test class is what it does."""

    def test_nginx_keep_alive_1(self):
        self.try_way(NginxWay(1, True))

    def test_nginx_keep_alive_16(self):
        self.try_way(NginxWay(16, True))

    def test_nginx_keep_alive_256(self):
        self.try_way(NginxWay(256, True))

    def test_nginx_connection_for_each_request(self):
        self.try_way(NginxWay(16, False))

    def test_redis_1(self):
        self.try_way(RedisWay(1))

    def test_redis_50(self):
        self.try_way(RedisWay(50))

    def observe(self, way, count):
        """Runs the way once on each of `count` new ports, one goldpan and one capture watching.

        Returns (ports, {port: the client's count}, recording, capture file). A capture with losses
        says nothing, so all is done again then."""
        for attempt in range(1, ATTEMPTS + 1):
            first = free_ports(count)
            ports = range(first, first + count)
            way.serve(self, ports)
            tcpdump = self.keep(Capture(self.directory, ports[0], ports[-1]))
            goldpan = self.goldpan()
            clients = {}
            for port in ports:
                clients[port] = way.load(port)
                wait_closed(port)
            recording = goldpan.finish()
            try:
                return ports, clients, recording, tcpdump.finish()
            except Dropped:
                if attempt == ATTEMPTS:
                    raise

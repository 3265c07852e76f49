# SPDX-License-Identifier: GPL-2.0-or-later
"""Listeners and connections that pass from one process to another: the service is that of who
serves, every exchange is counted once, and `handed_over` counts connections that changed service.
"""

import os
import shutil
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import free_ports, wait_until  # noqa: E402
from goldpan_test.known import export_now, total  # noqa: E402
from goldpan_test.puppet import PUPPET, Puppet, RowCase  # noqa: E402
from goldpan_test.servers import accepts, wait_closed  # noqa: E402

PAGE = b"g" * 612
ACTIVATE = "/usr/bin/systemd-socket-activate"
ASK, ANSWER = b"?" * 8, b"!" * 8


GET = b"GET / HTTP/1.1\r\nHost: page\r\n\r\n"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return file.read().split()


def read_page(client):
    answer = b""
    while not answer.endswith(PAGE):
        more = client.recv(65536)
        if not more:
            raise ConnectionError(f"closed behind {answer!r}")
        answer += more


def get(client, times=1):
    for _ in range(times):
        client.sendall(GET)
        read_page(client)


class Upgrade(RowCase):
    """nginx replaces itself by a new binary (SIGUSR2) while it serves."""

    def start_nginx(self):
        home = os.path.join(self.directory, "nginx")
        os.makedirs(os.path.join(home, "www"))
        with open(os.path.join(home, "www", "index.html"), "wb") as page:
            page.write(PAGE)
        self.pid_path = os.path.join(home, "pid")
        config = os.path.join(home, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"""
worker_processes 2; pid {self.pid_path}; error_log {home}/error;
events {{ worker_connections 100; }}
http {{
    access_log off; keepalive_timeout 600; keepalive_requests 100000;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{ listen 127.0.0.1:{self.port}; root {home}/www; }}
}}
""")
        os.chmod(home, 0o755)
        # It becomes a daemon of its own: only such a one replaces its binary.
        self.start([shutil.which("nginx") or "/usr/sbin/nginx", "-c", config, "-p", home])
        wait_until(lambda: accepts(self.port) and self.pid(), 10, "nginx listening")
        wait_closed(self.port)
        self.addCleanup(self.end_nginx)

    def pid(self, suffix=""):
        """Of the master, or None."""
        try:
            with open(self.pid_path + suffix, encoding="ascii") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def end_nginx(self):
        for suffix in (".oldbin", ""):
            if self.pid(suffix):
                os.kill(self.pid(suffix), signal.SIGTERM)
        wait_until(lambda: not self.pid(), 10, "the end of nginx")

    def upgrade(self):
        old = self.pid()
        os.kill(old, signal.SIGUSR2)
        wait_until(lambda: self.pid(".oldbin") == old and self.pid() not in (None, old), 10,
                   "the new master")
        time.sleep(0.2)  # its workers
        os.kill(old, signal.SIGQUIT)  # the old ones serve until their connections close
        wait_until(lambda: len(children(old)) == 2, 10, "the end of the worker that is idle")
        time.sleep(0.5)  # and the other one has left the listener

    def check_upgrade(self, observer):
        kept = socket.create_connection(("127.0.0.1", self.port))
        get(kept, 5)
        kept.sendall(GET[:-2])
        self.upgrade()
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                get(client, 2)
        kept.sendall(GET[-2:])
        read_page(kept)  # the old worker's last answer
        kept.close()
        wait_closed(self.port)
        recording = observer.finish()
        end = recording.endpoint(role="server", port=self.port)
        self.assertEqual((end.service, end.requests, end.aborted, end.opened, end.closed),
                         ("nginx", 106, 0, 51, 51))
        self.assertEqual(total(end, "connections", "handed_over"), 0)
        last = [r["accept_queue"]["limit"] for r in end.records
                if r["time"] == max(r["time"] for r in end.records)]
        self.assertEqual([limit for limit in last if limit], [511])
        self.assert_nothing_dropped(recording)

    def test_under_goldpan(self):
        observer = self.goldpan("-p", str(self.port))
        self.start_nginx()
        observer.discard()
        self.check_upgrade(self.goldpan("-p", str(self.port)))

    def test_started_under_goldpan(self):
        self.port = free_ports()
        observer = self.goldpan("-p", str(self.port), interval="60s")
        self.start_nginx()
        before = export_now(observer)
        self.assertTrue(before)
        os.kill(self.pid(), signal.SIGUSR2)
        wait_until(lambda: self.pid(".oldbin"), 10, "the new master")
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            get(client, 20)
        wait_closed(self.port)
        end = observer.finish().endpoint(role="server", port=self.port)
        self.assertEqual((end.service, end.requests), ("nginx", 20))


class Activation(RowCase):
    """One program listens, another one serves."""

    def test_by_systemd(self):
        """systemd's own, which becomes the server at the first connection."""
        if not os.path.exists(ACTIVATE):
            self.skipTest("no systemd-socket-activate")
        link = os.path.join(self.directory, self.service("activated"))
        os.symlink("/usr/bin/python3", link)
        observer = self.goldpan("-p", str(self.port), interval="60s")
        server = self.keep(Puppet([ACTIVATE, "-l", f"127.0.0.1:{self.port}", link, PUPPET],
                                  self.directory, "systemd-socket-"))
        wait_until(lambda: accepts(self.port), 10, "a listener")  # that is the first connection
        server.do("l = socket.socket(fileno=3)")
        server.do("accept(l).close()")
        server.do(f"fork(serve, l, {len(ASK)}, {ANSWER!r})")
        for _ in range(30):
            self.client.do(f"s = connect({self.port})")
            self.client.do(f"s.sendall({ASK!r})")
            self.client.take(len(ANSWER))
            self.client.do("s.close()")
        wait_closed(self.port)
        queues = {r["service"]: r["accept_queue"] for r in export_now(observer)
                  if r["type"] == "endpoint" and r["role"] == "server"}
        self.assertGreater(queues.pop(self.service("activated"))["limit"], 0)
        for queue in queues.values():
            self.assertFalse(queue and queue["limit"], "the listener belongs to who serves")
        recording = observer.finish()
        ends = recording.endpoints(role="server", port=self.port)
        self.assertEqual(sum(e.requests for e in ends if e.service == self.service("activated")),
                         30)
        self.assertEqual(sum(e.requests for e in ends), 30)
        self.assert_nothing_dropped(recording)

    def test_prefork(self):
        """The parent listens, children of another program accept and serve."""
        observer = self.goldpan("-p", str(self.port))
        link = os.path.join(self.directory, self.service("worker"))
        os.symlink("/usr/bin/python3", link)
        work = ("import socket\nl = socket.socket(fileno=3)\nwhile True:\n"
                " with l.accept()[0] as s:\n"
                f"  while s.recv({len(ASK)}): s.sendall({ANSWER!r})")
        self.server.do(f"l = listen({self.port})")
        self.server.do("import subprocess; os.dup2(l.fileno(), 3)")
        self.server.do(f"w = [subprocess.Popen([{link!r}, '-c', {work!r}], pass_fds=[3]) "
                       "for _ in range(3)]")
        for _ in range(60):
            self.client.do(f"s = connect({self.port})")
            self.client.do(f"s.sendall({ASK!r})")
            self.client.take(len(ANSWER))
            self.client.do("s.close()")
        wait_closed(self.port)
        recording = observer.finish()
        self.server.do("[(p.kill(), p.wait()) for p in w] and None")
        end = recording.endpoint(role="server", port=self.port, service=self.service("worker"))
        self.assertEqual((end.requests, end.aborted), (60, 0))
        self.assertEqual(sum(e.requests for e in recording.endpoints(role="server")), 60)
        self.assert_nothing_dropped(recording)

    def test_handed_on(self):
        """A connection that another service goes on with, between two exchanges (SCM_RIGHTS)."""
        path = os.path.join(self.directory, "pass")
        taker = self.puppet("taker")
        taker.do(f"u = socket.socket(socket.AF_UNIX); u.bind({path!r}); u.listen()")
        self.server.do(f"l = listen({self.port})")
        observer = self.goldpan("-p", str(self.port))
        self.client.do(f"s = connect({self.port})")
        self.server.do("s = accept(l)")
        self.exchanges(self.server, 4)
        self.server.do(f"u = socket.socket(socket.AF_UNIX); u.connect({path!r})")
        self.server.do("socket.send_fds(u, [b'!'], [s.fileno()]); s.close()")
        taker.do("s = socket.socket(fileno=socket.recv_fds(u.accept()[0], 1, 1)[1][0])")
        self.exchanges(taker, 6)
        self.client.do("s.close()")
        taker.do("s.close()")
        wait_closed(self.port)
        recording = observer.finish()
        first = recording.endpoint(role="server", service=self.server.name)
        then = recording.endpoint(role="server", service=taker.name)
        self.assertEqual((first.requests, then.requests), (4, 6))
        self.assertEqual((first.opened, first.closed, then.opened, then.closed), (1, 0, 0, 1))
        self.assertEqual([total(e, "connections", "handed_over") for e in (first, then)], [1, 0])
        self.assert_nothing_dropped(recording)

    def exchanges(self, server, count):
        for _ in range(count):
            self.client.do(f"s.sendall({ASK!r})")
            server.take(len(ASK))
            server.do(f"s.sendall({ANSWER!r})")
            self.client.take(len(ANSWER))


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers for the tests, each with a configuration and ports of its own."""

import os
import re
import shutil
import socket
import urllib.request

from .harness import Process, free_ports, wait_until

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
PAGE_BYTES = 612  # nginx's own welcome page has this size


def sockets_of():
    """(local port, remote port, state) of the TCP sockets of this host."""
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path, encoding="ascii") as file:
            next(file)
            for line in file:
                _, local, remote, state = line.split(None, 4)[:4]
                yield int(local[-4:], 16), int(remote[-4:], 16), state


def connections_of(port):
    """How many TCP sockets of this host, listeners and TIME_WAIT left out, have `port` locally."""
    listening, time_wait = "0A", "06"
    return sum(local == port and state not in (listening, time_wait)
               for local, _, state in sockets_of())


def connecting_to(port):
    """How many TCP sockets of this host have asked `port` for a connection, and have none yet."""
    syn_sent = "02"
    return sum(remote == port and state == syn_sent for _, remote, state in sockets_of())


def open_ends_of(port):
    """How many TCP sockets of this host are an end of a connection to `port`: a client's is closed
    a moment after its server's. Not those that wait in TIME_WAIT or for their first answer."""
    left_out = ("02", "06", "0A")
    return sum(port in (local, remote) and state not in left_out
               for local, remote, state in sockets_of())


def wait_closed(port, timeout_s=10):
    """Waits until the last connection to `port` is closed, at both ends if both are here."""
    wait_until(lambda: open_ends_of(port) == 0, timeout_s, f"the last close on port {port}")


def unix_connections_of(path):
    """How many connections to the unix socket were accepted, or wait for that."""
    connected = "03"
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        rows = [line.split() for line in file]
    return sum(len(row) > 7 and row[7] == path and row[5] == connected for row in rows)


def accepts(port, host="127.0.0.1"):
    with socket.socket() as s:
        return s.connect_ex((host, port)) == 0


class Nginx(Process):
    """nginx that serves one static page on each of `ports`; its own counts on another port.

    `listen` is added to each listen directive, `server` to their server block, `http` beside it,
    `top` before all. `program`: nginx by another name, so that it is a service of its own.
    """

    def __init__(self, directory, ports, workers=1, worker_connections=4096, listen="", server="",
                 http="", top="", program=None):
        home = os.path.join(directory, f"nginx-{ports[0]}")
        os.makedirs(os.path.join(home, "www"))
        with open(os.path.join(home, "www", "index.html"), "w", encoding="ascii") as page:
            page.write("g" * PAGE_BYTES)
        os.chmod(home, 0o755)
        self.status_port = free_ports()
        self.access_path = os.path.join(home, "access")
        listens = "\n".join(f"listen 127.0.0.1:{port} {listen};" for port in ports)
        config = os.path.join(home, "nginx.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"""{top}
daemon off; worker_processes {workers}; pid {home}/pid; error_log {home}/error;
events {{ worker_connections {worker_connections}; }}
http {{
    log_format port '$server_port $bytes_sent'; access_log {home}/access port buffer=64k flush=1s;
    keepalive_requests 1000000000; keepalive_timeout 600; client_header_timeout 600;
    sendfile on; tcp_nopush off; default_type text/plain;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{ {listens} root {home}/www; {server} }}
    {http}
    server {{ listen 127.0.0.1:{self.status_port}; access_log off;
              location / {{ stub_status; }} }}
}}
""")
        self.home = home
        super().__init__([program or NGINX, "-c", config, "-p", home], directory)

    def ready(self):
        wait_until(lambda: self._alive() and accepts(self.status_port), 10, "nginx listening")

    def _alive(self):
        if self.popen.poll() is not None:
            raise RuntimeError(f"nginx ended: {self.errors()}")
        return True

    def errors(self):
        with open(os.path.join(self.home, "error"), encoding="utf-8", errors="replace") as file:
            return file.read() + self.stderr()

    def status(self):
        """stub_status: {"active", "accepted", "requests"}, this look at it included."""
        url = f"http://127.0.0.1:{self.status_port}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        accepted, _, requests = re.search(r"\n (\d+) (\d+) (\d+)", text).groups()
        active = re.search(r"Active connections: (\d+)", text).group(1)
        return {"active": int(active), "accepted": int(accepted), "requests": int(requests)}

    def requests_by_port(self, is_answered=False):
        """What the access log counts, by port; or only those whose answer began to be sent. Whole
        only once nginx has ended."""
        counts = {}
        with open(self.access_path, encoding="ascii") as file:
            for line in file:
                port, sent = map(int, line.split())
                if sent or not is_answered:
                    counts[port] = counts.get(port, 0) + 1
        return counts


class Redis(Process):
    """redis-server on a port; tests speak to it through a unix socket, beside what is counted."""

    def __init__(self, directory, port):
        self.socket_path = os.path.join(directory, f"redis-{port}.sock")
        super().__init__(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "no", "--unixsocket", self.socket_path,
                          "--daemonize", "no", "--dir", directory], directory)

    def ready(self):
        wait_until(self._answers, 10, "redis listening")

    def _answers(self):
        if self.popen.poll() is not None:
            raise RuntimeError(f"redis ended: {self.stdout()}")
        try:
            return self.command("PING") == "PONG"
        except OSError:
            return False

    def command(self, *words):
        """One command, by the unix socket; the reply as text (strings and bulk strings only)."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket_path)
            s.sendall(" ".join(words).encode() + b"\r\n")
            with s.makefile("rb") as answer:
                line = answer.readline().decode().rstrip("\r\n")
                if line.startswith("$"):
                    return answer.read(int(line[1:])).decode()
        return line[1:]

    def calls(self):
        """{command: how often} since the server's start, of what came by TCP: none of the
        tests' own (PING, SET, INFO) is used by the clients of loads.py."""
        found = re.findall(r"cmdstat_([^:]+):calls=(\d+)", self.command("INFO", "commandstats"))
        return {name: int(n) for name, n in found if name not in ("ping", "set", "info")}

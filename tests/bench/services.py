# SPDX-License-Identifier: GPL-2.0-or-later
"""What is loaded: nginx, redis and two processes on one CPU; and the load generator."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

SERVER_CPU, CLIENT_CPU = 0, 1
CONNECTIONS = 16
PATIENCE_S = 10

NGINX_CONFIG = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
    }}
}}
"""
PAGE_BYTES = 612  # nginx's own welcome page has as many

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def prepare(cpu):
    """For the child, before exec: its CPU (None: any), and its end with ours."""

    def prepare_child():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})

    return prepare_child


def stop(process):
    """Ends a process of ours; gives back what it wrote to standard output."""
    process.terminate()
    try:
        return process.communicate(timeout=PATIENCE_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"{process.args[0]} did not end when asked to")


@contextlib.contextmanager
def running(argv, cpu, **options):
    process = subprocess.Popen(argv, preexec_fn=prepare(cpu), **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            stop(process)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_open(port, process):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args[0]} does not answer on port {port}")


def child_of(pid):
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                return int(stat.parent.name)
    raise RuntimeError(f"process {pid} has no child")


@contextlib.contextmanager
def nginx(folder):
    """Port, and pid of the one worker."""
    port = free_port()
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("x" * PAGE_BYTES)
    config = folder / "nginx.conf"
    config.write_text(NGINX_CONFIG.format(folder=folder, port=port))
    argv = ["nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "nginx.log")]
    with running(argv, SERVER_CPU) as process:
        wait_until_open(port, process)
        yield port, child_of(process.pid)


@contextlib.contextmanager
def redis(folder):
    """Port and pid; `key` is set."""
    port = free_port()
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "",
            "--appendonly", "no", "--dir", str(folder), "--logfile", str(folder / "redis.log")]
    with running(argv, SERVER_CPU) as process:
        wait_until_open(port, process)
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(b"SET key abc\r\n")
            if s.recv(64) != b"+OK\r\n":
                raise RuntimeError("redis does not take a value")
        yield port, process.pid


@contextlib.contextmanager
def nothing(folder):
    yield None, None


class Load:
    """The load generator. Connections stay; between slices it stands still."""

    def __init__(self, process):
        self.process = process
        self.total = 0  # requests answered in all slices so far

    def slice(self, warmup_s, measure_s):
        """Runs once; the reading that tests/bench/load.c describes."""
        command = f"{round(warmup_s * 1000)} {round(measure_s * 1000)}\n"
        self.process.stdin.write(command)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator failed")
        reading = json.loads(line)
        self.total += reading["total"]
        return reading


class Workload:
    """One kind of load. `name` is for people, `key` for JSON."""

    def __init__(self, key, name, kind, server, connections=CONNECTIONS, depth=1):
        self.key, self.name = key, name
        self.kind, self.server = kind, server
        self.connections, self.depth = connections, depth

    @contextlib.contextmanager
    def start(self, build, folder):
        """The server and its load; gives (Load, port)."""
        own = folder / self.key
        own.mkdir()
        with self.server(own) as (port, pid):
            argv = [str(build / "load"), self.kind]
            if port:
                argv += ["--port", str(port), "--server", str(pid),
                         "--connections", str(self.connections), "--depth", str(self.depth)]
            cpu = CLIENT_CPU if port else SERVER_CPU
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            with running(argv, cpu, **pipes) as process:
                yield Load(process), port


WORKLOADS = [
    Workload("nginx", "nginx keep-alive", "http", nginx),
    Workload("redis_p1", "redis -P1", "redis", redis),
    Workload("redis_p16", "redis -P16", "redis", redis, depth=16),
    Workload("pipe", "scheduler ping-pong", "pipe", nothing),
]

# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of a test: started in its temporary directory, ended by their own pid."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from .jsonlines import Recording

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
GOLDPAN = os.environ.get("GOLDPAN", os.path.join(ROOT, "build", "goldpan"))
# Below the range that the kernel gives to clients, so that no client sits on a server's port.
PORT_MIN, PORT_MAX = 10240, 32000
# How many times longer than on a real machine things may take: under emulation, many times.
PATIENCE = float(os.environ.get("GOLDPAN_TEST_PATIENCE", "1"))
THINNED = int(os.environ.get("GOLDPAN_TEST_THINNED", "1"))


def thinned(count):
    """So many requests of a load; under emulation a part of them, still a multiple of 8."""
    return max(count // THINNED // 8, 1) * 8


def wait_until(condition, timeout_s, what):
    """Polls until condition() is true and returns its value; TimeoutError naming `what`."""
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_s} s still no sign of: {what}")
        time.sleep(0.01)


def _is_free(port):
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                s.bind((any_address, port))
            except OSError:
                return False
    return True


_ports = itertools.cycle(range(PORT_MIN, PORT_MAX))
# Tests that run at the same time begin at different places; no port is given out twice in a row.
for _ in range(os.getpid() * 137 % (PORT_MAX - PORT_MIN)):
    next(_ports)


def free_ports(count=1):
    """The first of `count` neighbouring ports that nobody listens on, IPv4 or IPv6."""
    run = []
    for _ in range(PORT_MAX - PORT_MIN):
        port = next(_ports)
        if run and port != run[-1] + 1 or not _is_free(port):
            run = []
            continue
        run.append(port)
        if len(run) == count:
            return run[0]
    raise OSError(f"no {count} free neighbouring ports")


class Process:
    """A child with its own log files; `stop` ends it and says how it ended. Constructed once it is
    `ready`, or not at all."""

    def __init__(self, argv, directory, name=None, **options):
        self.name = name or os.path.basename(argv[0])
        handle, self.stderr_path = tempfile.mkstemp(prefix=f"{self.name}-err-", dir=directory)
        with os.fdopen(handle, "wb") as err:
            handle, self.stdout_path = tempfile.mkstemp(prefix=f"{self.name}-out-", dir=directory)
            with os.fdopen(handle, "wb") as out:
                options.setdefault("stdin", subprocess.DEVNULL)
                options.setdefault("stdout", out)
                options.setdefault("stderr", err)
                self.popen = subprocess.Popen(argv, cwd=directory, **options)
        self.pid = self.popen.pid
        try:
            self.ready()
        except BaseException:
            self.discard()
            raise

    def ready(self):
        """Waits until it does what it is for; of subclasses."""

    def stderr(self):
        return _read(self.stderr_path)

    def stdout(self):
        return _read(self.stdout_path)

    def wait_for(self, text, timeout_s=10, stream="stderr"):
        """Waits until `text` is in the stream. RuntimeError if the process ended before that."""
        read = self.stderr if stream == "stderr" else self.stdout

        def seen():
            ended = self.popen.poll() is not None  # asked first: what it said last still counts
            if text in read():
                return True
            if ended:
                raise RuntimeError(f"{self.name} ended with {self.popen.returncode} before it "
                                   f"said '{text}': {self.stderr()}")
            return False

        wait_until(seen, timeout_s, f"'{text}' from {self.name}: {self.stderr()}")

    def stop(self, number=signal.SIGTERM, timeout_s=20):
        """Signals it, unless it ended already, and returns the exit status (-N: by signal N)."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(timeout_s * PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise

    def discard(self):
        """For the end of a test: gone, whatever state it is in."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream:
                stream.close()


def _read(path):
    with open(path, "rb") as file:
        return file.read().decode(errors="replace")


def fdinfo(pid):
    """The fields of each open file of a process, as /proc says: a dictionary each."""
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            text = _read(f"/proc/{pid}/fdinfo/{name}")
        except FileNotFoundError:
            continue  # closed meanwhile
        yield {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


class Goldpan(Process):
    """`goldpan run -i 1s -o json:PATH` and more options; ready once all its hooks are attached."""

    def __init__(self, directory, *options, interval="1s", prefix=(), wait=True):
        handle, self.json_path = tempfile.mkstemp(prefix="goldpan-", suffix=".json", dir=directory)
        os.close(handle)
        argv = [*prefix, GOLDPAN, "run", "-i", interval, "-o", f"json:{self.json_path}", *options]
        self.is_awaited = wait
        super().__init__(argv, directory, name="goldpan")

    def ready(self):
        if self.is_awaited:
            self.wait_for("observing")

    def finish(self, number=signal.SIGTERM):
        """The regular end, with a last export: what was recorded over the whole run."""
        skipped = self.skipped() if self.popen.poll() is None else None
        status = self.stop(number)
        if status != 0:
            raise RuntimeError(f"goldpan ended with {status}: {self.stderr()}")
        recording = self.recording()
        recording.skipped = skipped
        return recording

    def skipped(self):
        """How often the kernel did not run a program because it would have interrupted itself (a
        softirq on top of a task that is in the same program): events that goldpan never saw."""
        return sum(int(fields.get("recursion_misses", 0)) for fields in fdinfo(self.pid))

    def recording(self):
        """What is written so far."""
        return Recording(self.json_path, is_running=self.popen.poll() is None)


class Case(unittest.TestCase):
    """A test with a temporary directory (self.directory) and processes that end with it."""

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root")

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="goldpan-test-")
        os.chmod(self.directory, 0o755)  # servers that drop root read their files there
        self.addCleanup(shutil.rmtree, self.directory)

    def keep(self, process):
        """Ends `process` (anything with `discard`) with the test. Returns it."""
        self.addCleanup(process.discard)
        return process

    def start(self, argv, **options):
        """Any other program, as a Process."""
        return self.keep(Process(argv, self.directory, **options))

    def goldpan(self, *options, **keywords):
        """A goldpan that observes already."""
        return self.keep(Goldpan(self.directory, *options, **keywords))

    def assert_nothing_dropped(self, recording):
        self.assertEqual({k: n for k, n in recording.dropped().items() if n}, {}, "dropped")

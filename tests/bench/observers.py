# SPDX-License-Identifier: GPL-2.0-or-later
"""What is attached during a slice: nothing, the floor, or goldpan; and the kernel's statistics."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import services

# The load generator's names, outside and inside a user's session: its end is not measured.
EXCLUDED = ("load", "*/load")
BPF_STATS_RUN_TIME = 0
SCHED_HOOKS = {"sched_switch", "sched_waking", "sched_wakeup", "sched_wakeup_new",
               "sched_process_fork", "sched_process_exec", "sched_process_exit"}


def bpftool(*arguments):
    return json.loads(subprocess.check_output(["bpftool", "-j", *arguments]))


@contextlib.contextmanager
def statistics_on():
    """The kernel's run counts and times, as long as the descriptor is open and no longer."""
    fd = ctypes.CDLL("libbpf.so.1", use_errno=True).bpf_enable_stats(BPF_STATS_RUN_TIME)
    if fd < 0:
        raise RuntimeError(f"no statistics of BPF programs: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        os.close(fd)


def ids_in_fdinfo(pid, field):
    """Ids of the programs or maps that a process holds."""
    found = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            for line in entry.read_text().splitlines():
                if line.startswith(field + ":"):
                    found.add(int(line.split()[1]))
    return found


class Observer:
    """Nothing at all; the base of the others. `output` is what it wrote, once it has ended."""

    def __init__(self, name, argv=None):
        self.name, self.argv = name, argv
        self.process, self.written, self.output = None, None, ""
        self.starts_s = []  # from each start until attached

    def wait_for_output(self, beyond=0):
        """Waits until it has written more than so many bytes; how many it then has."""
        deadline = time.monotonic() + services.PATIENCE_S
        while (size := os.fstat(self.written.fileno()).st_size) <= beyond:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(self.argv)}: no output")
            time.sleep(0.002)
        return size

    @contextlib.contextmanager
    def attached(self):
        if not self.argv:
            yield self
            return
        with tempfile.TemporaryFile() as self.written:
            begun_s = time.monotonic()
            with services.running(self.argv, None, stdout=self.written) as self.process:
                self.wait_for_output()  # each says something once it is attached
                self.starts_s.append(time.monotonic() - begun_s)
                yield self
            if self.process.returncode:
                raise RuntimeError(f"{' '.join(self.argv)}: status {self.process.returncode}")
            self.written.seek(0)
            self.output = self.written.read().decode()

    def settle(self, load):
        """Brings it where it is in the long run, after it was attached."""

    def programs(self):
        """{id: {name, hook, runs, ns}} of its programs."""
        hooks = {link["prog_id"]: link.get("tp_name") or link.get("target_name", "")
                 for link in bpftool("link", "show") if "prog_id" in link}
        own = ids_in_fdinfo(self.process.pid, "prog_id")
        return {p["id"]: {"name": p.get("name", ""), "hook": hooks.get(p["id"], ""),
                          "runs": p.get("run_cnt", 0), "ns": p.get("run_time_ns", 0)}
                for p in bpftool("prog", "show") if p["id"] in own}


class Floor(Observer):
    def __init__(self, build, port, name="floor"):
        super().__init__(name, [str(build / "floor"), "--sched", "--port", str(port or 1)])

    def counts(self):
        """{hook: events on the server's sockets}, once it has ended."""
        words = [line.split() for line in self.output.splitlines()[1:]]
        return {hook: int(count) for hook, count in words}


class Goldpan(Observer):
    more = ()  # options of every goldpan that is measured

    def __init__(self, build, *options, excluded=EXCLUDED, name="goldpan"):
        exclusions = [word for glob in excluded for word in ("-x", glob)]
        super().__init__(name, [str(build / "goldpan"), "run", "-q", "-o", "json",
                                *exclusions, *options, *self.more])

    def settle(self, load):
        """Services get their names at a collection; at the next one connections are excluded."""
        load.slice(0, 0.02)
        size = self.wait_for_output()
        for _ in range(2):
            self.process.send_signal(signal.SIGUSR1)
            size = self.wait_for_output(size)
            time.sleep(0.01)

    def records(self, kind):
        """The exported records of one type, once it has ended."""
        lines = [json.loads(line) for line in self.output.splitlines()]
        return [line for line in lines if line["type"] == kind]

    def cpu_s(self):
        return time.clock_gettime((~self.process.pid << 3) | 2)  # clock_getcpuclockid(3)

    def memory(self):
        """Bytes: resident of the process, and of its maps in the kernel."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        rss = next(int(l.split()[1]) for l in status.splitlines() if l.startswith("VmRSS"))
        own = ids_in_fdinfo(self.process.pid, "map_id")
        maps = [m.get("bytes_memlock", 0) for m in bpftool("map", "show") if m["id"] in own]
        return rss * 1024, sum(maps)

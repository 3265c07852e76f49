# SPDX-License-Identifier: GPL-2.0-or-later
"""What a process costs the kernel: slab caches, BPF maps, and its memory control group (v1)."""

import os
import tempfile
import time

from .harness import fdinfo

CONTROLLER = "/sys/fs/cgroup/memory"


def slab_bytes():
    """Bytes in use in all caches that BPF's local storage can come from (needs root)."""
    total = 0
    with open("/proc/slabinfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(("kmalloc", "bpf")):
                _, active, _, size = line.split(None, 4)[:4]
                total += int(active) * int(size)
    return total


def settled(measure, tolerance, timeout_s=30):
    """measure() once it has moved by no more than `tolerance` for a second: what the kernel frees
    it frees after a grace period, in work queues."""
    deadline = time.monotonic() + timeout_s
    last = measure()
    while True:
        time.sleep(1)
        now = measure()
        if abs(now - last) <= tolerance:
            return now
        if time.monotonic() > deadline:
            raise TimeoutError(f"{measure.__name__} does not settle: {last}, then {now}")
        last = now


def map_bytes(pid):
    """{map id: bytes} of the BPF maps that `pid` holds open, as their fdinfo says."""
    return {int(fields["map_id"]): int(fields["memlock"]) for fields in fdinfo(pid)
            if "map_type" in fields}  # a link names a map, too


class MemoryGroup:
    """A memory control group for one process. `prefix` put before its argv starts it inside."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="goldpan-test-", dir=CONTROLLER)
        # By a shell that then becomes the program: nothing it allocates is charged elsewhere.
        self.prefix = ["/bin/sh", "-c", f"echo $$ > {self.path}/cgroup.procs && exec \"$@\"", "sh"]

    def kernel_bytes(self):
        """What the kernel holds for the group: maps and local storage are charged to whoever made
        the map."""
        with open(f"{self.path}/memory.kmem.usage_in_bytes", encoding="ascii") as file:
            return int(file.read())

    def discard(self):
        os.rmdir(self.path)

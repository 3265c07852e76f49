# SPDX-License-Identifier: GPL-2.0-or-later
"""wire.py NETNS_A NETNS_B LOSS LATE SEED: a bad wire between two network namespaces.

Makes a tun device in each (10.77.0.1 and 10.77.0.2) and carries packets from one to the other.
Of those that carry payload a share of LOSS is thrown away, and a share of LATE comes after the next
few. `ready` once packets pass; at the end of standard input a line with how many were lost and how
many were late. In user space, since not every kernel has netem.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
CLONE_NEWNET = 0x40000000
ADDRESSES = "10.77.0.1", "10.77.0.2"
SMALLEST = 80  # bytes of a packet that carries payload
LIBC = ctypes.CDLL(None, use_errno=True)


def end_of_wire(namespace, own, other):
    """A tun device in the namespace: its descriptor."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if LIBC.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), namespace)
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"wire", IFF_TUN | IFF_NO_PI))
        subprocess.run(["ip", "addr", "add", own, "peer", other, "dev", "wire"], check=True)
        subprocess.run(["ip", "link", "set", "wire", "up"], check=True)
    finally:
        LIBC.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)
    return tun


class Wire:
    """Both directions; `turn` counts packets, so that a late one waits for some others or for
    silence."""

    def __init__(self, ends, loss, late, seed):
        self.ends, self.loss, self.late_share = ends, loss, late
        self.rng = random.Random(seed)
        self.turn = self.lost = self.late = 0
        self.waiting = []

    def carry(self, source):
        packet = os.read(source, 65536)
        target = self.ends[1] if source == self.ends[0] else self.ends[0]
        self.turn += 1
        luck = self.rng.random() if len(packet) >= SMALLEST else 1.0
        if luck < self.loss:
            self.lost += 1
        elif luck < self.loss + self.late_share:
            self.late += 1
            due = self.turn + self.rng.randint(1, 4)
            heapq.heappush(self.waiting, (due, self.turn, target, packet))
        else:
            self._write(target, packet)
        self.deliver(self.turn)

    def deliver(self, until):
        while self.waiting and self.waiting[0][0] <= until:
            _, _, target, packet = heapq.heappop(self.waiting)
            self._write(target, packet)

    def _write(self, target, packet):
        try:
            os.write(target, packet)
        except BlockingIOError:
            self.lost += 1

    def run(self):
        while True:
            readable, _, _ = select.select([*self.ends, sys.stdin], [], [], 0.002)
            if not readable:
                self.deliver(self.turn + 1000)
            for end in readable:
                if end is sys.stdin:
                    return
                self.carry(end)


def main():
    names, shares = sys.argv[1:3], sys.argv[3:5]
    ends = [end_of_wire(name, *addresses)
            for name, addresses in zip(names, (ADDRESSES, ADDRESSES[::-1]))]
    wire = Wire(ends, *map(float, shares), int(sys.argv[5]))
    print("ready", flush=True)
    wire.run()
    print(wire.lost, wire.late, flush=True)


if __name__ == "__main__":
    main()

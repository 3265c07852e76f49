# SPDX-License-Identifier: GPL-2.0-or-later
"""tcpdump on the loopback device, and what its packets say about bytes and times.

Only IPv4 without options is captured, and only packets that carry payload, SYN, FIN or RST. Of
each packet the first 54 bytes are kept: Ethernet, IP and TCP headers without options, which every
packet has. So all records of the file are of one size, and struct.iter_unpack runs over them at
about two million a second; a dictionary look-up for each is then what an analysis costs.

Bytes are counted by sequence numbers: what is sent again counts once.
"""

import mmap
import os
import re
import signal
import socket
import struct
import time

from .harness import Process, free_ports, wait_until

SNAP = 54
FILE_HEADER = 24
RECORD = 16 + SNAP
MAGIC_NANO = 0xA1B23C4D
# Big-endian: IP length, both addresses and both ports in one (12 bytes), sequence number, data
# offset, flags. Then the direction's other end is the same 12 bytes with halves swapped.
PACKET = struct.Struct(">32xH8x12sI4xBB6x")
# The host's order: seconds, nanoseconds.
STAMP = struct.Struct(f"=II{RECORD - 8}x")
FIN, SYN, RST = 1, 2, 4
MASK = 0xFFFFFFFF
HALF = 1 << 31


def _peer(key):
    return key[4:8] + key[:4] + key[10:] + key[8:10]


def _key_text(key):
    return "%d.%d.%d.%d > %d.%d.%d.%d, ports %d > %d" % struct.unpack(">8B2H", key)


class Dropped(Exception):
    """The kernel dropped packets of the capture: it says nothing about bytes; take another."""


class Capture(Process):
    """tcpdump of what goes to or comes from `ports` (neighbours: first, last) on loopback."""

    def __init__(self, directory, first, last):
        self.path = os.path.join(directory, f"ports-{first}-{last}.pcap")
        self.marker_port = free_ports()
        carries = ("(tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or "
                   "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0)")
        # On loopback each packet passes twice; libpcap hides the outbound one. Not by `inbound`
        # in the filter: libpcap loses the first block of such a capture (it filters that itself,
        # and does not know a packet's direction there).
        super().__init__(
            ["tcpdump", "-i", "lo", "-n", "-s", str(SNAP), "-B", "262144", "-w", self.path,
             "--time-stamp-precision=nano", "-Z", "root",
             f"ip and (tcp portrange {first}-{last} or tcp port {self.marker_port}) "
             f"and {carries}"], directory)

    def ready(self):
        self.wait_for("listening on")
        self._strangers = self._report()[1]  # passed before there was a filter

    def finish(self):
        """Ends the capture once all that came before is written. Dropped if some was not.

        libpcap hands out the buffer's last block only when the next one begins, so the capture is
        fed with refused connections, on a port of its own, until all before them is through."""
        before = self._report()[1] - self._strangers

        def all_written():
            with socket.socket() as s:
                s.connect_ex(("127.0.0.1", self.marker_port))
            time.sleep(0.1)
            return 2 * self._report()[0] >= before

        wait_until(all_written, 20, "tcpdump writing all it got")
        self.stop(signal.SIGINT)
        dropped = self._last_counts(self.stderr())[2]
        if dropped:
            raise Dropped(f"{dropped} packets dropped by kernel")
        return self.path

    def _report(self):
        """(captured, received, dropped) as tcpdump, still running, says itself."""
        already = len(self.stderr())
        self.popen.send_signal(signal.SIGUSR1)
        wait_until(lambda: "dropped by kernel" in self.stderr()[already:], 5, "tcpdump's report")
        return self._last_counts(self.stderr())

    @staticmethod
    def _last_counts(text):
        return tuple(int(re.findall(rf"(\d+) packets? {what}", text)[-1])
                     for what in ("captured", "received by filter", "dropped by kernel"))


class _Records:
    """The mapped file. Iterates over nothing itself; gives packets and stamps."""

    def __init__(self, path):
        with open(path, "rb") as file:
            head = file.read(FILE_HEADER)
            size = os.fstat(file.fileno()).st_size
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        if struct.unpack("=I", head[:4])[0] != MAGIC_NANO or (size - FILE_HEADER) % RECORD:
            raise ValueError(f"{path} is not a whole capture with {RECORD} bytes a record")
        self._view = memoryview(self._map)[FILE_HEADER:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._view.release()
        self._map.close()

    def packets(self):
        return PACKET.iter_unpack(self._view)

    def stamps(self):
        return STAMP.iter_unpack(self._view)


class Direction:
    """One direction of one connection, from its SYN on."""

    def __init__(self, key, sequence):
        self.key, self.start = key, sequence
        self.early = []  # (begin, end) of what came before what lies between
        self.reset = False

    def after(self, at, sequence, length):
        """Bytes `sequence`.. came while `at` was expected: what is expected now."""
        if sequence != at and (sequence - at) & MASK < HALF:
            self.early.append((sequence, (sequence + length) & MASK))
            return at
        end = (sequence + length) & MASK
        return end if (end - at) & MASK < HALF else at

    def end(self, at):
        """Where the bytes end, `at` being expected last. ValueError if some never came."""
        for begin, end in sorted(self.early, key=lambda r: (r[0] - self.start) & MASK):
            if begin != at and (begin - at) & MASK < HALF:
                raise ValueError(f"bytes are missing: {_key_text(self.key)}")
            at = end if (end - at) & MASK < HALF else at
        return at


class PortTotals:
    """What passed on one server port. `bytes_in` is from clients to the server."""

    def __init__(self):
        self.bytes_in = self.bytes_out = self.connections = self.resets = 0

    def __repr__(self):
        return (f"<{self.connections} connections, {self.bytes_in} bytes in, "
                f"{self.bytes_out} out, {self.resets} resets>")


class _Counter:
    """Adds connections to the totals of their ports; knows each direction's state."""

    def __init__(self, ports):
        self.totals = {port: PortTotals() for port in ports}
        self.expected = {}  # key: next sequence number
        self.directions = {}

    def control(self, key, sequence, flags, length):
        """A packet with SYN, FIN or RST."""
        if flags & SYN:
            start = (sequence + 1) & MASK
            known = self.directions.get(key)
            if known and known.start == start:
                return  # sent again
            if known:
                self.close(key)
            self.directions[key] = Direction(key, start)
            self.expected[key] = start
            return
        if length:
            self.payload(key, sequence, length)
        if flags & RST and key in self.directions:
            self.directions[key].reset = True

    def payload(self, key, sequence, length):
        direction = self.directions.get(key)
        if direction is None:
            raise ValueError(f"payload without a SYN: {_key_text(key)}")
        self.expected[key] = direction.after(self.expected[key], sequence, length)

    def close(self, key):
        """The direction is over: its bytes go to the totals."""
        direction = self.directions.pop(key)
        count = (direction.end(self.expected.pop(key)) - direction.start) & MASK
        source, target = struct.unpack(">2H", key[8:])
        if source in self.totals:
            self.totals[source].bytes_out += count
            self.totals[source].resets += direction.reset
            self.totals[source].connections += 1  # only an accepted SYN is answered by a SYN
        elif target in self.totals:
            self.totals[target].bytes_in += count
            self.totals[target].resets += direction.reset


def count(path, ports):
    """{port: PortTotals} of the server ports. ValueError if the capture has holes."""
    counter = _Counter(ports)
    expected = counter.expected
    get, control, payload = expected.get, counter.control, counter.payload
    with _Records(path) as records:
        for length, key, sequence, offset, flags in records.packets():
            length -= 20 + (offset >> 2)
            if flags & 7:
                control(key, sequence, flags, length)
            elif get(key) == sequence:
                expected[key] = (sequence + length) & MASK
            elif length:
                payload(key, sequence, length)
    for key in list(counter.directions):
        counter.close(key)
    return counter.totals


def exchanges(path, port):
    """(durations, first bytes) in nanoseconds of all exchanges on a server port, by turns: from
    the first packet with bytes of the request to the last, and to the first, of the response."""
    port_bytes = struct.pack(">H", port)
    durations, firsts = [], []
    expected, open_now = {}, {}  # by the client's key: [arrive, first, last], 0: not yet
    with _Records(path) as records:
        for (length, key, sequence, offset, flags), (s, ns) in zip(records.packets(),
                                                                   records.stamps()):
            if flags & SYN:
                expected[key] = (sequence + 1) & MASK
                if key[10:] == port_bytes:
                    _end(open_now.pop(key, None), durations, firsts)
                    open_now[key] = [0, 0, 0]
                continue
            length -= 20 + (offset >> 2)
            if not length or expected.get(key) != sequence:
                continue  # nothing new; a hole would have made `count` fail
            expected[key] = (sequence + length) & MASK
            now = s * 1000000000 + ns
            if key[10:] == port_bytes:
                exchange = open_now[key]
                if exchange[2]:
                    _end(exchange, durations, firsts)
                    exchange[1] = exchange[2] = exchange[0] = 0
                if not exchange[0]:
                    exchange[0] = now
            elif key[8:10] == port_bytes:
                exchange = open_now[_peer(key)]
                if exchange[0]:
                    exchange[1] = exchange[1] or now
                    exchange[2] = now
    for exchange in open_now.values():
        _end(exchange, durations, firsts)
    return durations, firsts


def _end(exchange, durations, firsts):
    if exchange and exchange[2]:
        durations.append(exchange[2] - exchange[0])
        firsts.append(exchange[1] - exchange[0])

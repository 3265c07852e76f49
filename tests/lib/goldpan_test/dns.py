# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS over UDP: a server that answers by the name it is asked for, and a client, each with an
account of its own."""

import collections
import os
import pickle
import select
import signal
import socket
import struct
import time
import traceback

from .clients import SO_TIMESTAMPNS, Account

TYPES = {"A": 1, "NS": 2, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "HTTPS": 65}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
SLOW_S = 0.003
ANSWERS = {"A": socket.inet_aton("192.0.2.1"), "AAAA": b"\x20\x01\x0d\xb8" + bytes(12)}


def is_server_error(status):
    return status == "SERVFAIL"


def is_client_error(status):
    return status not in ("NOERROR", "NXDOMAIN", "SERVFAIL", "none")


def encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def query(number, name, kind, edns=True):
    """A question as resolvers ask it."""
    additional = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b""
    return (struct.pack("!6H", number, 0x0100, 1, 0, 0, int(edns)) + encode_name(name)
            + struct.pack("!HH", TYPES.get(kind, kind), 1) + additional)


def question(message):
    """(id, name, number of the type, where the question ends)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return (int.from_bytes(message[:2], "big"), ".".join(labels),
            int.from_bytes(message[at + 1:at + 3], "big"), at + 5)


def answer(message):
    """What the first label of the name asks for: an rcode, with an address where there is one;
    None: nothing at all."""
    number, name, kind, end = question(message)
    status = name.split(".")[0].upper()
    if status == "SILENT":
        return None
    rcode = RCODES.index(status) if status in RCODES else 0
    data = ANSWERS.get(NAMES.get(kind)) if rcode == 0 else None
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data if data else b""
    return (struct.pack("!6H", number, 0x8180 | rcode, 1, bool(data), 0, 0)
            + message[12:end] + record)


def receive(of):
    """A datagram, who sent it, and when the kernel got it."""
    data, control, _, peer = of.recvmsg(4096, 64)
    stamp_ns = time.time_ns()
    for _, kind, stamp in control:
        if kind == SO_TIMESTAMPNS:
            seconds, rest = struct.unpack("qq", stamp[:16])
            stamp_ns = seconds * 10**9 + rest
    return data, peer, stamp_ns


def status_of(message):
    return RCODES[message[3] & 15]


class Server:
    """In a process of its own, on all the given sockets. `stop` returns its account: what it
    received and answered, with durations from the kernel's stamp until just before the send."""

    def __init__(self, *sockets):
        self.inner, outer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.inner)
            self._child(sockets, outer)
        os.close(outer)
        os.read(self.inner, 1)  # it can be told to stop

    def _child(self, sockets, result):
        ended = []
        signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
        try:
            account = Account()
            os.write(result, b"!")
            while not ended:
                for ready in select.select(sockets, [], [], 0.05)[0]:
                    self._serve(ready, account)
            with os.fdopen(result, "wb") as file:
                pickle.dump(account, file)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    @staticmethod
    def _serve(ready, account):
        data, peer, stamp_ns = receive(ready)
        account.received += len(data)
        reply = answer(data)
        _, name, kind, _ = question(data)
        operation = NAMES.get(kind, "other")
        if name.startswith("slow"):
            time.sleep(SLOW_S)
        if reply is None:
            account.requests[operation, "none"] += 1
            return
        account.requests[operation, status_of(reply)] += 1
        account.durations_ns.append(time.time_ns() - stamp_ns)
        ready.sendto(reply, peer)
        account.sent += len(reply)

    def stop(self):
        if not self.pid:
            return None
        os.kill(self.pid, signal.SIGTERM)
        with os.fdopen(self.inner, "rb") as file:
            text = file.read()
        pid, self.pid = self.pid, 0
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError("the server failed")
        return pickle.loads(text)

    discard = stop


def bound(port, address="127.0.0.1"):
    """A socket for a server."""
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind((address, port))
    return s


class Client:
    """A socket that asks, connected or not. `ask` several questions, then `hear` the answers."""

    def __init__(self, account, connect=None, family=socket.AF_INET):
        self.account, self.open = account, collections.OrderedDict()
        account.connections += 1
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.settimeout(20)
        self.number = int.from_bytes(os.urandom(2), "big")
        if connect:
            self.socket.connect(connect)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """What is still open will have no answer."""
        for kind, _ in self.open.values():
            self.account.requests[kind, "none"] += 1
        self.socket.close()

    def ask(self, name, kind="A", to=None):
        self.number = (self.number + 1) & 0xffff
        data = query(self.number, name, kind)
        self.open[self.number] = kind if isinstance(kind, str) else "other", time.time_ns()
        if to:
            self.socket.sendto(data, to)
        else:
            self.socket.send(data)
        self.account.sent += len(data)

    def hear(self):
        data, _, stamp_ns = receive(self.socket)
        kind, begin_ns = self.open.pop(int.from_bytes(data[:2], "big"))
        self.account.received += len(data)
        self.account.requests[kind, status_of(data)] += 1
        self.account.durations_ns.append(stamp_ns - begin_ns)

    def lookup(self, name, kind="A", to=None):
        self.ask(name, kind, to)
        self.hear()

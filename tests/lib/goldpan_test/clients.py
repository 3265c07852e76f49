# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients on plain sockets that keep an account of their own: what http_client, redis_client and
postgresql_client have in common."""

import collections
import os
import pickle
import socket
import time
import traceback

SO_TIMESTAMPNS = 35  # the message with the stamp has the same number
BATCH_BYTES = 16384
PIECES = 8  # that a send is cut into, at most


class Account:
    """What a client knows of its exchanges with one port, by its own count and clock.

    A duration is from just before the send until the kernel got the reply's last bytes, so it holds
    what the kernel takes to send a request, but not how late a reply is read. Taken of exchanges
    that were alone on their connection, in nanoseconds.
    """

    def __init__(self):
        self.requests = collections.Counter()  # (operation, status): how often
        self.sent = self.received = self.connections = 0
        self.durations_ns = []

    def add(self, other):
        """Returns this account, with another added."""
        self.requests += other.requests
        self.sent += other.sent
        self.received += other.received
        self.connections += other.connections
        self.durations_ns += other.durations_ns
        return self

    def total(self):
        return sum(self.requests.values())

    def with_status(self, is_wanted):
        return sum(n for (_, status), n in self.requests.items() if is_wanted(status))


class Connection:
    """To a port of this host, or to a unix socket by its path. Bytes are counted in the account;
    replies are read through a buffer of its own. Closed at the end of a `with`."""

    def __init__(self, port, account):
        self.account, self.buffer, self.stamp_ns = account, b"", 0
        self.account.connections += 1
        is_unix = isinstance(port, str)
        self.socket = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET)
        if not is_unix:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(20)
        self.socket.connect(port if is_unix else ("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, rng=None):
        """All of it, in one piece, or cut by `rng` into some, each a segment of its own."""
        self.account.sent += len(data)
        cuts = sorted(rng.sample(range(1, len(data)), min(rng.randrange(PIECES), len(data) - 1))
                      if rng else [])
        for begin, end in zip([0, *cuts], [*cuts, len(data)]):
            self.socket.sendall(data[begin:end])

    def _fill(self):
        data, control, _, _ = self.socket.recvmsg(1 << 18, 64)
        self.stamp_ns = time.time_ns()  # good enough where the kernel has just begun to stamp
        for _, kind, stamp in control:
            if kind == SO_TIMESTAMPNS:
                self.stamp_ns = (int.from_bytes(stamp[:8], "little") * 10**9
                                 + int.from_bytes(stamp[8:16], "little"))
        self.account.received += len(data)
        self.buffer += data
        return bool(data)

    def _need(self, is_there):
        while not is_there():
            if not self._fill():
                raise EOFError(f"the server hung up behind {self.buffer[:80]!r}")

    def take(self, size):
        """The next `size` bytes."""
        self._need(lambda: len(self.buffer) >= size)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def line(self):
        """The next line, its CR LF cut off."""
        self._need(lambda: b"\r\n" in self.buffer)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def rest(self):
        """Everything until the server hangs up."""
        while self._fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def exchange(self, requests, rng=None):
        """Sends the requests one behind the other, then reads the answer to each. A request has
        `data`, and `answer(connection)`, which returns (operation, status)."""
        begin_ns = time.time_ns()
        self.send(b"".join(request.data for request in requests), rng)
        for request in requests:
            self.account.requests[request.answer(self)] += 1
        if len(requests) == 1:
            self.account.durations_ns.append(self.stamp_ns - begin_ns)

    def unexpected(self):
        """What is left over when all is answered: nothing should be."""
        return self.buffer


def batches(rng, mix, count, depth):
    """`count` requests made by mix(rng), in lists of 1 to `depth`. A list is not much longer than
    BATCH_BYTES, since what goldpan looks at of one event has a limit."""
    while count:
        batch, size = [mix(rng)], 0
        for _ in range(min(count, rng.randint(1, depth)) - 1):
            size += len(batch[-1].data)
            if size > BATCH_BYTES:
                break
            batch.append(mix(rng))
        count -= len(batch)
        yield batch


def _in_child(job, result):
    try:
        with os.fdopen(result, "wb") as file:
            pickle.dump(job(), file)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def together(jobs):
    """Runs each job, a function that returns an Account, in a process of its own, all at once.
    Their accounts, added."""
    children = []
    for job in jobs:
        inner, outer = os.pipe()
        pid = os.fork()
        if not pid:
            _in_child(job, outer)
        os.close(outer)
        children.append((pid, inner))
    texts = []
    for pid, inner in children:
        with os.fdopen(inner, "rb") as file:
            texts.append(file.read())
    failed = [pid for pid, _ in children if os.waitpid(pid, 0)[1]]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(children)} clients failed")
    whole = Account()
    for text in texts:
        whole.add(pickle.loads(text))
    return whole

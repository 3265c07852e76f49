# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTP between puppets (puppet.py): a server whose answers are what the request asks for, a client
that keeps account, and one that means harm. All on threads, a connection each."""

import os
import random
import socket
import threading

METHODS = "GET", "POST", "PUT", "DELETE", "HEAD"
STATUSES = "200", "201", "404", "503"


def answer_of(method, status, size):
    body = b"" if method == "HEAD" else b"a" * size
    return f"HTTP/1.1 {status} Row\r\nContent-Length: {size}\r\n\r\n".encode() + body


def request_of(method, status, size, length):
    """Asks for an answer of `size` bytes, with a body of `length`."""
    head = f"{method} /{status}/{size} HTTP/1.1\r\nHost: row\r\n"
    if length:
        head += f"Content-Length: {length}\r\n"
    return f"{head}\r\n".encode() + b"r" * length


def serve_one(connection):
    with connection, connection.makefile("rb") as requests:
        while line := requests.readline():
            method, path, _ = line.decode().split()
            length = 0
            while (header := requests.readline().strip()):
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            requests.read(length)
            _, status, size = path.split("/")
            connection.sendall(answer_of(method, status, int(size)))


def serve(host, port):
    """A listener, and a thread that serves each of its connections in one of its own."""
    listener = socket.create_server((host, port), backlog=64)

    def accepting():
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    threading.Thread(target=accepting, daemon=True).start()


class Talk:
    """`count` requests on one connection, up to `depth` at once, and what came of them."""

    def __init__(self, seed, count, depth, most):
        self.rng, self.left, self.depth, self.most = random.Random(seed), count, depth, most
        self.counts, self.sent, self.received = {}, 0, 0

    def choose(self):
        rng = self.rng
        method, status = rng.choice(METHODS), rng.choice(STATUSES)
        length = rng.randrange(self.most) if method in ("POST", "PUT") else 0
        size = rng.choice((0, 2, rng.randrange(self.most)))
        self.counts[method, status] = self.counts.get((method, status), 0) + 1
        return (request_of(method, status, size, length),
                len(answer_of(method, status, size)))

    def run(self, host, port):
        with socket.create_connection((host, port), timeout=60) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self.left > 0:
                batch = [self.choose() for _ in range(min(self.left,
                                                          self.rng.randint(1, self.depth)))]
                self.left -= len(batch)
                data = b"".join(request for request, _ in batch)
                s.sendall(data)
                self.sent += len(data)
                want = sum(size for _, size in batch)
                while want:
                    got = len(s.recv(min(want, 1 << 16)))
                    if not got:
                        raise EOFError("the server hung up")
                    want -= got
                    self.received += got


def talk(host, port, connections, count, depth, most):
    """On some connections at once, `count` requests in all with bodies below `most` bytes.
    [(method, status, how many)], bytes sent, bytes received."""
    talks = [Talk(seed, count // connections, depth, most) for seed in range(connections)]
    threads = [threading.Thread(target=t.run, args=(host, port)) for t in talks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(t.left for t in talks):
        raise RuntimeError("a connection failed")
    counts = {}
    for t in talks:
        for key, n in t.counts.items():
            counts[key] = counts.get(key, 0) + n
    return ([(*key, n) for key, n in counts.items()], sum(t.sent for t in talks),
            sum(t.received for t in talks))


def seeds(folder, kind):
    """What real clients ("request") or servers said, from the seeds of the fuzzers."""
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(kind):
            with open(os.path.join(folder, name), "rb") as file:
                found.append(file.read(20_000))
    return found


def harm(rng, texts):
    """Something that was right once, cut, mutated or repeated; or nothing but noise."""
    choice = rng.randrange(6)
    if choice == 0:
        return rng.randbytes(rng.randrange(1, 3000))
    data = bytearray(rng.choice(texts) or b"x")
    if choice == 1:
        return bytes(data[:rng.randrange(1, len(data) + 1)])
    if choice == 2:
        return bytes(data[rng.randrange(len(data)):] + rng.choice(texts))
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.choice((0, 10, 13, 32, 48, 57, rng.randrange(256)))
    if choice == 3:
        return bytes(data) * rng.randint(1, 5)
    return bytes(data)


def harm_one(s, rng, texts):
    """One hostile connection: a few pieces, what is answered read or not, an end of some kind."""
    s.settimeout(0.005)
    try:
        for _ in range(rng.randint(1, 4)):
            s.sendall(harm(rng, texts))
            if rng.random() < 0.7:
                s.recv(rng.choice((1, 100, 100_000)))
    except OSError:
        pass  # nothing came in time, or the other side has had enough
    if rng.random() < 0.3:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()


def attack(port, folder, count, seed):
    """Hostile connections one after the other: how many."""
    rng, texts = random.Random(seed), seeds(folder, "request")
    for _ in range(count):
        try:
            harm_one(socket.create_connection(("127.0.0.1", port), timeout=5), rng, texts)
        except OSError:
            pass  # full of what came before
    return count


def serve_harm(port, folder, seed):
    """A server that answers whatever it hears with what means harm."""
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    rng, texts = random.Random(seed), seeds(folder, "_response") or seeds(folder, "_answer")

    def accepting():
        while True:
            connection, _ = listener.accept()
            connection.settimeout(1)
            try:
                connection.recv(65536)
                harm_one(connection, rng, texts)
            except OSError:
                connection.close()

    threading.Thread(target=accepting, daemon=True).start()


def ask_harm(port, folder, count, seed):
    """Right requests to a server that means harm: how many."""
    rng, texts = random.Random(seed), seeds(folder, "request")
    for _ in range(count):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
                s.settimeout(0.05)
                for _ in range(3):
                    s.sendall(rng.choice(texts)[:4000])
                    s.recv(rng.choice((10, 100_000)))
        except OSError:
            pass
    return count

# SPDX-License-Identifier: GPL-2.0-or-later
"""A program on sockets that does what a test tells it, step by step.

Each line of standard input is Python, as a literal string; it runs here, with the names below and
those that earlier lines have left behind. Each is answered by one line, a literal tuple: when it
began and when it ended (CLOCK_MONOTONIC, in nanoseconds), its value if it is an expression, and
what went wrong, or None. `s` is the connection that most lines are about.
"""

import ast
import ctypes
import os
import signal
import socket
import struct
import sys
import threading  # for the lines
import time
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)


def listen(port, options=(), backlog=64, protocol=0):
    """A listener on loopback, with (level, name, value) set before."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in options:
        made.setsockopt(*option)
    made.bind(("127.0.0.1", port))
    made.listen(backlog)
    return made


def accept(listener):
    made = listener.accept()[0]
    made.settimeout(20)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def connect(port, options=(), host="127.0.0.1"):
    made = socket.socket()
    made.settimeout(20)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in options:
        made.setsockopt(*option)
    made.connect((host, port))
    return made


def take(connection, size):
    """So many bytes, or what there is of them before the end."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def drain(connection, size):
    """As take, for many: how many it were."""
    got = 0
    while got < size:
        more = len(connection.recv(min(size - got, 1 << 16)))
        if not more:
            break
        got += more
    return got


def push(connection, data):
    """Sends without waiting: how much was taken."""
    done = 0
    try:
        while done < len(data):
            done += connection.send(data[done:])
    except BlockingIOError:
        pass
    return done


def serve(listener, size, answer):
    """Answers each `size` bytes on one connection after the other."""
    while True:
        with accept(listener) as connection:
            while len(take(connection, size)) == size:
                connection.sendall(answer)


def fork(work, *what):
    """Does the work in a child, which ends with this process at the latest."""
    if os.fork():
        return
    check(LIBC.prctl(1, signal.SIGKILL))  # PR_SET_PDEATHSIG
    work(*what)
    os._exit(0)


def reset(connection):
    """Closes it by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def check(result):
    """What a call of the C library returned, or its error."""
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


class Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("padding", ctypes.c_int), ("len", ctypes.c_uint)]


def messages(buffers):
    """(array of struct mmsghdr, what must live as long) for sendmmsg and recvmmsg."""
    kept = [(ctypes.c_size_t * 2)(ctypes.addressof(b), len(b)) for b in buffers]
    made = (Message * len(buffers))()
    for message, vector in zip(made, kept):
        message.iov, message.iovlen = ctypes.addressof(vector), 1
    return made, kept


def sendmmsg(connection, parts):
    """Each part by a message of its own; how many were sent."""
    buffers = [(ctypes.c_char * len(part)).from_buffer_copy(part) for part in parts]
    made, _kept = messages(buffers)
    return check(LIBC.sendmmsg(connection.fileno(), made, len(made), 0))


def recvmmsg(connection, sizes):
    """Up to so many bytes by each message; what each has got."""
    buffers = [ctypes.create_string_buffer(size) for size in sizes]
    made, _kept = messages(buffers)
    done = check(LIBC.recvmmsg(connection.fileno(), made, len(made), 0x10000, None))  # WAITFORONE
    return [buffers[i].raw[:made[i].len] for i in range(done)]


def splice(source, target, size):
    """All of it from one descriptor to the other, one of them a pipe."""
    done = 0
    while done < size:
        n = check(LIBC.splice(source, None, target, None, ctypes.c_size_t(size - done), 0))
        if not n:
            break
        done += n
    return done


def run(line, names):
    """The value of a line, None if it has none."""
    try:
        code = compile(line, "<line>", "eval")
    except SyntaxError:
        exec(compile(line, "<line>", "exec"), names)
        return None
    return eval(code, names)


def main():
    names = globals()
    for line in sys.stdin:
        value = error = None
        began = time.monotonic_ns()
        try:
            value = run(ast.literal_eval(line), names)
        except Exception:  # whatever a test's line does wrong, the test is told
            error = traceback.format_exc()
        ended = time.monotonic_ns()
        if not isinstance(value, (bytes, int, str, list, tuple, type(None))):
            value = None
        print(repr((began, ended, value, error)), flush=True)


if __name__ == "__main__":
    main()

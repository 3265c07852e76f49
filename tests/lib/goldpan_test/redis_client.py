# SPDX-License-Identifier: GPL-2.0-or-later
"""A client for Redis that counts what it does (clients.Account): (command, OK or the error)."""

from .clients import Account, Connection

SERVER_ERRORS = ("OOM", "LOADING", "BUSY", "MISCONF", "CLUSTERDOWN", "MASTERDOWN")
NO_ERRORS = ("OK", "MOVED", "ASK", "other", "none")
STRINGS, ELEMENTS, PAIRS = b"$=!", b"*~>", b"%|"


def is_server_error(status):
    return status in SERVER_ERRORS


def is_client_error(status):
    return status not in SERVER_ERRORS and status not in NO_ERRORS


def as_bytes(word):
    return word if isinstance(word, bytes) else str(word).encode()


class Command:
    """One command as bytes, by strings with their lengths or as a line; `operation` is what it
    counts as, its first word if that is not given."""

    def __init__(self, *words, operation=None, inline=False):
        words = [as_bytes(word) for word in words]
        self.operation = operation or words[0].decode().upper()
        if inline:
            self.data = b" ".join(words) + b"\r\n"
        else:
            self.data = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w)
                                                           for w in words)

    def answer(self, connection):
        status = None
        while status is None:
            status = read_element(connection)
        return self.operation, status


def read_element(connection):
    """One element with all that is in it: what it is as a status, None if it answers nothing."""
    line = connection.line()
    kind, text = line[:1], line[1:]
    if kind in STRINGS and int(text) >= 0:
        text = connection.take(int(text) + 2)
    elif kind in ELEMENTS + PAIRS:
        for _ in range(int(text) * (2 if kind in PAIRS else 1)):
            read_element(connection)
    if kind in b"->!":
        return text.split(b" ", 1)[0].decode() if kind != b">" else None
    return None if kind == b"|" else "OK"


def load(port, batches, rng=None, first=()):
    """Batches of commands, on one connection, behind the commands of `first` one by one."""
    account = Account()
    with Connection(port, account) as connection:
        for command in first:
            connection.exchange([command])
        account.durations_ns.clear()
        for batch in batches:
            connection.exchange(batch, rng)
        if connection.unexpected():
            raise ValueError(f"nobody asked for {connection.buffer[:80]!r}")
    return account


class Subscriber:
    """Subscribes; `hear` reads so many messages, `leave` hangs up."""

    def __init__(self, port, channel):
        self.account = Account()
        self.connection = Connection(port, self.account)
        self.connection.exchange([Command("SUBSCRIBE", channel)])

    def hear(self, count):
        for _ in range(count):
            read_element(self.connection)

    def leave(self):
        self.connection.socket.close()
        return self.account

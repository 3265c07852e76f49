# SPDX-License-Identifier: GPL-2.0-or-later
"""A client for PostgreSQL that counts what it does (clients.Account): (the statement's keyword, OK
or the SQLSTATE). It uses the protocol's messages one by one, as a library would, in any order."""

import select
import struct

from .clients import Account, Connection
from .postgresql import USER

VERSION, CANCEL, SSL = 3 << 16, 80877102, 80877103
SERVER_CLASSES = ("53", "57", "58", "XX")
NO_ERROR_CLASSES = ("00", "01", "02")


def is_server_error(status):
    return status[:2] in SERVER_CLASSES


def is_client_error(status):
    return (status not in ("OK", "other", "none") and status[:2] not in NO_ERROR_CLASSES
            and not is_server_error(status))


def message(kind, *parts):
    """A message; parts are bytes as they are, texts with the 0 behind them, and 16-bit numbers."""
    body = b"".join(p if isinstance(p, bytes) else p.encode() + b"\0" if isinstance(p, str)
                    else struct.pack("!h", p) for p in parts)
    return kind + struct.pack("!i", len(body) + 4) + body


def parse(sql, name=""):
    return message(b"P", name, sql, 0)


def bind(*values, name="", portal=""):
    texts = [value.encode() for value in values]
    return message(b"B", portal, name, 0, len(texts),
                   b"".join(struct.pack("!i", len(t)) + t for t in texts), 0)


def execute(portal=""):
    return message(b"E", portal, struct.pack("!i", 0))


def describe(name=""):
    return message(b"D", b"S", name)


def close(name):
    return message(b"C", b"S", name)


FLUSH, SYNC, TERMINATE = message(b"H"), message(b"S"), message(b"X")
COPY_DONE = message(b"c")


class Startup:
    """The packet that opens a session."""

    def __init__(self, user=USER, database=USER, **settings):
        names = {"user": user, "database": database, **settings}
        body = b"".join(text.encode() + b"\0" for pair in names.items() for text in pair) + b"\0"
        self.data = struct.pack("!ii", len(body) + 8, VERSION) + body

    def answer(self, connection):
        return "other", read_answer(connection).status


class Query:
    """A simple query. `operation`: its first keyword, if that is not given."""

    def __init__(self, sql, operation=None):
        self.operation = operation or sql.split()[0].rstrip(";").upper()
        self.data = message(b"Q", sql)

    def answer(self, connection):
        return self.operation, read_answer(connection).status


class Extended:
    """Messages up to a Sync. `operation`: what the last Parse prepares, PARSE where nothing is
    executed; None: the tag of what was executed says."""

    def __init__(self, operation, *messages):
        self.operation = operation
        self.data = b"".join(messages) + SYNC

    def answer(self, connection):
        answer = read_answer(connection)
        return self.operation or answer.command, answer.status


class Copy(Query):
    """COPY by a simple query, in with `rows`, or out without."""

    def __init__(self, sql, rows=None):
        super().__init__(sql)
        self.rows = rows

    def answer(self, connection):
        if self.rows is not None:
            read_answer(connection, until=b"G")
            for row in self.rows:
                connection.send(message(b"d", row))
            connection.send(COPY_DONE)
        return super().answer(connection)


class Answer:
    status, command = "OK", "other"


def read_answer(connection, until=b"Z"):
    """To ReadyForQuery, or to the end where the server ends the session. The first error and the
    first command that it tells of."""
    answer, has_ended = Answer(), False
    while not has_ended:
        kind = connection.take(1)
        body = connection.take(struct.unpack("!i", connection.take(4))[0] - 4)
        has_ended = kind == until
        if kind == b"E":
            fields = {field[:1]: field[1:].decode() for field in body.split(b"\0") if field}
            if answer.status == "OK":
                answer.status = fields[b"C"]
            has_ended = has_ended or fields[b"V"] in ("FATAL", "PANIC")
        elif kind == b"C" and answer.command == "other":
            answer.command = body.split(b"\0")[0].split(b" ")[0].decode()
        elif kind == b"K":
            connection.key = body
    return answer


class Session(Connection):
    """From the start-up packet on; Terminate at the end."""

    def __init__(self, port, account, **names):
        super().__init__(port, account)
        self.key = None
        self.exchange([Startup(**names)])

    def __exit__(self, *_):
        self.send(TERMINATE)
        self.rest()
        super().__exit__()


def load(port, batches, rng=None, first=()):
    """Batches of requests in one session, behind the requests of `first` one by one."""
    account = Account()
    with Session(port, account) as session:
        for request in first:
            session.exchange([request])
        account.durations_ns.clear()
        for batch in batches:
            session.exchange(batch, rng)
        if session.unexpected():
            raise ValueError(f"nobody asked for {session.buffer[:80]!r}")
    return account


def refused_ssl(port):
    """Asks for TLS, which the server does not have, and goes on without."""
    account = Account()
    with Connection(port, account) as connection:
        connection.send(struct.pack("!ii", 8, SSL))
        if connection.take(1) != b"N":
            raise ValueError("the server offers TLS")
        connection.exchange([Startup()])
        account.durations_ns.clear()
        connection.exchange([Query("SELECT 1")])
        connection.send(TERMINATE)
        connection.rest()
    return account


def refused_start(port, **names):
    """A session that is not given."""
    account = Account()
    with Connection(port, account) as connection:
        connection.exchange([Startup(**names)])
        connection.rest()
    return account


def cancelled(port, sql):
    """A query that is called off by a connection of its own, which nobody answers."""
    account = Account()
    with Session(port, account) as session:
        query = Query(sql)
        session.send(query.data)
        while not select.select([session.socket], [], [], 0.1)[0]:  # too early is not heard
            with Connection(port, account) as other:
                other.send(struct.pack("!ii", 16, CANCEL) + session.key)
                other.rest()
        account.requests[query.answer(session)] += 1
    return account

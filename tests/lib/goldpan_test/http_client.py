# SPDX-License-Identifier: GPL-2.0-or-later
"""A client for HTTP/1.x that counts what it does (clients.Account): (method, status)."""

from .clients import Account, Connection

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE")


def is_server_error(status):
    return status.isdigit() and status >= "500"


def is_client_error(status):
    return status.isdigit() and "400" <= status < "500"


def chunks(body, size):
    """The body in chunks of a size, the last one with an extension and a trailer."""
    parts = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0;last=1\r\nX-End: 1\r\n\r\n"


class Request:
    """One request as bytes, and how its answer is read. A body goes with its length before it, or
    in chunks of `chunked` bytes."""

    def __init__(self, method, path, body=None, chunked=0, headers=(), version="1.1"):
        self.method, self.version = method, version
        lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers]
        if body is not None:
            lines.append("Transfer-Encoding: chunked" if chunked
                         else f"Content-Length: {len(body)}")
        self.head = "\r\n".join([*lines, "", ""]).encode()
        self.body = b"" if body is None else chunks(body, chunked) if chunked else body
        self.data = self.head + self.body

    def answer(self, connection):
        status, headers = read_head(connection)
        while status < 200 and status != 101:
            status, headers = read_head(connection)
        self.read_body(connection, status, headers)
        return self.method if self.method in METHODS else "other", str(status)

    def read_body(self, connection, status, headers):
        if self.method == "HEAD" or status in (204, 304):
            return
        if headers.get("transfer-encoding") == "chunked":
            while size := int(connection.line().partition(b";")[0], 16):
                connection.take(size + 2)
            while connection.line():
                pass
        elif "content-length" in headers:
            connection.take(int(headers["content-length"]))
        else:
            connection.rest()


def read_head(connection):
    """(status, {header in lower case: value})"""
    version, status, *_ = connection.line().split(b" ", 2)
    if not version.startswith(b"HTTP/1."):
        raise ValueError(f"no answer of HTTP: {version!r}")
    headers = {}
    while line := connection.line():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(status), headers


def continued(connection, request):
    """A request whose body is sent only once the server has asked for it (100 Continue)."""
    connection.send(request.head)
    status, _ = read_head(connection)
    if status != 100:
        raise ValueError(f"{status} where 100 was to come")
    connection.send(request.body)
    connection.account.requests[request.answer(connection)] += 1


def load(port, batches, rng=None):
    """Batches of requests, on one connection, cut up by `rng` if there is one."""
    account = Account()
    with Connection(port, account) as connection:
        for batch in batches:
            connection.exchange(batch, rng)
        if connection.unexpected():
            raise ValueError(f"nobody asked for {connection.buffer[:80]!r}")
    return account


def alone(port, request):
    """A request on a connection of its own, to the server's end of it."""
    account = Account()
    with Connection(port, account) as connection:
        connection.exchange([request])
        if connection.rest():
            raise ValueError("bytes behind the last answer")
    return account


def given_up(port, method, data):
    """A request that is not finished: the client hangs up, and nobody answers."""
    account = Account()
    with Connection(port, account) as connection:
        connection.send(data)
    account.requests[method, "none"] += 1
    return account

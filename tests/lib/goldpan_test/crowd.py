# SPDX-License-Identifier: GPL-2.0-or-later
"""Many keep-alive connections to one HTTP server, idle until told. A program of its own:

    python3 crowd.py PORT SOURCE COUNT

opens COUNT connections from the address SOURCE and prints `connected COUNT`. Each line `request` on
standard input sends one request on each connection and prints `answered N` once N have a whole
answer; `close` closes all and prints `closed`; the end of input ends it.

All is paced, so that the kernel handles each packet at once instead of queueing them by hundreds
for whatever task runs next: there are kernels (field notes) that run no tracing programs on top of
some task of theirs, and all kernels skip a program that interrupts itself.
"""

import os
import select
import socket
import sys
import time

IP_BIND_ADDRESS_NO_PORT = 24
AT_ONCE, CLOSE_AT_ONCE = 32, 8
REQUEST = b"GET / HTTP/1.1\r\nHost: crowd\r\n\r\n"


class Crowd:
    def __init__(self, port, source, count):
        self.epoll = select.epoll()
        self.sockets = {}
        self._in_turn(range(count), select.EPOLLOUT, lambda _: self._connect(port, source),
                      self._connected)

    def _in_turn(self, things, event, begin, end):
        """begin(thing) starts something on the socket it returns; when `event` comes, end(socket)
        says whether it is done. At most AT_ONCE are on their way."""
        todo, on_the_way, done = iter(things), 0, 0
        while done < len(things):
            while on_the_way < AT_ONCE:
                thing = next(todo, None)
                if thing is None:
                    break
                self.epoll.register(begin(thing).fileno(), event)
                on_the_way += 1
            for fd, _ in self.epoll.poll():
                if end(self.sockets[fd]):
                    self.epoll.unregister(fd)
                    on_the_way -= 1
                    done += 1

    def _connect(self, port, source):
        s = socket.socket()
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        s.bind((source, 0))
        s.connect_ex(("127.0.0.1", port))
        self.sockets[s.fileno()] = s
        return s

    @staticmethod
    def _connected(s):
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        return True

    def request(self):
        """One on each. The number of whole answers."""
        answers = {}

        def send(s):
            s.sendall(REQUEST)
            answers[s] = b""
            return s

        def is_whole(s):
            part = s.recv(65536)
            if not part:
                raise ConnectionError("the server closed a connection")
            answers[s] += part
            head, end, body = answers[s].partition(b"\r\n\r\n")
            if not end:
                return False
            if not head.startswith(b"HTTP/1.1 200 "):
                raise ValueError(f"answered: {head!r}")
            length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            return len(body) == int(length)

        self._in_turn(list(self.sockets.values()), select.EPOLLIN, send, is_whole)
        return len(answers)

    def close(self):
        for done, s in enumerate(self.sockets.values()):
            s.close()
            if done % CLOSE_AT_ONCE == 0:
                time.sleep(0.0005)
        self.sockets = {}


def main():
    crowd = Crowd(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    print("connected", len(crowd.sockets), flush=True)
    for line in sys.stdin:
        if line == "request\n":
            print("answered", crowd.request(), flush=True)
        elif line == "close\n":
            crowd.close()
            print("closed", flush=True)


if __name__ == "__main__":
    main()

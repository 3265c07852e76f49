# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers and clients of known behaviour (tests/servers), and networks to put them in.

Each program is started through a link of its own name, so that it is a service of its own for
goldpan (which takes the name at exec) and nobody else's processes mix with it.
"""

import json
import os
import signal
import subprocess
import time

from .harness import ROOT, Case, Process, wait_until

PROGRAMS = os.path.join(ROOT, "build", "tests", "servers")


def total(endpoint, *path):
    """A count that Endpoint does not add up itself, e.g. total(e, "connect_s", "count")."""
    added = 0
    for record in endpoint.records:
        value = record
        for name in path:
            value = value[name]
        added += value or 0
    return added


def export_now(goldpan):
    """Makes goldpan export (SIGUSR1) and returns the records of that export."""
    before = goldpan.recording().of_type("self")
    goldpan.popen.send_signal(signal.SIGUSR1)

    def fresh():
        records = goldpan.recording()
        done = records.of_type("self")  # the last line of an export
        if len(done) == len(before):
            return None
        return [r for r in records.records if r["time"] == done[-1]["time"]]

    return wait_until(fresh, 5, "an export after SIGUSR1")


class Dialogue(Process):
    """A program that answers each line of its standard input with one line."""

    def __init__(self, argv, directory, name):
        super().__init__(argv, directory, name=name, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, bufsize=1)

    def hear(self):
        return self.popen.stdout.readline().strip()

    def tell(self, line):
        self.popen.stdin.write(f"{line}\n")

    def ask(self, line):
        self.tell(line)
        return self.hear()


class Slow(Dialogue):
    """tests/servers/slow.c: listens on `port` once constructed."""

    def __init__(self, argv, directory, name):
        super().__init__(argv, directory, name)
        said = self.hear().split()
        if said[:1] != ["ready"]:
            raise RuntimeError(f"{name} does not listen: {self.stderr()}")
        self.port = int(said[1])


class KnownCase(Case):
    """A Case with the programs of tests/servers at hand."""

    def service(self, stem):
        """A service's name that no other test run uses at the same time."""
        return f"{stem}-{os.getpid()}"[:15]

    def known(self, program, stem):
        """The path of a program under a name of its own."""
        link = os.path.join(self.directory, self.service(stem))
        if not os.path.islink(link):
            os.symlink(os.path.join(PROGRAMS, program), link)
        return link

    def dialogue(self, program, *options, stem=None, inside=(), kind=Dialogue):
        """A Dialogue with a program; `inside` is the start of a command that runs it elsewhere."""
        stem = stem or program
        argv = [*inside, self.known(program, stem), *map(str, options)]
        return self.keep(kind(argv, self.directory, self.service(stem)))

    def slow(self, *options, stem="slow", inside=()):
        return self.dialogue("slow", *options, stem=stem, inside=inside, kind=Slow)

    def caller(self, server_or_port, *options, stem="caller", inside=()):
        """A client that has been started: `self.result` waits for what it says."""
        port = getattr(server_or_port, "port", server_or_port)
        return self.dialogue("caller", "-p", port, *options, stem=stem, inside=inside)

    def result(self, caller):
        """What a caller did by its own clock and count, once it has said so."""
        said = caller.hear()
        if not said:
            raise RuntimeError(f"{caller.name} said nothing: {caller.stderr()}")
        return json.loads(said)

    def call(self, server_or_port, *options, **keywords):
        """Runs a caller to its end: what it did by its own clock and count."""
        caller = self.caller(server_or_port, *options, **keywords)
        result = self.result(caller)
        self.assertEqual(caller.popen.wait(5), 0, caller.stderr())
        time.sleep(0.02)  # the server closes its end after the client has gone
        return result

    def network(self):
        """A network namespace with nothing but lo: the start of a command that runs inside."""
        name = self.service("goldpan")
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        return "ip", "netns", "exec", name

    def assert_near(self, value, reference, share, what, slack=0.0):
        """Within `share` of the reference, or `slack` of it."""
        allowed = max(abs(reference) * share, slack)
        self.assertLessEqual(abs(value - reference), allowed,
                             f"{what}: {value} is not within {share:.1%} of {reference}")

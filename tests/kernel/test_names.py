# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that mean harm: of programs, in every output and in messages. Whoever may start a program
chooses its name, byte by byte; what reads it is root's terminal, a log, a browser."""

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import GOLDPAN  # noqa: E402
from goldpan_test.known import PROGRAMS, KnownCase, Slow  # noqa: E402

# Of at most 15 bytes, as the kernel keeps them: what each becomes in every output.
NAMES = {
    b"\x1b]0;owned\x07": "\ufffd]0;owned\ufffd",
    b"\x1b[2J\x1b[33mred": "\ufffd[2J\ufffd[33mred",
    b"\xc2\x9b31mred": "\ufffd31mred",  # CSI as one character
    b'"}],"x":{"\\': '"}],"x":{"\\',
    b"one\ntwo\r\tthree": "one\ufffdtwo\ufffd\ufffdthree",
    b"\xff\xfe\xc3(\xe2\x82": None,  # not UTF-8: how many U+FFFD, python says
    b"<script>&'": "<script>&'",
    b"%s%n{}$(id)`id`": "%s%n{}$(id)`id`",
    "\u202egnp.exe\u200f".encode(): None,  # turns the direction of what follows: printable
    b"\x7f\x01\x80": None,
}
CONTROL = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0))]


def clean(name):
    """What contract.md says becomes of a name."""
    text = name.decode("utf-8", errors="replace")
    return "".join("\ufffd" if c in CONTROL else c for c in text)


class Names(KnownCase):
    def servers(self):
        """A server under each name, started one after the other."""
        started = {}
        for name in NAMES:
            path = os.path.join(os.fsencode(self.directory), name)
            shutil.copy(os.path.join(PROGRAMS, "slow"), path)
            started[name] = self.keep(Slow([path], self.directory, "slow"))
        return started

    def ask_all(self, servers):
        for server in servers.values():
            self.call(server, "-c", 3)

    def assert_harmless(self, data, allowed="\n"):
        text = data.decode("utf-8")  # strict: all of it is
        self.assertEqual({c for c in text if c in CONTROL} - set(allowed), set())
        return text

    def test_expectations(self):
        """The table above against the rule, where both are given."""
        for name, expected in NAMES.items():
            if expected is not None:
                self.assertEqual(clean(name), expected)

    def test_json_and_events(self):
        events = os.path.join(self.directory, "events")
        goldpan = self.goldpan("--events", events, "--slow", "0.000001", interval="60s")
        servers = self.servers()
        self.ask_all(servers)
        goldpan.finish()
        for path, kind in ((goldpan.json_path, "endpoint"), (events, "exemplar")):
            with self.subTest(path=path), open(path, "rb") as file:
                data = file.read()
                text = self.assert_harmless(data)
                records = [json.loads(line) for line in text.splitlines()]
                by_jq = subprocess.run(["jq", "-c", "."], input=data, capture_output=True,
                                       check=True).stdout
                self.assertEqual([json.loads(line) for line in by_jq.splitlines()], records)
                for name, server in servers.items():
                    found = {r["service"] for r in records if r["type"] == kind
                             and r["role"] == "server" and r["port"] == server.port}
                    self.assertEqual(found, {clean(name)}, name)

    def test_exe(self):
        """The path of the program holds the same bytes."""
        goldpan = self.goldpan(interval="60s")
        self.ask_all(self.servers())
        records = goldpan.finish().of_type("service")
        exes = {r["service"]: r["exe"] for r in records}
        for name in NAMES:
            self.assertEqual(exes[clean(name)], f"{self.directory}/{clean(name)}")

    def test_slash(self):
        """A name that no file can have, of a process that was there before and chose it itself."""
        code = ("import sys, time\nopen('/proc/self/comm', 'w').write('</script>')\n"
                "print('ready', flush=True)\nwhile True: time.sleep(0.01)")
        self.start([sys.executable, "-c", code]).wait_for("ready", stream="stdout")
        goldpan = self.goldpan(interval="60s")
        self.call(self.slow(), "-c", 2)
        goldpan.finish()
        with open(goldpan.json_path, "rb") as file:
            text = self.assert_harmless(file.read())
        names = [json.loads(line).get("service") for line in text.splitlines()]
        self.assertIn("</script>", names)

    def test_table(self):
        """To a file: a row for each name, which stays within its row."""
        path = os.path.join(self.directory, "table")
        goldpan = self.start([GOLDPAN, "-i", "60s", "-o", f"table:{path}"], name="goldpan")
        goldpan.wait_for("observing")
        servers = self.servers()
        self.ask_all(servers)
        self.assertEqual(goldpan.stop(), 0)
        with open(path, "rb") as file:
            lines = self.assert_harmless(file.read()).splitlines()
        for name, server in servers.items():
            row, = [line for line in lines if f" :{server.port} " in line]
            self.assertTrue(row.startswith(clean(name)), (row, name))

    def test_terminal(self):
        """Everything that a terminal gets, the table and messages: no byte that steers it."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 100, 300, 0, 0))
        self.addCleanup(os.close, ours)
        hostile = "\x1b[31mno\x9bfile\u0085"
        goldpan = self.start([GOLDPAN, "-i", "60s", "-v", "-x", hostile], name="goldpan",
                             stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        got = b""
        while b"info: observing" not in got:
            got += os.read(ours, 65536)
        self.ask_all(self.servers())
        goldpan.popen.terminate()
        while True:
            try:
                got += os.read(ours, 65536)
            except OSError:  # nobody has the other end any more
                break
        self.assertEqual(goldpan.popen.wait(5), 0)
        own = re.compile(rb"\x1b\[(?:0|1|31)m")  # none of these is in a name
        self.assertIn(b"\x1b[1m", got)
        text = self.assert_harmless(own.sub(b"", got), "\r\n")
        for name in NAMES:
            self.assertIn(clean(name), text)

    def test_messages(self):
        """What the user, or who writes his scripts, gives comes back in messages."""
        hostile = b"/none/\x1b]0;x\x07\xff\n\xc2\x9b"
        for options, status in (([b"-o", b"json:" + hostile], 1), ([b"-o", hostile], 2),
                                ([b"-i", hostile], 2), ([b"--user", hostile], 2),
                                ([b"--events", hostile], 1), ([hostile], 2),
                                ([b"--" + hostile], 2), ([b"-p", hostile], 2)):
            with self.subTest(options=options):
                done = subprocess.run([GOLDPAN, *options], capture_output=True, timeout=20,
                                      check=False)
                self.assertEqual((done.returncode, done.stdout), (status, b""))
                lines = self.assert_harmless(done.stderr).splitlines()
                self.assertEqual([l for l in lines if not l.startswith("goldpan: ")], [])
                self.assertTrue([l for l in lines if clean(hostile) in l], lines)


if __name__ == "__main__":
    unittest.main()

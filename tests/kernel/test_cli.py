# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: exit statuses, the sentence on standard error, signals, filters."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import GOLDPAN  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402


class Refused(KnownCase):
    """What goldpan does not accept: one sentence that says what to do, and the exit status."""

    def check(self, status, options, *words, prefix=()):
        """Runs goldpan; each of `words` (regular expressions) must be in its one error line."""
        done = subprocess.run([*prefix, GOLDPAN, *options], capture_output=True, text=True,
                              timeout=20, check=False, cwd="/")
        self.assertEqual(done.returncode, status, f"{options}: {done.stderr}")
        self.assertEqual(done.stdout, "", f"{options}: only metrics go to standard output")
        lines = done.stderr.splitlines()
        errors = [line for line in lines if line.startswith("goldpan: error: ")]
        self.assertEqual(len(errors), 1, f"{options}: one error in {lines}")
        for line in lines:
            self.assertRegex(line, r"^goldpan: (error|warning|info|debug): \S", "form of a message")
        for word in words:
            self.assertRegex(errors[0], f"(?i){word}", f"{options}: what to do")

    def test_wrong_command_line(self):
        for options, words in (
                (["run", "--no-such-option"], ["no-such-option"]),
                (["nonsense"], ["nonsense"]),
                (["run", "stray"], ["stray"]),
                (["run", "-o", "xml"], ["xml", "json", "table"]),
                (["run", "-o", ""], ["json", "table"]),
                (["run", "-o", "json:"], ["json:"]),
                (["run", "-i"], ["-i|interval"]),
                (["run", "-i", "soon"], ["interval", "soon"]),
                (["run", "-i", "0"], ["interval"]),
                (["run", "-i", "-1s"], ["interval", "-1s"]),
                (["run", "-i", "10parsecs"], ["interval", "10parsecs"]),
                (["run", "-d", "1e400"], ["duration", "1e400"]),
                (["run", "-p", "2000-1000"], ["port", "2000-1000", "1000-2000|first|reversed"]),
                (["run", "-p", "0"], ["port"]),
                (["run", "-p", "65536"], ["port", "65536", "65535"]),
                (["run", "-p", "80x"], ["port", "80x"]),
                (["run", "--pid", "0"], ["pid"]),
                (["run", "--pid", "4194303"], ["pid", "4194303", "runs"]),
                (["run", "--pid", "self"], ["pid", "self"]),
                (["run", "--cgroup", "/no/such.slice"], ["cgroup", "/no/such.slice"]),
                (["run", "--cgroup", "/tmp"], ["cgroup", "/tmp", "there"]),
                (["run", "--cgroup", ""], ["cgroup"]),
                (["run", "--max-endpoints", "0"], ["max-endpoints"]),
                (["run", "--max-endpoints", "many"], ["max-endpoints", "many"])):
            with self.subTest(options=options):
                self.check(2, options, *words)

    def test_unwritable_outputs(self):
        missing = os.path.join(self.directory, "missing", "out.json")
        link = os.path.join(self.directory, "link.json")
        os.symlink(os.path.join(self.directory, "elsewhere"), link)
        shared = os.path.join(self.directory, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o777)
        for path, word in ((missing, "No such file|does not exist"), ("/proc/out.json", "/proc"),
                           (link, "link"), (self.directory, "directory"),
                           (os.path.join(shared, "out.json"), "write|sticky")):
            with self.subTest(path=path):
                self.check(1, ["run", "-d", "1", "-o", f"json:{path}"], re.escape(path), word)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "elsewhere")))

    def test_no_root(self):
        nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
        program = os.path.join(self.directory, "goldpan")
        shutil.copy(GOLDPAN, program)  # where nobody may look
        os.chmod(program, 0o755)
        done = subprocess.run([*nobody, program, "run", "-d", "1"], capture_output=True, text=True,
                              timeout=20, check=False, cwd="/")
        self.assertEqual(done.returncode, 4, done.stderr)
        errors = [l for l in done.stderr.splitlines() if l.startswith("goldpan: error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertRegex(errors[0], "root|privilege|CAP_")
        self.assertEqual(done.stdout, "")


class Answers(KnownCase):
    def test_help_and_version(self):
        for options, words in ((["--help"], ["interval", "output", "goldpan"]),
                               (["-h"], ["interval"]), (["run", "--help"], ["interval"]),
                               (["--version"], [r"goldpan \d+\.\d+"])):
            with self.subTest(options=options):
                done = subprocess.run([GOLDPAN, *options], capture_output=True, text=True,
                                      timeout=10, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                for word in words:
                    self.assertRegex(done.stdout, word)

    def test_help_lists_every_option_of_this_version(self):
        done = subprocess.run([GOLDPAN, "--help"], capture_output=True, text=True, timeout=10,
                              check=True)
        for option in ("interval", "duration", "output", "service", "exclude", "port", "no-sched",
                       "no-client", "pid", "cgroup", "quiet", "verbose", "max-endpoints",
                       "max-services", "max-operations", "max-threads", "user", "keep-privileges",
                       "config", "print-config", "version", "help"):
            self.assertIn(f"--{option}", done.stdout)

    def test_duration(self):
        """-d ends it: an export every interval and the last one, status 0."""
        done = subprocess.run([GOLDPAN, "-d", "900ms", "-i", "400ms", "-o", "json"],
                              capture_output=True, text=True, timeout=20, check=True)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        spans = [r["interval_s"] for r in records if r["type"] == "self"]
        self.assertEqual(len(spans), 3)
        self.assertAlmostEqual(sum(spans), 0.9, delta=0.2)

    def test_table_is_the_default(self):
        done = subprocess.run([GOLDPAN, "-q", "-d", "300ms"], capture_output=True, text=True,
                              timeout=20, check=True)
        self.assertEqual(done.stderr, "")
        self.assertNotIn('"schema"', done.stdout)
        self.assertNotIn("\x1b", done.stdout)


class Signals(KnownCase):
    def observed(self, number):
        """The number of exports of a goldpan that is sent a signal after one exchange."""
        goldpan = self.goldpan(interval="60s")
        server = self.slow()
        self.call(server, "-c", 3)
        recording = goldpan.finish(number)
        self.assertEqual(recording.endpoint(service=server.name).requests, 3)
        return len(recording.of_type("self"))

    def test_interrupt_and_terminate(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                self.assertEqual(self.observed(number), 1, "the last export")

    def test_export_now(self):
        goldpan = self.goldpan(interval="60s")
        server = self.slow()
        caller = self.caller(server, "-I")
        for count in (3, 4):
            caller.ask(count)
            caller.ask(1)  # the exchange before this one has ended
            began = time.monotonic()
            records = export_now(goldpan)
            self.assertLess(time.monotonic() - began, 1)
            self.assertIn(server.name, [r.get("service") for r in records])
        self.assertEqual(goldpan.finish().endpoint(service=server.name).requests, 9)

    def test_reader_goes_away(self):
        """`| head -1` reads the first line and leaves: no error, no message, status 0."""
        goldpan = subprocess.Popen([GOLDPAN, "-i", "100ms", "-o", "json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(goldpan.kill)
        first = goldpan.stdout.readline()
        goldpan.stdout.close()
        self.assertEqual(goldpan.wait(10), 0)
        self.assertEqual(json.loads(first)["type"], "meta")
        self.assertNotIn("error", goldpan.stderr.read())
        goldpan.stderr.close()


class Filters(KnownCase):
    """Three servers, one exchange each; which of them are in the output."""

    def seen(self, *options):
        goldpan = self.goldpan(*options)
        servers = [self.slow(stem=stem) for stem in ("apple", "apricot", "banana")]
        for server in servers:
            self.call(server, "-c", 2)
        self.recording = goldpan.finish()
        return [sum(e.requests for e in self.recording.endpoints(role="server", port=server.port))
                for server in servers]

    def test_services(self):
        for options, expected in ((("-s", "ap*"), [2, 2, 0]),
                                  (("-s", "apple*", "-s", "ban*"), [2, 0, 2]),
                                  (("-x", "ap*"), [0, 0, 2]),
                                  (("-s", "ap*", "-x", "apr*"), [2, 0, 0]),
                                  ((), [2, 2, 2])):
            with self.subTest(options=options):
                self.assertEqual(self.seen(*options), expected)
                names = {r["service"] for r in self.recording.records if "service" in r}
                left_out = {self.service(stem) for stem, n in
                            zip(("apple", "apricot", "banana"), expected) if not n}
                self.assertEqual(names & left_out, set(), "in no record at all")

    def test_ports(self):
        servers = sorted((self.slow(stem=s) for s in ("one", "two", "three")), key=lambda s: s.port)
        low, middle, high = (s.port for s in servers)
        for options, expected in ((["-p", low], {low}), (["-p", f"{low}-{middle}"], {low, middle}),
                                  (["-p", low, "-p", high], {low, high})):
            with self.subTest(options=options):
                goldpan = self.goldpan(*map(str, options))
                for server in servers:
                    self.call(server, "-c", 2)
                recording = goldpan.finish()
                for role in ("server", "client"):
                    ends = {e.port: e.requests for e in recording.endpoints(role=role)
                            if e.requests}
                    self.assertEqual(ends, {port: 2 for port in expected}, role)

    def test_without_clients(self):
        self.assertEqual(self.seen("--no-client"), [2, 2, 2])
        self.assertEqual(self.recording.endpoints(role="client"), [])

    def test_without_the_scheduler(self):
        self.assertEqual(self.seen("--no-sched"), [2, 2, 2])
        for record in self.recording.of_type("service") + self.recording.of_type("host"):
            self.assertIsNone(record["runqueue_s"]["count"] if record["runqueue_s"] else None)
            self.assertIsNone(record["cpu"]["seconds"] if record["cpu"] else None)


if __name__ == "__main__":
    unittest.main()

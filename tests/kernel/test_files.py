# SPDX-License-Identifier: GPL-2.0-or-later
"""Outputs after goldpan has dropped root, in a directory that only root may enter: whatever happens
to it, nothing is written elsewhere, nothing is lost, and it is said once."""

import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import process  # noqa: E402
from goldpan_test.harness import GOLDPAN, wait_until  # noqa: E402
from goldpan_test.jsonlines import Recording  # noqa: E402
from goldpan_test.known import KnownCase  # noqa: E402


class FilesCase(KnownCase):
    def setUp(self):
        super().setUp()
        self.top = os.path.join(self.directory, "top")
        self.place = os.path.join(self.top, "place")
        self.elsewhere = os.path.join(self.directory, "elsewhere")
        self.output = os.path.join(self.place, "out.json")
        self.events = os.path.join(self.place, "events.json")
        for path in (self.top, self.place, self.elsewhere):
            os.mkdir(path, 0o700)
        self.asked = 0

    def observe(self, *options):
        self.observer = self.start([GOLDPAN, "-i", "60s", "-o", f"json:{self.output}", *options],
                                   name="goldpan")
        self.observer.wait_for("observing")
        self.server = self.slow()
        self.client = self.caller(self.server, "-I")
        wait_until(lambda: process.users(self.observer.pid)[0], 5, "the drop")

    def ask(self, count):
        self.client.ask(count)
        self.asked += count

    def export(self, *, fails=False):
        """One that is known to be over: by its last line, or by what CPU it has taken."""
        before = self.last_time()
        said = len(self.errors())
        self.observer.popen.send_signal(signal.SIGUSR1)
        if fails:
            wait_until(lambda: self.errors()[said:] or self.is_waiting(), 5, "a failed export")
        else:
            wait_until(lambda: self.last_time() != before, 5, "an export")

    def is_waiting(self):
        """Whether no signal is pending for it, and it sleeps."""
        said = process.status(self.observer.pid)
        return not int(said["ShdPnd"], 16) and said["State"].startswith("S")

    def reopen(self):
        self.observer.popen.send_signal(signal.SIGHUP)
        wait_until(self.is_waiting, 5, "SIGHUP being handled")

    def last_time(self):
        try:
            with open(self.output, encoding="utf-8") as file:
                lines = re.findall(r'"type":"self".*?"time":"([^"]+)".*\n', file.read())
        except FileNotFoundError:
            return None
        return lines[-1] if lines else None

    def errors(self):
        return [line for line in self.observer.stderr().splitlines() if ": error: " in line]

    def requests(self, *paths):
        """Of the server, in all recordings together."""
        return sum(e.requests for path in paths
                   for e in Recording(path, is_running=False).endpoints(service=self.server.name))

    def finish(self, *paths):
        """The regular end: every exchange that has ended is in one of the recordings."""
        self.client.popen.stdin.close()
        self.client.popen.wait(5)
        self.assertEqual(self.observer.stop(), 0, self.observer.stderr())
        self.assertEqual(self.requests(*paths or [self.output]), self.asked)

    def check_said_once(self, *words):
        """One error for the failure, one message that it is over."""
        error, = self.errors()
        for word in (self.output, *words):
            self.assertIn(word, error)
        self.assertEqual(self.observer.stderr().count("works again"), 1, self.observer.stderr())


class Kept(FilesCase):
    def test_rotation(self):
        """Renamed and reopened: both files have all, the new one begins with `meta`."""
        self.observe("--events", self.events, "--slow", "0.000001")
        self.ask(3)
        self.export()
        for path in (self.output, self.events):
            os.rename(path, path + ".1")
        self.reopen()
        wait_until(lambda: os.path.exists(self.events), 5, "the new files")
        self.ask(4)
        self.finish(self.output, self.output + ".1")
        self.assertEqual(Recording(self.output, is_running=False).records[0]["type"], "meta")
        self.assertEqual([os.stat(p).st_mode & 0o777 for p in (self.output, self.events)],
                         [0o644, 0o600])
        self.assertEqual([os.stat(p).st_uid for p in (self.output, self.events)], [0, 0])
        self.assertEqual(self.errors(), [])

    def test_links(self):
        """Each component of the path in turn becomes a symbolic link to a directory, or a file,
        that root may write: refused, and what could not be written comes later."""
        for path in (self.top, self.place, self.output):
            with self.subTest(link=path):
                self.check_link(path)

    def check_link(self, path):
        self.asked = 0
        self.observe()
        self.ask(2)
        moved = path + ".moved"
        os.rename(path, moved)
        victim = os.path.join(self.elsewhere, "victim")
        if path == self.output:
            with open(victim, "w", encoding="ascii"):
                pass
            os.symlink(victim, path)
        else:
            copy = os.path.join(self.elsewhere, "tree")
            os.makedirs(os.path.join(copy, "place") if path == self.top else copy)
            os.symlink(copy, path)
        self.reopen()
        for _ in range(3):
            self.ask(2)
            self.export(fails=True)
        os.unlink(path)
        os.rename(moved, path)
        self.ask(2)
        self.export()
        self.finish()
        self.check_said_once("symbolic link")
        found = [(d, f) for d, _, files in os.walk(self.elsewhere) for f in files
                 if os.path.getsize(os.path.join(d, f)) or f != "victim"]
        self.assertEqual(found, [], "nothing was written elsewhere")
        shutil.rmtree(self.elsewhere)
        os.mkdir(self.elsewhere)
        os.unlink(self.output)

    def test_directory_removed_and_made_again(self):
        self.observe()
        self.ask(2)
        self.export()
        shutil.move(self.output, self.output + ".kept")
        os.rename(self.output + ".kept", os.path.join(self.elsewhere, "kept"))
        with open(self.output, "w", encoding="ascii"):
            pass
        self.reopen()
        shutil.rmtree(self.top)
        for _ in range(3):
            self.ask(2)
            self.export(fails=True)
        os.makedirs(self.place, 0o700)
        self.ask(2)
        self.export()
        self.finish(self.output, os.path.join(self.elsewhere, "kept"))
        self.check_said_once("No such file or directory")

    def test_read_only(self):
        self.observe()
        self.ask(2)
        self.export()
        os.rename(self.output, self.output + ".1")
        subprocess.run(["mount", "--bind", self.place, self.place], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.place], stderr=subprocess.DEVNULL,
                        check=False)
        subprocess.run(["mount", "-o", "remount,bind,ro", self.place], check=True)
        self.reopen()
        for _ in range(3):
            self.ask(2)
            self.export(fails=True)
        subprocess.run(["umount", self.place], check=True)
        self.ask(2)
        self.export()
        self.finish(self.output, self.output + ".1")
        self.check_said_once("Read-only file system")

    def test_full(self):
        """What was written in part is cut off again: the file is whole lines at all times."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", self.place], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.place], check=True)
        self.observe()
        self.ask(2)
        self.export()
        filler = os.path.join(self.place, "filler")
        with open(filler, "wb", buffering=0) as file, self.assertRaises(OSError):
            while True:
                file.write(b"x" * 4096)
        for _ in range(3):
            for _ in range(8):  # what is left of the last page takes a few
                self.ask(2)
                self.export(fails=True)
            with open(self.output, "rb") as file:
                self.assertTrue(file.read().endswith(b"}\n"))
        os.unlink(filler)
        self.ask(2)
        self.export()
        self.finish()
        self.check_said_once("No space left on device")


class Refused(FilesCase):
    """At the start, before anything is loaded: status 1, and nothing is made."""

    def check(self, path, *words):
        done = subprocess.run([GOLDPAN, "-d", "1", "-o", f"json:{path}"], capture_output=True,
                              text=True, timeout=20, check=False, cwd=self.directory)
        self.assertEqual(done.returncode, 1, done.stderr)
        error, = [line for line in done.stderr.splitlines() if ": error: " in line]
        for word in words:
            self.assertIn(word, error)

    def test_links(self):
        link = os.path.join(self.directory, "link")
        os.symlink(self.top, link)
        for path in (f"{link}/place/out", "link/place/out", f"{self.directory}/top/../link/out"):
            with self.subTest(path=path):
                self.check(path, "symbolic link")
        self.assertEqual(os.listdir(self.place), [])

    def test_writable(self):
        """Also further up: whoever may rename a directory there puts another in its place."""
        os.chmod(self.top, 0o777)
        self.check(self.output, "sticky")
        self.assertEqual(os.listdir(self.place), [])
        os.chmod(self.top, 0o1777)
        done = subprocess.run([GOLDPAN, "-d", "100ms", "-o", f"json:{self.output}"], timeout=20,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_hard_link(self):
        """A second name that somebody gave to a file of root's."""
        secret = os.path.join(self.elsewhere, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("as it was")
        os.link(secret, self.output)
        self.check(self.output, "hard link")
        with open(secret, encoding="ascii") as file:
            self.assertEqual(file.read(), "as it was")


if __name__ == "__main__":
    unittest.main()

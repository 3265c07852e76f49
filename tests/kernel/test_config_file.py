# SPDX-License-Identifier: GPL-2.0-or-later
"""--config, which only root may read, and what SIGHUP does with it after goldpan has dropped root."""

import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import process  # noqa: E402
from goldpan_test.harness import GOLDPAN, wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402


class ConfigCase(KnownCase):
    def setUp(self):
        super().setUp()
        self.place = os.path.join(self.directory, "etc")
        os.mkdir(self.place, 0o700)
        self.config = os.path.join(self.place, "goldpan.conf")

    def write(self, *lines):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))

    def reload(self, goldpan, word):
        """SIGHUP, and what is said then that holds `word`."""
        said = len(goldpan.stderr())
        goldpan.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: word in goldpan.stderr()[said:], 5, f"{word} after SIGHUP")
        return goldpan.stderr()[said:]


class Reload(ConfigCase):
    def exported(self, goldpan, servers):
        """Whose requests are exported, of one call to each server."""
        for server in servers.values():
            self.call(server, "-c", 2)
        records = export_now(goldpan)
        return {stem for stem, server in servers.items()
                if any(r["type"] == "endpoint" and r["role"] == "server" and
                       r["port"] == server.port and r["requests"] for r in records)}

    def test_services(self):
        """Who is wanted is decided anew, of those that are known as of those that are not."""
        self.write("exclude ap*", "exclude = other-*")
        goldpan = self.goldpan("--config", self.config, interval="60s")
        self.assertNotEqual(process.users(goldpan.pid)[0], 0)
        servers = {stem: self.slow(stem=stem) for stem in ("apple", "banana")}
        self.assertEqual(self.exported(goldpan, servers), {"banana"})
        self.write("service = ap*", "service = che*")
        self.reload(goldpan, "read again")
        self.exported(goldpan, servers)  # the first export tells the kernel
        servers["cherry"] = self.slow(stem="cherry")
        self.assertEqual(self.exported(goldpan, servers), {"apple", "cherry"})

    def test_interval(self):
        self.write("no-client")
        goldpan = self.goldpan("--config", self.config, interval="60s")  # of the command line
        self.write("interval 100ms")
        self.reload(goldpan, "read again")
        self.assertEqual(goldpan.recording().of_type("self"), [], "the command line goes first")
        output = os.path.join(self.place, "out.json")
        self.write("interval 60s", f"output json:{output}")
        other = self.start([GOLDPAN, "--config", self.config], name="goldpan")
        other.wait_for("observing")
        self.write("interval 100ms", f"output json:{output}")
        self.reload(other, "read again")

        def exports():
            with open(output, encoding="utf-8") as file:
                return file.read().count('"type":"self"')
        wait_until(lambda: exports() >= 3, 5, "exports every 100 ms")
        self.assertEqual(other.stop(), 0)

    def test_slow(self):
        events = os.path.join(self.place, "events")
        self.write("slow 10s", f"events {events}")
        goldpan = self.goldpan("--config", self.config, interval="60s")
        server = self.slow()
        self.call(server, "-c", 3)
        self.write("slow 0.000001", f"events {events}")
        self.reload(goldpan, "read again")
        self.call(server, "-c", 2)
        goldpan.finish()
        with open(events, encoding="utf-8") as file:
            lines = [line for line in file if f'"service":"{server.name}"' in line]
        self.assertEqual(len(lines), 2)

    def test_wrong(self):
        """What is wrong, or cannot be read, changes nothing; what cannot change is said."""
        self.write("exclude ap*")
        goldpan = self.goldpan("--config", self.config, interval="60s")
        servers = {stem: self.slow(stem=stem) for stem in ("apple", "banana")}
        for lines, word in ((["exclude ban*", "interval soon"], "line 2"),
                            (["exclude ban*", "slow 1s"], "--events"),
                            (["exclude ban*", "no-such\x1b thing"], "no-such\ufffd"),
                            (["exclude"], "has no argument"), (["quiet now"], "no argument"),
                            (["version"], "command line")):
            with self.subTest(lines=lines):
                self.write(*lines)
                said = self.reload(goldpan, word)
                self.assertIn(": error: ", said)
                self.assertNotIn("read again", said)
        os.unlink(self.config)
        self.assertIn(self.config, self.reload(goldpan, "No such file"))
        self.assertEqual(self.exported(goldpan, servers), {"banana"})
        self.write("exclude ban*", "max-services 99", "no-client")
        said = self.reload(goldpan, "read again")
        self.assertIn("--max-services", said)
        self.assertIn("--no-client", said)
        self.exported(goldpan, servers)
        self.assertEqual(self.exported(goldpan, servers), {"apple"})
        self.assertEqual(goldpan.stop(), 0)


class Print(ConfigCase):
    def test_round(self):
        """What is printed is read again as the same; the command line goes before the file."""
        self.write("# ours", "", "  interval =  2s", "service = a b*", "service c", "no-client")
        first = subprocess.run([GOLDPAN, "--config", self.config, "-d", "5", "--print-config"],
                               capture_output=True, text=True, check=True, timeout=10)
        self.assertEqual(first.stderr, "")
        for line in ("interval 2s", "service a b*", "service c", "no-client", "duration 5",
                     "output table"):
            self.assertIn(line, first.stdout.splitlines())
        self.write(first.stdout)
        again = subprocess.run([GOLDPAN, "--config", self.config, "--print-config"],
                               capture_output=True, text=True, check=True, timeout=10)
        self.assertEqual(again.stdout, first.stdout)
        over = subprocess.run([GOLDPAN, "--config", self.config, "-s", "d", "--print-config"],
                              capture_output=True, text=True, check=True, timeout=10).stdout
        self.assertIn("service d\n", over)
        self.assertNotIn("service c\n", over)

    def test_refused(self):
        self.write("interval 1s", "interval never")
        for config, word in ((self.config, "line 2"), ("/none/such", "/none/such")):
            done = subprocess.run([GOLDPAN, "--config", config], capture_output=True, text=True,
                                  check=False, timeout=10)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()

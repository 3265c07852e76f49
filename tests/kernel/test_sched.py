# SPDX-License-Identifier: GPL-2.0-or-later
"""Run-queue wait, CPU and switches of a service against what the kernel says of its threads in
/proc/PID/task; busy time of each CPU against /proc/stat.

A window begins and ends with an export while all the threads looked at are blocked, so that both
sources are asked about the very same stints.

Two things spoil a window, and it is then taken again. Where a hypervisor took a CPU away, the
kernel takes that time off the thread's CPU time; goldpan's clock runs on. And a kernel may hide
some threads from tracing: who gets the CPU from such a thread is not seen to get it, so that one
stint of his is missing, with the wait before it.
"""

import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import wait_until  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402

EXACT = 0.01
WINDOWS = 4  # at most, to find one that is not spoilt


def seconds_of_cpus(*columns):
    """For each CPU the sum of some columns of /proc/stat (proc(5): 1 is user, 8 is steal)."""
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    with open("/proc/stat", encoding="ascii") as file:
        lines = [line.split() for line in file if re.match(r"cpu\d", line)]
    return [sum(int(line[c]) for c in columns) * tick_s for line in lines]


class Account:
    """What the kernel knows of a process's threads, added up; and what all CPUs were robbed of."""

    def __init__(self, pid):
        self.cpu_s = self.wait_s = 0.0
        self.voluntary = self.involuntary = 0
        self.stolen_s = sum(seconds_of_cpus(8))
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                cpu_ns, wait_ns, _ = map(int, file.read().split())
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
                status = file.read()
            self.cpu_s += cpu_ns / 1e9
            self.wait_s += wait_ns / 1e9
            self.voluntary += int(re.search(r"^voluntary.*?(\d+)$", status, re.M)[1])
            self.involuntary += int(re.search(r"^nonvoluntary.*?(\d+)$", status, re.M)[1])

    def since(self, earlier):
        """This account less an earlier one."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) - getattr(earlier, name))
        return self


def are_blocked(pid):
    """Whether no thread of the process has or wants a CPU."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
            if file.read().rpartition(")")[2].split()[0] != "S":
                return False
    return True


class Services(KnownCase):
    def window(self, goldpan, process, work):
        """(goldpan's service record, the kernel's account) of what `process` does in work()."""
        wait_until(lambda: are_blocked(process.pid), 5, "all threads blocked")
        export_now(goldpan)
        before = Account(process.pid)
        work()
        wait_until(lambda: are_blocked(process.pid), 5, "all threads blocked")
        account = Account(process.pid).since(before)
        found = [r for r in export_now(goldpan)
                 if r["type"] == "service" and r["service"] == process.name]
        self.assertEqual(len(found), 1, f"service records of {process.name}")
        return found[0], account

    def whole_window(self, goldpan, process, work):
        """The same, of the window that is spoilt least."""
        spoilt = {}
        for _ in range(WINDOWS):
            record, account = self.window(goldpan, process, work)
            missing = account.voluntary + account.involuntary - record["runqueue_s"]["count"]
            if (account.stolen_s, missing) == (0, 0):
                return record, account
            spoilt[account.stolen_s, abs(missing)] = record, account
        return spoilt[min(spoilt)]

    def hog(self, cpu):
        """Somebody else who wants the same CPU all the time."""
        hog = self.dialogue("burner", "-n", 1_000_000, "-c", cpu, stem="hog")
        hog.hear()
        hog.tell("go")

    def check_switches(self, record, account):
        """Equal; and each time a thread got a CPU it had waited, if only for an instant."""
        self.assertEqual(record["switches"]["voluntary"], account.voluntary)
        self.assertEqual(record["switches"]["involuntary"], account.involuntary)
        switches = account.voluntary + account.involuntary
        self.assertLessEqual(record["runqueue_s"]["count"], switches)
        self.assert_near(record["runqueue_s"]["count"], switches, EXACT, "waits")
        buckets = record["runqueue_histogram"]
        self.assertEqual(buckets["underflow"] + buckets["overflow"]
                         + sum(n for _, n in buckets["counts"]), record["runqueue_s"]["count"])

    def check_pinned(self, goldpan, burner):
        self.hog(1)
        record, account = self.whole_window(goldpan, burner, lambda: burner.ask("go"))
        self.assertGreater(account.wait_s, 0.5, "the hog was in the way")
        cpu_s = record["cpu"]["seconds"]
        self.assertGreaterEqual(cpu_s, account.cpu_s * (1 - EXACT), "CPU seconds")
        self.assertLessEqual(cpu_s, account.cpu_s * (1 + EXACT) + account.stolen_s, "CPU seconds")
        self.assert_near(record["runqueue_s"]["sum"], account.wait_s, EXACT, "run-queue wait")
        self.check_switches(record, account)

    def burner(self, *options):
        """Three threads on one CPU that burn 5 ms and sleep 2 ms, again and again: 1.8 s in all,
        of which the tick of 10 ms that /proc/stat shows as taken away at the least is 0.6 %."""
        burner = self.dialogue("burner", "-t", 3, "-n", 120, "-b", 5000, "-s", 2000, "-c", 1,
                               *options)
        self.assertEqual(burner.hear(), "ready")
        return burner

    def test_pinned_with_a_hog(self):
        """Wait and CPU within 1 % of schedstat, switches equal, of threads born under goldpan."""
        goldpan = self.goldpan(interval="60s")
        self.check_pinned(goldpan, self.burner())

    def test_threads_older_than_goldpan(self):
        burner = self.burner()
        self.check_pinned(self.goldpan(interval="60s"), burner)

    def check_ping_pong(self, *cpus):
        """Two threads that wake each other. A wait begins at the waking: it is never shorter than
        schedstat's. Of the way to an idle CPU schedstat charges some to the woken thread's CPU
        time, where goldpan has it in the wait: so the two together are never less either."""
        goldpan = self.goldpan(interval="60s")
        players = self.dialogue("pingpong", *cpus)
        self.assertEqual(players.hear(), "ready")
        record, account = self.whole_window(goldpan, players, lambda: players.ask(15_000))
        wait_s, cpu_s = record["runqueue_s"]["sum"], record["cpu"]["seconds"]
        self.assertGreaterEqual(wait_s, account.wait_s)
        self.assertGreaterEqual(wait_s + cpu_s, account.wait_s + account.cpu_s)
        self.assertLessEqual(cpu_s, account.cpu_s * (1 + EXACT) + account.stolen_s)
        self.check_switches(record, account)

    @unittest.skipIf(os.cpu_count() < 2, "needs two CPUs")
    def test_across_two_cpus(self):
        self.check_ping_pong(0, 1)

    def test_wherever_the_scheduler_likes(self):
        self.check_ping_pong()


class Host(KnownCase):
    def busy_s(self):
        """Seconds that each CPU was not idle: user, nice, system, irq, softirq, steal."""
        return seconds_of_cpus(1, 2, 3, 6, 7, 8)

    def test_runqueue_length(self):
        """Four threads on one CPU: what they wait, by schedstat, is a length over time. Others that
        wait there, too, are few; they make it longer, by less than 5 % of the window."""
        goldpan = self.goldpan(interval="60s")
        burner = self.dialogue("burner", "-t", 4, "-n", 1, "-b", 500_000, "-c", 0)
        burner.hear()
        wait_until(lambda: are_blocked(burner.pid), 5, "all threads blocked")
        export_now(goldpan)
        before = Account(burner.pid)
        burner.ask("go")
        waited_s = Account(burner.pid).since(before).wait_s
        host, = [r for r in export_now(goldpan) if r["type"] == "host"]
        length, took = host["runqueue_length"], host["interval_s"]
        self.assertGreater(waited_s, took, "at least one waited all the time")
        self.assert_near(length["each"][0]["avg"] * took, waited_s, 0.05, "CPU 0", slack=0.05 * took)
        self.assertGreaterEqual(length["each"][0]["max"], 3)
        self.assert_near(length["avg"], sum(cpu["avg"] for cpu in length["each"]), 0.001, "all")

    def test_busy_time(self):
        """Within 5 % (of the window, for a CPU that is nearly idle): /proc/stat asks at each timer
        interrupt who is running, and charges him with all the time since the one before."""
        goldpan = self.goldpan(interval="60s")
        burner = self.dialogue("burner", "-n", 1, "-b", 2_000_000, "-c", 0)
        burner.hear()
        export_now(goldpan)
        before, began = self.busy_s(), time.monotonic()
        burner.ask("go")
        after, took = self.busy_s(), time.monotonic() - began
        host, = [r for r in export_now(goldpan) if r["type"] == "host"]
        busy = [b - a for a, b in zip(before, after)]
        self.assertEqual(host["cpus"], len(busy))
        for cpu, (each, seconds) in enumerate(zip(host["cpu"]["each"], busy, strict=True)):
            self.assert_near(each["seconds"], seconds, 0.05, f"CPU {cpu}", slack=0.05 * took)
        self.assert_near(host["cpu"]["seconds"], sum(busy), 0.05, "all", slack=0.05 * took)
        self.assert_near(host["cpu"]["busy"], sum(busy) / len(busy) / took, 0.05, "share",
                         slack=0.05)
        self.assertGreater(busy[0], 0.95 * took, "the burner had its CPU to itself")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Where requests' time goes, against servers that know it: by their threads' own CPU clocks and
schedstat, the kernel's stamps of packets, and the monotonic clock around what blocks.

Two things spoil a comparison with those clocks, and it is then done again. Where a hypervisor takes
the CPU away, they stand still. And at a preemption the kernel's clock ends some microseconds before
the thread is off the CPU: on a host that is busy with something else this adds up.
"""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import loads  # noqa: E402
from goldpan_test.harness import Case, free_ports  # noqa: E402
from goldpan_test.places import (  # noqa: E402
    EVENTS, THREADS, Account, PlacesCase, Stages, forks, pool, steal_s)
from goldpan_test.postgresql import PostgreSQL  # noqa: E402
from goldpan_test.servers import Nginx, Redis, wait_closed  # noqa: E402

CLOSE = 0.02
SLACK_S = 50e-6  # a request
UNATTRIBUTED = 0.02
CONNECTIONS = (1, 8, 64)
REQUESTS = 96  # of each case, at least: one that is disturbed weighs less among more
ATTEMPTS = 5
OTHERS = 0.02  # a share of the CPUs

# What takes its time in one place, and in all of them by turns. {port} is a downstream server's.
LINES = {
    "cpu": "cpu 3ms",
    "sleep": "sleep 5ms",
    "lock": "lock 5ms",
    "disk": "disk 4",
    "call": "call {port} 10ms",
    "mixed": "cpu 1ms;sleep 2ms;lock 2ms;disk 1;call {port} 4ms;cpu 1ms",
}


class StagesCase(PlacesCase):
    def setUp(self):
        super().setUp()
        self.keep_awake()

    def is_spoilt(self, recording, took_s):
        """Whether others used the CPUs, or had them."""
        others = sum(r["cpu"]["seconds"] for r in recording.of_type("service")
                     if not r["service"].endswith(f"-{os.getpid()}") and r["service"] != "goldpan")
        return others > OTHERS * took_s * os.cpu_count()

    def observe(self, run):
        """(recording, what run() returns), of a run that was not spoilt if there is one."""
        for _ in range(ATTEMPTS):
            stolen_s, began = steal_s(), time.monotonic()
            goldpan = self.goldpan()
            result = run()
            recording = goldpan.finish()
            if steal_s() == stolen_s and not self.is_spoilt(recording, time.monotonic() - began):
                break
        self.assert_nothing_dropped(recording)
        return recording, result

    def load(self, cases):
        """Runs each case (stem, options of places, line, connections, options of asker), one after
        the other. [(stem, stages, what the server said)]"""
        def run():
            done = []
            for stem, options, line, connections, asking in cases:
                server = self.places(*options, stem=stem)
                first = self.ask(server, lines=["cpu 1us"])  # by now goldpan knows who reads
                said = self.ask(server, "-c", connections, "-n", max(4, REQUESTS // connections),
                                *asking, lines=[line])
                said = {k: v + first[k] for k, v in said.items()}
                # Of a pool, the workers' alone.
                said["threads_s"] = Account(server.pid, idle=(server.pid,)).cpu_s
                done.append((server, said))
                server.stop()
            return done

        recording, done = self.observe(run)
        return [(server.name, self.stages(recording, server), said) for server, said in done]

    def near(self, stages, said, name, value, known, less=0.0):
        """`value` is what is known, or up to `less` less."""
        nearest = min(max(value, known - less), known)
        self.assert_near(value, nearest, CLOSE, f"{name} of {stages} where there is {said}",
                         slack=SLACK_S * stages.requests)

    def check_duration(self, stages, said):
        self.assertEqual(stages.requests, said["requests"])
        self.near(stages, said, "duration", stages.duration_s(), said["sum_s"])

    def check_known(self, stages, said, waits_apart=False):
        """All stages are as the server says. The wait for a CPU before the read is known apart from
        other delay only where the thread that reads does nothing else."""
        self.check_duration(stages, said)
        read, late = said["read"], said["late"] + said["again"]
        self.near(stages, said, "cpu", stages["cpu"], said["cpu"] + read, less=read)
        self.near(stages, said, "backlog and runqueue", stages["backlog"] + stages["runqueue"],
                  late + said["runqueue"], less=read)
        if waits_apart:
            self.near(stages, said, "runqueue", stages["runqueue"],
                      said["runqueue"] + said["again"], less=said["again"])
        for stage, known in (("sleep", said["sleep"]), ("io", said["io"]),
                             ("downstream", said["call"]), ("transfer", 0)):
            self.near(stages, said, stage, stages[stage], known)
        self.check_unattributed(stages)

    def check_unattributed(self, stages):
        self.assertLess(stages["unattributed"], UNATTRIBUTED * stages.duration_s(), stages)


class Alone(StagesCase):
    """One place at a time, then all in one request, 1 to 64 connections."""

    def check_mode(self, mode, check, asking=(), **options):
        down = self.places(stem="down")
        cases = [(f"{name}{n}", (*mode, "-d", 8), line.format(port=down.port), n, asking)
                 for name, line in LINES.items() for n in CONNECTIONS]
        for stem, stages, said in self.load(cases):
            with self.subTest(stem):
                check(stages, said, **options)

    def test_thread_for_each_connection(self):
        self.check_mode(THREADS, self.check_known, waits_apart=True)

    def test_one_thread_for_all(self):
        self.check_mode(EVENTS, self.check_known)

    def test_new_connections(self):
        """A connection, and a thread, for each request: what happens before it is accepted."""
        self.check_mode(THREADS, self.check_known, asking=("-k",))

    def test_processes(self):
        """More connections than processes: the others wait in the accept queue."""
        self.check_mode(forks(4), self.check_known, asking=("-k",))


    def test_late_to_accept_and_to_read(self):
        cases = [("accepts", ("-a", 20), "cpu 1us", 1, ("-k",)),
                 ("reads1", ("-r", 20), "cpu 1us", 1, ()),
                 ("reads8", ("-r", 20), "cpu 1us", 8, ())]
        for stem, stages, said in self.load(cases):
            with self.subTest(stem):
                self.check_known(stages, said)
                self.assertGreater(stages["backlog"], 0.4, stages)

    def test_parallel_calls(self):
        """The union of three calls at once, of 10 ms, 7 ms and 3 ms."""
        down = self.places(stem="down")
        line = f"cpu 1ms;fan {down.port} 3 10ms"
        for stem, stages, said in self.load([(f"fan{n}", THREADS, line, n, ()) for n in (1, 8)]):
            with self.subTest(stem):
                self.check_known(stages, said)
                self.assertGreater(stages["downstream"], 0.3, stages)


class OneThread(StagesCase):
    """What a thread spends is spent on one exchange at a time."""

    def test_eight_connections_on_one_thread(self):
        """Each request takes 20 ms of CPU. The sum of `cpu` is the thread's CPU time, within 1 %;
        all else is `backlog`: the thread never waits for a CPU, nor sleeps."""
        def run():
            server = self.places(*EVENTS, stem="busy")
            before = Account(server.pid)
            said = self.ask(server, "-c", 8, "-n", 8, lines=["cpu 20ms"])
            account = Account(server.pid).since(before)
            server.stop()
            return server, said, account

        recording, (server, said, account) = self.observe(run)
        stages = Stages(recording.endpoint(service=server.name, port=server.port, role="server"))
        self.assert_near(stages["cpu"], account.cpu_s, 0.01, f"CPU time of {stages}")
        self.near(stages, said, "backlog", stages["backlog"],
                  stages.duration_s() - stages["cpu"] - stages["runqueue"])
        self.near(stages, said, "backlog and runqueue", stages["backlog"] + stages["runqueue"],
                  said["late"] + said["runqueue"])
        self.assertGreater(stages["backlog"], 5 * stages["cpu"], stages)

    def test_with_hogs_on_its_cpu(self):
        """The wait for the CPU is what schedstat says."""
        for _ in range(2):
            hog = self.dialogue("burner", "-n", 1_000_000, "-c", 1, stem="hog")
            hog.hear()
            hog.tell("go")
        cases = [(f"hogged{n}", ("-u", 1), "cpu 5ms;sleep 1ms;cpu 5ms", n, ("-u", 0))
                 for n in (1, 4)]
        for stem, stages, said in self.load(cases):
            with self.subTest(stem):
                self.check_known(stages, said, waits_apart=True)
                self.assertGreater(stages["runqueue"], stages["cpu"], stages)


class HandOff(StagesCase):
    """One thread reads, others work and answer: durations are exact; what is attributed is true,
    what cannot be known is `unattributed`, and said."""

    def check(self, workers):
        lines = dict(LINES, mixed="cpu 1ms;sleep 2ms;lock 2ms;disk 1;cpu 1ms")
        cases = [(f"{name}{n}", (*pool(workers), "-d", 8), lines[name], n, ())
                 for name in ("cpu", "sleep", "mixed") for n in CONNECTIONS]
        for stem, stages, said in self.load(cases):
            with self.subTest(stem):
                self.check_duration(stages, said)
                self.assertLessEqual(stages["cpu"], said["threads_s"] * (1 + CLOSE), stages)
                for name, most in (("io", said["io"]), ("sleep", said["sleep"]),
                                   ("downstream", 0), ("transfer", 0)):
                    self.assertLess(stages[name], most * (1 + CLOSE) + SLACK_S * stages.requests,
                                    f"{name} of {stages} where there is {said}")
                print(f"# {stem} with {workers} workers: unattributed "
                      f"{stages['unattributed'] / stages.duration_s():.1%}")

    def test_pool(self):
        self.check(4)

    def test_two_threads(self):
        self.check(1)


class RealServers(StagesCase):
    """Of services under load: less than 2 % unattributed, no more CPU time than they used."""

    def setUp(self):
        Case.setUp(self)  # real clients keep the CPUs awake

    def check(self, recording, name, port):
        stages = Stages(recording.endpoint(service=name, role="server", port=port))
        used = sum(r["cpu"]["seconds"] for r in recording.of_type("service", service=name))
        print(f"# {name} on {port}, {stages.requests} requests: {stages}")
        self.assertGreater(stages.requests, 1000)
        self.check_unattributed(stages)
        self.assertLessEqual(stages["cpu"], used)

    def test_nginx(self):
        first = free_ports(3)
        self.keep(Nginx(self.directory, range(first, first + 3)))
        goldpan = self.goldpan()
        loads.ab(first, 20000, 1, keep_alive=True)
        loads.ab(first + 1, 40000, 64, keep_alive=True)
        loads.ab(first + 2, 10000, 16, keep_alive=False)
        wait_closed(first + 2)
        recording = goldpan.finish()
        for port in range(first, first + 3):
            with self.subTest(port - first):
                self.check(recording, "nginx", port)

    def test_redis(self):
        first = free_ports(2)
        self.keep(Redis(self.directory, first))
        self.keep(Redis(self.directory, first + 1))
        goldpan = self.goldpan()
        loads.redis_benchmark(first, 20000, 1)
        loads.redis_benchmark(first + 1, 60000, 50)
        wait_closed(first + 1)
        recording = goldpan.finish()
        for port in (first, first + 1):
            with self.subTest(port - first):
                self.check(recording, "redis-server", port)

    def test_postgresql(self):
        """pgbench -S, on kept connections and with a new one for each transaction."""
        for options in (("-c", "8", "-j", "2"), ("-c", "2", "-C")):
            server = self.keep(PostgreSQL(self.directory, free_ports()))
            server.pgbench("-i", "-q")
            goldpan = self.goldpan()
            server.pgbench("-S", "-T", "3", *options)
            wait_closed(server.port)
            recording = goldpan.finish()
            server.stop(signal.SIGINT)
            with self.subTest(options):
                self.check(recording, "postgres", server.port)


if __name__ == "__main__":
    unittest.main()

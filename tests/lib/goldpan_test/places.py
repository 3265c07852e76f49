# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers whose requests take a known time in a known place (tests/servers/places.c), and what
goldpan says of where the time went."""

import json
import os
import time

from .known import KnownCase, Slow, total

STAGES = ("runqueue", "backlog", "cpu", "downstream", "io", "sleep", "unattributed", "transfer")
# How a server serves its connections: an option of places.
THREADS, EVENTS = (), ("-e",)


def forks(count):
    return "-f", count


def pool(workers):
    return "-w", workers


def _processes():
    """{pid: (parent, seconds of CPU, its ended children's included)} of this host."""
    tick_s, found = 1 / os.sysconf("SC_CLK_TCK"), {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        found[int(pid)] = int(fields[1]), sum(map(int, fields[11:15])) * tick_s
    return found


def _others_s():
    """{pid: seconds of CPU} of all processes but this one and those it has started."""
    processes, own = _processes(), {os.getpid()}
    more = True
    while more:
        more = {pid for pid, (parent, _) in processes.items() if parent in own} - own
        own |= more
    return {pid: cpu_s for pid, (_, cpu_s) in processes.items() if pid not in own}


def _steal_s():
    """Seconds that a hypervisor took from this host's CPUs: in no clock of a thread."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


class Outside:
    """What the host did, since this was made, that is none of the test's."""

    def __init__(self):
        self.began_s, self.stolen_s, self.others_s = time.monotonic(), _steal_s(), _others_s()

    def disturbance(self, share):
        """What took CPUs from the test, as a text: any steal, or others with more than a share of
        all CPUs. Empty if there was none."""
        stolen_s = _steal_s() - self.stolen_s
        others_s = sum(cpu_s - self.others_s.get(pid, 0) for pid, cpu_s in _others_s().items())
        most_s = share * os.cpu_count() * (time.monotonic() - self.began_s)
        if stolen_s <= 0 and others_s <= most_s:
            return ""
        return f"{stolen_s:.2f} s stolen, others had {others_s:.2f} s"


class Account:
    """What the kernel has charged a process's threads, added up, but for the `idle` ones."""

    def __init__(self, pid, idle=()):
        self.cpu_s = self.wait_s = 0.0
        for task in set(map(int, os.listdir(f"/proc/{pid}/task"))).difference(idle):
            try:
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                    cpu_ns, wait_ns, _ = map(int, file.read().split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
            self.cpu_s += cpu_ns / 1e9
            self.wait_s += wait_ns / 1e9

    def since(self, earlier):
        """This account less an earlier one."""
        self.cpu_s -= earlier.cpu_s
        self.wait_s -= earlier.wait_s
        return self


class Stages:
    """An endpoint's stages over the whole recording, in seconds: stages["cpu"]. ValueError if they
    do not add up in each record as they must, to the nanosecond."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.requests = endpoint.requests
        for record in endpoint.records:
            self._check(record)
        self._sums = {name: total(endpoint, "stages_s", name) for name in STAGES}

    @staticmethod
    def _ns(stages):
        return {name: round(value * 1e9) for name, value in stages.items()}

    def _check(self, record):
        stages = self._ns(record["stages_s"])
        whole, transfer = sum(stages.values()), stages["transfer"]
        wants = {"latency_s": whole, "first_byte_s": whole - transfer}
        for name, value in wants.items():
            if round(record[name]["sum"] * 1e9) != value:
                raise ValueError(f"{name} is {record[name]['sum']}, stages are {stages}")
        bands = [self._ns(band["stages_s"]) for band in record["stages_by_duration"]]
        for name in STAGES:
            if sum(band[name] for band in bands) != stages[name]:
                raise ValueError(f"{name}: {stages[name]} ns are not the sum of {bands}")

    def __getitem__(self, name):
        return self._sums[name]

    def duration_s(self):
        return sum(self._sums.values())

    def __repr__(self):
        return ", ".join(f"{name} {self._sums[name]:.6f}" for name in STAGES)


class PlacesCase(KnownCase):
    """A Case with places servers at hand."""

    def keep_awake(self):
        """Lets no CPU go idle: a task that runs only where there is nothing else to do. The way of
        an interrupt to a CPU that sleeps is in no clock of the thread that it wakes."""
        for cpu in os.sched_getaffinity(0):
            spinner = self.dialogue("burner", "-n", 1_000_000, "-c", cpu, stem=f"spinner{cpu}",
                                    inside=("chrt", "-i", "0"))
            spinner.hear()
            spinner.tell("go")

    def places(self, *options, stem):
        """A server, a service of its own."""
        return self.dialogue("places", *options, stem=stem, kind=Slow)

    def ask(self, server, *options, lines, stem="asker"):
        """Asks to the end: {"requests", "sum_s", "max_s"} by the client's clock, and the seconds
        that the server itself says its requests spent, by place."""
        asker = self.dialogue("asker", "-p", server.port, *options, *lines, stem=stem)
        said = asker.hear()
        if asker.popen.wait(10) or not said:
            raise RuntimeError(f"{asker.name} failed: {asker.stderr()} {server.stderr()}")
        return json.loads(said)

    def stages(self, recording, server):
        """Of the server's only endpoint."""
        return Stages(recording.endpoint(service=server.name, role="server"))

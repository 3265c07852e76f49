# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers whose requests take a known time in a known place (tests/servers/places.c), and what
goldpan says of where the time went."""

import json
import os

from .known import KnownCase, Slow, total

STAGES = ("runqueue", "backlog", "cpu", "downstream", "io", "sleep", "unattributed", "transfer")
# How a server serves its connections: an option of places.
THREADS, EVENTS = (), ("-e",)


def forks(count):
    return "-f", count


def pool(workers):
    return "-w", workers


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

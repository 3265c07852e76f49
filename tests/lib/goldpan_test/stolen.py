# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU time that a hypervisor takes from a guest: a thread is on its CPU then, and its own clock
stands still. Known is it from /proc/stat alone, for each CPU, in ticks."""

import os
import threading
import time

EVERY_S, SLACK_S = 0.005, 0.02  # it is accounted for at the next tick
STEAL = 8  # of a CPU's figures, the name being the first


class Stolen:
    """From `start` to `stop`."""

    def __init__(self):
        self.samples = []  # (time, ticks of each CPU)
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.done.set()
        self.thread.join()

    def run(self):
        while not self.done.wait(EVERY_S):
            with open("/proc/stat", encoding="ascii") as file:
                cpus = [line.split() for line in file if line.startswith("cpu")][1:]
            self.samples.append((time.time(), [int(cpu[STEAL]) for cpu in cpus]))

    def most_s(self, begin_s, end_s):
        """What was stolen of one CPU in that time, of which most; 0 if nobody looked then."""
        inside = [ticks for at, ticks in self.samples
                  if begin_s - SLACK_S <= at <= end_s + SLACK_S]
        if not inside:
            return 0
        most = max(last - first for first, last in zip(inside[0], inside[-1]))
        return min(most / os.sysconf("SC_CLK_TCK"), end_s - begin_s)

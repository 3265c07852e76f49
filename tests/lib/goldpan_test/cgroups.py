# SPDX-License-Identifier: GPL-2.0-or-later
"""A service of the test's own, as an operator's host would have it: a unit's control group in v2,
and its CPU limit in the hierarchy that has the cpu controller, which may be v1."""

import os

from .harness import wait_until

PERIOD_US = 100_000


def read(*path):
    with open(os.path.join(*path), encoding="ascii") as file:
        return file.read()


def _write(text, *path):
    with open(os.path.join(*path), "w", encoding="ascii") as file:
        file.write(text)


def mounted(kind, option=None):
    """Where the hierarchy of a kind ("cgroup2", "cgroup") with a mount option is; or None."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        for line in file:
            _, where, what, options = line.split()[:4]
            if what == kind and (option is None or option in options.split(",")):
                return where
    return None


def pressure_s(directory, suffix=".pressure"):
    """{"cpu_some": seconds} of all that a directory's pressure files have."""
    totals = {}
    for resource in ("cpu", "memory", "io"):
        path = os.path.join(directory, resource + suffix)
        for line in read(path).splitlines():
            kind, *fields = line.split()
            totals[f"{resource}_{kind}"] = int(dict(f.split("=") for f in fields)["total"]) / 1e6
    return totals


class Unit:
    """The service NAME: the group system.slice/NAME.service in v2. `prefix` before its argv starts
    a process inside. `limit` makes it one with a CPU limit."""

    def __init__(self, name):
        self.name = name
        self.v2 = mounted("cgroup2")
        self.v1_cpu = mounted("cgroup", "cpu")
        self._undo = []
        self.slice = os.path.join(self.v2, "system.slice")
        self.path = os.path.join(self.slice, f"{name}.service")
        if self.v1_cpu:
            self.cpu_path = os.path.join(self.v1_cpu, name)
        else:
            self.cpu_path = self.path
        self._make(self.slice)
        if not self.v1_cpu:
            self._enable(self.v2)
            self._enable(self.slice)
        for path in dict.fromkeys((self.path, self.cpu_path)):
            self._make(path)
        groups = " ".join(dict.fromkeys((self.path, self.cpu_path)))
        self.prefix = ["/bin/sh", "-c",
                       f"for g in {groups}; do echo $$ > $g/cgroup.procs || exit 1; done; "
                       "exec \"$@\"", "sh"]

    def _make(self, path):
        if not os.path.isdir(path):
            os.mkdir(path)
            self._undo.append(lambda: self._remove(path))

    def _enable(self, path):
        """The cpu controller for the groups inside."""
        if "cpu" not in read(path, "cgroup.subtree_control").split():
            _write("+cpu", path, "cgroup.subtree_control")
            self._undo.append(lambda: _write("-cpu", path, "cgroup.subtree_control"))

    @staticmethod
    def _remove(path):
        wait_until(lambda: not read(path, "cgroup.procs"), 10, f"the end of all in {path}")
        os.rmdir(path)

    def limit(self, cores, inner=False):
        """At most so many cores from now on. `inner`: the processes that start from then on are in
        a group of the cpu controller's inside of the one with the limit."""
        quota_us = int(cores * PERIOD_US)
        if self.v1_cpu:
            _write(str(PERIOD_US), self.cpu_path, "cpu.cfs_period_us")
            _write(str(quota_us), self.cpu_path, "cpu.cfs_quota_us")
        else:
            _write(f"{quota_us} {PERIOD_US}", self.cpu_path, "cpu.max")
        if inner:
            self._make(os.path.join(self.cpu_path, "inner"))
            self.prefix = [word.replace(self.cpu_path, f"{self.cpu_path}/inner")
                           for word in self.prefix]

    def throttled(self):
        """(seconds, periods) that it was held up so far."""
        stat = dict(line.split() for line in read(self.cpu_path, "cpu.stat").splitlines())
        if "throttled_time" in stat:
            return int(stat["throttled_time"]) / 1e9, int(stat["nr_throttled"])
        return int(stat["throttled_usec"]) / 1e6, int(stat["nr_throttled"])

    def pressure_s(self):
        return pressure_s(self.path)

    def discard(self):
        """Once its processes have ended: everything as it was."""
        while self._undo:
            self._undo.pop()()

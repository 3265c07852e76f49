# SPDX-License-Identifier: GPL-2.0-or-later
"""What a running process may do, and who its children are, as /proc says."""

import os

CAP_DAC_OVERRIDE = 1
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def status(pid):
    """/proc/PID/status: {"Uid": "0\t0\t0\t0", ...}."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return dict((key, value.strip()) for key, _, value in
                    (line.partition(":") for line in file))


def users(pid):
    """Real, effective, saved and file system user."""
    return [int(number) for number in status(pid)["Uid"].split()]


def capabilities(pid):
    """{set: mask} of all five sets."""
    said = status(pid)
    return {name: int(said[name], 16) for name in SETS}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(number) for number in file.read().split()]


def descriptors(pid):
    return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


def is_alive(pid):
    try:
        return status(pid)["State"][0] not in "ZX"
    except FileNotFoundError:
        return False

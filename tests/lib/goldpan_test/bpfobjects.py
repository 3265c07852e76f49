# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF programs, maps and links in the kernel, and which of them no process holds any more."""

import glob
import json
import re
import shutil
import subprocess

KINDS = ("prog", "map", "link")


def _bpftool(*words):
    argv = [shutil.which("bpftool") or "/usr/sbin/bpftool", "-j", *map(str, words)]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def map_name(number):
    return _bpftool("map", "show", "id", number)["name"]


def elements(number):
    """The values of a map whose types are known to the kernel, as dictionaries."""
    return [element["formatted"]["value"] for element in _bpftool("map", "dump", "id", number)]


def existing(*kinds):
    """{(kind, id): description} of all that is in the kernel, or of these kinds of it."""
    return {(kind, o["id"]): o for kind in kinds or KINDS for o in _bpftool(kind, "show")}


def _held_by_descriptors():
    held = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path, encoding="ascii") as file:
                text = file.read()
        except OSError:  # gone meanwhile
            continue
        for kind, number in re.findall(r"^(prog|map|link)_id:\s*(\d+)$", text, re.M):
            held.add((kind, int(number)))
    return held


def unheld(since):
    """What is in the kernel, was not in `since`, and is held by nothing that a process holds: maps
    only once there is no such program or link.

    bpftool opens each map to show it. A prog_array whose last descriptor closes again while the
    kernel is still to empty it, for the first time that happened, loses count of its references and
    stays for ever (seen on 6.18: prog_array_map_clear takes one each time, its work gives back one).
    """
    return _unheld(since, "prog", "link") or _unheld(since, *KINDS)


def _unheld(since, *kinds):
    objects, held = existing(*kinds), _held_by_descriptors()
    for kind, number in list(held):
        held.add(("prog", objects.get((kind, number), {}).get("prog_id")))
    for kind, number in list(held):
        for used in objects.get((kind, number), {}).get("map_ids", []):
            held.add(("map", used))
    return {key: o for key, o in objects.items() if key not in held and key not in since}

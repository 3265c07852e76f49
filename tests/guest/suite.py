# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs tests one by one and says of each `ok`, `not ok` or `skip`, its name and its seconds.

    python3 tests/guest/suite.py [--within SECONDS] [--without TEST]... [--as NAME]
                                 FILE[:CLASS[.TEST]]...

No test begins once so many seconds are over since the guest was started; those left are skipped.
Tests of the name TEST are none of it. NAME goes before the tests' own names. What failed is told
behind its line.
"""

import argparse
import importlib.util
import os
import sys
import time
import traceback
import unittest

FRAMES = -2  # of a failure: those of the test, not of what runs it


class Lines(unittest.TestResult):
    """One line a test, as soon as it is known. What is not a test, a class that cannot be set up,
    has a line of its own."""

    def __init__(self, prefix, within_s):
        super().__init__()
        self.prefix, self.within_s = prefix, within_s
        self.seen = set()
        self.running = None  # (when it began, what went wrong, why it was skipped)

    def startTest(self, test):
        super().startTest(test)
        self.running = [time.monotonic(), [], None]

    def _failed(self, test, err, where=""):
        text = where + "".join(traceback.format_exception(*err, limit=FRAMES))
        if self.running:
            self.running[1].append(text)
        else:
            self._say("not ok", test, 0, text)

    def addError(self, test, err):
        super().addError(test, err)
        self._failed(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._failed(test, err, f"{subtest}\n")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.running:
            self.running[2] = reason
        else:
            self._say("skip", test, 0, reason)

    def stopTest(self, test):
        super().stopTest(test)
        (began, trouble, reason), self.running = self.running, None
        word = "not ok" if trouble else "skip" if reason else "ok"
        self._say(word, test, time.monotonic() - began, "\n".join(trouble) or reason or "")
        self.seen.add(test.id())
        self.look_at_clock()

    def look_at_clock(self):
        if self.within_s is not None and uptime_s() > self.within_s:
            self.stop()

    def leave_out(self, tests):
        """Tells of those that were not begun."""
        for test in tests:
            if self.shouldStop and test.id() not in self.seen:
                self._say("skip", test, 0, "no time was left")

    def _say(self, word, test, seconds, text):
        print(f"{word} {self.prefix}{test.id()} {seconds:.1f}")
        for line in text.splitlines():
            print(f"    {line}")


def uptime_s():
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def each(suite):
    """The tests in it, one by one."""
    for test in suite:
        yield from each(test) if isinstance(test, unittest.TestSuite) else (test,)


def tests_of(what, without):
    """The suite named by FILE[:CLASS[.TEST]], whatever directory the file lies in."""
    path, _, name = what.partition(":")
    module_name = os.path.splitext(os.path.basename(path))[0]
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, path)
        sys.modules[module_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module_name])
    loader, module = unittest.defaultTestLoader, sys.modules[module_name]
    suite = (loader.loadTestsFromName(name, module) if name
             else loader.loadTestsFromModule(module))
    return unittest.TestSuite(test for test in each(suite)
                              if test.id().rpartition(".")[2] not in without)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--within", type=float)
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--as", dest="prefix", default="")
    parser.add_argument("tests", nargs="+")
    options = parser.parse_args()
    result = Lines(f"{options.prefix}: " if options.prefix else "", options.within)
    for what in options.tests:
        suite = tests_of(what, options.without)
        tests = list(each(suite))  # a suite forgets those that it has run
        result.look_at_clock()
        if not result.shouldStop:
            suite.run(result)
        result.leave_out(tests)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

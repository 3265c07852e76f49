# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counts in files: CPU limit, throttling and pressure of a service's control group,
pressure, listen drops and retransmits of the host.

The files are read just before and just after each of the two exports that bound a window: what
goldpan says of it lies between the smallest and the largest difference that these readings allow.
"""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.cgroups import Unit, pressure_s, read  # noqa: E402
from goldpan_test.known import KnownCase, export_now  # noqa: E402

ROUNDING = 1e-9


def column(path, group, name):
    """The number below `name` in the two lines of a group of /proc/net/netstat or snmp."""
    names, values = [line.split() for line in read(path).splitlines() if line.startswith(group)]
    return int(values[names.index(name)])


def host_counters():
    """{(object, field): total} of the host, as in goldpan's record."""
    counters = {("pressure_s", key): total for key, total in pressure_s("/proc/pressure", "").items()}
    for field, *where in (("listen_drops", "/proc/net/netstat", "TcpExt:", "ListenDrops"),
                          ("listen_overflows", "/proc/net/netstat", "TcpExt:", "ListenOverflows"),
                          ("retransmits", "/proc/net/snmp", "Tcp:", "RetransSegs")):
        counters[None, field] = column(*where)
    return counters


class LimitsCase(KnownCase):
    def window(self, goldpan, counters, work):
        """(the records of the window, {key: (least, most)} of what counters() says of it)."""
        before = counters()
        export_now(goldpan)
        began = counters()
        work()
        until = counters()
        records = export_now(goldpan)
        after = counters()
        return records, {key: (until[key] - began[key], after[key] - before[key])
                         for key in before}

    def assert_between(self, value, bounds, what):
        least, most = bounds
        self.assertIsNotNone(value, what)
        self.assertTrue(least - ROUNDING <= value <= most + ROUNDING,
                        f"{what}: {value} is not in {least} .. {most}")


class Service(LimitsCase):
    def unit(self):
        return self.keep(Unit(f"gp-test-{self._testMethodName[5:]}-{os.getpid()}".replace("_", "-")))

    def burner(self, unit, *options):
        """A process of the unit's that is idle until it is told to go."""
        burner = self.dialogue("burner", *options, inside=unit.prefix)
        self.assertEqual(burner.hear(), "ready")
        return burner

    def record(self, records, unit):
        record, = [r for r in records if r["type"] == "service" and r["service"] == unit.name]
        self.assertEqual(record["unit"], f"{unit.name}.service")
        return record

    def counters(self, unit):
        throttled_s, periods = unit.throttled()
        return {"throttled_s": throttled_s, "throttled_periods": periods, **unit.pressure_s()}

    def check_window(self, goldpan, unit, work, limit):
        """Compares one window, and returns the service's record of it."""
        records, bounds = self.window(goldpan, lambda: self.counters(unit), work)
        record = self.record(records, unit)
        cpu, pressure = record["cpu"], record["pressure_s"]
        self.assertEqual(cpu["limit_cores"], limit)
        for field in ("throttled_s", "throttled_periods"):
            self.assert_between(cpu[field], bounds.pop(field), field)
        self.assertEqual(set(pressure), set(bounds))
        for field, allowed in bounds.items():
            self.assert_between(pressure[field], allowed, field)
        return record

    def check_limited(self, unit):
        """Throttled in the window, and at both its borders; then nothing, at rest."""
        burner = self.burner(unit, "-n", 8, "-b", 100_000)
        goldpan = self.goldpan(interval="60s")
        burner.tell("go")
        record = self.check_window(goldpan, unit, lambda: time.sleep(2), 0.2)
        self.assertGreater(record["cpu"]["throttled_s"], 0.2)
        self.assertGreater(record["cpu"]["throttled_periods"], 3)
        self.assertGreater(record["pressure_s"]["cpu_some"], 0.2)
        burner.hear()
        time.sleep(0.2)  # until the period in which it ended is over
        record = self.check_window(goldpan, unit, lambda: time.sleep(0.2), 0.2)
        self.assertEqual(record["cpu"]["throttled_s"], 0)

    def test_limited(self):
        unit = self.unit()
        unit.limit(0.2)
        self.check_limited(unit)

    def test_limited_by_what_it_lies_in(self):
        unit = self.unit()
        unit.limit(0.2, inner=True)
        self.check_limited(unit)

    def test_two_programs_of_one_unit(self):
        """The group counts once, whoever is in it."""
        unit = self.unit()
        unit.limit(0.2)
        burners = [self.dialogue("burner", "-n", 3, "-b", 50_000, stem=stem, inside=unit.prefix)
                   for stem in ("burner-a", "burner-b")]
        goldpan = self.goldpan(interval="60s")

        def work():
            for burner in burners:
                self.assertEqual(burner.hear(), "ready")
                burner.tell("go")
            for burner in burners:
                burner.hear()

        record = self.check_window(goldpan, unit, work, 0.2)
        self.assertGreaterEqual(record["threads"], 4)
        self.assertGreater(record["cpu"]["throttled_s"], 0.1)

    def test_without_limit(self):
        unit = self.unit()
        burner = self.burner(unit, "-n", 1, "-b", 100_000)
        goldpan = self.goldpan(interval="60s")
        record = self.check_window(goldpan, unit, lambda: burner.ask("go"), None)
        self.assertEqual(record["cpu"]["throttled_s"], 0)

    def test_limit_that_comes_and_goes(self):
        unit = self.unit()
        burner = self.burner(unit, "-n", 6, "-b", 50_000)
        goldpan = self.goldpan(interval="60s")

        def work():
            burner.tell("go")
            unit.limit(0.2)
            burner.hear()

        record = self.check_window(goldpan, unit, work, 0.2)
        self.assertGreater(record["cpu"]["throttled_s"], 0.1)
        self.check_window(goldpan, unit, lambda: unit.limit(0.5), 0.5)

    def test_started_later_and_gone_again(self):
        """All of the life of a group that was made under goldpan; then nothing is wrong."""
        goldpan = self.goldpan(interval="60s")
        unit = self.unit()
        unit.limit(0.2)
        burner = self.burner(unit, "-n", 4, "-b", 50_000)
        burner.ask("go")
        before = self.counters(unit)
        record = self.record(export_now(goldpan), unit)
        after = self.counters(unit)
        for field in ("throttled_s", "throttled_periods"):
            self.assert_between(record["cpu"][field], (before[field], after[field]), field)
        self.assert_between(record["pressure_s"]["cpu_some"],
                            (before["cpu_some"], after["cpu_some"]), "cpu_some")
        self.assertGreater(record["cpu"]["throttled_s"], 0.1)
        burner.stop()
        unit.discard()
        record = self.record(export_now(goldpan), unit)
        self.assertIsNone(record["cpu"]["limit_cores"])
        self.assertIsNone(record["cpu"]["throttled_s"])
        self.assertIsNone(record["pressure_s"])
        self.assertEqual(goldpan.stop(), 0, goldpan.stderr())


class Host(LimitsCase):
    def overflow(self, clients):
        """A listener that accepts nothing, and more clients than its queue has room for."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            sockets = [socket.socket() for _ in range(clients)]
            for client in sockets:
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            time.sleep(1.5)  # the kernel sends an unanswered SYN again after a second
            for client in sockets:
                client.close()

    def test_counters(self):
        goldpan = self.goldpan(interval="60s")
        records, bounds = self.window(goldpan, host_counters, lambda: self.overflow(6))
        host, = [r for r in records if r["type"] == "host"]
        # The kernel's 0 for a whole host means that this is not defined.
        self.assertIsNone(host["pressure_s"].pop("cpu_full"))
        bounds.pop(("pressure_s", "cpu_full"), None)
        for (inside, field), allowed in bounds.items():
            value = host[inside][field] if inside else host[field]
            self.assert_between(value, allowed, field)
        self.assertGreaterEqual(host["listen_overflows"], 4)
        self.assertGreaterEqual(host["listen_drops"], host["listen_overflows"])
        self.assertGreaterEqual(host["retransmits"], 4)


if __name__ == "__main__":
    import unittest

    unittest.main()

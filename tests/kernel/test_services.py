# SPDX-License-Identifier: GPL-2.0-or-later
"""A service is one record in the kernel, however many processes it has and however these were met:
older than goldpan, forked, or started by exec."""

import collections
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import bpfobjects  # noqa: E402
from goldpan_test.harness import fdinfo  # noqa: E402
from goldpan_test.known import KnownCase  # noqa: E402

FREE = 0


class Services(KnownCase):
    def records(self, goldpan):
        """(control group, name) of each service that goldpan's map holds."""
        number = next(int(fields["map_id"]) for fields in fdinfo(goldpan.pid)
                      if "map_type" in fields
                      and bpfobjects.map_name(int(fields["map_id"])) == "service_infos")
        for element in bpfobjects.elements(number):
            if element["state"] != FREE:
                yield element["key"]["cgroup"], element["key"]["name"]

    def test_one_record_each(self):
        older = [self.slow(stem="many") for _ in range(3)]
        goldpan = self.goldpan("--no-client")
        newer = [self.slow(stem="many") for _ in range(3)]
        for server in older + newer:
            self.call(server, "-c", 3, stem="asks")
        found = collections.Counter(self.records(goldpan))
        goldpan.finish()
        names = [name for _, name in found]
        self.assertIn(self.service("many"), names)
        self.assertIn(self.service("asks"), names)
        self.assertEqual({key: n for key, n in found.items() if n > 1}, {})


if __name__ == "__main__":
    unittest.main()

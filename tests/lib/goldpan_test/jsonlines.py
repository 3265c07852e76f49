# SPDX-License-Identifier: GPL-2.0-or-later
"""goldpan's JSON lines: read, checked against their own rules, and added up over a run."""

import json
import math

SCHEMA = "goldpan/1"
COMMON = ("schema", "type", "host", "start", "time", "interval_s")
MIN_S = 2.0**-20  # the underflow's quantile


class Histogram:
    """Buckets of scale 3: bucket i holds values in (2^(i/8), 2^((i+1)/8)] seconds."""

    def __init__(self):
        self.underflow = self.overflow = 0
        self.counts = {}
        self.sum_s = self.max_s = 0.0

    def add(self, buckets, distribution):
        """Adds `histogram` of a record and the {count, sum, max} that goes with it."""
        if buckets["scale"] != 3:
            raise ValueError(f"a histogram of scale {buckets['scale']}")
        self.underflow += buckets["underflow"]
        self.overflow += buckets["overflow"]
        for i, n in buckets["counts"]:
            self.counts[i] = self.counts.get(i, 0) + n
        self.sum_s += distribution["sum"] or 0
        self.max_s = max(self.max_s, distribution["max"] or 0)

    @property
    def count(self):
        return self.underflow + self.overflow + sum(self.counts.values())

    def quantile(self, q):
        """Geometric middle of the bucket with the value of rank ceil(q n), at most max; or None."""
        rank = math.ceil(q * self.count)
        if rank == 0:
            return None
        if rank <= self.underflow:
            return min(MIN_S, self.max_s)
        seen = self.underflow
        for i in sorted(self.counts):
            seen += self.counts[i]
            if rank <= seen:
                return min(2 ** ((i + 0.5) / 8), self.max_s)
        return self.max_s


class Endpoint:
    """One endpoint over the whole recording: counts added, gauges as they were last."""

    KEY = ("service", "role", "transport", "port", "protocol", "address")

    def __init__(self, record):
        self.key = tuple(record[name] for name in self.KEY)
        for name in self.KEY:
            setattr(self, name, record[name])
        self.records = []
        self.requests = self.aborted = self.bytes_in = self.bytes_out = 0
        self.opened = self.closed = 0
        self.failed = {}
        self.latency, self.first_byte = Histogram(), Histogram()
        self.active = self.in_flight = 0

    def add(self, record):
        self.records.append(record)
        self.requests += record["requests"]
        self.aborted += record["errors"]["aborted"]
        self.bytes_in += record["bytes"]["in"]
        self.bytes_out += record["bytes"]["out"]
        connections = record["connections"]
        self.opened += connections["opened"]
        self.closed += connections["closed"]
        self.active = connections["active"]
        for kind, n in (connections["failed"] or {}).items():
            self.failed[kind] = self.failed.get(kind, 0) + (n or 0)
        self.latency.add(record["histogram"], record["latency_s"])
        self.first_byte.add(record["first_byte_histogram"], record["first_byte_s"])
        self.in_flight = record["in_flight"]["now"]

    def __repr__(self):
        return f"<endpoint {dict(zip(self.KEY, self.key))}, {self.requests} requests>"


def _near(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-8)


def endpoint_faults(record):
    """What in an endpoint record contradicts what always holds. A list of sentences."""
    faults = []
    count = record["latency_s"]["count"]
    if record["requests"] != count + record["errors"]["aborted"]:
        faults.append(f"requests {record['requests']} are not {count} and the aborted")
    for of, name in (("latency_s", "histogram"), ("first_byte_s", "first_byte_histogram")):
        h = record[name]
        n = h["underflow"] + h["overflow"] + sum(n for _, n in h["counts"])
        if n != record[of]["count"]:
            faults.append(f"{name} adds up to {n}, {of} counts {record[of]['count']}")
        if any(n == 0 for _, n in h["counts"]):
            faults.append(f"{name} lists a bucket that is 0")
    stages = record["stages_s"]
    if record["role"] == "client" and stages is not None:
        faults.append("a client with stages")
    if record["role"] == "server" and stages is not None:
        total = sum(stages.values())
        if not _near(total, record["latency_s"]["sum"]):
            faults.append(f"stages add up to {total}, latency to {record['latency_s']['sum']}")
        if not _near(total - stages["transfer"], record["first_byte_s"]["sum"]):
            faults.append("stages without transfer are not the sum of first_byte_s")
    return faults


class Recording:
    """Everything in one JSON file. ValueError if a line breaks a rule of the format, or if the last
    one is cut off, unless goldpan `is_running` and may just be writing it."""

    def __init__(self, path, is_running=False):
        self.records = []
        self.skipped = None  # runs of goldpan's programs that the kernel left out, where known
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if is_running and not line.endswith("\n"):
                    break
                self.records.append(self._parse(line, f"{path}:{number}"))
        if self.records and self.records[0]["type"] != "meta":
            raise ValueError(f"{path} does not begin with a meta line")
        self._merged = {}
        for record in self.of_type("endpoint"):
            key = tuple(record[name] for name in Endpoint.KEY)
            self._merged.setdefault(key, Endpoint(record)).add(record)
        for endpoint in [e for e in self._merged.values() if e.protocol == "unknown"]:
            self._fold(endpoint)

    def _fold(self, unknown):
        """What happened at a place before its protocol was known, added to the one that is known by
        now, if no exchange was of none."""
        place = Endpoint.KEY[:4] + Endpoint.KEY[5:]
        same = [e for e in self._merged.values() if e is not unknown
                and all(getattr(e, name) == getattr(unknown, name) for name in place)]
        if unknown.requests or len(same) != 1:
            return
        del self._merged[unknown.key]
        for record in unknown.records:
            same[0].add(record)
        last = max(same[0].records, key=lambda record: record["time"])
        same[0].active = last["connections"]["active"]
        same[0].in_flight = last["in_flight"]["now"]

    @staticmethod
    def _parse(line, where):
        if not line.endswith("\n"):
            raise ValueError(f"{where} is cut off")
        record = json.loads(line)
        missing = [name for name in COMMON if name not in record]
        if missing or record["schema"] != SCHEMA:
            raise ValueError(f"{where}: schema {record.get('schema')}, missing {missing}")
        if record["type"] == "endpoint":
            faults = endpoint_faults(record)
            if faults:
                raise ValueError(f"{where}: {'; '.join(faults)}: {line}")
        return record

    def of_type(self, kind, **match):
        """The records of one type whose fields equal `match`, in order."""
        return [r for r in self.records
                if r["type"] == kind and all(r[k] == v for k, v in match.items())]

    def endpoints(self, **match):
        """Endpoints over the whole run whose key (Endpoint.KEY) equals `match`."""
        return [e for e in self._merged.values()
                if all(getattr(e, k) == v for k, v in match.items())]

    def endpoint(self, **match):
        """The one endpoint that matches. LookupError, naming all there are, if it is not one."""
        found = self.endpoints(**match)
        if len(found) != 1:
            raise LookupError(f"{len(found)} endpoints match {match}; there are: "
                              f"{list(self._merged.values())}")
        return found[0]

    def dropped(self):
        """The counters of `self.dropped`, added over the run."""
        total = {}
        for record in self.of_type("self"):
            for kind, n in record["dropped"].items():
                total[kind] = total.get(kind, 0) + (n or 0)
        return total

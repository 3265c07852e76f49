# SPDX-License-Identifier: GPL-2.0-or-later
"""What goldpan costs, beside nothing and beside the floor program. scripts/bench runs this.

Machines are noisy, so nothing here compares one minute with another. In each round every variant
has one short slice, in an order drawn anew; figures are ratios within a round, and what is shown
is the median of the rounds with its confidence interval. One variant is `none` a second time:
its ratio is 1 but for the noise.
"""

import argparse
import json
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import observers
import report
import services
from estimates import estimate

# design.md, "Bounds": with method and status parsed, and by turns alone.
SOCKET_BOUND = {"nginx": 1.5, "redis_p1": 1.8}
SOCKET_BOUND_TURNS = {"nginx": 1.2, "redis_p1": 1.3}


@dataclass
class Plan:
    rounds: int  # for throughput and CPU
    slice_s: float
    statistics_rounds: int
    statistics_slice_s: float
    own_s: float
    warmup_s: float = 0.05


FULL = Plan(rounds=36, slice_s=0.25, statistics_rounds=10, statistics_slice_s=0.25, own_s=8)
QUICK = Plan(rounds=6, slice_s=0.1, statistics_rounds=3, statistics_slice_s=0.1, own_s=1.1)


def shuffled_rounds(variants, rounds, order=random.Random(1)):
    for _ in range(rounds):
        yield order.sample(variants, len(variants))


def throughput(load, variants, plan):
    """Of each variant and round: requests a second, CPU nanoseconds per request of both ends."""
    rounds = []
    for order in shuffled_rounds(variants, plan.rounds):
        row = {}
        for variant in order:
            with variant.attached():
                variant.settle(load)
                r = load.slice(plan.warmup_s, plan.slice_s)
            row[variant.name] = {
                "per_s": r["requests"] * 1e9 / r["ns"],
                "server_ns": r["server_ns"] / r["requests"],
                "client_ns": r["client_ns"] / r["requests"],
            }
        rounds.append(row)
    return rounds


def compare_throughput(rounds, names):
    """Estimates against `none` of the same round, and of goldpan against the floor."""
    keys = rounds[0]["none"]
    result = {"none": {key: estimate([r["none"][key] for r in rounds]) for key in keys}}
    for name in names:
        result[name] = {
            "ratio": estimate([r[name]["per_s"] / r["none"]["per_s"] for r in rounds]),
            "server_ns": estimate([r[name]["server_ns"] - r["none"]["server_ns"] for r in rounds]),
            "client_ns": estimate([r[name]["client_ns"] - r["none"]["client_ns"] for r in rounds]),
        }
    if "goldpan" in names:
        pairs = [(r["goldpan"]["per_s"], r["floor"]["per_s"]) for r in rounds]
        result["goldpan"]["to_floor"] = estimate([a / b for a, b in pairs])
    return result


def statistics_slice(variant, load, plan):
    """{hook: {name, hits, ns}} per request, in one slice with the kernel's statistics on.

    Programs of one hook are added. For the floor also `served`: hits on the server's sockets.
    """
    begun = load.total
    with variant.attached():
        variant.settle(load)
        load.slice(plan.warmup_s, 0.001)
        before = variant.programs()
        total = load.slice(0, plan.statistics_slice_s)["total"]
        after = variant.programs()
        attached_total = load.total - begun
    hooks = {}
    for key, program in after.items():
        hook = hooks.setdefault(program["hook"], {"name": program["name"], "hits": 0, "ns": 0})
        hook["hits"] += (program["runs"] - before[key]["runs"]) / total
        hook["ns"] += (program["ns"] - before[key]["ns"]) / total
    if isinstance(variant, observers.Floor):
        for hook, count in variant.counts().items():
            if hook not in observers.SCHED_HOOKS:
                hooks[hook]["served"] = count / attached_total
    return hooks


def server_side(hooks, left, floor):
    """BPF nanoseconds of the socket programs per request, on the server's sockets alone.

    The floor counts the hits on the server's sockets; all others, the client's end and whatever
    else runs on the host, cost what a hit costs when the programs leave every socket early.
    """
    ns = 0
    for name, hook in hooks.items():
        if name in observers.SCHED_HOOKS:
            continue
        ns += hook["ns"]
        if "served" in floor.get(name, {}) and left.get(name, {}).get("hits"):
            foreign = hook["hits"] - floor[name]["served"]
            ns -= foreign * left[name]["ns"] / left[name]["hits"]
    return ns


def bpf_time(load, port, build, plan, with_goldpan):
    """Of each round: statistics of floor and goldpan, as they are and leaving every socket early.

    goldpan is told the port, as the floor is: what else runs on the host is left early by both.
    """
    ports = ("-p", str(port)) if port else ()
    variants = [observers.Floor(build, port)]
    if with_goldpan:
        variants.append(observers.Goldpan(build, *ports))
    if port:
        variants.append(observers.Floor(build, None, "floor_left"))
    if port and with_goldpan:
        variants.append(observers.Goldpan(build, *ports, excluded=("*",), name="goldpan_left"))
    rounds = []
    with observers.statistics_on():
        for order in shuffled_rounds(variants, plan.statistics_rounds):
            rounds.append({v.name: statistics_slice(v, load, plan) for v in order})
    return rounds


def compare_programs(rounds, names):
    """Every program's hits and cost; of the hits those on the server's sockets."""
    result = {name: {
        hook: {"name": rounds[0][name][hook]["name"],
               "hits": estimate([r[name][hook]["hits"] for r in rounds]),
               "ns": estimate([r[name][hook]["ns"] for r in rounds])}
        for hook in rounds[0][name] if any(r[name][hook]["hits"] for r in rounds)}
        for name in names}
    for hook, program in result["floor"].items():
        if "served" in rounds[0]["floor"][hook]:
            program["served"] = estimate([r["floor"][hook]["served"] for r in rounds])
    return result


def compare_server_side(rounds, names):
    """The socket programs on the server's sockets alone."""
    sides = {name: [server_side(r[name], r[f"{name}_left"], r["floor"]) for r in rounds]
             for name in names}
    result = {name: estimate(values) for name, values in sides.items()}
    if "goldpan" in names:
        pairs = zip(sides["goldpan"], sides["floor"])
        result["to_floor"] = estimate([a / b for a, b in pairs])
    return result


def counted(goldpan, port, asked):
    """Requests that goldpan reports for a server's port, and how many there were."""
    here = [r for r in goldpan.records("endpoint") if r["port"] == port]
    if any(r["role"] == "client" for r in here):
        print("bench: warning: the load generator shares its service with others here and was not "
              "excluded: goldpan's figures have both ends", file=sys.stderr)
    return {"reported": sum(r["requests"] for r in here if r["role"] == "server"), "asked": asked}


def own_cost(load, port, build, plan):
    """goldpan's own CPU and memory under load, exporting every second."""
    goldpan = observers.Goldpan(build, "-i", "1s")
    begun = load.total
    with goldpan.attached():
        goldpan.settle(load)
        start_s, cpu_s = time.monotonic(), goldpan.cpu_s()
        load.slice(0, plan.own_s)
        cpu_s, took_s = goldpan.cpu_s() - cpu_s, time.monotonic() - start_s
        rss, maps = goldpan.memory()
    return {"cpu_s_per_export": cpu_s / took_s, "rss_bytes": rss, "map_bytes": maps,
            "counted": counted(goldpan, port, load.total - begun)}


def measure(workload, build, folder, plan, with_goldpan):
    with workload.start(build, folder) as (load, port):
        variants = [observers.Observer("none"), observers.Observer("again"),
                    observers.Floor(build, port)]
        names = ["again", "floor"]
        if with_goldpan:
            variants.append(observers.Goldpan(build))
            names.append("goldpan")
        result = {"name": workload.name}
        rounds = throughput(load, variants, plan)
        result["throughput"] = compare_throughput(rounds, names)
        result["starts_s"] = {v.name: estimate(v.starts_s) for v in variants if v.starts_s}
        rounds = bpf_time(load, port, build, plan, with_goldpan)
        result["programs"] = compare_programs(rounds, names[1:])
        if port:
            result["server_side_ns"] = compare_server_side(rounds, names[1:])
        if with_goldpan and workload.key == "nginx":
            result["own"] = own_cost(load, port, build, plan)
        return result


def judge(results, bounds):
    """[(workload, ratio, bound)] of what design.md bounds."""
    sides = [(key, r["name"], r.get("server_side_ns", {})) for key, r in results.items()]
    return [(name, side["to_floor"], bounds[key]) for key, name, side in sides
            if key in bounds and "to_floor" in side]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, wide intervals")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of slices")
    parser.add_argument("--json", type=argparse.FileType("w"), metavar="FILE",
                        help="write the figures there, too")
    parser.add_argument("--only", choices=[w.key for w in services.WORKLOADS], action="append",
                        help="this load only; may be given several times")
    parser.add_argument("--floor-only", action="store_true", help="leave goldpan out")
    parser.add_argument("--turns", action="store_true",
                        help="goldpan without protocols (--protocols none)")
    parser.add_argument("--no-sched", action="store_true",
                        help="goldpan without stages and the scheduler")
    parser.add_argument("--build", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main():
    options = parse(sys.argv[1:])
    plan = QUICK if options.quick else FULL
    if options.rounds:
        plan.rounds = options.rounds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    strangers = [p["name"] for p in observers.bpftool("prog", "show") if p["type"] == "tracing"]
    if strangers:
        print(f"bench: warning: other tracing programs are attached ({', '.join(strangers)}): "
              "all figures are disturbed", file=sys.stderr)
    observers.Goldpan.more = (("--protocols", "none") if options.turns else ()) + (
        ("--no-sched",) if options.no_sched else ())
    results = {}
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for workload in services.WORKLOADS:
            if options.only and workload.key not in options.only:
                continue
            print(f"bench: info: {workload.name}", file=sys.stderr)
            results[workload.key] = measure(workload, options.build, Path(folder), plan,
                                            not options.floor_only)
    whole = {"kernel": platform.release(), "plan": vars(plan), "took_s": time.monotonic() - start_s,
             "results": results}
    verdicts = judge(results, SOCKET_BOUND_TURNS if options.turns else SOCKET_BOUND)
    print(report.text(whole, verdicts))
    if options.json:
        json.dump(whole, options.json, default=vars, indent=1)
    return 1 if any(ratio.median > bound for _, ratio, bound in verdicts) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)

# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's figures as text."""

US = 1e3  # nanoseconds


def table(rows):
    """Aligned columns: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def in_us(e, digits=2):
    return f"{e.median / US:+.{digits}f} [{e.low / US:+.{digits}f} {e.high / US:+.{digits}f}]"


def throughput(results):
    rows = [["load", "requests/s", "none again", "floor", "goldpan", "goldpan/floor"]]
    for r in results.values():
        t = r["throughput"]
        row = [r["name"], f"{t['none']['per_s'].median:,.0f}"]
        row += [t[name]["ratio"].text(3) if name in t else "-"
                for name in ("again", "floor", "goldpan")]
        row.append(t["goldpan"]["to_floor"].text(3) if "goldpan" in t else "-")
        rows.append(row)
    return table(rows)


def cpu(results, end):
    rows = [["load", "none", "none again", "floor", "goldpan"]]
    for r in results.values():
        t = r["throughput"]
        rows.append([r["name"], f"{t['none'][end].median / US:.2f}"] +
                    [in_us(t[name][end]) if name in t else "-"
                     for name in ("again", "floor", "goldpan")])
    return table(rows)


def server_side(results):
    rows = [["load", "floor", "goldpan", "goldpan/floor"]]
    for r in results.values():
        side = r.get("server_side_ns")
        if side:
            rows.append([r["name"]] + [side[column].text(digits) if column in side else "-" for
                                       column, digits in
                                       (("floor", 0), ("goldpan", 0), ("to_floor", 2))])
    return table(rows)


def program_row(load, observer, hook, program, served):
    hits, ns = program["hits"].median, program["ns"].median
    return [load, f"{observer} {program['name']}", hook, f"{hits:.2f}",
            f"{served.median:.2f}" if served else "-", f"{ns / hits:.0f}", f"{ns:.0f}"]


def programs(results):
    rows = [["load", "program", "hook", "hits", "server's", "ns/hit", "ns/request"]]
    for r in results.values():
        for observer, hooks in r["programs"].items():
            for hook, p in sorted(hooks.items(), key=lambda item: -item[1]["ns"].median):
                if p["hits"].median >= 0.005:
                    served = r["programs"]["floor"].get(hook, {}).get("served")
                    rows.append(program_row(r["name"], observer, hook, p, served))
    return table(rows)


def own(results):
    for r in results.values():
        if "own" not in r:
            continue
        o, start_s = r["own"], r["starts_s"]["goldpan"].median
        yield (f"goldpan itself: attached {start_s:.2f} s after its start; under {r['name']} "
               f"{o['cpu_s_per_export'] * 1e3:.1f} ms of CPU an export "
               f"({o['cpu_s_per_export'] * 10:.3f} % of a core at an interval of 10 s),\n"
               f"{o['rss_bytes'] / 2**20:.1f} MiB resident, {o['map_bytes'] / 2**20:.1f} MiB of "
               f"maps; reported {o['counted']['reported']:,} of {o['counted']['asked']:,} requests")


def text(whole, verdicts):
    plan, results = whole["plan"], whole["results"]
    parts = [
        f"Kernel {whole['kernel']}; {plan['rounds']} rounds of slices of {plan['slice_s']} s, "
        f"{whole['took_s']:.0f} s in all. Medians within a round, [95 % confidence].",
        "Throughput, as a share of that without programs",
        throughput(results),
        "CPU of the server per request, µs, and what is added to it",
        cpu(results, "server_ns"),
        "CPU of the load generator per request, µs, and what is added to it (on loopback the\n"
        "server's receive path runs there)",
        cpu(results, "client_ns"),
        f"BPF time of the socket programs per request, ns, on the server's sockets alone "
        f"({plan['statistics_rounds']} rounds)",
        server_side(results),
        "Programs per request: hits on both ends, those of them on the server's sockets, run time\n"
        "(without the cost of getting there)",
        programs(results),
    ]
    parts += own(results)
    parts += [f"{name}: {ratio.text(2)} times the floor, bound {bound}: "
              f"{'held' if ratio.median <= bound else 'NOT held'}"
              for name, ratio, bound in verdicts]
    return "\n\n".join(parts)

# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients with a fixed number of requests, and their own count of what was answered."""

import re
import subprocess


def _run(argv, timeout_s):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s,
                          check=False, stdin=subprocess.DEVNULL)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}: {text}")
    return text


def _number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError(f"nothing like '{pattern}' in: {text}")
    return int(found.group(1))


def ab(port, requests, connections, keep_alive, timeout_s=120, tls=None):
    """ApacheBench, by a version of TLS if that is given. {"requests", "bytes"}: answered without a failure, and bytes it received."""
    argv = ["ab", "-q", "-n", str(requests), "-c", str(connections)]
    if keep_alive:
        argv.append("-k")
    if tls:
        argv += ["-f", tls]
    text = _run([*argv, f"http{'s' if tls else ''}://127.0.0.1:{port}/"], timeout_s)
    failed = _number(r"Failed requests: +(\d+)", text)
    if failed or "Non-2xx" in text:
        raise RuntimeError(f"ab saw failures: {text}")
    return {"requests": _number(r"Complete requests: +(\d+)", text),
            "bytes": _number(r"Total transferred: +(\d+) bytes", text)}


def redis_benchmark(port, requests, connections, pipeline=1, timeout_s=120):
    """redis-benchmark, GET alone, to a port or the path of a unix socket. {"requests"}: answered;
    its CONFIG commands are not in it."""
    where = ["-s", port] if isinstance(port, str) else ["-h", "127.0.0.1", "-p", str(port)]
    text = _run(["redis-benchmark", *where, "-n", str(requests), "-c", str(connections), "-P",
                 str(pipeline), "-t", "get"], timeout_s)
    return {"requests": _number(r"(\d+) requests completed", text)}

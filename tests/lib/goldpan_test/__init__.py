# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests against real servers share.

harness     processes in a temporary directory, goldpan among them, ended by their own pid
servers     nginx and redis with configurations of their own on free loopback ports
loads       real clients with a fixed number of requests, and their own count of them
known       servers and clients of known behaviour, networks to put them in
bpfobjects  what of BPF is in the kernel, and what of it nobody holds
puppet      exchanges made step by step at both ends, each with its bounds in time
jsonlines   goldpan's JSON lines, checked and added up over a run
capture     tcpdump on the loopback device, and what its packets say about bytes and times
ways        the ways of using a server that every claim is tested on
cgroups     a unit of the test's own, with a CPU limit, and what the kernel counts of it
process     what a process may do, and who its children are
memory      what goldpan costs the kernel: slabs, maps, its memory control group
clients     what clients on plain sockets have in common, which keep an account of their own:
            http_client, redis_client, postgresql_client
dns         a server of DNS and clients, each with an account of its own
protocols   what goldpan says of operations and errors, beside such an account

A test file puts tests/lib on sys.path itself and runs as root:

    import os, sys, unittest
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
    from goldpan_test.harness import Case
"""

# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL with a cluster of its own: nothing of the system's is used or touched."""

import glob
import os
import pwd
import subprocess

from .harness import Process, wait_until

USER = "postgres"  # whom Debian's package makes; the server refuses to be root


def _program(name):
    """The newest version's; Debian keeps them out of the path."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if not found:
        raise FileNotFoundError(f"PostgreSQL's {name} is not installed")
    return max(found, key=lambda path: int(path.split("/")[4]))


class PostgreSQL(Process):
    """On a loopback port, with a new and empty database."""

    def __init__(self, directory, port, *settings):
        self.port, self.home = port, os.path.join(directory, f"postgresql-{port}")
        os.mkdir(self.home, 0o700)
        owner = pwd.getpwnam(USER)
        os.chown(self.home, owner.pw_uid, owner.pw_gid)
        self.account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        data = os.path.join(self.home, "data")
        self._run(_program("initdb"), "-D", data, "-A", "trust", "-N", "-E", "UTF8",
                  "--locale=C", "-U", USER)
        options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.home}",
                   "fsync=off", *settings]
        super().__init__([_program("postgres"), "-D", data, "-p", str(port),
                          *(word for option in options for word in ("-c", option))],
                         directory, **self.account)

    def _run(self, *argv):
        done = subprocess.run(argv, cwd=self.home, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, **self.account)
        if done.returncode:
            raise RuntimeError(f"{argv[0]} failed: {done.stdout.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def ready(self):
        def answers():
            if self.popen.poll() is not None:
                raise RuntimeError(f"postgres ended: {self.stderr()}")
            return subprocess.run([_program("pg_isready"), "-q", "-h", self.home, "-p",
                                   str(self.port)], check=False).returncode == 0
        wait_until(answers, 20, "PostgreSQL listening")

    def pgbench(self, *options, host="127.0.0.1"):
        """By TCP, or a unix socket in the directory `host`. What it prints."""
        return self._run(_program("pgbench"), "-h", host, "-p", str(self.port), "-U", USER,
                         *options, USER)

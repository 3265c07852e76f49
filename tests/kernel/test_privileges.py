# SPDX-License-Identifier: GPL-2.0-or-later
"""Root for a moment: what goldpan and its keeper may still do while they observe, and that what
they observe is the same."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import loads, process  # noqa: E402
from goldpan_test.cgroups import Unit, mounted  # noqa: E402
from goldpan_test.harness import GOLDPAN, ROOT, free_ports, wait_until  # noqa: E402
from goldpan_test.jsonlines import Recording  # noqa: E402
from goldpan_test.known import PROGRAMS, KnownCase, export_now  # noqa: E402
from goldpan_test.servers import Nginx, wait_closed  # noqa: E402

REQUESTS = 20_000
STRANGER = 4711  # a user that is neither root nor whoever goldpan becomes
UNIT = os.path.join(ROOT, "scripts", "goldpan.service")


def becomes():
    """Whom goldpan becomes on this host."""
    for name in ("goldpan", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise unittest.SkipTest("there is no user nobody")


def setting(name):
    """Of the unit, whose syntax is simple enough for this."""
    if not os.path.exists(UNIT):
        raise unittest.SkipTest("only the tests of this tree are here")
    with open(UNIT, encoding="ascii") as file:
        value, = [line.partition("=")[2].strip() for line in file if line.startswith(f"{name}=")]
    return value


def as_user(uid, *more):
    return "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *more


class PrivilegesCase(KnownCase):
    def keeper(self, goldpan):
        keeper, = process.children(goldpan.pid)
        return keeper

    def assert_sealed(self, pid):
        said = process.status(pid)
        self.assertEqual((said["NoNewPrivs"], said["Seccomp"]), ("1", "2"))
        # Files of a process that cannot be dumped are root's: nobody of its user can trace it.
        self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0)

    def program(self, stem):
        """A server's program as a file of its own, which everybody may run, in a file system of its
        own, which is mounted in another one of that kind."""
        outer = os.path.join(self.directory, "outer")
        inner = os.path.join(outer, "a", "inner")
        for place in (outer, inner):
            os.makedirs(place)
            subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", place], check=True)
        path = os.path.join(inner, self.service(stem))
        shutil.copy(os.path.join(PROGRAMS, "slow"), path)
        os.chmod(path, 0o755)
        return path


class Dropped(PrivilegesCase):
    def test_goldpan(self):
        user = becomes()
        goldpan = self.goldpan("--events", f"{self.directory}/events",
                               prefix=("setpriv", "--groups=4,27", "--"))
        self.assertEqual(process.users(goldpan.pid), [user.pw_uid] * 4)
        self.assertEqual(process.status(goldpan.pid)["Gid"].split(), [str(user.pw_gid)] * 4)
        self.assertEqual(process.status(goldpan.pid)["Groups"], "")
        self.assertEqual(process.capabilities(goldpan.pid), dict.fromkeys(process.SETS, 0))
        self.assert_sealed(goldpan.pid)
        goldpan.finish()

    def test_keeper(self):
        """Root by number, but all it may is to pass by the permissions of files."""
        goldpan = self.goldpan("--events", f"{self.directory}/events")
        keeper = self.keeper(goldpan)
        self.assertEqual(process.users(keeper), [0] * 4)
        files = 1 << process.CAP_DAC_OVERRIDE
        self.assertEqual(process.capabilities(keeper),
                         {"CapInh": 0, "CapPrm": files, "CapEff": files, "CapBnd": 0, "CapAmb": 0})
        self.assert_sealed(keeper)
        held = process.descriptors(keeper)
        self.assertEqual([held.pop(fd) for fd in range(3)], ["/dev/null"] * 3)
        self.assertEqual([path.split(":")[0] for path in held.values()], ["socket"])
        goldpan.finish()
        self.assertFalse(process.is_alive(keeper))

    def test_other_user(self):
        goldpan = self.goldpan("--user", "daemon")
        self.assertEqual(process.users(goldpan.pid), [pwd.getpwnam("daemon").pw_uid] * 4)
        goldpan.finish()

    def test_no_such_user(self):
        done = subprocess.run([GOLDPAN, "--user", "no\x1bone"], capture_output=True, text=True,
                              timeout=10, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "(?m)^goldpan: error: [^\x1b]*--user[^\x1b]*'no\ufffdone'$")

    def test_stays_root(self):
        goldpan = self.goldpan("--keep-privileges")
        self.assertEqual(process.users(goldpan.pid), [0] * 4)
        self.assertEqual(process.children(goldpan.pid), [], "nothing to keep")
        goldpan.finish()

    def test_nothing_to_open(self):
        """With standard output alone there is no keeper."""
        goldpan = self.start([GOLDPAN, "-i", "60s", "-o", "json"])
        goldpan.wait_for("observing")
        wait_until(lambda: process.users(goldpan.pid)[0], 5, "the drop")
        self.assertEqual(process.children(goldpan.pid), [])
        self.assertEqual(goldpan.stop(), 0)


class Keeper(PrivilegesCase):
    def test_ends_with_goldpan(self):
        goldpan = self.goldpan()
        keeper = self.keeper(goldpan)
        goldpan.popen.kill()
        goldpan.popen.wait()
        wait_until(lambda: not process.is_alive(keeper), 5, "the keeper's end")

    def test_outlives_signals(self):
        """Those of a terminal or of a unit that is stopped go to all of its processes."""
        goldpan = self.goldpan(interval="60s")
        keeper = self.keeper(goldpan)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(keeper, number)
        server = self.slow()
        self.call(server, "-c", 3)
        os.rename(goldpan.json_path, goldpan.json_path + ".1")
        goldpan.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(goldpan.json_path), 5, "the file opened again")
        self.assertEqual(goldpan.finish().endpoint(service=server.name).requests, 3)

    def test_dies(self):
        """Said once; what is open goes on; what must be opened fails."""
        goldpan = self.goldpan(interval="60s")
        server = self.slow()
        self.call(server, "-c", 3)
        os.kill(self.keeper(goldpan), signal.SIGKILL)
        goldpan.wait_for("is gone")
        export_now(goldpan)
        self.assertEqual(goldpan.recording().endpoint(service=server.name).requests, 3)
        for _ in range(2):
            goldpan.popen.send_signal(signal.SIGHUP)
            time.sleep(0.2)
        self.assertEqual(goldpan.stop(), 1)
        self.assertEqual(goldpan.stderr().count("may open its files is gone"), 1)
        self.assertEqual(goldpan.stderr().count("is gone; restart goldpan"), 1)


class SameFigures(PrivilegesCase):
    def check_nginx(self, *options, prefix=()):
        port = free_ports()
        goldpan = self.goldpan(*options, prefix=prefix)
        self.assertNotEqual(process.users(goldpan.pid)[0], 0)
        nginx = self.keep(Nginx(self.directory, [port]))
        client = loads.ab(port, REQUESTS, 16, True)
        wait_closed(port)
        recording = goldpan.finish()
        for role in ("server", "client"):
            endpoint = recording.endpoint(role=role, port=port)
            self.assertEqual(endpoint.requests, client["requests"], role)
        self.assertEqual(recording.endpoint(role="server", port=port).bytes_out, client["bytes"])
        self.assert_nothing_dropped(recording)
        return nginx, recording

    def test_counts(self):
        nginx, recording = self.check_nginx()
        record = recording.of_type("service", service="nginx")[-1]
        self.assertEqual(record["exe"], os.path.realpath(f"/proc/{nginx.pid}/exe"))
        host = recording.of_type("host")[-1]
        self.assertIsNotNone(host["listen_drops"])
        self.assertIsNotNone(host["retransmits"])
        if os.path.exists("/proc/pressure/cpu"):
            self.assertIsNotNone(host["pressure_s"]["cpu_some"])

    def test_never_root(self):
        """As goldpan.service runs it: a user with its capabilities, which are dropped as well."""
        given = ",".join("+" + name.removeprefix("CAP_").lower()
                         for name in setting("AmbientCapabilities").split())
        self.assertEqual(setting("CapabilityBoundingSet"), setting("AmbientCapabilities"))
        directory = os.path.join(self.directory, "state")
        os.mkdir(directory)
        program = os.path.join(directory, "goldpan")
        shutil.copy(GOLDPAN, program)
        for path in (directory, program):
            os.chown(path, STRANGER, STRANGER)
        output = os.path.join(directory, "out.json")
        prefix = as_user(STRANGER, f"--inh-caps=-all,{given}", f"--ambient-caps=-all,{given}",
                         f"--bounding-set=-all,{given}", "--no-new-privs")
        port = free_ports()
        older = self.slow()
        caller = self.caller(older, "-I")
        goldpan = self.start([*prefix, program, "-i", "1s", "--protocols", "all",
                              "-o", f"json:{output}"], name="goldpan")
        goldpan.wait_for("observing")
        wait_until(lambda: not process.capabilities(goldpan.pid)["CapPrm"], 5, "the drop")
        self.assertEqual(process.users(goldpan.pid), [STRANGER] * 4)
        self.assertEqual(process.capabilities(goldpan.pid)["CapAmb"], 0)
        self.assertEqual(process.children(goldpan.pid), [], "no keeper is needed")
        self.assert_sealed(goldpan.pid)
        self.assertEqual(goldpan.stderr().count("warning"), 1, "other namespaces alone")
        caller.ask(5)
        self.keep(Nginx(self.directory, [port]))
        client = loads.ab(port, REQUESTS, 16, True)
        wait_closed(port)
        caller.popen.stdin.close()
        caller.popen.wait(5)
        os.rename(output, output + ".1")
        goldpan.popen.send_signal(signal.SIGHUP)
        wait_until(lambda: os.path.exists(output), 5, "the output opened again")
        self.assertEqual(goldpan.stop(), 0, goldpan.stderr())
        parts = [Recording(path, is_running=False) for path in (output + ".1", output)]
        for server, count in ((port, client["requests"]), (older.port, 5)):
            self.assertEqual(sum(e.requests for part in parts
                                 for e in part.endpoints(role="server", port=server)), count)

    def test_unit(self):
        """What systemd itself says of the unit: nothing."""
        analyze = shutil.which("systemd-analyze")
        if not analyze or not os.path.exists(UNIT):
            self.skipTest("there is no systemd-analyze, or no unit")
        with open(UNIT, encoding="ascii") as file:
            text = file.read()
        copy = os.path.join(self.directory, "goldpan.service")
        with open(copy, "w", encoding="ascii") as file:
            file.write(text.replace("/usr/local/bin/goldpan", GOLDPAN))
        done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Container(PrivilegesCase):
    """With the host's processes and network, and files of its own: the program, its libraries and
    no list of users."""

    CAPABILITIES = ("bpf", "perfmon", "setuid", "setgid", "setpcap", "sys_chroot")

    def image(self):
        root = os.path.join(self.directory, "root")
        libraries = subprocess.run(["ldd", GOLDPAN], capture_output=True, text=True, check=True)
        files = [word for word in libraries.stdout.split() if word.startswith("/")]
        for source, place in [(GOLDPAN, "/goldpan"), *((path, path) for path in files)]:
            os.makedirs(root + os.path.dirname(place), exist_ok=True)
            shutil.copy(source, root + place)
        for name in ("proc", "sys", "dev", "out"):
            os.mkdir(os.path.join(root, name))
        return root

    def run_inside(self, root, *options, without=()):
        given = ",".join(f"+{name}" for name in self.CAPABILITIES if name not in without)
        mounts = "; ".join(f"mount --rbind /{name} {root}/{name}" for name in ("proc", "sys", "dev"))
        script = f"{mounts}; exec setpriv --bounding-set=-all,{given} chroot {root} /goldpan \"$@\""
        return self.start(["unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh",
                           *options], name="goldpan")

    def test_observes(self):
        root = self.image()
        goldpan = self.run_inside(root, "-i", "60s", "-o", "json:/out/json")
        goldpan.wait_for("observing")
        wait_until(lambda: process.users(goldpan.pid)[0] == 65534, 5, "the drop")
        self.assertEqual(process.capabilities(goldpan.pid), dict.fromkeys(process.SETS, 0))
        path = self.program("outside")
        server = self.start([path], stdin=subprocess.PIPE)
        server.wait_for("ready", stream="stdout")
        self.call(int(server.stdout().split()[1]), "-c", 3)
        self.assertEqual(goldpan.stop(), 0, goldpan.stderr())
        recording = Recording(os.path.join(root, "out", "json"), is_running=False)
        name = os.path.basename(path)
        self.assertEqual(recording.endpoint(role="server", service=name).requests, 3)
        self.assertEqual(recording.of_type("service", service=name)[0]["exe"], path)

    def test_cannot_drop(self):
        """It does not go on as root behind the user's back."""
        root = self.image()
        goldpan = self.run_inside(root, "-d", "1", "-o", "json:/out/json", without=("setuid",))
        self.assertEqual(goldpan.popen.wait(20), 4)
        self.assertRegex(goldpan.stderr(), "error: .*CAP_SETUID.*--keep-privileges")
        goldpan = self.run_inside(root, "-d", "100ms", "-o", "json:/out/json", "--keep-privileges",
                                  without=("setuid",))
        self.assertEqual(goldpan.popen.wait(20), 0, goldpan.stderr())


class Origins(PrivilegesCase):
    """Names of what starts after the drop, though it belongs to others or is gone already."""

    def test_program_of_another_user(self):
        goldpan = self.goldpan(interval="60s")
        path = self.program("stranger")
        server = self.start([*as_user(STRANGER), path], stdin=subprocess.PIPE)
        name = os.path.basename(path)
        server.wait_for("ready", stream="stdout")
        self.call(int(server.stdout().split()[1]), "-c", 3)
        self.assertEqual(os.path.realpath(f"/proc/{server.pid}/exe"), path)
        server.stop()
        os.unlink(path)
        recording = goldpan.finish()
        record, = recording.of_type("service", service=name)
        self.assertEqual(record["exe"], path)
        self.assertEqual(recording.endpoint(role="server", service=name).requests, 3)

    def test_unit_that_is_gone(self):
        """A unit that came and went between two exports is named by its control group."""
        goldpan = self.goldpan(interval="60s")
        unit = Unit(f"gp-brief-{os.getpid()}")
        try:
            subprocess.run([*unit.prefix, "/bin/true"], check=True)
        finally:
            unit.discard()
        self.assertFalse(os.path.exists(unit.path))
        record, = goldpan.finish().of_type("service", service=unit.name)
        self.assertEqual(record["unit"], f"{unit.name}.service")
        self.assertIn(record["exe"], [os.path.realpath(p) for p in ("/bin/sh", "/bin/true")])

    def test_too_deep(self):
        """A control group whose path is longer than what is kept of one: nobody knows whose its
        upper end is, so it is no unit, though one of its components looks like one."""
        v2 = mounted("cgroup2")
        if not v2:
            self.skipTest("there are no v2 control groups")
        paths = [os.path.join(v2, f"gp-deep-{os.getpid()}")]
        for _ in range(4):
            paths.append(os.path.join(paths[-1], "d" * 200))
        paths.append(os.path.join(paths[-1], "nginx.service"))
        for path in paths:
            os.mkdir(path)
            self.addCleanup(os.rmdir, path)
        goldpan = self.goldpan(interval="60s")
        subprocess.run(["sh", "-c", f"echo $$ > {paths[-1]}/cgroup.procs; /bin/true"], check=True)
        records = goldpan.finish().of_type("service")
        self.assertIn("user@0/true", [r["service"] for r in records])
        self.assertFalse([r for r in records if r["unit"] == "nginx.service"])


if __name__ == "__main__":
    unittest.main()

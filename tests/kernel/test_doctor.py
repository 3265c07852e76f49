# SPDX-License-Identifier: GPL-2.0-or-later
"""What the doctor says, against what a run of goldpan then uses, on whatever kernel this is.

$GOLDPAN_HOOKS, if it is set, forces ways for both."""

import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test import bpfobjects  # noqa: E402
from goldpan_test.harness import GOLDPAN, Case, wait_until  # noqa: E402

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
WITHOUT_BPF = ("setpriv", "--bounding-set", "-bpf,-sys_admin", "--inh-caps", "-bpf,-sys_admin")
WITHOUT_BTF = ("unshare", "-m", "sh", "-c",
               'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")
SECONDS = 120  # emulated kernels take their time over programs


def run(*argv, hooks=None):
    environment = dict(os.environ)
    if hooks is not None:
        environment["GOLDPAN_HOOKS"] = hooks
    return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False,
                          env=environment)


def errors(done):
    return [line for line in done.stderr.splitlines() if line.startswith("goldpan: error: ")]


class Doctor(Case):
    def ask(self, *options, hooks=None, status=0):
        done = run(GOLDPAN, "doctor", "--format", "json", *options, hooks=hooks)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def check_agrees(self, *options, hooks=None):
        """The doctor's word for the first line of a run. What the doctor said."""
        said = self.ask(*options, hooks=hooks)
        done = run(GOLDPAN, "run", "-d", "100ms", "-o", "json", *options, hooks=hooks)
        self.assertEqual(done.returncode, 0, done.stderr)
        meta = json.loads(done.stdout.splitlines()[0])
        self.assertEqual(meta["type"], "meta")
        self.assertEqual([(h["event"], h["hook"]) for h in said["hooks"]],
                         [(h["event"], h["hook"]) for h in meta["hooks"]])
        for key in ("missing", "protocols", "kernel", "version", "host"):
            self.assertEqual(said[key], meta[key], key)
        warned = [line for line in done.stderr.splitlines() if " warning: on this kernel" in line]
        self.assertEqual(len(warned), 1 if said["missing"] else 0, done.stderr)
        for sentence in said["missing"]:
            self.assertIn(sentence, warned[0], "what is missing is said at the start")
        return said

    def test_equals_a_run(self):
        for options in ((), ("--protocols", "all"), ("--protocols", "none"), ("--no-sched",)):
            with self.subTest(options=options):
                said = self.check_agrees(*options)
                self.assertIsNone(said["unable"])
                for hook in said["hooks"]:
                    better = [r["hook"] for r in hook["refused"]]
                    self.assertNotIn(hook["hook"], better)
                    if not hook["hook"]:
                        self.assertTrue(better and hook["missing"], hook)

    def test_forced(self):
        """Each way that the kernel has, and no other, can be had in place of the best."""
        for way, hook in (("arrive=fentry", "fentry/sock_def_readable"),
                          ("read=adjust", "tp_btf/tcp_rcv_space_adjust"),
                          ("send=fentry", "fentry/tcp_sendmsg_locked"),
                          ("payload=dynptr", "kfunc/bpf_dynptr_from_skb")):
            with self.subTest(way=way):
                done = run(GOLDPAN, "doctor", "--format", "json", hooks=way)
                said = json.loads(done.stdout)
                if done.returncode == 4:
                    print(f"# {way}: {said['unable']}")
                    refused = run(GOLDPAN, "run", "-d", "100ms", hooks=way)
                    self.assertEqual(refused.returncode, 4, refused.stderr)
                    self.assertEqual(errors(refused), [f"goldpan: error: {said['unable']}"])
                    self.assertIn(hook, said["unable"])
                    continue
                said = self.check_agrees(hooks=way)
                self.assertIn(hook, [h["hook"] for h in said["hooks"]])

    def test_forced_nonsense(self):
        for way in ("send=nothing", "nothing=tp", "send"):
            for command in ("doctor", "run"):
                done = run(GOLDPAN, command, "-d", "100ms", hooks=way)
                self.assertEqual((done.returncode, done.stdout, len(errors(done))), (2, "", 1))

    def test_text(self):
        said = self.ask()
        done = run(GOLDPAN, "doctor")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("can observe this host", done.stdout)
        for hook in said["hooks"]:
            self.assertRegex(done.stdout, rf"(?m)^  {hook['event']} +{hook['hook'] or '-'}$")
        for fact in said["surroundings"]:
            self.assertIn(fact["value"], done.stdout)
            if fact["advice"]:
                self.assertIn(fact["advice"], done.stdout)

    def test_leaves_nothing(self):
        before = bpfobjects.existing()
        run(GOLDPAN, "doctor", "--protocols", "all")
        wait_until(lambda: not bpfobjects.unheld(before), 5,
                   f"the end of {bpfobjects.unheld(before)}")

    def test_unable(self):
        """A sentence each, the same from both, and exit status 4."""
        program = os.path.join(self.directory, "goldpan")
        shutil.copy(GOLDPAN, program)  # where nobody may look
        os.chmod(program, 0o755)
        for name, prefix, words in (
                ("nobody", NOBODY, "root.*CAP_BPF"),
                ("no CAP_BPF", WITHOUT_BPF, "root.*CAP_BPF"),
                ("user namespace", (*NOBODY, "unshare", "-U", "-r"), "user namespace"),
                ("no BTF", WITHOUT_BTF, "/sys/kernel/btf/vmlinux")):
            with self.subTest(case=name):
                done = run(*prefix, program, "run", "-d", "100ms")
                self.assertEqual((done.returncode, done.stdout), (4, ""), done.stderr)
                self.assertEqual(len(errors(done)), 1, done.stderr)
                self.assertRegex(errors(done)[0], words)
                doctor = run(*prefix, program, "doctor", "--format", "json")
                self.assertEqual((doctor.returncode, len(errors(doctor))), (4, 0), doctor.stderr)
                self.assertEqual(f"goldpan: error: {json.loads(doctor.stdout)['unable']}",
                                 errors(done)[0])


if __name__ == "__main__":
    unittest.main()

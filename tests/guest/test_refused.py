# SPDX-License-Identifier: GPL-2.0-or-later
"""Where goldpan cannot work it says so in a sentence, with exit status 4, and nothing else.

All of it holds on any kernel, save the one test that is for a kernel too old: what such a kernel
lacks may be what is said first of it, whatever else is in the way.
"""

import ctypes
import errno
import os
import platform
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from goldpan_test.harness import GOLDPAN, Case  # noqa: E402

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
TOO_OLD = "this kernel (has no|does not let)"
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def without_bpf():
    """Makes bpf(2) fail in this process as it does in a kernel that is built without it."""
    number = BPF_SYSCALL[platform.machine()]
    code = ((LOAD_WORD, 0, 0, 0),  # the system call's number
            (JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.ENOSYS),
            (RETURN, 0, 0, SECCOMP_RET_ALLOW))
    words = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(words)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
                      (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


class Refused(Case):
    def check(self, words, *prefix, **options):
        """Runs goldpan; its one error line must match `words`."""
        done = subprocess.run([*prefix, GOLDPAN, "run", "-d", "1", "-o", "json"], text=True,
                              capture_output=True, timeout=120, check=False, **options)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertEqual(done.stdout, "", "only metrics go to standard output")
        lines = done.stderr.splitlines()
        errors = [line for line in lines if line.startswith("goldpan: error: ")]
        self.assertEqual(len(errors), 1, done.stderr)
        self.assertRegex(errors[0], f"(?i){words}|{TOO_OLD}")
        for line in lines:
            self.assertRegex(line, "^goldpan: (error|warning|info): [^ ]", "form of a message")
        print(f"# {errors[0]}")

    def test_kernel_too_old(self):
        self.check(TOO_OLD)

    def test_btf_hidden(self):
        """As a kernel that is built without: nothing lies there, for this process."""
        self.check("BTF", "unshare", "--mount", "sh", "-c",
                   'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh")

    def test_without_bpf(self):
        self.check("BPF", preexec_fn=without_bpf)

    def test_root_without_the_capability(self):
        self.check("root|privilege|CAP_", "setpriv", "--bounding-set", "-bpf,-sys_admin")

    def test_root_of_a_user_namespace(self):
        self.check("root|privilege|CAP_|namespace", "unshare", "--user", "--map-root-user")


if __name__ == "__main__":
    unittest.main()

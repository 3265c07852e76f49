// SPDX-License-Identifier: GPL-2.0-or-later
/* The system calls that are left, each tried in a child under the filter. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "own.h"
#include "syscalls.h"

#define PASSES 0 /* or fails with another error than ENOSYS */
#define FAILS 1	 /* with ENOSYS */
#define KILLED (128 + SIGSYS)

static int observer(void)
{
	return gp_syscalls_observer(false);
}

static int opener(void)
{
	return gp_syscalls_observer(true);
}

static const struct {
	int (*limit)(void);
	long call, a, b, c, d;
	int expected;
} tries[] = {
	{observer, SYS_getpid, .expected = PASSES},
	{observer, SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDONLY | O_CLOEXEC,
	 .expected = PASSES},
	{observer, SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY, .expected = FAILS},
	{observer, SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR, .expected = FAILS},
	{observer, SYS_openat, AT_FDCWD, (long)"/none/such", O_CREAT, .expected = FAILS},
	{observer, SYS_unlinkat, AT_FDCWD, (long)"/none/such", .expected = FAILS},
	{opener, SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY, .expected = PASSES},
	{opener, SYS_unlinkat, AT_FDCWD, (long)"/none/such", .expected = PASSES},
	{opener, SYS_socket, AF_UNIX, SOCK_STREAM, .expected = KILLED},
	{observer, SYS_bpf, BPF_MAP_LOOKUP_ELEM, .expected = PASSES},
	{observer, SYS_bpf, BPF_ITER_CREATE, .expected = PASSES},
	{observer, SYS_bpf, BPF_MAP_CREATE, .expected = FAILS},
	{observer, SYS_bpf, BPF_PROG_LOAD, .expected = FAILS},
	{observer, SYS_bpf, BPF_MAP_GET_FD_BY_ID, .expected = FAILS},
	{observer, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, .expected = FAILS},
	{observer, SYS_ioctl, 0, 0x5412 /* TIOCSTI */, .expected = FAILS},
	{observer, SYS_mkdirat, AT_FDCWD, (long)"/none/such", .expected = FAILS},
	{observer, SYS_memfd_create, (long)"x", .expected = FAILS},
	{observer, SYS_execve, (long)"/none/such", .expected = KILLED},
	{observer, SYS_socket, AF_INET, SOCK_STREAM, .expected = KILLED},
	{observer, SYS_kill, 0, 0, .expected = KILLED},
	{observer, SYS_setresuid, -1, -1, -1, .expected = KILLED},
	{gp_syscalls_keeper, SYS_openat, AT_FDCWD, (long)"/dev/null", O_WRONLY, .expected = PASSES},
	{gp_syscalls_keeper, SYS_write, 1, 0, 0, .expected = KILLED},
	{gp_syscalls_keeper, SYS_bpf, BPF_MAP_LOOKUP_ELEM, .expected = KILLED},
	{gp_syscalls_keeper, SYS_mkdirat, AT_FDCWD, (long)"/none/such", .expected = KILLED},
	{gp_syscalls_keeper, SYS_execve, (long)"/none/such", .expected = KILLED},
};

static int status_of(size_t i)
{
	pid_t child = fork();
	int status;

	if (!child) {
		long rc;

		if (tries[i].limit())
			_exit(2);
		rc = syscall(tries[i].call, tries[i].a, tries[i].b, tries[i].c, tries[i].d, 0, 0);
		/* Not by _exit, where the sanitizer has calls of its own to make. */
		syscall(SYS_exit_group, rc == -1 && errno == ENOSYS ? FAILS : PASSES);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_tries(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		int status = status_of(i);

		if (status != tries[i].expected)
			fail_msg("try %zu, call %ld: %d, not %d", i, tries[i].call, status,
				 tries[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

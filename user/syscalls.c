// SPDX-License-Identifier: GPL-2.0-or-later
#include "syscalls.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>

#include "own.h"

/* Memory, time, signals, the end: what any program does. */
static const int common[] = {
	SCMP_SYS(brk),		SCMP_SYS(munmap),	  SCMP_SYS(mremap),
	SCMP_SYS(madvise),	SCMP_SYS(futex),	  SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit),		SCMP_SYS(exit_group),	  SCMP_SYS(restart_syscall),
	SCMP_SYS(close),	SCMP_SYS(fstat),	  SCMP_SYS(newfstatat),
	SCMP_SYS(getpid),	SCMP_SYS(gettid),	  SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),	SCMP_SYS(recvmsg),	  SCMP_SYS(recvfrom),
};

/* Reading maps, files of the kernel and signals; writing what was opened; waiting. */
static const int observer[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(lseek),
	SCMP_SYS(ftruncate),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(fcntl),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(getrandom),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(wait4),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
};

/* What is asked of the maps, programs and links that are held; making more of them is not there. */
static const int commands[] = {
	BPF_MAP_LOOKUP_ELEM,  BPF_MAP_UPDATE_ELEM,    BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_BATCH,   BPF_MAP_LOOKUP_AND_DELETE_ELEM,
	BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,   BPF_MAP_LOOKUP_AND_DELETE_BATCH,
	BPF_ITER_CREATE,      BPF_OBJ_GET_INFO_BY_FD,
};

/* Ways out. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(socket),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(mount),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(kill),
	SCMP_SYS(init_module),
	SCMP_SYS(setuid),
	SCMP_SYS(setresuid),
	SCMP_SYS(keyctl),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
};

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = seccomp_rule_add(filter, action, calls[i], 0);
	return err;
}

/* `call` with an argument that has only these bits of the mask. */
static int allow_bits(scmp_filter_ctx filter, int call, unsigned int argument, uint64_t mask,
		      uint64_t bits)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, bits));
}

/* A filter with what both processes may do. Memory is never made executable. */
static int begin(scmp_filter_ctx *out, uint32_t otherwise)
{
	gp_auto(release) scmp_filter_ctx filter = seccomp_init(otherwise);
	int err;

	if (!filter)
		return -ENOMEM;
	err = add_all(filter, SCMP_ACT_ALLOW, common, ARRAY_SIZE(common));
	if (!err)
		err = allow_bits(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
	if (!err)
		err = allow_bits(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	if (!err)
		*out = TAKE_PTR(filter);
	return err;
}

int gp_syscalls_observer(bool opens_outputs)
{
	gp_auto(release) scmp_filter_ctx filter = NULL;
	uint64_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
	const unsigned long ioctls[] = {TCGETS, TCGETS2,
					TIOCGWINSZ}; /* is it a terminal, how wide */
	int err = begin(&filter, SCMP_ACT_ERRNO(ENOSYS));

	if (!err)
		err = add_all(filter, SCMP_ACT_ALLOW, observer, ARRAY_SIZE(observer));
	if (!err)
		err = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly, ARRAY_SIZE(deadly));
	for (size_t i = 0; !err && i < ARRAY_SIZE(commands); i++)
		err = allow_bits(filter, SCMP_SYS(bpf), 0, UINT32_MAX, commands[i]);
	for (size_t i = 0; !err && i < ARRAY_SIZE(ioctls); i++)
		err = allow_bits(filter, SCMP_SYS(ioctl), 1, UINT32_MAX, ioctls[i]);
	if (!err)
		err = allow_bits(filter, SCMP_SYS(openat), 2, opens_outputs ? 0 : writing, 0);
	if (!err && opens_outputs)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 0)
			      ?: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(renameat), 0);
	return err ?: seccomp_load(filter);
}

int gp_syscalls_keeper(void)
{
	static const int calls[] = {SCMP_SYS(openat), SCMP_SYS(unlinkat), SCMP_SYS(renameat)};
	gp_auto(release) scmp_filter_ctx filter = NULL;
	int err = begin(&filter, SCMP_ACT_KILL_PROCESS);

	if (!err)
		err = add_all(filter, SCMP_ACT_ALLOW, calls, ARRAY_SIZE(calls));
	return err ?: seccomp_load(filter);
}

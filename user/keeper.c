// SPDX-License-Identifier: GPL-2.0-or-later
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "log.h"
#include "own.h"
#include "privileges.h"
#include "syscalls.h"

struct gp_keeper {
	struct gp_place *place;
	size_t places;
	bool is_started;
	pid_t pid;  /* 0: there is no process */
	int socket; /* to it; -1: none, or it is gone */
};

enum wish { APPEND, BEGIN, REPLACE, REMOVE, READ, WISHES };

struct request {
	uint32_t wish, number;
};

/* A descriptor goes with it if the wish was for one and error is 0. */
struct reply {
	int32_t error;
	uint32_t why;
};

int gp_keeper_new(struct gp_keeper **out)
{
	struct gp_keeper *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->socket = -1;
	*out = k;
	return 0;
}

void gp_keeper_free(struct gp_keeper **keeper)
{
	struct gp_keeper *k = TAKE_PTR(*keeper);

	if (!k)
		return;
	gp_close(&k->socket); /* which ends it */
	if (k->pid)
		waitpid(k->pid, NULL, 0);
	free(k->place);
	free(k);
}

int gp_keeper_add(struct gp_keeper *k, const char *path, mode_t mode, size_t *number)
{
	struct gp_place *grown = reallocarray(k->place, k->places + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	k->place = grown;
	k->place[k->places] = (struct gp_place){path, mode};
	*number = k->places++;
	return 0;
}

static int fulfil(const struct gp_place *p, enum wish wish, int *fd, enum gp_refusal *why)
{
	switch (wish) {
	case APPEND:
		return gp_place_append(p, fd, why);
	case BEGIN:
		return gp_place_begin(p, fd, why);
	case REPLACE:
		return gp_place_replace(p, why);
	case REMOVE:
		return gp_place_remove(p, why);
	case READ:
		return gp_place_read(p, fd, why);
	default:
		*why = GP_REFUSAL_NONE;
		return -EINVAL;
	}
}

union control {
	struct cmsghdr header; /* for its alignment */
	char room[CMSG_SPACE(sizeof(int))];
};

/* Sends `reply`, and `fd` with it unless -1. Whether that worked. */
static bool answer(int socket, const struct reply *reply, int fd)
{
	struct iovec part = {(void *)reply, sizeof(*reply)};
	union control control = {};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(*reply);
}

/* Does what is asked until goldpan is gone, or asks for what it never would. */
static void serve(const struct gp_keeper *k, int socket)
{
	struct request request;

	while (recv(socket, &request, sizeof(request), MSG_TRUNC) == sizeof(request)) {
		enum gp_refusal why;
		gp_auto(gp_close) int fd = -1;
		struct reply reply;

		if (request.wish >= WISHES || request.number >= k->places)
			return;
		reply.error = fulfil(&k->place[request.number], request.wish, &fd, &why);
		reply.why = why;
		if (!answer(socket, &reply, fd))
			return;
	}
}

/* Nothing of goldpan's is held on to but the socket, which is returned. -errno */
static int let_go(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int kept = STDERR_FILENO + 1;

	if (null < 0)
		return -errno;
	for (int fd = 0; fd < kept; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	if (socket != kept && dup2(socket, kept) < 0)
		return -errno;
	return close_range(kept + 1, ~0u, 0) ? -errno : kept;
}

/* In the new process: gives up what it does not need, says whether that worked, and serves. */
__attribute__((noreturn)) static void live(const struct gp_keeper *k, int socket, pid_t parent)
{
	struct reply ready = {};
	sigset_t all;

	/* Signals for all of a terminal or a unit are goldpan's affair: this ends when goldpan has.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "goldpan-keeper");
	socket = let_go(socket);
	if (socket < 0)
		_exit(1);
	ready.error = gp_privileges_keep_files();
	/* Last before the filter: a change of privileges would undo it. */
	if (!ready.error && prctl(PR_SET_PDEATHSIG, SIGKILL))
		ready.error = -errno;
	if (!ready.error && getppid() != parent)
		_exit(1);
	if (!ready.error)
		ready.error = gp_syscalls_keeper();
	if (answer(socket, &ready, -1) && !ready.error)
		serve(k, socket);
	_exit(0);
}

/* Reads a reply, and the descriptor if one comes with it. 0, or -ESRCH: it is gone. */
static int hear(int socket, struct reply *reply, int *fd)
{
	struct iovec part = {reply, sizeof(*reply)};
	union control control = {};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	ssize_t n;

	do {
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*reply) || reply->why >= GP_REFUSAL_COUNT)
		return -ESRCH;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return 0;
}

int gp_keeper_start(struct gp_keeper *k)
{
	gp_auto(gp_close) int ours = -1, theirs = -1;
	struct reply ready;
	pid_t parent = getpid();
	int pair[2], none = -1;

	if (!k->places)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	k->pid = fork();
	if (!k->pid)
		live(k, theirs, parent);
	if (k->pid < 0) {
		k->pid = 0;
		return -errno;
	}
	gp_close(&theirs);
	if (hear(ours, &ready, &none))
		return -ESRCH;
	if (ready.error)
		return ready.error;
	k->socket = TAKE_FD(ours);
	k->is_started = true;
	return 0;
}

static int ask(struct gp_keeper *k, enum wish wish, size_t number, int *fd, enum gp_refusal *why)
{
	struct request request = {wish, number};
	struct reply reply;

	if (!k->is_started)
		return fulfil(&k->place[number], wish, fd, why);
	if (k->socket >= 0 &&
	    send(k->socket, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request) &&
	    !hear(k->socket, &reply, fd)) {
		*why = reply.why;
		return reply.error;
	}
	gp_keeper_lost(k);
	*why = GP_REFUSAL_KEEPER;
	return -ESRCH;
}

int gp_keeper_append(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why)
{
	return ask(k, APPEND, number, fd, why);
}

int gp_keeper_begin(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why)
{
	return ask(k, BEGIN, number, fd, why);
}

int gp_keeper_replace(struct gp_keeper *k, size_t number, enum gp_refusal *why)
{
	int none = -1;

	return ask(k, REPLACE, number, &none, why);
}

int gp_keeper_remove(struct gp_keeper *k, size_t number, enum gp_refusal *why)
{
	int none = -1;

	return ask(k, REMOVE, number, &none, why);
}

int gp_keeper_read(struct gp_keeper *k, size_t number, int *fd, enum gp_refusal *why)
{
	return ask(k, READ, number, fd, why);
}

int gp_keeper_watch(const struct gp_keeper *k)
{
	return k->socket;
}

void gp_keeper_lost(struct gp_keeper *k)
{
	if (k->socket < 0)
		return;
	gp_close(&k->socket);
	if (waitpid(k->pid, NULL, WNOHANG) == k->pid)
		k->pid = 0;
	gp_error("the process of goldpan's own that may open its files is gone: what is open goes "
		 "on, but no file can be opened again until goldpan is restarted");
}

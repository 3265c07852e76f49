// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ring PORT COUNT SIZE ANSWER: a server that uses io_uring alone. It takes one connection, answers
 * COUNT requests of SIZE bytes with the text ANSWER, and closes it. `ready` once it listens, `done`
 * at the end. Exit status 77 if the kernel has no io_uring for it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOT_THERE 77

/* One operation at a time: an entry each way is enough. */
struct ring {
	int fd;
	unsigned int *sq_tail, *sq_array, *cq_head;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int sq_mask, cq_mask;
};

static void *map(int fd, size_t len, off_t what)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	if (at == MAP_FAILED)
		err(1, "mmap of the ring");
	return at;
}

static void begin(struct ring *r)
{
	struct io_uring_params p = {};
	char *sq, *cq;

	r->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0)
		err(NOT_THERE, "io_uring_setup");
	sq = map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	cq = map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	r->sqes = map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	r->sq_array = (unsigned int *)(sq + p.sq_off.array);
	r->sq_mask = *(unsigned int *)(sq + p.sq_off.ring_mask);
	r->cq_head = (unsigned int *)(cq + p.cq_off.head);
	r->cq_mask = *(unsigned int *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

/* One operation to its end: its result, which is no error. */
static int perform(struct ring *r, int op, int fd, void *at, unsigned int len)
{
	unsigned int tail = *r->sq_tail, place = tail & r->sq_mask;
	struct io_uring_sqe *e = &r->sqes[place];
	int result;

	memset(e, 0, sizeof(*e));
	e->opcode = op;
	e->fd = fd;
	e->addr = (unsigned long)at;
	e->len = len;
	r->sq_array[place] = place;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		err(1, "io_uring_enter");
	result = r->cqes[*r->cq_head & r->cq_mask].res;
	__atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
	if (result < 0) {
		errno = -result;
		err(result == -EINVAL ? NOT_THERE : 1, "operation %d", op);
	}
	return result;
}

static int listening(unsigned short port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) || listen(fd, 8))
		err(1, "port %d", port);
	return fd;
}

int main(int argc, char **argv)
{
	static char request[65536];
	struct ring r;
	int listener, fd;

	if (argc != 5)
		errx(2, "usage: ring PORT COUNT SIZE ANSWER");
	begin(&r);
	listener = listening(atoi(argv[1]));
	puts("ready");
	fflush(stdout);
	fd = perform(&r, IORING_OP_ACCEPT, listener, NULL, 0);
	for (int left = atoi(argv[2]); left > 0; left--) {
		for (int got = 0; got < atoi(argv[3]);) {
			int n = perform(&r, IORING_OP_RECV, fd, request, atoi(argv[3]) - got);

			if (!n)
				errx(1, "the client is gone");
			got += n;
		}
		perform(&r, IORING_OP_SEND, fd, argv[4], strlen(argv[4]));
	}
	perform(&r, IORING_OP_CLOSE, fd, NULL, 0);
	puts("done");
	return 0;
}

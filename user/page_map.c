// SPDX-License-Identifier: GPL-2.0-or-later
#include "page_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own.h"
#include "trial_program.h"

#define ALIGNED (1ULL << 30)
#define PAGE_SIZE 4096
#define PAGE_DESCRIBED 64 /* bytes of struct page */
#define MEMORY_MOST 1024  /* GiB: more take long to try, and reach far beyond what is mapped */
#define SENT 65536	  /* so many that most of them are in pages */
#define SEEN 64		  /* of these, that are compared */
#define READ_KERNEL BPF_FUNC_probe_read_kernel
#define HOOK "tp_btf/skb_copy_datagram_iovec"

/* What the programs leave in their map. */
struct found {
	uint64_t head;	 /* where the skb's own bytes are: in what the kernel maps */
	uint64_t linear; /* how many there are */
	uint64_t page;	 /* of what comes behind them */
	uint32_t len, offset;
	uint8_t seen[SEEN];
};

/* Writes down what this process receives from. A descriptor, or -errno. */
static int load_receiver(const struct gp_trial *t, int map)
{
	const struct btf_member *head = gp_trial_member(t, "sk_buff", "head"),
				*end = gp_trial_member(t, "sk_buff", "end"),
				*len = gp_trial_member(t, "sk_buff", "len"),
				*data_len = gp_trial_member(t, "sk_buff", "data_len"),
				*pieces = gp_trial_member(t, "skb_shared_info", "frags");

	if (!head || !end || !len || !data_len || !pieces)
		return -ENOENT;
	const struct bpf_insn code[] = {
		LOAD_FIRST_ARGUMENT(BPF_REG_6),
		CALL(0, BPF_FUNC_get_current_pid_tgid),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, 32),
		INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, 21, getpid()),
		LOAD(BPF_W, BPF_REG_7, BPF_REG_6, data_len->offset / 8),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7, 0, 19, 0),
		FIRST_VALUE(map, 12),
		LOAD(BPF_W, BPF_REG_1, BPF_REG_6, len->offset / 8),
		INSN(BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_1, BPF_REG_7, 0, 0),
		STORE(BPF_DW, BPF_REG_0, offsetof(struct found, linear), BPF_REG_1),
		LOAD(BPF_DW, BPF_REG_3, BPF_REG_6, head->offset / 8),
		STORE(BPF_DW, BPF_REG_0, offsetof(struct found, head), BPF_REG_3),
		LOAD(BPF_W, BPF_REG_1, BPF_REG_6, end->offset / 8),
		INSN(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0),
		ADD(BPF_REG_3, pieces->offset / 8),
		COPY(BPF_REG_1, BPF_REG_0),
		ADD(BPF_REG_1, offsetof(struct found, page)),
		SET(BPF_REG_2, offsetof(struct found, seen) - offsetof(struct found, page)),
		CALL(0, READ_KERNEL),
		SET(BPF_REG_0, 0),
		EXIT,
	};
	return gp_trial_load(t, HOOK, code, ARRAY_SIZE(code));
}

/* Reads what is at the address that it is given. A descriptor, or -errno. */
static int load_reader(int map)
{
	const struct bpf_insn code[] = {
		LOAD_FIRST_ARGUMENT(BPF_REG_6),
		FIRST_VALUE(map, 5),
		COPY(BPF_REG_1, BPF_REG_0),
		ADD(BPF_REG_1, offsetof(struct found, seen)),
		SET(BPF_REG_2, SEEN),
		COPY(BPF_REG_3, BPF_REG_6),
		CALL(0, READ_KERNEL),
		SET(BPF_REG_0, 0),
		EXIT,
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "gp_trial", "GPL", code,
			     ARRAY_SIZE(code), NULL);
}

/* The bytes sent: no eight of them in a row are there twice. */
static void fill(uint64_t *to, uint64_t mark)
{
	for (uint64_t i = 0; i < SENT / sizeof(*to); i++)
		to[i] = mark + i;
}

/* Whether the bytes wanted are at `address`. */
static bool is_at(int reader, int map, uint64_t address, const uint8_t *wanted)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &address, .ctx_size_in = sizeof(address));
	struct found found;
	uint32_t zero = 0;

	return !bpf_prog_test_run_opts(reader, &opts) && !bpf_map_lookup_elem(map, &zero, &found) &&
	       !memcmp(found.seen, wanted, SEEN);
}

/* Tries all beginnings that the array and the memory may have. */
static int search(int reader, int map, const struct found *found, const uint8_t *sent,
		  uint64_t *number)
{
	uint64_t gib = (uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE_SIZE / ALIGNED + 1;
	uint64_t array = found->page & ~(ALIGNED - 1), memory = found->head & ~(ALIGNED - 1);

	if (gib > MEMORY_MOST)
		return -ENOENT;
	/* Twice the memory there is: there are holes in it. */
	for (uint64_t i = 0; i <= 2 * gib * PAGE_DESCRIBED / PAGE_SIZE; i++) {
		for (uint64_t k = 0; k <= 2 * gib; k++) {
			uint64_t place = found->page - (array - i * ALIGNED);
			uint64_t at = memory - k * ALIGNED + place / PAGE_DESCRIBED * PAGE_SIZE;

			if (!is_at(reader, map, at + found->offset, sent + found->linear))
				continue;
			*number = at - found->page * PAGE_DESCRIBED;
			return 0;
		}
	}
	return -ENOENT;
}

/* Sends, and receives so little that the rest stays where it is; then looks for that. */
static int find(int reader, int map, int pair[2], uint64_t *number)
{
	gp_auto(gp_free) uint64_t *sent = malloc(SENT);
	struct found found;
	uint32_t zero = 0;
	uint64_t mark;
	char byte;

	if (!sent)
		return -ENOMEM;
	if (getrandom(&mark, sizeof(mark), GRND_NONBLOCK) != sizeof(mark))
		return -ENOENT;
	fill(sent, mark);
	if (send(pair[0], sent, SENT, MSG_DONTWAIT) < 0)
		return -ENOENT;
	memset(sent, 0, SENT); /* so that this memory is not what is found */
	if (read(pair[1], &byte, 1) != 1 || bpf_map_lookup_elem(map, &zero, &found))
		return -ENOENT;
	if (!found.page || found.linear > SENT - SEEN || found.len < SEEN)
		return -ENOENT;
	fill(sent, mark);
	return search(reader, map, &found, (uint8_t *)sent, number);
}

int gp_page_map_find(struct gp_trial *t, uint64_t *number)
{
	gp_auto(gp_close) int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "gp_trial", sizeof(uint32_t),
						   sizeof(struct found), 1, NULL);
	gp_auto(gp_close) int receiver = -1, reader = -1;
	int pair[2], err;

#ifndef __x86_64__
	return -ENOENT;
#endif
	if (map < 0)
		return map;
	receiver = load_receiver(t, map);
	if (receiver < 0)
		return receiver;
	reader = load_reader(map);
	if (reader < 0)
		return reader;
	err = gp_trial_attach(t, receiver, HOOK, -1);
	if (err)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	err = find(reader, map, pair, number);
	close(pair[0]);
	close(pair[1]);
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of kernel structures that the programs read, and no others. Offsets are relocated when
 * the programs are loaded (CO-RE), so the build needs no BTF of any kernel; members that a kernel
 * names otherwise are in compat.bpf.h.
 */
#ifndef GP_KERNEL_BPF_H
#define GP_KERNEL_BPF_H

#include <linux/bpf.h>
#include <linux/in6.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP_NUMBER 6
#define IPPROTO_UDP_NUMBER 17
#define SOCK_STREAM_NUMBER 1
#define SOCK_DGRAM_NUMBER 2
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTUNREACH 113
#define PF_KTHREAD 0x00200000

/* A global function's argument is a pointer of the kernel's, as a program gets it. */
#define GP_ARG_TRUSTED __attribute__((btf_decl_tag("arg:trusted")))

/* Bits of prev_state in sched_switch. */
#define GP_TASK_UNINTERRUPTIBLE 0x2
#define GP_TASK_DEAD 0x80

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum sock_flags { SOCK_DEAD, SOCK_DONE };

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

typedef struct {
	int counter;
} atomic_t;

struct sk_buff;

struct sk_buff_head {
	struct sk_buff *next, *prev;
};

typedef struct {
	__u32 val;
} kuid_t;

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	__u16 sk_type;
	struct socket *sk_socket;
	void *sk_bpf_storage;
	int sk_err;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	atomic_t sk_drops;
	__u16 sk_protocol;
	kuid_t sk_uid; /* of whoever made it */
	int sk_wmem_queued, sk_sndbuf;
};

struct inet_connection_sock {
	struct {
		__u32 lrcvtime; /* of the last segment with data, in jiffies */
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 lsndtime; /* likewise */
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 write_seq;
	__u32 snd_una;
	__u64 bytes_received;
	__u64 bytes_acked;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 srtt_us;
	__u32 total_retrans;
};

struct sk_buff {
	struct sock *sk;
	unsigned int len, data_len;
	unsigned char *data;
	unsigned int end; /* from `head`: where the struct skb_shared_info is */
	unsigned char *head;
	char cb[48];
};

typedef struct refcount_struct {
	atomic_t refs;
} refcount_t;

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	refcount_t refcnt;
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
	int inq_len; /* of streams; newer kernels only: without it unix sockets are not observed */
};

struct unix_skb_parms {
	__u32 consumed;
};

struct tcp_skb_cb {
	__u32 seq;
};

struct iovec {
	void *iov_base;
	__u64 iov_len;
};

enum iter_type { ITER_UBUF, ITER_IOVEC };

struct iov_iter {
	__u8 iter_type;
	__u64 iov_offset;
	__u64 count;
	const struct iovec *__iov;
	void *ubuf;
	unsigned long nr_segs;
};

struct msghdr {
	struct iov_iter msg_iter;
};

struct page;

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

/* A piece of an skb, whatever its structure's name: since 6.8 another than before. */
struct skb_piece___any {
	unsigned long words[2];
};

struct skb_shared_info {
	unsigned char nr_frags;
	unsigned short gso_segs;
	struct skb_piece___any frags[1];
};

struct kernfs_iattrs {
	kuid_t ia_uid;
};

struct kernfs_node {
	const char *name;
	__u64 id;
	struct kernfs_iattrs *iattr; /* NULL: as at its creation by root */
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[0]; /* from the root to itself: level + 1 */
};

struct user_namespace {
	struct user_namespace *parent;
	int level;
	kuid_t owner;
};

struct cred {
	kuid_t uid;
	struct user_namespace *user_ns;
};

struct inode;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[0];
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	const struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	const struct path f_path;
};

struct mm_struct {
	struct file *exe_file;
};

struct rq {
	unsigned int nr_running;
	__u64 clock;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
	__u64 exec_start, sum_exec_runtime, prev_sum_exec_runtime;
};

struct sched_info {
	__u64 last_queued;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	unsigned in_iowait : 1;
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_struct *group_leader, *real_parent;
	struct mm_struct *mm;
	const struct cred *real_cred;
	struct css_set *cgroups;
	char comm[16];
};

struct linux_binprm;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__unix {
	struct bpf_iter_meta *meta;
	struct unix_sock *unix_sk;
	__u32 uid;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct socket {
	struct sock *sk;
};

#pragma clang attribute pop

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "hook.h"

#include <bpf/btf.h>
#include <string.h>

#include "own.h"

static bool with_sched(const struct gp_config *cfg)
{
	return !cfg->no_sched;
}

static bool without_sched(const struct gp_config *cfg)
{
	return cfg->no_sched;
}

static bool with_dns(const struct gp_config *cfg)
{
	return cfg->protocols & 1u << GP_PROTOCOL_DNS;
}

/* Sockets that have no port are none of those that --port asks for. */
static bool with_unix(const struct gp_config *cfg)
{
	return !cfg->ports;
}

const struct gp_hook gp_hooks[] = {
	{"data readable", "tp_btf/sk_data_ready", "arrive_tp", "btf_trace_sk_data_ready", NULL,
	 true, "goldpan cannot see when requests arrive"},
	{"application receives", "tp_btf/skb_copy_datagram_iovec", "read_tp",
	 "btf_trace_skb_copy_datagram_iovec", NULL, true,
	 "goldpan cannot see when requests are read"},
	{"application sends", "tp_btf/tcp_sendmsg_locked", "send_tp",
	 "btf_trace_tcp_sendmsg_locked", NULL, true, "goldpan cannot see when responses are sent"},
	{"connection state", "tp_btf/inet_sock_set_state", "state_tp",
	 "btf_trace_inet_sock_set_state", NULL, true, "goldpan cannot see connections come and go"},
	{"connection state, interrupted", "tp_btf/inet_sock_set_state", "state_again_tp",
	 "btf_trace_inet_sock_set_state", NULL, false,
	 "connections that come or go while another does on the same CPU may be missed"},
	{"packets dropped", "tp_btf/kfree_skb", "discard_tp", "btf_trace_kfree_skb", NULL, false,
	 "accept_queue.overflows has other packets that listeners dropped, too"},
	{"resets sent", "tp_btf/tcp_send_reset", "reset_sent_tp", "btf_trace_tcp_send_reset", NULL,
	 false, "tcp.resets_sent is null"},
	{"resets received", "tp_btf/tcp_receive_reset", "reset_seen_tp",
	 "btf_trace_tcp_receive_reset", NULL, false, "tcp.resets_received is null"},
	{"scheduling", "tp_btf/sched_switch", "switch_tp", "btf_trace_sched_switch", with_sched,
	 true, "goldpan cannot see who has a CPU; --no-sched does without"},
	{"waking", "tp_btf/sched_waking", "waking_tp", "btf_trace_sched_waking", with_sched, true,
	 "goldpan cannot see waits for a CPU; --no-sched does without"},
	{"thread created", "tp_btf/sched_wakeup_new", "created_tp", "btf_trace_sched_wakeup_new",
	 with_sched, true, "goldpan cannot see new threads wait; --no-sched does without"},
	{"program started", "tp_btf/sched_process_exec", "exec_tp", "btf_trace_sched_process_exec",
	 NULL, true, "goldpan cannot tell programs apart"},
	{"control group changed", "tp_btf/cgroup_attach_task", "moved_tp",
	 "btf_trace_cgroup_attach_task", NULL, false,
	 "a service moved to another control group keeps its name until it starts a program"},
	{"thread ended", "tp_btf/sched_process_exit", "exit_tp", "btf_trace_sched_process_exit",
	 without_sched, true, "goldpan cannot see threads end"},
	{"older sockets", "iter/tcp", "older_tcp", NULL, NULL, false,
	 "connections older than goldpan are not observed"},
	{"holders of older sockets", "iter/task_file", "older_holder", NULL, NULL, false,
	 "listeners older than goldpan have no owner until a connection is served"},
	{"collection", "iter/bpf_sk_storage_map", "collect", NULL, NULL, true,
	 "goldpan cannot see what is in flight"},
	{"unix data readable", "tp_btf/sk_data_ready", "unix_ready", "btf_trace_sk_data_ready",
	 with_unix, false, "unix sockets are not observed"},
	{"application receives, unix", "tp_btf/skb_copy_datagram_iovec", "unix_read",
	 "btf_trace_skb_copy_datagram_iovec", with_unix, false, "unix sockets are not observed"},
	{"older unix sockets", "iter/unix", "older_unix", NULL, with_unix, false,
	 "unix sockets are not observed"},
	{"collection of unix sockets", "iter/bpf_sk_storage_map", "collect_unix", NULL, with_unix,
	 false, "unix sockets are not observed"},
	{"datagrams received", "cgroup_skb/ingress", "datagram_in", NULL, with_dns, false,
	 "UDP and DNS are not observed"},
	{"datagrams sent", "cgroup_skb/egress", "datagram_out", NULL, with_dns, false,
	 "UDP and DNS are not observed"},
	{"datagram sockets bound, IPv4", "cgroup/post_bind4", "datagram_bind4", NULL, with_dns,
	 false, "a server's datagrams have no owner until it has sent one"},
	{"datagram sockets bound, IPv6", "cgroup/post_bind6", "datagram_bind6", NULL, with_dns,
	 false, "a server's datagrams have no owner until it has sent one"},
	{"holders of older datagram sockets", "iter/task_file", "older_udp", NULL, with_dns, false,
	 "datagrams of a server older than goldpan have no owner until it has sent one"},
	{"datagram sockets closed", "cgroup/sock_release", "datagram_end", NULL, with_dns, false,
	 "queries whose socket was closed before the answer are not counted"},
	{"collection of datagrams", "iter/bpf_sk_storage_map", "collect_udp", NULL, with_dns, false,
	 "queries of DNS are not seen in flight, nor given up"},
};

const size_t gp_hooks_count = ARRAY_SIZE(gp_hooks);

bool gp_hook_of_datagrams(const struct gp_hook *hook)
{
	return hook->wanted == with_dns;
}

bool gp_hook_of_unix(const struct gp_hook *hook)
{
	return hook->wanted == with_unix;
}

/* How many bytes a queue holds tells what was read: the kernel keeps that since 6.17 or so. */
static bool counts_unix_queues(const struct btf *kernel)
{
	int id = btf__find_by_name_kind(kernel, "unix_sock", BTF_KIND_STRUCT);
	const struct btf_type *type = id > 0 ? btf__type_by_id(kernel, id) : NULL;
	const struct btf_member *member = type ? btf_members(type) : NULL;

	for (uint16_t i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(kernel, member[i].name_off), "inq_len"))
			return true;
	return false;
}

bool gp_hook_present(const struct gp_hook *hook, const struct btf *kernel)
{
	if (gp_hook_of_unix(hook) && !counts_unix_queues(kernel))
		return false;
	return !hook->needs || btf__find_by_name_kind(kernel, hook->needs, BTF_KIND_TYPEDEF) > 0;
}

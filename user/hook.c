// SPDX-License-Identifier: GPL-2.0-or-later
#include "hook.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "own.h"
#include "protocol.h"

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

/* DNS has programs of its own. */
static bool with_payload(const struct gp_config *cfg)
{
	return cfg->protocols & ~(1u << GP_PROTOCOL_DNS);
}

const struct gp_kind gp_kinds[] = {
	{
		"arrive",
		"data readable",
		NULL,
		true,
		"goldpan cannot see when requests arrive",
		{{.name = "tp", .part = {{.at = "tp_btf/sk_data_ready", .program = "arrive_tp"}}},
		 {.name = "fentry",
		  .part = {{.at = "fentry/sock_def_readable", .program = "arrive_fentry"}}}},
	},
	{
		"read",
		"application receives",
		NULL,
		true,
		"goldpan cannot see when requests are read",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/skb_copy_datagram_iovec",
			    .program = "read_tp",
			    .small = "read_small_tp"}}},
		 {.name = "adjust",
		  .part = {{.at = "tp_btf/tcp_rcv_space_adjust", .program = "read_adjust_tp"}},
		  .lost_payload = true}},
	},
	{
		"send",
		"application sends",
		NULL,
		true,
		"goldpan cannot see when responses are sent",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/tcp_sendmsg_locked",
			    .program = "send_tp",
			    .small = "send_small_tp"}}},
		 {.name = "fentry",
		  .part = {{.at = "fentry/tcp_sendmsg_locked", .program = "send_fentry"},
			   {.at = "fexit/sk_stream_wait_memory", .program = "send_on_fexit"},
			   {.at = "fentry/do_tcp_sendpages", .program = "sendpage_fentry"}},
		  .lost = "the last byte of a long answer is dated to when its send last had to "
			  "wait for room"}},
	},
	{
		"payload",
		"payload received",
		with_payload,
		false,
		"no protocol of TCP is recognised: requests are counted by turns",
		{{.name = "pages", .part = {{.at = "pages/skb"}}},
		 {.name = "dynptr", .part = {{.at = "kfunc/bpf_dynptr_from_skb"}}}},
	},
	{
		"undisturbed",
		"programs without preemption",
		NULL,
		false,
		"other tasks may run in the middle of a program, which the kernel leaves out for "
		"them: events are missed, and counts are not exact",
		{{.name = "off", .part = {{.at = "preemption/off"}}}},
	},
	{
		"state",
		"connection state",
		NULL,
		true,
		"goldpan cannot see connections come and go",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/inet_sock_set_state", .program = "state_tp"}}}},
	},
	{
		"state-again",
		"connection state, interrupted",
		NULL,
		false,
		"connections that come or go while another does on the same CPU may be missed",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/inet_sock_set_state", .program = "state_again_tp"}}}},
	},
	{
		"discard",
		"packets dropped",
		NULL,
		false,
		"accept_queue.overflows has other packets that listeners dropped, too",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/kfree_skb", .program = "discard_tp", .arguments = 4}}}},
	},
	{
		"reset-sent",
		"resets sent",
		NULL,
		false,
		"tcp.resets_sent is null",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/tcp_send_reset", .program = "reset_sent_tp"}}}},
	},
	{
		"reset-seen",
		"resets received",
		NULL,
		false,
		"tcp.resets_received is null",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/tcp_receive_reset", .program = "reset_seen_tp"}}}},
	},
	{
		"switch",
		"scheduling",
		with_sched,
		true,
		"goldpan cannot see who has a CPU; --no-sched does without",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/sched_switch", .program = "switch_tp", .arguments = 4}}}},
	},
	{
		"waking",
		"waking",
		with_sched,
		true,
		"goldpan cannot see waits for a CPU; --no-sched does without",
		{{.name = "tp", .part = {{.at = "tp_btf/sched_waking", .program = "waking_tp"}}}},
	},
	{
		"created",
		"thread created",
		with_sched,
		true,
		"goldpan cannot see new threads wait; --no-sched does without",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/sched_wakeup_new", .program = "created_tp"}}}},
	},
	{
		"exec",
		"program started",
		NULL,
		true,
		"goldpan cannot tell programs apart",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/sched_process_exec", .program = "exec_tp"}}}},
	},
	{
		"moved",
		"control group changed",
		NULL,
		false,
		"a service moved to another control group keeps its name until it starts a program",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/cgroup_attach_task", .program = "moved_tp"}}}},
	},
	{
		"exit",
		"thread ended",
		without_sched,
		true,
		"goldpan cannot see threads end",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/sched_process_exit", .program = "exit_tp"}}}},
	},
	{
		"older",
		"older sockets",
		NULL,
		false,
		"connections older than goldpan are not observed",
		{{.name = "iter", .part = {{.at = "iter/tcp", .program = "older_tcp"}}}},
	},
	{
		"holder",
		"holders of older sockets",
		NULL,
		false,
		"listeners older than goldpan have no owner until a connection is served",
		{{.name = "iter", .part = {{.at = "iter/task_file", .program = "older_holder"}}}},
	},
	{
		"collect",
		"collection",
		NULL,
		true,
		"goldpan cannot see what is in flight",
		{{.name = "iter",
		  .part = {{.at = "iter/bpf_sk_storage_map", .program = "collect"}}}},
	},
	{
		"unix-queue",
		"unix queues counted",
		with_unix,
		false,
		"unix sockets are not observed",
		{{.name = "member", .part = {{.at = "member/unix_sock.inq_len"}}}},
	},
	{
		"unix-arrive",
		"unix data readable",
		with_unix,
		false,
		"unix sockets are not observed",
		{{.name = "tp", .part = {{.at = "tp_btf/sk_data_ready", .program = "unix_ready"}}}},
	},
	{
		"unix-read",
		"application receives, unix",
		with_unix,
		false,
		"unix sockets are not observed",
		{{.name = "tp",
		  .part = {{.at = "tp_btf/skb_copy_datagram_iovec", .program = "unix_read"}}}},
	},
	{
		"unix-older",
		"older unix sockets",
		with_unix,
		false,
		"unix sockets are not observed",
		{{.name = "iter", .part = {{.at = "iter/unix", .program = "older_unix"}}}},
	},
	{
		"unix-collect",
		"collection of unix sockets",
		with_unix,
		false,
		"unix sockets are not observed",
		{{.name = "iter",
		  .part = {{.at = "iter/bpf_sk_storage_map", .program = "collect_unix"}}}},
	},
	{
		"datagram-in",
		"datagrams received",
		with_dns,
		false,
		"UDP and DNS are not observed",
		{{.name = "cgroup",
		  .part = {{.at = "cgroup_skb/ingress", .program = "datagram_in"}}}},
	},
	{
		"datagram-out",
		"datagrams sent",
		with_dns,
		false,
		"UDP and DNS are not observed",
		{{.name = "cgroup",
		  .part = {{.at = "cgroup_skb/egress", .program = "datagram_out"}}}},
	},
	{
		"datagram-bind4",
		"datagram sockets bound, IPv4",
		with_dns,
		false,
		"a server's datagrams have no owner until it has sent one",
		{{.name = "cgroup",
		  .part = {{.at = "cgroup/post_bind4", .program = "datagram_bind4"}}}},
	},
	{
		"datagram-bind6",
		"datagram sockets bound, IPv6",
		with_dns,
		false,
		"a server's datagrams have no owner until it has sent one",
		{{.name = "cgroup",
		  .part = {{.at = "cgroup/post_bind6", .program = "datagram_bind6"}}}},
	},
	{
		"datagram-holder",
		"holders of older datagram sockets",
		with_dns,
		false,
		"datagrams of a server older than goldpan have no owner until it has sent one",
		{{.name = "iter", .part = {{.at = "iter/task_file", .program = "older_udp"}}}},
	},
	{
		"datagram-end",
		"datagram sockets closed",
		with_dns,
		false,
		"queries whose socket was closed before the answer are not counted",
		{{.name = "cgroup",
		  .part = {{.at = "cgroup/sock_release", .program = "datagram_end"}}}},
	},
	{
		"datagram-collect",
		"collection of datagrams",
		with_dns,
		false,
		"queries of DNS are not seen in flight, nor given up",
		{{.name = "iter",
		  .part = {{.at = "iter/bpf_sk_storage_map", .program = "collect_udp"}}}},
	},
};

const size_t gp_kinds_count = ARRAY_SIZE(gp_kinds);

bool gp_kind_of_datagrams(const struct gp_kind *kind)
{
	return kind->wanted == with_dns;
}

bool gp_kind_of_unix(const struct gp_kind *kind)
{
	return kind->wanted == with_unix;
}

static bool is_named(const char *name, const char *text, size_t len)
{
	return name && strlen(name) == len && !memcmp(name, text, len);
}

static const struct gp_way *find_way(const struct gp_kind *kind, const char *name, size_t len)
{
	for (size_t i = 0; i < GP_WAYS; i++)
		if (is_named(kind->way[i].name, name, len))
			return &kind->way[i];
	return NULL;
}

/* The way that one part of a list, "send=fentry", names, and the kind it is of; or NULL. */
static const struct gp_way *read_part(const char *part, size_t len, const struct gp_kind **of)
{
	const char *equals = memchr(part, '=', len);

	for (size_t i = 0; equals && i < gp_kinds_count; i++) {
		*of = &gp_kinds[i];
		if (is_named(gp_kinds[i].key, part, equals - part))
			return find_way(*of, equals + 1, part + len - equals - 1);
	}
	return NULL;
}

int gp_hook_check(const char *list)
{
	const struct gp_kind *kind;

	for (const char *part = list; part && *part; part += *part == ',') {
		size_t len = strcspn(part, ",");

		if (!read_part(part, len, &kind)) {
			gp_error(GP_HOOKS_VARIABLE ": '%.*s' is no kind of event and one of its "
						   "ways, such as send=fentry",
				 (int)len, part);
			return -EINVAL;
		}
		part += len;
	}
	return 0;
}

const struct gp_way *gp_hook_forced(const char *list, const struct gp_kind *kind)
{
	const struct gp_way *forced = NULL, *way;
	const struct gp_kind *of;

	for (const char *part = list; part && *part; part += *part == ',') {
		size_t len = strcspn(part, ",");

		way = read_part(part, len, &of);
		if (way && of == kind)
			forced = way;
		part += len;
	}
	return forced;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps and settings that more than one object uses. Each is defined in maps.bpf.c. Sizes given
 * here are the smallest valid ones; user space sets the real ones before loading.
 */
#ifndef GP_MAPS_BPF_H
#define GP_MAPS_BPF_H

#include "gp_records.h"
#include "kernel.bpf.h"
#include "state.bpf.h"

struct gp_conns_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct gp_conn);
};

struct gp_lengths_map { /* only while exemplars are written */
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct gp_lengths);
};

struct gp_datagrams_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct gp_conn);
};

struct gp_queries_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct gp_queries);
};

struct gp_threads_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_thread);
};

struct gp_currents_map { /* as `threads` */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_current);
};

struct gp_slots_map { /* slots that nobody has, oldest first */
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
};

struct gp_endpoint_keys_map { /* key -> gp_ref */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct gp_endpoint_key);
	__type(value, __u32);
};

struct gp_endpoint_infos_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_endpoint_info);
};

struct gp_endpoint_records_map { /* slot * shards + shard */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_endpoint_record);
};

struct gp_service_keys_map { /* key -> gp_ref */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct gp_service_key);
	__type(value, __u32);
};

struct gp_payers_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GP_PAYERS);
	__type(key, __u32);
	__type(value, struct gp_payer);
};

struct gp_service_infos_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_service_info);
};

struct gp_origins_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_origin);
};

struct gp_service_records_map { /* slot * shards + shard */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_service_record);
};

struct gp_cpus_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_cpu_record);
};

struct gp_endpoint_gauges_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_endpoint_gauges);
};

struct gp_dropped_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_dropped);
};

struct gp_listeners_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GP_LISTENERS);
	__type(key, __u32);
	__type(value, struct gp_listener);
};

struct gp_edge_keys_map { /* key -> place in `edges` */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GP_EDGES);
	__type(key, struct gp_edge_key);
	__type(value, __u32);
};

struct gp_edges_map { /* place 0 is nobody's */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, GP_EDGES);
	__type(key, __u32);
	__type(value, struct gp_edge_record);
};

struct gp_edge_slots_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, GP_EDGES);
	__type(value, __u32);
};

struct gp_operation_keys_map { /* key -> slot in `operations` */
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct gp_operation_key);
	__type(value, __u32);
};

struct gp_operations_map { /* slot * shards + shard; slot 0 is nobody's */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gp_operation_record);
};

struct gp_exemplars_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
};

struct gp_works_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GP_WORKS);
	__type(key, __u32);
	__type(value, struct gp_work);
};

struct gp_frames_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GP_FRAMES);
	__type(key, __u32);
	__type(value, struct gp_frame);
};

/*
 * Where a program is that TCP's of the same hook goes over to. One map for each: all who use one
 * have the same arguments.
 */
struct gp_program_map {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct gp_unix_ids_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct gp_unix_id);
};

struct gp_unix_sides_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GP_UNIX_CONNECTIONS * 2);
	__type(key, __u32);
	__type(value, struct gp_unix_side);
};

struct gp_unix_slots_map { /* pairs of places in `unix_sides` that nobody has */
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, GP_UNIX_CONNECTIONS);
	__type(value, __u32);
};

struct gp_unix_paths_map { /* what stands for it in keys -> the path */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GP_UNIX_PATHS);
	__type(key, struct gp_unix_name);
	__type(value, struct gp_unix_path);
};

struct gp_listener_slots_map { /* places in `listeners` that nobody has */
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, GP_LISTENERS);
	__type(value, __u32);
};

extern struct gp_conns_map conns SEC(".maps");
extern struct gp_lengths_map lengths SEC(".maps");
extern struct gp_datagrams_map datagrams SEC(".maps");
extern struct gp_queries_map queries SEC(".maps");
extern struct gp_threads_map threads SEC(".maps");
extern struct gp_currents_map currents SEC(".maps");
extern struct gp_slots_map server_slots SEC(".maps");
extern struct gp_slots_map client_slots SEC(".maps");
extern struct gp_slots_map service_slots SEC(".maps");
extern struct gp_endpoint_keys_map endpoint_keys SEC(".maps");
extern struct gp_endpoint_infos_map endpoint_infos SEC(".maps");
extern struct gp_endpoint_records_map endpoints SEC(".maps");
extern struct gp_endpoint_gauges_map endpoint_gauges SEC(".maps");
extern struct gp_service_keys_map service_keys SEC(".maps");
extern struct gp_service_infos_map service_infos SEC(".maps");
extern struct gp_payers_map payers SEC(".maps");
extern struct gp_origins_map origins SEC(".maps");
extern struct gp_service_records_map services SEC(".maps");
extern struct gp_cpus_map cpus SEC(".maps");
extern struct gp_dropped_map dropped SEC(".maps");
extern struct gp_edge_keys_map edge_keys SEC(".maps");
extern struct gp_edges_map edges SEC(".maps");
extern struct gp_edge_slots_map edge_slots SEC(".maps");
extern struct gp_operation_keys_map operation_keys SEC(".maps");
extern struct gp_operations_map operations SEC(".maps");
extern struct gp_slots_map operation_slots SEC(".maps");
extern struct gp_exemplars_map exemplars SEC(".maps");
extern struct gp_works_map works SEC(".maps");
extern struct gp_frames_map frames SEC(".maps");
extern struct gp_listeners_map listeners SEC(".maps");
extern struct gp_program_map unix_ready_at SEC(".maps"), unix_read_at SEC(".maps");
extern struct gp_unix_ids_map unix_ids SEC(".maps");
extern struct gp_unix_sides_map unix_sides SEC(".maps");
extern struct gp_unix_slots_map unix_slots SEC(".maps");
extern struct gp_unix_paths_map unix_paths SEC(".maps");
extern struct gp_listener_slots_map listener_slots SEC(".maps");

/* Fixed at load. */
extern const volatile __u32 gp_shards;	     /* copies of each record */
extern const volatile __u32 gp_threads_mask; /* size of the thread table - 1 */
extern const volatile bool gp_with_sched, gp_with_client, gp_with_unix;
extern const volatile __u32 gp_protocols;   /* those to recognise: 1 << enum gp_protocol */
extern const volatile __u32 gp_payload;	    /* enum gp_payload */
extern const volatile __u64 gp_page_map;    /* PAGES: page_map.h */
extern const volatile __u32 gp_only_pid;    /* a process, and what comes of it; 0: all */
extern const volatile __u64 gp_only_cgroup; /* id of a control group; 0: all */
extern const volatile __s32 gp_only_subsys; /* its hierarchy: place in css_set.subsys; -1: v2 */
extern const volatile __u32 gp_port_ranges; /* 0: all ports */
extern const volatile __u32 gp_payer_endpoints[GP_ROLE_COUNT]; /* most of one gp_payer */
extern const volatile __u32 gp_payer_operations;	       /* likewise */
extern const volatile struct gp_port_range gp_ports[GP_PORT_RANGES];

/* Set by user space while running. */
extern volatile bool gp_final; /* the last collection: nothing answered is left open */

/* Exemplars: of exchanges that took at least this long; 0: none. And of those that failed. */
extern volatile __u64 gp_slow_ns;
extern volatile bool gp_tell_failed;

/* Counts walks of the collection over sockets. */
extern volatile __u32 gp_unix_round;

/*
 * At the start, of the network namespace that is walked over: a bit for each port on which
 * something listens. It tells the role of older connections.
 */
extern volatile __u64 gp_listening[65536 / 64];

/* Places in `listeners` that are taken; atomically added. */
extern volatile __u32 gp_listeners_used;

/* Counts moves of tasks between control groups: a thread's service is looked up again after one. */
extern volatile __u8 gp_epoch;

/* Whether only some processes are asked for. */
static __always_inline bool gp_only_some(void)
{
	return gp_only_pid || gp_only_cgroup;
}

/* Adds one to a `dropped` counter. */
static __always_inline void gp_drop(enum gp_drop what)
{
	__u32 shard = bpf_get_smp_processor_id() & (GP_SHARDS_MAX - 1);
	struct gp_dropped *d = bpf_map_lookup_elem(&dropped, &shard);

	if (d)
		__sync_fetch_and_add(&d->counts[what], 1);
}

/* This CPU's copy of the records. */
static __always_inline __u32 gp_shard(void)
{
	return bpf_get_smp_processor_id() & (gp_shards - 1);
}

static __always_inline bool gp_recognises(enum gp_protocol protocol)
{
	return gp_protocols & 1u << protocol;
}

#endif

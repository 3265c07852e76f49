// SPDX-License-Identifier: GPL-2.0-or-later
#include "maps.bpf.h"
#include "step.bpf.h"

struct gp_conns_map conns SEC(".maps");
struct gp_lengths_map lengths SEC(".maps");
struct gp_datagrams_map datagrams SEC(".maps");
struct gp_queries_map queries SEC(".maps");
struct gp_threads_map threads SEC(".maps");
struct gp_currents_map currents SEC(".maps");
struct gp_slots_map server_slots SEC(".maps");
struct gp_slots_map client_slots SEC(".maps");
struct gp_slots_map service_slots SEC(".maps");
struct gp_endpoint_keys_map endpoint_keys SEC(".maps");
struct gp_endpoint_infos_map endpoint_infos SEC(".maps");
struct gp_endpoint_records_map endpoints SEC(".maps");
struct gp_endpoint_gauges_map endpoint_gauges SEC(".maps");
struct gp_service_keys_map service_keys SEC(".maps");
struct gp_service_infos_map service_infos SEC(".maps");
struct gp_payers_map payers SEC(".maps");
struct gp_origins_map origins SEC(".maps");
struct gp_service_records_map services SEC(".maps");
struct gp_cpus_map cpus SEC(".maps");
struct gp_dropped_map dropped SEC(".maps");
struct gp_edge_keys_map edge_keys SEC(".maps");
struct gp_edges_map edges SEC(".maps");
struct gp_edge_slots_map edge_slots SEC(".maps");
struct gp_operation_keys_map operation_keys SEC(".maps");
struct gp_operations_map operations SEC(".maps");
struct gp_slots_map operation_slots SEC(".maps");
struct gp_exemplars_map exemplars SEC(".maps");
struct gp_works_map works SEC(".maps");
struct gp_frames_map frames SEC(".maps");
struct gp_listeners_map listeners SEC(".maps");
struct gp_scratch_map scratch SEC(".maps");
struct gp_program_map unix_ready_at SEC(".maps");
struct gp_program_map unix_read_at SEC(".maps");
struct gp_unix_ids_map unix_ids SEC(".maps");
struct gp_unix_sides_map unix_sides SEC(".maps");
struct gp_unix_slots_map unix_slots SEC(".maps");
struct gp_unix_paths_map unix_paths SEC(".maps");
struct gp_listener_slots_map listener_slots SEC(".maps");

const volatile __u32 gp_shards = GP_SHARDS_MAX;
const volatile __u32 gp_threads_mask = 65535;
const volatile bool gp_with_sched = true, gp_with_client = true, gp_with_unix = true;
const volatile __u32 gp_protocols = (1 << GP_PROTOCOL_COUNT) - 1;
const volatile __u32 gp_only_pid = 1;
const volatile __u64 gp_only_cgroup = 1;
const volatile __s32 gp_only_subsys;
const volatile __u32 gp_payload = GP_PAYLOAD_DYNPTR;
const volatile __u64 gp_page_map;
const volatile __u32 gp_port_ranges = GP_PORT_RANGES;
const volatile __u32 gp_payer_endpoints[GP_ROLE_COUNT] = {1, 1};
const volatile __u32 gp_payer_operations = 1;
const volatile struct gp_port_range gp_ports[GP_PORT_RANGES] = {};

volatile bool gp_final;
volatile __u64 gp_slow_ns;
volatile bool gp_tell_failed;
volatile __u32 gp_unix_round = 1;
volatile __u64 gp_listening[65536 / 64];
volatile __u32 gp_listeners_used;
volatile __u8 gp_epoch;

char LICENSE[] SEC("license") = "GPL";

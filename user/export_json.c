// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "exporter.h"
#include "json_record.h"
#include "names.h"
#include "own.h"

static void put_share(struct gp_json *j, const char *key, uint64_t part, uint64_t whole)
{
	if (whole)
		gp_json_real(j, key, (double)part / (double)whole, 9);
	else
		gp_json_null(j, key);
}

/* The share of the time of the service's requests that could not be split into stages. */
static void put_unattributed(struct gp_json *j, const struct gp_snapshot *s, const char *service)
{
	uint64_t part = 0, whole = 0;

	for (size_t i = 0; i < s->endpoints; i++) {
		const struct gp_endpoint *e = &s->endpoint[i];

		if (e->role != GP_ROLE_SERVER || strcmp(e->names.service, service) != 0)
			continue;
		whole += e->duration.sum_ns;
		for (size_t band = 0; band < GP_BANDS; band++)
			part += e->stages_ns[band][GP_STAGE_UNATTRIBUTED];
	}
	put_share(j, "unattributed", part, whole);
}

static void put_known(struct gp_json *j, const char *key, bool is_known, uint64_t value)
{
	if (is_known)
		gp_json_count(j, key, value);
	else
		gp_json_null(j, key);
}

static void put_pressure(struct gp_json *j, const struct gp_pressure *p)
{
	bool any = false;

	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++)
		any |= p->has[i];
	if (!any) {
		gp_json_null(j, "pressure_s");
		return;
	}
	gp_json_open(j, "pressure_s", '{');
	for (size_t i = 0; i < GP_PRESSURE_COUNT; i++)
		if (p->has[i])
			gp_json_seconds(j, gp_pressure_names[i], p->ns[i]);
		else
			gp_json_null(j, gp_pressure_names[i]);
	gp_json_close(j, '}');
}

/* The scheduler's programs count the seconds; the rest is known without them. */
static void put_service_cpu(struct gp_json *j, const struct gp_service *service,
			    uint64_t interval_ns)
{
	bool has_limit = !service->is_unlimited && service->limit_cores > 0;

	if (!service->has_sched && !service->has_throttled && !has_limit) {
		gp_json_null(j, "cpu");
		return;
	}
	gp_json_open(j, "cpu", '{');
	if (service->has_sched)
		gp_json_seconds(j, "seconds", service->cpu_ns);
	else
		gp_json_null(j, "seconds");
	put_share(j, "cores", service->cpu_ns, service->has_sched ? interval_ns : 0);
	if (has_limit)
		gp_json_real(j, "limit_cores", service->limit_cores, 9);
	else
		gp_json_null(j, "limit_cores");
	if (service->has_throttled)
		gp_json_seconds(j, "throttled_s", service->throttled_ns);
	else
		gp_json_null(j, "throttled_s");
	put_known(j, "throttled_periods", service->has_throttled, service->throttled_periods);
	gp_json_close(j, '}');
}

/* What only the scheduler's programs know. */
static void put_service_sched(struct gp_json *j, const struct gp_service *service)
{
	if (!service->has_sched) {
		gp_json_null(j, "runqueue_s");
		gp_json_null(j, "runqueue_histogram");
		gp_json_null(j, "switches");
		gp_json_null(j, "io_wait_s");
		return;
	}
	gp_json_distribution(j, "runqueue_s", &service->runqueue, false);
	gp_json_histogram(j, "runqueue_histogram", &service->runqueue.hist);
	gp_json_open(j, "switches", '{');
	gp_json_count(j, "voluntary", service->voluntary);
	gp_json_count(j, "involuntary", service->involuntary);
	gp_json_close(j, '}');
	gp_json_seconds(j, "io_wait_s", service->io_ns);
}

static void put_service(struct gp_json *j, const struct gp_json_head *head,
			const struct gp_snapshot *s, const struct gp_service *service)
{
	gp_json_begin_record(j, "service", head);
	gp_json_names(j, &service->names);
	gp_json_known(j, "pid", service->pid);
	gp_json_count(j, "threads", service->threads);
	put_service_cpu(j, service, s->interval_ns);
	put_service_sched(j, service);
	put_pressure(j, &service->pressure);
	put_unattributed(j, s, service->names.service);
	gp_json_end_record(j);
}

static void put_edge(struct gp_json *j, const struct gp_json_head *head, const struct gp_edge *edge)
{
	gp_json_begin_record(j, "edge", head);
	gp_json_string(j, "service", edge->from);
	gp_json_known(j, "port", edge->from ? edge->from_port : 0);
	gp_json_string(j, "protocol", edge->from ? gp_protocol_names[edge->from_protocol] : NULL);
	gp_json_open(j, "to", '{');
	gp_json_string(j, "service", edge->to);
	gp_json_string(j, "address", edge->address);
	gp_json_known(j, "port", edge->port);
	gp_json_string(j, "protocol", gp_protocol_names[edge->protocol]);
	gp_json_close(j, '}');
	gp_json_count(j, "calls", edge->calls);
	gp_json_count(j, "errors", edge->errors);
	gp_json_seconds(j, "seconds", edge->ns);
	gp_json_end_record(j);
}

static void put_cpu(struct gp_json *j, const struct gp_cpu *cpu)
{
	gp_json_seconds(j, "seconds", cpu->busy_ns);
	put_share(j, "busy", cpu->busy_ns, cpu->busy_ns + cpu->idle_ns);
}

static void put_host_sched(struct gp_json *j, const struct gp_host *host)
{
	struct gp_cpu all = {};

	if (!host->has_sched) {
		gp_json_null(j, "cpu");
		gp_json_null(j, "runqueue_s");
		return;
	}
	for (size_t i = 0; i < host->cpus; i++) {
		all.busy_ns += host->cpu[i].busy_ns;
		all.idle_ns += host->cpu[i].idle_ns;
	}
	gp_json_open(j, "cpu", '{');
	put_cpu(j, &all);
	gp_json_open(j, "each", '[');
	for (size_t i = 0; i < host->cpus; i++) {
		gp_json_open(j, NULL, '{');
		put_cpu(j, &host->cpu[i]);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
	gp_json_close(j, '}');
	gp_json_distribution(j, "runqueue_s", &host->runqueue, true);
}

/* Threads that wait for a CPU: as many on average as the time they waited is longer than the time.
 */
static void put_queue(struct gp_json *j, uint64_t waited_ns, uint64_t max, uint64_t interval_ns)
{
	put_share(j, "avg", waited_ns, interval_ns);
	gp_json_count(j, "max", max);
}

static void put_runqueue_length(struct gp_json *j, const struct gp_host *host, uint64_t interval_ns)
{
	uint64_t waited_ns = 0, max = 0;

	if (!host->has_sched) {
		gp_json_null(j, "runqueue_length");
		return;
	}
	for (size_t i = 0; i < host->cpus; i++) {
		waited_ns += host->cpu[i].waited_ns;
		if (host->cpu[i].waiting_max > max)
			max = host->cpu[i].waiting_max;
	}
	gp_json_open(j, "runqueue_length", '{');
	put_queue(j, waited_ns, max, interval_ns);
	gp_json_open(j, "each", '[');
	for (size_t i = 0; i < host->cpus; i++) {
		gp_json_open(j, NULL, '{');
		put_queue(j, host->cpu[i].waited_ns, host->cpu[i].waiting_max, interval_ns);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
	gp_json_close(j, '}');
}

static void put_host(struct gp_json *j, const struct gp_json_head *head, const struct gp_host *host)
{
	gp_json_begin_record(j, "host", head);
	gp_json_count(j, "cpus", host->cpus);
	put_host_sched(j, host);
	put_runqueue_length(j, host, head->interval_ns);
	put_pressure(j, &host->pressure);
	put_known(j, "listen_drops", host->has_listen, host->listen_drops);
	put_known(j, "listen_overflows", host->has_listen, host->listen_overflows);
	put_known(j, "retransmits", host->has_retransmits, host->retransmits);
	gp_json_end_record(j);
}

static void put_programs(struct gp_json *j, const struct gp_self *self)
{
	if (!self->has_programs) {
		gp_json_null(j, "bpf");
		return;
	}
	gp_json_open(j, "bpf", '[');
	for (size_t i = 0; i < self->programs; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "program", self->program[i].name);
		gp_json_count(j, "runs", self->program[i].runs);
		gp_json_seconds(j, "seconds", self->program[i].ns);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
}

static void put_self(struct gp_json *j, const struct gp_json_head *head, const struct gp_self *self)
{
	gp_json_begin_record(j, "self", head);
	put_programs(j, self);
	gp_json_seconds(j, "cpu_s", self->cpu_ns);
	gp_json_count(j, "rss_bytes", self->rss_bytes);
	gp_json_open(j, "maps", '[');
	for (size_t i = 0; i < self->maps; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "map", self->map[i].name);
		gp_json_count(j, "used", self->map[i].used);
		gp_json_count(j, "max", self->map[i].max);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
	gp_json_open(j, "dropped", '{');
	for (size_t i = 0; i < GP_DROP_COUNT; i++)
		gp_json_count(j, gp_drop_names[i], self->dropped[i]);
	gp_json_close(j, '}');
	gp_json_end_record(j);
}

static void put_hooks(struct gp_json *j, const struct gp_meta *meta)
{
	gp_json_open(j, "hooks", '[');
	for (size_t i = 0; i < meta->choices; i++) {
		gp_json_open(j, NULL, '{');
		gp_json_string(j, "event", meta->choice[i].event);
		gp_json_string(j, "hook", meta->choice[i].hook);
		gp_json_close(j, '}');
	}
	gp_json_close(j, ']');
	gp_json_missing(j, meta);
}

/* A stream remembers that a write failed, but not why: errno does, if nothing came between. */
static int result_of(FILE *out)
{
	if (fflush(out) == 0 && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}

static int begin(const struct gp_meta *meta, FILE *out)
{
	gp_auto(gp_json_free) struct gp_json *j = NULL;
	struct timespec now;
	struct gp_json_head head = {.meta = meta, .time = &now};

	clock_gettime(CLOCK_REALTIME, &now);
	if (gp_json_new(&j, out))
		return -ENOMEM;
	errno = 0;
	gp_json_begin_record(j, "meta", &head);
	gp_json_string(j, "version", meta->version);
	gp_json_string(j, "kernel", meta->kernel);
	put_hooks(j, meta);
	gp_json_open(j, "bounds", '{');
	for (size_t i = 0; i < meta->bounds; i++)
		gp_json_count(j, meta->bound[i].name, meta->bound[i].value);
	gp_json_close(j, '}');
	gp_json_protocols(j, meta);
	gp_json_end_record(j);
	return result_of(out);
}

static int write_snapshot(const struct gp_snapshot *s, FILE *out, int width)
{
	gp_auto(gp_json_free) struct gp_json *j = NULL;
	const struct gp_json_head head = {
		.meta = s->meta,
		.time = &s->time,
		.interval_ns = s->interval_ns,
	};

	if (gp_json_new(&j, out))
		return -ENOMEM;
	errno = 0;
	for (size_t i = 0; i < s->endpoints; i++)
		if (!gp_endpoint_is_quiet(&s->endpoint[i]))
			gp_json_endpoint(j, &head, s, &s->endpoint[i]);
	for (size_t i = 0; i < s->services; i++)
		put_service(j, &head, s, &s->service[i]);
	for (size_t i = 0; i < s->edges; i++)
		if (s->edge[i].calls)
			put_edge(j, &head, &s->edge[i]);
	put_host(j, &head, &s->host);
	put_self(j, &head, &s->self);
	return result_of(out);
}

const struct gp_exporter gp_exporter_json = {
	.name = "json",
	.begin = begin,
	.write = write_snapshot,
};

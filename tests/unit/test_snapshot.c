// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"
#include "sample.h"

static void test_arena(void **state)
{
	gp_auto(gp_arena_free) struct gp_arena *a = NULL;
	gp_auto(gp_free) char *large = malloc(100000);
	const char *copies[2000];
	char text[32];

	assert_non_null(large);
	memset(large, 'x', 99999);
	large[99999] = 0;
	assert_int_equal(gp_arena_new(&a), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		copies[i] = gp_arena_string(a, i == 1000 ? large : text);
		assert_non_null(copies[i]);
	}
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "name %d", i);
		assert_string_equal(copies[i], i == 1000 ? large : text);
	}
}

static void test_strings_are_copied(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();
	char text[] = "nginx";
	bool failed = false;
	const char *copy = gp_snapshot_string(s, text, &failed);

	text[0] = 'N';
	assert_string_equal(copy, "nginx");
	assert_null(gp_snapshot_string(s, NULL, &failed));
	assert_false(failed);
}

static void test_growing(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

	for (int i = 0; i < 1500; i++) {
		struct gp_endpoint *e = sample_endpoint(s, "a", i, NULL);

		for (size_t at = 0; at < GP_HIST_SLOTS; at++)
			assert_int_equal(e->duration.hist.slots[at], 0);
		memset(&e->duration, 0xff, sizeof(e->duration));
		sample_service(s, "b", i);
		sample_edge(s, NULL, NULL, "c", i);
	}
	assert_int_equal(s->endpoints, 1500);
	assert_int_equal(s->services, 1500);
	assert_int_equal(s->edges, 1500);
	for (int i = 0; i < 1500; i++) {
		assert_int_equal(s->endpoint[i].port, i);
		assert_int_equal(s->service[i].cpu_ns, i);
		assert_int_equal(s->edge[i].calls, i);
		assert_int_equal(s->edge[i].errors, 0);
	}
}

static void test_find_service(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new();

	sample_service(s, "nginx", 1);
	sample_service(s, "redis", 2);
	assert_int_equal(gp_snapshot_find_service(s, "redis")->cpu_ns, 2);
	assert_null(gp_snapshot_find_service(s, "redi"));
}

static void test_quiet(void **state)
{
	static const size_t loud[] = {
		offsetof(struct gp_endpoint, errors[GP_ERROR_ABORTED]),
		offsetof(struct gp_endpoint, errors[GP_ERROR_SERVER]),
		offsetof(struct gp_endpoint, in_flight),
		offsetof(struct gp_endpoint, bytes_in),
		offsetof(struct gp_endpoint, bytes_out),
		offsetof(struct gp_endpoint, opened),
		offsetof(struct gp_endpoint, closed),
		offsetof(struct gp_endpoint, active),
		offsetof(struct gp_endpoint, streams),
		offsetof(struct gp_endpoint, handed_over),
		offsetof(struct gp_endpoint, failed[GP_FAILURE_REFUSED]),
		offsetof(struct gp_endpoint, failed[GP_FAILURE_OTHER]),
		offsetof(struct gp_endpoint, retransmits),
		offsetof(struct gp_endpoint, resets_sent),
		offsetof(struct gp_endpoint, resets_received),
		offsetof(struct gp_endpoint, accept_queue),
		offsetof(struct gp_endpoint, unread_bytes),
		offsetof(struct gp_endpoint, overflows),
		offsetof(struct gp_endpoint, duration.hist.slots[GP_HIST_OVERFLOW]),
		offsetof(struct gp_endpoint, first_byte.hist.slots[0]),
		offsetof(struct gp_endpoint, setup.hist.slots[100]),
	};
	struct gp_endpoint e = {
		.names = {.service = "a"},
		.port = 80,
		.requests_total = 5,
		.listeners = 1,
		.accept_limit = 128,
	};

	assert_true(gp_endpoint_is_quiet(&e));
	for (size_t i = 0; i < ARRAY_SIZE(loud); i++) {
		uint64_t *field = (uint64_t *)((char *)&e + loud[i]);

		*field = 1;
		assert_false(gp_endpoint_is_quiet(&e));
		*field = 0;
	}
}

static void test_requests(void **state)
{
	struct gp_endpoint e = {};

	sample_exchange(&e, MS, MS);
	sample_exchange(&e, 5000 * SECOND, 0);
	e.errors[GP_ERROR_ABORTED] = 3;
	e.errors[GP_ERROR_SERVER] = 1; /* answered: in the histogram already */
	assert_int_equal(gp_endpoint_requests(&e), 5);
}

/* A service's server on `port`, its figures multiples of `n`. */
static struct gp_endpoint *add_server(struct gp_snapshot *s, uint16_t port, uint64_t n)
{
	struct gp_endpoint *e = sample_endpoint(s, "nginx", port, NULL);

	for (uint64_t i = 0; i < n; i++)
		sample_exchange(e, n * MS, n * MS);
	e->errors[GP_ERROR_ABORTED] = n;
	e->failed[GP_FAILURE_RESET] = 2 * n;
	e->bytes_in = 3 * n;
	e->bytes_out = 4 * n;
	e->opened = 5 * n;
	e->closed = 6 * n;
	e->streams = 7 * n;
	e->handed_over = 8 * n;
	e->retransmits = 9 * n;
	e->resets_sent = 10 * n;
	e->resets_received = 11 * n;
	e->overflows = 12 * n;
	sample_value(&e->setup, n * SECOND);
	e->requests_total = 1000 + n;
	e->in_flight = 100 * n;
	e->oldest_ns = 101 * n;
	e->active = 102 * n;
	e->unread_bytes = 103 * n;
	e->accept_queue = 104 * n;
	e->accept_limit = 105 * n;
	e->listeners = 106 * n;
	e->rtt_ns = 107 * n;
	e->rtt_count = 108 * n;
	e->rtt_min_ns = 109 * n;
	return e;
}

static void check_counts(const struct gp_endpoint *e, uint64_t n)
{
	assert_int_equal(e->errors[GP_ERROR_ABORTED], n);
	assert_int_equal(e->failed[GP_FAILURE_RESET], 2 * n);
	assert_int_equal(e->bytes_in, 3 * n);
	assert_int_equal(e->bytes_out, 4 * n);
	assert_int_equal(e->opened, 5 * n);
	assert_int_equal(e->closed, 6 * n);
	assert_int_equal(e->streams, 7 * n);
	assert_int_equal(e->handed_over, 8 * n);
	assert_int_equal(e->retransmits, 9 * n);
	assert_int_equal(e->resets_sent, 10 * n);
	assert_int_equal(e->resets_received, 11 * n);
	assert_int_equal(e->overflows, 12 * n);
}

static void check_gauges(const struct gp_endpoint *e, uint64_t n)
{
	assert_int_equal(e->in_flight, 100 * n);
	assert_int_equal(e->oldest_ns, 101 * n);
	assert_int_equal(e->active, 102 * n);
	assert_int_equal(e->unread_bytes, 103 * n);
	assert_int_equal(e->accept_queue, 104 * n);
	assert_int_equal(e->accept_limit, 105 * n);
	assert_int_equal(e->listeners, 106 * n);
	assert_int_equal(e->rtt_ns, 107 * n);
	assert_int_equal(e->rtt_count, 108 * n);
	assert_int_equal(e->rtt_min_ns, 109 * n);
}

static uint64_t stage_sum(const struct gp_endpoint *e)
{
	uint64_t sum = 0;

	for (size_t band = 0; band < GP_BANDS; band++)
		for (size_t i = 0; i < GP_STAGE_COUNT; i++)
			sum += e->stages_ns[band][i];
	return sum;
}

static void test_prepend_adds_what_is_the_same(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();
	const struct gp_endpoint *e;

	add_server(older, 443, 1);
	add_server(older, 80, 3);
	add_server(s, 80, 2);
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->interval_ns, 20 * SECOND);
	assert_int_equal(s->endpoints, 2);

	e = &s->endpoint[0];
	assert_int_equal(e->port, 80);
	check_counts(e, 5);
	check_gauges(e, 2);
	assert_int_equal(e->requests_total, 1002);
	assert_int_equal(gp_endpoint_requests(e), 10);
	assert_int_equal(e->duration.sum_ns, (2 * 4 + 3 * 6) * MS);
	assert_int_equal(e->duration.max_ns, 6 * MS);
	assert_int_equal(e->first_byte.sum_ns, (2 * 2 + 3 * 3) * MS);
	assert_int_equal(gp_hist_count(&e->first_byte.hist), 5);
	assert_int_equal(gp_hist_count(&e->setup.hist), 2);
	assert_int_equal(stage_sum(e), e->duration.sum_ns);

	e = &s->endpoint[1];
	assert_int_equal(e->port, 443);
	check_counts(e, 1);
	check_gauges(e, 0);
	assert_int_equal(e->requests_total, 1001);
	assert_int_equal(stage_sum(e), e->duration.sum_ns);
}

/* Each field of what tells endpoints apart, one at a time. */
static void test_prepend_tells_endpoints_apart(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();

	sample_endpoint(s, "a", 80, NULL);
	sample_endpoint(s, "a", 80, "10.0.0.1");
	sample_endpoint(older, "b", 80, NULL);
	sample_endpoint(older, "a", 81, NULL);
	sample_endpoint(older, "a", 80, "10.0.0.2");
	sample_endpoint(older, "a", 80, NULL)->role = GP_ROLE_CLIENT;
	sample_endpoint(older, "a", 80, NULL)->transport = GP_TRANSPORT_UDP;
	sample_endpoint(older, "a", 80, NULL)->protocol = GP_PROTOCOL_COUNT;
	sample_endpoint(older, "a", 80, NULL)->is_other = true;
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->endpoints, 9);
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->endpoints, 9);
	sample_endpoint(older, "a", 80, NULL)->framing = GP_FRAMING_PROTOCOL;
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->endpoints, 9);
}

static void test_prepended_strings_live_on(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();
	struct gp_endpoint *e = sample_endpoint(older, "caller", 6379, "10.0.0.9");

	e->names.unit = sample_text(older, "caller.service");
	e->names.exe = sample_text(older, "/usr/bin/caller");
	sample_service(older, "caller", 7)->names.container = sample_text(older, "c0ffee");
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	gp_snapshot_free(&older);
	assert_string_equal(s->endpoint[0].names.service, "caller");
	assert_string_equal(s->endpoint[0].names.unit, "caller.service");
	assert_string_equal(s->endpoint[0].names.exe, "/usr/bin/caller");
	assert_null(s->endpoint[0].names.container);
	assert_string_equal(s->endpoint[0].address, "10.0.0.9");
	assert_string_equal(s->service[0].names.service, "caller");
	assert_string_equal(s->service[0].names.container, "c0ffee");
}

static void test_prepend_services(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();
	struct gp_service *service;

	service = sample_service(s, "nginx", 5);
	service->io_ns = 1;
	service->voluntary = 2;
	service->involuntary = 3;
	service->threads = 4;
	sample_value(&service->runqueue, MS);
	sample_service(older, "redis", 11)->threads = 6;
	service = sample_service(older, "nginx", 7);
	service->io_ns = 10;
	service->voluntary = 20;
	service->involuntary = 30;
	service->threads = 40;
	sample_value(&service->runqueue, 2 * MS);

	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->services, 2);
	assert_int_equal(s->service[0].cpu_ns, 12);
	assert_int_equal(s->service[0].io_ns, 11);
	assert_int_equal(s->service[0].voluntary, 22);
	assert_int_equal(s->service[0].involuntary, 33);
	assert_int_equal(s->service[0].threads, 4);
	assert_int_equal(s->service[0].runqueue.sum_ns, 3 * MS);
	assert_int_equal(s->service[1].cpu_ns, 11);
	assert_true(s->service[1].has_sched);
}

static void test_prepend_edges(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();

	sample_edge(s, "nginx", NULL, "10.0.0.1", 5)->errors = 1;
	sample_edge(s, NULL, "redis", "127.0.0.1", 6);
	sample_edge(older, "nginx", "api", "10.0.0.2", 7)->errors = 3;
	sample_edge(older, NULL, "redis", "127.0.0.1", 8);
	sample_edge(older, "nginx", NULL, "10.0.0.1", 9)->errors = 2;
	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	gp_snapshot_free(&older);
	assert_int_equal(s->edges, 3);
	assert_int_equal(s->edge[0].calls, 14);
	assert_int_equal(s->edge[0].errors, 3);
	assert_int_equal(s->edge[0].ns, 14 * MS);
	assert_int_equal(s->edge[1].calls, 14);
	assert_int_equal(s->edge[1].errors, 0);
	assert_int_equal(s->edge[2].calls, 7);
	assert_int_equal(s->edge[2].errors, 3);
	assert_int_equal(s->edge[2].ns, 7 * MS);
	assert_int_equal(s->edge[2].from_port, 80);
	assert_int_equal(s->edge[2].port, 6379);
	assert_string_equal(s->edge[2].from, "nginx");
	assert_string_equal(s->edge[2].to, "api");
	assert_string_equal(s->edge[2].address, "10.0.0.2");
}

/* Each field of what tells edges apart, one at a time. */
static void test_prepend_tells_edges_apart(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();

	sample_edge(s, "a", "b", "c", 1);
	sample_edge(older, NULL, "b", "c", 1)->from_port = 80;
	sample_edge(older, "a", NULL, "c", 1);
	sample_edge(older, "x", "b", "c", 1);
	sample_edge(older, "a", "x", "c", 1);
	sample_edge(older, "a", "b", "x", 1);
	sample_edge(older, "a", "b", "c", 1)->from_port = 81;
	sample_edge(older, "a", "b", "c", 1)->port = 6380;
	sample_edge(older, "a", "b", "c", 1)->from_protocol = GP_PROTOCOL_COUNT;
	sample_edge(older, "a", "b", "c", 1)->protocol = GP_PROTOCOL_COUNT;
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(gp_snapshot_prepend(s, older), 0);
		assert_int_equal(s->edges, 10);
		assert_int_equal(s->edge[0].calls, 1);
		assert_int_equal(s->edge[9].calls, i);
	}
}

static void add_program(struct gp_snapshot *s, const char *name, uint64_t runs)
{
	struct gp_self *self = &s->self;
	struct gp_program *larger =
		reallocarray(self->program, self->programs + 1, sizeof(*larger));

	assert_non_null(larger);
	self->program = larger;
	larger[self->programs] = (struct gp_program){.runs = runs, .ns = 100 * runs};
	memcpy(larger[self->programs++].name, name, strlen(name));
}

static void test_prepend_host_and_self(void **state)
{
	gp_auto(gp_snapshot_free) struct gp_snapshot *s = sample_new(), *older = sample_new();

	s->host.cpus = 1; /* one came or went */
	sample_value(&s->host.runqueue, MS);
	sample_value(&older->host.runqueue, 2 * MS);
	s->host.cpu[0].waited_ns = 5;
	s->host.cpu[0].waiting_max = 2;
	older->host.cpu[0].waited_ns = 50;
	older->host.cpu[0].waiting_max = 7;
	add_program(s, "arrive_tp", 1);
	add_program(older, "receive_tp", 5);
	add_program(older, "arrive_tp", 7);
	s->self.cpu_ns = 1;
	s->self.rss_bytes = 2;
	s->self.dropped[GP_DROP_CLOCK] = 3;
	older->self.cpu_ns = 10;
	older->self.rss_bytes = 20;
	older->self.dropped[GP_DROP_CLOCK] = 30;
	older->self.dropped[GP_DROP_EXEMPLARS] = 40;

	assert_int_equal(gp_snapshot_prepend(s, older), 0);
	assert_int_equal(s->host.cpus, 2);
	assert_int_equal(s->host.cpu[0].busy_ns, 16 * SECOND);
	assert_int_equal(s->host.cpu[0].idle_ns, 4 * SECOND);
	assert_int_equal(s->host.cpu[0].waited_ns, 55);
	assert_int_equal(s->host.cpu[0].waiting_max, 7);
	assert_int_equal(s->host.cpu[1].busy_ns, 2 * SECOND);
	assert_int_equal(s->host.runqueue.sum_ns, 3 * MS);
	assert_int_equal(s->self.programs, 2);
	assert_string_equal(s->self.program[0].name, "arrive_tp");
	assert_int_equal(s->self.program[0].runs, 8);
	assert_int_equal(s->self.program[0].ns, 800);
	assert_string_equal(s->self.program[1].name, "receive_tp");
	assert_int_equal(s->self.program[1].runs, 5);
	assert_int_equal(s->self.cpu_ns, 11);
	assert_int_equal(s->self.rss_bytes, 2);
	assert_int_equal(s->self.dropped[GP_DROP_CLOCK], 33);
	assert_int_equal(s->self.dropped[GP_DROP_EXEMPLARS], 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_strings_are_copied),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_find_service),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_prepend_adds_what_is_the_same),
		cmocka_unit_test(test_prepend_tells_endpoints_apart),
		cmocka_unit_test(test_prepended_strings_live_on),
		cmocka_unit_test(test_prepend_services),
		cmocka_unit_test(test_prepend_edges),
		cmocka_unit_test(test_prepend_tells_edges_apart),
		cmocka_unit_test(test_prepend_host_and_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Redis' requests and answers: what is one, where it ends, what it is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gp_redis.h"
#include "protocol.h"
#include "steps.h"

#define TEXT(s) s, sizeof(s) - 1

/* The stream in all chunks: what `s` then shows is the same in each. */
static void requests(struct steps *s, const char *stream, size_t len)
{
	*s = (struct steps){};
	assert_null(steps_every_way(s, gp_redis_request, stream, len));
}

static void answers(struct steps *s, const char *stream, size_t len)
{
	*s = (struct steps){};
	assert_null(steps_every_way(s, gp_redis_response, stream, len));
}

/* One request that ends with the stream. */
static const struct steps_message *request(struct steps *s, const char *stream, size_t len)
{
	requests(s, stream, len);
	assert_false(s->lost);
	assert_int_equal(s->count, 1);
	assert_int_equal(s->ended, 1);
	assert_int_equal(s->messages[0].begin, 0);
	assert_int_equal(s->messages[0].end, len);
	return &s->messages[0];
}

static const struct steps_message *answer(struct steps *s, const char *stream, size_t len)
{
	answers(s, stream, len);
	assert_false(s->lost);
	assert_int_equal(s->count, 1);
	assert_int_equal(s->ended, 1);
	assert_int_equal(s->messages[0].end, len);
	return &s->messages[0];
}

static const char *name_of(const struct steps_message *m)
{
	return gp_redis_names.operation(m->operation) ?: "other";
}

static const char *status_of(const struct steps_message *m)
{
	char buffer[GP_STATUS_LEN];

	return gp_redis_names.status(m->status, buffer) ?: "other";
}

static void one_request(const char *name, uint32_t flags, const char *stream, size_t len)
{
	struct steps s;
	const struct steps_message *m = request(&s, stream, len);

	assert_string_equal(name_of(m), name);
	assert_int_equal(m->flags, flags);
}

static void one_answer(const char *status, uint32_t flags, const char *stream, size_t len)
{
	struct steps s;
	const struct steps_message *m = answer(&s, stream, len);

	assert_string_equal(status_of(m), status);
	assert_int_equal(m->flags, flags);
}

static void lost_request(const char *stream, size_t len)
{
	struct steps s;

	requests(&s, stream, len);
	assert_true(s.lost);
	assert_int_equal(s.ended, 0);
}

static void lost_answer(const char *stream, size_t len)
{
	struct steps s;

	answers(&s, stream, len);
	assert_true(s.lost);
	assert_int_equal(s.ended, 0);
}

static void arrays(void **state)
{
	one_request("GET", GP_EVENT_NAMED, TEXT("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"));
	one_request("GET", GP_EVENT_NAMED, TEXT("*2\r\n$3\r\ngEt\r\n$0\r\n\r\n"));
	one_request("PING", GP_EVENT_NAMED, TEXT("*1\r\n$4\r\nPING\r\n"));
	one_request("SET", GP_EVENT_NAMED,
		    TEXT("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n*1\r\n$2\r\nPX\r\n$2\r\n10\r\n"));
	one_request("GEORADIUSBYMEMBER_RO", GP_EVENT_NAMED,
		    TEXT("*2\r\n$20\r\ngeoradiusbymember_ro\r\n$1\r\nk\r\n"));
	one_request("JSON.ARRAPPEND", GP_EVENT_NAMED, TEXT("*1\r\n$14\r\nJSON.ARRAPPEND\r\n"));
	one_request("JSON.ARRINSERT", GP_EVENT_NAMED, TEXT("*1\r\n$14\r\nJSON.ARRINSERT\r\n"));
	one_request("other", GP_EVENT_NAMED, TEXT("*2\r\n$4\r\nFOOO\r\n$1\r\nk\r\n"));
	one_request("other", GP_EVENT_NAMED, TEXT("*1\r\n$0\r\n\r\n"));
	one_request("other", GP_EVENT_NAMED,
		    TEXT("*2\r\n$40\r\nGETGETGETGETGETGETGETGETGETGETGETGETGETG\r\n$1\r\nk\r\n"));
}

static void subcommands(void **state)
{
	one_request("CONFIG GET", GP_EVENT_NAMED,
		    TEXT("*3\r\n$6\r\nCONFIG\r\n$3\r\nget\r\n$4\r\nsave\r\n"));
	one_request("CLUSTER COUNT-FAILURE-REPORTS", GP_EVENT_NAMED,
		    TEXT("*3\r\n$7\r\ncluster\r\n$21\r\ncount-failure-reports\r\n$1\r\nx\r\n"));
	one_request("SENTINEL GET-MASTER-ADDR-BY-NAME", GP_EVENT_NAMED,
		    TEXT("*3\r\n$8\r\nSENTINEL\r\n$23\r\nGET-MASTER-ADDR-BY-NAME\r\n$1\r\nm\r\n"));
	one_request("CONFIG", GP_EVENT_NAMED, TEXT("*1\r\n$6\r\nCONFIG\r\n"));
	one_request("CONFIG", GP_EVENT_NAMED, TEXT("*2\r\n$6\r\nCONFIG\r\n$4\r\nPING\r\n"));
	one_request("OBJECT", GP_EVENT_NAMED,
		    TEXT("*2\r\n$6\r\nOBJECT\r\n$26\r\nabcdefghijklmnopqrstuvwxyz\r\n"));
	one_request("GET", GP_EVENT_NAMED, TEXT("*3\r\n$3\r\nGET\r\n$3\r\nGET\r\n$3\r\nSET\r\n"));
}

static void lines(void **state)
{
	one_request("PING", GP_EVENT_NAMED, TEXT("PING\r\n"));
	one_request("PING", GP_EVENT_NAMED, TEXT("ping\n"));
	one_request("GET", GP_EVENT_NAMED, TEXT("get key:000000\r\n"));
	one_request("SET", GP_EVENT_NAMED, TEXT("SET a \"b c\\n\" EX 10\r\n"));
	one_request("GET", GP_EVENT_NAMED, TEXT("  \t GET a\r\n"));
	one_request("GET", GP_EVENT_NAMED, TEXT("\"GET\" 'a'\r\n"));
	one_request("CONFIG GET", GP_EVENT_NAMED, TEXT("config   'GET' maxmemory\r\n"));
	one_request("CONFIG", GP_EVENT_NAMED, TEXT("config\r\n"));
	one_request("other", GP_EVENT_NAMED, TEXT("HOWMUCHISTHEFISHWHATISTHETIME please\r\n"));
	one_request("other", GP_EVENT_NAMED, TEXT("zzzz\r\n"));
	one_request("ECHO", GP_EVENT_NAMED,
		    TEXT("ECHO 0123456789012345678901234567890123456789012345678901234567890123456"
			 "7890123456789012345678901234567890123456789012345678901234567890123456789"
			 "\r\n"));
}

static void without_answer(void **state)
{
	one_request("other", GP_EVENT_ASIDE, TEXT("*0\r\n"));
	one_request("other", GP_EVENT_ASIDE, TEXT("*-1\r\n"));
	one_request("other", GP_EVENT_ASIDE, TEXT("\r\n"));
	one_request("other", GP_EVENT_ASIDE, TEXT("\n"));
	one_request("other", GP_EVENT_ASIDE, TEXT("   \r\n"));
}

static void pipelined(void **state)
{
	static const char *const names[] = {"SET", "other", "GET", "PING", "INCR"};
	static const uint64_t ends[] = {27, 29, 49, 55, 80};
	struct steps s;

	requests(&s, TEXT("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
			  "\r\n"
			  "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
			  "PING\r\n"
			  "*2\r\n$4\r\nINCR\r\n$5\r\nabcde\r\n"));
	assert_int_equal(s.count, 5);
	assert_int_equal(s.answers, 4);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(name_of(&s.messages[i]), names[i]);
		assert_int_equal(s.messages[i].end, ends[i]);
	}
}

/* A payload is skipped whatever it holds, and not looked at. */
static void long_payloads(void **state)
{
	static const char head[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n";
	static char stream[sizeof(head) - 1 + 100002 + 14];
	struct steps s = {};

	memset(stream, '*', sizeof(stream));
	memcpy(stream, head, sizeof(head) - 1);
	memcpy(stream + sizeof(stream) - 14, "*1\r\n$4\r\nPING\r\n", 14);
	steps_run(&s, gp_redis_request, stream, sizeof(stream), 10, 7);
	assert_null(s.fault);
	assert_int_equal(s.ended, 2);
	assert_int_equal(s.messages[0].end, sizeof(stream) - 14);
	assert_string_equal(name_of(&s.messages[1]), "PING");
}

static void few_steps(void **state)
{
	struct steps s = {};
	static const char get[] = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n";
	static const char set[] = "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$3\r\nxxx\r\n";

	steps_run(&s, gp_redis_request, get, sizeof(get) - 1, sizeof(get) - 1, 0);
	assert_int_equal(s.steps, 1);
	steps_run(&s, gp_redis_request, set, sizeof(set) - 1, sizeof(set) - 1, 0);
	assert_int_equal(s.steps, 1);
	steps_run(&s, gp_redis_request, "PING\r\n", 6, 6, 0);
	assert_int_equal(s.steps, 2);
	steps_run(&s, gp_redis_response, "$3\r\nxxx\r\n", 9, 9, 0);
	assert_int_equal(s.steps, 1);
	steps_run(&s, gp_redis_response, "+OK\r\n", 5, 5, 0);
	assert_int_equal(s.steps, 1);
}

static void streams(void **state)
{
	struct steps s;

	one_request("SUBSCRIBE", GP_EVENT_NAMED | GP_EVENT_STREAM,
		    TEXT("*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"));
	one_request("MONITOR", GP_EVENT_NAMED | GP_EVENT_STREAM, TEXT("monitor\r\n"));
	one_request("PSYNC", GP_EVENT_NAMED | GP_EVENT_STREAM,
		    TEXT("*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"));
	one_request("UNSUBSCRIBE", GP_EVENT_NAMED, TEXT("*1\r\n$11\r\nUNSUBSCRIBE\r\n"));
	requests(&s, TEXT("*1\r\n$4\r\nSYNC\r\n*1\r\n$4\r\nPING\r\n"));
	assert_int_equal(s.ended, 1);
	assert_true(s.closed);
}

static void client_reply(void **state)
{
	static const bool answered[] = {true, false, false, true, false, false, false, true, true};
	struct steps s;

	requests(&s, TEXT("PING\r\n"
			  "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nskip\r\n"
			  "PING\r\n"
			  "PING\r\n"
			  "client reply off\r\n"
			  "*1\r\n$4\r\nPING\r\n"
			  "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n"
			  "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nON\r\n"
			  "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$2\r\nNO\r\n"));
	assert_int_equal(s.ended, 9);
	for (int i = 0; i < 9; i++)
		assert_int_equal(!(s.messages[i].flags & GP_EVENT_ASIDE), answered[i]);
	assert_string_equal(name_of(&s.messages[7]), "CLIENT REPLY");
}

static void lost_requests(void **state)
{
	lost_request(TEXT("*x\r\n"));
	lost_request(TEXT("*\r\n"));
	lost_request(TEXT("*2\r\r"));
	lost_request(TEXT("*2147483648\r\n"));
	lost_request(TEXT("*99999999999999999999\r\n"));
	lost_request(TEXT("*2\r\n*3\r\n"));
	lost_request(TEXT("*2\r\n$-1\r\n"));
	lost_request(TEXT("*2\r\n$536870913\r\n"));
	lost_request(TEXT("*2\r\n$3\r\nGET\r\n:1\r\n"));
	lost_request(TEXT("$3\r\nGET\r\n"));
	lost_request(TEXT("\x16\x03\x01\x02"));
	lost_request(TEXT("+OK\r\n"));
	lost_request(TEXT("PI\0NG\r\n"));
	lost_request(TEXT("PING a\0b\r\n"));
	lost_request(TEXT("9\r\n"));
}

/* A line without an end is given up, where the server closes. */
static void endless_line(void **state)
{
	static char stream[70000];
	struct steps s = {};

	memset(stream, 'a', sizeof(stream));
	steps_run(&s, gp_redis_request, stream, sizeof(stream), 100, 3);
	assert_null(s.fault);
	assert_true(s.lost);
	assert_in_range(s.taken, 65536, 65536 + 2 * GP_LOOK);
}

static void simple_answers(void **state)
{
	one_answer("OK", GP_EVENT_NAMED, TEXT("+OK\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("+\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("+Background saving started\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT(":-123\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT(":9223372036854775807\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("$3\r\nfoo\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("$0\r\n\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("$-1\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("*-1\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("*0\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("_\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("#t\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT(",-inf\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT(",inf\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT(",1.5e+300\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("(3492890328409238509324850943850943825024385\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("=15\r\ntxt:Some string\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("~0\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("%0\r\n"));
}

static void errors(void **state)
{
	one_answer("ERR", GP_EVENT_NAMED, TEXT("-ERR unknown command 'x', with args\r\n"));
	one_answer("WRONGTYPE", GP_EVENT_NAMED, TEXT("-WRONGTYPE Operation against a key\r\n"));
	one_answer("MOVED", GP_EVENT_NAMED, TEXT("-MOVED 3999 127.0.0.1:6381\r\n"));
	one_answer("NOMASTERLINK", GP_EVENT_NAMED, TEXT("-NOMASTERLINK x\r\n"));
	one_answer("ERR", GP_EVENT_NAMED, TEXT("-ERR\r\n"));
	one_answer("other", GP_EVENT_NAMED, TEXT("-ERROR\r\n"));
	one_answer("other", GP_EVENT_NAMED, TEXT("-err x\r\n"));
	one_answer("other", GP_EVENT_NAMED, TEXT("-MYERRORISLONGERTHANTHEY ARE\r\n"));
	one_answer("other", GP_EVENT_NAMED, TEXT("-\r\n"));
	one_answer("ERR", GP_EVENT_NAMED, TEXT("!10\r\nERR syntax\r\n"));
	one_answer("other", GP_EVENT_NAMED, TEXT("!21\r\nSYNTAX invalid syntax\r\n"));
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_OK), GP_ERROR_COUNT);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_ASK), GP_ERROR_COUNT);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_MOVED), GP_ERROR_COUNT);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_OOM), GP_ERROR_SERVER);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_BUSY), GP_ERROR_SERVER);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_BUSYKEY), GP_ERROR_CLIENT);
	assert_int_equal(gp_redis_error(GP_REDIS_STATUS_OTHER), GP_ERROR_CLIENT);
}

static void trees(void **state)
{
	one_answer("OK", GP_EVENT_NAMED, TEXT("*2\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n$-1\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("*2\r\n-ERR no\r\n-OOM no\r\n")); /* EXEC's */
	one_answer("OK", GP_EVENT_NAMED, TEXT("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n#f\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("*3\r\n*0\r\n*-1\r\n%1\r\n_\r\n*1\r\n*1\r\n,1\r\n"));
	one_answer("ERR", GP_EVENT_NAMED, TEXT("|1\r\n+ttl\r\n*1\r\n:3\r\n-ERR x\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("*2\r\n|1\r\n+ttl\r\n:3\r\n:1\r\n:2\r\n"));
	one_answer("OK", GP_EVENT_NAMED, TEXT("|0\r\n|1\r\n+a\r\n-ERR b\r\n$2\r\n\r\n\r\n"));
	one_answer("OK", GP_EVENT_NAMED | GP_EVENT_ASIDE,
		   TEXT(">2\r\n+invalidate\r\n*1\r\n$3\r\nkey\r\n"));
}

static void answers_in_a_row(void **state)
{
	static const char *const names[] = {"OK", "ERR", "OK", "OK", "NOSCRIPT"};
	struct steps s;

	answers(&s,
		TEXT("+OK\r\n-ERR x\r\n*2\r\n+a\r\n+b\r\n>1\r\n+p\r\n-NOSCRIPT No matching\r\n"));
	assert_int_equal(s.ended, 5);
	assert_int_equal(s.answers, 4);
	for (int i = 0; i < 5; i++)
		assert_string_equal(status_of(&s.messages[i]), names[i]);
}

static void lost_answers(void **state)
{
	lost_answer(TEXT("HTTP/1.1 200 OK\r\n"));
	lost_answer(TEXT("$?\r\n;4\r\nabcd\r\n;0\r\n"));
	lost_answer(TEXT("*?\r\n"));
	lost_answer(TEXT(":x\r\n"));
	lost_answer(TEXT("#1\r\n"));
	lost_answer(TEXT("_1\r\n"));
	lost_answer(TEXT("$536870913\r\n"));
	lost_answer(TEXT("*2147483648\r\n"));
	lost_answer(TEXT("*9999999999\r\n*9999999999\r\n"));
	lost_answer(TEXT("*2147483647\r\n*2147483647\r\n*2147483647\r\n"));
	lost_answer(TEXT("%2147483647\r\n"));
	lost_answer(TEXT("*1\r\n>1\r\n+a\r\n"));
	lost_answer(TEXT("VALUE a 0 1\r\n"));
	lost_answer(TEXT("\0\0"));
}

static void every_error(void **state)
{
	char buffer[GP_STATUS_LEN];

	for (uint16_t i = 2; i < GP_REDIS_STATUS_COUNT; i++) {
		const char *name = gp_redis_names.status(i, buffer);
		char stream[64];
		struct steps s;

		snprintf(stream, sizeof(stream), "-%s text\r\n", name);
		assert_string_equal(status_of(answer(&s, stream, strlen(stream))), name);
		snprintf(stream, sizeof(stream), "-%sX text\r\n", name);
		assert_string_equal(status_of(answer(&s, stream, strlen(stream))), "other");
	}
	assert_null(gp_redis_names.status(GP_REDIS_STATUS_COUNT, buffer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays),
		cmocka_unit_test(subcommands),
		cmocka_unit_test(lines),
		cmocka_unit_test(without_answer),
		cmocka_unit_test(pipelined),
		cmocka_unit_test(long_payloads),
		cmocka_unit_test(few_steps),
		cmocka_unit_test(streams),
		cmocka_unit_test(client_reply),
		cmocka_unit_test(lost_requests),
		cmocka_unit_test(endless_line),
		cmocka_unit_test(simple_answers),
		cmocka_unit_test(errors),
		cmocka_unit_test(trees),
		cmocka_unit_test(answers_in_a_row),
		cmocka_unit_test(lost_answers),
		cmocka_unit_test(every_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "capture.h"
#include "hook.h"
#include "own.h"

static const struct gp_kind *kind_of(const char *key)
{
	for (size_t i = 0; i < gp_kinds_count; i++)
		if (!strcmp(gp_kinds[i].key, key))
			return &gp_kinds[i];
	fail_msg("there is no kind '%s'", key);
	return NULL;
}

/* What the kernel cuts or two hooks share would be told apart nowhere. */
static void test_table(void **state)
{
	for (size_t i = 0; i < gp_kinds_count; i++) {
		const struct gp_kind *kind = &gp_kinds[i];

		assert_non_null(kind->way[0].name);
		assert_non_null(kind->missing);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(kind->key, gp_kinds[j].key);
			assert_string_not_equal(kind->name, gp_kinds[j].name);
		}
		for (size_t j = 0; j < GP_WAYS && kind->way[j].name; j++) {
			const struct gp_way *way = &kind->way[j];

			assert_non_null(way->part[0].at);
			if (j)
				assert_string_not_equal(way->name, kind->way[0].name);
			for (size_t k = 0; k < GP_PARTS && way->part[k].program; k++) {
				assert_in_range(strlen(way->part[k].program), 1, 15);
				if (way->part[k].small)
					assert_in_range(strlen(way->part[k].small), 1, 15);
			}
		}
	}
}

static void test_forced(void **state)
{
	const char *list = "send=fentry,arrive=tp,send=tp";

	assert_int_equal(gp_hook_check(list), 0);
	assert_ptr_equal(gp_hook_forced(list, kind_of("send")), &kind_of("send")->way[0]);
	assert_ptr_equal(gp_hook_forced("send=fentry", kind_of("send")), &kind_of("send")->way[1]);
	assert_ptr_equal(gp_hook_forced(list, kind_of("arrive")), &kind_of("arrive")->way[0]);
	assert_null(gp_hook_forced(list, kind_of("read")));
	assert_null(gp_hook_forced(NULL, kind_of("send")));
	assert_null(gp_hook_forced("", kind_of("send")));
	assert_int_equal(gp_hook_check(NULL), 0);
	assert_int_equal(gp_hook_check(""), 0);
}

static void test_unknown(void **state)
{
	const char *wrong[] = {"send",	    "send=",	    "=fentry",	   "sends=tp",
			       "send=fent", "send=fentry2", "read=tp,",	   "read=tp,x=y",
			       ",read=tp",  "send =tp",	    "state=fentry"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct capture c;
		const char *said;
		int rc;

		capture_begin(&c, STDERR_FILENO);
		rc = gp_hook_check(wrong[i]);
		said = capture_end(&c);
		if (!strcmp(wrong[i], "read=tp,")) { /* nothing behind the comma: no harm */
			assert_int_equal(rc, 0);
			continue;
		}
		if (rc != -EINVAL || count_lines(said) != 1 || !strstr(said, "GOLDPAN_HOOKS"))
			fail_msg("'%s': %d, %s", wrong[i], rc, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

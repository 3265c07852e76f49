// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <string.h>

#include "own.h"

#define NS_PER_S 1000000000ULL

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"", NS_PER_S},	      {"ms", NS_PER_S / 1000}, {"s", NS_PER_S},
	{"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
};

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(name, units[i].name))
			return &units[i];
	return NULL;
}

/*
 * Digits at *text as a number, and *text moved behind them; -EINVAL if there are none, more than
 * `most`, or too many to fit.
 */
static int read_digits(const char **text, int most, uint64_t *value, int *digits)
{
	uint64_t v = 0;
	int n = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++, n++)
		if (n == most || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, **text - '0', &v))
			return -EINVAL;
	if (!n)
		return -EINVAL;
	*value = v;
	*digits = n;
	return 0;
}

int gp_parse_time(const char *text, uint64_t *ns)
{
	uint64_t whole, part = 0;
	unsigned __int128 sum;
	const struct unit *unit;
	int digits;

	if (read_digits(&text, INT32_MAX, &whole, &digits))
		return -EINVAL;
	if (*text == '.') {
		text++;
		if (read_digits(&text, 9, &part, &digits))
			return -EINVAL;
		for (; digits < 9; digits++)
			part *= 10; /* billionths of the unit */
	}
	unit = find_unit(text);
	if (!unit)
		return -EINVAL;
	sum = (unsigned __int128)whole * unit->ns + (unsigned __int128)part * unit->ns / NS_PER_S;
	if (sum > INT64_MAX) /* so that a time added to a clock's reading fits as well */
		return -EINVAL;
	*ns = sum;
	return 0;
}

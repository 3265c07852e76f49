// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "own.h"

/* A unit is used from `from` on, where three digits of the one before are used up by rounding. */
struct unit {
	double from, size;
	const char *name;
};

/* The largest unit that the amount reaches; the first if it reaches none. */
static void format_amount(char *out, double amount, const struct unit *units, size_t count)
{
	const struct unit *unit = &units[0];
	double value;
	int decimals;

	for (size_t i = 1; i < count && amount >= units[i].from; i++)
		unit = &units[i];
	value = amount / unit->size;
	decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	/* A whole number shows no decimals that say nothing. */
	if (unit == &units[0] && value == floor(value))
		decimals = 0;
	snprintf(out, GP_FORMAT_SIZE, "%.*f%s", decimals, value, unit->name);
}

void gp_format_duration(char out[GP_FORMAT_SIZE], double ns)
{
	static const struct unit units[] = {
		{0, 1, "ns"},	     {999.5, 1e3, "µs"},   {999.5e3, 1e6, "ms"},
		{999.5e6, 1e9, "s"}, {99.95e9, 60e9, "m"}, {99.95 * 60e9, 3600e9, "h"},
	};

	format_amount(out, ns, units, ARRAY_SIZE(units));
}

void gp_format_number(char out[GP_FORMAT_SIZE], double number)
{
	static const struct unit units[] = {
		{0, 1, ""},
		{999.5, 1e3, "k"},
		{999.5e3, 1e6, "M"},
		{999.5e6, 1e9, "G"},
	};

	format_amount(out, number, units, ARRAY_SIZE(units));
}

void gp_format_bytes(char out[GP_FORMAT_SIZE], double bytes)
{
	static const struct unit units[] = {
		{0, 1, "B"},
		{999.5, 0x1p10, "KiB"},
		{999.5 * 0x1p10, 0x1p20, "MiB"},
		{999.5 * 0x1p20, 0x1p30, "GiB"},
	};

	format_amount(out, bytes, units, ARRAY_SIZE(units));
}

void gp_format_place(char *out, size_t size, const char *address, uint16_t port)
{
	if (port)
		snprintf(out, size, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	else
		snprintf(out, size, "%s", address);
}

void gp_format_time(char out[GP_FORMAT_SIZE], const struct timespec *t)
{
	struct tm utc;
	size_t len = 0;

	if (gmtime_r(&t->tv_sec, &utc))
		len = strftime(out, GP_FORMAT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	if (len == strlen("YYYY-MM-DDTHH:MM:SS"))
		snprintf(out + len, GP_FORMAT_SIZE - len, ".%03uZ",
			 (unsigned int)t->tv_nsec / 1000000 % 1000);
	else
		out[0] = 0;
}

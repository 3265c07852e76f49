/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and amounts as text. */
#ifndef GP_FORMAT_H
#define GP_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Room for any of these texts. */
#define GP_FORMAT_SIZE 32

/* RFC 3339 with milliseconds, UTC: "2026-01-31T12:00:00.123Z". "" if the year has five digits. */
void gp_format_time(char out[GP_FORMAT_SIZE], const struct timespec *t);

/* For people, with three significant digits: "954ns", "1.23ms", "12.3s", "68.3m", "1.14h". */
void gp_format_duration(char out[GP_FORMAT_SIZE], double ns);

/* Likewise: "0", "0.15", "12.3", "1.23k", "12.3M". */
void gp_format_number(char out[GP_FORMAT_SIZE], double number);

/* Likewise: "0B", "512B", "1.5KiB", "12.3MiB". */
void gp_format_bytes(char out[GP_FORMAT_SIZE], double bytes);

/* "127.0.0.1:6379", "[::1]:6379"; the address alone if there is no port. Cut where `size` ends. */
void gp_format_place(char *out, size_t size, const char *address, uint16_t port);

#endif

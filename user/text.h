/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and messages from outside, made safe to print: valid UTF-8 without control characters. */
#ifndef GP_TEXT_H
#define GP_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Room that holds any cleaned text of `len` bytes: a bad byte becomes the three of U+FFFD. */
#define GP_TEXT_CLEAN_SIZE(len) (3 * (len) + 1)

/*
 * The next character of *text, and *text moved behind it; 0 at the end, where it stays. U+FFFD
 * takes the place of each control character (C0, DEL, C1) and of each sequence that is not UTF-8
 * (overlong, surrogate, beyond U+10FFFF, cut off), which is skipped up to where one may begin.
 */
uint32_t gp_text_next(const char **text);

/*
 * Copies `text` to `out`, of `size` bytes (at least 1), cleaned as by gp_text_next; what does not
 * fit is left out, whole characters at a time. The length of what is in `out`, which always ends
 * in a 0 byte.
 */
size_t gp_text_clean(char *out, size_t size, const char *text);

#endif

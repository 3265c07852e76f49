/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the kernel maps its memory, for programs that read an skb's bytes from its pages (x86-64).
 *
 * The kernel describes each page of 4 KiB by a struct page of 64 bytes, all in one array, and maps
 * all pages one behind the other. So where page `p` lies is 64 * p plus a number that is the same
 * for all, until the next boot:
 *
 *   array ->  | page 0 | page 1 | page 2 |       memory ->  | 4 KiB | 4 KiB | 4 KiB |
 *
 * Both begin at a multiple of 1 GiB (arch/x86/mm/kaslr.c), which leaves few to choose from. Found
 * is the right one by its bytes: goldpan sends some to itself and looks where they came to lie.
 */
#ifndef GP_PAGE_MAP_H
#define GP_PAGE_MAP_H

#include <stdint.h>

struct gp_trial;

/*
 * Finds the number. Attaches a program (trial.h). 0; -ENOENT: there is no telling, or it is not so
 * here; -errno of loading and attaching.
 */
int gp_page_map_find(struct gp_trial *t, uint64_t *number);

#endif

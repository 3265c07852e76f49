/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow by doubling. How much room one has follows from the number of its records, so
 * that it need not be kept: an array never has less.
 */
#ifndef GP_ROOM_H
#define GP_ROOM_H

#include <stddef.h>

/*
 * Makes room for `more` records of `size` bytes behind the `count` that *array, a pointer, holds;
 * an array without records is NULL. 0, or -ENOMEM with the array as it was.
 */
int gp_room_reserve(void *array, size_t count, size_t more, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fixed-width names used on both sides; from the installed kernel headers (linux-libc-dev). */
#ifndef GP_TYPES_H
#define GP_TYPES_H

#include <linux/types.h>

#endif

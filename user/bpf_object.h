/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generated skeleton, with the records it speaks of. */
#ifndef GP_BPF_OBJECT_H
#define GP_BPF_OBJECT_H

#include <stdbool.h>

#include "gp_records.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "goldpan.skel.h"
#pragma GCC diagnostic pop

#endif

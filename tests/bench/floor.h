/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the floor program counts: one counter for each of goldpan's hooks. */
#ifndef GP_BENCH_FLOOR_H
#define GP_BENCH_FLOOR_H

enum floor_hook {
	FLOOR_READY,
	FLOOR_COPY,
	FLOOR_SEND,
	FLOOR_SWITCH,
	FLOOR_WAKING,
	FLOOR_HOOKS,
};

#endif

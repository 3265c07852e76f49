// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.bpf.h"

__u32 gp_slot(__u64 ns)
{
	return gp_hist_slot(ns);
}

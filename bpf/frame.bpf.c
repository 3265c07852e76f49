// SPDX-License-Identifier: GPL-2.0-or-later
#include "frame.bpf.h"

static __always_inline void flow_begin(struct gp_flow *flow, __u32 seq)
{
	__builtin_memset(&flow->parser, 0, sizeof(flow->parser));
	flow->seq = seq;
	flow->carried = 0;
	flow->ending = 0;
	flow->aside = 0;
}

/* Whether the connection's service may have one more; `place`: where that is charged. */
static __always_inline bool may_have(const struct gp_conn *c, __u32 *place)
{
	struct gp_service_info *info = gp_service_info(c->service);
	struct gp_payer *p;

	*place = info ? info->payer : 0;
	p = *place ? bpf_map_lookup_elem(&payers, place) : NULL;
	return !p || *(volatile __s32 *)&p->frames < GP_FRAMES / GP_PAYER_SHARE;
}

int gp_frame_claim(struct gp_conn *c, __u32 in, __u32 out)
{
	__u32 payer = 0;
	bool may;

	if (!c)
		return -1;
	may = may_have(c, &payer);
	for (__u32 way = 0; may && way < GP_FRAME_WAYS; way++) {
		__u32 index = (c->id + way) & (GP_FRAMES - 1);
		struct gp_frame *f = bpf_map_lookup_elem(&frames, &index);

		if (!f)
			return -1;
		if (f->taken || __sync_val_compare_and_swap(&f->taken, 0, 1))
			continue;
		f->arrivals_begin = f->arrivals_end = 0;
		f->begin = f->end = 0;
		f->waiting = 0;
		f->current = f->started = f->opens_stream = 0;
		f->lengths.request = f->answer_end = 0;
		flow_begin(&f->in, in);
		flow_begin(&f->out, out);
		c->frame = index + 1;
		f->payer = payer;
		gp_frame_charge(payer, 1);
		return 0;
	}
	gp_drop(GP_DROP_PIPELINE);
	return -1;
}

int gp_frame_arrival(struct gp_frame *f, __u32 seq, __u64 now)
{
	struct gp_arrival *a, *last;

	if (!f)
		return 0;
	for (int i = 0; i < GP_ARRIVALS && f->arrivals_begin != f->arrivals_end; i++) {
		a = &f->arrivals[f->arrivals_begin & (GP_ARRIVALS - 1)];
		if ((__s32)(a->seq - f->in.seq) > 0)
			break;
		f->arrivals_begin++;
	}
	last = &f->arrivals[(__u8)(f->arrivals_end - 1) & (GP_ARRIVALS - 1)];
	if (f->arrivals_begin != f->arrivals_end && seq - f->in.seq <= f->in.parser.skip) {
		last->seq = last->exact = seq;
		last->ns = now;
		return 0;
	}
	if ((__u8)(f->arrivals_end - f->arrivals_begin) == GP_ARRIVALS) {
		a = &f->arrivals[f->arrivals_begin++ & (GP_ARRIVALS - 1)];
		last = &f->arrivals[f->arrivals_begin & (GP_ARRIVALS - 1)];
		last->exact = a->exact;
		last->ns = a->ns;
	}
	a = &f->arrivals[f->arrivals_end++ & (GP_ARRIVALS - 1)];
	a->seq = a->exact = seq;
	a->ns = now;
	return 0;
}

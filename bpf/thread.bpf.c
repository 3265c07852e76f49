// SPDX-License-Identifier: GPL-2.0-or-later
#include "endpoint.bpf.h"
#include "maps.bpf.h"
#include "thread.bpf.h"

/* A free place, made the thread's own; or the one it has. NULL if there is none. */
static __always_inline struct gp_thread *claim(__u32 pid)
{
	for (__u32 way = 0; way < GP_THREAD_WAYS; way++) {
		__u32 index = (pid + way) & gp_threads_mask;
		struct gp_thread *t = bpf_map_lookup_elem(&threads, &index);

		if (!t)
			return NULL;
		if (t->pid == pid)
			return t;
		if (t->pid || __sync_val_compare_and_swap(&t->pid, 0, pid))
			continue;
		t->index = index;
		return t;
	}
	return NULL;
}

/* The name of the program that thread `pid` runs, and whose that is, if they are known. */
static __always_inline bool known_name(__u32 pid, struct gp_service_key *key)
{
	struct gp_thread *t = pid ? gp_thread_find(pid) : NULL;
	struct gp_service_info *info = t ? gp_service_info(t->service) : NULL;

	if (!info || !GP_REF_INDEX(t->service) || !info->key.name[0])
		return false;
	__builtin_memcpy(key->name, info->key.name, sizeof(key->name));
	key->user = info->key.user;
	return true;
}

static __always_inline void set_service(struct gp_thread *t, __u32 ref)
{
	struct gp_service_info *from = gp_service_info(t->service), *to = gp_service_info(ref);

	if (to && !to->pid)
		to->pid = t->tgid;
	if (from == to)
		return;
	if (from && from->pid == t->pid)
		from->pid = 0; /* its process is gone or is something else: the next one counts */
	if (from)
		__sync_fetch_and_add(&from->threads, -1);
	if (to)
		__sync_fetch_and_add(&to->threads, 1);
	t->service = ref;
}

/*
 * What the service of a thread goes by. The name it had counts unless it is `renamed` by an exec,
 * and so does the user. Returns the group that is charged for it, or 0.
 */
static __always_inline __u64 find_key(struct gp_service_key *key, struct gp_task_id *id,
				      bool renamed)
{
	__u64 place = gp_task_place(id);
	bool of_user = place & GP_PLACE_OF_USER;

	key->cgroup = gp_task_group(id);
	if (renamed || (!known_name(id->pid, key) && !known_name(id->tgid, key) &&
			!known_name(id->parent, key))) {
		__builtin_memcpy(key->name, id->name, sizeof(key->name));
		key->user = place == GP_PLACE_OF_USER ? gp_task_user(id, !renamed) : 0;
	}
	if (!of_user)
		key->user = 0;
	else if ((__u32)place)
		key->user = place;
	return of_user ? 0 : place;
}

static __always_inline bool is_followed(__u32 pid)
{
	struct gp_thread *t = pid ? gp_thread_find(pid) : NULL;

	return t && t->followed;
}

/* Whether --pid and --cgroup ask for this thread. Who once came of a process stays so. */
static __always_inline bool is_asked_for(struct gp_thread *t, struct gp_task_id *id)
{
	if (gp_only_pid && !t->followed) {
		if (!is_followed(id->parent) && !is_followed(id->tgid) && !gp_task_came_of(id))
			return false;
		t->followed = 1;
	}
	return !gp_only_cgroup || gp_task_in_group(id);
}

/* Finds the service of a thread anew. */
static __always_inline void resolve(struct gp_thread *t, struct gp_task_id *id, bool renamed)
{
	struct gp_service_key key = {};
	__u64 group = 0;
	__u32 ref;

	t->epoch = gp_epoch;
	if (gp_only_some() && !is_asked_for(t, id)) {
		set_service(t, GP_REF(GP_SLOT_UNASKED_SERVICE, 1));
		return;
	}
	if (id->is_kernel)
		__builtin_memcpy(key.name, "kernel", 7);
	else
		group = find_key(&key, id, renamed);
	ref = gp_service_get(&key, group, id);
	/* It may just have been given up: then this thread's name is lost until it moves again. */
	set_service(t, gp_service_info(ref) ? ref : GP_REF(GP_SLOT_OTHER_SERVICE, 1));
}

static __always_inline int add(struct gp_task_id *id)
{
	struct gp_current *cur;
	struct gp_thread *t;

	t = claim(id->pid);
	if (!t) {
		gp_drop(GP_DROP_THREADS);
		return -1;
	}
	set_service(t, GP_SLOT_NONE);
	cur = bpf_map_lookup_elem(&currents, &t->index);
	if (cur) {
		cur->id = 0;
		cur->flags = 0;
	}
	t->followed = 0;
	t->state = GP_THREAD_UNKNOWN;
	t->since_ns = 0;
	t->born = 0;
	t->tgid = id->tgid;
	t->waking_ns = 0;
	t->runqueue_ns = 0;
	t->cpu_ns = 0;
	t->io_ns = 0;
	resolve(t, id, false);
	return 0;
}

int gp_thread_add(struct gp_task_id *id)
{
	return id ? add(id) : -1;
}

int gp_thread_add_current(void)
{
	struct gp_task_id id;

	gp_task_id(&id, bpf_get_current_task_btf());
	return add(&id);
}

int gp_thread_moved(struct gp_task_id *id, bool renamed)
{
	struct gp_thread *t;

	if (!id)
		return -1;
	t = gp_thread_find(id->pid);
	if (!t)
		return gp_thread_add(id);
	resolve(t, id, renamed);
	return 0;
}

int gp_thread_spent_unseen(struct gp_thread *t, __u64 now, struct gp_counters *spent)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 cpu = bpf_get_smp_processor_id();
	struct gp_cpu_record *r = bpf_map_lookup_elem(&cpus, &cpu);
	__u64 began, got;

	if (!t || !spent || !r || t->state == GP_THREAD_UNKNOWN)
		return -1;
	got = gp_thread_got_ns(t, task, r, now);
	began = gp_wait_began(t);
	if (!began)
		began = got;
	spent->runqueue_ns = t->runqueue_ns + got - began;
	spent->cpu_ns = t->cpu_ns + now - got;
	spent->io_ns = t->io_ns;
	if (t->state == GP_THREAD_IO)
		spent->io_ns += began - t->since_ns;
	return 0;
}

struct again {
	const struct gp_thread *t;
	__u64 now;
	struct gp_counters spent;
	bool done;
};

static long try_again(__u32 i, struct again *x)
{
	x->done = gp_thread_spent(x->t, x->now, &x->spent);
	return x->done;
}

int gp_thread_spent_again(struct gp_thread *t, __u64 now, struct gp_counters *spent)
{
	struct again x = {.t = t, .now = now};

	if (!t || !spent)
		return -1;
	bpf_loop(GP_SPENT_TRIES, try_again, &x, 0);
	*spent = x.spent;
	return x.done ? 0 : -1;
}

int gp_thread_remove(__u32 pid)
{
	struct gp_thread *t = gp_thread_find(pid);

	if (!t)
		return -1;
	set_service(t, GP_SLOT_NONE);
	t->pid = 0;
	return 0;
}

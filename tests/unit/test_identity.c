// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "identity.h"
#include "own.h"

#define ID "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
#define ID2 "a5e6ad8d1ea8c4b1ad5c0b7a1ff0ebd4b8bdf2d5e2dbd0a3a5a5aebd3b5f5a2c"
#define UID "6f0ac3b2-58a3-4e0f-9f4b-2a7cfbd0b1aa"
#define UID_ "6f0ac3b2_58a3_4e0f_9f4b_2a7cfbd0b1aa"
#define STATIC_UID "4e3fcbd21d0c4cbb0e0e5e6b8d6c3a1f"

struct form {
	const char *path, *service, *unit, *container;
};

static void check(const struct gp_claim *claim, const struct form *f)
{
	gp_auto(gp_identity_free) struct gp_identity *id = NULL;

	assert_int_equal(gp_identity_new(&id, claim), 0);
	assert_string_equal(id->service, f->service);
	assert_string_equal(id->unit ?: "-", f->unit ?: "-");
	assert_string_equal(id->container ?: "-", f->container ?: "-");
	assert_null(id->exe);
}

/* All of the path is root's. */
static void check_forms(const struct form *forms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct gp_claim claim = {
			.program = "prog",
			.cgroup = forms[i].path,
			.trusted = strlen(forms[i].path),
		};

		check(&claim, &forms[i]);
	}
}

static void test_units(void **state)
{
	static const struct form forms[] = {
		{"/system.slice/nginx.service", "nginx", "nginx.service", NULL},
		{"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1",
		 "getty@tty1.service", NULL},
		{"/system.slice/system-postgresql.slice/postgresql@15-main.service",
		 "postgresql@15-main", "postgresql@15-main.service", NULL},
		{"/apache2.service", "apache2", "apache2.service", NULL},
		/* what a unit calls the groups inside of it */
		{"/system.slice/foo.service/nginx.service", "foo", "foo.service", NULL},
		{"/system.slice/foo.service/supervisor", "foo", "foo.service", NULL},
		{"/machine.slice/systemd-nspawn@web.service/payload/system.slice/a.service",
		 "systemd-nspawn@web", "systemd-nspawn@web.service", NULL},
		{"/init.scope", "prog", NULL, NULL},
		{"/system.slice", "prog", NULL, NULL},
		{"/", "prog", NULL, NULL},
		{"/.service", "prog", NULL, NULL},
		{"/system.slice/nginx.services", "prog", NULL, NULL},
	};

	check_forms(forms, ARRAY_SIZE(forms));
}

static void test_containers(void **state)
{
	static const struct form forms[] = {
		/* Docker: by itself, by systemd, by itself in a slice */
		{"/docker/" ID, "9ec39b91f3d7", NULL, ID},
		{"/system.slice/docker-" ID ".scope", "9ec39b91f3d7", NULL, ID},
		{"/web.slice/docker-" ID ".scope", "9ec39b91f3d7", NULL, ID},
		{"/" ID, "9ec39b91f3d7", NULL, ID},
		/* what runs in a container calls groups as it likes */
		{"/docker/" ID "/docker/" ID2, "9ec39b91f3d7", NULL, ID},
		{"/docker/" ID "/system.slice/nginx.service", "9ec39b91f3d7", NULL, ID},
		/* podman: by systemd, by itself, in a pod, in a unit (quadlet, --cgroups=split) */
		{"/machine.slice/libpod-" ID ".scope/container", "9ec39b91f3d7", NULL, ID},
		{"/libpod_parent/libpod-" ID, "9ec39b91f3d7", NULL, ID},
		{"/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID ".scope",
		 "9ec39b91f3d7", NULL, ID},
		{"/system.slice/web.service/libpod-payload-" ID, "9ec39b91f3d7", "web.service", ID},
		{"/machine.slice/libpod-conmon-" ID ".scope", "prog", NULL, NULL},
		{"/libpod_parent/conmon", "prog", NULL, NULL},
		/* containerd by nerdctl; cri-o */
		{"/system.slice/nerdctl-" ID ".scope", "9ec39b91f3d7", NULL, ID},
		{"/default/" ID, "9ec39b91f3d7", NULL, ID},
		{"/crio-" ID ".scope/container", "9ec39b91f3d7", NULL, ID},
		{"/machine.slice/crio-conmon-" ID ".scope", "prog", NULL, NULL},
		/* LXC, LXD, Incus, Proxmox; of now and before */
		{"/lxc.payload.web", "web", NULL, "web"},
		{"/lxc.payload.web/system.slice/nginx.service", "web", NULL, "web"},
		{"/lxc.payload/web", "web", NULL, "web"},
		{"/lxc/101/ns/system.slice/nginx.service", "101", NULL, "101"},
		{"/lxc.monitor.web", "prog", NULL, NULL},
		/* nearly */
		{"/docker/0" ID, "prog", NULL, NULL},
		{"/docker/g" ID, "prog", NULL, NULL},
		{"/docker/9ec39b91f3d7", "prog", NULL, NULL},
	};

	check_forms(forms, ARRAY_SIZE(forms));
}

static void test_pods(void **state)
{
	static const struct form forms[] = {
		/* by systemd: the three classes of service */
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		 ".slice/cri-containerd-" ID ".scope",
		 "9ec39b91f3d7", "pod" UID, ID},
		{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
		 ".slice/crio-" ID ".scope/container",
		 "9ec39b91f3d7", "pod" UID, ID},
		{"/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" ID ".scope", "9ec39b91f3d7",
		 "pod" UID, ID},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID
		 ".slice/cri-containerd-" ID ".scope",
		 "9ec39b91f3d7", "pod" STATIC_UID, ID},
		/* without */
		{"/kubepods/burstable/pod" UID "/" ID, "9ec39b91f3d7", "pod" UID, ID},
		{"/kubepods/besteffort/pod" UID "/crio-" ID, "9ec39b91f3d7", "pod" UID, ID},
		{"/kubepods/pod" UID "/" ID, "9ec39b91f3d7", "pod" UID, ID},
		/* the kubelet without, containerd with */
		{"/system.slice/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
		 "9ec39b91f3d7", "pod" UID, ID},
		{"/system.slice/containerd.service/kubepods-burstable-pod" UID_
		 ".slice:cri-containerd:" ID,
		 "9ec39b91f3d7", "containerd.service", ID},
		{"/kubepods/burstable/podium/" ID, "9ec39b91f3d7", NULL, ID},
	};

	check_forms(forms, ARRAY_SIZE(forms));
}

static void test_sessions(void **state)
{
	static const struct form forms[] = {
		{"/user.slice/user-1000.slice/session-3.scope", "user@1000/prog", NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service",
		 "user@1000/prog", NULL, NULL},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID
		 ".scope/container",
		 "user@1000/prog", NULL, NULL},
		{"/user.slice/user-0.slice/session-1.scope", "user@0/prog", NULL, NULL},
		{"/user.slice", "user@0/prog", NULL, NULL},
		{"/user.slice/strange.service", "user@0/prog", NULL, NULL},
		{"/user.slices/a.service", "a", "a.service", NULL},
	};

	check_forms(forms, ARRAY_SIZE(forms));
}

/* Where the path is somebody else's from a group on, what he calls the rest says nothing. */
static void test_groups_of_others(void **state)
{
	static const struct form forms[] = {
		{"/delegated/nginx.service", "user@1000/prog", NULL, NULL},
		{"/delegated/docker/" ID, "user@1000/prog", NULL, NULL},
		{"/system.slice/web.service/nginx.service", "web", "web.service", NULL},
		{"/lxc.payload.web/lxc.payload.bank", "web", NULL, "web"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *path = forms[i].path;
		const char *end = strstr(path, "/nginx.service") ?: strstr(path, "/docker/");
		struct gp_claim claim = {
			.program = "prog", .user = 1000, .cgroup = path, .owner = 1000};

		end = end ?: strstr(path, "/lxc.payload.bank");
		claim.trusted = end - path;
		check(&claim, &forms[i]);
	}
}

static void test_programs(void **state)
{
	const struct {
		struct gp_claim claim;
		const char *service;
	} cases[] = {
		{{.program = "nginx"}, "nginx"},
		{{.program = "nginx", .user = 33}, "nginx"},
		{{.program = "nginx", .user = 33, .taken = true}, "user@33/nginx"},
		{{.program = "kernel", .user = 33}, "user@33/kernel"},
		{{.program = "other", .user = 33}, "user@33/other"},
		{{.program = "other"}, "other"},
		{{.program = "nginx", .cgroup = "/", .trusted = 1}, "nginx"},
		{{.program = "", .cgroup = "/jobs", .trusted = 5}, "jobs"},
		{{.program = "", .cgroup = "/system.slice/cron.service", .trusted = 26}, "cron"},
		{{.program = ""}, "unknown"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct form f = {.service = cases[i].service};

		if (!strcmp(f.service, "cron"))
			f.unit = "cron.service";
		check(&cases[i].claim, &f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),	 cmocka_unit_test(test_containers),
		cmocka_unit_test(test_pods),	 cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_programs), cmocka_unit_test(test_groups_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

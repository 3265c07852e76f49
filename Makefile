# SPDX-License-Identifier: GPL-2.0-or-later
# goldpan: `make` leaves the program at build/goldpan, with the BPF objects inside it.

PREFIX ?= /usr/local
DESTDIR ?=
B := build
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PKGS := libbpf popt smartcols yajl libcap-ng libseccomp
TEST_PKGS := cmocka jansson

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
	-Wno-unused-parameter
CFLAGS ?= -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -Iinclude -Iuser -I$(B) \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDFLAGS ?= -pie -Wl,-z,relro,-z,now
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lelf -lz -lm -lpthread
TEST_LIBS := $(shell pkg-config --libs $(TEST_PKGS) 2>/dev/null)
# Kernel types are declared in bpf/kernel.bpf.h: nothing comes from the build machine's kernel.
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-declarations -Iinclude -Ibpf -idirafter /usr/include/$(shell $(CC) -print-multiarch)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Definitions of maps first: bpftool 7.1 loses their offsets when it meets the uses before.
BPF_OBJS := $(B)/bpf/maps.bpf.o \
	$(patsubst bpf/%.c,$(B)/bpf/%.o,$(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c)))
USER_OBJS := $(patsubst user/%.c,$(B)/user/%.o,$(wildcard user/*.c))
LOAD_OBJS := $(patsubst tests/bench/%.c,$(B)/tests/bench/%.o,$(wildcard tests/bench/load*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SERVERS := $(patsubst tests/servers/%.c,$(B)/tests/servers/%,$(wildcard tests/servers/*.c))
# Where there is no Go, the tests that need it say so.
GO := $(shell command -v go)
SERVERS += $(if $(GO),$(patsubst tests/servers/%.go,$(B)/tests/servers/%, \
	$(wildcard tests/servers/*.go)))
# What unit tests may use: everything that needs neither the kernel's maps nor privileges.
PURE := arena cgroup_figures cgroup_name cgroup_stats config culprit drain events export_json \
	export_table format hierarchy hist hook host_stats identity json_endpoint json_event json_operation \
	json_record json_writer keeper kernel_text local log names only option origin output place privileges \
	protocol protocol_dns protocol_http protocol_postgresql protocol_redis room settings sink snapshot \
	snapshot_copy snapshot_operation surroundings syscalls table_operation table_row table_text table_where text \
	time_text
PURE_OBJS := $(foreach m,$(PURE),$(if $(wildcard user/$(m).c),$(B)/asan/$(m).o))

all: $(B)/goldpan $(B)/floor $(B)/load $(SERVERS)

$(B)/goldpan: $(USER_OBJS)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/user/%.o: user/%.c | $(B)/goldpan.skel.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bpf/%.o: bpf/%.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/goldpan.bpf.o: $(BPF_OBJS) Makefile
	$(BPFTOOL) gen object $@ $(BPF_OBJS)

$(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# The objects that include the skeleton are rebuilt with it, from the first build on.
$(B)/user/loader.o: $(B)/goldpan.skel.h

# The floor program of the benchmark: the least that any program on these hooks can cost.
$(B)/floor.bpf.o: tests/bench/floor.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(B)/floor.bpf.d -c -o $@ $<

$(B)/floor: tests/bench/floor.c $(B)/floor.skel.h
	$(CC) $(ALL_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< $(LIBS)

# The benchmark's load generator.
$(B)/load: $(LOAD_OBJS)
	$(CC) $(LDFLAGS) -o $@ $^

$(B)/tests/bench/%.o: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Servers with known behaviour, for the tests.
$(B)/tests/servers/%: tests/servers/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(LDFLAGS) -o $@ $< -lpthread

$(B)/tests/servers/%: tests/servers/%.go
	@mkdir -p $(@D)
	CGO_ENABLED=0 GO111MODULE=off GOENV=off GOFLAGS= GOPATH=$(abspath $(B)/go) \
		GOCACHE=$(abspath $(B)/go/cache) $(GO) build -o $@ $<

$(B)/asan/%.o: user/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -U_FORTIFY_SOURCE $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/tests/unit/%: tests/unit/%.c $(PURE_OBJS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -U_FORTIFY_SOURCE $(SANITIZE) -MMD -MP $(LDFLAGS) -o $@ $< $(PURE_OBJS) \
		$(TEST_LIBS) $(LIBS)

# Fuzzers take the parsers as they are, so they need nothing that is compiled apart.
$(B)/tests/fuzz/%: tests/fuzz/%.c
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -Iinclude -Itests/unit -MMD -MP -o $@ $<

unit: $(UNIT_TESTS)

fuzzers: $(FUZZERS)

check: all unit
	scripts/check --no-setup

install: $(B)/goldpan
	install -D -m 0755 $(B)/goldpan $(DESTDIR)$(PREFIX)/bin/goldpan
	sed 's|/usr/local|$(PREFIX)|' scripts/goldpan.service >$(B)/goldpan.service
	install -D -m 0644 $(B)/goldpan.service \
		$(DESTDIR)$(PREFIX)/lib/systemd/system/goldpan.service

clean:
	rm -rf $(B)

.PHONY: all unit fuzzers check install clean
.DELETE_ON_ERROR:
.SECONDARY:

-include $(wildcard $(B)/*.d $(B)/*/*.d $(B)/tests/*/*.d)

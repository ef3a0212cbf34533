# SPDX-License-Identifier: Apache-2.0
# Tests, benchmarks, fuzzers, lint. Test files are found by wildcard: tests/*/test_*.c are unit tests,
# tests/*/*.bats test the programs from outside; those of tests/cgroups and tests/systemd in a virtual machine.

BUILD_DEPS := gcc libc6-dev pkg-config libcap-dev libseccomp-dev libyajl-dev libsystemd-dev \
	libarchive-dev libzstd-dev libssl-dev zlib1g-dev libyaml-dev protobuf-c-compiler libprotobuf-c-dev $(if $(filter x86_64 aarch64,$(ARCH)),libisal-dev)
DEMO_DEPS := busybox-static jq
CROSS_DEPS := gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf gcc-riscv64-linux-gnu \
	libc6-dev-arm64-cross libc6-dev-armhf-cross libc6-dev-riscv64-cross
CHECK_DEPS := $(DEMO_DEPS) $(CROSS_DEPS) libcmocka-dev bats gojq procps iproute2 util-linux uidmap python3 \
	strace scdoc cppcheck clang libclang-rt-14-dev bsdutils umoci skopeo buildah podman libarchive-tools zstd pigz xz-utils \
	containernetworking-plugins iptables nftables passt slirp4netns containerd protobuf-compiler python3-protobuf python3-grpcio python3-yaml curl \
	resource-agents libxml2-utils shellcheck corosync pacemaker pacemaker-cli-utils openssh-server parallel clustershell age
# The virtual machine of tests/vm.
VM_DEPS := $(shell . tests/vm/arch 2>/dev/null && echo $$VM_QEMU_PACKAGE) e2fsprogs
BENCH_DEPS := $(DEMO_DEPS) $(VM_DEPS) crun runc strace python3 skopeo umoci podman containerd e2fsprogs containernetworking-plugins iptables iperf3 \
	protobuf-compiler python3-protobuf

UNIT_SRC := $(wildcard tests/*/test_*.c)
UNIT := $(UNIT_SRC:%.c=$(BUILD)/%)
BATS := $(wildcard tests/*/*.bats)
BATS_VM := $(wildcard tests/cgroups/*.bats tests/systemd/*.bats tests/netns/compare_vm*.bats tests/shim/*_vm.bats)
# Chains for tests/run: files of one chain come one after the other, and four chains run at the same time on two processors, as tests
# wait for more than half of their time. So what computes (the virtual machine, sanitizers, sweeps) is begun beside what waits. The
# longest chains come first.
comma := ,
space := $(subst ,, )
chain = $(subst $(space),+,$(strip $(1)))
chains = $(subst $(space),$(comma),$(strip $(1)))
# What is felt by others, or feels them, is alone.
BATS_ALONE := $(addprefix tests/security/,concurrency.bats identity.bats lifecycles.bats race.bats)
# They have a place of their own below.
BATS_SWEEPS := tests/image/hostile.bats $(addprefix tests/security/,exec_attack.bats hostile_rootfs.bats)
BATS_PLACED := $(BATS_VM) $(BATS_ALONE) $(BATS_SWEEPS)
bats_of = $(filter-out $(BATS_PLACED),$(foreach dir,$(1),$(wildcard tests/$(dir)/*.bats)))
BATS_CHAINED := docs fault cli shim netns image supervise monitor compose ocf site fleet
# Of directories that are not named here: with the commands.
BATS_REST := $(filter-out $(BATS_PLACED) $(call bats_of,$(BATS_CHAINED)),$(BATS))
SUITE_VM := tests/vm/check.sh
SUITE_VM_MORE := $(addprefix tests/vm/,check-systemd.sh check-reboot.sh selftest.sh)
SUITES = $(call chains,$(foreach files,SUITE_VM SUITE_VM_MORE SUITE_SITE SUITE_SHIM SUITE_SUPERVISE SUITE_NETNS SUITE_IMAGE \
		SUITE_MONITOR SUITE_SAN SUITE_CLI SUITE_SWEEPS SUITE_UNIT,$(call chain,$($(files))))) \
	$(BATS_ALONE)
SUITE_SUPERVISE = $(call bats_of,supervise)
SUITE_MONITOR = $(call bats_of,monitor compose ocf)
SUITE_SHIM = $(call bats_of,shim)
SUITE_SITE = $(call bats_of,site fleet)
SUITE_NETNS = $(call bats_of,netns)
SUITE_IMAGE = $(call bats_of,image)
SUITE_CLI = $(call bats_of,cli) $(BATS_REST)
SUITE_SAN = $(UNIT:$(BUILD)/%=$(SAN_BUILD)/%) tests/sanitized.sh
SUITE_UNIT = $(UNIT) $(call bats_of,docs fault)
SUITE_SWEEPS = tests/fault/sample.sh $(BATS_SWEEPS) tests/fuzz/fuzz.sh
FUZZ := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 3
SAN_BUILD := $(BUILD)/san
export BUILD TOTE := $(abspath $(BUILD))/tote
export FAULT := $(abspath $(BUILD))/tests/fault/fault

TEST_CFLAGS = $(CPPFLAGS) -std=gnu11 $(WARN) -g -O1 $(if $(SAN),-fsanitize=$(SAN))

$(BUILD)/tests/%: tests/%.c $(BUILD)/libcmd.a $(BUILD)/libtote.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(TEST_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libcmd.a $(BUILD)/libtote.a -lcmocka -lcap -lseccomp -lyajl -lm -Wl,--as-needed $(IMAGE_LIBS)
$(BUILD)/tests/shim/%: tests/shim/%.c $(BUILD)/libshim.a $(BUILD)/libcmd.a $(BUILD)/libtote.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(TEST_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libshim.a $(BUILD)/libcmd.a $(BUILD)/libtote.a -lcmocka -lprotobuf-c -lcap -lyajl -lm $(TEST_LDFLAGS)
# What this test plays itself.
$(BUILD)/tests/shim/test_order: TEST_LDFLAGS := $(patsubst %,-Wl$(comma)--wrap=%,waitpid waitid kill clock_gettime worker_begin \
	workers_collect workers_reaped events_publish io_begin io_drained io_exited io_last_call io_close io_end cg_tree_find cg_open \
	cg_done cg_kill cg_pids oom_add oom_check oom_remove address_unlink file_replace shim_log ttrpc_reply ttrpc_fail)
# Of the programs of `tote up`: all but main(), as tests/NAME wants it.
define program_tests
$(BUILD)/lib$(1).a: $$(patsubst %.c,$(BUILD)/obj/%.o,$$(filter-out %/main.c,$$(wildcard cmd/tote-$(1)/*.c)))
	@rm -f $$@
	$$(call say,AR  )
	$$(Q)$$(AR) rcs $$@ $$^
$(BUILD)/tests/$(1)/%: tests/$(1)/%.c $(BUILD)/lib$(1).a $(BUILD)/libcmd.a $(BUILD)/libtote.a
	@mkdir -p $$(@D)
	$$(call say,TEST)
	$$(Q)$$(CC) $$(TEST_CFLAGS) -MMD -MP -MF $$@.d -o $$@ $$< $(BUILD)/lib$(1).a $(BUILD)/libcmd.a $(BUILD)/libtote.a -lcmocka $$(LIBS_tote-$(1)) -lcap -lyajl -lm $$(TEST_LDFLAGS)
endef
$(foreach p,monitor compose supervise,$(eval $(call program_tests,$(p))))
-include $(UNIT:=.d)

$(BUILD)/tests/fault/fault: $(wildcard tests/fault/*.c tests/fault/*.h)
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -I. -o $@ $(filter %.c,$^)

BENCH_TOOLS := $(addprefix $(BUILD)/tests/bench/,bench files_cost floor greeter memlock nothing round_trip)
$(BUILD)/tests/bench/bench: tests/bench/bench.c tests/bench/report.c
$(BUILD)/tests/bench/files_cost: tests/bench/files_cost.c
$(BUILD)/tests/bench/floor: tests/bench/floor.c
$(BUILD)/tests/bench/greeter: tests/bench/greeter.c
$(BUILD)/tests/bench/memlock: tests/bench/memlock.c
$(BUILD)/tests/bench/nothing: tests/bench/nothing.c
$(BUILD)/tests/bench/round_trip: tests/bench/round_trip.c
$(BENCH_TOOLS): tests/bench/bench.h
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -I. -static -o $@ $(filter %.c,$^)
$(BUILD)/tests/bench/limits_cost: tests/bench/limits_cost.c $(BUILD)/libtote.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu11 $(WARN) -O2 -static -o $@ $^ -lm
$(BUILD)/tests/bench/unpack_floor: tests/bench/unpack_floor.c
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 $(if $(ISAL),-DTOTE_ISAL) -o $@ $^ $(IMAGE_LIBS)
# The same program with shared libraries, to show what linking costs.
$(BUILD)/tote-shared: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard cmd/tote/*.c)) $(BUILD)/libcmd.a $(BUILD)/libtote.a
	$(call say,LINK)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcap -lseccomp -lyajl -lm

# Only clang has libFuzzer. Everything is compiled once for all fuzzers, and each takes of it what it needs: so nothing that starts
# containers or opens sockets.
FUZZ_SAN := -fsanitize=address,undefined
FUZZ_SRC := $(filter-out netns/%,$(LIB_SRC)) $(addprefix netns/,conf.c conf_dir.c ip.c result.c result_write.c)
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/%.o) $(BUILD)/fuzz/seccomp_builtin.o
FUZZ_CC = clang $(CPPFLAGS) $(if $(ISAL),-DTOTE_ISAL) -std=gnu11 -g -O1
$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/seccomp_builtin.o: $(BUILD)/gen/seccomp_builtin.c
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -c -o $@ $<
# Of the shim what reads what others send.
FUZZ_SHIM := $(patsubst %,$(BUILD)/fuzz/cmd/containerd-shim-tote-v2/%.o,wire ttrpc ttrpc_call events events_send log)
FUZZ_OBJ += $(FUZZ_SHIM) $(BUILD)/fuzz/shim.pb-c.o
$(FUZZ_SHIM): | $(SHIM_GEN).c
$(BUILD)/fuzz/shim.pb-c.o: $(SHIM_GEN).c
	@mkdir -p $(@D)
	$(call say,FUZZ)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -c -o $@ $<
# Of tote-compose what reads the file.
FUZZ_OBJ += $(patsubst %.c,$(BUILD)/fuzz/%.o,$(wildcard $(addprefix cmd/tote-compose/,yaml*.c interpolate.c variables.c reader.c scalar.c \
	merge.c model*.c translate*.c)))
-include $(FUZZ_OBJ:.o=.d)
$(BUILD)/fuzz/libfuzz.a: $(FUZZ_OBJ)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^
$(FUZZ): $(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libfuzz.a
	@mkdir -p $(@D)
	$(call say,TEST)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^ -lcap -lseccomp -lyajl -lyaml -lprotobuf-c -lm $(IMAGE_LIBS)

setup-build:
	@tests/setup $(BUILD_DEPS)
setup-check: setup-build
	@tests/setup $(CHECK_DEPS) $(VM_DEPS)

demo: setup-build
	@tests/setup $(DEMO_DEPS)
	@$(MAKE) --no-print-directory all
	@tests/demo

# No root and under a minute: what to run while working.
# It waits for 18 s, so it begins first.
UNIT_WAITS := %/test_io_copy
check-fast:
	@$(MAKE) --no-print-directory -j2 all unit
	@tests/run $(call chains,$(filter $(UNIT_WAITS),$(UNIT)) $(filter-out $(UNIT_WAITS),$(UNIT)))

# Each in a make of its own, as only now everything that they ask for is installed.
check: setup-check
	@$(MAKE) --no-print-directory -j2 WERROR=1 all unit fault-tool fuzz-tools
	@$(MAKE) --no-print-directory -j2 check-cross
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory -j2 BUILD=$(SAN_BUILD) SAN=address,undefined all unit
	@tests/run $(SUITES)

# Only what runs in the virtual machine. One test file, or a shell in there: see tests/vm/run.
check-vm: setup-check
	@$(MAKE) --no-print-directory -j2 all unit fault-tool
	@tests/run $(SUITE_VM) $(SUITE_VM_MORE) tests/vm/check-net-more.sh tests/vm/check-cri.sh

unit: $(UNIT) $(BUILD)/tests/image/hostile
fault-tool: $(BUILD)/tests/fault/fault
fuzz-tools: $(FUZZ)

# Every system call of every command, not a sample.
sweep: all fault-tool
	STEP=1 tests/fault/sweep.sh
	STEP=1 TIMEOUT=14400 tests/run tests/netns/crash.bats tests/netns/loop.bats tests/netns/run_crash.bats tests/shim/bootstrap.bats tests/shim/crash.bats \
		tests/shim/daemon.bats

# Stores and fleets at their real size, and a real Pacemaker on three boxes; an hour.
fleet-check: setup-check
	@$(MAKE) --no-print-directory -j2 all
	tests/fleet/campaign.sh
	ALL=1 UNSTEADY=0 TIMEOUT=7200 tests/run $(wildcard tests/fleet/*.bats tests/site/*.bats tests/site/rig/*.bats)

# What `make check` does a few hundred times, for an hour.
soak: all unit fault-tool
	EXECS=1000 HOSTILE_COUNT=5000 ALL=1 ROUNDS=200 LIFECYCLES=10000 RACES=300 UNSTEADY=0 TIMEOUT=7200 tests/run \
		tests/security/exec_attack.bats tests/image/hostile.bats tests/supervise/kill.bats $(BATS_ALONE)

fuzz: setup-check fuzz-tools
	FUZZ_SECONDS=$(if $(filter 3,$(FUZZ_SECONDS)),600,$(FUZZ_SECONDS)) sh tests/fuzz/fuzz.sh

bench: setup-build
	@tests/setup $(BENCH_DEPS)
	@$(MAKE) --no-print-directory all $(BUILD)/tote-shared $(BENCH_TOOLS) $(BUILD)/tests/bench/limits_cost \
		$(BUILD)/tests/bench/unpack_floor
	@RESULTS=$(BUILD)/tests/bench/results tests/bench/run.sh
	@echo
	@python3 tests/bench/images.py
	@echo
	@python3 tests/bench/network.py
	@echo
	@python3 tests/bench/shim.py
	@echo
	@python3 tests/bench/supervise.py
	@echo
	@if grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then tests/bench/limits.sh; \
		else tests/vm/run -- $$(cat $(BUILD)/tests/bench/results) tests/bench/limits.sh; fi

# Where functions lie in static programs: after a change of what is called, or of the C library.
layout: setup-build
	@tests/setup $(BENCH_DEPS)
	@BUILD=$(BUILD) tests/bench/layout/layout.py

# What runs beside hostile processes, and the code that clones, for every processor we know.
CROSS_ARCHES := aarch64-linux-gnu arm-linux-gnueabihf riscv64-linux-gnu
check-cross: $(CROSS_ARCHES:%=cross-%)
cross-%:
	@$(MAKE) --no-print-directory CROSS=$*- BUILD=$(BUILD)/cross/$* WERROR=1 $(BUILD)/cross/$*/tote-init
	@$*-gcc $(CPPFLAGS) -std=gnu11 $(WARN) -Werror -O2 -c -o $(BUILD)/cross/$*/clone.o oci/clone.c

LINTED := $(wildcard lib/*.c cgroups/*.c netns/*.c oci/*.c oci/image/*.c oci/supervise/*.c cmd/*.c cmd/*/*.c)
lint: $(SHIM_GEN).c
	@mkdir -p $(BUILD)/lint
	@echo "gcc -fanalyzer"
	@printf '%s\n' $(filter-out cmd/tote-init/%,$(LINTED)) | \
		xargs -P 2 -n 1 $(CC) $(CPPFLAGS) -DTOTE_COMMIT='""' -std=gnu11 $(WARN) -O1 -fanalyzer -Werror -c -o /dev/null
	@echo "cppcheck"
	@cppcheck -j 2 --quiet --std=c11 --error-exitcode=1 --enable=warning,portability --inline-suppr --suppressions-list=tests/cppcheck.txt \
		-I. -D_GNU_SOURCE -D__x86_64__ -DTOTE_VERSION='""' -DTOTE_COMMIT='""' $(filter-out cmd/tote-init/start.c,$(LINTED))

.PHONY: demo check fleet-check check-fast check-vm check-cross unit fault-tool fuzz-tools sweep soak fuzz bench layout lint setup-build setup-check

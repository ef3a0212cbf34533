# SPDX-License-Identifier: Apache-2.0
# GNU make, no configuration step. Wildcards find the sources: adding a file touches nothing here.
#
#   make                 every program, build/NAME, and build/libtote.a
#   make demo            fresh Debian 12: install what the build lacks, build, run a first container
#   make check           fresh Debian 12: install what the tests lack, run them all
#   make check-fast      unit tests and golden plans: no root, under a minute
#   make check-vm        the tests that need a pure v2 host, in a virtual machine
#   make sweep soak fleet-check fuzz bench layout format lint install clean
#
#   BUILD=DIR  SAN=address,undefined  WERROR=1  CROSS=aarch64-linux-gnu-  DESTDIR=  PREFIX=/usr/local

BUILD ?= build
PREFIX ?= /usr/local
VERSION := 0.1.0
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
CROSS ?=
CC := $(CROSS)gcc
AR := $(CROSS)ar
PKG_CONFIG ?= pkg-config

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers \
	$(if $(WERROR),-Werror)
# V=1 shows whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)' $@)

ARCH := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
HARDEN := -fstack-protector-strong -fstack-clash-protection $(if $(filter x86_64,$(ARCH)),-fcf-protection) \
	$(if $(SAN),,-D_FORTIFY_SOURCE=3) -ftrivial-auto-var-init=zero
CPPFLAGS += -I. -I$(BUILD)/gen -D_GNU_SOURCE -DTOTE_VERSION='"$(VERSION)"'
# Small: all of it is mapped at every start, and none of it is hot next to what the kernel does.
CFLAGS ?= -Os -g
ALL_CFLAGS := -std=gnu11 $(WARN) $(HARDEN) -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ALL_LDFLAGS := -Wl,--as-needed,-z,relro,-z,now,-z,noexecstack,--gc-sections $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))

# cmd/layout.ld names what ordinary commands call. Next to each other it is a third of the program, and the kernel maps no more than that
# and what is near, 64 KiB around each page that is touched: 830 KiB at a peak in place of 1,440. The linker's own script gets the list in
# front of all other code. LAYOUT= leaves it out, for linkers that have no such script.
LAYOUT := $(BUILD)/gen/static.ld
# A static program starts in half the time of a shared one (make bench prints both). Sanitizers need shared libraries.
STATIC := $(if $(SAN),,-static $(LAYOUT:%=-Wl,-T,%))
LIBS := -lcap $(if $(SAN),-lyajl,-lyajl_s) -lm

LIB_SRC := $(wildcard lib/*.c cgroups/*.c oci/*.c oci/image/*.c oci/supervise/*.c netns/*.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
GEN_OBJ := $(BUILD)/obj/gen/seccomp_builtin.o $(BUILD)/obj/gen/tote_init_blob.o

# Rules of a build.mk come before ours.
.DEFAULT_GOAL := all

# Programs: one folder each. cmd/NAME/build.mk may set STATIC_NAME, LIBS_NAME and NOINST_NAME.
PROGRAMS := $(filter-out tote-init,$(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.c)))))
-include $(wildcard cmd/*/build.mk)

all: $(PROGRAMS:%=$(BUILD)/%) $(BUILD)/tote-init $(BUILD)/libtote.a

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC  )
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# libcore.a: everything but what is generated with its help. libtote.a: all of it, for programs that embed tote.
$(BUILD)/libcore.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR  )
	$(Q)$(AR) rcs $@ $^

$(BUILD)/libtote.a: $(LIB_OBJ) $(GEN_OBJ)
	@rm -f $@
	$(call say,AR  )
	$(Q)$(AR) rcs $@ $^

# libcmd.a: what the programs share.
CMD_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard cmd/*.c))
$(BUILD)/libcmd.a: $(CMD_OBJ)
	@rm -f $@
	$(call say,AR  )
	$(Q)$(AR) rcs $@ $^

$(BUILD)/gen/static.ld: cmd/layout.ld
	@mkdir -p $(@D)
	$(call say,GEN )
	$(Q)$(CC) -static $(ALL_LDFLAGS) -Wl,--verbose -o $@.none 2>/dev/null | sed '1,/^=====/d; /^=====/,$$d' > $@.own; test -s $@.own
	$(Q)awk '/^ *\*\(\.text\.unlikely /{while ((getline line < "cmd/layout.ld") > 0) print line} {print}' $@.own > $@

define program_rules
$(BUILD)/$(1): $$(patsubst %.c,$(BUILD)/obj/%.o,$$(wildcard cmd/$(1)/*.c)) $(BUILD)/libcmd.a $(if $(LIBS_$(1)_CORE),$(BUILD)/libcore.a,$(BUILD)/libtote.a) $(if $(STATIC_$(1))$(SAN),,$(LAYOUT))
	$$(call say,LINK)
	$$(Q)$(CC) $(ALL_CFLAGS) $(if $(STATIC_$(1)),$(filter-out no,$(STATIC_$(1))),$(STATIC)) $(ALL_LDFLAGS) -o $$@ $$(filter-out %.ld,$$^) $(LIBS_$(1)) $(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# tote-init: no libc at all. -nostdlib and --fatal-warnings make anything else fail to link.
INIT_CFLAGS := -std=gnu11 $(WARN) -Os -g -ffreestanding -nostdlib -static -fno-stack-protector -fno-pie -no-pie \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-builtin -ftrivial-auto-var-init=uninitialized \
	-Wl,-z,noexecstack,-z,separate-code,--fatal-warnings,--build-id=none,--gc-sections -ffunction-sections
ifneq ($(ARCH),x86_64)
INIT_CFLAGS := $(filter-out -fcf-protection=none,$(INIT_CFLAGS))
endif
$(BUILD)/tote-init: $(wildcard cmd/tote-init/*.c) $(wildcard cmd/tote-init/*.h) lib/sys.h oci/plan_format.h oci/sync.h
	@mkdir -p $(@D)
	$(call say,INIT)
	$(Q)$(CC) -I. $(INIT_CFLAGS) -o $@.debug $(filter %.c,$^) -lgcc
	$(Q)$(CROSS)objcopy --strip-all $@.debug $@

$(BUILD)/obj/gen/tote_init_blob.o: oci/tote_init_blob.S $(BUILD)/tote-init
	@mkdir -p $(@D)
	$(call say,AS  )
	$(Q)$(CC) -DTOTE_INIT_FILE='"$(BUILD)/tote-init"' -c -o $@ $<

$(BUILD)/gen/seccomp_builtin.c: $(BUILD)/tote-seccomp
	@mkdir -p $(@D)
	$(call say,GEN )
	$(Q)$(BUILD)/tote-seccomp builtin > $@.tmp && mv $@.tmp $@
$(BUILD)/obj/gen/seccomp_builtin.o: $(BUILD)/gen/seccomp_builtin.c
	@mkdir -p $(@D)
	$(call say,CC  )
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# The commit is in one object only, so that a commit does not rebuild the rest.
$(BUILD)/obj/cmd/tote/version.o: CPPFLAGS += -DTOTE_COMMIT='"$(COMMIT)"'
$(BUILD)/obj/cmd/tote/version.o: $(BUILD)/gen/commit
$(BUILD)/gen/commit: FORCE
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@

include $(wildcard tests/tests.mk man/man.mk)

install: all man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/include/tote
	install -m 755 $(foreach p,$(PROGRAMS),$(if $(NOINST_$(p)),,$(BUILD)/$(p))) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(BUILD)/libtote.a $(DESTDIR)$(PREFIX)/lib
	for d in lib cgroups netns oci oci/image oci/supervise; do \
		install -d $(DESTDIR)$(PREFIX)/include/tote/$$d; \
		install -m 644 $$(ls $$d/*.h | grep -v '_private\.h$$') $(DESTDIR)$(PREFIX)/include/tote/$$d; \
	done
	$(MAKE) install-man install-share install-scripts install-ocf

# tote-site and tote-fleet, and the parts that they find in ../libexec/tote.
install-scripts:
	install -d $(DESTDIR)$(PREFIX)/bin
	for p in tote-site tote-fleet; do \
		sed 's|@VERSION@|$(VERSION)|' cmd/$$p/$$p | install -m 755 /dev/stdin $(DESTDIR)$(PREFIX)/bin/$$p || exit; \
	done
	for d in tote-site tote-fleet script; do \
		to=$(DESTDIR)$(PREFIX)/libexec/tote/$${d#tote-}; \
		install -d $$to; \
		for f in cmd/$$d/*; do \
			[ $$f = cmd/$$d/$$d ] || install -m $$(stat -c %a $$f) $$f $$to || exit; \
		done; \
	done

# What other programs are told about tote. @PREFIX@ stands for where it is.
install-share:
	for f in $$(cd share && find . -type f | sort); do \
		install -d $(DESTDIR)$(PREFIX)/share/tote/$$(dirname $$f); \
		sed 's|@PREFIX@|$(PREFIX)|g' share/$$f | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/tote/$$f || exit; \
	done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 $(DESTDIR)$(PREFIX)/share/tote/systemd/* $(DESTDIR)$(PREFIX)/lib/systemd/system

# Pacemaker looks below /usr/lib/ocf: with another PREFIX it takes a link, see ocf_tote_container(7).
install-ocf:
	install -d $(DESTDIR)$(PREFIX)/lib/ocf/resource.d/tote
	install -m 755 cmd/ocf/container $(DESTDIR)$(PREFIX)/lib/ocf/resource.d/tote

FORMATTED := $(wildcard lib/*.[ch] cgroups/*.[ch] netns/*.[ch] oci/*.[ch] oci/image/*.[ch] oci/supervise/*.[ch] cmd/*.[ch] cmd/*/*.[ch] tests/*/*.[ch])
format:
	clang-format -i $(FORMATTED)

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(foreach p,$(PROGRAMS),$(patsubst %.c,$(BUILD)/obj/%.d,$(wildcard cmd/$(p)/*.c)))

.PHONY: all install install-share install-scripts install-ocf format clean FORCE
.DELETE_ON_ERROR:

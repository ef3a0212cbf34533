# The messages of shim.proto in C; libprotobuf-c comes static.
SHIM_GEN := $(BUILD)/gen/shim/shim.pb-c
LIBS_containerd-shim-tote-v2 := -lprotobuf-c

$(SHIM_GEN).c: cmd/containerd-shim-tote-v2/shim.proto
	@mkdir -p $(@D)
	$(call say,GEN )
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $<
$(SHIM_GEN).h: $(SHIM_GEN).c
$(BUILD)/obj/gen/shim/shim.pb-c.o: $(SHIM_GEN).c
	@mkdir -p $(@D)
	$(call say,CC  )
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes -c -o $@ $<
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard cmd/containerd-shim-tote-v2/*.c)): | $(SHIM_GEN).c
$(BUILD)/containerd-shim-tote-v2: $(BUILD)/obj/gen/shim/shim.pb-c.o

# For tests and fuzzers: all but main().
SHIM_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard cmd/containerd-shim-tote-v2/*.c)))
$(BUILD)/libshim.a: $(SHIM_OBJ) $(BUILD)/obj/gen/shim/shim.pb-c.o
	@rm -f $@
	$(call say,AR  )
	$(Q)$(AR) rcs $@ $^

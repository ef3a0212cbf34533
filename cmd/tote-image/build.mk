# Debian has no static libarchive, and libcrypto's would bring half of the size again. ISA-L decodes gzip twice as fast as zlib,
# which is used where there is none (it is for x86-64 and arm64 only).
STATIC_tote-image := no
ISAL := $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo yes)
IMAGE_LIBS := -larchive -lzstd -lcrypto -lz $(if $(ISAL),-lisal) -lpthread
LIBS_tote-image := $(IMAGE_LIBS)
$(BUILD)/obj/oci/image/decode.o: CPPFLAGS += $(if $(ISAL),-DTOTE_ISAL)

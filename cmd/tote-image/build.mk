# libarchive alone is linked in: its shared object brings ICU and libxml2, 4 ms of every start, and what is used of it is small.
# libcrypto's static form would bring half of the size again. ISA-L decodes gzip twice as fast as zlib,
# which is used where there is none (it is for x86-64 and arm64 only).
STATIC_tote-image := no
ISAL := $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo yes)
IMAGE_LIBS := -larchive -lzstd -lcrypto -lz $(if $(ISAL),-lisal) -lpthread
ARCHIVE := $(if $(filter /%,$(shell $(CC) -print-file-name=libarchive.a)),-l:libarchive.a,-larchive)
LIBS_tote-image := $(if $(SAN),$(IMAGE_LIBS),$(ARCHIVE) $(filter-out -larchive,$(IMAGE_LIBS)))
$(BUILD)/obj/oci/image/decode.o: CPPFLAGS += $(if $(ISAL),-DTOTE_ISAL)

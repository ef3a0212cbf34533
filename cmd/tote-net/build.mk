# Debian has no static libmnl. Nothing generated is needed.
STATIC_tote-net := no
LIBS_tote-net := -lmnl
LIBS_tote-net_CORE := yes

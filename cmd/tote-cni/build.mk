# Debian has no static libmnl. Nothing generated is needed.
STATIC_tote-cni := no
LIBS_tote-cni := -lmnl
LIBS_tote-cni_CORE := yes

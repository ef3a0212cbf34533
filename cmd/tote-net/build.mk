# Nothing generated is needed.
LIBS_tote-net_CORE := yes

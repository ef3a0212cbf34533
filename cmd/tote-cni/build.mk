# Nothing generated is needed.
LIBS_tote-cni_CORE := yes

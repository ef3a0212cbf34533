# Debian has no static libsystemd. Nothing generated is needed.
STATIC_tote-systemd := no
LIBS_tote-systemd := -lsystemd
LIBS_tote-systemd_CORE := yes

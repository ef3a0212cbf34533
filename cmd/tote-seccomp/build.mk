# SPDX-License-Identifier: Apache-2.0
# It runs while libtote.a is built, so it cannot be linked with what it makes; and it alone needs libseccomp.
LIBS_tote-seccomp_CORE := y
LIBS_tote-seccomp := -lseccomp

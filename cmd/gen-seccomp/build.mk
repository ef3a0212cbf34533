# SPDX-License-Identifier: Apache-2.0
# Runs while tote is built, so it is not installed, and it cannot be linked with what it makes.
NOINST_gen-seccomp := y
LIBS_gen-seccomp_CORE := y

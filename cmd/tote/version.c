/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "oci/spec.h"

#include <seccomp.h>
#include <stdio.h>
#include <yajl/yajl_version.h>

void print_version(void)
{
	int yajl = yajl_version();

	printf("tote version " TOTE_VERSION "\ncommit: " TOTE_COMMIT "\nspec: " SPEC_VERSION "\n");
	printf("libseccomp: %u.%u.%u\nyajl: %d.%d.%d\n", SCMP_VER_MAJOR, SCMP_VER_MINOR,
	       SCMP_VER_MICRO, yajl / 10000, yajl / 100 % 100, yajl % 100);
	printf("+SECCOMP +CAP +IDMAP +CGROUP2 +SYSTEMD -CRIU\n");
}

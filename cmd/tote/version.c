/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "oci/spec.h"

#include <seccomp.h>
#include <stdio.h>
#include <yajl/yajl_version.h>

void print_version(void)
{
	const struct scmp_version *sc = seccomp_version();
	int yajl = yajl_version();

	printf("tote version " TOTE_VERSION "\ncommit: " TOTE_COMMIT "\nspec: " SPEC_VERSION "\n");
	printf("libseccomp: %u.%u.%u\nyajl: %d.%d.%d\n", sc->major, sc->minor, sc->micro, yajl / 10000, yajl / 100 % 100,
	       yajl % 100);
	printf("+SECCOMP +CAP +IDMAP +CGROUP2 -SYSTEMD -CRIU\n");
}

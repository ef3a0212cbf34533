/* SPDX-License-Identifier: Apache-2.0 */
/* Specs as short texts, for the tests of oci/spec*.c. */
#ifndef TESTS_OCI_SPEC_TEXT_H
#define TESTS_OCI_SPEC_TEXT_H

#include "lib/arena.h"
#include "lib/cleanup.h"
#include "oci/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the headers above before its own. */
#include <cmocka.h>

/* Texts are JSON with single quotes for double ones. SPEC() is a whole spec around further members.
 */
#define SPEC(members) "{'ociVersion':'1.2.0','root':{'path':'rootfs'}," members "}"
#define PROCESS(members) SPEC("'process':{'args':['sh'],'cwd':'/'," members "}")
#define ALL_NAMESPACES                                                                             \
	"'namespaces':[{'type':'mount'},{'type':'pid'},{'type':'network'},{'type':'uts'},"         \
	"{'type':'ipc'},{'type':'user'},{'type':'cgroup'},{'type':'time'}]"
#define LINUX(members) SPEC("'linux':{" ALL_NAMESPACES "," members "}")
#define RESOURCES(members) LINUX("'resources':{" members "}")
#define SECCOMP(members) LINUX("'seccomp':{" members "}")
#define DEVICE(members) LINUX("'devices':[{" members "}]")
#define RULE(members) SECCOMP("'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{" members "}]")
#define MAPPINGS(members) LINUX("'uidMappings':[" members "]")

static inline char *to_json(struct arena *a, const char *text)
{
	char *json = arena_strdup(a, text);

	for (char *c = json; (c = strchr(c, '\''));)
		*c = '"';
	return json;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/info.h"

#include "cmd/containerd-shim-tote-v2/args.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/fd.h"
#include "oci/features.h"
#include "oci/spec.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <yajl/yajl_version.h>

/* As containerd's typeurl package names Go's features.Features; the value is JSON. */
#define FEATURES_TYPE "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

static int write_info(struct err *err)
{
	Shim__RuntimeInfo info = SHIM__RUNTIME_INFO__INIT;
	Shim__RuntimeVersion version = SHIM__RUNTIME_VERSION__INIT;
	Shim__Any features = SHIM__ANY__INIT;
	autobuf in = BUF_INIT, json = BUF_INIT, out = BUF_INIT;
	int r = args_slurp_stdin(&in, err);

	if (r < 0)
		return r;
	features_write(&json);
	features.type_url = (char *)FEATURES_TYPE;
	features.value.data = (uint8_t *)json.data;
	features.value.len = json.len;
	version.version = (char *)TOTE_VERSION;
	info.name = (char *)"io.containerd.tote.v2";
	info.version = &version;
	info.features = &features;
	if (in.len)
		info.options = wire_unpack(&shim__any__descriptor, in.data, in.len);
	wire_pack(&info.base, &out);
	r = fd_write_full(STDOUT_FILENO, out.data, out.len);
	return r < 0 ? err_code(err, r, "write to stdout") : 0;
}

int info_main(void)
{
	struct err err;

	if (write_info(&err) == 0)
		return 0;
	args_complain(&err);
	return 1;
}

void info_print_version(void)
{
	int yajl = yajl_version();

	printf("containerd-shim-tote-v2 version " TOTE_VERSION "\nspec: " SPEC_VERSION
	       "\nprotobuf-c: %s\nyajl: %d.%d.%d\n",
	       protobuf_c_version(), yajl / 10000, yajl / 100 % 100, yajl % 100);
}

void info_print_usage(void)
{
	puts("usage: containerd-shim-tote-v2 [FLAG...] start|delete\n"
	     "containerd runs it: start leaves a server behind, delete clears up.\n"
	     "  -namespace NAME   of the container\n"
	     "  -id ID            of the container\n"
	     "  -bundle DIR       its bundle; else start takes the working directory\n"
	     "  -address PATH     the socket of containerd\n"
	     "  -debug            log more\n"
	     "  -info             write what the runtime can do, as a message, and end\n"
	     "  -v, -version      print the version and end\n"
	     "  -h, -help         print this and end");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote-image/image.h"

#include "lib/cleanup.h"

#include <archive.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <zstd.h>

static const struct verb *const verbs[] = {
	&verb_load,   &verb_images, &verb_inspect,	    &verb_tag,	       &verb_rmi,
	&verb_gc,     &verb_df,	    &verb_verify,	    &verb_bundle,      &verb_save,
	&verb_export, &verb_import, &verb_remove_container, &verb_fill_volume,
};

static void print_version(void)
{
	printf("tote-image version %s\n%s\nzstd %s\n%s\n", TOTE_VERSION, archive_version_string(),
	       ZSTD_versionString(), OpenSSL_version(OPENSSL_VERSION));
}

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "tote-image",
		.help = "takes images in, keeps them and hands them out; tote executes it",
		.verbs = verbs,
		.count = ARRAY_SIZE(verbs),
		.print_version = print_version,
		.without_root = true,
	};

	return program_main(&program, argc, argv);
}

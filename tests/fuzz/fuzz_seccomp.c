/* SPDX-License-Identifier: Apache-2.0 */
/* A linux.seccomp object of unknown origin, up to the BPF program. What the spec takes must compile
 * or say why not. */
#include "lib/buf.h"
#include "oci/seccomp.h"
#include "oci/spec.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile(const struct spec_seccomp *seccomp)
{
	autobuf form = BUF_INIT, again = BUF_INIT, bpf = BUF_INIT;
	struct err err = { 0 };
	int r;

	seccomp_canonical(seccomp, &form);
	seccomp_canonical(seccomp, &again);
	if (form.len != again.len || memcmp(form.data, again.data, form.len) != 0)
		abort();
	r = seccomp_compile(seccomp, &bpf, &err);
	if (r < 0 ? (!err.msg[0] || bpf.len) : (!bpf.len || bpf.len % sizeof(struct sock_filter)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] =
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"seccomp\":";
	autoarena arena = ARENA_INIT;
	autobuf text = BUF_INIT;
	struct spec *spec;
	struct err err = { 0 };

	buf_adds(&text, head);
	buf_add(&text, data, size);
	buf_adds(&text, "}}");
	if (spec_parse(text.data, text.len, &arena, &spec, &err) == 0 && spec->linux_.seccomp)
		compile(spec->linux_.seccomp);
	return 0;
}

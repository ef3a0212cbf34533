/* SPDX-License-Identifier: Apache-2.0 */
/* A state.json of any bytes is either refused with one line or means what it means when it is
 * written and read again. */
#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir_path[] = "/tmp/fuzz_state.XXXXXX";
static int dir = -1;

static void remove_dir(void)
{
	unlinkat(dir, STATE_FILE, 0);
	rmdir(dir_path);
}

static void make_dir(void)
{
	if (!mkdtemp(dir_path) || (dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	atexit(remove_dir);
}

static void write_file(const uint8_t *data, size_t size)
{
	autofd fd = fd_create(dir, STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || fd_write_full(fd, data, size) < 0)
		abort();
}

static void oci_form(const struct state *st, struct buf *out)
{
	struct json_writer w;

	json_writer_init(&w, out, false);
	state_write_oci(st, STATUS_RUNNING, st->init.pid, &w);
	json_writer_done(&w);
}

static void same_text(const char *a, const char *b)
{
	if (!a != !b || (a && strcmp(a, b) != 0))
		abort();
}

static void same_state(const struct state *a, const struct state *b)
{
	autobuf a_text = BUF_INIT, b_text = BUF_INIT;

	oci_form(a, &a_text);
	oci_form(b, &b_text);
	same_text(buf_str(&a_text), buf_str(&b_text));
	same_text(a->cgroup_path, b->cgroup_path);
	same_text(a->clos, b->clos);
	same_text(a->init.boot_id, b->init.boot_id);
	if (a->init.pid != b->init.pid || a->init.start_time != b->init.start_time ||
	    a->made != b->made || a->cgroup_levels != b->cgroup_levels ||
	    a->net_devices.count != b->net_devices.count)
		abort();
	for (size_t i = 0; i < a->net_devices.count; i++)
		same_text(a->net_devices.items[i], b->net_devices.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoarena a = ARENA_INIT;
	struct state st, again;
	struct err err = { 0 };

	if (dir < 0)
		make_dir();
	write_file(data, size);
	if (state_load(dir, &a, &st, &err) < 0) {
		if (!err.msg[0] || strchr(err.msg, '\n'))
			abort();
		return 0;
	}
	proc_alive(&st.init);
	if (state_save(dir, &st, &err) < 0 || state_load(dir, &a, &again, &err) < 0)
		abort();
	same_state(&st, &again);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/container.h"

#include "lib/cleanup.h"
#include "lib/fd.h"
#include "oci/hooks.h"
#include "oci/notify.h"
#include "oci/plan.h"
#include "oci/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int refuse(const struct container *c, enum status status, struct err *err)
{
	if (status == STATUS_STOPPED)
		return err_set(err, ESRCH,
			       "container %s: cannot start: container not running (it has stopped)",
			       c->st.id);
	return err_set(err, EBUSY, "container %s: cannot start: it is %s", c->st.id,
		       status_name(status));
}

static int connect_to_init(const struct container *c, int *ret_sock, struct err *err)
{
	autofd sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char path[64];
	int r;

	if (sock < 0)
		return err_errno(err, "make a socket");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/" STATE_START_SOCKET, c->dir_fd);
	r = fd_connect(sock, path);
	/* Nobody listens: a start before us was killed when it had told init, and the program runs. */
	if (r == -ECONNREFUSED) {
		unlinkat(c->dir_fd, STATE_START_SOCKET, 0);
		return refuse(c, container_status(c), err);
	}
	if (r < 0)
		return err_code(err, r, "start container %s", c->st.id);
	*ret_sock = take_fd(&sock);
	return 0;
}

/* After its start only these steps are left; the step's number would need the plan, its kind is
 * enough. */
static int failed(const struct container *c, const struct sync_msg *m, struct err *err)
{
	struct step s = { .op = (enum step_op)m->op, .path = "startContainer", .data = "" };
	autobuf text = BUF_INIT;

	if (s.op == STEP_EXEC)
		return err_code(err, m->value, "exec: \"%s\"", c->spec->process->args.items[0]);
	step_text(&s, &text);
	if (m->value < -HOOK_FAILED)
		return err_set(err, EIO, "%s: ended with code %d", buf_str(&text),
			       -m->value - HOOK_FAILED);
	return err_code(err, m->value, "%s", buf_str(&text));
}

static int run_program(struct container *c, struct err *err)
{
	struct sync_msg m = { .what = SYNC_START };
	autofd sock = -1;
	ssize_t n;
	int r = connect_to_init(c, &sock, err);

	if (r < 0)
		return r;
	r = fd_send_message(sock, &m, sizeof(m));
	if (r < 0)
		return err_code(err, r, "start container %s", c->st.id);
	n = fd_read_full(sock, &m, sizeof(m));
	/* Told first, unlinked then: a start killed in between leaves a container that looks
	 * created, and runs. */
	unlinkat(c->dir_fd, STATE_START_SOCKET, 0);
	if (n == sizeof(m) && m.what == SYNC_FAILED)
		return failed(c, &m, err);
	return n < 0 && n != -ECONNRESET ? err_code(err, (int)n, "hear from container %s", c->st.id)
					 : 0;
}

static int poststart(struct container *c, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;
	struct err ignored;
	int r;

	if (!c->spec->hooks.list[HOOK_POSTSTART].count)
		return 0;
	json_writer_init(&w, &text, false);
	state_write_oci(&c->st, STATUS_RUNNING, c->st.init.pid, &w);
	json_writer_done(&w);
	r = hooks_run(c->spec, HOOK_POSTSTART, c->st.bundle, buf_str(&text), NULL, err);
	/* runtime.md, "Lifecycle", step 9: the error stops the container. */
	if (r < 0)
		container_kill(c, SIGKILL, false, &ignored);
	return r;
}

int container_start(struct container *c, struct err *err)
{
	enum status status = container_status(c);
	int r = container_spec(c, err);

	if (r < 0)
		return r;
	if (status != STATUS_CREATED)
		return refuse(c, status, err);
	c->notify_fd = notify_open(c, err);
	if (c->notify_fd < -1)
		return c->notify_fd;
	r = run_program(c, err);
	return r < 0 ? r : poststart(c, err);
}

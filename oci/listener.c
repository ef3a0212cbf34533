/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/listener.h"

#include "oci/container.h"

int listener_hand_over(const struct spec_seccomp *seccomp, const struct state *st,
		       enum status status, pid_t pid, int fd, struct err *err)
{
	autobuf text = BUF_INIT;
	struct json_writer w;
	int r;

	if (fd < 0)
		return 0;
	json_writer_init(&w, &text, false);
	json_begin_object(&w);
	json_pair_string(&w, "ociVersion", SPEC_VERSION);
	json_key(&w, "fds");
	json_begin_array(&w);
	json_put_string(&w, "seccompFd");
	json_end_array(&w);
	json_pair_i64(&w, "pid", pid);
	if (seccomp->listener_metadata)
		json_pair_string(&w, "metadata", seccomp->listener_metadata);
	json_key(&w, "state");
	state_write_oci(st, status, st->init.pid, &w);
	json_end_object(&w);
	json_writer_done(&w);
	r = send_fd_to_socket(seccomp->listener_path, buf_str(&text), fd, err);
	return r < 0 ? err_prefix(err, "linux.seccomp.listenerPath") : 0;
}

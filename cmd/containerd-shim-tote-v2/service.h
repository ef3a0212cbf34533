/* SPDX-License-Identifier: Apache-2.0 */
/* The Task service: method names and what answers them. */
#ifndef SHIM_SERVICE_H
#define SHIM_SERVICE_H

#include "cmd/containerd-shim-tote-v2/server.h"
#include "cmd/containerd-shim-tote-v2/task.h"
#include "shim/shim.pb-c.h"

/* The handler of ttrpc_server. */
void service_handle(struct ttrpc_server *server, struct ttrpc_call *call, const char *service,
		    const char *method, const uint8_t *payload, size_t len);

/* Answers with a message of shim.proto. */
void service_reply(struct ttrpc_call *call, const ProtobufCMessage *message);

/* Answered at once; service_ask.c and service_act.c. */
typedef void service_method(struct server *server, struct ttrpc_call *call, void *request);
service_method service_state, service_wait, service_pids, service_stats, service_connect;
service_method service_kill, service_exec, service_resize_pty, service_close_io, service_shutdown,
	service_checkpoint;

/* The task, or the process of it; else the call is answered and NULL returned. */
struct task *service_task(struct server *server, const char *id, struct ttrpc_call *call);
struct process *service_process(struct server *server, const char *id, const char *exec_id,
				struct ttrpc_call *call);

#endif

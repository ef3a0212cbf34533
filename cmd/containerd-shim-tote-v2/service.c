/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/containerd-shim-tote-v2/service.h"

#include "cmd/containerd-shim-tote-v2/op.h"
#include "cmd/containerd-shim-tote-v2/wire.h"
#include "lib/cleanup.h"

#include <string.h>

void service_reply(struct ttrpc_call *call, const ProtobufCMessage *message)
{
	autobuf out = BUF_INIT;

	wire_pack(message, &out);
	ttrpc_reply(call, out.data, out.len);
}

struct task *service_task(struct server *server, const char *id, struct ttrpc_call *call)
{
	struct task *task = task_find(server, id);

	if (!task)
		ttrpc_fail(call, TTRPC_NOT_FOUND, "container not created: not found");
	return task;
}

struct process *service_process(struct server *server, const char *id, const char *exec_id,
				struct ttrpc_call *call)
{
	struct task *task = service_task(server, id, call);
	struct process *p = task ? process_find(task, exec_id) : NULL;

	if (task && !p)
		ttrpc_fail(call, TTRPC_NOT_FOUND, "process does not exist %s: not found", exec_id);
	return p;
}

/* The process that a request is about, by its fields id and exec_id. */
typedef struct process *find_process(struct server *server, struct ttrpc_call *call,
				     const void *request);

#define BY_ID(name, type)                                                                          \
	static struct process *name(struct server *server, struct ttrpc_call *call,                \
				    const void *request)                                           \
	{                                                                                          \
		const type *from = request;                                                        \
                                                                                                   \
		return service_process(server, from->id, "", call);                                \
	}
#define BY_EXEC_ID(name, type)                                                                     \
	static struct process *name(struct server *server, struct ttrpc_call *call,                \
				    const void *request)                                           \
	{                                                                                          \
		const type *from = request;                                                        \
                                                                                                   \
		return service_process(server, from->id, from->exec_id, call);                     \
	}

BY_EXEC_ID(of_start, Shim__StartRequest)
BY_EXEC_ID(of_delete, Shim__DeleteRequest)
BY_ID(of_pause, Shim__PauseRequest)
BY_ID(of_resume, Shim__ResumeRequest)
BY_ID(of_update, Shim__UpdateRequest)

/* It exists for nobody else until it is made, but its name is taken. */
static struct process *of_create(struct server *server, struct ttrpc_call *call,
				 const void *request)
{
	const Shim__CreateRequest *from = request;

	for_list (task, &server->tasks, struct task, link) {
		if (strcmp(task->id, from->id) != 0)
			continue;
		ttrpc_fail(call, TTRPC_ALREADY_EXISTS, "container %s: already exists", from->id);
		return NULL;
	}
	if (from->checkpoint[0]) {
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "restore from a checkpoint: not implemented");
		return NULL;
	}
	return &task_new(server, from->id, from->bundle)->init;
}

/* Either answered at once or an operation, for init and, where that differs, for execs. */
static const struct method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	service_method *answer;
	find_process *process;
	const struct op_kind *op, *exec_op;
} methods[] = {
	{ "State", &shim__state_request__descriptor, service_state },
	{ "Create", &shim__create_request__descriptor, NULL, of_create, &op_create },
	{ "Start", &shim__start_request__descriptor, NULL, of_start, &op_start, &op_exec_start },
	{ "Delete", &shim__delete_request__descriptor, NULL, of_delete, &op_delete,
	  &op_exec_delete },
	{ "Pids", &shim__pids_request__descriptor, service_pids },
	{ "Pause", &shim__pause_request__descriptor, NULL, of_pause, &op_pause },
	{ "Resume", &shim__resume_request__descriptor, NULL, of_resume, &op_resume },
	{ "Checkpoint", &shim__checkpoint_request__descriptor, service_checkpoint },
	{ "Kill", &shim__kill_request__descriptor, service_kill },
	{ "Exec", &shim__exec_request__descriptor, service_exec },
	{ "ResizePty", &shim__resize_pty_request__descriptor, service_resize_pty },
	{ "CloseIO", &shim__close_iorequest__descriptor, service_close_io },
	{ "Update", &shim__update_request__descriptor, NULL, of_update, &op_update },
	{ "Wait", &shim__wait_request__descriptor, service_wait },
	{ "Stats", &shim__stats_request__descriptor, service_stats },
	{ "Connect", &shim__connect_request__descriptor, service_connect },
	{ "Shutdown", &shim__shutdown_request__descriptor, service_shutdown },
};

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static bool is_served(const char *service)
{
	return strcmp(service, "containerd.task.v2.Task") == 0 ||
	       strcmp(service, "containerd.task.v3.Task") == 0;
}

void service_handle(struct ttrpc_server *ttrpc, struct ttrpc_call *call, const char *service,
		    const char *method, const uint8_t *payload, size_t len)
{
	struct server *server = container_of(ttrpc, struct server, ttrpc);
	const struct method *m = find_method(method);
	struct process *p;
	void *request;

	if (!is_served(service)) {
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "service %s", service);
		return;
	}
	if (!m) {
		ttrpc_fail(call, TTRPC_UNIMPLEMENTED, "method %s", method);
		return;
	}
	request = wire_unpack(m->request, payload, len);
	if (!request) {
		ttrpc_fail(call, TTRPC_INVALID_ARGUMENT,
			   "unmarshal request error: invalid argument");
		return;
	}
	if (m->answer) {
		m->answer(server, call, request);
		return;
	}
	p = m->process(server, call, request);
	if (p)
		op_add(p == &p->task->init || !m->exec_op ? m->op : m->exec_op, p, call, payload,
		       len);
}

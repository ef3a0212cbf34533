/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orderings. The service, its operations, tasks and the reaper are real; the kernel, workers,
 * streams and containerd are played by this file, in random schedules: everything may end, fail,
 * answer or vanish at any time that it may in life. What is told outside is checked at each step
 * against a model of what containerd may see.
 *
 * TOTE_ORDER_SEED=N plays one schedule again, TOTE_ORDER_COUNT=N so many (10,000).
 */
#include "tests/shim/order_kernel.h"
#include "tests/shim/order_things.h"

#define CALLS 512
#define STEPS 300
#define FINAL_ROUNDS 200

/* --- Events --- */

static uint64_t told, deleted, exec_exits; /* that there were any to speak of */

static void saw_create(const Shim__TaskCreate *e)
{
	int task = number(e->container_id, 'c');
	struct seen *s = seen_of(task, -1);

	HOLDS(!s->exists, "create twice");
	*s = (struct seen){ .exists = true, .pid = (pid_t)e->pid };
	HOLDS(fake_of(s->pid) && fake_of(s->pid)->kind == KIND_INIT &&
		      fake_of(s->pid)->task == task,
	      "create of %d, which is not its init", s->pid);
}

static void saw_start(struct seen *s, uint32_t pid)
{
	HOLDS(s->exists, "start before create");
	HOLDS(!s->started, "start twice");
	HOLDS(!s->exited, "start behind exit");
	HOLDS(!s->pid || s->pid == (pid_t)pid, "start with pid %u", pid);
	s->started = true;
	s->pid = (pid_t)pid;
}

static void saw_exit(const Shim__TaskExit *e)
{
	int task = number(e->container_id, 'c');
	bool init = strcmp(e->id, e->container_id) == 0;
	struct seen *s = seen_of(task, init ? -1 : number(e->id, 'e'));

	HOLDS(init ? s->exists : s->started, "exit before start");
	HOLDS(!s->exited, "exit twice");
	HOLDS(s->reaped && s->status == e->exit_status && s->pid == (pid_t)e->pid,
	      "exit of %u with status %u: it is %d, %u", e->pid, e->exit_status, s->pid, s->status);
	s->exited = true;
	exec_exits += !init;
	for (int i = 0; init && i < EXECS; i++)
		HOLDS(!model[task].execs[i].started || model[task].execs[i].exited,
		      "init's exit is not the last");
}

static void saw_delete(const Shim__TaskDelete *e)
{
	struct seen_task *task = &model[number(e->container_id, 'c')];

	deleted++;
	HOLDS(task->init.exited, "delete before exit");
	HOLDS(task->init.status == e->exit_status, "delete with status %u", e->exit_status);
	for (int i = 0; i < EXECS; i++)
		HOLDS(!task->execs[i].started || task->execs[i].exited, "exec without an exit");
	*task = (struct seen_task){ 0 };
}

static void saw_exec_added(const Shim__TaskExecAdded *e)
{
	int task = number(e->container_id, 'c');
	struct seen *s = seen_of(task, number(e->exec_id, 'e'));

	HOLDS(model[task].init.exists && !model[task].init.exited, "exec added to nothing");
	HOLDS(!s->exists, "exec added twice");
	s->exists = true;
}

static void saw_exec_started(const Shim__TaskExecStarted *e)
{
	int task = number(e->container_id, 'c');

	HOLDS(!model[task].init.exited, "exec started behind init's exit");
	saw_start(seen_of(task, number(e->exec_id, 'e')), e->pid);
}

void __wrap_events_publish(struct events *events, const char *topic, const ProtobufCMessage *m);
void __wrap_events_publish(struct events *events, const char *topic, const ProtobufCMessage *m)
{
	(void)events;
	told++;
	if (strcmp(topic, "/tasks/create") == 0) {
		saw_create((const void *)m);
	} else if (strcmp(topic, "/tasks/start") == 0) {
		const Shim__TaskStart *e = (const void *)m;

		saw_start(seen_of(number(e->container_id, 'c'), -1), e->pid);
	} else if (strcmp(topic, "/tasks/exit") == 0) {
		saw_exit((const void *)m);
	} else if (strcmp(topic, "/tasks/delete") == 0) {
		saw_delete((const void *)m);
	} else if (strcmp(topic, "/tasks/exec-added") == 0) {
		saw_exec_added((const void *)m);
	} else if (strcmp(topic, "/tasks/exec-started") == 0) {
		saw_exec_started((const void *)m);
	}
}

/* --- Calls --- */

enum method {
	CREATE,
	START,
	DELETE,
	WAIT,
	KILL,
	EXEC,
	STATE,
	PAUSE,
	RESUME,
	UPDATE,
	SHUTDOWN,
	METHODS
};

struct call {
	struct ttrpc_call call;
	enum method method;
	int task, exec;
	bool answered;
	enum ttrpc_code code;
};

static struct call *calls[CALLS];
static int call_count;
static int somebody; /* a connection */

static struct call *take_call(struct ttrpc_call *ttrpc)
{
	struct call *call = container_of(ttrpc, struct call, call);

	HOLDS(!call->answered, "method %d answered twice", call->method);
	call->answered = true;
	list_remove(&ttrpc->waiting);
	return call;
}

static void check_wait(const struct seen *s, const void *payload, size_t len)
{
	Shim__WaitResponse *r = shim__wait_response__unpack(NULL, len, payload);

	HOLDS(r, "no answer to Wait");
	if (s->exited)
		HOLDS(r->exit_status == s->status, "Wait tells %u, not %u", r->exit_status,
		      s->status);
	else
		HOLDS(!s->started && r->exit_status == 0, "Wait is answered before the exit");
	shim__wait_response__free_unpacked(r, NULL);
}

static void check_state(const struct seen *s, const void *payload, size_t len)
{
	Shim__StateResponse *r = shim__state_response__unpack(NULL, len, payload);

	HOLDS(r && s->exists, "State of nobody");
	HOLDS((r->status == TASK_STOPPED) == s->exited, "State is %d, exited %d", (int)r->status,
	      s->exited);
	HOLDS((r->status == TASK_CREATED) == (!s->started && !s->exited), "State is %d, started %d",
	      (int)r->status, s->started);
	shim__state_response__free_unpacked(r, NULL);
}

void __wrap_ttrpc_reply(struct ttrpc_call *ttrpc, const void *payload, size_t len);
void __wrap_ttrpc_reply(struct ttrpc_call *ttrpc, const void *payload, size_t len)
{
	struct call *call = take_call(ttrpc);
	struct seen *s;

	if (call->method == SHUTDOWN)
		return;
	s = seen_of(call->task, call->exec);
	switch (call->method) {
	case CREATE:
		HOLDS(s->exists, "Create answered before its event");
		break;
	case START:
		HOLDS(s->started, "Start answered before its event");
		break;
	case WAIT:
		check_wait(s, payload, len);
		break;
	case STATE:
		check_state(s, payload, len);
		break;
	case DELETE:
		if (call->exec < 0) {
			HOLDS(!s->exists, "Delete answered before its event");
		} else {
			HOLDS(!s->started || s->exited, "exec deleted before its exit");
			*s = (struct seen){ 0 };
		}
		break;
	default:
		break;
	}
}

void __wrap_ttrpc_fail(struct ttrpc_call *ttrpc, enum ttrpc_code code, const char *fmt, ...);
void __wrap_ttrpc_fail(struct ttrpc_call *ttrpc, enum ttrpc_code code, const char *fmt, ...)
{
	struct call *call = take_call(ttrpc);

	(void)fmt;
	call->code = code;
	HOLDS(code != TTRPC_OK, "failure without a code");
	if (call->method == WAIT || call->method == STATE)
		HOLDS(!seen_of(call->task, call->exec)->exists, "it exists");
}

/* As ttrpc_call.c does when nobody is there any more. */
static void abandon(struct call *call)
{
	if (call->answered)
		return;
	call->call.connection = NULL;
	if (call->call.waiting.next) {
		list_remove(&call->call.waiting);
		call->answered = true;
	}
}

static void handle(const char *name, struct call *call, const ProtobufCMessage *request)
{
	autobuf payload = BUF_INIT;

	wire_pack(request, &payload);
	service_handle(&server.ttrpc, &call->call, "containerd.task.v2.Task", name,
		       (const uint8_t *)payload.data, payload.len);
	wire_reset();
}

static const int signals[] = { 0, SIGTERM, SIGKILL };

#define SEND(Name, TYPE, ...)                                                                      \
	do {                                                                                       \
		Shim__##Name##Request request = SHIM__##TYPE##_REQUEST__INIT;                      \
                                                                                                   \
		request.id = id;                                                                   \
		__VA_ARGS__;                                                                       \
		handle(#Name, call, &request.base);                                                \
	} while (0)

static struct call *send_call(enum method method, int task, int exec)
{
	struct call *call = call_count < CALLS ? calloc(1, sizeof(*call)) : NULL;
	char id[] = { 'c', (char)('0' + task), '\0' };
	char exec_id[] = { exec < 0 ? '\0' : 'e', (char)('0' + exec), '\0' };
	Shim__Any spec = SHIM__ANY__INIT;

	if (!call)
		return NULL;
	spec.value.data = (uint8_t *)"{}";
	spec.value.len = 2;
	calls[call_count++] = call;
	*call = (struct call){ .method = method, .task = task, .exec = exec };
	call->call.connection = (void *)&somebody;
	switch (method) {
	case CREATE:
		SEND(Create, CREATE, request.bundle = (char *)"/bundle");
		break;
	case START:
		SEND(Start, START, request.exec_id = exec_id);
		break;
	case DELETE:
		SEND(Delete, DELETE, request.exec_id = exec_id);
		break;
	case WAIT:
		SEND(Wait, WAIT, request.exec_id = exec_id);
		break;
	case KILL:
		SEND(Kill, KILL, request.exec_id = exec_id; request.all = percent(30);
		     request.signal = (uint32_t)signals[below(3)]);
		break;
	case EXEC:
		SEND(Exec, EXEC, request.exec_id = exec_id; request.spec = &spec);
		break;
	case STATE:
		SEND(State, STATE, request.exec_id = exec_id);
		break;
	case PAUSE:
		SEND(Pause, PAUSE, );
		break;
	case RESUME:
		SEND(Resume, RESUME, );
		break;
	case UPDATE:
		SEND(Update, UPDATE, request.resources = &spec);
		break;
	default:
		server.loop.stop = false; /* by the idle timer, when there was none */
		SEND(Shutdown, SHUTDOWN, );
		HOLDS(!server.loop.stop || list_empty(&server.tasks), "it ends with containers");
		server.loop.stop = false;
	}
	return call;
}

static void send_any(void)
{
	static const enum method often[] = { CREATE, CREATE, START,  START,   START,  START,  START,
					     EXEC,   EXEC,   EXEC,   EXEC,    WAIT,   WAIT,   WAIT,
					     STATE,  STATE,  KILL,   KILL,    DELETE, DELETE, PAUSE,
					     RESUME, RESUME, UPDATE, SHUTDOWN };
	enum method method = often[below(ARRAY_SIZE(often))];
	int exec = method == EXEC || (method != CREATE &&
				      percent(method == KILL || method == DELETE ? 85 : 60))
			   ? below(EXECS)
			   : -1;

	if (method == PAUSE || method == RESUME || method == UPDATE || method == SHUTDOWN)
		exec = -1;
	send_call(method, below(TASKS), exec);
}

/* --- The schedule --- */

static void pass_time(int ms)
{
	clock_ns += (int64_t)ms * 1000000;
	loop_once(&server.loop, 0);
}

static void drop_connection(void)
{
	for (int i = 0; i < call_count; i++)
		abandon(calls[i]);
}

static void random_step(void)
{
	int n = below(100);

	if (n < 45)
		send_any();
	else if (n < 65)
		step_worker();
	else if (n < 72)
		deliver_one();
	else if (n < 85)
		server_reap(&server);
	else if (n < 89)
		end_one();
	else if (n < 93)
		pass_time(percent(90) ? below(30) : below(13000));
	else if (n < 97)
		drain_one();
	else if (n < 98)
		fake_new(KIND_STRAY, -1, -1);
	else if (n < 99 && call_count)
		abandon(calls[below(call_count)]);
	else if (percent(30))
		drop_connection();
}

static void delete_all(void)
{
	for (int task = 0; task < TASKS; task++) {
		for (int exec = 0; exec < EXECS; exec++)
			if (model[task].execs[exec].exists)
				send_call(DELETE, task, exec);
		if (model[task].init.exists)
			send_call(DELETE, task, -1);
	}
}

static bool all_gone(void)
{
	for (size_t i = 0; i < PIDS; i++)
		if (fakes[i].used)
			return false;
	return list_empty(&server.tasks) && list_empty(&server.loggers);
}

/* Everything ends, and is deleted. */
static void finish(void)
{
	final = true;
	for (int round = 0; round < FINAL_ROUNDS && !all_gone(); round++) {
		for (int i = 0; i < PIDS; i++)
			step_worker();
		for (size_t i = 0; i < PIDS; i++)
			if (fakes[i].used && fakes[i].kind != KIND_WORKER)
				fake_end(&fakes[i], SIGKILL);
		server_reap(&server);
		if (round % 8 == 7)
			delete_all();
		pass_time(below(3000));
	}
	step = -1;
	HOLDS(list_empty(&server.tasks), "a container is left");
	HOLDS(all_gone(), "a process is left");
	for (int i = 0; i < call_count; i++)
		HOLDS(calls[i]->answered, "method %d of c%d e%d is not answered", calls[i]->method,
		      calls[i]->task, calls[i]->exec);
	HOLDS(!tokens && !streams, "descriptors are left: %d, %d", tokens, streams);
	HOLDS(!groups && !watches, "groups are left: %d, %d", groups, watches);
}

static void end_play(void)
{
	finish();
	for (int i = 0; i < call_count; i++)
		free(calls[i]);
	call_count = 0;
}

static void play(uint64_t with)
{
	seed = with;
	chance_state = with * UINT64_C(0x9e3779b97f4a7c15) | 1;
	for (int i = 0; i < 8; i++)
		chance_next();
	final = false;
	for (step = 0; step < STEPS; step++)
		random_step();
	end_play();
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void orders_hold(void **state)
{
	uint64_t one = environment("TOTE_ORDER_SEED", 0);
	uint64_t count = environment("TOTE_ORDER_COUNT", 10000);

	(void)state;
	if (one)
		play(one);
	for (uint64_t i = 1; !one && i <= count; i++)
		play(i);
	/* Else it would have been about nothing. */
	if (!one)
		assert_true(told > 10 * count && deleted > count && exec_exits > count / 2);
}

/* --- Orders that chance seldom finds --- */

/* Its worker does all of its work. */
static void let_work(void)
{
	step_worker();
	deliver_one();
	step_worker();
	server_reap(&server);
}

static void begin_play(void)
{
	seed = 0;
	chance_state = 1;
	final = true;
}

static void running_container(void)
{
	begin_play();
	send_call(CREATE, 0, -1);
	let_work();
	send_call(START, 0, -1);
	let_work();
	assert_true(model[0].init.started);
}

static struct fake *fake_init(void)
{
	return fake_of(model[0].init.pid);
}

/* There is nothing to wait for. */
static void failed_exec_ends_waits(void **state)
{
	struct call *wait, *start;

	(void)state;
	running_container();
	send_call(EXEC, 0, 0);
	wait = send_call(WAIT, 0, 0);
	start = send_call(START, 0, 0);
	fake_end(some_fake(true), SIGKILL);
	server_reap(&server);
	assert_int_equal(start->code, TTRPC_UNKNOWN);
	assert_true(wait->answered);
	assert_int_equal(wait->code, TTRPC_OK);
	end_play();
}

/* With shared pids nobody else would end it, and with it what is told of init. */
static void late_exec_is_killed(void **state)
{
	struct call *wait;

	(void)state;
	running_container();
	fake_init()->shared_pids = no_groups = true;
	send_call(EXEC, 0, 0);
	send_call(START, 0, 0);
	wait = send_call(WAIT, 0, -1);
	step_worker();
	fake_end(fake_init(), 0);
	jobs[0].reported = false;
	server_reap(&server);
	assert_false(wait->answered);
	jobs[0].reported = true;
	server_reap(&server);
	server_reap(&server);
	assert_true(model[0].execs[0].exited);
	assert_true(wait->answered);
	end_play();
}

/* Its output is being waited for, but it has ended. */
static void exec_delete_keeps_no_exit(void **state)
{
	struct call *wait, *del;

	(void)state;
	running_container();
	send_call(EXEC, 0, 0);
	send_call(START, 0, 0);
	let_work();
	wait = send_call(WAIT, 0, -1);
	process_find(task_find(&server, "c0"), "e0")->io.streams[IO_OUT].open = true;
	fake_end(fake_of(model[0].execs[0].pid), 0);
	server_reap(&server);
	del = send_call(DELETE, 0, 0);
	assert_false(del->answered);
	fake_end(fake_init(), 0);
	server_reap(&server);
	assert_true(wait->answered);
	assert_false(del->answered);
	end_play();
}

static void next_operation_finds_it_ended(void **state)
{
	struct call *update, *pause;

	(void)state;
	running_container();
	update = send_call(UPDATE, 0, -1);
	pause = send_call(PAUSE, 0, -1);
	fake_end(fake_init(), 0);
	let_work();
	assert_true(update->answered);
	assert_true(model[0].init.exited);
	assert_true(pause->answered);
	end_play();
}

/* It blocks for ever in its start: there is no output to wait for. */
static void created_is_deleted_at_once(void **state)
{
	struct call *del;
	int64_t before;

	(void)state;
	begin_play();
	send_call(CREATE, 0, -1);
	let_work();
	before = clock_ns;
	task_find(&server, "c0")->init.io.streams[IO_OUT].open = true;
	del = send_call(DELETE, 0, -1);
	for (int i = 0; i < 10 && !del->answered; i++) {
		pass_time(20);
		let_work();
		server_reap(&server);
	}
	assert_true(del->answered && clock_ns - before < INT64_C(1000000000));
	end_play();
}

static void delete_kills_what_is_left(void **state)
{
	struct call *del, *late;

	(void)state;
	begin_play();
	send_call(CREATE, 0, -1);
	let_work();
	fake_init()->shared_pids = no_groups = true;
	send_call(EXEC, 0, 0);
	send_call(START, 0, 0);
	let_work();
	assert_true(model[0].execs[0].started);
	send_call(EXEC, 0, 1);
	del = send_call(DELETE, 0, -1);
	pass_time(20);
	late = send_call(START, 0, 1);
	assert_int_equal(late->code, TTRPC_FAILED_PRECONDITION);
	for (int i = 0; i < 10 && !del->answered; i++) {
		let_work();
		pass_time(20);
	}
	assert_true(del->answered);
	end_play();
}

static void create_for_nobody_is_undone(void **state)
{
	struct call *create;

	(void)state;
	begin_play();
	create = send_call(CREATE, 0, -1);
	step_worker();
	abandon(create);
	deliver_one();
	assert_true(create->answered);
	assert_false(model[0].init.exists);
	let_work();
	server_reap(&server);
	assert_true(list_empty(&server.tasks));
	end_play();
}

static int setup(void **state)
{
	static const struct shim_args args = { .namespace = "test" };

	(void)state;
	memset(model, 0, sizeof(model));
	memset(fakes, 0, sizeof(fakes));
	memset(jobs, 0, sizeof(jobs));
	memset(ios, 0, sizeof(ios));
	no_groups = false;
	tokens = streams = groups = watches = call_count = 0;
	server = (struct server){ .args = &args };
	server.tree.fd = -1;
	clock_ns = INT64_C(1000000000000);
	list_init(&server.tasks);
	list_init(&server.loggers);
	list_init(&server.workers.running);
	list_init(&server.ttrpc.connections);
	return loop_init(&server.loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_timer_clear(&server.idle);
	loop_done(&server.loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(failed_exec_ends_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(late_exec_is_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(exec_delete_keeps_no_exit, setup, teardown),
		cmocka_unit_test_setup_teardown(next_operation_finds_it_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(created_is_deleted_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(delete_kills_what_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(create_for_nobody_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(orders_hold, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

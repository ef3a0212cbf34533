/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers do, with real containers: this process plays the server, and so has to be the parent
 * of every process of a container. Needs root and a static busybox.
 */
#include "cmd/containerd-shim-tote-v2/jobs.h"

#include "lib/buf.h"
#include "lib/fd.h"
#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

static struct loop loop;
static struct workers workers;
static char top[64], root[128], bundle[128], cgroup[64];
static const char *cgroup_of = "";
static bool able;

struct case_worker {
	struct worker worker;
	bool done;
	struct worker_result result;
};

static void note(struct worker *worker, struct worker_result *result)
{
	struct case_worker *w = container_of(worker, struct case_worker, worker);

	w->done = true;
	w->result = *result;
}

/* Runs a job to its end; its result stays until the next one. */
static struct worker_result *run(void (*job)(void *arg, struct worker_result *result), void *arg)
{
	static struct case_worker w;
	int64_t end = loop_now() + PATIENCE_MS;

	memset(&w, 0, sizeof(w));
	assert_int_equal(worker_begin(&workers, &w.worker, job, arg, note), 0);
	while (!w.done && loop_now() < end)
		loop_once(&loop, 100);
	assert_true(w.done);
	return &w.result;
}

static struct worker_result *run_ok(void (*job)(void *arg, struct worker_result *result), void *arg)
{
	struct worker_result *result = run(job, arg);

	if (result->err.code)
		fail_msg("%s", result->err.msg);
	return result;
}

/* What all our children are and wait for. */
static void show_children(void)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "for p in $(cat /proc/%d/task/%d/children); do "
		 "echo \"# $(grep -E '^(Name|State|Pid|NSpid):' /proc/$p/status | xargs) "
		 "$(cat /proc/$p/wchan)\"; done | head -n 20",
		 getpid(), getpid());
	if (system(command) != 0)
		print_message("# no list of children\n");
}

/* Our child, or this fails: exit code, or 128 and the signal. */
static int reap(pid_t pid)
{
	int status, r = 0;

	for (int i = 0; i < PATIENCE_MS / 10 && r == 0; i++) {
		r = waitpid(pid, &status, WNOHANG);
		if (r == 0)
			poll(NULL, 0, 10);
	}
	if (r != pid) {
		show_children();
		fail_msg("%d has not ended (waitpid: %d, %s)", pid, r, strerror(errno));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Workers, stages, midwives: all that is left has ended, and then there is nobody. */
static void reap_strays(void)
{
	int r = 0;

	for (int i = 0; i < PATIENCE_MS / 10 && r >= 0; i++) {
		r = waitpid(-1, NULL, WNOHANG);
		if (r == 0)
			poll(NULL, 0, 10);
	}
	if (r != -1) {
		show_children();
		fail_msg("there are children left");
	}
	assert_int_equal(errno, ECHILD);
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static bool exists(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void write_config(const char *args, const char *namespaces, const char *more)
{
	autobuf text = BUF_INIT;
	char path[256];
	int fd;

	buf_addf(&text,
		 "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"args\":[%"
		 "s],"
		 "\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":0,\"gid\":0}%s},"
		 "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		 "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
		 "{\"destination\":\"/dev/"
		 "pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\","
		 "\"ptmxmode=0666\"]}],"
		 "\"linux\":{\"cgroupsPath\":\"%s%s\",\"namespaces\":[{\"type\":\"mount\"}%s]}}",
		 args, more ? more : "", cgroup, cgroup_of, namespaces);
	snprintf(path, sizeof(path), "%s/config.json", bundle);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text.data, text.len), 0);
	close(fd);
}

static int begin(void **state)
{
	(void)state;
	able = geteuid() == 0 && access("/bin/busybox", X_OK) == 0;
	/* The root of a user namespace is somebody else here. */
	umask(022);
	if (!able)
		return 0;
	snprintf(top, sizeof(top), "/tmp/test_jobs.%d", getpid());
	snprintf(root, sizeof(root), "%s/run/tote/ns", top);
	snprintf(bundle, sizeof(bundle), "%s/bundle", top);
	snprintf(cgroup, sizeof(cgroup), "/test_jobs.%d", getpid());
	shell("mkdir -p %s/image/bin %s/image/proc %s/image/dev %s && cp /bin/busybox "
	      "%s/image/bin/ && for p in "
	      "sh "
	      "sleep cat true; do ln -s busybox %s/image/bin/$p; done",
	      top, top, top, bundle, top, top);
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int end(void **state)
{
	(void)state;
	return able ? system("rm -rf /tmp/test_jobs.$PPID") : 0;
}

static int setup(void **state)
{
	(void)state;
	if (loop_init(&loop) < 0)
		return -1;
	workers_init(&workers, &loop, NULL, NULL);
	return 0;
}

static struct job_container at(void)
{
	return (struct job_container){ root, "ns", "c1", bundle };
}

static int teardown(void **state)
{
	struct job_container job = at();

	(void)state;
	if (able)
		run(job_delete, &job);
	loop_done(&loop);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return 0;
}

#define NEEDS_ROOT()                                                                               \
	do {                                                                                       \
		if (!able)                                                                         \
			skip();                                                                    \
	} while (0)

/* The rootfs is a bind mount of the image. */
static struct worker_result *create(const char *id, bool terminal)
{
	static Shim__Mount mount = SHIM__MOUNT__INIT;
	static Shim__Mount *mounts[] = { &mount };
	static Shim__CreateRequest request = SHIM__CREATE_REQUEST__INIT;
	static char type[] = "bind", source[128], bind[] = "rbind", *options[] = { bind };
	static struct job_create job;

	snprintf(source, sizeof(source), "%s/image", top);
	mount.type = type;
	mount.source = source;
	mount.options = options;
	mount.n_options = 1;
	request.rootfs = mounts;
	request.n_rootfs = 1;
	job = (struct job_create){ .at = at(), .request = &request };
	job.at.id = id;
	job.io.terminal = terminal;
	return run(job_create, &job);
}

static struct worker_result *exec(const char *args)
{
	static char text[512];
	static struct job_exec job;

	snprintf(text, sizeof(text),
		 "{\"args\":[%s],\"cwd\":\"/\",\"env\":[\"PATH=/"
		 "bin\"],\"user\":{\"uid\":0,\"gid\":0}}",
		 args);
	job = (struct job_exec){
		.at = at(), .exec_id = "e1", .process = text, .process_len = strlen(text)
	};
	return run(job_exec, &job);
}

static void whole_life(void)
{
	struct job_container job = at();
	struct worker_result *result = create("c1", false);
	pid_t init = result->pid, child;

	if (result->err.code)
		fail_msg("%s", result->err.msg);
	assert_true(init > 0);
	assert_string_equal(result->root, root);
	assert_string_equal(result->cgroup, cgroup);
	assert_true(exists(bundle, "init.pid"));
	assert_true(exists(bundle, "rootfs/bin"));
	run_ok(job_start, &job);
	result = exec("\"sh\",\"-c\",\"exit 7\"");
	if (result->err.code)
		fail_msg("%s", result->err.msg);
	child = result->pid;
	assert_true(child > 0 && child != init);
	assert_int_equal(reap(child), 7);
	result = exec("\"nosuchbin\"");
	assert_string_equal(result->err.msg,
			    "exec: \"nosuchbin\": executable file not found in $PATH");
	assert_int_equal(kill(init, SIGKILL), 0);
	assert_int_equal(reap(init), 128 + SIGKILL);
	result = exec("\"true\"");
	assert_int_equal(result->err.code, -ESRCH);
	run_ok(job_delete, &job);
	assert_false(exists(root, "c1"));
	assert_false(exists(bundle, "rootfs/bin"));
	/* What is gone is no error. */
	run_ok(job_delete, &job);
	reap_strays();
}

static void own_namespaces(void **state)
{
	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"",
		     ",{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"}", NULL);
	whole_life();
}

/* Its first process is the successor of a stage. */
static void joined_namespaces(void **state)
{
	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"",
		     ",{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/proc/self/ns/net\"}",
		     NULL);
	whole_life();
}

/*
 * A process that fails at once may do so before the one that made it has named it: also then it is
 * not left behind, where it would keep init from ending. One processor makes that likely.
 */
static void execs_that_fail_at_once(void **state)
{
	struct job_container job = at();
	cpu_set_t all, one;
	pid_t init, busy;

	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}", NULL);
	init = create("c1", false)->pid;
	run_ok(job_start, &job);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	busy = fork();
	assert_true(busy >= 0);
	if (!busy) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			__asm__ volatile("");
	}
	for (int i = 0; i < 20; i++)
		assert_int_equal(exec("\"nosuchbin\"")->err.code, -ENOENT);
	sched_setaffinity(0, sizeof(all), &all);
	kill(busy, SIGKILL);
	reap(busy);
	kill(init, SIGKILL);
	assert_int_equal(reap(init), 128 + SIGKILL);
	run_ok(job_delete, &job);
	reap_strays();
}

/* It has to wait for its mappings. */
static void user_namespace(void **state)
{
	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"",
		     ",{\"type\":\"pid\"},{\"type\":\"user\"}],"
		     "\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":1000}],"
		     "\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":1000}],"
		     "\"sysctl\":{},"
		     "\"maskedPaths\":[\"/nothing\"",
		     NULL);
	whole_life();
}

static void missing_program(void **state)
{
	struct worker_result *result;

	(void)state;
	NEEDS_ROOT();
	write_config("\"nosuchbin\"", ",{\"type\":\"pid\"}", NULL);
	result = create("c1", false);
	assert_int_equal(result->err.code, -ENOENT);
	assert_string_equal(result->err.msg,
			    "exec: \"nosuchbin\": executable file not found in $PATH");
	assert_int_equal(result->pid, 0);
	assert_int_equal(result->io.out_from, -1);
	assert_false(exists(root, "c1"));
	assert_false(exists(bundle, "rootfs/bin"));
	reap_strays();
}

static void terminal(void **state)
{
	struct job_container job = at();
	struct worker_result *result;
	const char *hello = "hello\r\n";
	char text[64] = "";
	pid_t pid;
	int fd;

	(void)state;
	NEEDS_ROOT();
	write_config("\"sh\",\"-c\",\"echo hello; sleep 100\"", ",{\"type\":\"pid\"}",
		     ",\"terminal\":true");
	result = create("c1", true);
	if (result->err.code)
		fail_msg("%s", result->err.msg);
	fd = result->io.terminal;
	pid = result->pid;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	run_ok(job_start, &job);
	/* A terminal may give a line in parts. */
	for (size_t len = 0; len < strlen(hello); len = strlen(text)) {
		assert_int_equal(
			poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, PATIENCE_MS), 1);
		assert_true(read(fd, text + len, strlen(hello) - len) > 0);
	}
	assert_string_equal(text, hello);
	close(fd);
	run_ok(job_delete, &job);
	reap(pid);
	/* One side wants a terminal, the other does not. */
	assert_int_equal(create("c1", false)->err.code, -EINVAL);
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}", NULL);
	assert_int_equal(create("c1", true)->err.code, -EINVAL);
	assert_false(exists(root, "c1"));
	assert_false(exists(bundle, "rootfs/bin"));
	reap_strays();
}

/* Without a pid namespace of its own all of them have to be killed. */
static void kill_all(void **state)
{
	struct job_container job = at();
	struct worker_result *result;
	pid_t pid, child;

	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"", "", NULL);
	result = create("c1", false);
	assert_int_equal(result->err.code, 0);
	assert_true(result->kill_all);
	pid = result->pid;
	run_ok(job_start, &job);
	child = exec("\"sleep\",\"100\"")->pid;
	run_ok(job_delete, &job);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	assert_int_equal(reap(child), 128 + SIGKILL);
	reap_strays();
}

static void pause_resume_update(void **state)
{
	struct job_container job = at();
	struct job_update update = { .at = at(), .resources = "{}", .len = 2 };
	pid_t pid;

	(void)state;
	NEEDS_ROOT();
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}", NULL);
	pid = create("c1", false)->pid;
	run_ok(job_start, &job);
	run_ok(job_pause, &job);
	assert_int_equal(exec("\"true\"")->err.code, -EBUSY);
	run_ok(job_resume, &job);
	assert_int_equal(run(job_resume, &job)->err.code, -EINVAL);
	run_ok(job_update, &update);
	update.resources = "[]";
	assert_int_equal(run(job_update, &update)->err.code, -EINVAL);
	run_ok(job_delete, &job);
	reap(pid);
	reap_strays();
}

static void drop(struct worker *worker, struct worker_result *result)
{
	(void)result;
	container_of(worker, struct case_worker, worker)->done = true;
}

/* A worker that is killed in the middle leaves what `delete` finds. */
static void killed_while_creating(void **state)
{
	struct case_worker w = { 0 };
	struct job_container job = at();
	Shim__CreateRequest request = SHIM__CREATE_REQUEST__INIT;
	struct job_create creating = { .at = at(), .request = &request };
	char hooks[512];

	(void)state;
	NEEDS_ROOT();
	shell("rm -rf %s/rootfs && cp -a %s/image %s/rootfs", bundle, top, bundle);
	snprintf(hooks, sizeof(hooks),
		 "},\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\","
		 "\"touch %s/began; exec sleep 30\"]}]",
		 top);
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}", hooks);
	assert_int_equal(worker_begin(&workers, &w.worker, job_create, &creating, drop), 0);
	for (int i = 0; i < 1000 && !exists(top, "began"); i++)
		poll(NULL, 0, 10);
	assert_true(exists(root, "c1"));
	kill(w.worker.pid, SIGKILL);
	waitpid(w.worker.pid, NULL, 0);
	assert_true(workers_reaped(&workers, w.worker.pid));
	run_ok(job_delete, &job);
	assert_false(exists(root, "c1"));
	shell("pkill -P %d sleep; rm -rf %s/rootfs", getpid(), bundle);
	reap_strays();
}

static void group_is_deleted(void **state)
{
	struct job_container pod = at(), other = at();
	struct err err = { 0 };
	pid_t a, b, c;

	(void)state;
	NEEDS_ROOT();
	pod.id = "pod";
	other.id = "other";
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}",
		     "},\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"");
	a = create("pod", false)->pid;
	cgroup_of = "-2";
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}",
		     "},\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"");
	b = create("c1", false)->pid;
	cgroup_of = "-3";
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}",
		     "},\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod2\"");
	c = create("other", false)->pid;
	cgroup_of = "";
	assert_true(a > 0 && b > 0 && c > 0);
	assert_int_equal(job_delete_group(root, "pod", &err), 0);
	assert_int_equal(reap(b), 128 + SIGKILL);
	assert_false(exists(root, "c1"));
	assert_int_equal(reap(a), 128 + SIGKILL);
	assert_false(exists(root, "pod"));
	assert_true(exists(root, "other"));
	assert_int_equal(job_delete_group("/nowhere", "pod", &err), 0);
	run_ok(job_delete, &pod);
	run_ok(job_delete, &other);
	reap(c);
	reap_strays();
}

static struct worker_result *create_with(Shim__RuncOptions *options)
{
	static Shim__Any any = SHIM__ANY__INIT;
	static Shim__CreateRequest request = SHIM__CREATE_REQUEST__INIT;
	static uint8_t packed[512];
	static char type[] = "containerd.runc.v1.Options";
	struct job_create job = { .at = at(), .request = &request };

	any.type_url = type;
	any.value.data = packed;
	any.value.len = shim__runc_options__pack(options, packed);
	request.options = &any;
	return run(job_create, &job);
}

static void options_count(void **state)
{
	Shim__RuncOptions options = SHIM__RUNC_OPTIONS__INIT;
	char other_root[128], missing[] = "nosuchruntime", ours[] = "/usr/bin/tote", text[256] = "";
	struct job_container job = at();
	struct worker_result *result;
	pid_t pid;
	int fd;

	(void)state;
	NEEDS_ROOT();
	shell("rm -rf %s/rootfs && cp -a %s/image %s/rootfs", bundle, top, bundle);
	write_config("\"sleep\",\"100\"", ",{\"type\":\"pid\"}", NULL);
	options.binary_name = missing;
	assert_string_equal(create_with(&options)->err.msg,
			    "exec: \"nosuchruntime\": executable file not found in $PATH");
	options.binary_name = ours;
	snprintf(other_root, sizeof(other_root), "%s/elsewhere", top);
	options.root = other_root;
	result = create_with(&options);
	if (result->err.code)
		fail_msg("%s", result->err.msg);
	pid = result->pid;
	strcat(other_root, "/ns");
	assert_string_equal(result->root, other_root);
	snprintf(text, sizeof(text), "%s/runtime-root", bundle);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	memset(text, 0, sizeof(text));
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_string_equal(text, other_root);
	/* Who was not told of the other root finds it all the same. */
	run_ok(job_create_undo, &job);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	shell("rm -rf %s/rootfs", bundle);
	reap_strays();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(own_namespaces),	TEST(joined_namespaces),   TEST(execs_that_fail_at_once),
		TEST(user_namespace),	TEST(missing_program),	   TEST(terminal),
		TEST(kill_all),		TEST(pause_resume_update), TEST(killed_while_creating),
		TEST(group_is_deleted), TEST(options_count),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

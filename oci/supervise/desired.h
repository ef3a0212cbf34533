/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What should run on this box: one document a project, STATE/PROJECT.json. `tote up` makes it of a
 * Compose file with everything resolved, so that it needs nothing but itself and the image store
 * when the box comes back without a network; the supervisor alone writes it to disk and acts on it.
 *
 * How a container is made is not described but said: the words of a `tote create --image` command,
 * which anybody can type.
 */
#ifndef OCI_SUPERVISE_DESIRED_H
#define OCI_SUPERVISE_DESIRED_H

#include "lib/arena.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/types.h"

/* What a service has that says nothing else. */
#define DESIRED_STOP_GRACE_MS 10000
#define DESIRED_UPDATE_MS 120000
#define DESIRED_LOG_SIZE ((uint64_t)10 << 20)
#define DESIRED_LOG_FILES 3

enum restart_policy { RESTART_NO, RESTART_ALWAYS, RESTART_UNLESS_STOPPED, RESTART_ON_FAILURE };

enum depend_condition { DEPEND_STARTED, DEPEND_HEALTHY, DEPEND_COMPLETED };

struct desired_depend {
	char *service;
	int condition; /* enum depend_condition */
	bool optional; /* a missing or failed one does not keep us from starting */
	bool restart;  /* we are restarted when it was replaced or restarted by a command */
};

enum health_kind { HEALTH_NONE, HEALTH_EXEC, HEALTH_TCP, HEALTH_HTTP };

struct desired_health {
	int kind;	     /* enum health_kind */
	struct strv command; /* HEALTH_EXEC: argv of `tote exec` */
	char *host;	     /* as seen from inside the container; NULL: 127.0.0.1 */
	uint16_t port;	     /* HEALTH_TCP, HEALTH_HTTP */
	char *path;	     /* HEALTH_HTTP: GET; good is a status from 200 to 399 */
	uint32_t interval_ms, timeout_ms, start_period_ms, start_interval_ms;
	uint32_t retries; /* so many in a row make it unhealthy */
	bool restart;	  /* an unhealthy container is restarted */
};

enum log_driver { LOG_LOCAL, LOG_JSON_FILE, LOG_JOURNALD, LOG_NONE };

struct desired_log {
	int driver;	   /* enum log_driver */
	uint64_t max_size; /* bytes of one file */
	uint32_t max_files;
};

/* The contents of a secret or a config, a file on a tmpfs inside. */
struct desired_file {
	char *content; /* STATE/files/CONTENT */
	char *target;  /* absolute */
	uint32_t uid, gid, mode;
};

enum activate_mode { ACTIVATE_START, ACTIVATE_THAW };

/* Scale to zero: who connects starts it. */
struct desired_activate {
	struct strv listen; /* "8080", "127.0.0.1:8080", "[::]:8080": of the host */
	uint16_t port;	    /* where the container listens; 0: it gets the sockets by LISTEN_FDS */
	uint32_t idle_ms;   /* without a connection for so long it goes back; 0: never */
	int mode;	    /* enum activate_mode */
};

struct desired_service {
	char *name;
	uint32_t replicas;
	bool global;   /* one on each box of a cluster; here it is the one replica */
	char *address; /* the cluster's, "10.0.0.5/24", that goes where the service goes; or NULL */
	char *image;   /* as the Compose file has it */
	char *digest;  /* "sha256:..." of its manifest: what runs, whatever the name means later */
	struct strv options; /* of `tote create --image DIGEST`, in front of the ID */
	struct strv args;    /* behind the ID; empty: the image's own */
	bool tty, stdin_open;
	char *stop_signal; /* "SIGTERM" */
	uint32_t stop_grace_ms;
	int restart;	      /* enum restart_policy */
	uint32_t restart_max; /* RESTART_ON_FAILURE: 0: no limit */
	LIST(struct desired_depend) depends;
	struct desired_health health;
	struct desired_log log;
	LIST(struct desired_file) files;
	struct desired_activate *activate; /* NULL: it runs always */
	bool start_first;   /* an update starts the new one before the old one is stopped */
	uint32_t update_ms; /* by when it has to be healthy after that, or the old one comes back */
	char *hash;   /* of all above but name, replicas, global and address: desired_hash() */
	bool stopped; /* by `tote stop`, until up or restart */
	struct desired_service
		*previous; /* what ran before the update that is under way, or NULL */
};

struct desired_project {
	char *name;
	char *source; /* the Compose file, for people */
	LIST(struct desired_service)
	services; /* those without unmet profiles; sorted so that what
						  one depends on comes before it */
};

extern const struct json_table desired_project_table, desired_service_table;

/* The document as json_decode() leaves it, judged: names, cycles, limits. Strings stay in text's
 * tree; all in a. 0 or -EINVAL with the path ("services[2].health.port: ..."). */
int desired_parse(const char *text, size_t len, struct arena *a, struct desired_project *ret,
		  struct err *err);
void desired_write(const struct desired_project *p, struct json_writer *w);
void desired_write_service(const struct desired_service *s, struct json_writer *w);

/* Hexadecimal SHA-256 of what makes a container what it is. In the arena. */
char *desired_hash(const struct desired_service *s, struct arena *a);

struct desired_service *desired_find(const struct desired_project *p, const char *service);

/* Reads STATE/PROJECT.json. -ENOENT: no such project. */
int desired_load(int state_fd, const char *project, struct arena *a, struct desired_project *ret,
		 struct err *err);
/* On disk when it returns (file_replace_durable()). */
int desired_save(int state_fd, const struct desired_project *p, struct err *err);

/* The digests of all images that projects below STATE name: of what runs, and of what an update may come
 * back to. In the arena; none where there is no STATE. Another error: what they need is not known. */
int desired_images(const char *state_path, struct arena *a, struct strv *ret, struct err *err);

/*
 * Sorts services by what they depend on. -EINVAL: there is a cycle, which err shows ("a -> b -> a"), or
 * a service that is not there and not optional.
 */
int desired_sort(struct desired_project *p, struct arena *a, struct err *err);

/* [a-z0-9][a-z0-9_-]*, at most 63 bytes: of projects; services may have dots and capitals too. */
bool desired_is_project_name(const char *name);
bool desired_is_service_name(const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Projects, services, instances: making, finding and reading them. For the files of the supervisor
 * that change the model; others need supervise.h alone. */
#ifndef SUPERVISE_MODEL_H
#define SUPERVISE_MODEL_H

#include "cmd/tote-supervise/supervise.h"

/* model.c. Found, or made; they end the process when memory is out. */
struct project *project_get(struct supervisor *sup, const char *name);
struct service *service_get(struct project *p, const char *name);
/* Opens its directory when it is there. */
struct instance *instance_get(struct service *s, uint32_t number, bool second);
/* What it holds; the directory stays. */
void instance_drop(struct instance *i);
void service_drop(struct service *s);
void project_drop(struct project *p);
/* Points the services at what is wanted now, and makes those that are new. */
void project_bind(struct project *p);
struct supervisor *service_supervisor(const struct service *s);
bool instance_fresh(const struct instance *i); /* made from what is wanted now */

/* seen.c: reads all of an instance's directory again and finds its phase. */
void instance_look(struct supervisor *sup, struct instance *i);
/* Opens the directory if there is one, reads made.json and record.json, watches it. */
void instance_attach(struct supervisor *sup, struct instance *i);
/* Forgets all that was read of it, and its directory, which stays. */
void instance_detach(struct supervisor *sup, struct instance *i);
int instance_save_record(struct instance *i);
/* Without grace. */
bool stop_is_hard(const struct instance *i);
void seen_of(const struct instance *i, struct seen *ret);
/* What was made since the process before us, or by it. */
void instances_find(struct supervisor *sup);

/* store.c: projects on disk. */
void projects_load(struct supervisor *sup);
int project_save(struct project *p, struct err *err);
/* The same for changes of ours, that are tried again until they are on disk. */
void project_save_soon(struct project *p);
/* Removes the contents of secrets and configs (STATE/files) that no project names any more. */
void contents_sweep(struct supervisor *sup);

/* order.c */
bool depends_hold(const struct service *s, const struct desired_service *d, char *why, size_t size);
/* What it depends on is through with its own updates. */
bool depends_settled(const struct service *s, const struct desired_service *d);
/* Nothing that depends on it and is to end, too, lives. */
bool may_stop(const struct service *s);
/* Those that want it are started again when it was replaced or restarted. */
void restart_dependents(struct service *s);
/* Another run follows the one at hand, at once and whatever the policy says. */
void service_again(struct service *s);
/* No failures, no back-off: somebody takes care. */
void service_forgive(struct service *s);

/* rollout.c: sets want of every instance, makes objects of those that are missing. */
void service_plan(struct service *s, int64_t now);
/* Ended with 0, and its policy leaves it there. */
bool instance_completed(const struct instance *i);
bool instance_good(const struct instance *i, int64_t now, int64_t *ret_due);

/* act.c: true when what is seen is another at once. */
bool act(struct supervisor *sup, struct instance *i, int64_t now);
/* A child has ended; true: it was an errand's. */
bool act_reaped(struct supervisor *sup, pid_t pid, int status);

/* start.c: the command line of a monitor, and its start. 0 or -errno. */
int instance_start(struct supervisor *sup, struct instance *i, uint32_t run, bool adopt, bool wait,
		   struct err *err);
int instance_make(struct supervisor *sup, struct instance *i, struct err *err);

/* words.c: why it is not as it should be; "" when it is. */
void instance_why(const struct instance *i, int64_t now, char *ret, size_t size);
void exit_words(const struct instance_exit *e, char *ret, size_t size);
void time_words(int64_t ms, char *ret, size_t size); /* "12.8 s" */

#endif

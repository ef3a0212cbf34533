/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/place.h"

#include "lib/cleanup.h"
#include "netns/cni.h"
#include "netns/record.h"

#include <stdlib.h>

static const char *given(const char *variable, const char *otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? value : otherwise;
}

const char *place_conf_dir(void)
{
	return given("NETCONFPATH", CNI_CONF_DIR);
}

int place_open(const char *run_dir, const char *conf_dir, struct place *ret, struct err *err)
{
	ret->run_dir = run_dir;
	ret->conf_dir = conf_dir ? conf_dir : place_conf_dir();
	ret->plugin_path = given("CNI_PATH", CNI_PLUGIN_PATH);
	ret->run_fd = record_dir_open(run_dir, err);
	return ret->run_fd < 0 ? ret->run_fd : 0;
}

void place_close(struct place *p)
{
	cleanup_fd(&p->run_fd);
}

struct attach place_attach(const struct place *p, const char *container, const char *ifname,
			   struct arena *a, struct err *err)
{
	return (struct attach){
		.container = container,
		.ifname = ifname,
		.netns_fd = -1,
		.plugin_path = p->plugin_path,
		.run_dir = p->run_dir,
		.run_fd = p->run_fd,
		.arena = a,
		.err = err,
	};
}

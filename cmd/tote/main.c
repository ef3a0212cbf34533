/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tote/tote.h"

#include "lib/cleanup.h"

static const struct verb *const verbs[] = {
	&verb_create, &verb_run,      &verb_start,  &verb_state,  &verb_kill,
	&verb_delete, &verb_exec,     &verb_list,   &verb_ps,	  &verb_pause,
	&verb_resume, &verb_update,   &verb_events, &verb_stats,  &verb_metrics,
	&verb_spec,   &verb_features, &verb_plan,   &verb_doctor, &verb_probe,
};

/* tote-image has them: it is linked with libraries that a container's start should not pay for. */
static const struct verb image_verbs[] = {
	{ .name = "load", .help = "take images in from an archive, a directory or stdin" },
	{ .name = "images", .help = "list images" },
	{ .name = "inspect", .help = "print what is known of an image as JSON" },
	{ .name = "tag", .help = "give an image a further name" },
	{ .name = "rmi", .help = "remove images" },
	{ .name = "gc", .help = "remove what no image and no container uses" },
	{ .name = "df", .help = "show what the image store takes" },
	{ .name = "verify", .help = "check that images are whole" },
	{ .name = "bundle", .help = "make an OCI bundle of an image" },
	{ .name = "save", .help = "write images to an archive" },
	{ .name = "export", .help = "write a container's root file system to a tar archive" },
	{ .name = "import", .help = "make an image of a root file system in a tar archive" },
};

/* Rare next to `run`, and as large as the rest. */
static const struct verb network_verbs[] = {
	{ .name = "network", .help = "make, list and remove networks, attach containers to them" },
};

/* A project of a Compose file, and its supervisor. */
static const struct verb compose_verbs[] = {
	{ .name = "up", .help = "make what a Compose file says run, and keep it running" },
	{ .name = "down", .help = "stop a project's services and forget them" },
	{ .name = "stop", .help = "stop services until up or restart" },
	{ .name = "restart", .help = "restart services" },
	{ .name = "status", .help = "show what should run and what does" },
	{ .name = "logs", .help = "show what services wrote" },
	{ .name = "attach", .help = "connect the terminal to a service" },
	{ .name = "config", .help = "print what a Compose file says, with everything resolved" },
};

static const struct verb supervise_verbs[] = {
	{ .name = "supervise", .help = "keep what should run running: the daemon behind up" },
};

static const struct delegation delegations[] = {
	{ "tote-image", image_verbs, ARRAY_SIZE(image_verbs) },
	{ "tote-net", network_verbs, ARRAY_SIZE(network_verbs) },
	{ "tote-compose", compose_verbs, ARRAY_SIZE(compose_verbs) },
	{ "tote-supervise", supervise_verbs, ARRAY_SIZE(supervise_verbs) },
};

int main(int argc, char **argv)
{
	static const struct program program = {
		.name = "tote",
		.help = "runs OCI containers",
		.verbs = verbs,
		.count = ARRAY_SIZE(verbs),
		.print_version = print_version,
		.delegations = delegations,
		.delegation_count = ARRAY_SIZE(delegations),
	};

	return program_main(&program, argc, argv);
}

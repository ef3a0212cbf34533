/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CNI plugin hands on: "success result", CNI spec 1.1 section 5, with the forms of 0.1.0 to
 * 1.0.0 for those who ask for them. Plugins of ours fill it, cni.c reads and prints it.
 */
#ifndef NETNS_RESULT_H
#define NETNS_RESULT_H

#include "lib/json.h"
#include "netns/ip.h"

struct cni_interface {
	char *name;
	char *mac;	   /* NULL: none */
	char *sandbox;	   /* the namespace's path; NULL or "": on the host */
	uint32_t mtu;	   /* bytes; 0: not said (since 1.1.0) */
	char *socket_path; /* since 1.1.0; NULL: none */
	char *pci_id;	   /* since 1.1.0; NULL: none */
};

struct cni_ip {
	struct opt_u32 interface; /* index into the interfaces */
	struct ip_net address;
	struct ip gateway; /* family 0: none */
};

struct cni_route {
	struct ip_net dst;
	struct ip gw;					    /* family 0: the plugin's choice */
	struct opt_u32 mtu, advmss, priority, table, scope; /* since 1.1.0 */
};

struct cni_dns {
	struct strv nameservers, search, options;
	char *domain;
};

struct cni_result {
	LIST(struct cni_interface) interfaces;
	LIST(struct cni_ip) ips;
	LIST(struct cni_route) routes;
	struct cni_dns dns;
};

/* Versions of results that are spoken: "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0",
 * "1.1.0"; NULL ends the list. */
extern const char *const cni_versions[];
bool cni_version_known(const char *version);
/* Below 0, 0, above 0 as with strcmp(), for "MAJOR.MINOR.PATCH". */
int cni_version_compare(const char *a, const char *b);

/* From a result of any version (its own "cniVersion", else the one given). -EINVAL with the path of
 * what is wrong. All of it comes from the arena and the tree. */
int cni_result_parse(const struct json_value *v, const char *version, struct arena *a,
		     struct cni_result *ret_result, struct err *err);
/* The same for routes and DNS where a configuration has them ("routes", "dns"). */
extern const struct json_list_of cni_route_list;
extern const struct json_table cni_dns_table;
/* As the object that a version wants. */
void cni_result_write(const struct cni_result *result, const char *version, struct json_writer *w);
/* One route; latest: with what came in 1.1.0. */
void cni_route_write(const struct cni_route *route, bool latest, struct json_writer *w);

/* Text of a stranger's for a message: the beginning of it, as one line. Returns ret_text. */
#define CNI_SHOWN_SIZE 68
const char *cni_shown(const char *text, char ret_text[CNI_SHOWN_SIZE]);

/* Append; strings and lists in the arena. Return what was appended, for its fields to be set. */
struct cni_interface *cni_add_interface(struct cni_result *r, struct arena *a, const char *name,
					const char *mac, const char *sandbox);
struct cni_ip *cni_add_ip(struct cni_result *r, struct arena *a, const struct ip_net *address);
struct cni_route *cni_add_route(struct cni_result *r, struct arena *a, const struct ip_net *dst);

#endif

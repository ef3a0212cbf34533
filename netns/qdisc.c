/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/qdisc.h"

#include "lib/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <string.h>

#define TBF_HANDLE TC_H_MAKE(1U << 16, 0)
#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)
#define FILTER_PRIORITY 1

/* A tick of the schedulers' clock is 64 ns (include/net/pkt_sched.h, PSCHED_SHIFT), and what a bucket
 * holds is said as the time it takes, in ticks of whole microseconds as tc(8) has them. */
#define TICK_SHIFT 6

static uint64_t ticks_of(uint64_t rate, uint32_t bytes)
{
	uint64_t us = (uint64_t)bytes * 1000000 / rate;

	return us * 1000 >> TICK_SHIFT;
}

static struct nlmsghdr *request(struct rtnl *r, uint16_t type, uint16_t flags,
				const struct tcmsg *msg, const char *kind, const struct link *link)
{
	struct nlmsghdr *nlh =
		rtnl_request(r, type, flags, msg, sizeof(*msg), "%s on %s", kind, link->name);

	nl_put_text(nlh, TCA_KIND, kind);
	return nlh;
}

void qdisc_set_tbf(struct rtnl *r, const struct link *link, const struct qdisc_tbf *tbf)
{
	struct tcmsg msg = { .tcm_ifindex = link->index,
			     .tcm_parent = TC_H_ROOT,
			     .tcm_handle = TBF_HANDLE };
	uint64_t ticks = ticks_of(tbf->rate, tbf->burst);
	struct tc_tbf_qopt options = {
		.rate.rate = tbf->rate < UINT32_MAX ? (uint32_t)tbf->rate : UINT32_MAX,
		.buffer = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX,
		.limit = tbf->limit,
	};
	struct nlmsghdr *nlh =
		request(r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &msg, "tbf", link);
	struct nlattr *nest = nl_nest(nlh, TCA_OPTIONS);

	nl_put(nlh, TCA_TBF_PARMS, sizeof(options), &options);
	if (tbf->rate > UINT32_MAX)
		nl_put_u64(nlh, TCA_TBF_RATE64, tbf->rate);
	nl_nest_end(nlh, nest);
}

void qdisc_add_ingress(struct rtnl *r, const struct link *link)
{
	struct tcmsg msg = { .tcm_ifindex = link->index,
			     .tcm_parent = TC_H_INGRESS,
			     .tcm_handle = INGRESS_HANDLE };

	request(r, RTM_NEWQDISC, NLM_F_CREATE, &msg, "ingress", link);
}

static void put_redirect(struct nlmsghdr *nlh, int to)
{
	struct tc_mirred mirred = { .action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR };
	struct nlattr *actions = nl_nest(nlh, TCA_U32_ACT);
	struct nlattr *first = nl_nest(nlh, 1);
	struct nlattr *options;

	mirred.ifindex = (uint32_t)to;
	nl_put_text(nlh, TCA_ACT_KIND, "mirred");
	options = nl_nest(nlh, TCA_ACT_OPTIONS);
	nl_put(nlh, TCA_MIRRED_PARMS, sizeof(mirred), &mirred);
	nl_nest_end(nlh, options);
	nl_nest_end(nlh, first);
	nl_nest_end(nlh, actions);
}

void qdisc_redirect(struct rtnl *r, const struct link *from, const struct link *to)
{
	struct tcmsg msg = {
		.tcm_ifindex = from->index,
		.tcm_parent = INGRESS_HANDLE,
		.tcm_info = TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL)),
	};
	struct nlmsghdr *nlh =
		request(r, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &msg, "u32", from);
	struct nlattr *nest = nl_nest(nlh, TCA_OPTIONS);
	/* A selector and one key, which is all zeroes: it fits everything. */
	struct {
		struct tc_u32_sel selector;
		struct tc_u32_key key;
	} match = { .selector = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };

	nl_put_u32(nlh, TCA_U32_CLASSID, TC_H_MAKE(1U << 16, 1));
	nl_put(nlh, TCA_U32_SEL, sizeof(match), &match);
	put_redirect(nlh, to->index);
	nl_nest_end(nlh, nest);
}

static bool read_rate(const struct nlattr *options, uint64_t *ret_rate)
{
	const struct nlattr *attr = NULL;
	bool found = false;

	while ((attr = nl_next_nested(options, attr))) {
		if (nl_type(attr) == TCA_TBF_RATE64) {
			*ret_rate = nl_u64(attr);
			return true;
		}
		if (nl_type(attr) == TCA_TBF_PARMS && nl_size(attr) >= sizeof(struct tc_tbf_qopt)) {
			struct tc_tbf_qopt options_now;

			memcpy(&options_now, nl_data(attr), sizeof(options_now));
			*ret_rate = options_now.rate.rate;
			found = true;
		}
	}
	return found;
}

static bool is_tbf(const struct nlattr *kind)
{
	const char *name = nl_text(kind);

	return name && strcmp(name, "tbf") == 0;
}

int qdisc_rate(struct rtnl *r, const struct link *link, uint64_t *ret_rate, struct err *err)
{
	struct tcmsg msg = { .tcm_ifindex = link->index, .tcm_parent = TC_H_ROOT };
	const struct nlattr *attrs[TCA_OPTIONS + 1];
	autobuf replies = BUF_INIT;
	int rc;

	*ret_rate = 0;
	/* Kernels before 6.6 answer only who wants an echo. */
	rtnl_request(r, RTM_GETQDISC, NLM_F_ECHO, &msg, sizeof(msg), "of %s", link->name);
	rc = rtnl_run(r, &replies, err);
	/* Where nothing was ever attached there is nothing to ask for. */
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	for (const struct nlmsghdr *nlh = NULL; (nlh = rtnl_next(&replies, nlh));) {
		rtnl_attrs(nlh, sizeof(msg), attrs, ARRAY_SIZE(attrs));
		if (nlh->nlmsg_type == RTM_NEWQDISC && attrs[TCA_OPTIONS] &&
		    is_tbf(attrs[TCA_KIND]) && read_rate(attrs[TCA_OPTIONS], ret_rate))
			return 0;
	}
	return 0;
}

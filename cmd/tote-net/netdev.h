/* SPDX-License-Identifier: Apache-2.0 */
/* netdev-in and netdev-out, which have options of their own and belong to no network. */
#ifndef CMD_TOTE_NET_NETDEV_H
#define CMD_TOTE_NET_NETDEV_H

/* The exit code, or -1 when argv names neither of them. */
int netdev_main(int argc, char **argv);

#endif

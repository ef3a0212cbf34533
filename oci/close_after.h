/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OCI_CLOSE_AFTER_H
#define OCI_CLOSE_AFTER_H

/*
 * Takes two descriptors of detached mounts (rest: or -1), and has them closed when a process has ended: the
 * end of a mount has to wait until no processor looks at it any more (an RCU grace period), which nobody
 * else needs to. That is done by a process that shares our memory, is nobody's to wait for, and ends with us.
 */
void close_after(int pidfd, int tree, int rest);

#endif

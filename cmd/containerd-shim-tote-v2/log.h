/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for containerd's own log, through the FIFO `log` of the bundle: as logrus writes them, one
 * write each, dropped when nobody reads. Silent unless something is wrong. */
#ifndef SHIM_LOG_H
#define SHIM_LOG_H

/* Strings stay the caller's. */
void shim_log_open(const char *path, const char *id, const char *namespace, int debug);
/* Its descriptor, -1: there is none. */
int shim_log_fd(void);
void shim_log(const char *level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

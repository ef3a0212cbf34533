/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as people write them: `tote kill`, --stop-signal, the monitor's requests. */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

/* "15", "TERM", "SIGTERM", "term", "RTMIN+3", "RTMAX-2": a number from 0 to NSIG - 1, or -EINVAL. */
int signal_parse(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says about itself. */
#ifndef SHIM_INFO_H
#define SHIM_INFO_H

/* `-info`: reads options (an Any, or nothing) and writes a RuntimeInfo with the runtime's features.
 * Returns the exit code. */
int info_main(void);

/* `-v` and `-h`: for people. */
void info_print_version(void);
void info_print_usage(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What record.c and record_list.c share. */
#ifndef NETNS_RECORD_PRIVATE_H
#define NETNS_RECORD_PRIVATE_H

#define ATTACHMENTS "attachments" /* below the run directory */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options as tables: each verb declares its own and gets a struct filled. Takes
 * "-b DIR", "-b=DIR", "--bundle DIR", "--bundle=DIR", "-tty" with one dash (go-runc writes so),
 * joined flags ("-dt"), "--" and "-" as a value.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "lib/err.h"
#include "lib/types.h"

enum option_kind {
	OPT_FLAG,	   /* bool; also --x=true, --x=false */
	OPT_STRING,	   /* const char * */
	OPT_UINT,	   /* unsigned int */
	OPT_LIST,	   /* struct option_list: may be given several times */
	OPT_IGNORED,	   /* accepted for compatibility, takes no value */
	OPT_IGNORED_VALUE, /* the same with a value */
};

struct option_list {
	const char **items; /* in memory that lives as long as the program */
	size_t count;
};

struct option {
	const char *name; /* without dashes */
	char letter;	  /* 0: none */
	enum option_kind kind;
	size_t offset;
	const char *value; /* what the value is called in the help, NULL for flags */
	const char *help;
};

struct option_table {
	const struct option *items;
	size_t count;
	bool stop_at_positional; /* the rest belongs to a command: exec, ps, kill */
};

/*
 * Reads argv (without the verb's name) into out. Positional arguments are moved to the front of
 * argv; *ret_count says how many there are. *ret_help is set when --help or -h was among the
 * options. -EINVAL with a message.
 */
int options_parse(const struct option_table *table, char **argv, void *out, size_t *ret_count,
		  bool *ret_help, struct err *err);

/* The table as help text on stdout. */
void options_print(const struct option_table *table);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Configuration: one table of options (options.def), read from defaults, a
 * YAML file, the environment and flags, each stronger than the one before.
 *
 * Ownership: strings live in the arena handed in.
 * Threads:   one, at start.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdio.h>

#include "base/field.h"

struct config {
#define CONFIG_TYPE_INT int64_t
#define CONFIG_TYPE_BYTES int64_t
#define CONFIG_TYPE_SECONDS double
#define CONFIG_TYPE_BOOL bool
#define OPTION(kind, name, def, low, high, help) CONFIG_TYPE_##kind name;
#define TEXT(name, def, help) const char *name;
#define LIST(name, help) struct field_strings name;
#define CHOICE(name, names, help) int name; /**< index of its names */
#include "config/options.def"
#undef OPTION
#undef TEXT
#undef LIST
#undef CHOICE
#undef CONFIG_TYPE_INT
#undef CONFIG_TYPE_BYTES
#undef CONFIG_TYPE_SECONDS
#undef CONFIG_TYPE_BOOL
	const char *file; /**< --config; NULL: none */
};

/** argv as main() has it, from the first flag on; environ-like list. Words
 * that are no flags are refused, unknown flags with the nearest name. */
MUST_USE enum err_code config_read(int argc, const char *const *argv,
				   const char *const *environment,
				   struct arena *arena, struct config *ret,
				   struct err *err);
/** Flags with their help, for --help. */
void config_print_help(FILE *out);
/** A commented YAML file with every default, for `check-config --print`. */
void config_print_default(FILE *out);
/** As read, in YAML, one line an option. */
void config_print(const struct config *config, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Command: one row of predictctl, and what it works with.
 *
 * Ownership: everything in struct cli ends with cli_main().
 * Threads:   one.
 */
#ifndef CLI_CMD_H
#define CLI_CMD_H

#include "base/args.h"
#include "base/doc.h"
#include "cli/client.h"
#include "cli/terminal.h"

/** Exit statuses: sysexits.h where it has one. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_UNAVAILABLE = 69,
	CLI_NO_PERMISSION = 77,
	CLI_INTERRUPTED = 130,
};

struct cli_extra;
struct cli_command;

struct cli {
	const struct cli_command *command;
	struct arena *arena;
	struct terminal out, err;
	struct client_options options; /**< a client is made of when needed */
	struct client *client;	       /**< cli_client() */
	bool json;
	const struct cli_extra *extra; /**< commands of main */
	size_t n_extra;
};

struct cli_command {
	const char *name, *usage, *help;
	const struct args_flag *flags; /**< ends with a NULL name */
	unsigned min_words, max_words;
	int (*run)(struct cli *cli, const struct args *args);
};

/** NULL-terminated, in the order of the help. */
const struct cli_command *const *cli_commands(void);
/** Flags that every command takes. */
const struct args_flag *cli_flags(void);

/** Says what went wrong; the exit status that fits. */
int cli_fail(struct cli *cli, const struct err *err);
/** The same for what the user wrote: CLI_USAGE. */
int cli_wrong_usage(struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** A note on standard error. */
void cli_note(struct cli *cli, enum colour colour, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The connection's parameters, checked once. */
MUST_USE enum err_code cli_client(struct cli *cli, struct err *err);
/** Asks, and makes an error of an answer that is not 2xx. */
MUST_USE enum err_code cli_ask(struct cli *cli,
			       const struct client_request *request,
			       struct client_answer *ret_answer,
			       struct err *err);
/** GET or POST (with an empty body) of a path, its JSON in the arena;
 * *ret_answer (may be NULL) is the caller's to finish. */
MUST_USE enum err_code cli_get(struct cli *cli, const char *method,
			       const char *path, struct doc **ret_doc,
			       struct client_answer *ret_answer,
			       struct err *err);
/** "/jobs" with "/{name}" and `rest` behind it, in the arena. */
MUST_USE enum err_code cli_path(struct cli *cli, const char *base,
				const char *name, const char *rest,
				const char **ret_path, struct err *err);
/** As it came, with a newline at its end. */
void cli_print_raw(struct cli *cli, const struct client_answer *answer);
/** A member that is text, or `otherwise`. */
const char *cli_text(const struct doc *map, const char *key,
		     const char *otherwise);
/** The whole of a file, or of standard input for "-", in the arena. */
MUST_USE enum err_code cli_read(struct cli *cli, const char *path, size_t max,
				const char **ret_bytes, size_t *ret_len,
				struct err *err);

#endif

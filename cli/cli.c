/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "base/field.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd.h"

enum { COMMANDS_MAX = 64, TOKEN_FILE_MAX = 64 << 10, NAME_WIDTH = 12 };
#define ARENA_MAX ((size_t)1 << 30)
#define TIMEOUT_DEFAULT 60.0

#define PORT_DEFAULT 8080

#define COMMAND(name) extern const struct cli_command cli_##name;
#include "cli/cmds.def"
#undef COMMAND

static const struct cli_command *const commands[] = {
#define COMMAND(name) &cli_##name,
#include "cli/cmds.def"
#undef COMMAND
	NULL,
};

static const struct args_flag common[] = {
	{ "server", "URL",
	  "where predictd is (PREDICTD_SERVER; http://127.0.0.1:8080, or "
	  "PREDICTD_PORT)" },
	{ "token-file", "FILE", "file of the token (PREDICTD_TOKEN_FILE)" },
	{ "timeout", "S", "seconds to wait for an answer (60)" },
	{ "json", NULL, "print the server's JSON as it is" },
	{ "no-color", NULL, "no colours (NO_COLOR)" },
	{ "help", NULL, "how a command is used" },
	{ "version", NULL, "the version of predictctl" },
	{ 0 },
};

const struct cli_command *const *cli_commands(void)
{
	return commands;
}

const struct args_flag *cli_flags(void)
{
	return common;
}

/* --- help --- */

static void print_flags(FILE *out, const struct args_flag *flags)
{
	for (const struct args_flag *f = flags; f && f->name; f++)
		(void)fprintf(out, "  --%s %-*s %s\n", f->name,
			      (int)(20 - strlen(f->name)),
			      f->value ? f->value : "", f->help);
}

static void print_command_help(const struct cli_command *command, FILE *out)
{
	(void)fprintf(out, "usage: predictctl %s%s%s\n\n%s\n", command->name,
		      *command->usage ? " " : "", command->usage,
		      command->help);
	if (command->flags && command->flags->name) {
		(void)fputs("\nflags:\n", out);
		print_flags(out, command->flags);
	}
	(void)fputs("\nflags of every command:\n", out);
	print_flags(out, common);
}

/* The first line of a help text. */
static void print_row(FILE *out, const char *name, const char *help)
{
	(void)fprintf(out, "  %-*s %.*s\n", (int)NAME_WIDTH, name,
		      (int)strcspn(help, "\n"), help);
}

static void print_help(const struct cli *cli, FILE *out)
{
	(void)fputs("usage: predictctl COMMAND ...\n\n"
		    "  predictctl train job.yaml --follow\n"
		    "  predictctl predict --model fashion boot.png\n"
		    "  predictctl jobs list\n\n"
		    "commands:\n",
		    out);
	for (const struct cli_command *const *c = commands; *c; c++)
		print_row(out, (*c)->name, (*c)->help);
	if (cli->n_extra)
		(void)fputs("\nwithout a server:\n", out);
	for (size_t i = 0; i < cli->n_extra; i++)
		print_row(out, cli->extra[i].name, cli->extra[i].help);
	(void)fputs("\nflags of every command:\n", out);
	print_flags(out, common);
	(void)fputs("\nexit status: 0 done, 1 failed, 2 wrong usage, 69 no "
		    "server there, 77 not\npermitted, 130 interrupted. "
		    "'predictctl COMMAND --help' says more.\n",
		    out);
}

static int unknown_command(struct cli *cli, const char *name)
{
	const char *names[COMMANDS_MAX], *nearest;
	size_t n = 0;

	for (const struct cli_command *const *c = commands; *c; c++)
		names[n++] = (*c)->name;
	for (size_t i = 0; i < cli->n_extra && n + 1 < COMMANDS_MAX; i++)
		names[n++] = cli->extra[i].name;
	names[n] = NULL;
	nearest = field_nearest(name, names);
	if (nearest)
		return cli_wrong_usage(cli,
				       "there is no command '%s': did you "
				       "mean '%s'?",
				       name, nearest);
	return cli_wrong_usage(cli,
			       "there is no command '%s': 'predictctl --help' "
			       "lists them",
			       name);
}

/* --- what commands are given --- */

/* The second word of the first line that is no comment, or its only one: a file
 * of lines "SCOPES TOKEN ..." as the server reads it, or of one token. */
static enum err_code read_token(struct cli *cli, const char *path,
				struct err *err)
{
	const char *text, *at;
	size_t len;
	enum err_code rc =
	    cli_read(cli, path, TOKEN_FILE_MAX, &text, &len, err);

	if (rc)
		return rc;
	for (at = text; *at; at += at[strcspn(at, "\n")] == '\n') {
		const char *first = at + strspn(at, " \t");
		const char *word = first + strcspn(first, " \t\r\n");
		size_t n;

		word += strspn(word, " \t");
		n = strcspn(word, " \t\r\n");
		if (!n)
			n = strcspn(word = first, " \t\r\n");
		if (n && *at != '#') {
			cli->options.token = arena_strndup(cli->arena, word, n);
			return cli->options.token
				   ? ERR_NONE
				   : err_set(err, ERR_NO_MEMORY,
					     "'%s': out of memory", path);
		}
		at += strcspn(at, "\n");
	}
	return err_set(err, ERR_INVALID, "'%s': there is no token in it", path);
}

/* On this machine, at the port that the daemon of this environment has: so a
 * container's health check needs no second variable. */
static const char *default_server(struct cli *cli)
{
	const char *text = terminal_variable("PREDICTD_PORT");
	uint64_t port = PORT_DEFAULT;

	if (!text || !str_parse_uint64(text, &port) || port < 1 || port > 65535)
		port = PORT_DEFAULT;
	return arena_printf(cli->arena, "http://127.0.0.1:%u", (unsigned)port);
}

static enum err_code read_common(struct cli *cli, const struct args *args,
				 struct err *err)
{
	const char *server = terminal_variable("PREDICTD_SERVER");
	const char *tokens = terminal_variable("PREDICTD_TOKEN_FILE");

	server =
	    args_text(args, "server", server ? server : default_server(cli));
	if (!server)
		return err_set(err, ERR_NO_MEMORY, "out of memory");
	tokens = args_text(args, "token-file", tokens);
	cli->json = args_has(args, "json");
	cli->out = terminal_of(stdout, args_has(args, "no-color"));
	cli->err = terminal_of(stderr, args_has(args, "no-color"));
	cli->options = (struct client_options){
		.server = server,
		.timeout = TIMEOUT_DEFAULT,
		.wake_fd = -1,
	};
	if (tokens) {
		enum err_code rc = read_token(cli, tokens, err);

		if (rc)
			return rc;
	}
	return args_double(args, "timeout", 0.001, 86400, &cli->options.timeout,
			   err);
}

static int run_command(struct cli *cli, int argc, const char *const *argv)
{
	const struct cli_command *command = cli->command;
	struct err err = { 0 };
	struct args args;
	enum err_code rc;

	if (args_parse(command->flags, common, argc, argv, &args, &err))
		return cli_wrong_usage(cli, "%s", err.msg);
	if (args_has(&args, "help")) {
		print_command_help(command, stdout);
		return CLI_OK;
	}
	if (args.n_words < command->min_words)
		return cli_wrong_usage(cli, "a word is missing");
	if (args.n_words > command->max_words)
		return cli_wrong_usage(cli, "unexpected word '%s'",
				       args.word[command->max_words]);
	rc = read_common(cli, &args, &err);
	if (rc == ERR_INVALID)
		return cli_wrong_usage(cli, "%s", err.msg);
	return rc ? cli_fail(cli, &err) : command->run(cli, &args);
}

/* --- the command line --- */

static const struct args_flag *find_common(const char *word)
{
	for (const struct args_flag *f = common; f->name; f++) {
		size_t len = strlen(f->name);

		if (str_starts_with(word, "--") &&
		    !strncmp(word + 2, f->name, len) &&
		    (!word[2 + len] || word[2 + len] == '='))
			return f;
	}
	return NULL;
}

/* Common flags may come before the command: its index, or argc. */
static int find_command(int argc, const char *const *argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		const struct args_flag *flag = find_common(argv[i]);

		if (flag && flag->value && !strchr(argv[i], '='))
			i++;
		i++;
	}
	return i < argc ? i : argc;
}

static int no_command(struct cli *cli, int argc, const char *const *argv)
{
	struct err err;
	struct args args;

	if (args_parse(common, NULL, argc - 1, argv + 1, &args, &err))
		return cli_wrong_usage(cli, "%s", err.msg);
	if (args_has(&args, "version")) {
		(void)printf("predictctl %s\n", PREDICTD_VERSION);
		return CLI_OK;
	}
	if (args_has(&args, "help")) {
		print_help(cli, stdout);
		return CLI_OK;
	}
	print_help(cli, stderr);
	return CLI_USAGE;
}

/* The words behind a command's name, after the flags before it. */
static int gather(struct cli *cli, int at, int argc, const char *const *argv,
		  const char ***ret_words)
{
	const char **words =
	    arena_array(cli->arena, (size_t)argc, sizeof(*words));
	int n = 0;

	for (int i = 1; words && i < argc; i++) {
		if (i != at)
			words[n++] = argv[i];
	}
	*ret_words = words;
	return n;
}

static int dispatch(struct cli *cli, int argc, const char *const *argv)
{
	int at = find_command(argc, argv), n;
	const char **words;

	if (at >= argc)
		return no_command(cli, argc, argv);
	for (size_t i = 0; i < cli->n_extra; i++) {
		const struct cli_extra *extra = &cli->extra[i];

		if (str_equal(extra->name, argv[at]))
			return extra->run(extra->ctx, argc - at - 1,
					  argv + at + 1);
	}
	for (const struct cli_command *const *c = commands; *c; c++) {
		if (!str_equal((*c)->name, argv[at]))
			continue;
		cli->command = *c;
		n = gather(cli, at, argc, argv, &words);
		if (words)
			return run_command(cli, n, words);
		(void)fputs("predictctl: out of memory\n", stderr);
		return CLI_FAILED;
	}
	return unknown_command(cli, argv[at]);
}

/* "-h" is "--help", as far as flags go. */
static enum err_code spell_out(struct cli *cli, int argc,
			       const char *const *argv, const char ***ret)
{
	const char **words =
	    arena_array(cli->arena, (size_t)argc + 1, sizeof(*words));
	bool is_flag = true;

	if (!words)
		return ERR_NO_MEMORY;
	for (int i = 0; i < argc; i++) {
		is_flag = is_flag && !str_equal(argv[i], "--");
		words[i] =
		    is_flag && str_equal(argv[i], "-h") ? "--help" : argv[i];
	}
	*ret = words;
	return ERR_NONE;
}

int cli_main(int argc, const char *const *argv, const struct cli_extra *extra,
	     size_t n_extra)
{
	struct cli cli = { .extra = extra, .n_extra = n_extra };
	const char **words;
	int status;

	cli.out = terminal_of(stdout, false);
	cli.err = terminal_of(stderr, false);
	cli.arena = arena_create(ARENA_MAX);
	if (!cli.arena || spell_out(&cli, argc, argv, &words)) {
		(void)fputs("predictctl: out of memory\n", stderr);
		arena_destroy(cli.arena);
		return CLI_FAILED;
	}
	status = dispatch(&cli, argc, words);
	if (fflush(stdout) && status == CLI_OK) {
		(void)fputs("predictctl: cannot write the result\n", stderr);
		status = CLI_FAILED;
	}
	client_destroy(cli.client);
	arena_destroy(cli.arena);
	return status;
}

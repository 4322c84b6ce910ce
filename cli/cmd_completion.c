/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * completion: a script for bash, written from the tables of commands.
 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/cmd.h"

static void print_flags(const struct args_flag *flags)
{
	for (const struct args_flag *f = flags; f && f->name; f++)
		(void)printf(" --%s", f->name);
}

/* "list show cancel" from "[list | show ID | ...]": the words in lower case,
 * but for those behind a dot, which end the name of a file */
static void print_words(const char *usage)
{
	while (*usage) {
		size_t n = strspn(usage, "abcdefghijklmnopqrstuvwxyz");

		if (n > 1)
			(void)printf(" %.*s", (int)n, usage);
		usage += n;
		usage += *usage == '-' || *usage == '.' ? strcspn(usage, " ]|")
							: *usage != '\0';
	}
}

static int run(struct cli *cli, const struct args *args)
{
	if (!str_equal(args->word[0], "bash"))
		return cli_wrong_usage(cli, "there is completion for bash "
					    "only");
	(void)fputs("_predictctl()\n{\n"
		    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} cmd= w\n"
		    "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		    "\t\tcase $w in\n\t\t-*) ;;\n"
		    "\t\t*) cmd=$w; break ;;\n\t\tesac\n\tdone\n"
		    "\tlocal words common='",
		    stdout);
	print_flags(cli_flags());
	(void)fputs("'\n\tcase $cmd in\n", stdout);
	for (const struct cli_command *const *c = cli_commands(); *c; c++) {
		(void)printf("\t%s) words='", (*c)->name);
		print_words((*c)->usage);
		print_flags((*c)->flags);
		(void)fputs("' ;;\n", stdout);
	}
	(void)fputs("\t'') words='", stdout);
	for (const struct cli_command *const *c = cli_commands(); *c; c++)
		(void)printf(" %s", (*c)->name);
	for (size_t i = 0; i < cli->n_extra; i++)
		(void)printf(" %s", cli->extra[i].name);
	(void)fputs("' ;;\n\tesac\n"
		    "\tCOMPREPLY=($(compgen -W \"$words $common\" -- "
		    "\"$cur\"))\n}\n"
		    "complete -o default -F _predictctl predictctl\n",
		    stdout);
	return CLI_OK;
}

static const struct args_flag no_flags[] = { { 0 } };

extern const struct cli_command cli_completion;
const struct cli_command cli_completion = {
	.name = "completion",
	.usage = "bash",
	.help = "Print a completion script: source <(predictctl completion "
		"bash)",
	.flags = no_flags,
	.min_words = 1,
	.max_words = 1,
	.run = run,
};

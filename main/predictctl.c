/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * predictctl: commands that ask the daemon, and those that measure the engine
 * in this process.
 */
#include "base/doc.h"
#include "cli/cli.h"
#include "main/blas_core.h"
#include "measure/command.h"

enum { MEASURES_MAX = 16 };

static int run_measure(const void *ctx, int argc, const char *const *argv)
{
	return measure_run(ctx, argc, argv);
}

int main(int argc, char **argv)
{
	const struct measure_command *const *m = measure_commands();
	struct cli_extra extra[MEASURES_MAX];
	size_t n = 0;

	blas_core_ensure(argv);
	for (; n < MEASURES_MAX && m[n]; n++)
		extra[n] = (struct cli_extra){
			.name = m[n]->name,
			.usage = m[n]->usage,
			.help = m[n]->help,
			.run = run_measure,
			.ctx = m[n],
		};
	doc_init();
	return cli_main(argc, (const char *const *)argv, extra, n);
}

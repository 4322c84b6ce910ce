/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/field.h"
#include "base/str.h"
#include "measure/command.h"

int main(int argc, char **argv)
{
	const struct measure_command *const *m = measure_commands();
	const char *const *args = (const char *const *)argv;

	for (; argc > 1 && *m; m++) {
		if (str_equal((*m)->name, argv[1]))
			return measure_run(*m, argc - 2, args + 2);
	}
	(void)fputs("usage: predictctl COMMAND ...\n", stderr);
	return MEASURE_USAGE;
}

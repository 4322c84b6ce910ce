/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "main/worker_command.h"

enum { EXIT_USAGE = 2 };

int main(int argc, char **argv)
{
	const char *const *args = (const char *const *)argv;

	if (argc > 1 && str_equal(argv[1], "worker"))
		return worker_command(argc - 2, args + 2);
	(void)fputs("usage: predictd worker\n", stderr);
	return EXIT_USAGE;
}

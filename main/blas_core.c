/* SPDX-License-Identifier: Apache-2.0 */
#include "main/blas_core.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/kernels/blas.h"

#define CORE_VARIABLE "OPENBLAS_CORETYPE"

void blas_core_ensure(char *const *argv)
{
	const char *core = blas_better_core();
	char program[PATH_MAX];
	ssize_t n;

	/* there is no other thread yet */
	if (!core || getenv(CORE_VARIABLE)) /* NOLINT(concurrency-mt-unsafe) */
		return;
	/* by its own name, which is what lists of processes show */
	n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	/* NOLINTNEXTLINE(concurrency-mt-unsafe) */
	if (n <= 0 || setenv(CORE_VARIABLE, core, 0))
		return;
	program[n] = '\0';
	(void)execv(program, argv);
}

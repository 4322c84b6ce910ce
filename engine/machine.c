/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/machine.h"

#include <stdio.h>
#include <string.h>

#include "engine/kernels/loops.h"
#include "engine/kernels/onednn/onednn.h"

#if defined(__x86_64__)
#include <cpuid.h>

enum { BRAND_LEAVES = 3, BRAND_BYTES = 16 };
#define BRAND_LEAF 0x80000002U

/* The brand string is in three leaves of cpuid. */
static void name_cpu(char name[BRAND_LEAVES * BRAND_BYTES + 1])
{
	unsigned word[4];

	name[0] = '\0';
	for (unsigned i = 0; i < BRAND_LEAVES; i++) {
		if (!__get_cpuid(BRAND_LEAF + i, &word[0], &word[1], &word[2],
				 &word[3]))
			return;
		memcpy(name + (size_t)i * BRAND_BYTES, word, sizeof(word));
		name[(i + (size_t)1) * BRAND_BYTES] = '\0';
	}
}
#else
enum { BRAND_LEAVES = 3, BRAND_BYTES = 16 };

static void name_cpu(char name[BRAND_LEAVES * BRAND_BYTES + 1])
{
	name[0] = '\0';
}
#endif

const char *machine_text(char ret_text[MACHINE_TEXT_MAX])
{
	char cpu[BRAND_LEAVES * BRAND_BYTES + 1];
	char library[ONEDNN_VERSION_MAX];

	name_cpu(cpu);
	(void)snprintf(ret_text, MACHINE_TEXT_MAX, "%s; %s; %s; predictd %s",
		       cpu, loop_level_name(loop_levels() - 1),
		       onednn_version(library), PREDICTD_VERSION);
	for (char *c = ret_text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return ret_text;
}

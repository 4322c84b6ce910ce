/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/op.h"

#define OP(row) extern const struct op op_##row;
#include "engine/ops/ops.def"
#undef OP

static const struct op *const rows[] = {
#define OP(row) &op_##row,
#include "engine/ops/ops.def"
#undef OP
	NULL
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) - 1 };

static int compare(const struct op *row, const char *domain, const char *name)
{
	int order = strcmp(row->domain, domain);

	return order ? order : strcmp(row->name, name);
}

const struct op *op_find(const char *domain, const char *name)
{
	size_t low = 0, high = N_ROWS;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(rows[middle], domain, name);

		if (order == 0)
			return rows[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct op *op_at(size_t i)
{
	return i < N_ROWS ? rows[i] : NULL;
}

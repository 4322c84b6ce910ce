/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rows of a profile put together, and what they are called.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "measure/profile_print.h"

static int dearest_first(const void *x, const void *y)
{
	const struct profile_group *a = x, *b = y;

	if (a->min_us != b->min_us)
		return a->min_us < b->min_us ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void add(struct profile_group *group, const struct profile_row *row)
{
	group->n++;
	group->min_us += row->summary.min_us;
	group->median_us += row->summary.median_us;
	group->cost_us += row->cost_us;
	group->flops += row->work.flops;
	group->bytes += row->work.bytes;
}

enum err_code profile_group(const struct profile *profile, bool by_kernel,
			    struct profile_group **ret_group, size_t *ret_n,
			    struct err *err)
{
	struct profile_group *group =
	    mem_array(profile->n_rows + 1, sizeof(*group));
	size_t n = 0;

	if (!group)
		return err_set(err, ERR_NO_MEMORY, "profile: out of memory");
	for (size_t i = 0; i < profile->n_rows; i++) {
		const struct profile_row *row = &profile->row[i];
		const char *name = by_kernel ? row->kernel : row->op;
		size_t j = 0;

		while (j < n && !str_equal(group[j].name, name))
			j++;
		if (j == n)
			group[n++].name = name;
		add(&group[j], row);
	}
	qsort(group, n, sizeof(*group), dearest_first);
	*ret_group = group;
	*ret_n = n;
	return ERR_NONE;
}

/* Appends where there is room; text stays a string. */
static size_t append(char *text, size_t cap, size_t len, const char *more)
{
	int n;

	if (len >= cap)
		return len;
	n = snprintf(text + len, cap - len, "%s", more);
	return len + (n > 0 ? (size_t)n : 0);
}

static size_t append_facts(char *text, size_t cap, size_t len,
			   const struct fact *fact, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct shape *shape = &fact[i].shape;
		char extent[32];

		if (i)
			len = append(text, cap, len, " ");
		if (fact[i].type.elem == DTYPE_NONE) {
			len = append(text, cap, len, "-");
			continue;
		}
		len =
		    append(text, cap, len, dtype_info(fact[i].type.elem)->name);
		len = append(text, cap, len, "[");
		for (unsigned d = 0; d < shape->rank; d++) {
			(void)snprintf(extent, sizeof(extent), "%s%lld",
				       d ? "," : "", (long long)shape->dim[d]);
			len = append(text, cap, len, extent);
		}
		len = append(text, cap, len, fact[i].value ? "]!" : "]");
	}
	return len;
}

void profile_shapes(const struct profile_row *row, char *text, size_t cap)
{
	const struct kernel_query *q = row->query;
	size_t len = append(text, cap, 0, "");

	if (!q || !q->op)
		return;
	len = append_facts(text, cap, len, q->in, q->n_in);
	len = append(text, cap, len, " -> ");
	(void)append_facts(text, cap, len, q->out, q->n_out);
}

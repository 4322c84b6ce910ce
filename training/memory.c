/* SPDX-License-Identifier: Apache-2.0 */
#include "training/memory.h"

#include <stdio.h>

#include "base/json_write.h"

#define MIB (1024.0 * 1024.0)

void job_memory_write(const struct job_memory *m, struct json_writer *w)
{
	const struct {
		const char *name;
		size_t bytes;
	} part[] = {
		{ "process", m->process },
		{ "parameters", m->parameters },
		{ "optimizer", m->optimizer },
		{ "copies", m->copies },
		{ "block", m->block },
		{ "gradients", m->gradients },
		{ "kernels", m->kernels },
		{ "batches", m->batches },
		{ "evaluation", m->evaluation },
		{ "features", m->features },
		{ "artifacts", m->artifacts },
	};

	json_write_uint(w, "predicted_peak_bytes", m->peak);
	json_write_object(w, "memory");
	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
		json_write_uint(w, part[i].name, part[i].bytes);
	if (m->limit) {
		json_write_uint(w, "limit", m->limit);
		json_write_uint(w, "unlimited", m->unlimited);
	}
	if (m->least)
		json_write_uint(w, "least", m->least);
	json_write_bool(w, "shares_block", m->is_thrifty);
	json_write_bool(w, "copies_in_files", m->spills);
	json_write_bool(w, "one_scratch", m->is_alone);
	json_write_uint(w, "recomputed_steps", m->n_recomputed);
	json_write_double(w, "recomputed_share", m->recomputed);
	json_write_object_end(w);
}

void job_memory_describe(const struct job_memory *m, char *text, size_t cap)
{
	int n = snprintf(text, cap, "predicted peak memory %.1f MiB",
			 (double)m->peak / MIB);

	if (m->limit && n > 0 && (size_t)n < cap)
		n += snprintf(text + n, cap - (size_t)n,
			      " of memory_limit %.1f MiB",
			      (double)m->limit / MIB);
	if (m->n_recomputed && n > 0 && (size_t)n < cap)
		(void)snprintf(text + n, cap - (size_t)n,
			       ", where %zu operations of a step are run twice "
			       "(%.1f MiB without a limit)",
			       m->n_recomputed, (double)m->unlimited / MIB);
}

enum err_code job_memory_check(const struct job_memory *m, struct err *err)
{
	const size_t least = m->least < m->unlimited ? m->least : m->unlimited;

	if (!m->limit || m->peak <= m->limit)
		return ERR_NONE;
	return err_set(err, ERR_NO_MEMORY,
		       "the job's predicted peak memory is %.1f MiB, %.1f MiB "
		       "at least where a step computes values again, and "
		       "resources.memory_limit is %.1f MiB",
		       (double)m->unlimited / MIB, (double)least / MIB,
		       (double)m->limit / MIB);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/load_report.h"

#include <stdio.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "engine/plan_deviation.h"

static enum err_code look(const struct plan *plan, struct load_report *report,
			  struct err *err)
{
	struct plan_deviation deviation;
	const enum err_code rc = plan_deviation(plan, &deviation, err);

	if (rc)
		return rc;
	report->is_there = true;
	report->peak = plan_report(plan)->peak;
	report->constants = plan_report(plan)->constants;
	report->packs = plan_report(plan)->packs;
	report->arena = plan_report(plan)->arena;
	report->n_shortcuts = deviation.n_steps;
	report->deviation = deviation.largest;
	return ERR_NONE;
}

enum err_code load_report_make(struct plan_cache *plans,
			       const struct tensor_view *input, unsigned n,
			       struct load_report *ret, struct err *err)
{
	struct fact *fact = mem_array((size_t)n + 1, sizeof(*fact));
	const struct signature signature = { n, fact };
	struct instance *instance = NULL;
	enum err_code rc;

	if (!fact)
		return err_set(err, ERR_NO_MEMORY, "load report: no memory");
	for (unsigned i = 0; i < n; i++)
		fact[i] = (struct fact){ .type = { .elem = input[i].dtype },
					 .shape = input[i].shape,
					 .has_shape = true };
	rc = plan_cache_acquire(plans, &signature, &instance, err);
	if (!rc) {
		rc = look(instance_plan(instance), ret, err);
		plan_cache_release(plans, instance);
	}
	mem_free(fact);
	return rc;
}

const char *load_report_text(const struct load_report *report,
			     char ret_text[LOAD_REPORT_TEXT_MAX])
{
	const size_t mib = (size_t)1 << 20;
	int n = 0;

	ret_text[0] = '\0';
	if (report->is_there)
		n = snprintf(ret_text, LOAD_REPORT_TEXT_MAX,
			     "; a run takes %zu MiB",
			     (report->peak + mib - 1) / mib);
	if (n >= 0 && report->is_there && report->n_shortcuts)
		(void)snprintf(ret_text + n, LOAD_REPORT_TEXT_MAX - (size_t)n,
			       "; %u convolutions by Winograd's method, %.1e "
			       "of the largest output off at most",
			       report->n_shortcuts, report->deviation);
	return ret_text;
}

void load_report_write(const struct load_report *report, struct json_writer *w)
{
	json_write_object(w, "plan");
	json_write_bool(w, "strict_numerics", report->is_strict);
	if (report->is_there) {
		json_write_uint(w, "winograd_steps", report->n_shortcuts);
		json_write_double(w, "winograd_deviation", report->deviation);
		json_write_uint(w, "peak_bytes", report->peak);
		json_write_uint(w, "constants_bytes", report->constants);
		json_write_uint(w, "packs_bytes", report->packs);
		json_write_uint(w, "arena_bytes", report->arena);
	}
	json_write_object_end(w);
}

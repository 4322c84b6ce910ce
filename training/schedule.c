/* SPDX-License-Identifier: Apache-2.0 */
#include "training/schedule.h"

#include <math.h>

#include "base/json_write.h"
#include "base/str.h"

#define SCHEDULE(name) extern const struct schedule_kind schedule_##name;
#include "training/schedules/schedules.def"
#undef SCHEDULE

static const struct schedule_kind *const kinds[] = {
#define SCHEDULE(name) &schedule_##name,
#include "training/schedules/schedules.def"
#undef SCHEDULE
	NULL,
};

static const char *const kind_names[] = {
#define SCHEDULE(name) #name,
#include "training/schedules/schedules.def"
#undef SCHEDULE
	NULL,
};

static const char *const own_keys[] = { "type", NULL };
static const char where[] = "trainer.learning_rate_scheduler";

const struct schedule_kind *schedule_kind_at(size_t i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i] : NULL;
}

static enum err_code find_kind(const struct doc *map,
			       const struct schedule_kind **ret,
			       struct err *err)
{
	const struct doc *type = doc_find(map, "type");
	const char *name = map ? NULL : "constant", *near;

	if (type && type->kind == DOC_STRING)
		name = type->text;
	for (size_t i = 0; name && kinds[i]; i++) {
		if (str_equal(kinds[i]->name, name)) {
			*ret = kinds[i];
			return ERR_NONE;
		}
	}
	if (!name)
		return err_set(err, ERR_INVALID,
			       "%s: 'type' must name a schedule, such as "
			       "one_cycle",
			       where);
	near = field_nearest(name, kind_names);
	return err_set(err, ERR_INVALID, "%s: there is no schedule '%s'%s%s%s",
		       where, name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static enum err_code check(const struct schedule_params *p, struct err *err)
{
	if (p->moms.n && p->moms.n != 3)
		return err_set(err, ERR_INVALID,
			       "%s.moms: expected three momenta, got %zu",
			       where, p->moms.n);
	if (p->warmup_steps > 0 && p->warmup_fraction > 0)
		return err_set(err, ERR_INVALID,
			       "%s: warmup_steps and warmup_fraction say the "
			       "same; expected one of them",
			       where);
	return ERR_NONE;
}

enum err_code schedule_read(const struct doc *map, double base_rate,
			    struct schedule *ret, struct arena *arena,
			    struct err *err)
{
	struct schedule schedule = { .base_rate = base_rate };
	enum err_code rc;

	rc = find_kind(map, &schedule.kind, err);
	if (rc)
		return rc;
	rc = field_read(schedule.kind->fields, map, where, own_keys,
			&schedule.params, arena, err);
	if (!rc)
		rc = check(&schedule.params, err);
	if (rc)
		return rc;
	*ret = schedule;
	return ERR_NONE;
}

void schedule_schema(struct json_writer *writer)
{
	const struct schedule_kind *kind;

	json_write_array(writer, "oneOf");
	for (size_t i = 0; (kind = schedule_kind_at(i)); i++) {
		json_write_object(writer, NULL);
		json_write_string(writer, "description", kind->help);
		field_schema(kind->fields, kind->name, NULL, writer);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
}

void schedule_write(const struct schedule *schedule, struct json_writer *writer)
{
	json_write_object(writer, "learning_rate_scheduler");
	json_write_string(writer, "type", schedule->kind->name);
	field_write(schedule->kind->fields, &schedule->params, writer);
	json_write_object_end(writer);
}

static double warmup_of(const struct schedule_params *p, double total)
{
	double steps = p->warmup_fraction > 0
			   ? floor(p->warmup_fraction * total)
			   : p->warmup_steps;

	return steps < total ? steps : total;
}

struct schedule_value schedule_at(const struct schedule *schedule,
				  const struct schedule_time *time)
{
	const struct schedule_params *p = &schedule->params;
	const double warmup = warmup_of(p, time->total_steps);
	const double share =
	    time->total_steps > 0 ? warmup / time->total_steps : 0;
	struct schedule_time rest = *time;
	struct schedule_value value;
	double factor = 1;

	if (rest.reduction <= 0)
		rest.reduction = 1;
	if (time->step < warmup) {
		factor = p->warmup_start_factor +
			 (1 - p->warmup_start_factor) * time->step / warmup;
		rest.step = rest.epoch = 0;
	} else {
		rest.step -= warmup;
		rest.epoch -= share * time->epochs;
	}
	rest.total_steps -= warmup;
	rest.epochs -= share * time->epochs;
	value = schedule->kind->at(p, schedule->base_rate, &rest);
	value.rate *= factor;
	return value;
}

/* ReduceLROnPlateau of PyTorch. */
bool schedule_observe(const struct schedule *schedule, double value,
		      bool is_better_high, struct schedule_watch *watch)
{
	const struct schedule_params *p = &schedule->params;
	double margin =
	    p->is_absolute ? p->threshold : p->threshold * fabs(watch->best);

	if (!schedule->kind->watches || isnan(value))
		return false;
	if (!watch->has_best ||
	    (is_better_high ? value > watch->best + margin
			    : value < watch->best - margin)) {
		watch->has_best = true;
		watch->best = value;
		watch->n_bad = 0;
	} else {
		watch->n_bad++;
	}
	if (watch->n_cooldown > 0) {
		watch->n_cooldown--;
		watch->n_bad = 0;
	}
	if (watch->n_bad <= p->patience)
		return false;
	watch->reduction =
	    (watch->reduction > 0 ? watch->reduction : 1) * p->factor;
	watch->n_cooldown = p->cooldown;
	watch->n_bad = 0;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "training/schedule.h"

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

enum err_code schedule_read(const struct doc *map, double base_rate,
			    double epochs, struct schedule *ret,
			    struct arena *arena, struct err *err)
{
	struct schedule schedule = { .base_rate = base_rate, .epochs = epochs };
	enum err_code rc;

	rc = find_kind(map, &schedule.kind, err);
	if (rc)
		return rc;
	rc = field_read(schedule.kind->fields, map, where, own_keys,
			&schedule.params, arena, err);
	if (rc)
		return rc;
	*ret = schedule;
	return ERR_NONE;
}

void schedule_write(const struct schedule *schedule, struct json_writer *writer)
{
	json_write_object(writer, "learning_rate_scheduler");
	json_write_string(writer, "type", schedule->kind->name);
	field_write(schedule->kind->fields, &schedule->params, writer);
	json_write_object_end(writer);
}

struct schedule_value schedule_at(const struct schedule *schedule,
				  const struct schedule_time *time)
{
	return schedule->kind->at(&schedule->params, schedule->base_rate,
				  schedule->epochs, time);
}

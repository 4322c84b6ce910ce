/* SPDX-License-Identifier: Apache-2.0 */
#include "training/phase.h"

#include <stddef.h>

#include "base/json_write.h"

#define P(member) offsetof(struct phase_spec, member)
#define DOC(text, of, member)                                \
	{                                                    \
		.name = text, .help = of, .kind = FIELD_DOC, \
		.offset = P(member)                          \
	}
static const struct field fields[] = {
	{ .name = "epochs",
	  .help = "passes over the training part",
	  .kind = FIELD_INT,
	  .offset = P(epochs),
	  .flags = FIELD_REQUIRED,
	  .min = 1,
	  .max = 1e6 },
	DOC("freeze", "none, body, a number of groups or patterns of names",
	    freeze_doc),
	DOC("learning_rate", "as trainer's", rates_doc),
	DOC("learning_rate_scheduler", "as trainer's", schedule_doc),
	{ 0 },
};

void phases_schema(struct json_writer *writer)
{
	static const struct field_sub subs[] = {
		{ .name = "learning_rate_scheduler", .write = schedule_schema },
		{ 0 },
	};

	json_write_string(writer, "type", "array");
	json_write_object(writer, "items");
	field_schema(fields, NULL, subs, writer);
	json_write_object_end(writer);
}

/* What its documents say. */
static enum err_code resolve(struct phase_spec *phase, const char *where,
			     struct arena *arena, struct err *err)
{
	enum err_code rc;

	rc = freeze_read(phase->freeze_doc, where, &phase->freeze, arena, err);
	if (!rc)
		rc = rates_read(phase->rates_doc, where, 1e-3, &phase->rates,
				arena, err);
	if (phase->schedule_doc && phase->schedule_doc->kind == DOC_NULL)
		phase->schedule_doc = NULL;
	if (!rc)
		rc = schedule_read(phase->schedule_doc,
				   rates_base(&phase->rates), &phase->schedule,
				   arena, err);
	return rc;
}

static enum err_code read_one(const struct doc *doc, size_t number,
			      const struct phase_spec *usual,
			      struct phase_spec *ret, struct arena *arena,
			      struct err *err)
{
	const char *where = arena_printf(arena, "trainer.phases[%zu]", number);
	enum err_code rc;

	if (!where)
		return err_set(err, ERR_NO_MEMORY, "phases: out of memory");
	if (doc->kind != DOC_MAP)
		return err_set(err, ERR_INVALID, "%s: expected a map, got %s",
			       where, doc_describe(doc, arena));
	rc = field_read(fields, doc, where, NULL, ret, arena, err);
	if (rc)
		return rc;
	if (!ret->freeze_doc)
		ret->freeze_doc = usual->freeze_doc;
	if (!ret->rates_doc)
		ret->rates_doc = usual->rates_doc;
	if (!ret->schedule_doc)
		ret->schedule_doc = usual->schedule_doc;
	return resolve(ret, where, arena, err);
}

enum err_code phases_read(const struct doc *doc, const struct phase_spec *usual,
			  struct phases *ret, struct arena *arena,
			  struct err *err)
{
	struct phases phases = { .n = 1 };
	size_t i = 0;
	enum err_code rc = ERR_NONE;

	phases.is_list = doc && doc->kind != DOC_NULL;
	if (phases.is_list) {
		if (doc->kind != DOC_LIST || !doc->n || doc->n > PHASES_MAX)
			return err_set(err, ERR_INVALID,
				       "trainer.phases: expected a list of 1 "
				       "to %d maps",
				       (int)PHASES_MAX);
		phases.n = doc->n;
	}
	phases.phase = arena_array(arena, phases.n, sizeof(*phases.phase));
	if (!phases.phase)
		return err_set(err, ERR_NO_MEMORY, "phases: out of memory");
	if (phases.is_list) {
		for (const struct doc *at = doc->first; at && !rc;
		     at = at->next) {
			rc = read_one(at, i, usual, &phases.phase[i], arena,
				      err);
			phases.epochs += phases.phase[i++].epochs;
		}
	} else {
		phases.phase[0] = *usual;
		phases.epochs = usual->epochs;
		rc = resolve(&phases.phase[0], "trainer", arena, err);
	}
	if (!rc)
		*ret = phases;
	return rc;
}

void phases_write(const struct phases *phases, struct json_writer *writer)
{
	if (!phases->is_list)
		return;
	json_write_array(writer, "phases");
	for (size_t i = 0; i < phases->n; i++) {
		const struct phase_spec *phase = &phases->phase[i];

		json_write_object(writer, NULL);
		json_write_int(writer, "epochs", phase->epochs);
		if (phase->freeze.doc)
			json_write_doc(writer, "freeze", phase->freeze.doc);
		rates_write(&phase->rates, writer);
		schedule_write(&phase->schedule, writer);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
}

size_t phases_at(const struct phases *phases, int64_t epoch,
		 int64_t *ret_first_epoch)
{
	int64_t first = 0;
	size_t i = 0;

	while (i + 1 < phases->n && epoch >= first + phases->phase[i].epochs)
		first += phases->phase[i++].epochs;
	*ret_first_epoch = first;
	return i;
}

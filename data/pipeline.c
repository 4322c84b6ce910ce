/* SPDX-License-Identifier: Apache-2.0 */
#include "data/pipeline.h"

#include "base/json_write.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/feature.h"

#define PIPELINE_MAX_BYTES ((size_t)256 << 20)

enum { INPUTS, OUTPUTS, SIDES };
enum { MAX_FEATURES = 1024 };

struct pipeline {
	struct arena *arena;
	struct feature *feature[SIDES];
	unsigned n[SIDES];
};

static const char *const side_key[SIDES] = { "input_features",
					     "output_features" };

#define FEATURE(name) extern const struct feature_kind feature_##name;
#include "data/features/features.def"
#undef FEATURE

static const struct feature_kind *const kinds[] = {
#define FEATURE(name) &feature_##name,
#include "data/features/features.def"
#undef FEATURE
	NULL,
};

static const char *const kind_names[] = {
#define FEATURE(name) #name,
#include "data/features/features.def"
#undef FEATURE
	NULL,
};

/* the keys that every feature has; a kind reads the others */
static const char *const own_keys[] = { "name", "type", NULL };

const struct feature_kind *feature_kind_find(const char *name)
{
	for (size_t i = 0; kinds[i]; i++) {
		if (str_equal(kinds[i]->name, name))
			return kinds[i];
	}
	return NULL;
}

const char *const *feature_kind_names(void)
{
	return kind_names;
}

/* "category, image, number", for messages */
static const char *all_kinds(struct arena *arena)
{
	const char *all = "";

	for (size_t i = 0; kind_names[i] && all; i++)
		all = arena_printf(arena, "%s%s%s", all, i ? ", " : "",
				   kind_names[i]);
	return all ? all : "";
}

static enum err_code read_kind(struct feature *feature, const struct doc *map,
			       const char *where, struct err *err)
{
	const struct doc *type = doc_find(map, "type");
	const char *near;

	if (!type || type->kind != DOC_STRING)
		return err_set(err, ERR_INVALID,
			       "%s: 'type' must name the kind of feature "
			       "(%s)",
			       where, all_kinds(feature->arena));
	feature->kind = feature_kind_find(type->text);
	if (feature->kind)
		return ERR_NONE;
	near = field_nearest(type->text, kind_names);
	return err_set(err, ERR_INVALID,
		       "%s: there is no feature type '%s'%s%s%s (there are %s)",
		       where, type->text, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "",
		       all_kinds(feature->arena));
}

static enum err_code read_feature(struct pipeline *pipeline, int side,
				  const struct doc *map, struct feature *into,
				  struct err *err)
{
	const struct doc *name = doc_find(map, "name");
	char where[160];
	enum err_code rc;

	if (!name || name->kind != DOC_STRING || !name->text[0])
		return err_set(err, ERR_INVALID,
			       "%s: every feature is a map with a 'name'",
			       side_key[side]);
	(void)snprintf(where, sizeof(where), "%s '%.100s'", side_key[side],
		       name->text);
	into->arena = pipeline->arena;
	into->is_output = side == OUTPUTS;
	into->name = arena_strdup(pipeline->arena, name->text);
	if (!into->name)
		goto no_memory;
	rc = read_kind(into, map, where, err);
	if (rc)
		return rc;
	if (into->is_output && !into->kind->decode)
		return err_set(err, ERR_INVALID,
			       "%s: a feature of type %s cannot be an output",
			       where, into->kind->name);
	into->state = arena_alloc(pipeline->arena, into->kind->size);
	if (!into->state)
		goto no_memory;
	rc = field_read(into->kind->fields, map, where, own_keys, into->state,
			pipeline->arena, err);
	if (rc)
		return rc;
	return into->kind->create(into, err);
no_memory:
	return err_set(err, ERR_NO_MEMORY, "%s: out of memory", side_key[side]);
}

static enum err_code check_unique(const struct pipeline *pipeline, int side,
				  struct err *err)
{
	const struct feature *f = pipeline->feature[side];

	for (unsigned i = 0; i < pipeline->n[side]; i++) {
		for (unsigned j = 0; j < i; j++) {
			if (str_equal(f[i].name, f[j].name))
				return err_set(err, ERR_INVALID,
					       "%s: the name '%s' is given "
					       "twice",
					       side_key[side], f[i].name);
		}
	}
	return ERR_NONE;
}

static enum err_code read_side(struct pipeline *pipeline, int side,
			       const struct doc *list, struct err *err)
{
	unsigned i = 0;
	enum err_code rc;

	if (!list || list->kind != DOC_LIST || list->n == 0 ||
	    list->n > MAX_FEATURES)
		return err_set(err, ERR_INVALID,
			       "'%s' must be a list of 1 to %d features",
			       side_key[side], (int)MAX_FEATURES);
	pipeline->feature[side] =
	    arena_array(pipeline->arena, list->n, sizeof(struct feature));
	if (!pipeline->feature[side])
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory",
			       side_key[side]);
	for (const struct doc *map = list->first; map; map = map->next, i++) {
		rc = read_feature(pipeline, side, map,
				  &pipeline->feature[side][i], err);
		if (rc)
			return rc;
	}
	pipeline->n[side] = i;
	return check_unique(pipeline, side, err);
}

/* Outputs that go by an input find the one of their name. */
static enum err_code link_outputs(struct pipeline *pipeline, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (unsigned i = 0; i < pipeline->n[OUTPUTS] && !rc; i++) {
		struct feature *output = &pipeline->feature[OUTPUTS][i];
		struct feature *input = NULL;

		if (!output->kind->link)
			continue;
		for (unsigned j = 0; j < pipeline->n[INPUTS] && !input; j++) {
			if (str_equal(pipeline->feature[INPUTS][j].name,
				      output->name))
				input = &pipeline->feature[INPUTS][j];
		}
		rc = output->kind->link(output, input, err);
	}
	return rc;
}

enum err_code pipeline_create(const struct doc *input_features,
			      const struct doc *output_features,
			      struct pipeline **ret_pipeline, struct err *err)
{
	struct pipeline *pipeline = mem_zero(sizeof(*pipeline));
	enum err_code rc;

	if (pipeline)
		pipeline->arena = arena_create(PIPELINE_MAX_BYTES);
	if (!pipeline || !pipeline->arena) {
		rc = err_set(err, ERR_NO_MEMORY, "features: out of memory");
		goto out;
	}
	rc = read_side(pipeline, INPUTS, input_features, err);
	if (!rc)
		rc = read_side(pipeline, OUTPUTS, output_features, err);
	if (!rc)
		rc = link_outputs(pipeline, err);
	if (rc)
		goto out;
	*ret_pipeline = pipeline;
	pipeline = NULL;
out:
	pipeline_destroy(pipeline);
	return rc;
}

void pipeline_schema(bool is_output, const struct field_sub *sub,
		     struct json_writer *writer)
{
	json_write_string(writer, "type", "array");
	json_write_object(writer, "items");
	json_write_array(writer, "oneOf");
	for (size_t i = 0; kinds[i]; i++) {
		const struct feature_kind *kind = kinds[i];

		if (is_output && !kind->decode)
			continue;
		json_write_object(writer, NULL);
		json_write_string(writer, "description", kind->help);
		json_write_string(writer, "type", "object");
		json_write_object(writer, "properties");
		json_write_object(writer, "name");
		json_write_string(writer, "type", "string");
		json_write_object_end(writer);
		field_schema_properties(kind->fields, kind->name, sub, writer);
		json_write_object_end(writer);
		json_write_bool(writer, "additionalProperties", false);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
	json_write_object_end(writer);
}

void pipeline_destroy(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	arena_destroy(pipeline->arena);
	mem_free(pipeline);
}

struct feature *pipeline_feature(struct pipeline *pipeline, bool is_output,
				 unsigned i)
{
	return &pipeline->feature[is_output ? OUTPUTS : INPUTS][i];
}

unsigned pipeline_n_inputs(const struct pipeline *pipeline)
{
	return pipeline->n[INPUTS];
}

unsigned pipeline_n_outputs(const struct pipeline *pipeline)
{
	return pipeline->n[OUTPUTS];
}

const char *pipeline_input_name(const struct pipeline *pipeline, unsigned i)
{
	return pipeline->feature[INPUTS][i].name;
}

const char *pipeline_output_name(const struct pipeline *pipeline, unsigned i)
{
	return pipeline->feature[OUTPUTS][i].name;
}

const char *pipeline_input_type(const struct pipeline *pipeline, unsigned i)
{
	return pipeline->feature[INPUTS][i].kind->name;
}

const char *pipeline_output_type(const struct pipeline *pipeline, unsigned i)
{
	return pipeline->feature[OUTPUTS][i].kind->name;
}

const char *pipeline_label(const struct pipeline *pipeline, bool is_output,
			   unsigned i, int64_t index)
{
	const struct feature *feature =
	    &pipeline->feature[is_output ? OUTPUTS : INPUTS][i];

	return feature->kind->label ? feature->kind->label(feature, index)
				    : NULL;
}

void pipeline_input_row(const struct pipeline *pipeline, unsigned i,
			enum dtype *ret_dtype, struct shape *ret_row)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];
	int64_t width;

	feature->kind->row(feature, ret_dtype, ret_row, &width);
}

void pipeline_input_raw_row(const struct pipeline *pipeline, unsigned i,
			    enum dtype *ret_dtype, struct shape *ret_row)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];

	pipeline_input_row(pipeline, i, ret_dtype, ret_row);
	if (feature->kind->count)
		*ret_row =
		    (struct shape){ .rank = 1,
				    .dim = { feature->kind->count(feature) } };
}

int64_t pipeline_input_width(const struct pipeline *pipeline, unsigned i)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];
	enum dtype dtype;
	struct shape row;
	int64_t width;

	feature->kind->row(feature, &dtype, &row, &width);
	return width;
}

int64_t pipeline_input_embedding_size(const struct pipeline *pipeline,
				      unsigned i)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];

	return feature->kind->embedding_size
		   ? feature->kind->embedding_size(feature)
		   : -1;
}

void pipeline_target_row(const struct pipeline *pipeline, unsigned i,
			 enum dtype *ret_dtype, struct shape *ret_row,
			 int64_t *ret_width)
{
	const struct feature *feature = &pipeline->feature[OUTPUTS][i];

	feature->kind->row(feature, ret_dtype, ret_row, ret_width);
}

enum err_code pipeline_encode_input(const struct pipeline *pipeline, unsigned i,
				    const struct raw_value *value, void *out,
				    struct err *err)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];

	return feature->kind->encode(feature, value, out, err);
}

bool pipeline_augment_input(const struct pipeline *pipeline, unsigned i,
			    const struct augment_spec *spec,
			    const struct augment_place *place, void *row,
			    void *room)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];

	if (!feature->kind->augment)
		return false;
	feature->kind->augment(feature, spec, place, row, room);
	return true;
}

bool pipeline_can_augment(const struct pipeline *pipeline)
{
	for (unsigned i = 0; i < pipeline_n_inputs(pipeline); i++) {
		if (pipeline->feature[INPUTS][i].kind->augment)
			return true;
	}
	return false;
}

enum err_code pipeline_encode_target(const struct pipeline *pipeline,
				     unsigned i, const struct raw_value *value,
				     void *out, struct err *err)
{
	const struct feature *feature = &pipeline->feature[OUTPUTS][i];

	return feature->kind->encode(feature, value, out, err);
}

void pipeline_decode_output(const struct pipeline *pipeline, unsigned i,
			    const float *row, int64_t width,
			    struct json_writer *writer)
{
	const struct feature *feature = &pipeline->feature[OUTPUTS][i];

	feature->kind->decode(feature, row, width, writer);
}

/* --- texts --- */

/* The output that predicts tokens, where there is one. */
static const struct feature *language_of(const struct pipeline *pipeline)
{
	return &pipeline->feature[OUTPUTS][0];
}

bool pipeline_is_language(const struct pipeline *pipeline)
{
	return language_of(pipeline)->kind->language != NULL;
}

struct text_cut pipeline_text_cut(const struct pipeline *pipeline)
{
	const struct feature *feature = language_of(pipeline);
	struct text_cut cut;

	feature->kind->language->cut(feature, &cut);
	return cut;
}

bool pipeline_input_cut(const struct pipeline *pipeline, unsigned i,
			struct text_cut *ret)
{
	const struct feature *feature = &pipeline->feature[INPUTS][i];

	if (!feature->kind->language)
		return false;
	feature->kind->language->cut(feature, ret);
	return true;
}

size_t pipeline_tokens(const struct pipeline *pipeline,
		       const struct raw_value *value, int64_t *id, size_t cap)
{
	const struct feature *feature = language_of(pipeline);

	return feature->kind->language->tokens(feature, value, id, cap);
}

const char *pipeline_spell(const struct pipeline *pipeline, int64_t before,
			   int64_t id, size_t *ret_len, bool *ret_blank)
{
	const struct feature *feature = language_of(pipeline);
	const struct token token =
	    feature->kind->language->spell(feature, before, id, ret_blank);

	*ret_len = token.len;
	return token.bytes;
}

double pipeline_characters(const struct pipeline *pipeline, const int64_t *id,
			   int64_t n)
{
	const struct feature *feature = language_of(pipeline);

	return feature->kind->language->characters(feature, id, n);
}

void pipeline_save(const struct pipeline *pipeline, struct json_writer *writer)
{
	for (int side = 0; side < SIDES; side++) {
		json_write_array(writer, side_key[side]);
		for (unsigned i = 0; i < pipeline->n[side]; i++) {
			const struct feature *f = &pipeline->feature[side][i];

			json_write_object(writer, NULL);
			json_write_string(writer, "name", f->name);
			json_write_string(writer, "type", f->kind->name);
			field_write(f->kind->fields, f->state, writer);
			json_write_object_end(writer);
		}
		json_write_array_end(writer);
	}
}

const char *raw_value_text(const struct raw_value *value, char *text,
			   size_t cap)
{
	static const char *const plain[] = {
		[RAW_MISSING] = "nothing", [RAW_NUMBER] = "a number",
		[RAW_TEXT] = "a text",	   [RAW_BYTES] = "bytes of a file",
		[RAW_TENSOR] = "an array",
	};
	char shape[96];

	if (value->kind == RAW_TENSOR)
		(void)snprintf(
		    text, cap, "an array of shape %s",
		    shape_text(&value->tensor.shape, shape, sizeof(shape)));
	else
		str_copy(text, cap, plain[value->kind]);
	return text;
}

double raw_value_element(const struct tensor_view *view, int64_t i)
{
	const char *at = (const char *)view->data +
			 (size_t)i * dtype_info(view->dtype)->size;
	double value = 0;

	dtype_convert(view->dtype, at, DTYPE_F64, &value, 1, false);
	return value;
}

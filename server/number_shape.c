/* SPDX-License-Identifier: Apache-2.0 */
#include "server/json_text.h"
#include "server/number_scan.h"
#include "server/row_run.h"

struct measure {
	const char *end, *name;
	unsigned depth, rank;
	bool has_rank;
	int64_t n[NUMBER_SCAN_DEPTH + 1];      /* values at each open level */
	int64_t extent[NUMBER_SCAN_DEPTH + 1]; /* -1 until a level closed */
	enum number_kind kind;
	row_run_fn *run;
};

static enum err_code ragged(const struct measure *measure, struct err *err)
{
	return err_set(err, ERR_SHAPE,
		       "%s: the arrays at one level of nesting must be equally "
		       "long and hold the same kind of value",
		       measure->name);
}

static enum err_code broken(const struct measure *measure, const char *at,
			    struct err *err)
{
	char text[64];

	return err_set(err, ERR_INVALID,
		       "%s: expected a value, ',' or ']', got %s",
		       measure->name,
		       json_text_excerpt(at, measure->end, text, sizeof(text)));
}

/* The place behind a lone value, or NULL where it is cut. */
static const char *skip_value(const char *at, const char *end,
			      enum number_kind *ret_kind)
{
	if (*at == '"') {
		*ret_kind = NUMBER_STRING;
		return json_text_skip_string(at, end);
	}
	if (*at == '{' && json_text_skip_bytes(at, end)) {
		*ret_kind = NUMBER_STRING;
		return json_text_skip_bytes(at, end);
	}
	*ret_kind = *at == 't' || *at == 'f'   ? NUMBER_BOOL
		    : *at == '{' || *at == 'n' ? NUMBER_OTHER
					       : NUMBER_NUMBER;
	while (at < end && *at != ',' && *at != ']' && *at != '}' &&
	       *at != ' ' && *at != '\n' && *at != '\t' && *at != '\r')
		at++;
	return at;
}

static enum err_code open_level(struct measure *measure, struct err *err)
{
	if (measure->has_rank && measure->depth >= measure->rank)
		return ragged(measure, err);
	if (measure->depth >= NUMBER_SCAN_DEPTH)
		return err_set(err, ERR_INVALID,
			       "%s: arrays are nested more than %d deep",
			       measure->name, NUMBER_SCAN_DEPTH);
	measure->n[++measure->depth] = 0;
	return ERR_NONE;
}

static enum err_code close_level(struct measure *measure, struct err *err)
{
	int64_t *extent = &measure->extent[measure->depth];

	if (!measure->has_rank) {
		measure->rank = measure->depth;
		measure->has_rank = true;
	}
	if (*extent < 0)
		*extent = measure->n[measure->depth];
	if (*extent != measure->n[measure->depth])
		return ragged(measure, err);
	measure->n[--measure->depth]++;
	return ERR_NONE;
}

/* A value that is no array, at *at. */
static enum err_code lone_value(struct measure *measure, const char **at,
				struct err *err)
{
	enum number_kind kind;
	const char *next = skip_value(*at, measure->end, &kind);

	if (!next || next == *at)
		return broken(measure, *at, err);
	if (!measure->has_rank) {
		measure->rank = measure->depth;
		measure->has_rank = true;
	}
	if (measure->kind == NUMBER_NONE)
		measure->kind = kind;
	if (measure->depth != measure->rank || kind != measure->kind)
		return ragged(measure, err);
	measure->n[measure->depth]++;
	*at = next;
	return ERR_NONE;
}

/* Many numbers at once, where that is known to be a row of them. */
static const char *take_rows(struct measure *measure, const char *at)
{
	const unsigned depth = measure->depth;

	if (measure->kind != NUMBER_NUMBER || !depth || depth != measure->rank)
		return at;
	return measure->run(
	    at, measure->end,
	    &(struct row_run){ .n = &measure->n[depth],
			       .n_rows = &measure->n[depth - 1],
			       .extent =
				   depth > 1 ? measure->extent[depth] : -1 });
}

/* Behind a value: closes what closes, and steps over the comma. */
static enum err_code after_value(struct measure *measure, const char **at,
				 struct err *err)
{
	enum err_code rc;

	*at = json_text_space(*at, measure->end);
	while (measure->depth && *at < measure->end && **at == ']') {
		rc = close_level(measure, err);
		if (rc)
			return rc;
		*at = json_text_space(*at + 1, measure->end);
	}
	if (!measure->depth)
		return ERR_NONE;
	if (*at >= measure->end || **at != ',')
		return broken(measure, *at, err);
	(*at)++;
	return ERR_NONE;
}

static enum err_code measure_all(struct measure *measure, const char *at,
				 struct err *err)
{
	enum err_code rc = ERR_NONE;
	bool may_close = false;
	const char *next;

	do {
		at = json_text_space(at, measure->end);
		if (at >= measure->end || (*at == ']' && !may_close))
			return broken(measure, at, err);
		if (*at == '[') {
			rc = open_level(measure, err);
			may_close = true;
			at++;
			continue;
		}
		next = *at == ']' ? at : take_rows(measure, at);
		if (next != at) {
			at = next;
			may_close = at[-1] == '[';
			continue;
		}
		if (*at != ']')
			rc = lone_value(measure, &at, err);
		if (measure->kind == NUMBER_OTHER)
			return ERR_NONE;
		if (!rc)
			rc = after_value(measure, &at, err);
		may_close = false;
	} while (!rc && measure->depth);
	return rc;
}

enum err_code number_scan_shape(const char *text, size_t len, const char *name,
				struct shape *ret_shape,
				enum number_kind *ret_kind, struct err *err)
{
	struct measure measure = { .end = text + len,
				   .name = name,
				   .run = row_run_find() };
	struct shape shape = { 0 };
	enum err_code rc;

	for (unsigned i = 0; i <= NUMBER_SCAN_DEPTH; i++)
		measure.extent[i] = -1;
	rc = measure_all(&measure, text, err);
	if (rc)
		return rc;
	if (measure.kind != NUMBER_OTHER) {
		if (measure.rank > SHAPE_MAX_RANK)
			return err_set(err, ERR_SHAPE,
				       "%s: expected at most %d dimensions, "
				       "got %u",
				       name, SHAPE_MAX_RANK, measure.rank);
		shape.rank = measure.rank;
		for (unsigned i = 0; i < shape.rank; i++)
			shape.dim[i] = measure.extent[i + 1];
		rc = shape_check(&shape, name, err);
	}
	if (rc)
		return rc;
	*ret_shape = shape;
	*ret_kind = measure.kind;
	return ERR_NONE;
}

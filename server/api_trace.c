/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The trace extension: settings of the server and of models (server/trace.h).
 * Values are texts, as Triton's clients write them; numbers are taken too.
 */
#include <inttypes.h>

#include "base/doc.h"
#include "base/json_write.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/model_cache.h"
#include "server/server_priv.h"
#include "server/trace.h"

static const struct {
	const char *name;
	int64_t bit;
} levels[] = { { "TIMESTAMPS", TRACE_TIMESTAMPS },
	       { "TENSORS", TRACE_TENSORS } };

enum { N_LEVELS = sizeof(levels) / sizeof(*levels) };

static const struct {
	const char *name;
	enum trace_key key;
	int64_t least, most;
} numbers[] = { { "trace_rate", TRACE_RATE, 1, UINT32_MAX },
		{ "trace_count", TRACE_COUNT, -1, INT64_MAX } };

enum { N_NUMBERS = sizeof(numbers) / sizeof(*numbers) };

static enum err_code add_level(const struct doc *item, int64_t *bits,
			       struct err *err)
{
	if (item->kind == DOC_STRING && str_equal(item->text, "OFF"))
		return ERR_NONE;
	for (size_t i = 0; i < N_LEVELS && item->kind == DOC_STRING; i++)
		if (str_equal(item->text, levels[i].name)) {
			*bits |= levels[i].bit;
			return ERR_NONE;
		}
	return err_set(err, ERR_INVALID,
		       "'trace_level': expected \"OFF\", \"TIMESTAMPS\" or "
		       "\"TENSORS\"");
}

static enum err_code read_level(const struct doc *member,
				struct trace_change *change, struct err *err)
{
	int64_t bits = 0;
	enum err_code rc = ERR_NONE;

	if (member->kind != DOC_LIST)
		rc = add_level(member, &bits, err);
	for (const struct doc *item = member->first;
	     member->kind == DOC_LIST && item && !rc; item = item->next)
		rc = add_level(item, &bits, err);
	change->to.value[TRACE_LEVEL] = bits;
	return rc;
}

static bool number_of(const struct doc *member, int64_t *ret)
{
	*ret = member->integer;
	return member->kind == DOC_INT || (member->kind == DOC_STRING &&
					   str_parse_int64(member->text, ret));
}

static enum err_code read_number(const struct doc *member, size_t i,
				 struct trace_change *change, struct err *err)
{
	int64_t value;

	if (!number_of(member, &value) || value < numbers[i].least ||
	    value > numbers[i].most)
		return err_set(err, ERR_INVALID,
			       "'%s': expected an integer from %" PRId64 " up",
			       numbers[i].name, numbers[i].least);
	change->to.value[numbers[i].key] = value;
	return ERR_NONE;
}

/* What is followed goes to the log, a line at once. */
static enum err_code read_fixed(const struct doc *member, const char *value,
				struct err *err)
{
	int64_t number;

	if (member->kind == DOC_NULL ||
	    (member->kind == DOC_STRING && str_equal(member->text, value)) ||
	    (*value == '0' && number_of(member, &number) && number == 0))
		return ERR_NONE;
	return err_set(err, ERR_UNSUPPORTED,
		       "'%s' cannot be changed: traces are lines of the log, "
		       "each written at once",
		       member->key);
}

static enum err_code read_member(const struct doc *member,
				 struct trace_change *change, struct err *err)
{
	size_t i = 0;
	enum trace_key key = TRACE_LEVEL;

	if (str_equal(member->key, "trace_file"))
		return read_fixed(member, "", err);
	if (str_equal(member->key, "log_frequency"))
		return read_fixed(member, "0", err);
	if (!str_equal(member->key, "trace_level")) {
		while (i < N_NUMBERS &&
		       !str_equal(member->key, numbers[i].name))
			i++;
		if (i == N_NUMBERS)
			return err_set(err, ERR_INVALID,
				       "there is no setting '%.64s': expected "
				       "trace_level, trace_rate or trace_count",
				       member->key);
		key = numbers[i].key;
	}
	change->has[key] = true;
	change->clears[key] = member->kind == DOC_NULL;
	if (change->clears[key])
		return ERR_NONE;
	return key == TRACE_LEVEL ? read_level(member, change, err)
				  : read_number(member, i, change, err);
}

static void write_number(struct json_writer *w, const char *key, int64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	json_write_string(w, key, text);
}

static void write_settings(struct json_writer *w,
			   const struct trace_settings *settings)
{
	const int64_t bits = settings->value[TRACE_LEVEL];

	json_write_object(w, NULL);
	json_write_string(w, "trace_file", "");
	json_write_array(w, "trace_level");
	for (size_t i = 0; i < N_LEVELS; i++)
		if (bits & levels[i].bit)
			json_write_string(w, NULL, levels[i].name);
	if (!bits)
		json_write_string(w, NULL, "OFF");
	json_write_array_end(w);
	for (size_t i = 0; i < N_NUMBERS; i++)
		write_number(w, numbers[i].name,
			     settings->value[numbers[i].key]);
	json_write_string(w, "log_frequency", "0");
	json_write_object_end(w);
}

/* A model that the repository does not have has no settings. */
static enum err_code check_model(struct api_request *request, struct err *err)
{
	struct model_row *rows;
	size_t n;
	enum err_code rc;

	if (!request->param[0])
		return ERR_NONE;
	rc = model_cache_list(request->context->models, request->param[0],
			      request->arena, &rows, &n, err);
	if (!rc)
		model_cache_list_free(rows, n);
	return rc;
}

static void answer(struct api_request *request)
{
	struct trace_settings settings;
	struct json_writer w;

	trace_read(request->context->trace, request->param[0], &settings);
	api_answer_json(request, 200, &w);
	write_settings(&w, &settings);
}

enum err_code api_trace_show(struct api_request *request, struct err *err)
{
	enum err_code rc = check_model(request, err);

	if (!rc)
		answer(request);
	return rc;
}

enum err_code api_trace_set(struct api_request *request, struct err *err)
{
	struct trace_change change = { .has = { false } };
	struct doc *doc = NULL;
	enum err_code rc = check_model(request, err);

	if (!rc && request->body_len)
		rc = doc_parse_json(request->body, request->body_len,
				    "request body", request->arena, &doc, err);
	if (!rc && doc && doc->kind != DOC_MAP)
		rc = err_set(err, ERR_INVALID,
			     "request body: expected a map of settings");
	for (const struct doc *m = doc ? doc->first : NULL; m && !rc;
	     m = m->next)
		rc = read_member(m, &change, err);
	if (!rc)
		rc = trace_set(request->context->trace, request->param[0],
			       &change, err);
	if (!rc)
		answer(request);
	return rc;
}

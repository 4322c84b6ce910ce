/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * The logging extension: which levels of lines are written, changed while the
 * server runs. Where lines go and how they look is set at start.
 */
#include "base/doc.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/server_priv.h"

static const struct {
	const char *key;
	enum log_level level;
} switches[] = {
	{ "log_error", LOG_LEVEL_ERROR },
	{ "log_warning", LOG_LEVEL_WARNING },
	{ "log_info", LOG_LEVEL_INFO },
};

enum { N_SWITCHES = sizeof(switches) / sizeof(*switches) };

/* What a request asks for; applied when all of it is understood. */
struct wanted {
	bool has[N_SWITCHES], on[N_SWITCHES], has_verbose;
	unsigned verbose;
};

static const char format[] = "ISO8601";

static enum err_code read_switch(const struct doc *member, size_t i,
				 struct wanted *wanted, struct err *err)
{
	if (member->kind != DOC_BOOL)
		return err_set(err, ERR_INVALID, "'%s': expected true or false",
			       switches[i].key);
	wanted->has[i] = true;
	wanted->on[i] = member->boolean;
	return ERR_NONE;
}

static enum err_code read_verbose(const struct doc *member,
				  struct wanted *wanted, struct err *err)
{
	if (member->kind != DOC_INT || member->integer < 0 ||
	    member->integer > INT32_MAX)
		return err_set(err, ERR_INVALID,
			       "'log_verbose_level': expected an integer from "
			       "0 up");
	wanted->has_verbose = true;
	wanted->verbose = (unsigned)member->integer;
	return ERR_NONE;
}

/* Settings that cannot change: the value they have is taken, no other. */
static enum err_code read_fixed(const struct doc *member, const char *value,
				struct err *err)
{
	if (member->kind == DOC_STRING && str_equal(member->text, value))
		return ERR_NONE;
	return err_set(err, ERR_UNSUPPORTED,
		       "'%s' cannot be changed while the server runs; it is "
		       "\"%s\"",
		       member->key, value);
}

static enum err_code read_member(const struct doc *member,
				 struct wanted *wanted, struct err *err)
{
	for (size_t i = 0; i < N_SWITCHES; i++)
		if (str_equal(member->key, switches[i].key))
			return read_switch(member, i, wanted, err);
	if (str_equal(member->key, "log_verbose_level"))
		return read_verbose(member, wanted, err);
	if (str_equal(member->key, "log_format"))
		return read_fixed(member, format, err);
	if (str_equal(member->key, "log_file"))
		return read_fixed(member, "", err);
	return err_set(err, ERR_INVALID,
		       "there is no setting '%.64s': expected log_error, "
		       "log_warning, log_info or log_verbose_level",
		       member->key);
}

static void apply(struct api_context *context, const struct wanted *wanted)
{
	for (size_t i = 0; i < N_SWITCHES; i++)
		if (wanted->has[i])
			log_set(switches[i].level, wanted->on[i]);
	if (!wanted->has_verbose)
		return;
	atomic_store(&context->verbose, wanted->verbose);
	log_set(LOG_LEVEL_DEBUG, wanted->verbose > 0);
}

enum err_code api_logging_show(struct api_request *request, struct err *err)
{
	unsigned verbose = atomic_load(&request->context->verbose);
	struct json_writer w;

	(void)err;
	if (!log_is_on(LOG_LEVEL_DEBUG))
		verbose = 0;
	else if (!verbose)
		verbose = 1;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_string(&w, "log_file", "");
	for (size_t i = 0; i < N_SWITCHES; i++)
		json_write_bool(&w, switches[i].key,
				log_is_on(switches[i].level));
	json_write_uint(&w, "log_verbose_level", verbose);
	json_write_string(&w, "log_format", format);
	json_write_object_end(&w);
	return ERR_NONE;
}

enum err_code api_logging_set(struct api_request *request, struct err *err)
{
	struct wanted wanted = { 0 };
	struct doc *doc = NULL;
	enum err_code rc = ERR_NONE;

	if (request->body_len)
		rc = doc_parse_json(request->body, request->body_len,
				    "request body", request->arena, &doc, err);
	if (!rc && doc && doc->kind != DOC_MAP)
		rc = err_set(err, ERR_INVALID,
			     "request body: expected a map of settings");
	for (const struct doc *m = doc ? doc->first : NULL; m && !rc;
	     m = m->next)
		rc = read_member(m, &wanted, err);
	if (rc)
		return rc;
	apply(request->context, &wanted);
	return api_logging_show(request, err);
}

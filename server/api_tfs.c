/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"
#include "base/str.h"
#include "server/api_handlers.h"
#include "server/codec_predict.h"
#include "server/json_text.h"
#include "server/number_scan.h"
#include "server/number_write.h"

/* TensorFlow Serving's dialect, which is KServe's first one too: "instances"
 * is a list of rows, "inputs" whole tensors. */

enum { INSTANCES_MAX = 100000, NAME_TEXT = 96 };

/* --- answers --- */

static enum err_code write_tensor(struct json_writer *w, const char *key,
				  const char *output,
				  const struct tensor_view *tensor,
				  struct err *err)
{
	char name[NAME_TEXT];

	(void)snprintf(name, sizeof(name), "output '%.64s'", output);
	json_write_raw(w, key, "", 0);
	return number_write_nested(w->buf, tensor, name,
				   str_ends_with(output, "_bytes"), err);
}

static enum err_code answer_columns(struct api_request *request,
				    struct err *err)
{
	struct inference *inference;
	struct json_writer w;
	enum err_code rc = inference_result(request, &inference, err);

	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	rc = inference->n_wanted == 1
		 ? write_tensor(&w, "outputs",
				inference->signature->output[0].name,
				&inference->output[0], err)
		 : codec_write_tensors(inference, &w, "outputs", err);
	json_write_object_end(&w);
	return rc;
}

/* Row r of a tensor. */
static struct tensor_view row_of(const struct tensor_view *tensor, int64_t r)
{
	const struct shape *shape = &tensor->shape;
	struct tensor_view row = { .dtype = tensor->dtype };

	row.shape.rank = shape->rank - 1;
	memcpy(row.shape.dim, shape->dim + 1,
	       row.shape.rank * sizeof(*shape->dim));
	row.data =
	    (char *)tensor->data + (size_t)(r * shape_count(&row.shape)) *
				       dtype_info(tensor->dtype)->size;
	return row;
}

static enum err_code write_row(struct inference *inference,
			       struct json_writer *w, int64_t r,
			       struct err *err)
{
	const bool is_map = inference->n_wanted > 1;
	enum err_code rc = ERR_NONE;

	if (is_map)
		json_write_object(w, NULL);
	for (unsigned i = 0; i < inference->n_wanted && !rc; i++) {
		const char *name = inference->signature->output[i].name;
		const struct tensor_view row = row_of(&inference->output[i], r);

		rc = write_tensor(w, is_map ? name : NULL, name, &row, err);
	}
	if (is_map)
		json_write_object_end(w);
	return rc;
}

static enum err_code answer_rows(struct api_request *request, struct err *err)
{
	struct inference *inference;
	struct json_writer w;
	int64_t n = -1;
	enum err_code rc = inference_result(request, &inference, err);

	for (unsigned i = 0; !rc && i < inference->n_wanted; i++) {
		const struct shape *shape = &inference->output[i].shape;
		const int64_t rows = shape->rank ? shape->dim[0] : -1;

		if (n < 0)
			n = rows;
		if (rows < 0 || rows != n)
			rc = err_set(err, ERR_INVALID,
				     "model '%s': output '%s' has no row for "
				     "each instance; ask with \"inputs\"",
				     inference->model->package->name,
				     inference->signature->output[i].name);
	}
	if (rc)
		return rc;
	api_answer_json(request, 200, &w);
	json_write_object(&w, NULL);
	json_write_array(&w, "predictions");
	for (int64_t r = 0; r < n && !rc; r++)
		rc = write_row(inference, &w, r, err);
	json_write_array_end(&w);
	json_write_object_end(&w);
	return rc;
}

/* --- instances that are maps: {"a": row of a, "b": row of b} --- */

struct instances {
	struct inference *inference;
	size_t n, row; /* all, and the one being read */
	size_t row_bytes[INFERENCE_TENSORS_MAX];
	struct shape row_shape[INFERENCE_TENSORS_MAX];
	size_t n_given[INFERENCE_TENSORS_MAX];
};

static enum err_code count_instances(struct json_pull pull, size_t *ret_n,
				     struct err *err)
{
	bool is_more;
	size_t n = 0;
	enum err_code rc = json_pull_array(&pull, err);

	while (!rc && !(rc = json_pull_item(&pull, &is_more, err)) && is_more) {
		pull.n_keys = 0;
		if (n++ == INSTANCES_MAX)
			return err_set(err, ERR_INVALID,
				       "more than %d instances", INSTANCES_MAX);
		rc = json_pull_value(&pull, NULL, err);
	}
	*ret_n = n;
	return rc;
}

/* The first row of an input says the shape of all. */
static enum err_code begin_port(struct instances *all, unsigned port,
				const struct shape *row, struct err *err)
{
	struct inference *inference = all->inference;
	const enum dtype dtype = inference->signature->input[port].dtype;
	struct shape shape = { .rank = row->rank + 1 };
	size_t bytes;
	enum err_code rc;

	if (row->rank == SHAPE_MAX_RANK)
		return err_set(err, ERR_SHAPE, "an instance of %d dimensions",
			       SHAPE_MAX_RANK);
	shape.dim[0] = (int64_t)all->n;
	memcpy(shape.dim + 1, row->dim, row->rank * sizeof(*row->dim));
	rc = inference_shape_input(inference, port, dtype, &shape, &bytes, err);
	if (!rc)
		rc = inference_alloc_input(inference, port, bytes, err);
	all->row_shape[port] = *row;
	all->row_bytes[port] = all->n ? bytes / all->n : 0;
	return rc;
}

static enum err_code read_cell(struct instances *all, struct json_pull *pull,
			       unsigned port, struct err *err)
{
	struct inference *inference = all->inference;
	const struct signature_port *row = &inference->signature->input[port];
	char name[NAME_TEXT];
	struct number_target target = { .name = name,
					.dtype = row->dtype,
					.arena = pull->arena };
	enum number_kind kind;
	struct shape shape;
	size_t used = 0;
	enum err_code rc;

	(void)snprintf(name, sizeof(name), "instance %zu: input '%.40s'",
		       all->row, row->name);
	(void)json_pull_peek(pull);
	rc = number_scan_shape(pull->at, (size_t)(pull->end - pull->at), name,
			       &shape, &kind, err);
	if (!rc && !inference->has_input[port])
		rc = begin_port(all, port, &shape, err);
	if (!rc && (!shape_equal(&shape, &all->row_shape[port]) ||
		    all->n_given[port] != all->row))
		rc = err_set(err, ERR_SHAPE,
			     "%s: every instance must have the same inputs in "
			     "the same shapes",
			     name);
	if (rc)
		return rc;
	target.count = (size_t)shape_count(&shape);
	target.out = (char *)inference->input[port].data +
		     all->row * all->row_bytes[port];
	rc = number_scan(pull->at, (size_t)(pull->end - pull->at), &target,
			 &used, err);
	pull->at += used;
	all->n_given[port]++;
	return rc;
}

static enum err_code find_port(const struct inference *inference,
			       struct str key, unsigned *ret_port,
			       struct err *err)
{
	const struct model_signature *signature = inference->signature;

	for (unsigned i = 0;
	     i < signature->n_inputs && i < INFERENCE_TENSORS_MAX; i++)
		if (json_pull_is(key, signature->input[i].name)) {
			*ret_port = i;
			return ERR_NONE;
		}
	return err_set(err, ERR_INVALID, "model '%s' has no input '%.*s'",
		       inference->model->package->name,
		       (int)(key.len < 64 ? key.len : 64), key.bytes);
}

static enum err_code read_instance(struct instances *all,
				   struct json_pull *pull, struct err *err)
{
	struct str key;
	unsigned port;
	enum err_code rc = json_pull_object(pull, err);

	pull->n_keys = 0;
	while (!rc && !(rc = json_pull_key(pull, &key, err)) && key.bytes) {
		rc = find_port(all->inference, key, &port, err);
		if (!rc)
			rc = read_cell(all, pull, port, err);
	}
	return rc;
}

static enum err_code check_rows(const struct instances *all, struct err *err)
{
	const struct model_signature *signature = all->inference->signature;

	for (unsigned i = 0;
	     i < signature->n_inputs && i < INFERENCE_TENSORS_MAX; i++)
		if (all->n_given[i] && all->n_given[i] != all->n)
			return err_set(err, ERR_INVALID,
				       "input '%s' is missing in some of the "
				       "instances",
				       signature->input[i].name);
	return ERR_NONE;
}

static enum err_code read_maps(struct inference *inference,
			       struct json_pull *pull, struct err *err)
{
	struct instances *all =
	    arena_alloc(inference->request->arena, sizeof(*all));
	bool is_more;
	enum err_code rc;

	if (!all)
		return err_set(err, ERR_NO_MEMORY, "instances: out of memory");
	all->inference = inference;
	rc = count_instances(*pull, &all->n, err);
	if (!rc)
		rc = json_pull_array(pull, err);
	while (!rc && !(rc = json_pull_item(pull, &is_more, err)) && is_more) {
		rc = read_instance(all, pull, err);
		all->row++;
	}
	return rc ? rc : check_rows(all, err);
}

/* --- requests --- */

/* Whether instances are maps of inputs, and not values or {"b64": ...}. */
static bool holds_maps(const struct json_pull *pull)
{
	struct json_pull ahead = *pull;
	bool is_more;

	return !json_pull_array(&ahead, NULL) &&
	       !json_pull_item(&ahead, &is_more, NULL) && is_more &&
	       json_pull_peek(&ahead) == JSON_KIND_OBJECT &&
	       !json_text_skip_bytes(ahead.at, ahead.end);
}

/* The one signature that a graph has; "" is the default too. */
static enum err_code check_signature(const struct inference *inference,
				     struct json_pull *pull, struct err *err)
{
	struct str name;
	enum err_code rc = json_pull_string(pull, &name, err);

	if (rc || !name.len || json_pull_is(name, "serving_default"))
		return rc;
	return err_set(err, ERR_INVALID,
		       "\"signature_name\": model '%s' has only "
		       "\"serving_default\", not \"%.*s\"",
		       inference->model->package->name,
		       (int)(name.len < 64 ? name.len : 64), name.bytes);
}

/* How deep the arrays are that begin a value. */
static unsigned count_levels(const struct json_pull *pull)
{
	unsigned n = 0;

	for (const char *at = pull->at; at < pull->end; at++) {
		if (*at == '[')
			n++;
		else if (!strchr(" \t\r\n", *at))
			break;
	}
	return n;
}

static enum err_code read_lone(struct inference *inference,
			       struct json_pull *pull, bool is_rows,
			       struct err *err)
{
	const struct model_signature *signature = inference->signature;
	const unsigned n_levels = count_levels(pull);
	enum err_code rc;

	if (signature->n_inputs != 1)
		return err_set(err, ERR_INVALID,
			       "\"%s\": model '%s' has %u inputs; expected "
			       "maps of their names",
			       is_rows ? "instances" : "inputs",
			       inference->model->package->name,
			       signature->n_inputs);
	rc = codec_read_tensor(inference, 0, pull, err);
	/* one row that would be completed to a list of one is as many instances
	 * as it has elements, and their answers would be too few */
	if (!rc && is_rows && inference->input[0].shape.rank != n_levels)
		rc = err_set(err, ERR_SHAPE,
			     "\"instances\": each is a row of input '%s', of "
			     "%u dimensions; got %u",
			     signature->input[0].name,
			     inference->input[0].shape.rank - 1, n_levels - 1);
	return rc;
}

/* "instances" is a list of at least one row. */
static enum err_code check_instances(struct json_pull ahead, struct err *err)
{
	bool is_more = false;

	if (json_pull_peek(&ahead) == JSON_KIND_ARRAY) {
		enum err_code rc = json_pull_array(&ahead, err);

		if (!rc)
			rc = json_pull_item(&ahead, &is_more, err);
		if (rc)
			return rc;
	}
	return is_more ? ERR_NONE
		       : err_set(err, ERR_INVALID,
				 "\"instances\": expected a list of at least "
				 "one row");
}

static enum err_code read_member(struct inference *inference,
				 struct json_pull *pull, struct str key,
				 api_handler **answer, struct err *err)
{
	const bool is_rows = json_pull_is(key, "instances");
	bool is_null;
	enum err_code rc = json_pull_null(pull, &is_null, err);

	if (rc || is_null)
		return rc;
	if (json_pull_is(key, "signature_name"))
		return check_signature(inference, pull, err);
	if (!is_rows && !json_pull_is(key, "inputs"))
		return json_pull_value(pull, NULL, err);
	if (*answer)
		return err_set(err, ERR_INVALID,
			       "one of \"instances\" and \"inputs\", once");
	*answer = is_rows ? answer_rows : answer_columns;
	rc = is_rows ? check_instances(*pull, err) : ERR_NONE;
	if (rc)
		return rc;
	if (is_rows && holds_maps(pull))
		return read_maps(inference, pull, err);
	if (!is_rows && json_pull_peek(pull) == JSON_KIND_OBJECT &&
	    !json_text_skip_bytes(pull->at, pull->end))
		return codec_read_tensors(inference, pull, err);
	return read_lone(inference, pull, is_rows, err);
}

enum err_code api_tfs_predict(struct api_request *request, struct err *err)
{
	struct inference *inference;
	api_handler *answer = NULL;
	struct json_pull pull;
	struct str key;
	enum err_code rc;

	rc = inference_begin(request, request->param[0], request->param[1],
			     &inference, err);
	if (rc)
		return rc;
	json_pull_init(&pull, request->body, request->body_len, "request body",
		       request->arena);
	rc = json_pull_object(&pull, err);
	while (!rc && !(rc = json_pull_key(&pull, &key, err)) && key.bytes)
		rc = read_member(inference, &pull, key, &answer, err);
	if (!rc)
		rc = json_pull_finish(&pull, err);
	if (!rc && !answer)
		rc = err_set(err, ERR_INVALID,
			     "request body: \"instances\" is missing");
	if (!rc)
		rc = inference_want_all(inference, false, err);
	return rc ? rc : inference_run(inference, answer, err);
}

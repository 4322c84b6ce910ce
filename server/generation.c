/* SPDX-License-Identifier: Apache-2.0 */
#include "server/generation_priv.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/str.h"
#include "data/features/vocabulary.h"

#define RUN_BYTES_MAX ((size_t)256 << 20)
#define TEXT_BYTES_MAX ((size_t)8 << 20)

/* tokens of a text go into runs of these lengths, so that plans are few */
static const size_t lengths[] = { 64, 8, 1 };

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY,
		       "the request needs more memory than one may have");
}

static void cleanup(struct api_request *request)
{
	struct generation *g = ((struct inference *)request->state)->generation;

	arena_destroy(g->scratch);
	buf_finish(&g->made);
	g->cleanup(request);
}

static bool alloc(struct generation *g, struct arena *arena)
{
	const struct package *package = g->inference->model->package;
	const struct signature_port *port =
	    &package->signature.input[package->state_in];

	g->state_bytes =
	    (size_t)(port->dim[1].extent * port->dim[2].extent) * sizeof(float);
	g->state = arena_aligned(arena, g->state_bytes);
	g->rows = arena_array(arena, g->n_rows, sizeof(*g->rows));
	g->text = arena_array(arena, g->n_rows, sizeof(*g->text));
	g->n_tokens = arena_array(arena, g->n_rows, sizeof(*g->n_tokens));
	return g->state && g->rows && g->text && g->n_tokens;
}

enum err_code generation_begin(struct inference *inference,
			       const struct raw_value *const *rows, size_t n,
			       struct err *err)
{
	struct api_request *request = inference->request;
	struct generation *g = arena_alloc(request->arena, sizeof(*g));

	if (n > GENERATION_ROWS)
		return err_set(err, ERR_INVALID,
			       "\"inputs\": a language model goes on with at "
			       "most %d texts a request, got %zu",
			       (int)GENERATION_ROWS, n);
	if (!g)
		return no_memory(err);
	*g = (struct generation){ .inference = inference, .n_rows = n };
	sampling_init(&g->sampling);
	if (!alloc(g, request->arena))
		return no_memory(err);
	for (size_t i = 0; i < n; i++)
		g->rows[i] = rows[i][0];
	g->scratch = arena_create(RUN_BYTES_MAX);
	if (!g->scratch)
		return no_memory(err);
	buf_init(&g->made, TEXT_BYTES_MAX);
	inference->generation = g;
	g->cleanup = request->cleanup;
	request->cleanup = cleanup;
	return ERR_NONE;
}

/* --- a row --- */

static enum err_code begin_row(struct generation *g, struct err *err)
{
	const struct pipeline *pipeline =
	    g->inference->model->package->pipeline;
	const struct raw_value *value = &g->rows[g->row];
	struct arena *arena = g->inference->request->arena;
	size_t room;
	enum err_code rc;

	if (value->kind != RAW_TEXT)
		return err_set(err, ERR_INVALID,
			       "feature '%s': expected a text to go on with",
			       pipeline_input_name(pipeline, 0));
	room = pipeline_tokens(pipeline, value, NULL, 0);
	if (!room)
		return err_set(err, ERR_INVALID,
			       "feature '%s': the text is empty; expected at "
			       "least one token to go on from",
			       pipeline_input_name(pipeline, 0));
	rc = api_hold(g->inference->request, room * sizeof(*g->token), err);
	if (rc)
		return rc;
	g->token = arena_array(arena, room + 1, sizeof(*g->token));
	if (!g->token)
		return no_memory(err);
	g->n_given = pipeline_tokens(pipeline, value, g->token, room);
	g->at = 0;
	g->rng.stream = (uint32_t)g->row;
	memset(g->state, 0, g->state_bytes);
	buf_reset(&g->made);
	return ERR_NONE;
}

const char *generation_stop(const struct generation *generation)
{
	const struct generation *g = generation;
	const struct str *stop = &g->sampling.stop;

	if (!stop->bytes || !stop->len || g->made.len < stop->len)
		return NULL;
	return memmem(g->made.data, g->made.len, stop->bytes, stop->len);
}

static enum err_code end_row(struct generation *g, struct err *err)
{
	const char *stop = generation_stop(g);
	struct str *text = &g->text[g->row];
	enum err_code rc = buf_check(&g->made, "the text", err);

	if (rc)
		return rc;
	text->len = stop ? (size_t)(stop - g->made.data) : g->made.len;
	text->bytes = arena_strndup(g->inference->request->arena,
				    text->len ? g->made.data : "", text->len);
	if (!text->bytes)
		return no_memory(err);
	g->row++;
	return ERR_NONE;
}

/* --- a run --- */

/* The next tokens that the model has not seen. */
static size_t next_length(const struct generation *g)
{
	const size_t left = g->n_given > g->at ? g->n_given - g->at : 1;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		if (lengths[i] <= left)
			return lengths[i];
	return 1;
}

void generation_give(struct generation *generation)
{
	struct generation *g = generation;
	struct inference *inference = g->inference;
	const struct package *package = inference->model->package;
	const struct signature_port *port =
	    &package->signature.input[package->state_in];
	struct tensor_view *text = &inference->input[!package->state_in];
	struct tensor_view *state = &inference->input[package->state_in];

	arena_reset(g->scratch);
	*text = (struct tensor_view){ .data = g->token + g->at,
				      .dtype = DTYPE_I64 };
	text->shape = (struct shape){ 2, { 1, (int64_t)next_length(g) } };
	*state = (struct tensor_view){ .data = g->state, .dtype = DTYPE_F32 };
	state->shape =
	    (struct shape){ 3,
			    { 1, port->dim[1].extent, port->dim[2].extent } };
	inference->has_input[0] = inference->has_input[1] = true;
}

static void add_token(struct generation *g, int64_t id)
{
	const struct pipeline *pipeline =
	    g->inference->model->package->pipeline;
	const int64_t before = g->token[g->at - 1];
	size_t len;
	bool blank;
	const char *bytes = pipeline_spell(pipeline, before, id, &len, &blank);

	if (blank)
		buf_puts(&g->made, " ");
	buf_put(&g->made, bytes, len);
	g->n_tokens[g->row]++;
}

/* After a run: its state, and a token where the text given is at its end. */
static enum err_code take_outputs(struct generation *g, bool *ret_over,
				  struct err *err)
{
	struct inference *inference = g->inference;
	const struct package *package = inference->model->package;
	const struct tensor_view *state =
	    &inference->output[package->state_out];
	const struct tensor_view *logits =
	    &inference->output[!package->state_out];
	const int64_t width = logits->shape.dim[logits->shape.rank - 1];
	const int64_t steps = inference->input[!package->state_in].shape.dim[1];
	double u;
	int64_t id;

	*ret_over = false;
	memcpy(g->state, state->data, g->state_bytes);
	g->at += (size_t)steps;
	if (g->at < g->n_given)
		return ERR_NONE;
	u = (double)rng_uniform(g->rng, g->n_tokens[g->row]);
	id = sampling_draw(&g->sampling,
			   (const float *)logits->data + (steps - 1) * width,
			   VOCABULARY_SPECIALS, width, u, g->scratch);
	if (id < 0)
		return no_memory(err);
	add_token(g, id);
	/* from here on the last token stands at the end of those given */
	g->token[0] = id;
	g->at = 0;
	g->n_given = 1;
	*ret_over = g->n_tokens[g->row] >= g->sampling.max_new_tokens ||
		    generation_stop(g);
	return ERR_NONE;
}

enum err_code generation_take(struct generation *generation, struct err *err)
{
	struct generation *g = generation;
	bool is_over;
	enum err_code rc = take_outputs(g, &is_over, err);

	if (rc || !is_over)
		return rc;
	rc = end_row(g, err);
	return rc || g->row == g->n_rows ? rc : begin_row(g, err);
}

/* --- texts in one answer --- */

static enum err_code go_on(struct api_request *request, struct err *err);

/* Hands the next run on, unless all texts are there. */
static enum err_code advance(struct generation *g, struct err *err)
{
	if (g->row == g->n_rows)
		return g->answer(g->inference->request, err);
	generation_give(g);
	return inference_step(g->inference, g->scratch, go_on, err);
}

/* A run has ended. */
static enum err_code go_on(struct api_request *request, struct err *err)
{
	struct inference *inference;
	enum err_code rc = inference_result(request, &inference, err);

	if (!rc)
		rc = generation_take(inference->generation, err);
	return rc ? rc : advance(inference->generation, err);
}

enum err_code generation_start(struct generation *generation, struct err *err)
{
	struct generation *g = generation;

	g->rng = (struct rng){ .seed = g->sampling.has_seed
					   ? g->sampling.seed
					   : (uint64_t)clock_realtime_ms() };
	/* nothing to make: empty texts */
	while (!g->sampling.max_new_tokens && g->row < g->n_rows)
		g->text[g->row++] = (struct str){ "", 0 };
	return g->row < g->n_rows ? begin_row(g, err) : ERR_NONE;
}

enum err_code generation_run(struct generation *generation, api_handler *answer,
			     struct err *err)
{
	enum err_code rc = generation_start(generation, err);

	generation->answer = answer;
	return rc ? rc : advance(generation, err);
}

void generation_write(const struct generation *generation,
		      struct json_writer *writer, const char *key)
{
	json_write_array(writer, key);
	for (size_t i = 0; i < generation->n_rows; i++) {
		json_write_object(writer, NULL);
		json_write_strn(writer, "text", generation->text[i].bytes,
				generation->text[i].len);
		json_write_uint(writer, "tokens", generation->n_tokens[i]);
		json_write_object_end(writer);
	}
	json_write_array_end(writer);
}

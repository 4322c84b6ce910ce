/* SPDX-License-Identifier: Apache-2.0 */
#include "training/features.h"

#include "base/mem.h"
#include "base/spill.h"
#include "engine/instance.h"
#include "engine/train_cut.h"

struct features {
	struct features_options options;
	struct train_cut cut;
	struct plan *plan; /* of the body */
	struct instance *instance;
	struct stepper_port port[CUT_MAX];
	size_t bytes[CUT_MAX]; /* of a row of each input of the head */
	unsigned n_ports;
	size_t input_bytes[STEPPER_MAX_PORTS]; /* of a row, of the body's */
	size_t target_bytes;
	/* the batch that was made */
	struct batch made;
	void *input[CUT_MAX], *target[1];
	/* the cache: slot[row] - 1 is a row's place in it */
	int32_t *slot, n_slots;
	int64_t end, cap;
	char *cache;
	struct spill spill;
	size_t row_bytes;
};

static enum err_code no_memory(struct err *err)
{
	return err_set(err, ERR_NO_MEMORY, "features: out of memory");
}

/* --- the body --- */

static enum err_code plan_body(struct features *f, struct err *err)
{
	const struct features_options *o = &f->options;
	const struct plan_options options = { .threads = o->threads,
					      .numerics = NUMERICS_REPEATABLE };
	struct fact fact[STEPPER_MAX_PORTS] = { 0 };
	const struct signature signature = { (unsigned)f->cut.body->n_input,
					     fact };

	for (unsigned i = 0; i < signature.n; i++) {
		struct shape row;

		pipeline_input_row(o->pipeline, i, &fact[i].type.elem, &row);
		f->input_bytes[i] = tensor_bytes(fact[i].type.elem, &row);
		fact[i].has_shape = true;
		fact[i].shape.rank = row.rank + 1;
		fact[i].shape.dim[0] = o->rows;
		for (unsigned d = 0; d < row.rank; d++)
			fact[i].shape.dim[d + 1] = row.dim[d];
	}
	return plan_create(f->cut.body, &signature, &options, &f->plan, err);
}

/* Ports of the head; false where a feature has no rows. */
static bool find_ports(struct features *f)
{
	for (unsigned i = 0; i < f->cut.n_features; i++) {
		const struct fact *fact = plan_output(f->plan, i);
		struct stepper_port *port = &f->port[f->n_ports++];

		if (!fact->has_shape || fact->shape.rank < 1 ||
		    fact->shape.dim[0] != f->options.rows)
			return false;
		port->dtype = fact->type.elem;
		port->row.rank = fact->shape.rank - 1;
		for (unsigned d = 0; d < port->row.rank; d++)
			port->row.dim[d] = fact->shape.dim[d + 1];
	}
	for (unsigned i = 0; i < f->cut.n_kept; i++) {
		struct stepper_port *port = &f->port[f->n_ports++];

		pipeline_input_row(f->options.pipeline, f->cut.kept[i],
				   &port->dtype, &port->row);
	}
	for (unsigned i = 0; i < f->n_ports; i++) {
		f->bytes[i] = tensor_bytes(f->port[i].dtype, &f->port[i].row);
		f->row_bytes += f->bytes[i];
	}
	return true;
}

static enum err_code make_buffers(struct features *f, struct err *err)
{
	const size_t rows = (size_t)f->options.max_rows;
	enum dtype dtype;
	struct shape shape;
	int64_t width;

	pipeline_target_row(f->options.pipeline, 0, &dtype, &shape, &width);
	f->target_bytes = tensor_bytes(dtype, &shape);
	f->row_bytes += f->target_bytes;
	f->made.input = f->input;
	f->made.target = f->target;
	f->target[0] = mem_aligned(rows * f->target_bytes + 1);
	for (unsigned i = 0; i < f->n_ports; i++) {
		f->input[i] = mem_aligned(rows * f->bytes[i] + 1);
		if (!f->input[i])
			return no_memory(err);
	}
	return f->target[0] ? ERR_NONE : no_memory(err);
}

static enum err_code run(struct features *f, struct err *err)
{
	const unsigned threads = f->options.threads;
	struct team team = { 0 };
	enum err_code rc;

	if (!f->instance) {
		rc = instance_create(f->plan, &f->instance, err);
		if (rc)
			return rc;
	}
	if (f->options.pool && threads > 1)
		team_borrow(f->options.pool, threads - 1, &team);
	rc = instance_run(f->instance, team.n ? &team : NULL, err);
	if (team.pool)
		team_return(&team);
	return rc;
}

/* Rows [first, first + n) of the batch, the rest filled up with the first. */
static void write_rows(struct features *f, const struct batch *batch,
		       int64_t first, int64_t n)
{
	for (unsigned i = 0; i < (unsigned)f->cut.body->n_input; i++) {
		char *to = instance_input(f->instance, i).data;
		const size_t bytes = f->input_bytes[i];
		const char *from = (const char *)batch->input[i];

		memcpy(to, from + (size_t)first * bytes, (size_t)n * bytes);
		for (int64_t row = n; row < f->options.rows; row++)
			memcpy(to + (size_t)row * bytes, from, bytes);
	}
}

static enum err_code make_rows(struct features *f, const struct batch *batch,
			       int64_t first, int64_t n, struct err *err)
{
	enum err_code rc = ERR_NONE;

	if (!f->instance)
		rc = instance_create(f->plan, &f->instance, err);
	if (rc)
		return rc;
	write_rows(f, batch, first, n);
	rc = run(f, err);
	for (unsigned i = 0; i < f->cut.n_features && !rc; i++)
		memcpy((char *)f->input[i] + (size_t)first * f->bytes[i],
		       instance_output(f->instance, i).data,
		       (size_t)n * f->bytes[i]);
	return rc;
}

enum err_code features_make(struct features *f, const struct batch *batch,
			    const struct batch **ret, struct err *err)
{
	enum err_code rc = ERR_NONE;

	for (int64_t at = 0; at < batch->n && !rc; at += f->options.rows) {
		const int64_t left = batch->n - at;

		rc = make_rows(f, batch, at,
			       left < f->options.rows ? left : f->options.rows,
			       err);
	}
	for (unsigned i = 0; i < f->cut.n_kept; i++) {
		const unsigned to = f->cut.n_features + i;

		memcpy(f->input[to], batch->input[f->cut.kept[i]],
		       (size_t)batch->n * f->bytes[to]);
	}
	memcpy(f->target[0], batch->target[0],
	       (size_t)batch->n * f->target_bytes);
	f->made.n = batch->n;
	f->made.first = batch->first;
	*ret = &f->made;
	return rc;
}

/* --- do rows depend on each other? --- */

/* The batch with its rows the other way round, in buffers of its own. */
static bool turn_round(const struct features *f, const struct batch *batch,
		       void **input)
{
	for (unsigned i = 0; i < (unsigned)f->cut.body->n_input; i++) {
		const size_t bytes = f->input_bytes[i];

		input[i] = mem_alloc((size_t)batch->n * bytes + 1);
		if (!input[i])
			return false;
		for (int64_t row = 0; row < batch->n; row++)
			memcpy((char *)input[i] + (size_t)row * bytes,
			       (const char *)batch->input[i] +
				   (size_t)(batch->n - 1 - row) * bytes,
			       bytes);
	}
	return true;
}

/* Output i of the sample turned round has the bits of the first one. */
static bool is_same(const struct features *f, const char *first, unsigned i)
{
	const size_t bytes = f->bytes[i];
	const int64_t n = f->made.n;

	for (int64_t row = 0; row < n && first; row++)
		if (memcmp(first + (size_t)row * bytes,
			   (const char *)f->input[i] +
			       (size_t)(n - 1 - row) * bytes,
			   bytes) != 0)
			return false;
	return first != NULL;
}

static enum err_code try_rows(struct features *f, const struct batch *sample,
			      bool *ret_ok, struct err *err)
{
	void *input[STEPPER_MAX_PORTS] = { NULL };
	void *first[CUT_MAX] = { NULL };
	struct batch turned = *sample;
	const struct batch *made;
	enum err_code rc;

	turned.input = input;
	rc = features_make(f, sample, &made, err);
	for (unsigned i = 0; i < f->cut.n_features && !rc; i++) {
		const size_t bytes = (size_t)made->n * f->bytes[i];

		first[i] = mem_alloc(bytes + 1);
		if (first[i])
			memcpy(first[i], f->input[i], bytes);
		else
			rc = no_memory(err);
	}
	if (!rc && !turn_round(f, sample, input))
		rc = no_memory(err);
	if (!rc)
		rc = features_make(f, &turned, &made, err);
	*ret_ok = !rc;
	for (unsigned i = 0; i < f->cut.n_features && !rc; i++)
		*ret_ok = *ret_ok && is_same(f, first[i], i);
	for (unsigned i = 0; i < CUT_MAX; i++)
		mem_free(first[i]);
	for (unsigned i = 0; i < STEPPER_MAX_PORTS; i++)
		mem_free(input[i]);
	return rc;
}

/* --- birth --- */

static enum err_code fill(struct features *f, const struct batch *sample,
			  bool *ret_ok, struct err *err)
{
	enum err_code rc =
	    train_cut(f->options.graph, f->options.frozen, &f->cut, err);

	*ret_ok = false;
	if (rc || !f->cut.body)
		return rc;
	rc = plan_body(f, err);
	if (rc == ERR_NO_MEMORY)
		return rc;
	if (rc) /* the whole network may still be trained */
		return ERR_NONE;
	if (!find_ports(f))
		return ERR_NONE;
	rc = make_buffers(f, err);
	return rc ? rc : try_rows(f, sample, ret_ok, err);
}

enum err_code features_create(const struct features_options *options,
			      const struct batch *sample, struct features **ret,
			      struct err *err)
{
	struct features *f = mem_zero(sizeof(*f));
	bool ok;
	enum err_code rc;

	if (!f)
		return no_memory(err);
	f->options = *options;
	rc = fill(f, sample, &ok, err);
	*ret = NULL;
	if (!rc && ok) {
		*ret = f;
		f = NULL;
	}
	features_destroy(f);
	return rc;
}

void features_destroy(struct features *f)
{
	if (!f)
		return;
	instance_destroy(f->instance);
	plan_unref(f->plan);
	train_cut_finish(&f->cut);
	for (unsigned i = 0; i < CUT_MAX; i++)
		mem_free(f->input[i]);
	mem_free(f->target[0]);
	mem_free(f->slot);
	if (!f->spill.data)
		mem_free(f->cache);
	spill_destroy(&f->spill);
	mem_free(f);
}

const struct graph *features_head(const struct features *f)
{
	return f->cut.head;
}

const struct stepper_port *features_ports(const struct features *f,
					  unsigned *ret_n)
{
	*ret_n = f->n_ports;
	return f->port;
}

size_t features_row_bytes(const struct features *f)
{
	return f->row_bytes;
}

size_t features_block_bytes(const struct features *f)
{
	return plan_report(f->plan)->arena;
}

/* --- the cache --- */

enum err_code features_reserve(struct features *f, int64_t n, int64_t end,
			       const char *dir, struct err *err)
{
	const size_t bytes = (size_t)n * f->row_bytes;
	enum err_code rc = ERR_NONE;

	f->slot = mem_array((size_t)end + 1, sizeof(*f->slot));
	if (!f->slot)
		return no_memory(err);
	if (dir)
		rc = spill_create(dir, bytes, &f->spill, err);
	f->cache = dir ? f->spill.data : mem_alloc(bytes + 1);
	if (rc || !f->cache) {
		mem_free(f->slot);
		f->slot = NULL;
		f->cache = NULL;
		return rc ? rc : no_memory(err);
	}
	f->end = end;
	f->cap = n;
	return ERR_NONE;
}

static char *place_of(const struct features *f, int64_t row)
{
	return f->cache + (size_t)(f->slot[row] - 1) * f->row_bytes;
}

/* Between a row of the batch that was made and its place in the cache. */
static void move_row(struct features *f, int64_t i, char *at, bool in)
{
	for (unsigned p = 0; p <= f->n_ports; p++) {
		const bool is_target = p == f->n_ports;
		const size_t bytes = is_target ? f->target_bytes : f->bytes[p];
		char *made = is_target ? f->target[0] : f->input[p];

		made += (size_t)i * bytes;
		memcpy(in ? at : made, in ? made : at, bytes);
		at += bytes;
	}
}

void features_put(struct features *f, const struct batch *made,
		  const int64_t *rows)
{
	for (int64_t i = 0; i < made->n; i++) {
		if (rows[i] >= f->end ||
		    (!f->slot[rows[i]] && f->n_slots == f->cap))
			continue;
		if (!f->slot[rows[i]])
			f->slot[rows[i]] = ++f->n_slots;
		move_row(f, i, place_of(f, rows[i]), true);
	}
	spill_rest(&f->spill, 0, f->spill.bytes);
}

void features_rest(struct features *f)
{
	instance_destroy(f->instance);
	f->instance = NULL;
}

bool features_has(const struct features *f, const int64_t *rows, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!f->slot || rows[i] >= f->end || !f->slot[rows[i]])
			return false;
	return true;
}

const struct batch *features_get(struct features *f, const int64_t *rows,
				 int64_t n, int64_t first)
{
	for (int64_t i = 0; i < n; i++)
		move_row(f, i, place_of(f, rows[i]), false);
	spill_rest(&f->spill, 0, f->spill.bytes);
	f->made.n = n;
	f->made.first = first;
	return &f->made;
}

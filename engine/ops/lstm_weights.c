/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * LSTMWeights: LSTM whose weights are stored as bytes, W [directions, in,
 * gates] and R [directions, hidden, gates]: the transposes of LSTM's. Scales
 * and zero points are one for each direction or one for each gate's element.
 * Rows of X and of states are rounded to 8 bits (byte_weights.h), as
 * com.microsoft's DynamicQuantizeLSTM does; one kernel has packed the weights
 * before, the others pack them in each run.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/ops/byte_weights.h"
#include "engine/ops/quantize.h"
#include "engine/ops/recurrent.h"
#include "engine/pack.h"

enum { LINE = 64, N_SIDES = 2 };

/* W or R of all directions. */
struct side {
	unsigned weights, scale, zero; /* inputs */
	int64_t k, n;		       /* of one direction */
};

static bool has(const struct fact *in, unsigned n_in, unsigned i)
{
	return i < n_in && in[i].type.elem != DTYPE_NONE;
}

static void swap_axes(struct shape *s)
{
	const int64_t last = s->dim[2];

	s->dim[2] = s->dim[1];
	s->dim[1] = last;
}

/* What LSTM would be told. */
static enum err_code layer_init(const struct recurrent_attrs *attrs,
				const struct fact *in, unsigned n_in,
				struct recurrent *ret, struct err *err)
{
	struct fact as_lstm[RECURRENT_P + 1];
	const unsigned n = n_in < RECURRENT_P + 1 ? n_in : RECURRENT_P + 1;

	*ret = (struct recurrent){ 0 };
	memcpy(as_lstm, in, n * sizeof(*in));
	if (in[RECURRENT_W].shape.rank != 3 || in[RECURRENT_R].shape.rank != 3)
		return infer_fail(err, "inputs 'W' and 'R': expected rank 3");
	swap_axes(&as_lstm[RECURRENT_W].shape);
	swap_axes(&as_lstm[RECURRENT_R].shape);
	return recurrent_init("LSTM", attrs, as_lstm, n, ret, err);
}

static void layer_of(const struct kernel_query *q, struct recurrent *ret)
{
	const enum err_code rc =
	    layer_init(q->attrs, q->in, q->n_in, ret, NULL);

	(void)rc; /* infer() has seen it pass */
}

static struct side side_of(const struct recurrent *r, unsigned number)
{
	return (struct side){
		.weights = number ? RECURRENT_R : RECURRENT_W,
		.scale = number ? RECURRENT_R_SCALE : RECURRENT_W_SCALE,
		.zero = number ? RECURRENT_R_ZERO : RECURRENT_W_ZERO,
		.k = number ? r->n_hidden : r->n_in,
		.n = r->n_gates * r->n_hidden,
	};
}

/* Scale and zero point of column j of a direction. */
static float scale_of(const struct kernel_call *call, const struct side *side,
		      int64_t direction, int64_t j)
{
	const struct fact *fact = &call->query->in[side->scale];
	const float *scale = call->in[side->scale];

	return scale[fact->shape.rank > 1 ? direction * side->n + j
					  : direction];
}

static int32_t zero_of(const struct kernel_call *call, const struct side *side,
		       int64_t direction, int64_t j)
{
	const struct kernel_query *q = call->query;
	const struct fact *fact = &q->in[side->zero];

	if (!has(q->in, q->n_in, side->zero))
		return 0;
	return quantized_at(fact->type.elem, call->in[side->zero],
			    fact->shape.rank > 1 ? direction * side->n + j
						 : direction);
}

/* ---- by bytes ------------------------------------------------------------ */

struct state {
	struct pack *pack[N_SIDES];
};

static int64_t up_to_line(int64_t n)
{
	return (n + LINE - 1) / LINE * LINE;
}

static struct byte_form form_of(const struct kernel_query *q,
				const struct side *side,
				const struct byte_loops *loops)
{
	return byte_weights_form(loops, side->k, side->n,
				 q->in[side->weights].type.elem);
}

/* Packed bytes from one direction to the next. */
static int64_t pack_step(const struct byte_form *form)
{
	return up_to_line((int64_t)byte_pack_bytes(form));
}

struct fill {
	struct byte_form form;
	int64_t n_directions;
};

static enum err_code fill(const void *data, const void *plain, void *to,
			  struct err *err)
{
	const struct fill *fill = data;
	const struct byte_form *f = &fill->form;

	(void)err;
	for (int64_t d = 0; d < fill->n_directions; d++) {
		const struct byte_matrix b = {
			(const uint8_t *)plain + d * f->k * f->n, 0, f->n, 1
		};

		byte_pack(f, &b, (uint8_t *)to + d * pack_step(f));
	}
	return ERR_NONE;
}

static enum err_code get_pack(const struct kernel_query *q,
			      const struct recurrent *r, unsigned number,
			      struct pack **ret, struct err *err)
{
	const struct side side = side_of(r, number);
	const struct fill data = { form_of(q, &side, byte_loops()),
				   r->n_directions };
	const struct pack_wish wish = {
		.plain = q->in[side.weights].value,
		.plain_bytes = (size_t)(r->n_directions * side.k * side.n),
		.form = &data,
		.form_bytes = sizeof(data),
		.bytes = (size_t)(r->n_directions * pack_step(&data.form)),
		.make = fill,
		.data = &data,
	};

	return pack_get(q->packs, &wish, ret, err);
}

static void bytes_finish(void *data)
{
	struct state *state = data;

	for (unsigned i = 0; i < N_SIDES; i++)
		pack_put(state->pack[i]);
	mem_free(state);
}

/* Of the numbers of one side: zero points, sums, scales. */
static int64_t number_bytes(const struct recurrent *r)
{
	return 3 * up_to_line(4 * r->n_gates * r->n_hidden);
}

static int64_t row_bytes(const struct recurrent *r)
{
	const int64_t k = r->n_in > r->n_hidden ? r->n_in : r->n_hidden;

	return up_to_line((int64_t)byte_weights_scratch(k));
}

/* Without what is packed in the run. */
static int64_t scratch_bytes(const struct recurrent *r)
{
	return up_to_line((int64_t)recurrent_scratch(r, sizeof(float))) +
	       N_SIDES * number_bytes(r) + row_bytes(r);
}

static enum err_code bytes_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	struct state *state = mem_zero(sizeof(*state));
	struct recurrent r;
	enum err_code rc = ERR_NONE;

	if (!state)
		return err_set(err, ERR_NO_MEMORY, "recurrent: out of memory");
	layer_of(query, &r);
	for (unsigned i = 0; i < N_SIDES && !rc; i++)
		rc = get_pack(query, &r, i, &state->pack[i], err);
	if (rc) {
		bytes_finish(state);
		return rc;
	}
	for (unsigned i = 0; i < N_SIDES; i++)
		ret->pack_bytes += pack_size(state->pack[i]);
	ret->state = state;
	ret->n_slices = r.n_directions * recurrent_parts(&r);
	ret->scratch_bytes = (size_t)scratch_bytes(&r);
	return ERR_NONE;
}

static void load_side(const struct kernel_call *call, const struct side *side,
		      int64_t direction, void *numbers,
		      struct byte_weights *ret)
{
	const int64_t step = up_to_line(4 * side->n) / 4;
	const struct kernel_query *q = call->query;
	const bool is_each =
	    has(q->in, q->n_in, side->zero) && q->in[side->zero].shape.rank > 1;
	int32_t *zero = numbers, *column = zero + step;
	void *at = column + step;
	float *scale = at;

	for (int64_t j = 0; j < side->n; j++) {
		zero[j] = zero_of(call, side, direction, j);
		scale[j] = scale_of(call, side, direction, j);
	}
	ret->zero = zero;
	ret->n_zero = is_each ? side->n : 1;
	ret->is_narrow = true;
	ret->scale = scale;
	ret->column = column;
	ret->y_step = side->n;
	byte_weights_columns(ret, column);
}

/* One direction's weights, packed now. */
static const void *pack_now(const struct kernel_call *call,
			    const struct side *side, int64_t direction,
			    const struct byte_form *form, void *to)
{
	const struct byte_matrix b = {
		(const uint8_t *)call->in[side->weights] +
		    direction * side->k * side->n,
		0, side->n, 1
	};

	byte_pack(form, &b, to);
	return to;
}

static void run_slice(const struct kernel_call *call, const struct recurrent *r,
		      unsigned slice, bool fast, void *scratch)
{
	const struct byte_loops *loops =
	    fast ? byte_loops() : byte_loops_level(0);
	const int64_t direction = slice / recurrent_parts(r);
	const struct state *state = call->state;
	struct recurrent_way way = { .fast = fast, .is_stored = true };
	uint8_t *at = (uint8_t *)scratch +
		      up_to_line((int64_t)recurrent_scratch(r, sizeof(float)));
	uint8_t *packed = (uint8_t *)scratch + scratch_bytes(r);
	struct byte_weights w[N_SIDES];

	for (unsigned i = 0; i < N_SIDES; i++) {
		const struct side side = side_of(r, i);
		const struct byte_form form =
		    form_of(call->query, &side, loops);
		const int64_t step = pack_step(&form);

		w[i] = (struct byte_weights){ .form = form };
		w[i].packed =
		    state ? (const uint8_t *)pack_bytes(state->pack[i]) +
				direction * step
			  : pack_now(call, &side, direction, &form, packed);
		packed += step;
		load_side(call, &side, direction, at, &w[i]);
		at += number_bytes(r);
	}
	way.w = &w[0];
	way.u = &w[1];
	way.rows = at;
	recurrent_run_slice(call, r, slice, &way, scratch);
}

static void bytes_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct recurrent r;

	layer_of(call->query, &r);
	run_slice(call, &r, slice, true, scratch);
}

static bool bytes_fits(const struct kernel_query *query)
{
	struct recurrent r;

	layer_of(query, &r);
	return query->in[RECURRENT_W].value && query->in[RECURRENT_R].value &&
	       r.n_in > 0 && r.n_hidden > 0;
}

/* ---- packed in the run --------------------------------------------------- */

/* Some loops' form is the largest. */
static int64_t packed_bytes(const struct kernel_query *query,
			    const struct recurrent *r)
{
	int64_t most = 0;

	for (unsigned level = 0; level < byte_levels(); level++) {
		int64_t all = 0;

		for (unsigned i = 0; i < N_SIDES; i++) {
			const struct side side = side_of(r, i);
			const struct byte_form form =
			    form_of(query, &side, byte_loops_level(level));

			all += pack_step(&form);
		}
		most = all > most ? all : most;
	}
	return most;
}

static enum err_code unpacked_prepare(const struct kernel_query *query,
				      struct kernel_setup *ret, struct err *err)
{
	struct recurrent r;

	(void)err;
	layer_of(query, &r);
	ret->n_slices = r.n_directions * recurrent_parts(&r);
	ret->scratch_bytes =
	    (size_t)(scratch_bytes(&r) + packed_bytes(query, &r));
	return ERR_NONE;
}

static enum err_code plain_prepare(const struct kernel_query *query,
				   struct kernel_setup *ret, struct err *err)
{
	const enum err_code rc = unpacked_prepare(query, ret, err);

	ret->n_slices = 1;
	return rc;
}

/* All slices, one after the other. */
static void plain_run(const struct kernel_call *call, unsigned slice,
		      void *scratch)
{
	struct recurrent r;

	layer_of(call->query, &r);
	for (slice = 0; slice < r.n_directions * recurrent_parts(&r); slice++)
		run_slice(call, &r, slice, false, scratch);
}

/* ---- shapes -------------------------------------------------------------- */

/* One for each direction or for each element of the gates as well. */
static enum err_code check_factor(const struct infer *infer,
				  const struct recurrent *r, unsigned i,
				  struct err *err)
{
	const struct shape *s = &infer->in[i].shape;
	const int64_t d = r->n_directions, n = r->n_gates * r->n_hidden;

	if (!has(infer->in, infer->n_in, i) ||
	    (s->rank == 1 && s->dim[0] == d) ||
	    (s->rank == 2 && s->dim[0] == d && s->dim[1] == n))
		return ERR_NONE;
	return infer_fail(err,
			  "input %u: expected [%lld] or [%lld, %lld], a scale "
			  "or zero point for each direction or gate's element",
			  i, (long long)d, (long long)d, (long long)n);
}

static enum err_code lstm_infer(struct infer *infer, struct err *err)
{
	struct recurrent r;
	enum err_code rc =
	    layer_init(infer->attrs, infer->in, infer->n_in, &r, err);

	if (!rc &&
	    (r.n_in > BYTE_WEIGHTS_MAX_K || r.n_hidden > BYTE_WEIGHTS_MAX_K))
		rc = err_set(err, ERR_UNSUPPORTED,
			     "inputs 'W' and 'R': at most %d rows",
			     BYTE_WEIGHTS_MAX_K);
	for (unsigned i = RECURRENT_W_SCALE; i <= RECURRENT_R_ZERO && !rc; i++)
		rc = check_factor(infer, &r, i, err);
	return rc ? rc : recurrent_shapes(&r, infer, err);
}

/* ---- the row ------------------------------------------------------------- */

static double lstm_cost(const struct kernel_query *query)
{
	const double us_a_product = byte_is_fast(byte_loops()) ? 1e-5 : 4e-5;
	struct recurrent r;

	layer_of(query, &r);
	return 1 + us_a_product * (double)(r.n_steps * r.n_batch) *
		       (double)(r.n_directions * r.n_gates * r.n_hidden *
				(r.n_in + r.n_hidden));
}

static const struct kernel by_bytes = {
	.name = "lstm_weights.bytes",
	.fits = bytes_fits,
	.cost = lstm_cost,
	.prepare = bytes_prepare,
	.run = bytes_run,
	.finish = bytes_finish,
};
static const struct kernel unpacked = {
	.name = "lstm_weights.unpacked",
	.flags = KERNEL_QUICK,
	.cost = lstm_cost,
	.prepare = unpacked_prepare,
	.run = bytes_run,
};
static const struct kernel plain = {
	.name = "lstm_weights.plain",
	.flags = KERNEL_QUICK,
	.cost = lstm_cost,
	.prepare = plain_prepare,
	.run = plain_run,
};
static const struct kernel *const lstm_kernels[] = { &by_bytes, &unpacked,
						     &plain, NULL };

/* clang-format off */
static const struct port lstm_in[] = {
	{ "X", "T:float", 0 },
	{ "W", "T2:int8,uint8", 0 },
	{ "R", "T3:int8,uint8", 0 },
	{ "B", "T", PORT_OPTIONAL },
	{ "sequence_lens", "T1:int32", PORT_OPTIONAL },
	{ "initial_h", "T", PORT_OPTIONAL },
	{ "initial_c", "T", PORT_OPTIONAL },
	{ "P", "T", PORT_OPTIONAL },
	{ "W_scale", "T", 0 },
	{ "W_zero_point", "T2", PORT_OPTIONAL },
	{ "R_scale", "T", 0 },
	{ "R_zero_point", "T3", PORT_OPTIONAL },
	{ 0 },
};
static const struct port lstm_out[] = {
	{ "Y", "T", PORT_OPTIONAL },
	{ "Y_h", "T", PORT_OPTIONAL },
	{ "Y_c", "T", PORT_OPTIONAL },
	{ 0 },
};

#define BYTES(n, shape) "Cast<to=3>(Sub(Mod(Reshape(Range(0, " n ", 1), " shape "), 251), 120))"
/* a last bit of a state may round it to another step of its row */
#define STEPS .tolerance = 2e-2
static const struct op_case lstm_cases[] = {
	{ .name = "plain", STEPS,
	  .graph = "y, h, c = predictd.LSTMWeights(x:float[5,3,4], w:int8[1,4,8], r:uint8[1,2,8], "
		   ", , , , , s:float[1]={0.1}, , t:float[1]={0.2})" },
	{ .name = "everything", STEPS,
	  .graph = "y, h, c = predictd.LSTMWeights<direction=\"bidirectional\", clip=0.7>("
		   "x:float[5,3,4], w:uint8[2,4,8], r:int8[2,2,8], b:float[2,16], "
		   "l:int32[3]={5,0,3}, h0:float[2,3,2], c0:float[2,3,2], p:float[2,6], "
		   "s:float[2,8], z:uint8[2,8], t:float[2], u:int8[2])" },
	{ .name = "constant weights", STEPS,
	  .graph = "w = " BYTES("2720", "i:int64[3]={2,20,68}") "; "
		   "r = " BYTES("2312", "j:int64[3]={2,17,68}") "; "
		   "y, h, c = predictd.LSTMWeights<direction=\"bidirectional\">("
		   "x:float[9,2,20], w, r, "
		   "b:float[2,136], n:int32[2]={9,4}, , , , s:float[2]={0.003,0.002}, , "
		   "t:float[2]={0.002,0.001})" },
	{ .name = "constant weights, a number for each column", STEPS,
	  .graph = "w = Cast<to=2>(Mod(Reshape(Range(0, 340, 1), i:int64[3]={1,5,68}), 251)); "
		   "r = " BYTES("1156", "j:int64[3]={1,17,68}") "; "
		   "y, h, c = predictd.LSTMWeights<layout=1, direction=\"reverse\">("
		   "x:float[40,3,5], "
		   "w, r, , , , , , Mul(s:float[1,68], f:float[]={0.003}), z:uint8[1,68], "
		   "Mul(t:float[1,68], f), u:int8[1,68])" },
	{ .name = "no steps",
	  .graph = "y, h, c = predictd.LSTMWeights(x:float[0,3,4], w:int8[1,4,8], r:int8[1,2,8], "
		   ", , h0:float[1,3,2], , , s:float[1], , t:float[1])" },
	{ .name = "W not transposed",
	  .graph = "y, h, c = predictd.LSTMWeights(x:float[5,3,4], w:int8[1,8,4], r:int8[1,2,8], "
		   ", , , , , s:float[1], , t:float[1])", .want = ERR_SHAPE },
	{ .name = "too many scales",
	  .graph = "y, h, c = predictd.LSTMWeights(x:float[5,3,4], w:int8[1,4,8], r:int8[1,2,8], "
		   ", , , , , s:float[8], , t:float[1])", .want = ERR_SHAPE },
	{ 0 },
};
/* clang-format on */

extern const struct op op_lstm_weights;
const struct op op_lstm_weights = {
	.domain = "predictd",
	.name = "LSTMWeights",
	.help = "LSTM over sequences by weights stored as bytes.",
	.since = 1,
	.flags = OP_ANY_TYPE,
	.in = lstm_in,
	.out = lstm_out,
	.attrs = recurrent_lstm_attrs,
	.attrs_size = sizeof(struct recurrent_attrs),
	.infer = lstm_infer,
	.kernels = lstm_kernels,
	.cases = lstm_cases,
};

/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Recurrent layers: what RNN, GRU and LSTM ask of a kernel.
 *
 * With the products of all gates of one step, a = X W^T + h R^T + biases:
 *   RNN   h = f(a)
 *   GRU   z, r = f(a), n = g(x W^T + (r h) R^T + b), h = (1 - z) n + z h
 *         linear_before_reset: n = g(x W^T + b + r (h R^T + rb))
 *   LSTM  i, f = f(a + p c), n = g(a), c = f c + i n, o = f(a + p c),
 *         h = o h(c)
 * Gates lie as ONNX has them: z r n, and i o f n. A direction that goes
 * backwards reads each sequence from its own end.
 *
 * Threads: plain data and pure functions.
 */
#ifndef ENGINE_OPS_RECURRENT_H
#define ENGINE_OPS_RECURRENT_H

#include "engine/kernel.h"

struct byte_weights;
struct packed;

struct recurrent_attrs {
	struct attr_floats alpha, beta;
	struct attr_strings activations;
	double clip; /**< 0: none */
	const char *direction;
	int64_t hidden_size, input_forget, layout, linear_before_reset;
};

enum recurrent_kind { RECURRENT_RNN, RECURRENT_GRU, RECURRENT_LSTM };
enum recurrent_input {
	RECURRENT_X,
	RECURRENT_W,
	RECURRENT_R,
	RECURRENT_B,
	RECURRENT_LENGTHS,
	RECURRENT_H0,
	RECURRENT_C0,
	RECURRENT_P,
	/* of LSTMWeights */
	RECURRENT_W_SCALE,
	RECURRENT_W_ZERO,
	RECURRENT_R_SCALE,
	RECURRENT_R_ZERO
};
/* inputs of the gradient, after those of the layer, and its results */
enum recurrent_back_input {
	RECURRENT_Y = RECURRENT_P + 1,
	RECURRENT_DY,
	RECURRENT_DH,
	RECURRENT_DC
};
enum recurrent_back_output { BACK_GATES, BACK_PREV, BACK_DH0, BACK_LAST };
enum bend_form { BEND_LOOP, BEND_AFFINE, BEND_SCALED_TANH, BEND_THRESHOLD };
enum { RECURRENT_DIRECTIONS = 2, RECURRENT_BENDS = 3 };

/** How a slope follows from what the activation gave. */
enum bend_slope {
	SLOPE_AFFINE,
	SLOPE_ELU,
	SLOPE_HARD_SIGMOID,
	SLOPE_LEAKY_RELU,
	SLOPE_RELU,
	SLOPE_SCALED_TANH,
	SLOPE_SIGMOID,
	SLOPE_SOFTPLUS,
	SLOPE_SOFTSIGN,
	SLOPE_TANH,
	SLOPE_THRESHOLD
};

/** An activation: a loop by that name with alpha and beta, but for the forms
 * that no loop has. */
struct bend {
	enum bend_form form;
	enum bend_slope slope;
	const char *loop;
	double param[2];
};

struct recurrent {
	enum recurrent_kind kind;
	int64_t n_gates, n_steps, n_batch, n_in, n_hidden;
	unsigned n_directions;
	bool is_reverse[RECURRENT_DIRECTIONS];
	bool batch_first, input_forget, linear_before_reset;
	double clip;
	struct bend bend[RECURRENT_DIRECTIONS][RECURRENT_BENDS];
};

/** Checks everything that kernels rely on. in: n_in facts with shapes. */
MUST_USE enum err_code recurrent_init(const char *op,
				      const struct recurrent_attrs *attrs,
				      const struct fact *in, unsigned n_in,
				      struct recurrent *ret, struct err *err);

/** Shapes of all outputs. */
MUST_USE enum err_code recurrent_shapes(const struct recurrent *r,
					struct infer *infer, struct err *err);

/** How a slice is run. */
struct recurrent_way {
	bool fast;
	const struct packed *packed; /**< panels, of recurrent_run.c, or NULL */
	/** W and R are bytes: these, of the slice's direction, whose products
	 * need `rows`. */
	bool is_stored;
	const struct byte_weights *w, *u;
	void *rows;
};

/** Parts of the batch: there are as many slices a direction, and slice
 * i / parts is direction i. */
unsigned recurrent_parts(const struct recurrent *r);
/** Bytes of a slice's scratch, for elements of `size` bytes. */
size_t recurrent_scratch(const struct recurrent *r, size_t size);
void recurrent_run_slice(const struct kernel_call *call,
			 const struct recurrent *r, unsigned slice,
			 const struct recurrent_way *way, void *scratch);

extern const struct kernel recurrent_panels, recurrent_blas, recurrent_plain;
extern const struct kernel recurrent_grad_blas, recurrent_grad_plain;
extern const struct op_attr recurrent_lstm_attrs[], recurrent_gru_attrs[],
    recurrent_rnn_attrs[];

struct vjp;
/** The rule of all three. */
MUST_USE enum err_code recurrent_vjp(struct vjp *vjp, struct err *err);

#endif

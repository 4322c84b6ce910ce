/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Rig: a trainer over a job's text, for tests. Everything here asserts.
 *
 * Ownership: begin/end. Threads: one.
 */
#ifndef TESTS_UNIT_TRAINING_RIG_H
#define TESTS_UNIT_TRAINING_RIG_H

#include "base/buf.h"
#include "engine/team.h"
#include "models/network.h"
#include "training/trainer.h"

#define NETWORK                                                           \
	"model: {layers: [{type: conv2d, out_channels: 3, kernel_size:"   \
	" 3}, {type: batch_norm}, {type: relu}, {type: dropout, p: 0.3}," \
	" {type: flatten}, {type: linear, out_features: 4}]}\n"
/* large enough for kernels that round */
#define WIDE                                                              \
	"model: {layers: [{type: conv2d, out_channels: 32, kernel_size:"  \
	" 3, padding: 1}, {type: relu}, {type: conv2d, out_channels: 32," \
	" kernel_size: 3}, {type: relu}, {type: flatten}, {type: linear," \
	" out_features: 64}, {type: relu}, {type: linear, out_features: " \
	"4}]}\n"
/* rows of 7 tokens in 10 batches or fewer, with a state between them */
#define LANGUAGE                                                             \
	"data: {source: synthetic, rows: 100, split: {probabilities: [0.7, " \
	"0.2, 0.1]}}\n"                                                      \
	"input_features: [{name: t, type: text, vocab_size: 12, "            \
	"max_sequence_length: 7}]\n"                                         \
	"output_features: [{name: t, type: text}]\n"                         \
	"model: {type: rnn_language_model, embedding_size: 6, hidden_size: " \
	"8, num_layers: 2, hidden_dropout: 0.2}\n"
#define LINEAR                                                            \
	"model: {layers: [{type: flatten}, {type: linear, out_features: " \
	"4}]}\n"
/* whole rows are dropped; weights begin by the first batch */
#define RESIDUAL                                                              \
	"model: {init: lsuv, layers: [{type: conv2d, out_channels: 3, "       \
	"kernel_size: 3}, {type: relu}, {type: residual, layers: [{type: "    \
	"conv2d, out_channels: 3, kernel_size: 3, padding: 1}, {type: "       \
	"drop_path, p: 0.3}]}, {type: flatten}, {type: linear, out_features:" \
	" 4}]}\n"
/* so are weights from state to state, and what is between the layers */
#define RECURRENT                                                         \
	"model: {layers: [{type: reshape, shape: [6, 6]}, {type: lstm, "  \
	"hidden_size: 5, num_layers: 2, dropout: 0.2, weight_drop: 0.3, " \
	"output: last}, {type: linear, out_features: 4}]}\n"

struct rig {
	struct arena *arena;
	struct job_spec spec;
	struct pipeline *pipeline;
	struct dataset *dataset;
	struct network network;
	struct pool *pool;
	unsigned threads;
	struct trainer_events events;
	struct trainer *trainer;
	struct trainer_result result;
	struct err err;
	/* the order given at poll number order_at, from 1; 0: never */
	enum trainer_order order;
	int64_t order_at, n_polls;
	int n_evals, n_checkpoints, n_warnings, n_steps, n_found;
	double found;	  /* the last rate that a phase found */
	char warning[64]; /* code of the last */
	char message[512];
	struct trainer_eval eval[64];
};

/** Everything but the trainer; text as in a job, without data and features:
 * pictures of 6x6 in 4 classes, `rows` of them. */
void rig_begin(struct rig *rig, const char *text, unsigned threads);
/** Makes a trainer over dir (NULL: none). */
void rig_create(struct rig *rig, const char *dir);
/** The same, and runs it. */
void rig_run(struct rig *rig, const char *dir);
void rig_end(struct rig *rig);
/** Bytes of every variable; before rig_end(). */
void rig_weights(const struct rig *rig, struct buf *ret);
/** And back. */
void rig_set_weights(struct rig *rig, const struct buf *from);

/** What a run left. */
struct rig_outcome {
	struct buf weights;
	struct trainer_result result;
	int64_t n_polls;
};

/** A folder in memory, where there is such a place: syncing costs nothing. */
void rig_make_dir(char dir[64]);
void rig_remove_dir(const char *dir);
/** NaN where there is none of that name. */
double rig_figure(const struct trainer_eval *eval, const char *name);
/** One attempt at the job of `dir`; true when it came to its end. Then
 * weights are the caller's. */
bool rig_attempt(const char *text, const char *dir, enum trainer_order order,
		 int64_t at, struct rig_outcome *ret_outcome);
bool rig_is_same_eval(const struct trainer_eval *a,
		      const struct trainer_eval *b);
/** The same end, weights and figures; text and at are for the message. */
void rig_expect_same(const char *text, int64_t at,
		     const struct rig_outcome *got,
		     const struct rig_outcome *want);

#endif

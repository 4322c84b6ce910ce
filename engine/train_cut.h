/* SPDX-License-Identifier: Apache-2.0 */
/** @file
 * Cut: a base graph in two where nothing below is trained.
 *
 * What a training step computes from data and frozen variables alone, without
 * draws, is the same every time: it is the body. Its results that the rest
 * reads are features; the head is the rest, with the features as inputs, and
 * then those inputs of the base graph that it reads itself.
 *
 * Ownership: both graphs share names, attributes, constants and variables with
 *            the base graph, which must outlive them; numbers of variables are
 *            the same.
 * Threads:   one.
 * Limits:    CUT_MAX inputs.
 */
#ifndef ENGINE_TRAIN_CUT_H
#define ENGINE_TRAIN_CUT_H

#include "engine/graph.h"

enum { CUT_MAX = 64 };

struct train_cut {
	struct graph *body, *head; /**< NULL: there is nothing to cut off */
	unsigned n_features;	   /**< outputs of body, first inputs of head */
	unsigned n_kept;
	unsigned kept[CUT_MAX]; /**< inputs of base that head has too */
};

/** frozen: by variable. No cut where no frozen parameter meets data, where a
 * feature is no float, or where there would be too many. */
MUST_USE enum err_code train_cut(const struct graph *base, const bool *frozen,
				 struct train_cut *ret, struct err *err);
void train_cut_finish(struct train_cut *cut);

#endif
